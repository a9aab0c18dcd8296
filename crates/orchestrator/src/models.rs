//! Models of a pipeline: its registry, its folder of files, and the registration of files.
//!
//! What a registry is, es-serving says; what a model is asked for, the kind
//! [`inference`](crate::kinds::inference).

use std::path::{Path, PathBuf};

use es_core::Client;
use es_export::Manifest;
use es_export::encode::Encoders;
use es_serving::ErrorKind as ServingKind;
use es_serving::Signature;
use es_serving::embedding::{TextEncoder, TextTokenizer};
use es_serving::onnx::{OnnxFile, OnnxModel, OnnxOptions, OnnxRuntime};
use es_serving::registry::{Checksum, Expected, ModelFolder, Move, NewVersion, Terms};
use serde_json::json;
use tracing::info;

use crate::environment::person;
use crate::error::{Error, Result};
use crate::model_registry::ModelRegistry;
use crate::project::Project;
pub use crate::settings::DeclaredModel;

/// The remedy where ONNX Runtime is not found.
pub const INSTALL_ONNX_RUNTIME: &str = "install ONNX Runtime and name its library in `inference.library` or in \
    ORT_DYLIB_PATH, or put it beside the program";

/// The registry of a pipeline.
///
/// # Errors
/// When the settings of MLflow are wrong.
pub fn registry(project: &Project, client: &Client) -> Result<ModelRegistry> {
    ModelRegistry::of(project, client)
}

/// The folder of registered model files.
pub fn folder(project: &Project) -> ModelFolder {
    ModelFolder::new(project.path(&project.settings.inference.folder))
}

/// The shared library that runs models, where the settings name it.
pub fn library(project: &Project) -> Option<PathBuf> {
    project.settings.inference.library.as_ref().map(|path| project.path(path))
}

/// Opens a model file to score rows in this process.
///
/// # Errors
/// When it is no model, or the library is not there or refuses it.
pub async fn open(project: &Project, path: &Path, options: OnnxOptions) -> Result<OnnxModel> {
    let (library, path) = (library(project), path.to_owned());
    blocking("opening a model", move || {
        let runtime = OnnxRuntime::load(library.as_deref())?;
        OnnxModel::open(&runtime, &path, options)
    })
    .await
}

/// Reads what a model file says of itself.
///
/// # Errors
/// When it cannot be read, or is no model.
pub async fn read_onnx(path: &Path) -> Result<OnnxFile> {
    let path = path.to_owned();
    blocking("reading a model", move || OnnxFile::read(&path)).await
}

/// The signature of a model file: of rows of these columns, or of a text.
///
/// # Errors
/// When the file cannot be read, or its inputs do not fit the columns.
pub async fn signature(path: &Path, columns: &[String], is_of_texts: bool) -> Result<Signature> {
    let file = read_onnx(path).await?;
    Ok(if is_of_texts { file.text_signature() } else { file.signature(columns)? })
}

/// Returns the checksum of a file.
///
/// # Errors
/// When it cannot be read.
pub async fn checksum(path: &Path) -> Result<Checksum> {
    let path = path.to_owned();
    blocking("reading a model", move || Checksum::of_file(&path)).await
}

/// Works with es-serving off the threads of the runtime. `what` is said of a panic.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> std::result::Result<T, es_serving::Error> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| Error::defect(what, &error))?;
    Ok(done?)
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

    /// A version that was trained on it.
    pub fn of(self, version: NewVersion) -> NewVersion {
        let version = version.with_training(self.manifest, self.sha256);
        match self.encoders {
            Some(encoders) => version.with_encoders(json!(encoders)),
            None => version,
        }
    }
}

/// A version with the way from a text to its vector, whose tokenizer is put into the folder.
///
/// # Errors
/// When the tokenizer's file is none, or cannot be copied.
pub async fn with_text(
    project: &Project,
    version: NewVersion,
    encoder: Option<&TextEncoder<String>>,
) -> Result<NewVersion> {
    let Some(encoder) = encoder else { return Ok(version) };
    let path = project.path(&encoder.tokenizer);
    let checked = path.clone();
    blocking("reading a tokenizer", move || TextTokenizer::open(&checked).map(drop)).await?;
    let stored = folder(project).put_tokenizer(&path).await?;
    Ok(version.with_text(encoder.clone().with_tokenizer(stored)))
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
    let signature = signature(&path, declared.inputs.as_deref().unwrap_or_default(), declared.text.is_some()).await?;
    let training = declared.manifest.as_deref().map(|manifest| Training::read(project, manifest)).transpose()?;
    let stored = folder(project).put(&path).await?;
    let mut new = with_text(project, NewVersion::onnx(name, &stored, signature), declared.text.as_ref())
        .await?
        .by(person())
        .in_run(run)
        .with_description(format!("declared in the pipeline {}", project.pipeline.name()));
    if let Some(training) = training {
        new = training.of(new);
    }
    let registry = registry(project, client)?;
    let registered = registry.register(new).await?;
    let number = registered.version.number;
    if registered.existing.is_none() {
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
