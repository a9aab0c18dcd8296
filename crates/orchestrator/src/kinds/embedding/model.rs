//! The model of an asset: a registered version with its tokenizer, or one at a server.

use std::path::PathBuf;

use es_core::Client;
use es_serving::ModelReference;
use es_serving::embedding::{Embedder, EmbeddingServer, OnnxEmbedder, TextEncoder};
use es_serving::onnx::OnnxRuntime;
use es_serving::registry::Version;

use super::definition::{Embedding, Similarity};
use crate::error::{Error, Result};
use crate::kinds::registered::{self, Found};
use crate::kinds::{Subject, Work};
use crate::project::Project;
use crate::{models, settings};

/// A model that was chosen to embed texts.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// The registered name, or that at the server.
    pub(super) name: String,
    /// The number of a registered version.
    pub(super) number: Option<u32>,
    /// The version, for comparing what a part was made of with what there is now.
    pub(super) version: String,
    /// The next build registers it.
    is_declared: bool,
    place: Place,
}

/// The place where a model is run.
#[derive(Clone, Debug)]
enum Place {
    Here { model: PathBuf, tokenizer: PathBuf, encoder: TextEncoder<()> },
    Server,
}

impl Chosen {
    /// The similarity that suits the vectors.
    pub(super) fn similarity(&self) -> Similarity {
        match &self.place {
            Place::Here { encoder, .. } if encoder.normalize => Similarity::DotProduct,
            _ => Similarity::Cosine,
        }
    }

    /// The model in words.
    pub(super) fn describe(&self) -> String {
        match self.number {
            Some(number) if self.is_declared => {
                format!("version {number} of the model {}, which this run registers", self.name)
            }
            Some(number) => format!("version {number} of the model {}", self.name),
            None => format!("the model {}", self.version),
        }
    }

    /// Opens the model, or connects to the server.
    ///
    /// # Errors
    /// When it cannot be opened, or the server is not ready.
    pub(super) async fn open(&self, project: &Project, embedding: &Embedding) -> Result<Embedder> {
        let Place::Here { model, tokenizer, encoder } = &self.place else {
            return connect(project, embedding).await;
        };
        let (library, options) = (models::library(project), embedding.options);
        let (model, tokenizer, encoder) = (model.clone(), tokenizer.clone(), encoder.clone());
        let opened = models::blocking("opening a model", move || {
            let runtime = OnnxRuntime::load(library.as_deref())?;
            OnnxEmbedder::open(&runtime, &model, &tokenizer, &encoder, options)
        });
        Ok(Embedder::from(opened.await?.identified_as(self.version.clone())))
    }
}

async fn connect(project: &Project, embedding: &Embedding) -> Result<Embedder> {
    let Some(options) = embedding.server.as_deref().cloned() else {
        return Err(Error::config("an asset of kind `embedding` has a `model` or a `server`"));
    };
    let options = options.resolve(|secret| settings::resolve(&secret, &project.environment, &project.folder))?;
    Ok(Embedder::from(EmbeddingServer::connect(&options)?))
}

/// Looks the model up, and registers nothing.
pub(super) async fn choose(asset: &Subject<'_, Embedding>, client: &Client) -> Result<Chosen> {
    let Some(asked) = &asset.definition.model else { return at_server(asset) };
    match registered::find(asset, client, asked).await? {
        Found::Registered(version) => of_version(asset, *version).await,
        Found::Declared(declared) => {
            let Some(encoder) = declared.text.clone() else { return Err(without_tokenizer(asset, asked.name())) };
            let project = asset.project;
            Ok(Chosen {
                name: asked.name().to_owned(),
                number: Some(1),
                version: registered::version(asked.name(), 1),
                is_declared: true,
                place: Place::Here {
                    model: project.path(&declared.file),
                    tokenizer: project.path(&encoder.tokenizer),
                    encoder: encoder.with_tokenizer(()),
                },
            })
        }
    }
}

/// The model that the preparation found, registered where only the `models` section has it.
pub(super) async fn choose_for_build(asset: &Subject<'_, Embedding>, work: &Work<'_>) -> Result<Chosen> {
    let chosen = match work.prepared.state_as::<Chosen>() {
        Some(chosen) => (*chosen).clone(),
        None => choose(asset, work.client).await?,
    };
    match &asset.definition.model {
        Some(asked) if chosen.is_declared => {
            registered::register(asset, work, asked).await?;
            choose(asset, work.client).await
        }
        _ => Ok(chosen),
    }
}

/// The version that made what is published: a text that is searched for is embedded by it, whatever the
/// alias points to now.
pub(super) async fn of_published(asset: &Subject<'_, Embedding>, client: &Client, version: &str) -> Result<Chosen> {
    if asset.definition.model.is_none() {
        return at_server(asset);
    }
    let reference: ModelReference = format!("models:/{version}").parse().map_err(Error::from)?;
    let found = models::registry(asset.project, client)?.version(&reference).await?;
    of_version(asset, found).await
}

fn at_server(asset: &Subject<'_, Embedding>) -> Result<Chosen> {
    let Some(options) = &asset.definition.server else {
        return Err(asset.error_at("model", "there is neither a `model` nor a `server`", None));
    };
    Ok(Chosen {
        name: options.model.clone(),
        number: None,
        version: format!("{} at {}", options.model, options.url),
        is_declared: false,
        place: Place::Server,
    })
}

async fn of_version(asset: &Subject<'_, Embedding>, version: Version) -> Result<Chosen> {
    let model = registered::file(asset, &version).await?;
    let Some(encoder) = version.text else { return Err(without_tokenizer(asset, &version.model)) };
    let tokenizer = models::folder(asset.project).open_tokenizer(encoder.tokenizer.sha256).await?;
    Ok(Chosen {
        version: registered::version(&version.model, version.number),
        name: version.model,
        number: Some(version.number),
        is_declared: false,
        place: Place::Here { model, tokenizer, encoder: encoder.with_tokenizer(()) },
    })
}

fn without_tokenizer(asset: &Subject<'_, Embedding>, name: &str) -> Error {
    let help = format!(
        "declare its tokenizer under `models.{name}.text`, or register it with `--tokenizer tokenizer.json --pooling mean \
         --max-tokens 256`"
    );
    asset.error_at("model", &format!("the model {name} has no tokenizer, and cannot embed texts"), Some(&help))
}
