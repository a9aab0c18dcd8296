//! The interface of a reader of one table format.

use polars::prelude::{PlSmallStr, SchemaRef};

use super::csv_kinds::Kinds;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::ReadError;

/// A file of rows and columns, read a piece at a time.
pub(crate) trait TableFormat: Send {
    fn schema(&self) -> &SchemaRef;
    /// The number of rows, where the format has it without reading all.
    fn rows(&self) -> Option<u64> {
        None
    }
    /// The kinds of values that the columns of a text have at its beginning.
    fn kinds(&self) -> Option<&[(PlSmallStr, Kinds)]> {
        None
    }
    /// The findings that a person should know of.
    fn notes(&self) -> &[String] {
        &[]
    }
    fn place(&self) -> FilePlace;
    fn seek(&mut self, place: FilePlace) -> Result<(), ReadError>;
    fn next_piece(&mut self) -> Result<Option<Piece>, ReadError>;
}
