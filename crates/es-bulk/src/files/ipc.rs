//! Arrow IPC files, a record batch at a time.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use polars::prelude::{DataFrame, PolarsResult, Schema, SchemaExt as _, SchemaRef};
use polars_arrow::io::ipc::read::{FileReader, read_file_metadata};

pub(crate) struct Reader {
    batches: Box<FileReader<BufReader<File>>>,
    schema: SchemaRef,
    /// What was not handed out yet of the batch that was read last.
    rest: Option<DataFrame>,
}

impl Reader {
    pub(crate) fn open(file: File) -> PolarsResult<Self> {
        let mut file = BufReader::new(file);
        let metadata = read_file_metadata(&mut file)?;
        let schema = Arc::new(Schema::from_arrow_schema(metadata.schema.as_ref()));
        Ok(Self { batches: Box::new(FileReader::new(file, metadata, None, None)), schema, rest: None })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn next_frame(&mut self, rows: usize) -> PolarsResult<Option<DataFrame>> {
        let frame = loop {
            let next = match self.rest.take() {
                Some(rest) => Some(rest),
                None => self.batches.next().transpose()?.map(DataFrame::from),
            };
            match next {
                None => return Ok(None),
                Some(empty) if empty.height() == 0 => {}
                Some(frame) => break frame,
            }
        };
        let rows = rows.max(1);
        if frame.height() <= rows {
            return Ok(Some(frame));
        }
        let (now, rest) = frame.split_at(rows as i64);
        self.rest = Some(rest);
        Ok(Some(now))
    }
}
