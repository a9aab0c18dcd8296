//! Arrow IPC files, a record batch at a time.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};

use arrow_ipc::reader::{FileReader, read_footer_length};
use arrow_ipc::{Block, root_as_footer};
use polars::prelude::SchemaRef;

use super::bridge::{Bridge, Parts, polars_schema};
use super::ipc_schema::{self, LONGEST_SCHEMA};
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::storage::{RefusedColumn, Storage};
use super::table_format::TableFormat;

/// The bytes at the end of a file: the length of the footer, and the mark of the format.
const END: usize = 10;

pub(crate) struct Reader {
    batches: FileReader<BufReader<File>>,
    storage: Storage,
    schema: SchemaRef,
    /// The number of rows of each record batch.
    sizes: Vec<u64>,
    rows: u64,
    next: u64,
    /// The rest of the batch that was read last.
    parts: Parts,
    bridge: Bridge,
}

impl Reader {
    pub(crate) fn open(file: File, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut file = BufReader::new(file);
        let sizes = sizes(&mut file)?;
        let batches = FileReader::try_new(file, None)?;
        let storage = Storage::of(&batches.schema());
        let schema = polars_schema(storage.schema())?;
        Ok(Self {
            batches,
            storage,
            schema,
            rows: sizes.iter().sum(),
            sizes,
            next: 0,
            parts: Parts::new(options),
            bridge: Bridge::default(),
        })
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        let storage = &self.storage;
        self.parts.fill(&mut self.batches.by_ref().map(|batch| storage.of_whole(&batch?)))
    }
}

impl TableFormat for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn refused(&self) -> &[RefusedColumn] {
        self.storage.refused()
    }

    fn rows(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn place(&self) -> FilePlace {
        FilePlace { rows: self.next, bytes: None }
    }

    fn seek(&mut self, place: FilePlace) -> Result<(), ReadError> {
        if place.rows > self.rows {
            return Err(ReadError::Position(format!("it has {} rows, not {}", self.rows, place.rows)));
        }
        let (mut batch, mut inside) = (0, place.rows);
        while let Some(rows) = self.sizes.get(batch).filter(|rows| **rows <= inside) {
            inside -= rows;
            batch += 1;
        }
        self.parts.clear();
        self.next = place.rows;
        if batch == self.sizes.len() {
            // Nothing is behind the last row.
            return Ok(());
        }
        self.batches.set_index(batch)?;
        if inside > 0 {
            self.fill()?;
            self.parts.take(usize::try_from(inside).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, ReadError> {
        if self.next >= self.rows {
            return Ok(None);
        }
        self.fill()?;
        let Some(batch) = self.parts.next() else {
            return Err(ReadError::content(format!("it has fewer rows than the {} of its batches", self.rows)));
        };
        let place = self.place();
        self.next += batch.num_rows() as u64;
        Ok(Some(Piece { frame: self.bridge.frame(&batch)?, place, refused: Vec::new() }))
    }
}

/// The number of rows of each record batch, from their headers.
fn sizes(file: &mut BufReader<File>) -> Result<Vec<u64>, ReadError> {
    let bytes = file.seek(SeekFrom::End(0))?;
    let too_short = || ReadError::content("it is too short");
    let mut end = [0; END];
    file.seek(SeekFrom::Start(bytes.checked_sub(END as u64).ok_or_else(too_short)?))?;
    file.read_exact(&mut end)?;
    let length = read_footer_length(end)?;
    let from = bytes.checked_sub((length + END) as u64).ok_or_else(too_short)?;
    file.seek(SeekFrom::Start(from))?;
    let footer = read(file, length)?;
    let footer =
        root_as_footer(&footer).map_err(|error| ReadError::content(format!("its footer is broken: {error}")))?;
    if let Some(schema) = footer.schema() {
        ipc_schema::check(&schema)?;
    }
    let blocks: Vec<Block> = footer.recordBatches().into_iter().flatten().copied().collect();
    let mut sizes = Vec::with_capacity(blocks.len());
    for block in blocks {
        let broken = || ReadError::content("a record batch has no header");
        file.seek(SeekFrom::Start(u64::try_from(block.offset()).map_err(|_| broken())?))?;
        let header = read(file, usize::try_from(block.metaDataLength()).map_err(|_| broken())?)?;
        // Its length, behind a mark in newer files.
        let start = if header.starts_with(&[0xff; 4]) { 8 } else { 4 };
        let message = header.get(start..).and_then(ipc_schema::message);
        let batch = message.and_then(|message| message.header_as_record_batch()).ok_or_else(broken)?;
        sizes.push(u64::try_from(batch.length()).map_err(|_| broken())?);
    }
    file.rewind()?;
    Ok(sizes)
}

fn read(file: &mut BufReader<File>, length: usize) -> Result<Vec<u8>, ReadError> {
    if length > LONGEST_SCHEMA {
        return Err(ReadError::content(format!("a part of its metadata has {length} bytes")));
    }
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
