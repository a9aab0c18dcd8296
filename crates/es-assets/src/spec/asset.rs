//! An asset: what all kinds have in common, and the specification of its kind.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{Export, FeatureJoin, Features, Ingest, Monitor, Retries};
use es_values::schema::Names;

/// Something that is kept up to date.
#[derive(Debug, Clone, PartialEq)]
pub struct Asset {
    /// What it is for.
    pub description: Option<String>,
    /// Assets that must be up to date before this one, beside those it reads.
    pub deps: Vec<String>,
    /// Names by which several assets are selected at once.
    pub tags: Vec<String>,
    /// How often the work on it is tried again; without it, the pipeline's default.
    pub retries: Option<Retries>,
    /// What it is.
    pub spec: AssetSpec,
}

/// The specification of an asset, by kind.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a pipeline holds tens of assets, and each is built once")]
pub enum AssetSpec {
    /// Files into an index.
    Ingest(Ingest),
    /// Features into an index.
    Features(Features),
    /// A data set as files.
    Export(Export),
    /// Drift between two windows.
    Monitor(Monitor),
}

/// The kind of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetKind {
    /// Files into an index.
    Ingest,
    /// Features into an index.
    Features,
    /// A data set as files.
    Export,
    /// Drift between two windows.
    Monitor,
}

impl AssetKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Ingest, Self::Features, Self::Export, Self::Monitor];

    /// Kinds of the format that this version does not have.
    pub(crate) const UNSUPPORTED: [&str; 5] = ["source", "sql", "command", "inference", "anomaly"];

    /// The name that users write after `kind:`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Features => "features",
            Self::Export => "export",
            Self::Monitor => "monitor",
        }
    }

    /// The kind called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether assets of this kind are indices, which others can read.
    #[must_use]
    pub fn is_index(self) -> bool {
        matches!(self, Self::Ingest | Self::Features)
    }
}

impl fmt::Display for AssetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Asset {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> AssetKind {
        match self.spec {
            AssetSpec::Ingest(_) => AssetKind::Ingest,
            AssetSpec::Features(_) => AssetKind::Features,
            AssetSpec::Export(_) => AssetKind::Export,
            AssetSpec::Monitor(_) => AssetKind::Monitor,
        }
    }

    /// The asset whose documents this one reads.
    #[must_use]
    pub fn reads(&self) -> Option<&str> {
        match &self.spec {
            AssetSpec::Ingest(_) => None,
            AssetSpec::Features(features) => Some(&features.from),
            AssetSpec::Export(export) => Some(&export.from),
            AssetSpec::Monitor(monitor) => Some(&monitor.of),
        }
    }

    /// The assets whose feature rows are joined to what this one reads.
    #[must_use]
    pub fn joins(&self) -> &[FeatureJoin] {
        match &self.spec {
            AssetSpec::Export(export) => &export.features,
            _ => &[],
        }
    }

    /// Every asset that must be up to date before this one, each once: the one it reads, those
    /// it joins, then `deps`.
    #[must_use]
    pub fn upstream(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.reads().into_iter().collect();
        let joined = self.joins().iter().map(|join| &join.from);
        for name in joined.chain(&self.deps) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }
}

/// The keys that assets of every kind have.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CommonKeys {
    /// What the asset is for.
    description: Option<String>,
    /// Assets that must be up to date before this one, beside those it reads.
    #[serde(default)]
    #[schemars(with = "Names")]
    deps: Vec<String>,
    /// Names by which several assets are selected at once.
    #[serde(default)]
    #[schemars(with = "Names")]
    tags: Vec<String>,
    /// How often the work on the asset is tried again.
    retries: Option<Retries>,
}

const COMMON_KEYS: [&str; 4] = ["description", "deps", "tags", "retries"];

impl<'de> Deserialize<'de> for Asset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut keys = Map::deserialize(deserializer)?;
        let kind = keys.shift_remove("kind");
        let kind = kind.as_ref().and_then(Value::as_str).ok_or_else(|| D::Error::missing_field("kind"))?;
        let kind = AssetKind::named(kind).ok_or_else(|| D::Error::custom(format!("kind `{kind}` is not supported")))?;
        let mut common = Map::new();
        for key in COMMON_KEYS {
            if let Some(value) = keys.shift_remove(key) {
                common.insert(key.to_owned(), value);
            }
        }
        let common: CommonKeys = from_keys(common)?;
        let spec = match kind {
            AssetKind::Ingest => AssetSpec::Ingest(from_keys(keys)?),
            AssetKind::Features => AssetSpec::Features(from_keys(keys)?),
            AssetKind::Export => AssetSpec::Export(from_keys(keys)?),
            AssetKind::Monitor => AssetSpec::Monitor(from_keys(keys)?),
        };
        Ok(Self {
            description: common.description,
            deps: common.deps,
            tags: common.tags,
            retries: common.retries,
            spec,
        })
    }
}

fn from_keys<T: DeserializeOwned, E: serde::de::Error>(keys: Map<String, Value>) -> Result<T, E> {
    serde_json::from_value(Value::Object(keys)).map_err(E::custom)
}

impl JsonSchema for Asset {
    fn schema_name() -> Cow<'static, str> {
        "Asset".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds = AssetKind::ALL.map(|kind| {
            let spec = match kind {
                AssetKind::Ingest => Ingest::json_schema(generator),
                AssetKind::Features => Features::json_schema(generator),
                AssetKind::Export => Export::json_schema(generator),
                AssetKind::Monitor => Monitor::json_schema(generator),
            };
            with_common_keys(kind, spec, CommonKeys::json_schema(generator))
        });
        json_schema!({
            "description": "Something that is kept up to date.",
            "oneOf": kinds,
        })
    }
}

/// The schema of a kind with `kind` and the common keys before its own.
fn with_common_keys(kind: AssetKind, mut spec: Schema, common: Schema) -> Schema {
    let properties = |schema: &Schema| schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut keys = Map::new();
    keys.insert("kind".to_owned(), json!({ "type": "string", "const": kind.as_str() }));
    keys.extend(properties(&common));
    keys.extend(properties(&spec));
    let mut required = vec![json!("kind")];
    required.extend(spec.get("required").and_then(Value::as_array).cloned().unwrap_or_default());
    spec.insert("properties".to_owned(), Value::Object(keys));
    spec.insert("required".to_owned(), Value::Array(required));
    spec
}
