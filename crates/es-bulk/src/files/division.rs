//! Dividing rows into parts by their time.

use std::ops::Range;

use es_frame::instants;
use polars::prelude::{Column, IntoColumn as _, NamedFrom as _, Series};

use super::block::Block;
use super::raw_lines::RawPiece;
use crate::error::{Error, ErrorKind};

/// A division of rows into parts: half-open ranges of time, in milliseconds since
/// 1970-01-01T00:00:00Z.
///
/// ```
/// use es_bulk::files::{PartOfRow, TimeDivision};
///
/// let division = TimeDivision::new("departed", vec![0..1_000, 1_000..2_000]);
/// assert_eq!(division.part_of(Some(1_000)), PartOfRow::In(1));
/// assert_eq!(division.part_of(Some(2_000)), PartOfRow::Outside);
/// assert_eq!(division.part_of(None), PartOfRow::WithoutTime);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeDivision {
    field: String,
    ranges: Vec<Range<i64>>,
}

/// The part that a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartOfRow {
    /// The part of this number, from 0.
    In(usize),
    /// No part holds its time.
    Outside,
    /// It has no time.
    WithoutTime,
}

impl TimeDivision {
    /// Divides rows by the time in a column or field. The ranges are sorted and do not overlap. Times
    /// are read as [`instants`] reads them.
    pub fn new(field: impl Into<String>, ranges: Vec<Range<i64>>) -> Self {
        Self { field: field.into(), ranges }
    }

    /// The column or field.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The number of parts.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Returns true when there is no part.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The part of a row with this time.
    pub fn part_of(&self, time: Option<i64>) -> PartOfRow {
        let Some(time) = time else { return PartOfRow::WithoutTime };
        let after = self.ranges.partition_point(|range| range.start <= time);
        match after.checked_sub(1).filter(|part| self.ranges[*part].contains(&time)) {
            Some(part) => PartOfRow::In(part),
            None => PartOfRow::Outside,
        }
    }

    /// The parts of the rows of a block. In lines, the time is the first further field.
    pub(crate) fn parts_of(&self, block: &Block) -> Result<Vec<PartOfRow>, Error> {
        let times = match block {
            Block::Rows(piece) => {
                let column = piece.frame.column(&self.field)?;
                instants(column).map_err(|error| match first_failure(column) {
                    Some(row) => self.not_a_time("row", piece.number(row), column.get(row).ok().map(|v| v.to_string())),
                    None => error.into(),
                })?
            }
            Block::Lines(piece) => self.times_of_lines(piece)?,
        };
        Ok(times.into_iter().map(|time| self.part_of(time)).collect())
    }

    fn times_of_lines(&self, piece: &RawPiece) -> Result<Vec<Option<i64>>, Error> {
        piece
            .lines()
            .map(|line| match line.field(0) {
                None | Some("null") => Ok(None),
                Some(value) => time_of(value)
                    .map(Some)
                    .ok_or_else(|| self.not_a_time("line", line.row, Some(value.chars().take(100).collect()))),
            })
            .collect()
    }

    fn not_a_time(&self, what: &str, row: u64, value: Option<String>) -> Error {
        let value = value.unwrap_or_default();
        Error::new(ErrorKind::Row, format!("{what} {row}: {} is {value}, which is not a time", self.field))
            .with_help("write times as 2013-01-31T06:00:00Z, or as milliseconds since 1970")
    }
}

/// The instant that a JSON value stands for: milliseconds, or ISO 8601.
fn time_of(value: &str) -> Option<i64> {
    if value.starts_with('"') {
        let text: String = serde_json::from_str(value).ok()?;
        let column = Series::new("".into(), [text]).into_column();
        return instants(&column).ok()?.first().copied().flatten();
    }
    match value.parse() {
        Ok(milliseconds) => Some(milliseconds),
        // Doubles hold every millisecond of the years that dates have.
        Err(_) => value.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number.floor() as i64),
    }
}

/// The first row whose value is not a time, if the type of the column is not at fault.
fn first_failure(column: &Column) -> Option<usize> {
    instants(&column.head(Some(0))).ok()?;
    (0..column.len()).find(|row| instants(&column.slice(*row as i64, 1)).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_at_most_one_range() {
        let division = TimeDivision::new("t", vec![0..10, 10..20, 30..40]);
        let table = [
            (-1, PartOfRow::Outside),
            (0, PartOfRow::In(0)),
            (9, PartOfRow::In(0)),
            (10, PartOfRow::In(1)),
            (20, PartOfRow::Outside),
            (29, PartOfRow::Outside),
            (39, PartOfRow::In(2)),
            (40, PartOfRow::Outside),
        ];
        for (time, expected) in table {
            assert_eq!(division.part_of(Some(time)), expected, "{time}");
        }
    }

    #[test]
    fn values_of_json_are_times() {
        let table = [
            ("1500000", Some(1_500_000)),
            ("-1", Some(-1)),
            ("1.5e3", Some(1_500)),
            ("-0.5", Some(-1)),
            ("\"1970-01-01T00:00:01Z\"", Some(1_000)),
            ("\"1970-01-02\"", Some(86_400_000)),
            ("\"1970-01-01T00:00:01\\u005a\"", Some(1_000)),
            ("\"soon\"", None),
            ("true", None),
            ("{}", None),
        ];
        for (value, expected) in table {
            assert_eq!(time_of(value), expected, "{value}");
        }
    }
}
