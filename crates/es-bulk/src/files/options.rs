//! The options of reading a file, and their default limits.

use std::collections::BTreeMap;

use es_core::Mapping;

use super::csv_options::{ColumnType, CsvOptions, types_of};
use super::format::{Compression, FileFormat};
use super::json_pointer::JsonPointer;

/// The default of [`ReadOptions::piece_rows`].
pub const DEFAULT_PIECE_ROWS: usize = 50_000;

/// The default of [`ReadOptions::piece_bytes`]: 8 MiB.
pub const DEFAULT_PIECE_BYTES: usize = 8 << 20;

/// The longest record of a text file, in bytes: 100 MiB, which is also the default limit of
/// Elasticsearch for one request (`http.max_content_length`).
pub const LONGEST_RECORD: usize = 100 << 20;

/// The options of reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format; without it, that of the extension.
    pub format: Option<FileFormat>,
    /// The compression; without it, that of the first bytes, or else of the extension.
    pub compression: Option<Compression>,
    /// The maximum number of rows of a piece. Only `piece_bytes` applies to text formats.
    pub piece_rows: usize,
    /// The approximate size of a piece in bytes: of column data for Arrow IPC, of uncompressed text for
    /// CSV and NDJSON; for Parquet a quarter of it by the sizes in its footer, and no more than 2 MiB,
    /// as values may turn out to be larger. A single larger row makes a larger piece. Several times as
    /// much is in memory while a piece is made, and of Parquet a page and a dictionary of every column
    /// that is read.
    pub piece_bytes: usize,
    /// The columns that are read; without it, all. Names that the file lacks are ignored. In Parquet the
    /// others stay unread.
    pub columns: Option<Vec<String>>,
    /// The columns of tables that are left out as if the file lacked them: the way out for a column of a
    /// type that cannot be read, which is an error otherwise.
    pub leave_out: Vec<String>,
    /// The array of documents inside a JSON file; without it, the file is the array, or its values are
    /// the documents. Goes with [`FileFormat::Json`] alone.
    pub records: Option<JsonPointer>,
    /// The options of CSV.
    pub csv: CsvOptions,
    /// The types of columns of CSV that a mapping declares. Those of [`CsvOptions::types`] precede them.
    pub declared: BTreeMap<String, ColumnType>,
    /// The types of the other columns of CSV, from a sample of all files that are read together; without
    /// them, those that the first values of each file fit. [`Source`](super::Source) fills them in.
    pub sampled: BTreeMap<String, ColumnType>,
}

impl ReadOptions {
    /// Reads the columns of CSV as a mapping declares them, and a column of times as such.
    #[must_use]
    pub fn with_mapping(mut self, mapping: &Mapping, time: Option<&str>) -> Self {
        let types = types_of(mapping);
        if let Some(time) = time.filter(|time| !types.contains_key(*time)) {
            self.declared.entry(time.to_owned()).or_insert(ColumnType::Date);
        }
        self.declared.extend(types);
        self
    }

    /// The type that is declared for a column of CSV.
    pub(crate) fn declared_type(&self, name: &str) -> Option<ColumnType> {
        self.csv.types.get(name).or_else(|| self.declared.get(name)).copied()
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            compression: None,
            piece_rows: DEFAULT_PIECE_ROWS,
            piece_bytes: DEFAULT_PIECE_BYTES,
            columns: None,
            leave_out: Vec::new(),
            records: None,
            csv: CsvOptions::default(),
            declared: BTreeMap::new(),
            sampled: BTreeMap::new(),
        }
    }
}
