//! One interface to the readers of tables and of lines.

use std::path::Path;

use super::format::FileFormat;
use super::piece::Piece;
use super::place::FilePlace;
use super::raw_lines::{RawLines, RawOptions, RawPiece};
use super::reader::FileReader;
use super::refused::RefusedLine;
use crate::error::Error;

/// A reader of either.
pub(crate) enum Reader {
    Rows(Box<FileReader>),
    Lines(Box<RawLines>),
}

/// Some rows, or some lines.
pub(crate) enum Block {
    Rows(Piece),
    Lines(RawPiece),
}

impl Reader {
    pub(crate) fn open(path: &Path, options: &RawOptions) -> Result<Self, Error> {
        Ok(if options.read.format.is_some_and(FileFormat::has_documents) {
            Self::Lines(Box::new(RawLines::open(path, options)?))
        } else {
            Self::Rows(Box::new(FileReader::open(path, &options.read)?))
        })
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Rows(reader) => reader.path(),
            Self::Lines(lines) => lines.path(),
        }
    }

    pub(crate) fn seek(&mut self, place: FilePlace) -> Result<(), Error> {
        match self {
            Self::Rows(reader) => reader.seek(place),
            Self::Lines(lines) => lines.seek(place),
        }
    }

    pub(crate) fn next_block(&mut self) -> Result<Option<Block>, Error> {
        Ok(match self {
            Self::Rows(reader) => reader.next_piece()?.map(Block::Rows),
            Self::Lines(lines) => lines.next_piece()?.map(Block::Lines),
        })
    }
}

impl Block {
    /// The number of rows or documents.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Rows(piece) => piece.frame.height(),
            Self::Lines(piece) => piece.lines().len(),
        }
    }

    /// The beginning.
    pub(crate) fn place(&self) -> FilePlace {
        match self {
            Self::Rows(piece) => piece.place,
            Self::Lines(piece) => piece.place,
        }
    }

    /// The number of the last row or line, from 1; that before the block if it has none.
    pub(crate) fn last(&self) -> u64 {
        match self {
            Self::Rows(piece) => piece.last(),
            Self::Lines(piece) => piece.lines().last().map_or(piece.place.rows, |line| line.row),
        }
    }

    pub(crate) fn refused(&self) -> &[RefusedLine] {
        match self {
            Self::Rows(piece) => &piece.refused,
            Self::Lines(piece) => &piece.refused,
        }
    }
}
