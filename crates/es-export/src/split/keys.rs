//! The text that a row is known by: its key as a JSON string.

use es_frame::DocumentWriter;
use polars::prelude::DataFrame;

use crate::error::{Error, ErrorKind};

/// The treatment of rows without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NullKeys {
    /// A null in a key column fails.
    Refuse,
    /// The text of such a row is `null`.
    Keep,
}

/// The error of a split by a column that the rows do not have.
pub(super) fn no_column(frame: &DataFrame, name: &str) -> Error {
    Error::no_column(name, "to split by", frame.get_column_names())
}

/// Calls `see` with each row and its key's text: the values of the columns joined by `|`, as
/// a JSON string (see [`DocumentWriter::write_id`]).
pub(crate) fn for_each_key(
    frame: &DataFrame,
    columns: &[String],
    nulls: NullKeys,
    mut see: impl FnMut(usize, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    for name in columns {
        if frame.column(name).is_err() {
            return Err(no_column(frame, name));
        }
    }
    let mut of_key = frame.select(columns)?;
    of_key.rechunk_mut();
    let missing: Vec<_> = match nulls {
        NullKeys::Refuse => Vec::new(),
        NullKeys::Keep => {
            of_key.columns().iter().filter(|column| column.null_count() > 0).map(|column| column.is_null()).collect()
        }
    };
    let writer = DocumentWriter::new(&of_key, columns)?;
    let mut key = Vec::new();
    for row in 0..of_key.height() {
        if missing.iter().any(|mask| mask.get(row) == Some(true)) {
            see(row, b"null")?;
            continue;
        }
        key.clear();
        writer.write_id(row, &mut key).map_err(|source| {
            Error::new(ErrorKind::Split, format!("a row cannot be put in a part: {source}"))
                .with_help("choose key columns that are never null")
        })?;
        see(row, &key)?;
    }
    Ok(())
}
