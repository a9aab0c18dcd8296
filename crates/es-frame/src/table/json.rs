//! Answers in JSON: `columns`, then rows as arrays.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::builder::{ColumnBuilder, Value};
use super::types::{ColumnType, Declared, TableColumn};
use crate::error::{Error, ErrorKind};

/// Marks a message of ours inside an error of the JSON parser.
const VALUE: &str = "\u{1}";

/// A value in a message has at most so many characters.
const SHOWN: usize = 60;

/// The content of an answer.
pub(super) struct Answer {
    pub(super) columns: Vec<TableColumn>,
    pub(super) builders: Vec<ColumnBuilder>,
    pub(super) is_partial: bool,
}

/// Reads an answer whose rows are under a name. `known` are the columns of a page that does not
/// declare them, and `before` is how many rows came before it.
pub(super) fn read(
    body: &[u8],
    known: Option<&[TableColumn]>,
    rows: &'static str,
    before: usize,
) -> Result<Answer, Error> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    // A result of SQL has one value a cell, as a list would change the schema from page to page.
    let seed = AnswerSeed { known, rows, before, takes_lists: rows == "values" };
    seed.deserialize(&mut parser).and_then(|answer| parser.end().map(|()| answer)).map_err(malformed)
}

fn malformed(error: serde_json::Error) -> Error {
    let text = error.to_string();
    match text.split_once(VALUE) {
        Some((_, ours)) => Error::new(ErrorKind::Value, ours.split(VALUE).next().unwrap_or(ours)),
        None => Error::new(ErrorKind::Malformed, format!("the result of a query cannot be read: {text}")),
    }
}

struct AnswerSeed<'a> {
    known: Option<&'a [TableColumn]>,
    rows: &'static str,
    before: usize,
    takes_lists: bool,
}

impl<'de> DeserializeSeed<'de> for AnswerSeed<'_> {
    type Value = Answer;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Answer, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnswerSeed<'_> {
    type Value = Answer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer to a query")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Answer, A::Error> {
        let mut columns: Option<Vec<TableColumn>> = None;
        let mut builders: Option<Vec<ColumnBuilder>> = None;
        let (mut is_partial, mut is_running) = (false, false);
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "columns" => {
                    let declared: Vec<Declared> = map.next_value()?;
                    let declared: Vec<_> = declared.into_iter().map(TableColumn::from).collect();
                    if self.known.is_some_and(|known| known != declared) {
                        return Err(A::Error::custom("the columns are not those of the first page"));
                    }
                    if columns.replace(declared).is_some() {
                        return Err(A::Error::custom("the columns stand there twice"));
                    }
                }
                "is_partial" => is_partial = map.next_value()?,
                "is_running" => is_running = map.next_value()?,
                key if key == self.rows => {
                    let Some(columns) = columns.as_deref().or(self.known) else {
                        return Err(A::Error::custom("the rows stand before the columns"));
                    };
                    let seed = RowsSeed { columns, before: self.before, takes_lists: self.takes_lists };
                    if builders.replace(map.next_value_seed(seed)?).is_some() {
                        return Err(A::Error::custom("the rows stand there twice"));
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if is_running {
            return Err(A::Error::custom("the query has not ended yet"));
        }
        let builders = builders.ok_or_else(|| A::Error::missing_field(self.rows))?;
        Ok(Answer { columns: columns.unwrap_or_default(), builders, is_partial })
    }
}

struct RowsSeed<'a> {
    columns: &'a [TableColumn],
    before: usize,
    takes_lists: bool,
}

impl<'de> DeserializeSeed<'de> for RowsSeed<'_> {
    type Value = Vec<ColumnBuilder>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsSeed<'_> {
    type Value = Vec<ColumnBuilder>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
        let mut builders: Vec<_> = self.columns.iter().map(|column| ColumnBuilder::new(column.column_type)).collect();
        let mut row = self.before;
        loop {
            row += 1;
            let seed = RowSeed { columns: self.columns, builders: &mut builders, row, takes_lists: self.takes_lists };
            if rows.next_element_seed(seed)?.is_none() {
                return Ok(builders);
            }
        }
    }
}

struct RowSeed<'a> {
    columns: &'a [TableColumn],
    builders: &'a mut [ColumnBuilder],
    /// Its number, counted from 1.
    row: usize,
    takes_lists: bool,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a row of {} values", self.columns.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut cells: A) -> Result<(), A::Error> {
        let mut filled = 0;
        for (column, builder) in self.columns.iter().zip(self.builders) {
            let Some(cell) = cells.next_element::<&RawValue>()? else { break };
            fill(column, builder, cell, self.takes_lists).map_err(|why| {
                let shown: String = cell.get().chars().take(SHOWN).collect();
                let (name, es_type, row) = (&column.name, &column.es_type, self.row);
                A::Error::custom(format!(
                    "{VALUE}column {name} ({es_type}) of row {row} holds {shown}, which {why}{VALUE}"
                ))
            })?;
            filled += 1;
        }
        if filled < self.columns.len() || cells.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom(format!("row {} has not as many values as there are columns", self.row)));
        }
        Ok(())
    }
}

/// Adds a cell. What is wrong with it is told in words that follow it.
fn fill(column: &TableColumn, builder: &mut ColumnBuilder, cell: &RawValue, takes_lists: bool) -> Result<(), String> {
    let text = cell.get();
    if text == "null" {
        builder.end_row(0);
        return Ok(());
    }
    // A type that has a column of its own has lists; JSON that has none is text as it is.
    let is_list = text.starts_with('[') && is_plain(column);
    if !is_list {
        push(column, builder, text)?;
        builder.end_row(1);
        return Ok(());
    }
    if !takes_lists {
        return Err("is more than one value".to_owned());
    }
    let values: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut length = 0;
    for value in values.iter().filter(|value| value.get() != "null") {
        push(column, builder, value.get())?;
        length += 1;
    }
    builder.end_row(length);
    Ok(())
}

/// True if the values of a column are scalars, of which a row may have several.
fn is_plain(column: &TableColumn) -> bool {
    const TEXTS: [&str; 16] = [
        "keyword",
        "text",
        "ip",
        "version",
        "geo_shape",
        "cartesian_shape",
        "shape",
        "constant_keyword",
        "wildcard",
        "null",
        "time",
        "binary",
        "geohash",
        "geotile",
        "geohex",
        "_index",
    ];
    column.column_type != ColumnType::Text || TEXTS.contains(&column.es_type.as_str())
}

fn push(column: &TableColumn, builder: &mut ColumnBuilder, text: &str) -> Result<(), String> {
    let value = match text.as_bytes().first() {
        Some(b'"') => {
            let text: Cow<'_, str> = match serde_json::from_str::<&str>(text) {
                Ok(text) => text.into(),
                // It has escapes.
                Err(_) => serde_json::from_str::<String>(text).map_err(|error| error.to_string())?.into(),
            };
            Value::Text(text)
        }
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'[' | b'{') if column.column_type == ColumnType::Text => Value::Text(text.into()),
        Some(b'[' | b'{') => return Err("is no single value".to_owned()),
        // A number of a column that is text stays as it was written.
        _ if column.column_type == ColumnType::Text => Value::Text(text.into()),
        _ => number(text).ok_or("is no number")?,
    };
    builder.push(value).map_err(|misfit| misfit.to_string())
}

fn number(text: &str) -> Option<Value<'static>> {
    // A whole number would lose the sign of a zero.
    if text == "-0" {
        return Some(Value::Float(-0.0));
    }
    let signed = text.parse().ok().map(Value::Signed);
    signed.or_else(|| text.parse().ok().map(Value::Unsigned)).or_else(|| text.parse().ok().map(Value::Float))
}
