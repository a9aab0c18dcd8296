//! Models on an MLflow tracking server, over its REST interface (MLflow 3.17): its versions and
//! aliases, with our history of moves beside it.
//!
//! [`Mlflow`] asks the server, [`MlflowRegistry`] moves aliases there and keeps their history. Training
//! with MLflow, its experiments and its stages are left to its own clients.
//!
//! ```no_run
//! # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use es_serving::registry::mlflow::{Mlflow, MlflowOptions};
//! use es_serving::registry::{ModelFolder, Registry};
//!
//! let (registry, folder) = (Registry::new(client, "ml-"), ModelFolder::new("models"));
//! let server = Mlflow::new(MlflowOptions::new("http://127.0.0.1:5000"))?;
//!
//! // To the server.
//! let champion = registry.version(&"models:/late@champion".parse()?).await?;
//! server.push(&champion.into(), &folder).await?;
//!
//! // From the server.
//! let pulled = server.pull(&"models:/late@champion".parse()?, &folder).await?;
//! println!("version {} is {}", pulled.version.number, pulled.file.path);
//! # Ok(())
//! # }
//! ```

mod http;
mod moves;
mod pull;
mod push;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use es_core::Secret;
use es_values::TimeSpan;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::names::check_name;
use super::version::Metrics;
use crate::error::{Error, ErrorKind};
use crate::model_reference::{ModelReference, ModelVersion};

pub use moves::MlflowRegistry;
pub use pull::Pulled;
pub use push::Pushed;

/// The connection to a tracking server.
///
/// `S` is the type of secrets: a reference to one in a file, [`Secret`] once it is resolved, for which
/// [`MlflowOptions::resolve`] is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(serialize = "S: Serialize", deserialize = "S: Deserialize<'de>"))]
pub struct MlflowOptions<S = Secret> {
    /// The address of the server, such as `http://mlflow.example.org:5000`, without credentials.
    #[schemars(extend("pattern" = "^https?://"))]
    pub uri: String,
    /// The user, who has a `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password of `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<S>,
    /// A token that is sent as `Authorization: Bearer` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<S>,
    /// The longest time for one answer. The transfer of a file may take longer, as long as it goes on.
    /// Default: 60s.
    #[serde(default = "default_timeout")]
    pub timeout: TimeSpan,
    /// A file with certificates (PEM) that the server's may be signed by, beside those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<PathBuf>,
}

fn default_timeout() -> TimeSpan {
    TimeSpan::seconds(60)
}

impl<S> MlflowOptions<S> {
    /// The server of an address, without credentials.
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into(), user: None, password: None, token: None, timeout: default_timeout(), ca_cert: None }
    }

    /// The same options with secrets of another type, such as those that references stand for.
    ///
    /// # Errors
    /// The first of `secret`.
    pub fn resolve<T, E>(self, mut secret: impl FnMut(S) -> Result<T, E>) -> Result<MlflowOptions<T>, E> {
        let password = self.password.map(&mut secret).transpose()?;
        let token = self.token.map(&mut secret).transpose()?;
        let Self { uri, user, timeout, ca_cert, .. } = self;
        Ok(MlflowOptions { uri, user, password, token, timeout, ca_cert })
    }
}

/// The credentials for a tracking server.
#[derive(Clone, Debug)]
enum Credentials {
    None,
    Basic { user: String, password: Secret },
    Token(Secret),
}

/// A tracking server.
#[derive(Clone, Debug)]
pub struct Mlflow {
    http: reqwest::Client,
    uri: reqwest::Url,
    timeout: Duration,
    credentials: Credentials,
}

/// A version of a model on a tracking server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MlflowVersion {
    /// The model's name.
    pub model: String,
    /// The number.
    pub number: u32,
    /// The place of its files.
    pub source: String,
    /// The run that made it, at MLflow.
    pub run: Option<String>,
    /// A text for people.
    pub description: Option<String>,
    /// The tags, with those that [`Mlflow::push`] sets.
    pub tags: BTreeMap<String, String>,
    /// When it was registered there, in UTC.
    pub at: Timestamp,
}

impl Mlflow {
    /// A server. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the address is none, or contains a password, and for a user without one or
    /// beside a token; [`ErrorKind::Io`] when the certificates cannot be read.
    pub fn new(options: MlflowOptions) -> Result<Self, Error> {
        http::client(options)
    }

    /// All versions of a model, the newest first.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such model; [`ErrorKind::Mlflow`] when the server
    /// cannot be asked.
    pub async fn versions(&self, model: &str) -> Result<Vec<MlflowVersion>, Error> {
        check_name("model", model)?;
        let versions = self.search(&format!("name = '{model}'")).await?;
        if versions.is_empty() {
            self.aliases(model).await?;
        }
        Ok(versions)
    }

    /// The aliases of a model, with the version of each.
    ///
    /// # Errors
    /// As [`Mlflow::versions`].
    pub async fn aliases(&self, model: &str) -> Result<BTreeMap<String, u32>, Error> {
        check_name("model", model)?;
        let found = self.get::<wire::RegisteredModelAnswer>("registered-models/get", &[("name", model)]).await?;
        match found {
            Ok(found) => {
                found.registered_model.aliases.iter().map(|alias| Ok((alias.alias.clone(), alias.number()?))).collect()
            }
            Err(refusal) if refusal.is_absent() => {
                Err(Error::new(ErrorKind::NotFound, format!("{} has no model {model}", self.uri)))
            }
            Err(refusal) => Err(refusal.into_error(self)),
        }
    }

    /// The version that a reference names, or that its alias points to now.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such model, version or alias; [`ErrorKind::Mlflow`] when
    /// the server cannot be asked.
    pub async fn version(&self, reference: &ModelReference) -> Result<MlflowVersion, Error> {
        let model = reference.name();
        match reference.version() {
            ModelVersion::Number(number) => self.numbered(model, number.get()).await,
            ModelVersion::Alias(alias) => match self.alias(model, alias).await? {
                Some(version) => Ok(version),
                None => {
                    let aliases = self.aliases(model).await?;
                    let what = format!("aliases of {model}");
                    let help = super::names::those_there(alias, &what, aliases.keys().map(String::as_str));
                    let message = format!("the model {model} has no alias {alias} at {}", self.uri);
                    Err(Error::new(ErrorKind::NotFound, message).with_help(help))
                }
            },
        }
    }

    /// The metrics of a version's run. MLflow has no parts: a metric `test/auc` is `auc` on `test`, as
    /// [`Mlflow::push`] writes it, and one without `/` is on the part of an empty name.
    ///
    /// # Errors
    /// [`ErrorKind::Mlflow`] when the server cannot be asked.
    pub async fn metrics(&self, version: &MlflowVersion) -> Result<Metrics, Error> {
        let Some(run) = &version.run else { return Ok(Metrics::new()) };
        let found = self.get::<wire::RunAnswer>("runs/get", &[("run_id", run)]).await?;
        let run = found.map_err(|refusal| refusal.into_error(self))?.run;
        let mut metrics = Metrics::new();
        for wire::Metric { key, value } in run.data.metrics {
            // NaN and infinities are texts there, and no numbers that could be compared.
            let Some(value) = value.as_f64() else { continue };
            let (part, metric) = key.split_once('/').unwrap_or(("", &key));
            metrics.entry(metric.to_owned()).or_default().insert(part.to_owned(), value);
        }
        Ok(metrics)
    }

    pub(crate) async fn numbered(&self, model: &str, number: u32) -> Result<MlflowVersion, Error> {
        check_name("model", model)?;
        let query = [("name", model), ("version", &number.to_string())];
        match self.get::<wire::ModelVersionAnswer>("model-versions/get", &query).await? {
            Ok(found) => found.model_version.try_into(),
            Err(refusal) if refusal.is_absent() => {
                let message = format!("{} has no version {number} of a model {model}", self.uri);
                Err(Error::new(ErrorKind::NotFound, message).with_help(refusal.message))
            }
            Err(refusal) => Err(refusal.into_error(self)),
        }
    }

    /// The version of an alias; None where there is none.
    pub(crate) async fn alias(&self, model: &str, alias: &str) -> Result<Option<MlflowVersion>, Error> {
        check_name("model", model)?;
        check_name("alias", alias)?;
        let query = [("name", model), ("alias", alias)];
        match self.get::<wire::ModelVersionAnswer>("registered-models/alias", &query).await? {
            Ok(found) => found.model_version.try_into().map(Some),
            // A missing alias is an invalid parameter there; of a missing model `aliases` says so.
            Err(refusal) if refusal.is_absent() || refusal.is_invalid_parameter() => Ok(None),
            Err(refusal) => Err(refusal.into_error(self)),
        }
    }

    pub(crate) async fn set_alias(&self, model: &str, alias: &str, version: u32) -> Result<(), Error> {
        let body = json!({"name": model, "alias": alias, "version": version.to_string()});
        let set: Result<serde::de::IgnoredAny, _> = self.post("registered-models/alias", &body).await?;
        set.map(|_| ()).map_err(|refusal| refusal.into_error(self))
    }

    async fn search(&self, filter: &str) -> Result<Vec<MlflowVersion>, Error> {
        let mut versions = Vec::new();
        let mut token = String::new();
        loop {
            let mut query = vec![("filter", filter), ("max_results", "200"), ("order_by", "version_number DESC")];
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let page = self.get::<wire::ModelVersionsAnswer>("model-versions/search", &query).await?;
            let page = page.map_err(|refusal| refusal.into_error(self))?;
            for version in page.model_versions {
                versions.push(version.try_into()?);
            }
            match page.next_page_token {
                Some(next) if !next.is_empty() && next != token => token = next,
                _ => return Ok(versions),
            }
        }
    }
}
