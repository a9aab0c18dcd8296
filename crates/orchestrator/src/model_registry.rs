//! The registry of a pipeline: that in Elasticsearch, or an MLflow tracking server with the history of aliases in
//! Elasticsearch.
//!
//! What a registry is, es-serving says. Here is the choice between the two, and what a pipeline needs of either.

use es_core::Client;
use es_serving::onnx::OnnxFile;
use es_serving::registry::mlflow::{Mlflow, MlflowOptions, MlflowRegistry};
use es_serving::registry::{AliasMove, ModelFolder, Move, NewVersion, Promoted, Registered, Registry, Terms, Version};
use es_serving::{ErrorKind as ServingKind, ModelReference};
use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::models;
use crate::project::Project;
use crate::settings::{self, RegistrySettings};

/// The registry of a pipeline.
#[derive(Clone, Debug)]
pub struct ModelRegistry {
    place: Place,
    folder: ModelFolder,
}

#[derive(Clone, Debug)]
enum Place {
    Elasticsearch(Registry),
    Mlflow(Box<MlflowRegistry>),
}

/// A registered version, and what of it was there before.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The version.
    pub version: Version,
    /// The registry had a version of the same content. These fields stay as they were registered.
    pub existing: Option<Vec<&'static str>>,
}

impl ModelRegistry {
    /// The registry that the settings of a project name.
    ///
    /// # Errors
    /// When the settings of MLflow are wrong.
    pub fn of(project: &Project, client: &Client) -> Result<Self> {
        let place = match &project.settings.registry {
            RegistrySettings::Elasticsearch => Place::Elasticsearch(Registry::new(client.clone(), &project.prefix)),
            RegistrySettings::Mlflow(options) => {
                let (environment, folder) = (&project.environment, &project.folder);
                let mut options = options.clone().resolve(|secret| settings::resolve(&secret, environment, folder))?;
                options.ca_cert = options.ca_cert.map(|path| folder.join(path));
                let server = mlflow(options)?;
                Place::Mlflow(Box::new(MlflowRegistry::new(server, client.clone(), &project.prefix)))
            }
        };
        Ok(Self { place, folder: models::folder(project) })
    }

    /// The registry in Elasticsearch, for what MLflow keeps itself.
    ///
    /// # Errors
    /// When it is an MLflow server. `what` is what was to be done, such as `list models`.
    pub fn elasticsearch(&self, what: &str) -> Result<&Registry> {
        match &self.place {
            Place::Elasticsearch(registry) => Ok(registry),
            Place::Mlflow(_) => {
                let message = format!("cannot {what}: the registry of this pipeline is MLflow, which does that itself");
                Err(Error::config(message).with_help(Some("use the pages or the clients of MLflow")))
            }
        }
    }

    /// The version that a reference names. One of MLflow has its file in the folder then.
    ///
    /// # Errors
    /// As [`Registry::version`] and [`Mlflow::pull`].
    pub async fn version(&self, reference: &ModelReference) -> std::result::Result<Version, es_serving::Error> {
        match &self.place {
            Place::Elasticsearch(registry) => registry.version(reference).await,
            Place::Mlflow(registry) => {
                let pulled = registry.server().pull(reference, &self.folder).await?;
                let signature = match &pulled.described {
                    Some(described) => described.signature.clone(),
                    None => {
                        // Read as a whole a moment ago: the description is small.
                        let path = self.folder.open(pulled.file.sha256).await?;
                        OnnxFile::read(&path)?.signature(&[])?
                    }
                };
                Ok(pulled.into_version(signature))
            }
        }
    }

    /// Registers a version whose files are in the folder.
    ///
    /// # Errors
    /// As [`Registry::register`] and [`Mlflow::push`].
    pub async fn register(&self, new: NewVersion) -> Result<Registration> {
        match &self.place {
            Place::Elasticsearch(registry) => Ok(match registry.register(new).await? {
                Registered::New(version) => Registration { version, existing: None },
                Registered::Existing { version, not_taken } => Registration { version, existing: Some(not_taken) },
            }),
            Place::Mlflow(registry) => {
                let pushed = registry.server().push(&new, &self.folder).await?;
                let is_new = matches!(pushed, es_serving::registry::mlflow::Pushed::New(_));
                let there = pushed.version();
                let reference = format!("models:/{}/{}", there.model, there.number).parse()?;
                let version = self.version(&reference).await?;
                Ok(Registration { version, existing: (!is_new).then(Vec::new) })
            }
        }
    }

    /// Points an alias to a version.
    ///
    /// # Errors
    /// As [`Registry::promote`].
    pub async fn promote(
        &self,
        model: &str,
        alias: &str,
        to: u32,
        by: &Move,
        terms: &Terms,
    ) -> std::result::Result<Promoted, es_serving::Error> {
        match &self.place {
            Place::Elasticsearch(registry) => registry.promote(model, alias, to, by, terms).await,
            Place::Mlflow(registry) => registry.promote(model, alias, to, by, terms).await,
        }
    }

    /// Points an alias to the version before.
    ///
    /// # Errors
    /// As [`Registry::rollback`].
    pub async fn rollback(&self, model: &str, alias: &str, by: &Move) -> Result<AliasMove> {
        Ok(match &self.place {
            Place::Elasticsearch(registry) => registry.rollback(model, alias, by).await?,
            Place::Mlflow(registry) => registry.rollback(model, alias, by).await?,
        })
    }

    /// The moves of an alias.
    ///
    /// # Errors
    /// As [`Registry::history`].
    pub async fn history(&self, model: &str, alias: &str) -> Result<Vec<AliasMove>> {
        Ok(match &self.place {
            Place::Elasticsearch(registry) => registry.history(model, alias).await?,
            Place::Mlflow(registry) => registry.history(model, alias).await?,
        })
    }

    /// The move that brought the version which an alias pointed to at a time.
    ///
    /// # Errors
    /// As [`Registry::live_at`].
    pub async fn live_at(&self, model: &str, alias: &str, time: Timestamp) -> Result<Option<AliasMove>> {
        Ok(match &self.place {
            Place::Elasticsearch(registry) => registry.live_at(model, alias, time).await?,
            Place::Mlflow(registry) => registry.live_at(model, alias, time).await?,
        })
    }
}

/// The server of an address, with the credentials that the environment has for MLflow's own clients.
///
/// # Errors
/// When there is no address, or it is none.
pub fn mlflow_of_environment(project: &Project, uri: Option<&str>) -> Result<Mlflow> {
    let environment = &project.environment;
    let secret = |name: &str| environment.get(name).map(es_core::Secret::new);
    let Some(uri) = uri.or_else(|| environment.get("MLFLOW_TRACKING_URI")) else {
        return Err(Error::config("no MLflow server is named")
            .with_help(Some("name it by `--uri http://HOST:5000`, or in MLFLOW_TRACKING_URI")));
    };
    mlflow(MlflowOptions {
        user: environment.get("MLFLOW_TRACKING_USERNAME").map(str::to_owned),
        password: secret("MLFLOW_TRACKING_PASSWORD"),
        token: secret("MLFLOW_TRACKING_TOKEN"),
        ..MlflowOptions::new(uri)
    })
}

fn mlflow(options: MlflowOptions) -> Result<Mlflow> {
    Mlflow::new(options).map_err(|error| match error.kind() {
        ServingKind::Invalid => {
            let help = "write `uri` as http://mlflow.example.org:5000, and `user` with `password`, or `token`";
            Error::config(error.to_string()).with_help(Some(help))
        }
        _ => error.into(),
    })
}
