//! Files as the input of a load, from a place on: read in a thread of its own, made into
//! batches, and handed over one at a time.

use std::path::PathBuf;
use std::sync::Arc;

use es_bulk::files::{FilePlace, FileReader, Piece, RawLines, RawOptions, RawPiece, ReadOptions, RefusedLine};
use es_bulk::{Batch, BatchBuilder, Checkpoint, RefusedRow};
use es_frame::{DocumentWriter, WriterOptions};
use futures::Stream;
use polars::prelude::DataFrame;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::failure::{Exit, Failure};

/// Takes a batch; false when nothing more is wanted.
pub type Take<'a> = dyn FnMut(Batch) -> bool + 'a;

/// Reads in a thread of its own. One batch waits while others are sent, so that reading never
/// falls behind and memory stays bounded.
pub fn in_background(
    read: impl FnOnce(&mut Take<'_>) -> Result<(), Failure> + Send + 'static,
) -> (impl Stream<Item = Result<Batch, Failure>> + Send, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(1);
    let reader = tokio::task::spawn_blocking(move || {
        let outcome = read(&mut |batch| sender.blocking_send(Ok(batch)).is_ok());
        if let Err(failure) = outcome {
            // When nobody listens any more, the load has failed for another reason.
            let _ = sender.blocking_send(Err(failure));
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
pub async fn ended(reader: JoinHandle<()>, what: &str) -> Result<(), Failure> {
    reader.await.map_err(|error| Failure::new(Exit::Failed, format!("reading the files of {what} failed: {error}")))
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
pub fn label(path: &std::path::Path) -> Arc<str> {
    path.to_string_lossy().into()
}

/// Reads files piece by piece, from a place on, until `visit` says that it is enough. It is told
/// the file's label and the number of its last row that is settled. False when it was enough.
///
/// # Errors
/// When a file cannot be read or is damaged; what `visit` fails with, with the file's name.
pub fn each_piece(
    paths: &[PathBuf],
    read: &ReadOptions,
    from: Option<&Checkpoint>,
    mut visit: impl FnMut(&Arc<str>, u64, Piece) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    for (path, from) in remaining(paths, from) {
        let mut reader = FileReader::open(path, read)?;
        let (label, settled) = (label(path), from.as_ref().map_or(0, |from| from.row));
        if let Some(from) = &from {
            reader.seek(from.place)?;
        }
        while let Some(piece) = reader.next_piece()? {
            if !visit(&label, settled, piece).map_err(|failure| failure.within(&label))? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// As [`each_piece`], of NDJSON as it is.
///
/// # Errors
/// As [`each_piece`].
pub fn each_raw_piece(
    paths: &[PathBuf],
    raw: &RawOptions,
    from: Option<&Checkpoint>,
    mut visit: impl FnMut(&Arc<str>, u64, RawPiece) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    for (path, from) in remaining(paths, from) {
        let mut lines = RawLines::open(path, raw)?;
        let (label, settled) = (label(path), from.as_ref().map_or(0, |from| from.row));
        if let Some(from) = &from {
            lines.seek(from.place)?;
        }
        while let Some(piece) = lines.next_piece()? {
            if !visit(&label, settled, piece).map_err(|failure| failure.within(&label))? {
                return Ok(false);
            }
        }
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

/// Encodes the rows of a frame and hands over the batches that become full. False when nothing
/// more is wanted.
///
/// # Errors
/// When a row cannot become a document, with its number.
pub fn push_rows(
    builder: &mut BatchBuilder,
    frame: &DataFrame,
    options: &WriterOptions,
    rows: &Rows<'_>,
    take: &mut Take<'_>,
) -> Result<bool, Failure> {
    let writer = DocumentWriter::with_options(frame, options)?;
    builder.source(rows.file.clone(), rows.place);
    refuse(builder, rows.settled, rows.refused);
    for (row, number) in rows.numbers.iter().enumerate().filter(|(_, number)| **number > rows.settled) {
        let full = builder.push_numbered_row(&writer, row, *number).map_err(|error| in_row(error, *number))?;
        if let Some(batch) = full
            && !take(batch)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Puts lines that are no rows on the books, before the rows around them.
pub fn refuse(builder: &mut BatchBuilder, settled: u64, refused: &[RefusedLine]) {
    for RefusedLine { row, text, reason, .. } in refused.iter().filter(|line| line.row > settled) {
        builder.refuse(RefusedRow { row: *row, text: text.clone(), reason: reason.clone() });
    }
}

/// The error of a row, which is counted from 1.
pub fn in_row(error: es_bulk::Error, number: u64) -> Failure {
    Failure::from(error).within(&format!("row {number}"))
}
