//! Settings in layers: defaults, the pipeline file with its environment, environment variables,
//! flags. Each layer goes over the one before.

mod formats;
mod rules;
mod sections;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use es_assets::{Backoff, Defaults, Pipeline, Retries, SecretRef, Section, SettingsFormat};
use es_bulk::BulkOptions;
use es_core::{ClusterConfig, Credentials, Endpoint, KeepAlive, Proxy, RetryPolicy, Secret, Sniffing, Verification};
use es_export::ExportOptions;
use figment::Figment;
use figment::providers::Serialized;
use indexmap::IndexMap;
use serde_json::Value;

use crate::environment::Environment;
use crate::error::{Error, Result};

pub use formats::text_formats;
pub use sections::{
    ClusterSettings, DeclaredModel, InferenceSettings, RegistrySettings, RunSettings, Settings, VerifyCertificates,
    overlay,
};

const PREFIX: &str = "ORCHESTRATOR_";

/// The sections of settings of a pipeline file, and their rules.
pub fn format() -> SettingsFormat {
    SettingsFormat {
        sections: vec![
            Section::of::<ClusterSettings>("cluster", "How to reach Elasticsearch."),
            Section::of::<RunSettings>("run", "How runs go about their work."),
            Section::of::<BulkOptions>("bulk", "How documents are indexed."),
            Section::of::<ExportOptions>("export", "How documents are read."),
            Section::of::<Defaults>("defaults", "What assets do unless they say otherwise."),
            Section::of::<InferenceSettings>("inference", "How models are scored in this process."),
            Section::of::<IndexMap<String, DeclaredModel>>(
                "models",
                "The models that are registered from files where the registry has none of that name.",
            ),
            Section::of::<RegistrySettings>("registry", "Where versions of models and their aliases are kept."),
        ],
        overlay,
        validate_layer: rules::validate_layer,
        validate: rules::validate,
    }
}

/// The settings in force.
///
/// # Errors
/// When an environment variable names no setting, or has a value that its setting does not
/// take.
pub fn load(pipeline: &Pipeline, environment: &Environment) -> Result<Settings> {
    over(pipeline.settings_json().clone(), environment)
}

/// The settings where there is no pipeline file.
///
/// # Errors
/// As [`load`].
pub fn of_environment(environment: &Environment) -> Result<Settings> {
    over(serde_json::json!({}), environment)
}

fn over(mut layers: Value, environment: &Environment) -> Result<Settings> {
    overlay(&mut layers, from_variables(environment)?);
    if let Some(prefix) = environment.get("ELASTICSEARCH_INDEX_PREFIX") {
        overlay(&mut layers, serde_json::json!({"cluster": {"index_prefix": prefix}}));
    }
    Figment::from(Serialized::defaults(Settings::default()))
        .merge(Serialized::globals(layers))
        .extract()
        .map_err(|error| Error::config(format!("the settings are wrong: {error}")))
}

/// The `ORCHESTRATOR_SECTION__KEY` variables as a layer. Each is tried by itself, so that a
/// wrong one can be named.
fn from_variables(environment: &Environment) -> Result<Value> {
    let mut layer = serde_json::json!({});
    for (name, text) in environment.with_prefix(PREFIX) {
        let variable = format!("{PREFIX}{name}");
        let path = name.to_lowercase().replace("__", ".");
        let value = figment::value::Value::from_str(text).unwrap_or_else(|never| match never {});
        let one = Figment::new().merge((path.as_str(), value));
        Figment::from(Serialized::defaults(Settings::default()))
            .merge(&one)
            .extract::<Settings>()
            .map_err(|error| wrong_variable(&variable, &error))?;
        let nested: Value = one.extract().map_err(|error| wrong_variable(&variable, &error))?;
        overlay(&mut layer, nested);
    }
    Ok(layer)
}

fn wrong_variable(variable: &str, error: &figment::Error) -> Error {
    use figment::error::Kind;
    match &error.kind {
        Kind::UnknownField(_, known) => Error::config(format!("the environment variable {variable} names no setting"))
            .with_help(Some(format!("where it goes wrong, the settings are {}", known.join(", ")))),
        Kind::Message(why) => {
            Error::config(format!("the environment variable {variable} has a value it cannot have: {why}"))
        }
        kind => Error::config(format!("the environment variable {variable} has a value it cannot have: {kind}")),
    }
}

/// The prefix of the names of all indices and aliases.
pub fn index_prefix(pipeline: &Pipeline, settings: &Settings) -> String {
    settings.cluster.index_prefix.clone().unwrap_or_else(|| format!("{}-", pipeline.name()))
}

/// The connection that the settings and the environment's variables mean. Relative paths
/// start at the folder of the pipeline.
///
/// # Errors
/// When a secret cannot be found, or settings contradict each other.
pub fn cluster_config(settings: &ClusterSettings, environment: &Environment, folder: &Path) -> Result<ClusterConfig> {
    let mut config = ClusterConfig {
        connect_timeout: settings.connect_timeout.to_duration(),
        request_timeout: settings.request_timeout.to_duration(),
        retry: retry_policy(settings.retries),
        compression: settings.compression,
        keep_alive: KeepAlive {
            tcp: Some(settings.tcp_keep_alive.to_duration()),
            idle: Some(settings.idle_timeout.to_duration()),
        },
        max_response_size: usize::try_from(settings.max_response_size.as_bytes()).unwrap_or(usize::MAX),
        sniffing: match settings.sniffing {
            sections::Sniffing::Never => Sniffing::Off,
            sections::Sniffing::AtStart => Sniffing::AtStart,
            sections::Sniffing::Continuous => Sniffing::Continuous { every: settings.sniff_every.to_duration() },
        },
        ..ClusterConfig::default()
    };
    if let Some(id) = &settings.cloud_id {
        config.endpoint = Endpoint::CloudId(id.clone());
    } else if let Some(hosts) = &settings.hosts {
        config.endpoint = Endpoint::hosts(&hosts.join(","))?;
    }
    let secret = |reference: &SecretRef| resolve(reference, environment, folder);
    let path = |text: &String| -> PathBuf { folder.join(text) };
    if let Some(key) = &settings.api_key {
        config.credentials = Credentials::api_key(secret(key)?.expose());
    } else if let Some(token) = &settings.bearer_token {
        config.credentials = Credentials::Bearer(secret(token)?);
    } else if let Some(token) = &settings.service_token {
        config.credentials = Credentials::ServiceToken(secret(token)?);
    } else if let Some(user) = &settings.user {
        let password = settings.password.as_ref().ok_or_else(|| {
            Error::config("cluster.user is set without cluster.password")
                .with_help(Some("add password: { env: ELASTICSEARCH_PASSWORD }"))
        })?;
        config.credentials = Credentials::Basic { user: user.clone(), password: secret(password)? };
    }
    if let Some(address) = &settings.proxy {
        let proxy: Proxy = address.parse()?;
        config.proxy = Some(match (&settings.proxy_user, &settings.proxy_password) {
            (Some(user), Some(password)) => proxy.with_user(user, secret(password)?),
            (None, None) => proxy,
            (Some(_), None) => return Err(half_a_proxy_user("proxy_user", "proxy_password")),
            (None, Some(_)) => return Err(half_a_proxy_user("proxy_password", "proxy_user")),
        });
    } else if settings.proxy_user.is_some() || settings.proxy_password.is_some() {
        return Err(half_a_proxy_user("proxy_user or cluster.proxy_password", "proxy"));
    }
    for (name, value) in &settings.headers {
        config.headers = config.headers.with(name, secret(value)?)?;
    }
    config.tls.ca_cert = settings.ca_cert.as_ref().map(path);
    config.tls.ca_fingerprint = settings.ca_fingerprint.as_ref().map(|text| text.parse()).transpose()?;
    config.tls.client_cert = settings.client_cert.as_ref().map(path);
    config.tls.client_key = settings.client_key.as_ref().map(path);
    config.tls.verification = match settings.verify {
        VerifyCertificates::Full => Verification::Full,
        VerifyCertificates::Certificate => Verification::Certificate,
        VerifyCertificates::None => Verification::None,
    };
    Ok(config.overlaid(|name| environment.get(name).map(str::to_owned))?)
}

fn half_a_proxy_user(set: &str, missing: &str) -> Error {
    Error::config(format!("cluster.{set} is set without cluster.{missing}"))
        .with_help(Some("a proxy is asked with proxy, proxy_user and proxy_password together"))
}

/// The limits of sending again.
pub fn retry_policy(retries: Retries) -> RetryPolicy {
    let policy = RetryPolicy { max: retries.max, ..RetryPolicy::default() };
    match retries.backoff {
        Backoff::Exponential => policy,
        Backoff::None => {
            RetryPolicy { backoff: es_core::Backoff { first: Duration::ZERO, longest: Duration::ZERO }, ..policy }
        }
    }
}

/// The secret that a reference stands for. Relative paths start at the folder of the pipeline.
///
/// # Errors
/// When the variable is not set, or the file cannot be read.
pub fn resolve(reference: &SecretRef, environment: &Environment, folder: &Path) -> Result<Secret> {
    match reference {
        SecretRef::Env(name) => environment.get(name).map(Secret::new).ok_or_else(|| {
            Error::config(format!("the environment variable {name}, which holds a secret, is not set"))
                .with_help(Some("set it, or put it in the file .env beside the pipeline"))
        }),
        SecretRef::File(path) => {
            let path = folder.join(path);
            std::fs::read_to_string(&path).map(|text| Secret::new(text.trim_end_matches(['\r', '\n']))).map_err(
                |error| {
                    Error::config(format!("the file {}, which holds a secret, cannot be read: {error}", path.display()))
                        .with_help(Some(
                            "write it there, or correct `file`; relative paths start at the pipeline's folder",
                        ))
                },
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINE: &str = "version: 1\nname: p\ncluster: { index_prefix: file-, user: u, password: { env: PW } }\n\
        bulk: { concurrency: 2 }\nassets:\n  a: { kind: ingest, from: { path: a.csv } }\n";

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn load_with(variables: &[(&str, &str)]) -> Result<Settings> {
        load(&crate::kinds::Kinds::builtin().format().parse("p.yaml", PIPELINE, None).unwrap(), &environment(variables))
    }

    #[test]
    fn variables_go_over_the_file_and_the_file_over_defaults() {
        let settings =
            load_with(&[("ORCHESTRATOR_BULK__BATCH_BYTES", "1mb"), ("ORCHESTRATOR_RUN__KEEP", "3")]).unwrap();
        assert_eq!((settings.bulk.concurrency, settings.run.keep), (Some(2), 3));
        assert_eq!(settings.bulk.batch_bytes.as_bytes(), 1 << 20);
        let settings =
            load_with(&[("ORCHESTRATOR_BULK__CONCURRENCY", "7"), ("ELASTICSEARCH_INDEX_PREFIX", "env-")]).unwrap();
        assert_eq!((settings.bulk.concurrency, settings.cluster.index_prefix.as_deref()), (Some(7), Some("env-")));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (name, value) in [
            ("ORCHESTRATOR_BULK__CONCURENCY", "7"),
            ("ORCHESTRATOR_BULK__CONCURRENCY", "many"),
            ("ORCHESTRATOR_BULK__BATCH_BYTES", "8 parsecs"),
            ("ORCHESTRATOR_NOTHING__KEEP", "1"),
        ] {
            let failure = load_with(&[(name, value)]).unwrap_err();
            assert!(failure.to_string().contains(name), "{failure}");
        }
    }

    #[test]
    fn secrets_are_resolved_and_never_shown() {
        let settings = load_with(&[]).unwrap();
        let config =
            |variables: &[(&str, &str)]| cluster_config(&settings.cluster, &environment(variables), Path::new("."));
        assert!(config(&[]).unwrap_err().to_string().contains("PW"));
        let found = config(&[("PW", "canary")]).unwrap();
        assert_eq!(found.credentials, Credentials::Basic { user: "u".into(), password: Secret::new("canary") });
        assert!(!format!("{found:?}").contains("canary"));
        let overlaid = config(&[("PW", "canary"), ("ELASTICSEARCH_API_KEY", "a:b")]).unwrap();
        assert_eq!(overlaid.credentials, Credentials::api_key("a:b"));
    }

    #[test]
    fn every_way_to_the_cluster_can_be_set() {
        let file = "version: 1\nname: p\ncluster:\n  service_token: { env: TOKEN }\n  proxy: http://proxy:3128\n  \
            proxy_user: u\n  proxy_password: { env: PW }\n  headers: { X-Gateway: { env: GATEWAY } }\n  \
            sniffing: continuous\n  sniff_every: 1m\n  tcp_keep_alive: 20s\n  idle_timeout: 30s\n  \
            max_response_size: 64mb\nassets:\n  a: { kind: ingest, from: { path: a.csv } }\n";
        let pipeline = crate::kinds::Kinds::builtin().format().parse("p.yaml", file, None).unwrap();
        let variables = environment(&[("TOKEN", "canary1"), ("PW", "canary2"), ("GATEWAY", "canary3")]);
        let settings = load(&pipeline, &variables).unwrap();
        let config = cluster_config(&settings.cluster, &variables, Path::new(".")).unwrap();
        assert_eq!(config.credentials, Credentials::ServiceToken(Secret::new("canary1")));
        assert_eq!(config.proxy, Some("http://u:canary2@proxy:3128".parse().unwrap()));
        assert_eq!(config.headers, es_core::ExtraHeaders::parse("x-gateway=canary3").unwrap());
        assert_eq!(config.sniffing, Sniffing::Continuous { every: Duration::from_secs(60) });
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(config.keep_alive, KeepAlive { tcp: seconds(20), idle: seconds(30) });
        assert_eq!(config.max_response_size, 64 << 20);
        assert!(!format!("{config:?}").contains("canary"), "{config:?}");
        // The environment's own variables go over the file's.
        let over =
            environment(&[("TOKEN", "t"), ("PW", "p"), ("GATEWAY", "g"), ("ELASTICSEARCH_PROXY", "http://other:1")]);
        let config = cluster_config(&settings.cluster, &over, Path::new(".")).unwrap();
        assert_eq!(config.proxy, Some("http://other:1".parse().unwrap()));
        let defaults = cluster_config(&ClusterSettings::default(), &environment(&[]), Path::new(".")).unwrap();
        let expected = ClusterConfig { connect_timeout: Duration::from_secs(5), ..ClusterConfig::default() };
        assert_eq!(defaults, expected);
    }

    #[test]
    fn half_a_proxy_is_named() {
        let with = |variables: &[(&str, &str)]| {
            let settings = load_with(variables).unwrap();
            let environment = environment(&[("PW", "canary")]);
            cluster_config(&settings.cluster, &environment, Path::new(".")).unwrap_err().to_string().to_owned()
        };
        let (proxy, user) = (("ORCHESTRATOR_CLUSTER__PROXY", "http://p:1"), ("ORCHESTRATOR_CLUSTER__PROXY_USER", "u"));
        assert_eq!(with(&[proxy, user]), "cluster.proxy_user is set without cluster.proxy_password");
        assert!(with(&[user]).ends_with("is set without cluster.proxy"), "{}", with(&[user]));
    }
}
