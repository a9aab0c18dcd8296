//! The keys of a `command` asset.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use es_assets::{Definition, KeyPath, Output, Parts, Reference, Report, Siblings, Takes};
use es_export::MANIFEST_FILE;
use es_values::schema::{FieldNames, exactly_one};
use es_values::{Query, TimeSpan};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::kinds::rows::Documents;

/// The beginning of the names of the variables that a program is given.
pub const VARIABLES: &str = "ORCHESTRATOR_";

/// An index or files that are kept up to date with a program over other assets.
///
/// The program is started without a shell. Of the variables of this process it sees `PATH`, `HOME`,
/// `LANG` and `TMPDIR` alone. It is given `ORCHESTRATOR_INPUT_` with the name of each asset in upper
/// case, `ORCHESTRATOR_OUTPUT`, `ORCHESTRATOR_PIPELINE`, `ORCHESTRATOR_ASSET` and
/// `ORCHESTRATOR_RUN`. Entries of `run` that are files are an input of the asset: a script that
/// changes makes it stale. What a script imports is not; pass those files as arguments too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = one_output)]
pub struct Command {
    /// The assets that the program reads. The documents of an index are handed over as a Parquet
    /// file, and files as the folder they are in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Input>,
    /// The way to hand over what the program reads.
    #[serde(default)]
    pub input: HandOver,
    /// The program and its arguments. The program is looked up in `PATH`, or, with a slash in its
    /// name, relative to `folder`.
    #[schemars(schema_with = "arguments")]
    pub run: Vec<String>,
    /// The working folder, relative to the folder of the pipeline file; without it, that folder.
    #[schemars(extend("format" = "text"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Variables of the program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// The longest time that the program may run.
    #[serde(default = "hour")]
    pub timeout: TimeSpan,
    /// The form of the rows that the program writes, which become the documents of an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<RowFormat>,
    /// The folder that the program writes, where it writes files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Folder>,
    /// The index of the rows.
    #[serde(flatten)]
    pub documents: Documents,
}

fn one_output(schema: &mut Schema) {
    exactly_one(schema, &["output", "to"]);
}

fn hour() -> TimeSpan {
    TimeSpan::minutes(60)
}

fn arguments(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "array", "items": { "type": "string" }, "minItems": 1 })
}

/// An asset that a program reads: its name, or its name with the rows that are handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "InputKeys", into = "InputKeys")]
#[schemars(with = "Rows")]
pub struct Input(pub Rows);

/// The rows of an asset that are handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CommandInput", transform = or_name)]
pub struct Rows {
    /// The asset.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub from: String,
    /// The fields, in this order; without it, all.
    #[schemars(with = "Option<FieldNames>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The documents that match; without it, all.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<Query>,
}

/// An input as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum InputKeys {
    Name(String),
    Rows(Rows),
}

/// Says in a schema that the name alone will do.
fn or_name(schema: &mut Schema) {
    schema.insert("type".to_owned(), json!(["string", "object"]));
    schema.insert("format".to_owned(), json!("name"));
    schema.insert("pattern".to_owned(), json!("^[a-z0-9_]+$"));
}

impl From<InputKeys> for Input {
    fn from(keys: InputKeys) -> Self {
        Self(match keys {
            InputKeys::Name(from) => Rows { from, columns: None, filter: None },
            InputKeys::Rows(rows) => rows,
        })
    }
}

impl From<Input> for InputKeys {
    fn from(Input(rows): Input) -> Self {
        match rows {
            Rows { from, columns: None, filter: None } => Self::Name(from),
            rows => Self::Rows(rows),
        }
    }
}

/// The ways to hand over what a program reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandOver {
    /// A Parquet file for each index, and the folder of each asset that has files.
    #[default]
    Files,
    /// The documents of one asset as an Arrow IPC stream on standard input.
    Stdin,
}

/// The forms of rows that a program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowFormat {
    /// A Parquet file at the path of `ORCHESTRATOR_OUTPUT`.
    Parquet,
    /// An Arrow IPC stream on standard output.
    IpcStream,
}

/// The folder that a program writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CommandFolder")]
pub struct Folder {
    /// The folder, relative to the folder of the pipeline file. The program writes to
    /// `ORCHESTRATOR_OUTPUT`, a folder that takes its place once the program has succeeded.
    #[schemars(extend("format" = "text"))]
    pub path: String,
    /// The files that must be there once the program has ended. Others that it writes are kept too.
    #[schemars(with = "FieldNames")]
    pub files: Vec<String>,
}

impl Definition for Command {
    fn reads(&self) -> Vec<Reference> {
        let reads = self.reads.iter().enumerate();
        let reference = |(index, Input(rows)): (usize, &Input)| {
            let path = place_of(&KeyPath::root(), index, rows);
            let takes = if self.input == HandOver::Stdin { Takes::Documents } else { Takes::Rows };
            Reference { path, asset: rows.from.clone(), takes }
        };
        reads.map(reference).collect()
    }

    fn output(&self) -> Output {
        if self.to.is_some() { Output::Files } else { Output::Documents }
    }

    fn writes(&self) -> Option<(KeyPath, &str)> {
        let to = self.to.as_ref()?;
        Some((KeyPath::root().key("to").key("path"), &to.path))
    }

    fn validate(&self, path: &KeyPath, siblings: &Siblings<'_>, report: &mut Report<'_>) {
        self.documents.validate(path, report);
        if self.run.first().is_none_or(String::is_empty) {
            report.invalid(
                &path.key("run"),
                "`run` names no program",
                "write the program first: `run: [python3, score.py]`",
            );
        }
        self.validate_reads(path, siblings, report);
        self.validate_environment(&path.key("environment"), report);
        if let Some(to) = &self.to {
            to.validate(&path.key("to"), report);
            self.documents.refuse("files", ", or write `output` for `to`", path, report);
        }
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("reads", &self.reads);
        parts.add("input", self.input);
        parts.add("run", &self.run);
        parts.add("folder", &self.folder);
        parts.add("environment", &self.environment);
        parts.add("output", self.output);
        parts.add("to", &self.to);
        self.documents.fingerprint(parts);
    }
}

impl Command {
    fn validate_reads(&self, path: &KeyPath, siblings: &Siblings<'_>, report: &mut Report<'_>) {
        if self.input == HandOver::Stdin && self.reads.len() != 1 {
            let message = format!("standard input has the rows of one asset, and `reads` names {}", self.reads.len());
            let help = "name one asset in `reads`, or write `input: files`";
            report.invalid(&path.key("input"), message, help);
        }
        let mut seen = BTreeSet::new();
        for (index, Input(rows)) in self.reads.iter().enumerate() {
            let place = place_of(path, index, rows);
            if !seen.insert(rows.from.as_str()) {
                report.invalid(&place, format!("`{}` is read twice", rows.from), "remove one of them");
            }
            let has_files = siblings.get(&rows.from).is_some_and(|asset| asset.output() == Output::Files);
            let options = [("columns", rows.columns.is_some()), ("where", rows.filter.is_some())];
            for (key, _) in options.into_iter().filter(|(_, is_set)| has_files && *is_set) {
                let message = format!("`{}` has files, which are handed over as they are", rows.from);
                report.invalid(&path.key("reads").index(index).key(key), message, format!("remove `{key}`"));
            }
        }
    }

    fn validate_environment(&self, path: &KeyPath, report: &mut Report<'_>) {
        for name in self.environment.keys() {
            let place = path.key(name);
            if name.starts_with(VARIABLES) {
                let help = format!("choose a name that does not start with `{VARIABLES}`");
                report.invalid(&place, format!("`{name}` is a name of this program's own variables"), help);
            } else if name.is_empty() || name.contains(['=', '\0']) {
                let help = "a name has at least one character, and no `=`";
                report.invalid(&place, format!("`{name}` is not a name of a variable"), help);
            }
        }
    }
}

impl Folder {
    fn validate(&self, path: &KeyPath, report: &mut Report<'_>) {
        for (index, file) in self.files.iter().enumerate() {
            let place = path.key("files").index(index);
            if !Path::new(file).components().all(|part| matches!(part, Component::Normal(_))) {
                let help = "write a path relative to the folder, without `..`";
                report.invalid(&place, format!("`{file}` is not a path within the folder"), help);
            } else if file == MANIFEST_FILE {
                report.invalid(
                    &place,
                    format!("`{file}` is the manifest, which is written after the program"),
                    "choose another name",
                );
            }
        }
    }
}

/// The place where the name of an input is written.
fn place_of(asset: &KeyPath, index: usize, rows: &Rows) -> KeyPath {
    let place = asset.key("reads").index(index);
    if rows.columns.is_none() && rows.filter.is_none() { place } else { place.key("from") }
}

#[cfg(test)]
mod tests;
