//! Arrow IPC streams, a record batch at a time.

use std::io::{self, BufReader, Cursor, Read};

use arrow_ipc::reader::StreamReader;
use polars::prelude::{DataFrame, SchemaRef};

use super::bridge::{Bridge, Parts, polars_schema};
use super::byte_source::ByteSource;
use super::input::Input;
use super::ipc_schema::{self, LONGEST_SCHEMA};
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::records::PATIENCE;
use super::storage::{RefusedColumn, Storage};
use super::table_format::TableFormat;

pub(crate) struct Reader {
    source: ByteSource,
    batches: StreamReader<Checked>,
    storage: Storage,
    schema: SchemaRef,
    next: u64,
    /// The rest of the batch that was read last.
    parts: Parts,
    bridge: Bridge,
}

impl Reader {
    pub(crate) fn open(mut source: ByteSource, options: &ReadOptions) -> Result<Self, ReadError> {
        let batches = StreamReader::try_new(Checked::begin(source.open_at(0)?)?, None)?;
        let storage = Storage::of(&batches.schema());
        let schema = polars_schema(storage.schema())?;
        Ok(Self { source, batches, storage, schema, next: 0, parts: Parts::new(options), bridge: Bridge::default() })
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        let storage = &self.storage;
        self.parts.fill(&mut self.batches.by_ref().map(|batch| storage.of_whole(&batch?)))
    }

    /// Waits for a pipe after its first batch, and returns true if nothing came.
    fn is_silent(&mut self) -> bool {
        if self.next == 0 || !self.parts.is_empty() {
            return false;
        }
        let bytes = &mut self.batches.get_mut().rest;
        bytes.buffer().is_empty() && !bytes.get_mut().wait(Some(PATIENCE))
    }
}

impl TableFormat for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn refused(&self) -> &[RefusedColumn] {
        self.storage.refused()
    }

    fn place(&self) -> FilePlace {
        FilePlace { rows: self.next, bytes: None }
    }

    fn seek(&mut self, place: FilePlace) -> Result<(), ReadError> {
        if self.source.can_return() {
            self.batches = StreamReader::try_new(Checked::begin(self.source.open_at(0)?)?, None)?;
            self.next = 0;
            self.parts.clear();
        }
        if place.rows < self.next {
            return Err(ReadError::Position("the input cannot be read again".into()));
        }
        while self.next < place.rows {
            self.fill()?;
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
        self.fill()?;
        let Some(batch) = self.parts.next() else { return Ok(None) };
        self.next += batch.num_rows() as u64;
        Ok(Some(Piece { frame: self.bridge.frame(&batch)?, place, refused: Vec::new() }))
    }
}

/// A stream whose first message, the schema, was looked at.
struct Checked {
    schema: Cursor<Vec<u8>>,
    rest: BufReader<Input>,
}

impl Checked {
    fn begin(input: Input) -> Result<Self, ReadError> {
        let mut rest = BufReader::new(input);
        let mut start = Vec::new();
        let mut take = |start: &mut Vec<u8>, bytes: usize| -> io::Result<()> {
            rest.by_ref().take(bytes as u64).read_to_end(start).map(drop)
        };
        take(&mut start, 4)?;
        let mut length = start.clone();
        if start == [0xff; 4] {
            take(&mut start, 4)?;
            length = start[4..].to_vec();
        }
        let length = length.try_into().map(u32::from_le_bytes).unwrap_or(0) as usize;
        let begin = start.len();
        if length <= LONGEST_SCHEMA {
            take(&mut start, length)?;
        }
        if let Some(schema) = ipc_schema::message(&start[begin..]).and_then(|message| message.header_as_schema()) {
            ipc_schema::check(&schema)?;
        }
        Ok(Self { schema: Cursor::new(start), rest })
    }
}

impl Read for Checked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.schema.read(into)? {
            0 => self.rest.read(into),
            read => Ok(read),
        }
    }
}
