//! Arrow IPC streams, a record batch at a time.

use std::io::BufReader;

use arrow_ipc::reader::StreamReader;
use polars::prelude::{DataFrame, SchemaRef};

use super::bridge::{Bridge, Parts, polars_schema};
use super::byte_source::ByteSource;
use super::input::Input;
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::records::PATIENCE;
use super::table_format::TableFormat;

pub(crate) struct Reader {
    source: ByteSource,
    batches: StreamReader<BufReader<Input>>,
    schema: SchemaRef,
    next: u64,
    /// The rest of the batch that was read last.
    parts: Parts,
    bridge: Bridge,
}

impl Reader {
    pub(crate) fn open(mut source: ByteSource, options: &ReadOptions) -> Result<Self, ReadError> {
        let batches = StreamReader::try_new_buffered(source.open_at(0)?, None)?;
        let schema = polars_schema(&batches.schema())?;
        Ok(Self { source, batches, schema, next: 0, parts: Parts::new(options), bridge: Bridge::default() })
    }

    /// Waits for a pipe after its first batch, and returns true if nothing came.
    fn is_silent(&mut self) -> bool {
        if self.next == 0 || !self.parts.is_empty() {
            return false;
        }
        let bytes = self.batches.get_mut();
        bytes.buffer().is_empty() && !bytes.get_mut().wait(Some(PATIENCE))
    }
}

impl TableFormat for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn place(&self) -> FilePlace {
        FilePlace { rows: self.next, bytes: None }
    }

    fn seek(&mut self, place: FilePlace) -> Result<(), ReadError> {
        if self.source.can_return() {
            self.batches = StreamReader::try_new_buffered(self.source.open_at(0)?, None)?;
            self.next = 0;
            self.parts.clear();
        }
        if place.rows < self.next {
            return Err(ReadError::Position("the input cannot be read again".into()));
        }
        while self.next < place.rows {
            self.parts.fill(&mut self.batches)?;
            let passed = self.parts.take(usize::try_from(place.rows - self.next).unwrap_or(usize::MAX));
            let Some(passed) = passed else {
                return Err(ReadError::Position(format!("it has {} rows, not {}", self.next, place.rows)));
            };
            self.next += passed.num_rows() as u64;
        }
        Ok(())
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, ReadError> {
        let place = self.place();
        if self.is_silent() {
            return Ok(Some(Piece { frame: DataFrame::empty_with_schema(&self.schema), place, refused: Vec::new() }));
        }
        self.parts.fill(&mut self.batches)?;
        let Some(batch) = self.parts.next() else { return Ok(None) };
        self.next += batch.num_rows() as u64;
        Ok(Some(Piece { frame: self.bridge.frame(&batch)?, place, refused: Vec::new() }))
    }
}
