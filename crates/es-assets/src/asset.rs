//! An asset: the keys that all kinds have, and the definition of its kind.

use std::sync::Arc;

use es_values::TimeZoneName;
use es_values::schema::Names;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::key_path::KeyPath;
use crate::kind::{Definition, InvalidDefinition, Kind, Output, Reference, Takes};
use crate::partition::Partitions;
use crate::schedule::{Cron, DailyWindow};

/// Something that is kept up to date.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The purpose of the asset.
    pub description: Option<String>,
    /// Assets that must be up to date before this one, beside those it reads.
    pub deps: Vec<String>,
    /// Names by which several assets are selected at once.
    pub tags: Vec<String>,
    /// The retries of the work on it; without them, the pipeline's default.
    pub retries: Option<Retries>,
    /// When it is brought up to date without being asked.
    pub automation: Option<Automation>,
    kind: Kind,
    definition: Arc<dyn Definition>,
}

/// The number of retries, and the wait in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retries {
    /// The number of retries after the first attempt.
    pub max: u32,
    /// The growth of the wait from one retry to the next.
    pub backoff: Backoff,
}

impl Default for Retries {
    fn default() -> Self {
        Self { max: 3, backoff: Backoff::Exponential }
    }
}

/// The growth of the wait between retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// It doubles, with jitter.
    Exponential,
    /// There is none.
    None,
}

/// The defaults of all assets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    /// The retries of failed work on an asset or partition.
    pub retries: Retries,
}

/// When an asset is brought up to date without being asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Automation {
    /// The times at which it is due.
    pub cron: Cron,
    /// The time zone of `cron` and `between`.
    #[serde(default)]
    pub timezone: TimeZoneName,
    /// The hours in which it may start.
    pub between: Option<DailyWindow>,
}

/// The keys that assets of every kind have.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CommonKeys {
    /// The purpose of the asset.
    description: Option<String>,
    /// Assets that must be up to date before this one, beside those it reads.
    #[serde(default)]
    #[schemars(with = "Names")]
    deps: Vec<String>,
    /// Names by which several assets are selected at once.
    #[serde(default)]
    #[schemars(with = "Names")]
    tags: Vec<String>,
    /// The retries of the work on the asset.
    retries: Option<Retries>,
    /// When the asset is brought up to date without being asked.
    automation: Option<Automation>,
}

const COMMON_KEYS: [&str; 5] = ["description", "deps", "tags", "retries", "automation"];

impl Asset {
    /// Reads the keys of an asset, without `kind`.
    pub(crate) fn read(kind: Kind, mut keys: Map<String, Value>) -> Result<Self, InvalidDefinition> {
        let mut common = Map::new();
        for key in COMMON_KEYS {
            if let Some(value) = keys.shift_remove(key) {
                common.insert(key.to_owned(), value);
            }
        }
        let common: CommonKeys = serde_json::from_value(Value::Object(common))
            .map_err(|error| InvalidDefinition { path: KeyPath::root(), message: error.to_string() })?;
        let definition = kind.read(Value::Object(keys))?;
        Ok(Self {
            description: common.description,
            deps: common.deps,
            tags: common.tags,
            retries: common.retries,
            automation: common.automation,
            kind,
            definition,
        })
    }

    /// The name of its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// The definition of its kind.
    #[must_use]
    pub fn definition(&self) -> &Arc<dyn Definition> {
        &self.definition
    }

    /// The definition as that of one kind; `None` if it is another kind's.
    #[must_use]
    pub fn definition_as<D: Definition>(&self) -> Option<&D> {
        self.definition.downcast_ref()
    }

    /// The output that other assets can take from it.
    #[must_use]
    pub fn output(&self) -> Output {
        self.definition.output()
    }

    /// The division by time, if there is one.
    #[must_use]
    pub fn partitions(&self) -> Option<&Partitions> {
        self.definition.partitions()
    }

    /// Every mention of another asset: those of its kind, then `deps`.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let mut references = self.definition.reads();
        let deps = KeyPath::root().key("deps");
        references.extend(self.deps.iter().enumerate().map(|(index, asset)| Reference {
            path: deps.index(index),
            asset: asset.clone(),
            takes: Takes::Order,
        }));
        references
    }

    /// Every asset that must be up to date before this one, each once: those it reads, then `deps`.
    #[must_use]
    pub fn upstream(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for reference in self.references() {
            if !names.contains(&reference.asset) {
                names.push(reference.asset);
            }
        }
        names
    }
}

/// The schema of the assets of a kind: `kind` and the common keys before its own, and no others.
pub(crate) fn schema_of(kind: Kind, generator: &mut SchemaGenerator) -> Schema {
    let properties = |schema: &Schema| schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let (mut schema, common) = (kind.schema(generator), CommonKeys::json_schema(generator));
    let mut keys = Map::new();
    keys.insert("kind".to_owned(), json!({ "type": "string", "const": kind.name() }));
    keys.extend(properties(&common));
    keys.extend(properties(&schema));
    let mut required = vec![json!("kind")];
    required.extend(schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default());
    schema.insert("properties".to_owned(), Value::Object(keys));
    schema.insert("required".to_owned(), Value::Array(required));
    schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    schema
}
