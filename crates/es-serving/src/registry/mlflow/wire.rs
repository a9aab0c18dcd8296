//! Answers of the tracking server, as far as they are read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Mlflow, MlflowVersion};
use crate::error::{Error, ErrorKind};

/// An answer that refuses.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
pub(super) struct ErrorAnswer {
    #[serde(default)]
    pub(super) error_code: String,
    #[serde(default)]
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn is_absent(&self) -> bool {
        self.status == 404 && self.code == "RESOURCE_DOES_NOT_EXIST"
    }

    pub(super) fn is_invalid_parameter(&self) -> bool {
        self.status == 400 && self.code == "INVALID_PARAMETER_VALUE"
    }

    pub(super) fn is_already_there(&self) -> bool {
        self.code == "RESOURCE_ALREADY_EXISTS"
    }

    /// Returns whether the server, or a proxy before it, cannot serve the request now.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504)
    }

    pub(super) fn into_error(self, server: &Mlflow) -> Error {
        let is_passing = self.is_passing();
        let Self { request, status, code, message } = self;
        let code = if code.is_empty() { String::new() } else { format!("{code}: ") };
        let error = Error::new(
            ErrorKind::Mlflow,
            format!("{request} at {} was answered {status}: {code}{message}", server.uri),
        );
        match status {
            401 | 403 => error.with_help("check the credentials: MlflowOptions::user and password, or token"),
            404 if code.is_empty() => error.with_help("check that MlflowOptions::uri is that of a tracking server"),
            _ => error.retryable(is_passing),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct RegisteredModelAnswer {
    pub(super) registered_model: RegisteredModel,
}

#[derive(Deserialize)]
pub(super) struct RegisteredModel {
    #[serde(default)]
    pub(super) aliases: Vec<Alias>,
}

#[derive(Deserialize)]
pub(super) struct Alias {
    pub(super) alias: String,
    version: String,
}

impl Alias {
    pub(super) fn number(&self) -> Result<u32, Error> {
        number(&self.version)
    }
}

#[derive(Deserialize)]
pub(super) struct ModelVersionAnswer {
    pub(super) model_version: ModelVersion,
}

#[derive(Deserialize)]
pub(super) struct ModelVersionsAnswer {
    #[serde(default)]
    pub(super) model_versions: Vec<ModelVersion>,
    #[serde(default)]
    pub(super) next_page_token: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ModelVersion {
    name: String,
    version: String,
    #[serde(default)]
    creation_timestamp: i64,
    #[serde(default)]
    description: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    run_id: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
pub(super) struct RunAnswer {
    pub(super) run: Run,
}

#[derive(Deserialize)]
pub(super) struct Run {
    pub(super) info: RunInfo,
    #[serde(default)]
    pub(super) data: RunData,
}

#[derive(Deserialize)]
pub(super) struct RunInfo {
    pub(super) run_id: String,
    #[serde(default)]
    pub(super) artifact_uri: String,
}

#[derive(Default, Deserialize)]
pub(super) struct RunData {
    #[serde(default)]
    pub(super) metrics: Vec<Metric>,
}

#[derive(Deserialize)]
pub(super) struct Metric {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: Value,
}

impl TryFrom<ModelVersion> for MlflowVersion {
    type Error = Error;

    fn try_from(found: ModelVersion) -> Result<Self, Error> {
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(Self {
            number: number(&found.version)?,
            model: found.name,
            source: found.source,
            run: text(found.run_id),
            description: text(found.description),
            tags: found.tags.into_iter().map(|tag| (tag.key, tag.value)).collect::<BTreeMap<_, _>>(),
            at: Timestamp::from_millisecond(found.creation_timestamp).map_err(|error| {
                let message = format!("the creation_timestamp {} is not a time", found.creation_timestamp);
                Error::new(ErrorKind::Mlflow, message).with_source(error)
            })?,
        })
    }
}

fn number(text: &str) -> Result<u32, Error> {
    text.parse().map_err(|error| {
        Error::new(ErrorKind::Mlflow, format!("the version `{text}` of an MLflow server is not a number"))
            .with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_server_writes_them() {
        // As MLflow 3.17.2 answers `model-versions/get`.
        let answer = r#"{"model_version": {"name": "late", "version": "2", "creation_timestamp": 1795807151300,
            "last_updated_timestamp": 1795807151300, "current_stage": "None", "description": "d",
            "source": "mlflow-artifacts:/0/ad94/artifacts/model", "run_id": "ad94", "status": "READY",
            "tags": [{"key": "a", "value": "b"}], "run_link": "", "aliases": ["champion"]}}"#;
        let answer: ModelVersionAnswer = serde_json::from_str(answer).unwrap();
        let version = MlflowVersion::try_from(answer.model_version).unwrap();
        assert_eq!((version.number, version.run.as_deref()), (2, Some("ad94")));
        assert_eq!(version.at.to_string(), "2026-11-27T19:19:11.3Z");
        assert_eq!(version.tags["a"], "b");
        let nothing: ModelVersionsAnswer = serde_json::from_str("{}").unwrap();
        assert!(nothing.model_versions.is_empty() && nothing.next_page_token.is_none());
        assert_eq!(number("latest").unwrap_err().kind(), ErrorKind::Mlflow);
    }
}
