//! Reading files once to find out what they hold: how many rows of each part, their content, and
//! where they are.

use std::collections::BTreeMap;

use es_frame::ContentHash;
use tokio_util::sync::CancellationToken;

use super::block::{Block, Reader};
use super::division::PartOfRow;
use super::document_reader::DocumentReader;
use super::encoder::Encoder;
use super::encoder::within;
use super::place::FilePlace;
use crate::batch::{BatchBuilder, BatchLimits};
use crate::error::{Error, ErrorKind};

/// The depth of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanMode {
    /// Rows are counted.
    Rows,
    /// Documents are made of the rows, as a load would, and hashed.
    Content,
}

/// The contents of files, part by part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileScan {
    /// Every part, in the order of the division; one for files that are not divided.
    pub parts: Vec<PartScan>,
    /// The number of rows whose time is in no part.
    pub outside: u64,
    /// The number of rows without a time.
    pub without_time: u64,
}

/// The contents of one part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartScan {
    /// The number of rows.
    pub rows: u64,
    /// The content of the documents, with [`ScanMode::Content`].
    pub content: Option<ContentHash>,
    /// The places of the rows; `None` where the rows were counted without reading the files.
    pub spans: Option<Spans>,
}

/// The places of the rows of a part: for each file, by its number, the range that holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(BTreeMap<usize, Span>);

/// A range of rows of a file, some of which belong to a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// A place at or before the first of them.
    pub(crate) from: FilePlace,
    /// The number of the last of them, from 1.
    pub(crate) last: u64,
}

impl Spans {
    /// The number of rows, other rows among them included, that are read for the part.
    pub fn rows(&self) -> u64 {
        self.0.values().map(|span| span.last - span.from.rows.min(span.last)).sum()
    }

    pub(crate) fn of_file(&self, number: usize) -> Option<Span> {
        self.0.get(&number).copied()
    }

    fn extend(&mut self, file: usize, from: FilePlace, last: u64) {
        self.0.entry(file).or_insert(Span { from, last }).last = last;
    }
}

impl DocumentReader {
    /// Reads all files once, or none where their formats have the number of rows and no more is asked
    /// for. `None` when it was cancelled. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] and [`ErrorKind::File`] when a file cannot be read, [`ErrorKind::Row`] when a
    /// row cannot become a document, when a time cannot be read, and for a line that is not a document
    /// where rows are divided, as it belongs to no part that it could be rejected from.
    pub fn scan(&self, mode: ScanMode, cancel: &CancellationToken) -> Result<Option<FileScan>, Error> {
        if self.source.paths().is_empty() {
            return Err(Error::new(ErrorKind::Input, "standard input cannot be scanned, as it is read once")
                .with_help("write it to a file, and scan that"));
        }
        if let (ScanMode::Rows, None, Some(rows)) = (mode, &self.division, self.source.rows()) {
            let part = PartScan { rows, ..PartScan::default() };
            return Ok(Some(FileScan { parts: vec![part], ..FileScan::default() }));
        }
        let parts = self.division.as_ref().map_or(1, |division| division.len());
        let mut scan = FileScan { parts: vec![PartScan::default(); parts], ..FileScan::default() };
        // A batch of each document, as the hash is that of the lines of a request.
        let limits = BatchLimits { bytes: 1, documents: 1, ..BatchLimits::default() };
        let mut builder = BatchBuilder::new(limits);
        let options = match mode {
            ScanMode::Rows => self.count_options(),
            ScanMode::Content => self.load_options(),
        };
        for (number, path) in self.source.paths().iter().enumerate() {
            let mut reader = Reader::open(path, &options)?;
            while let Some(block) = reader.next_block()? {
                if cancel.is_cancelled() {
                    return Ok(None);
                }
                let named = |error: Error| within(error, &path.to_string_lossy());
                let parts = self.parts_of(&block).map_err(named)?;
                let part_of = |row: usize| parts.as_ref().map_or(PartOfRow::In(0), |parts| parts[row]);
                count(&mut scan, number, &block, part_of);
                if mode == ScanMode::Content {
                    self.hash(&mut scan, &mut builder, &block, part_of).map_err(named)?;
                }
            }
        }
        Ok(Some(scan))
    }

    fn hash(
        &self,
        scan: &mut FileScan,
        builder: &mut BatchBuilder,
        block: &Block,
        part_of: impl Fn(usize) -> PartOfRow,
    ) -> Result<(), Error> {
        let rows = 0..block.len();
        if !rows.clone().any(|row| matches!(part_of(row), PartOfRow::In(_))) {
            return Ok(());
        }
        let frame = self.selected(block)?;
        let encoder = Encoder::new(block, frame.as_ref(), &self.options.writer)?;
        for row in rows {
            if let PartOfRow::In(part) = part_of(row)
                && let Some(document) = encoder.push(row, builder)?
            {
                scan.parts[part].content.get_or_insert_default().merge(document.content());
            }
        }
        Ok(())
    }
}

/// Counts the rows of a block and notes their places.
fn count(scan: &mut FileScan, file: usize, block: &Block, part_of: impl Fn(usize) -> PartOfRow) {
    let mut add = |row: usize, from: FilePlace, number: u64| match part_of(row) {
        PartOfRow::In(part) => {
            let part = &mut scan.parts[part];
            part.rows += 1;
            part.spans.get_or_insert_default().extend(file, from, number);
        }
        PartOfRow::Outside => scan.outside += 1,
        PartOfRow::WithoutTime => scan.without_time += 1,
    };
    match block {
        Block::Rows(piece) => {
            for row in 0..piece.frame.height() {
                let number = piece.number(row);
                // Text can only be entered where a piece begins, other formats at any row.
                let from = match piece.place.bytes {
                    Some(_) => piece.place,
                    None => FilePlace { rows: number - 1, bytes: None },
                };
                add(row, from, number);
            }
        }
        Block::Lines(piece) => {
            for (row, line) in piece.lines().enumerate() {
                add(row, line.place, line.row);
            }
        }
    }
}
