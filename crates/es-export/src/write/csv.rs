//! CSV, as [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180) has it.

use std::io::Write;
use std::path::Path;

use polars::io::csv::write::{BatchedWriter, CsvWriter, QuoteStyle};
use polars::io::prelude::SerWriter as _;
use polars::prelude::{DataFrame, DataType, Schema, TimeZone};

use super::FileWriter;
use super::ManifestFile;
use super::file::{OutputFile, SharedFile};
use super::gather::aligned;
use crate::error::Error;

/// With as many digits of the second's fraction as there are.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

/// CSV to anything.
pub(super) struct Csv<W: Write> {
    writer: BatchedWriter<W>,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(writer: W, schema: &Schema) -> Result<Self, Error> {
        let schema: Schema = schema.iter().map(|(name, dtype)| (name.clone(), in_utc(dtype))).collect();
        let writer = CsvWriter::new(writer)
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
        }
        Ok(self.writer.write_batch(&frame)?)
    }

    /// Writes the header if no row did.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        Ok(self.writer.finish()?)
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
    pub(super) fn create(folder: &Path, name: &str, schema: &Schema) -> Result<Self, Error> {
        let file = OutputFile::create(folder, name)?;
        let csv = Csv::new(file.writer(), schema)?;
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
