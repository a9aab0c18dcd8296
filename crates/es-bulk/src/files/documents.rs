//! Rows as documents: the columns that become fields, and the mapping that follows from them.

use std::path::PathBuf;

use es_core::{Mapping, Properties};
use es_frame::{JsonSample, MappingOptions, WriterOptions, infer_mapping_of, infer_mapping_with};
use polars::prelude::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::warn;

use super::csv_options::ColumnType;
use super::format::FileFormat;
use super::names::{METADATA, refused_metadata, reserved};
use super::options::ReadOptions;
use super::raw_lines::RawOptions;
use super::refused::RefusedLine;
use super::source::{Refusals, Source};
use crate::error::{Error, ErrorKind, Remedy};

/// The treatment of columns that the mappings do not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Undeclared {
    /// They are mapped by their type in the file.
    #[default]
    Infer,
    /// They are left out. In JSON they stay in the document and cannot be searched.
    Ignore,
    /// They are an error. A document of JSON that has one is rejected.
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
    /// The types and the first values: long texts become `text`, and in CSV and JSON texts that are
    /// dates become `date`.
    #[default]
    Values,
    /// The types alone, so that other values of the same types have the same mapping.
    Types,
}

/// The options of turning rows into documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentOptions {
    /// Ids, routing, operation, names and numbers. Documents of JSON are sent as they are: of these
    /// options only id, routing, version and operation apply to them.
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
    /// True if the column has the name of metadata, and no option names it.
    pub is_metadata: bool,
    /// The message.
    pub message: String,
    /// The next step for a person.
    pub help: String,
}

impl From<ColumnError> for Error {
    fn from(error: ColumnError) -> Self {
        let refused = Self::new(ErrorKind::Request, error.message).with_help(error.help);
        match error.is_metadata && METADATA.contains(&error.column.as_str()) {
            true => refused.with_remedy(Remedy::Metadata(error.column)),
            false => refused,
        }
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
                is_metadata: false,
                message: format!("the files have no column `{name}`"),
                help: es_values::suggestion(name, "columns", columns),
            });
        }
        let mut columns: Vec<String> = schema.iter_names().map(|name| name.to_string()).collect();
        let is_named = |name: &str| METADATA.contains(&name) && writer.names(name);
        let is_left_out = |name: &str| self.undeclared == Undeclared::Ignore && !self.knows(name);
        let metadata = |name: &&String| reserved(name).is_some() && !is_named(name) && !is_left_out(name);
        if let Some(column) = columns.iter().find(metadata).cloned() {
            return Err(ColumnError {
                role: None,
                message: format!("column `{column}` is metadata, which Elasticsearch keeps outside of documents"),
                help: match METADATA.contains(&column.as_str()) {
                    true => format!("name `{column}` as the column of what it says, or leave it out of the files"),
                    false => "rename the column, or leave it out of the files".to_owned(),
                },
                is_metadata: true,
                column,
            });
        }
        match self.undeclared {
            Undeclared::Infer => {}
            Undeclared::Ignore => columns.retain(|name| self.knows(name)),
            Undeclared::Reject => {
                if let Some(column) = columns.iter().find(|name| !self.knows(name)).cloned() {
                    return Err(ColumnError {
                        role: None,
                        message: format!("column `{column}` is in the files and not in the declared mapping"),
                        help: "declare it, or infer or ignore undeclared columns".to_owned(),
                        is_metadata: false,
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
        let (mapping, notes) = self.inferred(source)?;
        notes.iter().for_each(|note| warn!("{note}"));
        Ok(mapping)
    }

    /// As [`Self::mapping`], with a sentence about each field whose values have several types in the
    /// first documents, and about what else a person should know of the files.
    ///
    /// # Errors
    /// As [`Self::mapping`].
    pub fn inferred(&self, source: &Source) -> Result<(Mapping, Vec<String>), Error> {
        let is_raw = source.format().has_documents();
        let by_values = self.basis == MappingBasis::Values;
        let mut options = MappingOptions {
            dotted_names: self.writer.dotted_names,
            dates_in_text: by_values && (is_raw || source.format() == FileFormat::Csv),
            ..MappingOptions::default()
        };
        let (mut mapping, notes) = if is_raw {
            if !by_values {
                options.longest_keyword = usize::MAX;
            }
            self.of_documents(source, options.clone())?
        } else {
            (self.of_table(source, &options, by_values)?, Vec::new())
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
        if dynamic == "true" {
            mapping.parameters.insert("dynamic_templates".to_owned(), number_templates());
        }
        self.mapping.properties.keys().for_each(|path| remove(&mut mapping.properties, path));
        Ok((mapping.overridden_by(&self.mapping), notes))
    }

    fn of_table(&self, source: &Source, options: &MappingOptions, by_values: bool) -> Result<Mapping, Error> {
        let Some(schema) = source.schema() else { return Ok(Mapping::default()) };
        let mut columns = self.columns(schema)?;
        columns.retain(|name| !self.writer.is_metadata(name));
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

    /// The mapping that the first documents imply. As documents are sent as they are, those that do not
    /// agree on a type are not an error.
    fn of_documents(&self, source: &Source, options: MappingOptions) -> Result<(Mapping, Vec<String>), Error> {
        let writer = &self.writer;
        let raw = RawOptions {
            id: writer.id.clone(),
            routing: writer.routing.clone(),
            version: writer.version.clone(),
            fields: Vec::new(),
            read: ReadOptions::clone(source.read_options()),
        };
        let mut sample = JsonSample::new(options);
        refuse_metadata(source.sample_documents(&raw, &mut sample)?)?;
        let mut inferred = sample.finish()?;
        let properties = &mut inferred.mapping.properties;
        if self.undeclared != Undeclared::Infer {
            properties.retain(|name, _| self.knows(name));
        }
        let undeclared = inferred.mixed.into_iter().filter(|mixed| self.mapping.field(&mixed.path).is_none());
        let notes: Vec<String> = undeclared.map(|mixed| mixed.to_string()).collect();
        Ok((inferred.mapping, notes))
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

/// Maps numbers of later documents so that none of them loses a digit: by its own rules the server takes
/// 32-bit floats, and cuts fractions off where the first number had none.
fn number_templates() -> Value {
    let template = |of: &str, mapping: Value| json!({of: {"match_mapping_type": of, "mapping": mapping}});
    json!([template("long", json!({"type": "long", "coerce": false})), template("double", json!({"type": "double"}))])
}

/// Refuses a file whose documents all have metadata among their fields.
fn refuse_metadata(refusals: Refusals) -> Result<(), Error> {
    let metadata = |(path, refused): (PathBuf, RefusedLine)| {
        let field = refused_metadata(&refused.reason)?;
        Some(metadata_among_fields(field, &format!("{}, line {}", path.display(), refused.row)))
    };
    match refusals.into_iter().find_map(metadata) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn metadata_among_fields(field: &str, place: &str) -> Error {
    let message = format!("{place}: field {field} is metadata, which Elasticsearch keeps outside of documents");
    let error = Error::new(ErrorKind::Request, message);
    match METADATA.contains(&field) {
        true => error
            .with_help(format!("name {field} as the column of what it says, or leave it out of the file"))
            .with_remedy(Remedy::Metadata(field.to_owned())),
        false => error.with_help("rename the field, or leave it out of the file"),
    }
}

/// Removes a field that is declared by a path with dots from the objects that it is in.
fn remove(fields: &mut Properties, path: &str) {
    let inside = path.split_once('.').and_then(|(object, rest)| {
        let inner = fields.get_mut(object)?.get_mut("properties")?.as_object_mut()?;
        Some((inner, rest))
    });
    if let Some((inner, rest)) = inside {
        inner.remove(rest);
        remove(inner, rest);
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
