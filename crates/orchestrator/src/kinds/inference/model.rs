//! The model of an asset: looked up in the registry, and registered from the `models` section where the
//! registry has none yet.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use es_core::Client;
use es_export::encode::{ColumnEncoder, Encoder, Encoders};
use es_serving::registry::{Checksum, Location, Version};
use es_serving::{ErrorKind as ServingKind, ModelReference, ModelVersion, Signature};

use super::{Inference, ModelRunner};
use crate::error::{Error, Result};
use crate::kinds::{Subject, Work};
use crate::models::{self, DeclaredModel, Training};
use crate::project::Project;

/// A model that was chosen to score rows.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// The registered name.
    pub(super) name: String,
    /// The number of the version.
    pub(super) number: u32,
    /// The checksum of the file, of a model that has one.
    pub(super) sha256: Option<Checksum>,
    /// The reference that was asked for.
    asked: ModelReference,
    /// It is not registered yet: the next build does that.
    is_declared: bool,
    pub(super) signature: Signature,
    /// The classes of a classifier, in the order of its probabilities.
    pub(super) classes: Vec<String>,
    /// The encoders of its training set.
    pub(super) encoders: Option<Encoders>,
    /// The file, of a model that has one.
    pub(super) path: Option<PathBuf>,
}

impl Chosen {
    /// The version, for comparing what a part was made of with what there is now. A version that is registered
    /// from the `models` section is the same before and after.
    pub(super) fn version(&self) -> String {
        format!("{}/{}", self.name, self.number)
    }

    /// The version as a reference.
    pub(super) fn reference(&self) -> String {
        format!("models:/{}/{}", self.name, self.number)
    }

    /// The columns of the rows that it is given, before they are encoded.
    pub(super) fn columns(&self) -> Vec<&str> {
        match &self.encoders {
            Some(encoders) => encoders.columns.iter().map(|one| one.column.as_str()).collect(),
            None => self.signature.columns.iter().map(|column| column.name.as_str()).collect(),
        }
    }

    /// The columns of the rows whose values it needs: those that may not be missing, and that no encoder makes
    /// something of.
    pub(super) fn needing_values(&self) -> impl Iterator<Item = &str> {
        let is_encoded = |name: &str| self.encoders.as_ref().is_some_and(|encoders| encoders.made(name).is_some());
        let needed = self.signature.columns.iter().filter(move |column| !column.nullable && !is_encoded(&column.name));
        needed.map(|column| column.name.as_str())
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {} of the model {}", self.number, self.name)?;
        match self.asked.version() {
            ModelVersion::Alias(alias) => write!(f, " ({alias})")?,
            ModelVersion::Number(_) => {}
        }
        if self.is_declared {
            f.write_str(", which this run registers")?;
        }
        Ok(())
    }
}

/// Looks the model up, and registers nothing.
pub(super) async fn choose(asset: &Subject<'_, Inference>, client: &Client) -> Result<Chosen> {
    let asked = &asset.definition.model;
    let registry = models::registry(asset.project, client);
    match registry.version(asked).await {
        Ok(version) => of_version(asset, version).await,
        Err(error) if error.kind() == ServingKind::NotFound => match declared(asset.project, asked) {
            Some(declared) => of_declared(asset, declared).await,
            None => Err(asset.error_at("model", &error.to_string(), Some(&unknown(asked, error.help())))),
        },
        Err(error) => Err(error.into()),
    }
}

/// The model that the preparation found, registered where only the `models` section has it: all parts of a run
/// are scored by one version.
pub(super) async fn choose_for_build(asset: &Subject<'_, Inference>, work: &Work<'_>) -> Result<Arc<Chosen>> {
    let chosen = match work.prepared.state_as::<Chosen>() {
        Some(chosen) => chosen,
        None => Arc::new(choose(asset, work.client).await?),
    };
    if !chosen.is_declared {
        return Ok(chosen);
    }
    if let Some(declared) = declared(asset.project, &asset.definition.model) {
        models::register_declared(asset.project, work.client, &chosen.name, declared, work.run).await?;
    }
    choose(asset, work.client).await.map(Arc::new)
}

/// The entry of the `models` section for a model, if its first registration is what was asked for.
fn declared<'a>(project: &'a Project, asked: &ModelReference) -> Option<&'a DeclaredModel> {
    let declared = project.settings.models.get(asked.name())?;
    let is_asked = match asked.version() {
        ModelVersion::Alias(alias) => declared.alias.as_ref() == Some(alias),
        ModelVersion::Number(number) => number.get() == 1,
    };
    is_asked.then_some(declared)
}

fn unknown(asked: &ModelReference, help: Option<&str>) -> String {
    let register = format!(
        "register one with `orchestrator models register {} MODEL.onnx`, or declare it in the section `models`",
        asked.name()
    );
    match help {
        Some(help) => format!("{help}; or {register}"),
        None => register,
    }
}

/// The encoders of the columns that a model takes, without those of other columns of its training set, such
/// as the label; none where no column is encoded.
fn relevant(encoders: Encoders, signature: &Signature) -> Option<Encoders> {
    let is_encoded = |column: &ColumnEncoder| column.encoder != Encoder::None;
    let mut columns: Vec<ColumnEncoder> = Vec::new();
    for input in &signature.columns {
        let source = encoders.made(&input.name).map_or_else(|| input.name.clone(), |made| made.column);
        if columns.iter().any(|column| column.column == source) {
            continue;
        }
        let known = encoders.columns.iter().find(|column| column.column == source).cloned();
        columns.push(known.unwrap_or(ColumnEncoder { column: source, encoder: Encoder::None }));
    }
    columns.iter().any(is_encoded).then_some(Encoders { columns, ..encoders })
}

async fn of_version(asset: &Subject<'_, Inference>, version: Version) -> Result<Chosen> {
    let asked = asset.definition.model.clone();
    let wrong = |message: String, help: &str| asset.error_at("model", &message, Some(help));
    let path = match (&version.location, version.sha256) {
        (Location::File(_), Some(sha256)) => Some(models::folder(asset.project).open(sha256).await?),
        _ if matches!(asset.definition.server, ModelRunner::Server(_)) => None,
        (place, _) => {
            let place = match place {
                Location::File(file) => file,
                Location::Uri(uri) => uri,
            };
            let message = format!(
                "version {} of {} is {place}, and no file that can be scored here",
                version.number, version.model
            );
            return Err(wrong(message, "register the model with its file, or name the `server` that has it"));
        }
    };
    let encoders: Option<Encoders> = version.encoders.map(serde_json::from_value).transpose().map_err(|error| {
        let message =
            format!("the encoders of version {} of {} cannot be read: {error}", version.number, version.model);
        wrong(message, "register it again with the manifest of its training set")
    })?;
    let classes = match &path {
        Some(path) => models::read_onnx(path).await?.classes,
        None => Vec::new(),
    };
    Ok(Chosen {
        name: version.model,
        number: version.number,
        sha256: version.sha256,
        asked,
        is_declared: false,
        encoders: encoders.and_then(|encoders| relevant(encoders, &version.signature)),
        signature: version.signature,
        classes,
        path,
    })
}

async fn of_declared(asset: &Subject<'_, Inference>, declared: &DeclaredModel) -> Result<Chosen> {
    let asked = asset.definition.model.clone();
    let place = format!("models.{}", asked.name());
    let path = asset.project.path(&declared.file);
    let file = models::read_onnx(&path).await.map_err(|error| error.within(&place))?;
    let sha256 = models::checksum(&path).await.map_err(|error| error.within(&place))?;
    let signature = file.signature(declared.inputs.as_deref().unwrap_or_default());
    let signature = signature.map_err(|error| Error::from(error).within(&place))?;
    let manifest = declared.manifest.as_deref();
    let training = manifest.map(|manifest| Training::read(asset.project, manifest)).transpose()?;
    Ok(Chosen {
        name: asked.name().to_owned(),
        number: 1,
        sha256: Some(sha256),
        asked,
        is_declared: true,
        encoders: training.and_then(|training| relevant(training.encoders?, &signature)),
        signature,
        classes: file.classes,
        path: Some(path),
    })
}

#[cfg(test)]
mod tests {
    use es_export::encode::Vocabulary;
    use es_serving::InputColumn;
    use es_serving::open_inference::Datatype;

    use super::*;

    #[test]
    fn only_encoders_of_columns_that_the_model_takes_are_applied() {
        let codes = |texts: &[&str]| Vocabulary::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
        let encoder = |column: &str, encoder| ColumnEncoder { column: column.to_owned(), encoder };
        let all = Encoders {
            version: 1,
            rows: 10,
            columns: vec![
                encoder("id", Encoder::None),
                encoder("carrier", Encoder::Codes { vocabulary: codes(&["AA", "UA"]), nulls: 0 }),
                encoder("origin", Encoder::OneHot { vocabulary: codes(&["EWR", "JFK"]), nulls: 0 }),
                encoder("late", Encoder::Numeric),
            ],
        };
        let signature = |names: &[&str]| Signature {
            columns: names
                .iter()
                .map(|name| InputColumn { name: (*name).to_owned(), datatype: Datatype::Fp32, nullable: false })
                .collect(),
            ..Signature::default()
        };
        let kept = relevant(all.clone(), &signature(&["origin=JFK", "origin=EWR", "joined", "carrier"])).unwrap();
        let names: Vec<&str> = kept.columns.iter().map(|one| one.column.as_str()).collect();
        assert_eq!(names, ["origin", "joined", "carrier"]);
        assert_eq!(kept.columns[1].encoder, Encoder::None);
        assert_eq!(relevant(all, &signature(&["joined", "id"])), None);
    }
}
