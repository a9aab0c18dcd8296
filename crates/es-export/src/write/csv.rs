//! CSV, as [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180) has it, and the same with tabs.

use std::io::Write;

use polars::io::csv::write::{BatchedWriter, CsvWriter, QuoteStyle};
use polars::io::prelude::SerWriter as _;
use polars::prelude::{ChunkAgg as _, Column, DataFrame, DataType, Schema, TimeUnit, TimeZone};

use super::FileWriter;
use super::ManifestFile;
use super::file::{NewFile, OutputFile, SharedFile};
use super::format::Compression;
use super::gather::aligned;
use crate::error::{Error, ErrorKind};

/// With as many digits of the second's fraction as there are.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

/// CSV to anything.
pub(super) struct Csv<W: Write> {
    writer: BatchedWriter<W>,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(writer: W, schema: &Schema, separator: u8) -> Result<Self, Error> {
        let schema: Schema = schema.iter().map(|(name, dtype)| (name.clone(), in_utc(dtype))).collect();
        let writer = CsvWriter::new(writer)
            .with_separator(separator)
            .with_line_terminator("\r\n".into())
            .with_quote_style(QuoteStyle::Necessary)
            .with_null_value("".into())
            .with_datetime_format(Some(INSTANT.into()))
            .batched(&schema)?;
        Ok(Self { writer })
    }

    pub(super) fn write(&mut self, frame: &DataFrame) -> Result<(), Error> {
        let mut frame = aligned(frame.clone());
        // Instants are written in UTC whatever their zone, so that the `Z` is true.
        for (name, dtype) in frame.schema().clone().iter() {
            let utc = in_utc(dtype);
            if utc != *dtype {
                let column = frame.column(name)?.cast(&utc)?;
                frame.with_column(column)?;
            }
            check_years(frame.column(name)?)?;
        }
        Ok(self.writer.write_batch(&frame)?)
    }

    /// Writes the header if no row did.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        Ok(self.writer.finish()?)
    }
}

/// The years that can be written: those of the calendar library that Polars formats instants with.
const YEARS: [&str; 2] = ["-262143-01-01T00:00:00Z", "+262142-12-31T23:59:59Z"];
/// The first and the last second of these years, since 1970.
const SECONDS: [i64; 2] = [-8_334_601_228_800, 8_210_266_876_799];

/// Refuses instants that have no text.
fn check_years(column: &Column) -> Result<(), Error> {
    let DataType::Datetime(unit, _) = column.dtype() else { return Ok(()) };
    let per_second = match unit {
        TimeUnit::Milliseconds => 1_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Nanoseconds => 1_000_000_000,
    };
    let values = column.datetime()?.physical();
    let ends = [values.min(), values.max()].into_iter().flatten().map(|value| value.div_euclid(per_second));
    match ends.into_iter().find(|second| !(SECONDS[0]..=SECONDS[1]).contains(second)) {
        None => Ok(()),
        Some(second) => Err(Error::new(
            ErrorKind::Value,
            format!(
                "column {} holds a time {second} seconds from 1970, and text holds those from {} to {}",
                column.name(),
                YEARS[0],
                YEARS[1]
            ),
        )
        .with_help("leave such rows out by the query, or choose parquet, ipc or ndjson")),
    }
}

fn in_utc(dtype: &DataType) -> DataType {
    match dtype {
        DataType::Datetime(unit, _) => DataType::Datetime(*unit, Some(TimeZone::UTC)),
        other => other.clone(),
    }
}

/// A CSV file.
pub(super) struct CsvFile {
    file: OutputFile,
    csv: Csv<SharedFile>,
    rows: u64,
}

impl CsvFile {
    pub(super) fn create(
        file: &NewFile<'_>,
        schema: &Schema,
        separator: u8,
        compression: Compression,
    ) -> Result<Self, Error> {
        let file = OutputFile::open_compressed(file, compression)?;
        let csv = Csv::new(file.writer(), schema, separator)?;
        Ok(Self { file, csv, rows: 0 })
    }
}

impl FileWriter for CsvFile {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        self.rows += frame.height() as u64;
        self.csv.write(frame).map_err(|error| self.file.failure(error))
    }

    fn finish(self: Box<Self>) -> Result<ManifestFile, Error> {
        let Self { file, csv, rows } = *self;
        csv.finish().map_err(|error| file.failure(error))?;
        file.finish(rows)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{IntoColumn as _, NamedFrom as _, Series};

    use super::*;

    fn written(seconds: i64) -> Result<String, Error> {
        let times = Series::new("t".into(), [Some(seconds * 1_000), None, Some(0)]);
        let times = times.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap();
        let frame = DataFrame::new(3, vec![times.into_column()]).unwrap();
        let mut text = Vec::new();
        let mut csv = Csv::new(&mut text, frame.schema(), b',')?;
        csv.write(&frame)?;
        csv.finish()?;
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_first_and_the_last_time_that_text_holds_are_written_and_those_beyond_refused() {
        for (second, year) in SECONDS.into_iter().zip(YEARS) {
            assert!(written(second).unwrap().contains(year), "{year}");
        }
        for second in [SECONDS[0] - 1, SECONDS[1] + 1, i64::MAX / 1_000] {
            let error = written(second).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Value);
            assert!(error.to_string().starts_with(&format!("column t holds a time {second} seconds")), "{error}");
        }
    }
}
