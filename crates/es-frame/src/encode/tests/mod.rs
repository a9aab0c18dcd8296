//! Whole frames as documents and as bulk lines.

mod actions;
mod documents;
mod objects;
mod round_trips;
mod vectors;

use polars::prelude::{Column, DataFrame, DataType, NamedFrom as _, PlSmallStr, Series};

use super::{DocumentWriter, Error, WriterOptions};

/// The documents of all rows.
fn documents(frame: &DataFrame, options: &WriterOptions) -> Result<Vec<String>, Error> {
    let writer = DocumentWriter::with_options(frame, options)?;
    (0..writer.rows()).map(|row| text(|out| writer.write_document(row, out))).collect()
}

/// The output as text, with bytes before it that are not part of it.
fn text<T>(write: impl FnOnce(&mut Vec<u8>) -> Result<T, Error>) -> Result<String, Error> {
    let mut out = b"before".to_vec();
    write(&mut out)?;
    assert!(out.starts_with(b"before"));
    Ok(String::from_utf8(out.split_off(6)).unwrap())
}

fn frame(columns: Vec<Column>) -> DataFrame {
    DataFrame::new_infer_height(columns).unwrap()
}

/// A column of one type, made of values of another.
fn cast<T, Phantom: ?Sized>(name: &str, values: T, dtype: &DataType) -> Column
where
    Series: polars::prelude::NamedFrom<T, Phantom>,
{
    Series::new(PlSmallStr::from(name), values).cast(dtype).unwrap().into()
}
