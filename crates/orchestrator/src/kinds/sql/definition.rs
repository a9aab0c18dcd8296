//! The keys of a `sql` asset.

use es_assets::{Definition, DiagnosticKind, KeyPath, Output, Parts, Reference, Report, Siblings, Takes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::query;
use crate::kinds::rows::Documents;

/// An index or files that are kept up to date with a query over other assets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sql {
    /// The query, in the SQL of Polars. Its tables are the other assets, by their names.
    #[schemars(extend("format" = "text", "minLength" = 1))]
    pub sql: String,
    /// The file to write; without it, the rows become the documents of an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<SqlFile>,
    /// The index of the rows.
    #[serde(flatten)]
    pub documents: Documents,
}

/// The file that a query writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlFile {
    /// The folder of the file, relative to the folder of the pipeline file. The file is called `data`
    /// with the ending of its format.
    #[schemars(extend("format" = "text"))]
    pub path: String,
    /// The format.
    #[serde(default)]
    pub format: SqlFormat,
}

/// The formats of files that a query writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SqlFormat {
    /// Apache Parquet, compressed with Zstandard.
    #[default]
    Parquet,
    /// An Arrow IPC file, not compressed.
    Ipc,
}

impl SqlFormat {
    /// The name of a file of the format.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Parquet => "data.parquet",
            Self::Ipc => "data.arrow",
        }
    }
}

impl Definition for Sql {
    /// The tables of the query. A query that cannot be parsed names none; [`Sql::validate`] says why.
    fn reads(&self) -> Vec<Reference> {
        let tables = query::tables(&self.sql).unwrap_or_default();
        let path = KeyPath::root().key("sql");
        let reference = |asset| Reference { path: path.clone(), asset, takes: Takes::Documents };
        tables.into_iter().map(reference).collect()
    }

    fn output(&self) -> Output {
        if self.to.is_some() { Output::Files } else { Output::Documents }
    }

    fn writes(&self) -> Option<(KeyPath, &str)> {
        let to = self.to.as_ref()?;
        Some((KeyPath::root().key("to").key("path"), &to.path))
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        match query::tables(&self.sql) {
            Err(problem) => {
                let word = problem.word.as_ref().map_or(("", 0), |(word, number)| (word.as_str(), *number));
                let help = "the query is one SELECT in the SQL of Polars";
                report.add_at_word(DiagnosticKind::InvalidValue, &path.key("sql"), word, problem.message, help);
            }
            Ok(tables) if tables.is_empty() => {
                let help = "name an asset after FROM";
                report.invalid(&path.key("sql"), "the query reads no asset", help);
            }
            Ok(_) => {}
        }
        self.documents.validate(path, report);
        if self.to.is_some() {
            self.documents.refuse("a file", " or `to`", path, report);
        }
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("sql", &self.sql);
        parts.add("to", &self.to);
        self.documents.fingerprint(parts);
    }
}
