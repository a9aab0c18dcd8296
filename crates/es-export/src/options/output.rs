//! The files of an export.

use es_values::schema::FieldNames;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, WriteOptions};
use crate::write::{Compression, FileOptions, Format, ParquetOptions};

/// Files to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The folder to write to, relative to the folder of the pipeline file.
    #[schemars(extend("format" = "text"))]
    pub path: String,
    /// The format.
    #[serde(default)]
    pub format: Format,
    /// The compression of the files. Default: the usual one of the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Fields whose values become folders, as `carrier=UA`, in each part.
    #[schemars(with = "Option<FieldNames>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_by: Vec<String>,
}

impl Output {
    /// Files of the default format in a folder.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), format: Format::default(), compression: None, partition_by: Vec::new() }
    }

    /// The options of each file.
    #[must_use]
    pub fn file_options(&self, options: &WriteOptions) -> FileOptions {
        let parquet = ParquetOptions { row_group_rows: options.row_group_rows as usize, ..ParquetOptions::default() };
        FileOptions { format: self.format, compression: self.compression, parquet }
    }

    /// The contradictions of the options, if any. `columns` are the columns to read, where they are
    /// named.
    #[must_use]
    pub fn check(&self, columns: Option<&[String]>) -> Vec<Problem> {
        let mut invalid = Vec::new();
        for (index, field) in self.partition_by.iter().enumerate() {
            if let Some(columns) = columns.filter(|columns| !columns.contains(field)) {
                let path = ["partition_by".into(), index.into()];
                let otherwise = "add it to the columns, or partition by another one";
                invalid.push(Problem::unknown_field(path, field, columns, otherwise));
            }
        }
        if self.format.holds_tensors() && !self.partition_by.is_empty() {
            let message = format!("files of the format {} cannot be partitioned", self.format);
            let help = "remove it, or choose another format: readers of tensors do not read the names of folders";
            invalid.push(Problem::invalid(["partition_by".into()], message, help));
        }
        if let Some(compression) = self.compression
            && let Err((message, help)) = self.format.check_compression(compression)
        {
            invalid.push(Problem::invalid(["compression".into()], message, help));
        }
        invalid
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn output(value: serde_json::Value) -> Output {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_output_is_written_as_it_was_read() {
        let least = json!({"path": "out", "format": "parquet"});
        assert_eq!(output(json!({"path": "out"})), Output::new("out"));
        assert_eq!(json!(Output::new("out")), least);
        let all = json!({
            "path": "out", "format": "ipc_stream", "compression": "none", "partition_by": ["carrier"],
        });
        assert_eq!(json!(output(all.clone())), all);
        serde_json::from_value::<Output>(json!({"path": "out", "formt": "csv"})).unwrap_err();
    }

    #[test]
    fn contradictions_name_their_place() {
        let columns = ["x".to_owned(), "carrier".to_owned()];
        let check = |value, columns: Option<&[String]>| -> Vec<String> {
            output(value).check(columns).iter().map(ToString::to_string).collect()
        };
        let partitioned = json!({"path": "o", "partition_by": ["x", "carier"]});
        assert_eq!(
            check(partitioned.clone(), Some(&columns)),
            ["partition_by[1]: `carier` is not among the columns `x`, `carrier`"]
        );
        assert_eq!(output(partitioned.clone()).check(Some(&columns))[0].help, "did you mean `carrier`?");
        assert!(check(partitioned, None).is_empty());
        assert_eq!(
            check(json!({"path": "o", "format": "npz", "partition_by": ["x"]}), None),
            ["partition_by: files of the format npz cannot be partitioned"]
        );
        assert_eq!(
            check(json!({"path": "o", "format": "csv", "compression": "snappy"}), None),
            ["compression: the format csv has no compression snappy"]
        );
        assert!(check(json!({"path": "o", "format": "csv", "compression": "none"}), None).is_empty());
    }
}
