//! The limits of reading and writing.

use es_values::{ByteSize, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The limits of reading documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReadOptions {
    /// The number of slices that documents are read in. Default: enough for the shards of the
    /// indices and for `concurrency`.
    #[schemars(range(min = 1, max = 1024))]
    pub slices: Option<u32>,
    /// The number of slices that are read at the same time. Memory holds two pages of each.
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: u32,
    /// The maximum number of documents in a response. An index returns at most its
    /// `max_result_window`, which is 10,000 by default.
    #[schemars(range(min = 1, max = 10_000))]
    pub page_size: u32,
    /// The target size of a response. Pages of large documents have fewer of them.
    pub page_bytes: ByteSize,
    /// The time that the server keeps the point in time between two requests, and the time for which
    /// a page that fails is requested again.
    pub keep_alive: TimeSpan,
    /// The target number of rows of a slice, where `slices` is not set. Default: any number.
    #[serde(skip)]
    pub slice_rows: Option<u64>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            slices: None,
            concurrency: 3,
            page_size: 10_000,
            page_bytes: ByteSize::mebibytes(4),
            keep_alive: TimeSpan::minutes(5),
            slice_rows: None,
        }
    }
}

/// The limits of writing files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WriteOptions {
    /// The number of rows in a row group of a Parquet file.
    #[schemars(range(min = 1))]
    pub row_group_rows: u32,
    /// The approximate number of rows that are read before the files of all parts are finished and
    /// others begun. An export that is killed loses at most these rows.
    #[schemars(range(min = 1))]
    pub rows_per_file: u32,
    /// The maximum size of the rows that wait in memory to be written, in all files together.
    pub held_bytes: ByteSize,
    /// The maximum number of folders of partition columns that are written at the same time.
    #[serde(skip)]
    pub max_open_partitions: usize,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            row_group_rows: 131_072,
            rows_per_file: 1_000_000,
            held_bytes: ByteSize::mebibytes(64),
            max_open_partitions: 256,
        }
    }
}

/// The limits of reading documents and of writing their files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExportOptions {
    /// Reading.
    #[serde(flatten)]
    pub read: ReadOptions,
    /// Writing.
    #[serde(flatten)]
    pub write: WriteOptions,
    /// The maximum number of feature rows that are held in memory to be joined to others.
    #[schemars(range(min = 1))]
    pub feature_rows: u32,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { read: ReadOptions::default(), write: WriteOptions::default(), feature_rows: 5_000_000 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_options_are_flat_and_have_their_defaults() {
        let written = serde_json::to_value(ExportOptions::default()).unwrap();
        let expected = json!({
            "slices": null, "concurrency": 3, "page_size": 10_000, "page_bytes": "4mb", "keep_alive": "5m",
            "row_group_rows": 131_072, "rows_per_file": 1_000_000, "held_bytes": "64mb", "feature_rows": 5_000_000,
        });
        assert_eq!(written, expected);
        assert_eq!(serde_json::from_value::<ExportOptions>(json!({})).unwrap(), ExportOptions::default());
        let some = json!({"slices": 4, "page_bytes": 4096, "keep_alive": "90s", "rows_per_file": 7});
        let some: ExportOptions = serde_json::from_value(some).unwrap();
        assert_eq!((some.read.slices, some.read.page_bytes.as_bytes(), some.write.rows_per_file), (Some(4), 4096, 7));
        assert_eq!((some.read.keep_alive.milliseconds(), some.read.concurrency), (90_000, 3));
        for unknown in [json!({"page_rows": 1}), json!({"slice_rows": 1}), json!({"max_open_partitions": 1})] {
            let error = serde_json::from_value::<ExportOptions>(unknown).unwrap_err();
            assert!(error.to_string().starts_with("unknown field `"), "{error}");
        }
    }

    #[test]
    fn the_schema_is_that_of_one_object() {
        let schema = serde_json::to_value(schemars::schema_for!(ExportOptions)).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{schema:#}");
        let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let written = serde_json::to_value(ExportOptions::default()).unwrap();
        let mut expected: Vec<&String> = written.as_object().unwrap().keys().collect();
        expected.sort();
        let mut sorted = keys;
        sorted.sort();
        assert_eq!(sorted, expected);
        assert_eq!(schema["properties"]["concurrency"]["maximum"], 64);
        assert_eq!(schema["properties"]["keep_alive"]["default"], "5m");
        assert_eq!(schema["properties"]["rows_per_file"]["default"], 1_000_000);
    }
}
