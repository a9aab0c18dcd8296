//! Files as the input of a load, from a place on: read in a thread of its own, made into
//! batches, and handed over one at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use es_bulk::files::{FilePlace, FileReader, Piece, RawLines, RawPiece, RefusedLine};
use es_bulk::{Batch, BatchBuilder, Checkpoint, RefusedRow};
use es_frame::{DocumentWriter, WriterOptions};
use futures::Stream;
use polars::prelude::DataFrame;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::Error;

/// Where batches go.
pub struct Outlet {
    sender: mpsc::Sender<Result<Batch, Error>>,
}

impl Outlet {
    /// Hands over a batch, once there is room for it; false when nothing more is wanted. Blocks.
    pub fn take(&self, batch: Batch) -> bool {
        self.sender.blocking_send(Ok(batch)).is_ok()
    }

    /// Hands over the batch whose documents have waited long enough, if it is so; false when
    /// nothing more is wanted. Blocks.
    pub fn take_old(&self, builder: &mut BatchBuilder) -> bool {
        match builder.finish_old() {
            Some(old) => self.take(old),
            None => !self.sender.is_closed(),
        }
    }
}

/// Reads in a thread of its own. One batch waits while others are sent, so that reading never
/// falls behind and memory stays bounded.
pub fn in_background(
    read: impl FnOnce(&Outlet) -> Result<(), Error> + Send + 'static,
) -> (impl Stream<Item = Result<Batch, Error>> + Send, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(1);
    let reader = tokio::task::spawn_blocking(move || {
        let outlet = Outlet { sender };
        if let Err(failure) = read(&outlet) {
            // When nobody listens any more, the load has failed for another reason.
            let _ = outlet.sender.blocking_send(Err(failure));
        }
    });
    let batches = futures::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|batch| (batch, receiver))
    });
    (batches, reader)
}

/// Waits for the thread that reads, after the load has ended.
///
/// # Errors
/// When it ended in a defect of this program.
pub async fn ended(reader: JoinHandle<()>, what: &str) -> Result<(), Error> {
    reader.await.map_err(|error| Error::failed(format!("reading the files of {what} failed: {error}")))
}

/// The files that an earlier process has not read to their end, with the place to go on from
/// in the first of them.
pub fn remaining<'a>(
    paths: &'a [PathBuf],
    from: Option<&Checkpoint>,
) -> impl Iterator<Item = (&'a PathBuf, Option<Checkpoint>)> {
    let first = from.and_then(|from| paths.iter().position(|path| label(path) == from.file)).unwrap_or(0);
    let from = from.cloned();
    paths.iter().enumerate().skip(first).map(move |(number, path)| (path, from.clone().filter(|_| number == first)))
}

/// What a file is called in checkpoints, dead letters and messages.
pub fn label(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}

/// An input that is read piece by piece.
pub trait Pieces {
    /// Some rows, or some lines.
    type Piece;

    /// Goes on from a place that a piece began at.
    ///
    /// # Errors
    /// When there is no such place, or the input cannot be read.
    fn seek(&mut self, place: FilePlace) -> Result<(), es_bulk::Error>;

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When the input cannot be read or is damaged.
    fn next_piece(&mut self) -> Result<Option<Self::Piece>, es_bulk::Error>;
}

impl Pieces for FileReader {
    type Piece = Piece;

    fn seek(&mut self, place: FilePlace) -> Result<(), es_bulk::Error> {
        FileReader::seek(self, place)
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, es_bulk::Error> {
        FileReader::next_piece(self)
    }
}

impl Pieces for RawLines {
    type Piece = RawPiece;

    fn seek(&mut self, place: FilePlace) -> Result<(), es_bulk::Error> {
        RawLines::seek(self, place)
    }

    fn next_piece(&mut self) -> Result<Option<RawPiece>, es_bulk::Error> {
        RawLines::next_piece(self)
    }
}

/// Reads files piece by piece, from a place on, until `visit` says that it is enough. It is told
/// the file's label and the number of its last row that is settled. False when it was enough.
///
/// # Errors
/// When a file cannot be read or is damaged; what `visit` fails with, with the file's name.
pub fn each_piece<R: Pieces>(
    paths: &[PathBuf],
    from: Option<&Checkpoint>,
    open: impl Fn(&Path) -> Result<R, es_bulk::Error>,
    mut visit: impl FnMut(&Arc<str>, u64, R::Piece) -> Result<bool, Error>,
) -> Result<bool, Error> {
    for (path, from) in remaining(paths, from) {
        let mut reader = open(path)?;
        let (label, settled) = (label(path), from.as_ref().map_or(0, |from| from.row));
        if let Some(from) = &from {
            reader.seek(from.place)?;
        }
        if !rest(&mut reader, None, |piece| visit(&label, settled, piece).map_err(|failure| failure.within(&label)))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads what is left of an input, after a piece that was taken of it already, until `visit` says
/// that it is enough. False when it was enough.
///
/// # Errors
/// When the input cannot be read or is damaged; what `visit` fails with.
pub fn rest<R: Pieces>(
    reader: &mut R,
    first: Option<R::Piece>,
    mut visit: impl FnMut(R::Piece) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let mut next = match first {
        Some(first) => Some(first),
        None => reader.next_piece()?,
    };
    while let Some(piece) = next {
        if !visit(piece)? {
            return Ok(false);
        }
        next = reader.next_piece()?;
    }
    Ok(true)
}

/// Where rows come from.
pub struct Rows<'a> {
    /// The file's label.
    pub file: &'a Arc<str>,
    /// Where their piece begins.
    pub place: FilePlace,
    /// The number within the file of each row.
    pub numbers: &'a [u64],
    /// Rows up to this number are settled, and left out.
    pub settled: u64,
    /// Lines between them that are no rows.
    pub refused: &'a [RefusedLine],
}

/// Encodes the rows of a frame and hands over the batches that become full or old. False when
/// nothing more is wanted.
///
/// # Errors
/// When a row cannot become a document, with its number.
pub fn push_rows(
    builder: &mut BatchBuilder,
    frame: &DataFrame,
    options: &WriterOptions,
    rows: &Rows<'_>,
    outlet: &Outlet,
) -> Result<bool, Error> {
    if rows.numbers.is_empty() && rows.refused.is_empty() {
        return Ok(outlet.take_old(builder));
    }
    let writer = DocumentWriter::with_options(frame, options)?;
    builder.source(rows.file.clone(), rows.place);
    refuse(builder, rows.settled, rows.refused);
    for (row, number) in rows.numbers.iter().enumerate().filter(|(_, number)| **number > rows.settled) {
        let full = builder.push_numbered_row(&writer, row, *number).map_err(|error| in_row(error, *number))?;
        if let Some(batch) = full
            && !outlet.take(batch)
        {
            return Ok(false);
        }
    }
    Ok(outlet.take_old(builder))
}

/// Puts lines that are no rows on the books, before the rows around them.
pub fn refuse(builder: &mut BatchBuilder, settled: u64, refused: &[RefusedLine]) {
    for RefusedLine { row, text, reason, .. } in refused.iter().filter(|line| line.row > settled) {
        builder.refuse(RefusedRow { row: *row, text: text.clone(), reason: reason.clone() });
    }
}

/// The error of a row, which is counted from 1.
pub fn in_row(error: es_bulk::Error, number: u64) -> Error {
    Error::from(error).within(&format!("row {number}"))
}
