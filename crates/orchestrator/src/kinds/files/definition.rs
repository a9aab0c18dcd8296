//! What the definition of an `ingest` asset says of its files, held against the files: which
//! they are, which columns become fields, and the mapping that follows.

use std::path::{Path, PathBuf};

use es_bulk::files::FileIdentity;
use es_core::Mapping;
use es_frame::{FieldNames, MappingOptions, WriterOptions, infer_mapping_with};
use polars::prelude::{DataType, Schema};
use serde_json::{Value, json};

use crate::error::Error;
use crate::kinds::spec::{DottedNames, Ingest, NonFinite, Undeclared};
use crate::project::Project;

pub(super) fn paths(project: &Project, asset: &str, ingest: &Ingest) -> Result<Vec<PathBuf>, Error> {
    let key = format!("assets.{asset}.from.path");
    let pattern = project.path(&ingest.from.path);
    let text = pattern.to_string_lossy();
    let wrong = |message: String, hint: &str| project.pipeline.diagnose(&key, &message, Some(hint)).into();
    let matches =
        glob::glob(&text).map_err(|error| wrong(format!("`{}` is no pattern: {error}", ingest.from.path), ""))?;
    let mut paths = Vec::new();
    for found in matches {
        paths.push(found.map_err(|error| wrong(format!("a folder cannot be read: {error}"), "check who may read it"))?);
    }
    paths.sort();
    if paths.is_empty() {
        let hint = nearest_file(&pattern).map_or_else(
            || format!("paths start at {}", project.folder.display()),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(wrong(format!("there is no file `{}`", ingest.from.path), &hint));
    }
    Ok(paths)
}

/// A file of the same folder with a similar name.
fn nearest_file(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::read_dir(folder).ok()?;
    let names: Vec<String> = folder.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    es_values::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
}

pub(super) fn identity(project: &Project, path: &Path) -> Result<FileIdentity, Error> {
    let name = path.strip_prefix(&project.folder).unwrap_or(path).display().to_string();
    Ok(FileIdentity::of(path, name)?)
}

/// The columns that become fields, and whether those that the definition names are there.
pub(super) fn columns(
    project: &Project,
    asset: &str,
    ingest: &Ingest,
    schema: &Schema,
    file: &Path,
) -> Result<Vec<String>, Error> {
    let present: Vec<&str> = schema.iter_names().map(|name| name.as_str()).collect();
    let require = |name: &str, key: String| -> Result<(), Error> {
        if schema.contains(name) {
            return Ok(());
        }
        let file = file.strip_prefix(&project.folder).unwrap_or(file).display();
        let hint = match es_values::nearest(name, present.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its columns are {}", present.join(", ")),
        };
        Err(project.pipeline.diagnose(&key, &format!("{file} has no column `{name}`"), Some(&hint)).into())
    };
    for (place, name) in ingest.id.iter().flatten().enumerate() {
        require(name, format!("assets.{asset}.id[{place}]"))?;
    }
    for (name, key) in [(&ingest.time, "time"), (&ingest.routing, "routing")] {
        if let Some(name) = name {
            require(name, format!("assets.{asset}.{key}"))?;
        }
    }
    let declared = |name: &str| {
        ingest
            .index
            .mappings
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|fields| fields.contains_key(name))
    };
    let named = |name: &str| {
        let columns = ingest.id.iter().flatten().chain(&ingest.time).chain(&ingest.routing);
        columns.into_iter().any(|column| column == name)
    };
    match ingest.undeclared {
        Undeclared::Infer => Ok(present.into_iter().map(str::to_owned).collect()),
        Undeclared::Ignore => {
            Ok(present.into_iter().filter(|name| declared(name) || named(name)).map(str::to_owned).collect())
        }
        Undeclared::Reject => match present.iter().find(|name| !declared(name)) {
            None => Ok(present.into_iter().map(str::to_owned).collect()),
            Some(name) => {
                let message = format!("column `{name}` is in the files and not in the mappings");
                let hint = "declare it in `index.mappings.properties`, or set `undeclared` to infer or ignore";
                Err(project.pipeline.diagnose(&format!("assets.{asset}.undeclared"), &message, Some(hint)).into())
            }
        },
    }
}

/// How rows become documents.
pub(super) fn writer(ingest: &Ingest) -> WriterOptions {
    WriterOptions {
        id: ingest.id.clone().unwrap_or_default(),
        routing: ingest.routing.clone(),
        names: match ingest.dotted_names {
            DottedNames::Flat => FieldNames::Flat,
            DottedNames::Objects => FieldNames::Objects,
        },
        non_finite: match ingest.non_finite {
            NonFinite::Null => es_frame::NonFinite::Null,
            NonFinite::Reject => es_frame::NonFinite::Reject,
            NonFinite::String => es_frame::NonFinite::Text,
        },
        ..WriterOptions::default()
    }
}

/// The mapping of the documents. Fields that are neither in the files nor declared are
/// refused by the server, unless the definition sets `dynamic` itself.
pub(super) fn mapping(ingest: &Ingest, schema: &Schema, columns: &[String]) -> Result<Mapping, Error> {
    let used: Schema = columns
        .iter()
        .filter_map(|name| schema.get_full(name).map(|(_, name, dtype)| (name.clone(), dtype.clone())))
        .collect();
    let options = MappingOptions { names: writer(ingest).names, ..MappingOptions::default() };
    let mut inferred = infer_mapping_with(&used, &options)?;
    if let Some(time) = ingest.time.as_ref().filter(|time| !matches!(used.get(time), Some(DataType::Datetime(..)))) {
        inferred.properties.insert(time.clone(), json!({"type": "date"}));
    }
    inferred.parameters.insert("dynamic".to_owned(), json!("strict"));
    let declared: Mapping = serde_json::from_value(Value::Object(ingest.index.mappings.clone()))
        .map_err(|error| Error::config(format!("the mappings cannot be read: {error}")))?;
    Ok(inferred.overridden_by(&declared))
}
