//! The files of an export.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use es_values::schema::FieldNames;

/// Files to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The folder to write to, from the folder of the pipeline file.
    #[schemars(extend("format" = "text"))]
    pub path: String,
    /// The format.
    #[serde(default)]
    pub format: ExportFormat,
    /// How the files are compressed; without it, as is usual for the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Fields whose values become folders, as `carrier=UA`, in each part.
    #[schemars(with = "Option<FieldNames>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_by: Vec<String>,
}

/// The format of exported files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Apache Parquet.
    #[default]
    Parquet,
    /// Apache Arrow IPC files.
    Ipc,
    /// Apache Arrow IPC streams.
    IpcStream,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Apache Avro.
    Avro,
    /// One NumPy matrix of all columns.
    Npy,
    /// A NumPy archive with an array a column.
    Npz,
    /// Safetensors, a tensor a column.
    Safetensors,
    /// TFRecord files of `tf.train.Example`.
    Tfrecord,
}

impl ExportFormat {
    /// Whether its files hold numbers for a model, and not a table.
    #[must_use]
    pub fn holds_tensors(self) -> bool {
        matches!(self, Self::Npy | Self::Npz | Self::Safetensors | Self::Tfrecord)
    }
}

/// How exported files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Zstandard.
    Zstd,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// DEFLATE, which Parquet calls gzip.
    Deflate,
    /// Not at all.
    None,
}
