//! Rows as documents: the columns that become fields, and the mapping that follows from them.

use es_core::{Mapping, Properties};
use es_frame::{MappingOptions, WriterOptions, infer_mapping_of, infer_mapping_of_json, infer_mapping_with};
use polars::prelude::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::warn;

use super::csv_options::ColumnType;
use super::format::FileFormat;
use super::source::Source;
use crate::error::{Error, ErrorKind};

/// The treatment of columns that the mappings do not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Undeclared {
    /// They are mapped by their type in the file.
    #[default]
    Infer,
    /// They are left out. In NDJSON they stay in the document and cannot be searched.
    Ignore,
    /// They are an error. A line of NDJSON that has one is rejected.
    Reject,
}

impl Undeclared {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Infer, Self::Ignore, Self::Reject];

    /// The name in options.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::Ignore => "ignore",
            Self::Reject => "reject",
        }
    }
}

impl std::fmt::Display for Undeclared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Undeclared {
    type Err = es_values::InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == text).ok_or_else(|| {
            let help = es_values::suggestion(text, "choices", Self::ALL.map(Self::as_str));
            es_values::InvalidValue::new(format!("`{text}` is not a choice for undeclared columns"), help)
        })
    }
}

/// The basis on which the mapping of the documents is inferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MappingBasis {
    /// The types and the first values: long texts become `text`, and in CSV and NDJSON texts that are
    /// dates become `date`.
    #[default]
    Values,
    /// The types alone, so that other values of the same types have the same mapping.
    Types,
}

/// The options of turning rows into documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentOptions {
    /// Ids, routing, operation, names and numbers. Lines of NDJSON are sent as they are: of these
    /// options only id, routing and operation apply to them.
    pub writer: WriterOptions,
    /// The column or field that holds a row's time, which is mapped as a date.
    pub time: Option<String>,
    /// The declared mapping, which overrides the inferred one.
    pub mapping: Mapping,
    /// The treatment of columns that the declared mapping does not name.
    pub undeclared: Undeclared,
    /// The basis of the inferred mapping.
    pub basis: MappingBasis,
}

/// The role of a column that options name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnRole {
    /// A part of the id, by its number in [`WriterOptions::id`].
    Id(usize),
    /// The time of a row.
    Time,
    /// The routing.
    Routing,
    /// The external version.
    Version,
}

/// Options and columns that do not fit together, with the role of the column, so that a caller can
/// point to the option. As an [`Error`] it is of the kind [`ErrorKind::Request`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ColumnError {
    /// The role of a column that is missing; `None` for a column that is not declared.
    pub role: Option<ColumnRole>,
    /// The column.
    pub column: String,
    /// The message.
    pub message: String,
    /// The next step for a person.
    pub help: String,
}

impl From<ColumnError> for Error {
    fn from(error: ColumnError) -> Self {
        Self::new(ErrorKind::Request, error.message).with_help(error.help)
    }
}

impl DocumentOptions {
    /// The columns of a table that become fields or decide on the action.
    ///
    /// # Errors
    /// When a named column is missing, or one is not declared and [`Undeclared::Reject`] is set.
    pub fn columns(&self, schema: &Schema) -> Result<Vec<String>, ColumnError> {
        let writer = &self.writer;
        let id = writer.id.iter().enumerate().map(|(number, name)| (ColumnRole::Id(number), name));
        let others = [
            (ColumnRole::Time, &self.time),
            (ColumnRole::Routing, &writer.routing),
            (ColumnRole::Version, &writer.version),
        ];
        let others = others.into_iter().filter_map(|(role, name)| Some((role, name.as_ref()?)));
        if let Some((role, name)) = id.chain(others).find(|(_, name)| !schema.contains(name)) {
            let columns = schema.iter_names().map(|name| name.as_str());
            return Err(ColumnError {
                role: Some(role),
                column: name.clone(),
                message: format!("the files have no column `{name}`"),
                help: es_values::suggestion(name, "columns", columns),
            });
        }
        let mut columns: Vec<String> = schema.iter_names().map(|name| name.to_string()).collect();
        match self.undeclared {
            Undeclared::Infer => {}
            Undeclared::Ignore => columns.retain(|name| self.knows(name)),
            Undeclared::Reject => {
                if let Some(column) = columns.iter().find(|name| !self.knows(name)).cloned() {
                    return Err(ColumnError {
                        role: None,
                        message: format!("column `{column}` is in the files and not in the declared mapping"),
                        help: "declare it, or infer or ignore undeclared columns".to_owned(),
                        column,
                    });
                }
            }
        }
        Ok(columns)
    }

    /// The mapping of the documents of a source: inferred, with the declared one over it. Its `dynamic`
    /// says what becomes of fields that it does not have. Blocks, as the first rows may be read.
    ///
    /// # Errors
    /// When a column has a type that Elasticsearch has no type for, as [`Self::columns`], and when the
    /// first rows cannot be read.
    pub fn mapping(&self, source: &Source) -> Result<Mapping, Error> {
        let is_raw = source.format() == FileFormat::Ndjson;
        let by_values = self.basis == MappingBasis::Values;
        let mut options = MappingOptions {
            dotted_names: self.writer.dotted_names,
            dates_in_text: by_values && matches!(source.format(), FileFormat::Csv | FileFormat::Ndjson),
            ..MappingOptions::default()
        };
        let mut mapping = if is_raw {
            if !by_values {
                options.longest_keyword = usize::MAX;
            }
            self.of_lines(source, &options)?
        } else {
            self.of_table(source, &options, by_values)?
        };
        let csv = &source.read_options().csv.types;
        for (name, column) in csv {
            let Some(definition) = mapping.properties.get_mut(name) else { continue };
            match column {
                ColumnType::Date => *definition = json!({"type": "date"}),
                ColumnType::Text if definition["type"] == "date" => {
                    *definition = json!({"type": "keyword", "ignore_above": options.ignore_above});
                }
                _ => {}
            }
        }
        if let Some(time) = &self.time {
            map_as_date(&mut mapping.properties, time);
        }
        let dynamic = match (is_raw, self.undeclared) {
            // Later lines may have fields that the first ones lack.
            (true, Undeclared::Infer) => "true",
            (true, Undeclared::Ignore) => "false",
            _ => "strict",
        };
        mapping.parameters.insert("dynamic".to_owned(), json!(dynamic));
        Ok(mapping.overridden_by(&self.mapping))
    }

    fn of_table(&self, source: &Source, options: &MappingOptions, by_values: bool) -> Result<Mapping, Error> {
        let Some(schema) = source.schema() else { return Ok(Mapping::default()) };
        let columns = self.columns(schema)?;
        let sample = if by_values { source.sample_rows()? } else { None };
        Ok(match sample {
            Some(sample) => infer_mapping_of(&sample.select(columns.iter().map(String::as_str))?, options)?,
            None => {
                let fields = columns.iter().filter_map(|name| schema.get_full(name));
                let used: Schema = fields.map(|(_, name, dtype)| (name.clone(), dtype.clone())).collect();
                infer_mapping_with(&used, options)?
            }
        })
    }

    /// The mapping that the first lines imply. As lines are sent as they are, lines that do not agree on
    /// a type are not an error: the server maps the fields.
    fn of_lines(&self, source: &Source, options: &MappingOptions) -> Result<Mapping, Error> {
        let mut mapping = match infer_mapping_of_json(&source.sample_documents()?, options) {
            Ok(mapping) => mapping,
            Err(error) => {
                warn!(%error, "no mapping is inferred; the server maps the fields");
                Mapping::default()
            }
        };
        if self.undeclared != Undeclared::Infer {
            mapping.properties.retain(|name, _| self.knows(name));
        }
        Ok(mapping)
    }

    /// Returns true when a column or a field is declared or has a role.
    fn knows(&self, name: &str) -> bool {
        let writer = &self.writer;
        let roles = [&self.time, &writer.routing, &writer.version, &writer.operation_column, &writer.pipeline];
        let mut used = writer.id.iter().chain(roles.into_iter().flatten());
        let is_at = |path: &str| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        used.any(|path| is_at(path)) || self.mapping.field(name).is_some()
    }
}

/// Makes a field a date, unless it is one.
fn map_as_date(fields: &mut Properties, path: &str) {
    if let Some(definition) = fields.get_mut(path) {
        let is_date = definition["type"].as_str().is_some_and(|name| matches!(name, "date" | "date_nanos"));
        if !is_date {
            *definition = json!({"type": "date"});
        }
        return;
    }
    let inside = path.split_once('.').filter(|(object, _)| {
        fields.get(*object).is_some_and(|object| object.get("properties").is_some_and(Value::is_object))
    });
    match inside {
        Some((object, rest)) => {
            if let Some(inner) = fields.get_mut(object).and_then(|object| object["properties"].as_object_mut()) {
                map_as_date(inner, rest);
            }
        }
        None => drop(fields.insert(path.to_owned(), json!({"type": "date"}))),
    }
}
