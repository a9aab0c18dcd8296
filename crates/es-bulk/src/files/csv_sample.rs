//! The columns that several files of CSV have together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use polars::prelude::SchemaRef;

use super::csv_kinds::Kinds;
use super::csv_options::ColumnType;
use super::options::ReadOptions;
use super::reader::FileReader;
use super::schema::same_schema;
use crate::error::Error;

/// The beginnings of all files of CSV.
pub(super) struct CsvSample {
    /// The types that all of them fit.
    pub(super) types: BTreeMap<String, ColumnType>,
    /// The columns of each file, in these types.
    pub(super) schema: Option<SchemaRef>,
    /// The findings that a person should know of.
    pub(super) notes: Vec<String>,
}

impl CsvSample {
    /// Opens each file once, and checks that all have the same columns.
    ///
    /// # Errors
    /// When a file cannot be read, and when the columns of two differ.
    pub(super) fn of(paths: &[PathBuf], read: &ReadOptions) -> Result<Self, Error> {
        let mut kinds: BTreeMap<String, Kinds> = BTreeMap::new();
        let (mut notes, mut names) = (Vec::new(), Vec::new());
        for path in paths {
            let reader = FileReader::open(path, read)?;
            for (name, kind) in reader.kinds().into_iter().flatten() {
                let known = kinds.entry(name.to_string()).or_default();
                *known = known.with(*kind);
            }
            notes.extend(notes_of(&reader, read));
            names.push(reader.schema().clone());
        }
        let types = kinds.into_iter().map(|(name, kinds)| {
            let column = read.declared_type(&name).map_or(kinds.column_type(), |declared| kinds.as_declared(declared));
            (name, column)
        });
        let types: BTreeMap<String, ColumnType> = types.collect();
        let typed = |columns: SchemaRef| -> SchemaRef {
            let columns = columns.iter_names().cloned();
            let columns = columns.filter_map(|name| types.get(name.as_str()).map(|of| (name.clone(), of.data_type())));
            Arc::new(columns.collect())
        };
        let mut first: Option<(&PathBuf, SchemaRef)> = None;
        for (path, columns) in paths.iter().zip(names) {
            let columns = typed(columns);
            match &first {
                Some((first, schema)) => same_schema((first, schema), (path, &columns))?,
                None => first = Some((path, columns)),
            }
        }
        let schema = first.map(|(_, schema)| schema);
        Ok(Self { types, schema, notes })
    }
}

/// The notes on a file, and on columns that the options name and it lacks.
pub(super) fn notes_of(reader: &FileReader, read: &ReadOptions) -> Vec<String> {
    let path = reader.path().display();
    let missing = read.csv.types.keys().filter(|name| !reader.schema().contains(name));
    let missing = missing.map(|name| format!("{path}: there is no column {name}, whose type is set"));
    reader.notes().iter().map(|note| format!("{path}: {note}")).chain(missing).collect()
}
