//! The interface of a reader of one table format.

use polars::prelude::{PlSmallStr, SchemaRef};

use super::csv_kinds::Kinds;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::storage::RefusedColumn;

/// A file of rows and columns, read a piece at a time.
pub(crate) trait TableFormat: Send {
    /// The columns that can be read.
    fn schema(&self) -> &SchemaRef;
    /// The columns of types that cannot be read, which are not in the schema.
    fn refused(&self) -> &[RefusedColumn] {
        &[]
    }
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
