//! Kinds for the tests of this crate: a table, which others can read, files, and a verdict.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::asset::Asset;
use crate::fingerprint::Parts;
use crate::key_path::KeyPath;
use crate::kind::{Definition, Kind, Output, Reference, Takes};
use crate::parse::Pipeline;
use crate::partition::Partitions;
use crate::validate::{Report, Siblings};
use crate::{Inputs, PipelineFormat};

/// An index.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Table {
    /// The asset that it copies.
    from: Option<String>,
    /// The division by time.
    partitions: Option<Partitions>,
    /// The column of the time; with it, a partition is a copy of the same partition.
    time: Option<String>,
    /// Settings.
    #[serde(default)]
    settings: IndexMap<String, i32>,
    /// Checks.
    #[serde(default)]
    checks: Vec<String>,
}

impl Definition for Table {
    fn reads(&self) -> Vec<Reference> {
        let takes = if self.time.is_some() { Takes::DocumentsOfPartition } else { Takes::Documents };
        self.from.iter().map(|from| Reference { takes, ..Reference::documents("from", from) }).collect()
    }

    fn output(&self) -> Output {
        Output::Documents
    }

    fn time(&self) -> Option<&str> {
        self.time.as_deref()
    }

    fn partitions(&self) -> Option<&Partitions> {
        self.partitions.as_ref()
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        if let Some(partitions) = &self.partitions {
            partitions.validate(&path.key("partitions"), report);
        }
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("from", &self.from);
        for (name, value) in &self.settings {
            parts.add_in_place(name, value);
        }
        parts.add_checks(&self.checks);
    }
}

/// Files.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Files {
    /// The asset that they hold.
    from: String,
    /// The folder.
    #[schemars(extend("format" = "text"))]
    to: String,
}

impl Definition for Files {
    fn reads(&self) -> Vec<Reference> {
        vec![Reference::documents("from", &self.from)]
    }

    fn output(&self) -> Output {
        Output::Files
    }

    fn writes(&self) -> Option<(KeyPath, &str)> {
        Some((KeyPath::root().key("to"), &self.to))
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("from", &self.from);
        parts.add("to", &self.to);
    }
}

/// A verdict.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Verdict {
    /// The asset that is judged.
    of: String,
    /// The verdict depends on the day.
    #[serde(default)]
    daily: bool,
}

impl Definition for Verdict {
    fn reads(&self) -> Vec<Reference> {
        vec![Reference::documents("of", &self.of)]
    }

    fn output(&self) -> Output {
        Output::Verdict
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("of", &self.of);
    }

    fn inputs_at(&self, now: jiff::Timestamp) -> Inputs {
        let day = now.strftime("%Y-%m-%d").to_string();
        if self.daily { Inputs::from([("now".to_owned(), day)]) } else { Inputs::new() }
    }
}

pub(crate) fn format() -> PipelineFormat {
    PipelineFormat::new([Kind::of::<Table>("table"), Kind::of::<Files>("files"), Kind::of::<Verdict>("verdict")])
}

pub(crate) fn parse(text: &str) -> Result<Pipeline, crate::Diagnostics> {
    format().parse("p.yaml", text, None)
}

/// A table with these keys.
pub(crate) fn table(keys: Value) -> Asset {
    match keys {
        Value::Object(keys) => Asset::read(Kind::of::<Table>("table"), keys).unwrap(),
        other => panic!("{other} is not the keys of an asset"),
    }
}

#[test]
fn the_schema_and_the_types_agree() {
    let format = format();
    jsonschema::meta::validate(format.schema()).unwrap();
    let validator = jsonschema::draft202012::new(format.schema()).unwrap();
    let sound = json!({
        "version": 1, "name": "p",
        "assets": { "a": { "kind": "table", "settings": { "x": 1 } }, "f": { "kind": "files", "from": "a", "to": "o" } },
    });
    assert!(validator.is_valid(&sound));
    for (pointer, wrong) in [
        ("/assets/a/kind", json!("tabel")),
        ("/assets/a/settings", json!([])),
        ("/assets/a", json!({ "kind": "table", "form": "a" })),
        ("/assets/f", json!({ "kind": "files", "from": "a" })),
        ("/version", json!(2)),
        ("/name", json!("P")),
    ] {
        let mut file = sound.clone();
        *file.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&file), "{pointer}");
        assert!(parse(&file.to_string()).is_err(), "{pointer}");
    }
}
