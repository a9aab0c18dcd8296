//! Parts laid end to end on the axis of time.

use es_frame::instants;
use jiff::Timestamp;
use polars::prelude::{DataFrame, DataType};

use super::keys::no_column;
use crate::error::{Error, ErrorKind};

/// The treatment of rows without a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MissingTimes {
    /// The export fails.
    #[default]
    Refuse,
    /// They go to the part of this name, which is one of the others or one of its own.
    Part(String),
}

/// A split at points in time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ByTime {
    column: String,
    /// The ends of all parts but the last, rising, in whole milliseconds.
    ends: Vec<Timestamp>,
    missing: MissingTimes,
    /// The place of the part for rows without a time.
    missing_at: Option<u32>,
}

impl ByTime {
    /// The rule, and the names of its parts: those of the spans, and last the one for rows
    /// without a time if it has a part of its own.
    pub(super) fn new(
        column: String,
        parts: Vec<(String, Option<Timestamp>)>,
        missing: MissingTimes,
    ) -> Result<(Vec<String>, Self), Error> {
        let mut names: Vec<String> = parts.iter().map(|(name, _)| name.clone()).collect();
        let Some(((last, last_end), others)) = parts.split_last() else {
            return Err(Error::new(ErrorKind::Split, "a split by time needs parts"));
        };
        if let Some(until) = last_end {
            return Err(Error::new(
                ErrorKind::Split,
                format!("the last part {last} of a split by time ends at {until}, and rows after it have no part"),
            )
            .with_help("leave out where the last part ends, and filter rows that no part should have"));
        }
        let mut ends: Vec<Timestamp> = Vec::with_capacity(others.len());
        for (name, until) in others {
            let Some(until) = *until else {
                let what = format!("part {name} of a split by time has no end, and is not the last");
                return Err(Error::new(ErrorKind::Split, what));
            };
            if ends.last().is_some_and(|before| *before >= until) {
                let what = format!("part {name} of a split by time ends at {until}, before it begins");
                return Err(Error::new(ErrorKind::Split, what).with_help("order the parts by time"));
            }
            if until.as_nanosecond() % 1_000_000 != 0 {
                let what = format!("part {name} of a split by time ends at {until}");
                return Err(Error::new(ErrorKind::Split, what).with_help("choose a whole number of milliseconds"));
            }
            ends.push(until);
        }
        let missing_at = match &missing {
            MissingTimes::Refuse => None,
            MissingTimes::Part(name) => {
                let at = names.iter().position(|other| other == name).unwrap_or_else(|| {
                    names.push(name.clone());
                    names.len() - 1
                });
                Some(at as u32)
            }
        };
        Ok((names, Self { column, ends, missing, missing_at }))
    }

    pub(super) fn column(&self) -> &String {
        &self.column
    }

    pub(super) fn missing(&self) -> &MissingTimes {
        &self.missing
    }

    /// From, inclusive, and until, exclusive; `None` for a part of rows without a time alone.
    pub(super) fn span(&self, part: usize) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        if part > self.ends.len() {
            return None;
        }
        let from = part.checked_sub(1).map(|before| self.ends[before]);
        Some((from, self.ends.get(part).copied()))
    }

    pub(super) fn assign(&self, frame: &DataFrame) -> Result<Vec<u32>, Error> {
        let times = times_of(frame, &self.column)?;
        // Times are rounded down to milliseconds, which moves none across a whole one.
        let ends: Vec<i64> = self.ends.iter().map(|end| end.as_millisecond()).collect();
        times
            .into_iter()
            .enumerate()
            .map(|(row, time)| match (time, self.missing_at) {
                (Some(time), _) => Ok(ends.partition_point(|end| *end <= time) as u32),
                (None, Some(part)) => Ok(part),
                (None, None) => Err(Error::new(
                    ErrorKind::Split,
                    format!("a row cannot be put in a part: it has no {} (row {row} of a page)", self.column),
                )
                .with_help("filter such rows out, or name a part for them")),
            })
            .collect()
    }
}

/// The times of a column of dates or instants, in milliseconds.
pub(super) fn times_of(frame: &DataFrame, name: &str) -> Result<Vec<Option<i64>>, Error> {
    let column = frame.column(name).map_err(|_| no_column(frame, name))?;
    if !matches!(column.dtype(), DataType::Datetime(..) | DataType::Date) {
        return Err(Error::new(
            ErrorKind::Column,
            format!("column {name} is of type {}, and a split by time needs dates or instants", column.dtype()),
        ));
    }
    Ok(instants(column)?)
}
