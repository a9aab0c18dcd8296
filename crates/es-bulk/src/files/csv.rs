//! CSV files in pieces. The types of the columns are those of the first piece; a later value
//! that does not fit is an error, never a null.

use std::fs::File;
use std::io::Cursor;

use polars::io::prelude::{CsvReadOptions, SerReader as _};
use polars::prelude::{DataFrame, PolarsError, PolarsResult, SchemaRef};

use super::delimited::{Pieces, Quoting};

pub(crate) struct Reader {
    pieces: Pieces,
    schema: SchemaRef,
    first: Option<DataFrame>,
}

impl Reader {
    pub(crate) fn open(file: File) -> PolarsResult<Self> {
        let mut pieces = Pieces::new(file, Quoting::DoubleQuotes);
        let Some(first) = pieces.next()? else {
            return Err(PolarsError::NoData("the file has no header line".into()));
        };
        let first =
            options(true).with_infer_schema_length(None).into_reader_with_file_handle(Cursor::new(first)).finish()?;
        Ok(Self { pieces, schema: first.schema().clone(), first: Some(first) })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn next_frame(&mut self) -> PolarsResult<Option<DataFrame>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some(piece) = self.pieces.next()? else { return Ok(None) };
        let reader =
            options(false).with_schema(Some(self.schema.clone())).into_reader_with_file_handle(Cursor::new(piece));
        reader.finish().map(Some)
    }
}

fn options(header: bool) -> CsvReadOptions {
    CsvReadOptions::default().with_has_header(header).with_ignore_errors(false)
}
