//! Rows and lines on their way into batches.

use std::sync::Arc;

use es_frame::{DocumentWriter, Operation, WriterOptions};
use polars::prelude::DataFrame;

use super::block::Block;
use super::piece::Piece;
use super::raw_lines::{RawLine, RawPiece};
use super::refused::RefusedLine;
use crate::batch::{Action, Batch, BatchBuilder, RefusedRow};
use crate::error::Error;

/// Makes documents of the rows of one block.
pub(crate) enum Encoder<'a> {
    Rows { writer: Box<DocumentWriter<'a>>, piece: &'a Piece },
    Lines { piece: &'a RawPiece, operation: Operation },
}

impl<'a> Encoder<'a> {
    /// An encoder of a block; `frame` has the columns of a table that become fields.
    pub(crate) fn new(block: &'a Block, frame: Option<&'a DataFrame>, options: &WriterOptions) -> Result<Self, Error> {
        Ok(match block {
            Block::Rows(piece) => {
                let writer = DocumentWriter::with_options(frame.unwrap_or(&piece.frame), options)?;
                Self::Rows { writer: Box::new(writer), piece }
            }
            Block::Lines(piece) => Self::Lines { piece, operation: options.operation },
        })
    }

    /// The number of a row in its file, from 1.
    pub(crate) fn number(&self, row: usize) -> u64 {
        match self {
            Self::Rows { piece, .. } => piece.number(row),
            Self::Lines { piece, .. } => piece.line(row).row,
        }
    }

    /// Puts a row into a batch, and returns the batch if it became full.
    pub(crate) fn push(&self, row: usize, builder: &mut BatchBuilder) -> Result<Option<Batch>, Error> {
        let pushed = match self {
            Self::Rows { writer, piece } => builder.push_numbered_row(writer, row, piece.number(row)),
            Self::Lines { piece, operation } => push_line(builder, piece.line(row), *operation),
        };
        pushed.map_err(|error| within(error, &format!("row {}", self.number(row))))
    }
}

fn push_line(builder: &mut BatchBuilder, line: RawLine<'_>, operation: Operation) -> Result<Option<Batch>, Error> {
    let operation = line.operation.unwrap_or(operation);
    let action = Action { operation, id: line.id, routing: line.routing, version: line.version, ..Action::default() };
    builder.at_row(line.row);
    builder.push_json(&action, line.source)
}

/// Puts lines that are not documents into a batch, before the rows around them. Lines up to `settled`
/// are left out.
pub(crate) fn refuse(builder: &mut BatchBuilder, settled: u64, refused: &[RefusedLine]) {
    for RefusedLine { row, text, reason, .. } in refused.iter().filter(|line| line.row > settled) {
        builder.refuse(RefusedRow { row: *row, text: text.clone(), reason: reason.clone() });
    }
}

/// Pieces of files, with the numbers of their rows and the lines that are not documents.
impl BatchBuilder {
    /// Adds all rows of a piece of a file, with their numbers, and returns the batches that became full.
    ///
    /// # Errors
    /// [`ErrorKind::Row`](crate::ErrorKind::Row) when a row cannot become a document.
    pub fn push_piece(&mut self, file: &Arc<str>, piece: &Piece, options: &WriterOptions) -> Result<Vec<Batch>, Error> {
        let writer = DocumentWriter::with_options(&piece.frame, options)?;
        self.source(file.clone(), piece.place);
        let mut full = Vec::new();
        for row in 0..writer.rows() {
            let pushed = self.push_numbered_row(&writer, row, piece.number(row));
            full.extend(pushed.map_err(|error| within(error, &format!("row {}", piece.number(row))))?);
        }
        Ok(full)
    }

    /// Adds all lines of a piece of NDJSON, those that are not documents as refused rows, and returns
    /// the batches that became full.
    ///
    /// # Errors
    /// [`ErrorKind::Row`](crate::ErrorKind::Row) when the server would refuse the operation.
    pub fn push_raw(&mut self, file: &Arc<str>, piece: &RawPiece, operation: Operation) -> Result<Vec<Batch>, Error> {
        self.source(file.clone(), piece.place);
        refuse(self, 0, &piece.refused);
        let mut full = Vec::new();
        for line in piece.lines() {
            let pushed = push_line(self, line, operation);
            full.extend(pushed.map_err(|error| within(error, &format!("row {}", line.row)))?);
        }
        Ok(full)
    }
}

/// An error with its subject before the message.
pub(crate) fn within(error: Error, subject: &str) -> Error {
    let named = Error::new(error.kind(), format!("{subject}: {error}"));
    match error.help() {
        Some(help) => named.with_help(help),
        None => named,
    }
}
