//! `ingest`: files into an index.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::checks::Check;
use crate::kinds::index::IndexSpec;
use es_assets::Partitions;
use es_values::schema::FieldNames;

/// An index that is kept up to date with files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// The files to read.
    pub from: FileSource,
    /// The columns that make up a document's id, so that the same row is the same
    /// document. Without them Elasticsearch gives ids, and a load that loses an answer
    /// fails, as sending the rows again could double them.
    #[schemars(with = "Option<FieldNames>")]
    pub id: Option<Vec<String>>,
    /// The column whose value routes a document to its shard.
    #[schemars(extend("format" = "text"))]
    pub routing: Option<String>,
    /// The column that holds a row's time.
    #[schemars(extend("format" = "text"))]
    pub time: Option<String>,
    /// How the rows are divided by their time.
    pub partitions: Option<Partitions>,
    /// How the index is made.
    #[serde(default)]
    pub index: IndexSpec,
    /// What is done with columns that the mappings do not name.
    #[serde(default)]
    pub undeclared: Undeclared,
    /// What columns become whose names hold dots.
    #[serde(default)]
    pub dotted_names: DottedNames,
    /// What becomes of numbers that JSON has no form for: NaN and the infinities.
    #[serde(default)]
    pub non_finite: NonFinite,
    /// What must hold before readers see the documents.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// How new rows relate to those that are there.
    #[serde(default)]
    pub mode: IngestMode,
}

/// Files to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    /// The path of a file, or a pattern with `*`, `?` and `**`, from the folder of the
    /// pipeline file.
    #[schemars(extend("format" = "text"))]
    pub path: String,
    /// The format; without it, the one that the file's name ends in.
    pub format: Option<FileFormat>,
}

/// The format of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// An Apache Arrow IPC file, also called Feather.
    Ipc,
    /// An Apache Arrow IPC stream.
    IpcStream,
}

impl FileFormat {
    /// The format that the name of a file ends in: `parquet`, `csv`, `ndjson`, `jsonl`,
    /// `ipc`, `arrow`, `feather` or `arrows`, in upper or lower case; after the formats of
    /// text there may be `.gz`, `.zst` or `.zstd`.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let name = path.rsplit(['/', '\\']).next()?.to_ascii_lowercase();
        let plain = [".gz", ".zst", ".zstd"].iter().find_map(|ending| name.strip_suffix(ending));
        let (_, extension) = plain.unwrap_or(&name).rsplit_once('.')?;
        match extension {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            // The formats below compress by themselves.
            _ if plain.is_some() => None,
            "parquet" => Some(Self::Parquet),
            "ipc" | "arrow" | "feather" => Some(Self::Ipc),
            "arrows" => Some(Self::IpcStream),
            _ => None,
        }
    }
}

/// What is done with columns that the mappings do not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Undeclared {
    /// They are mapped by their type in the file.
    #[default]
    Infer,
    /// They are left out.
    Ignore,
    /// They are an error.
    Reject,
}

/// What columns become whose names hold dots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DottedNames {
    /// Fields of the same name, as they are.
    #[default]
    Flat,
    /// Fields of objects: `a.b` and `a.c` become one object `a`.
    Objects,
}

/// What becomes of NaN and the infinities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NonFinite {
    /// They are left out, as nulls are.
    #[default]
    Null,
    /// They are an error.
    Reject,
    /// They are written as text, for fields of type `keyword`.
    String,
}

/// How new rows relate to those that are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IngestMode {
    /// They take the place of all rows of the partition.
    #[default]
    Replace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_the_end_of_the_name() {
        for (path, format) in [
            ("data/flights.parquet", Some(FileFormat::Parquet)),
            ("data/*.CSV", Some(FileFormat::Csv)),
            ("a.b/c.jsonl", Some(FileFormat::Ndjson)),
            ("x.feather", Some(FileFormat::Ipc)),
            ("x.arrows", Some(FileFormat::IpcStream)),
            ("logs/*.ndjson.gz", Some(FileFormat::Ndjson)),
            ("a.csv.ZST", Some(FileFormat::Csv)),
            ("a.parquet.gz", None),
            ("a.gz", None),
            ("a.parquet/c", None),
            ("notes.txt", None),
        ] {
            assert_eq!(FileFormat::of_path(path), format, "{path}");
        }
    }
}
