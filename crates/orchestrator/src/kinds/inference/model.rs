//! The model of an asset: looked up in the registry, and registered from the `models` section where the
//! registry has none yet.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use es_core::Client;
use es_export::encode::{ColumnEncoder, Encoder, Encoders};
use es_serving::registry::{Checksum, Location, Version};
use es_serving::{ModelReference, ModelVersion, Signature};

use super::{Inference, ModelRunner};
use crate::error::{Error, Result};
use crate::kinds::registered::{self, Found};
use crate::kinds::{Subject, Work};
use crate::models::{self, DeclaredModel, Training};

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
    /// The version, for comparing what a part was made of with what there is now.
    pub(super) fn version(&self) -> String {
        registered::version(&self.name, self.number)
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
    match registered::find(asset, client, &asset.definition.model).await? {
        Found::Registered(version) => of_version(asset, *version).await,
        Found::Declared(declared) => of_declared(asset, declared).await,
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
    registered::register(asset, work, &asset.definition.model).await?;
    choose(asset, work.client).await.map(Arc::new)
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
    let is_file = matches!((&version.location, version.sha256), (Location::File(_), Some(_)));
    let path = match is_file || matches!(asset.definition.server, ModelRunner::Here(_)) {
        true => Some(registered::file(asset, &version).await?),
        false => None,
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
