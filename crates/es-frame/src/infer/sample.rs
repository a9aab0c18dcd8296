//! The facts that the values of a sample show about columns and the fields inside them.

use std::collections::{HashMap, HashSet};

use polars::prelude::{DataFrame, DataType, Series, TimeUnit};
use polars_arrow::array::Array as _;

use super::MappingOptions;
use crate::calendar::read_instant;
use crate::error::{Error, ErrorKind};

/// Facts by the path of a field.
#[derive(Debug, Default)]
pub(super) struct Sample {
    long_texts: HashSet<String>,
    dates: HashSet<String>,
    early_instants: HashSet<String>,
    /// Objects that all are geometries.
    shapes: HashSet<String>,
    dimensions: HashMap<String, Result<usize, (usize, usize)>>,
}

impl Sample {
    pub(super) fn of(frame: &DataFrame, options: &MappingOptions) -> Result<Self, Error> {
        let mut sample = Self::default();
        for column in frame.columns() {
            sample.add(column.name(), column.as_materialized_series(), options)?;
        }
        Ok(sample)
    }

    fn add(&mut self, path: &str, series: &Series, options: &MappingOptions) -> Result<(), Error> {
        match series.dtype() {
            DataType::String => {
                if series.str()?.iter().flatten().any(|text| is_long(text, options)) {
                    self.long_texts.insert(path.to_owned());
                }
                let mut values = series.str()?.iter().flatten().peekable();
                if options.dates_in_text && values.peek().is_some() && values.all(is_date) {
                    self.dates.insert(path.to_owned());
                }
            }
            DataType::Datetime(TimeUnit::Nanoseconds, _)
                if series.datetime()?.physical().iter().flatten().any(|instant| instant < 0) =>
            {
                self.early_instants.insert(path.to_owned());
            }
            DataType::List(_) => {
                let list = series.list()?;
                if options.vectors.iter().any(|name| name == path) {
                    for chunk in list.downcast_iter() {
                        let lists = chunk.offsets().lengths().enumerate();
                        self.add_lengths(path, lists.filter(|(row, _)| chunk.is_valid(*row)).map(|(_, length)| length));
                    }
                }
                self.add(path, &list.get_inner(), options)?;
            }
            DataType::Array(..) => self.add(path, &series.array()?.get_inner(), options)?,
            DataType::Struct(_) => {
                for field in series.struct_()?.fields_as_series() {
                    self.add(&format!("{path}.{}", field.name()), &field, options)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn add_text(&mut self, path: &str, text: &str, options: &MappingOptions) {
        if is_long(text, options) {
            self.long_texts.insert(path.to_owned());
        }
    }

    pub(super) fn add_dates(&mut self, path: String) {
        self.dates.insert(path);
    }

    pub(super) fn add_shapes(&mut self, path: String) {
        self.shapes.insert(path);
    }

    pub(super) fn add_lengths(&mut self, path: &str, lengths: impl IntoIterator<Item = usize>) {
        for length in lengths {
            let known = self.dimensions.entry(path.to_owned()).or_insert(Ok(length));
            if let Ok(other) = *known
                && other != length
            {
                *known = Err((other, length));
            }
        }
    }

    pub(super) fn has_long_text(&self, path: &str) -> bool {
        self.long_texts.contains(path)
    }

    pub(super) fn has_dates(&self, path: &str) -> bool {
        self.dates.contains(path)
    }

    pub(super) fn has_early_instant(&self, path: &str) -> bool {
        self.early_instants.contains(path)
    }

    pub(super) fn has_shapes(&self, path: &str) -> bool {
        self.shapes.contains(path)
    }

    /// The number of values in each list of a column.
    pub(super) fn dimensions(&self, path: &str) -> Result<usize, Error> {
        let refused =
            |message: String, help: &str| Err(Error::new(ErrorKind::UnsupportedType, message).with_help(help));
        match self.dimensions.get(path) {
            Some(Ok(dimensions)) => Ok(*dimensions),
            Some(Err((one, other))) => refused(
                format!("column {path} cannot be a vector, as it has lists of {one} and of {other} numbers"),
                "vectors of a field all have the same length",
            ),
            None => refused(
                format!("column {path} cannot be a vector, as no value shows its length"),
                "cast the column to an array of its length, or infer the mapping from a sample with values",
            ),
        }
    }
}

fn is_long(text: &str, options: &MappingOptions) -> bool {
    // Counting characters is slow; there are never more of them than bytes.
    text.len() > options.longest_keyword && text.chars().count() > options.longest_keyword
}

/// True if a `date` field accepts the text (`strict_date_optional_time`).
pub(super) fn is_date(text: &str) -> bool {
    let is_instant = || text.as_bytes().get(10) == Some(&b'T') && text.parse::<jiff::Timestamp>().is_ok();
    read_instant(text, 1_000).is_some() || is_instant()
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn dates_are_what_a_date_field_takes() {
        let dates = ["2013-01-31", "2013-01-31T06:00:00Z", "2013-01-31T06:00:00.123456Z", "2013-01-31T06:00:00+02:00"];
        let others = ["", "2013", "20130131", "2013-01-32", "2013-01-31 06:00:00Z", "31.01.2013", "2013-01-31X"];
        assert!(dates.into_iter().all(is_date));
        assert!(!others.into_iter().any(is_date));
    }
}
