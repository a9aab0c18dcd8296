//! The form of a pipeline file: the kinds of assets and the sections of settings that it may hold,
//! and its JSON Schema.

use std::fmt;
use std::sync::OnceLock;

use es_values::{Format, InvalidValue, check_name};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::asset::schema_of;
use crate::key_path::KeyPath;
use crate::kind::Kind;
use crate::schedule::{Cron, DailyWindow};
use crate::validate::Report;

/// The form of a pipeline file. It knows no kind and no setting of its own: whoever reads files
/// says which there are.
///
/// See [`Kind`] for an example.
pub struct PipelineFormat {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) settings: SettingsFormat,
    pub(crate) planned: Planned,
    formats: Vec<Format>,
    schema: OnceLock<Value>,
}

/// The sections of settings that a pipeline file may hold, and their rules.
#[derive(Clone, Debug)]
pub struct SettingsFormat {
    /// The sections, in the order of the documentation.
    pub sections: Vec<Section>,
    /// Puts a layer of sections over those below it.
    pub overlay: fn(&mut Value, Value),
    /// Reports what is wrong within the sections of one place: the file, or one of its
    /// environments, which starts at the path.
    pub validate_layer: fn(&Value, &KeyPath, &mut Report<'_>),
    /// Reports what is wrong with the sections of the chosen environment over those of the file.
    pub validate: fn(&Value, &mut Report<'_>),
}

/// A section of settings: a key at the top of the file and in each environment.
#[derive(Clone, Copy)]
pub struct Section {
    name: &'static str,
    description: &'static str,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

/// Parts of the format that this version does not have: a user who knows them from the
/// documentation should learn that, instead of that the name is unknown.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// Kinds of assets.
    pub kinds: &'static [&'static str],
    /// Sections at the top of the file.
    pub sections: &'static [&'static str],
}

impl Section {
    /// The section called `name`, with the keys of `T`.
    #[must_use]
    pub fn of<T: JsonSchema>(name: &'static str, description: &'static str) -> Self {
        Self { name, description, schema: SchemaGenerator::subschema_for::<Option<T>> }
    }

    /// The key of the section.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Section").field(&self.name).finish()
    }
}

impl Default for SettingsFormat {
    fn default() -> Self {
        Self { sections: Vec::new(), overlay: merge, validate_layer: |_, _, _| {}, validate: |_, _| {} }
    }
}

/// Puts `layer` over `base`: objects are merged key by key, anything else is replaced.
pub fn merge(base: &mut Value, layer: Value) {
    match (base, layer) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                match below.get_mut(&key) {
                    Some(present) => merge(present, value),
                    None => {
                        below.insert(key, value);
                    }
                }
            }
        }
        (base, layer) => *base = layer,
    }
}

/// The formats of texts that every pipeline file has.
const FORMATS: [Format; 3] = [
    Format {
        name: "cron",
        noun: "a cron expression such as `0 2 * * *`",
        check: |text| text.parse::<Cron>().map(drop),
    },
    Format {
        name: "daily-window",
        noun: "a time of day range such as `01:00-05:00`",
        check: |text| text.parse::<DailyWindow>().map(drop),
    },
    Format { name: "pipeline-name", noun: "a name of `a-z`, `0-9`, `_` and `-`", check: check_pipeline_name },
];

fn check_pipeline_name(text: &str) -> Result<(), InvalidValue> {
    check_name(text, &['-'])?;
    if text.starts_with(['-', '_']) {
        return Err(InvalidValue::new(
            format!("`{text}` starts with `{}`", &text[..1]),
            "start the name with a letter or a digit, because index names start with it",
        ));
    }
    Ok(())
}

impl PipelineFormat {
    /// The format with assets of these kinds, and without settings.
    #[must_use]
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self {
            kinds: kinds.into_iter().collect(),
            settings: SettingsFormat::default(),
            planned: Planned::default(),
            formats: FORMATS.to_vec(),
            schema: OnceLock::new(),
        }
    }

    /// Adds sections of settings.
    #[must_use]
    pub fn with_settings(self, settings: SettingsFormat) -> Self {
        Self { settings, schema: OnceLock::new(), ..self }
    }

    /// Adds formats of texts that the schemas of kinds or settings name.
    #[must_use]
    pub fn with_text_formats(mut self, formats: impl IntoIterator<Item = Format>) -> Self {
        self.formats.extend(formats);
        self
    }

    /// Adds parts of the format that a later version has.
    #[must_use]
    pub fn with_planned(self, planned: Planned) -> Self {
        Self { planned, ..self }
    }

    /// The names of the kinds, in the order of the documentation.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        self.kinds.iter().map(Kind::name).collect()
    }

    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        self.kinds.iter().copied().find(|kind| kind.name() == name)
    }

    /// The format of texts called `name`; `None` where any text will do.
    #[must_use]
    pub fn text_format(&self, name: &str) -> Option<Format> {
        self.formats.iter().copied().find(|format| format.name == name).or_else(|| Format::named(name))
    }

    /// The JSON Schema (draft 2020-12) of the pipeline file, for editors and for tools that write
    /// one.
    #[must_use]
    pub fn schema(&self) -> &Value {
        self.schema.get_or_init(|| self.make_schema())
    }

    fn make_schema(&self) -> Value {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let kinds: Vec<Schema> = self.kinds.iter().map(|kind| schema_of(*kind, &mut generator)).collect();
        let sections: Map<String, Value> = self
            .settings
            .sections
            .iter()
            .map(|section| {
                let mut schema = (section.schema)(&mut generator);
                schema.insert("description".to_owned(), json!(section.description));
                (section.name.to_owned(), schema.to_value())
            })
            .collect();
        let mut definitions = generator.take_definitions(true);
        definitions
            .insert("Asset".to_owned(), json!({ "description": "Something that is kept up to date.", "oneOf": kinds }));
        definitions.insert(
            "Environment".to_owned(),
            json!({
                "description": "Settings that replace those of the file when the environment is chosen.",
                "type": "object", "properties": sections, "additionalProperties": false,
            }),
        );
        let name = json!({ "format": "name", "pattern": "^[a-z0-9_]+$" });
        let mut properties = Map::new();
        let mut add = |key: &str, schema: Value| properties.insert(key.to_owned(), schema);
        add(
            "version",
            json!({ "description": "The version of the format.", "type": "integer", "format": "uint32", "minimum": 0, "enum": [1] }),
        );
        add(
            "name",
            json!({
                "description": "The name of the pipeline.", "type": "string",
                "format": "pipeline-name", "pattern": "^[a-z0-9][a-z0-9_-]*$",
            }),
        );
        add("description", json!({ "description": "The purpose of the pipeline.", "type": ["string", "null"] }));
        for (name, section) in &sections {
            add(name, section.clone());
        }
        add(
            "assets",
            json!({
                "description": "The assets, by name.", "type": "object",
                "additionalProperties": { "$ref": "#/$defs/Asset" }, "propertyNames": name, "minProperties": 1,
            }),
        );
        add(
            "environments",
            json!({
                "description": "Settings that replace those above when the environment of that name is chosen.",
                "type": ["object", "null"], "additionalProperties": { "$ref": "#/$defs/Environment" },
                "propertyNames": name,
            }),
        );
        let root = json_schema!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Pipeline",
            "description": "Assets on Elasticsearch and how to keep them up to date.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "required": ["version", "name", "assets"],
            "$defs": definitions,
        });
        root.to_value()
    }
}

impl fmt::Debug for PipelineFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineFormat").field("kinds", &self.kinds).field("settings", &self.settings).finish()
    }
}
