//! Models of a pipeline: its registry, its folder of files, and the registration of files.
//!
//! What a registry is, es-serving says; what a model is asked for, the kind
//! [`inference`](crate::kinds::inference).

use std::path::{Path, PathBuf};

use es_core::Client;
use es_export::Manifest;
use es_export::encode::Encoders;
use es_serving::onnx::OnnxFile;
use es_serving::registry::{Checksum, Expected, ModelFolder, Move, NewVersion, Registered, Registry, Terms};
use es_serving::{Error as ServingError, ErrorKind as ServingKind, Signature};
use tracing::info;

use crate::environment::person;
use crate::error::{Error, Result};
use crate::project::Project;
pub use crate::settings::DeclaredModel;

/// The registry of a pipeline.
pub fn registry(project: &Project, client: &Client) -> Registry {
    Registry::new(client.clone(), &project.prefix)
}

/// The folder of registered model files.
pub fn folder(project: &Project) -> ModelFolder {
    ModelFolder::new(project.path(&project.settings.inference.folder))
}

/// A model file that is to be registered.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// The path.
    pub path: PathBuf,
    /// The description that it gives.
    pub onnx: OnnxFile,
    /// Its checksum.
    pub sha256: Checksum,
}

impl ModelFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no model.
    pub async fn read(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        let reading = tokio::task::spawn_blocking(move || {
            let onnx = OnnxFile::read(&path)?;
            let sha256 = Checksum::of_file(&path)?;
            Ok::<_, ServingError>(Self { path, onnx, sha256 })
        });
        let read = reading.await.map_err(|error| Error::defect("reading a model", &error))?;
        read.map_err(with_remedy)
    }
}

/// The training set of a model: the manifest of an export with its encoders.
#[derive(Clone, Debug)]
pub struct Training {
    /// The path of the manifest, as it was given.
    pub manifest: String,
    /// The checksum of the manifest.
    pub sha256: Checksum,
    /// The encoders, if the export has any.
    pub encoders: Option<Encoders>,
}

impl Training {
    /// Reads the manifest of an export: a file, or the folder that holds it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn read(project: &Project, manifest: &str) -> Result<Self> {
        let path = project.path(manifest);
        let help = "name the folder or the manifest of the export that the model was trained on";
        let missing = |why: &str| {
            Error::config(format!("the manifest {} cannot be read: {why}", path.display())).with_help(Some(help))
        };
        let read = Manifest::read(&path)?.ok_or_else(|| missing("there is none"))?;
        let file = if path.is_dir() { path.join(es_export::MANIFEST_FILE) } else { path.clone() };
        let sha256 = Checksum::of_file(&file).map_err(|error| missing(&error.to_string()))?;
        Ok(Self { manifest: manifest.to_owned(), sha256, encoders: read.encoders })
    }
}

/// Registers the file of a `models` section as the first version of a model, unless somebody else has.
///
/// # Errors
/// When the file cannot be read, or the registry not written.
pub async fn register_declared(
    project: &Project,
    client: &Client,
    name: &str,
    declared: &DeclaredModel,
    run: &str,
) -> Result<()> {
    let path = project.path(&declared.file);
    let file = ModelFile::read(&path).await?;
    let signature = signature(&file.onnx, declared.inputs.as_deref())?;
    let training = declared.manifest.as_deref().map(|manifest| Training::read(project, manifest)).transpose()?;
    let stored = folder(project).put(&path).await?;
    let mut new = NewVersion::onnx(name, &stored, signature)
        .by(person())
        .in_run(run)
        .with_description(format!("declared in the pipeline {}", project.pipeline.name()));
    if let Some(training) = training {
        new = new.with_training(training.manifest, training.sha256);
        if let Some(encoders) = training.encoders {
            new = new.with_encoders(serde_json::json!(encoders));
        }
    }
    let registry = registry(project, client);
    let registered = registry.register(new).await?;
    let number = registered.version().number;
    if let Registered::New(_) = &registered {
        info!(model = name, version = number, "registered");
    }
    let Some(alias) = &declared.alias else { return Ok(()) };
    let moving = Move::by(person()).why("declared in the pipeline").in_run(run);
    let terms = Terms { expected: Expected::From(None), rule: None };
    match registry.promote(name, alias, number, &moving, &terms).await {
        // Another run was first.
        Err(error) if error.kind() == ServingKind::Conflict => Ok(()),
        moved => Ok(moved.map(drop)?),
    }
}

/// The signature of a file for rows of these columns.
///
/// # Errors
/// When they do not fit its inputs.
pub fn signature(file: &OnnxFile, columns: Option<&[String]>) -> Result<Signature> {
    file.signature(columns.unwrap_or_default()).map_err(Error::from)
}

/// An error of es-serving with the remedy that this program has for it.
pub fn with_remedy(error: ServingError) -> Error {
    let help = match error.kind() {
        ServingKind::Runtime => Some(
            "install ONNX Runtime and name its library in `inference.library` or in ORT_DYLIB_PATH, or put it beside \
             the program; `orchestrator doctor` says where it is looked for",
        ),
        _ => None,
    };
    match help {
        Some(help) => Error::from(error).with_help(Some(help)),
        None => Error::from(error),
    }
}
