//! The pipelines of a cluster: those of this crate, and those of others, which it leaves alone.

use std::collections::BTreeMap;

use es_core::{Method, Request};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::definition::{IngestPipeline, Processor};
use super::name::{self, PipelineName};
use super::{InUse, IngestPipelines, ListedPipeline, Removal};
use crate::error::{Error, ErrorKind};
use crate::registry::Checksum;

/// The version of the form in which pipelines are written.
const VERSION: u64 = 1;

/// The manager that stands in `_meta`.
const MANAGED_BY: &str = "orchestrator";

/// A pipeline as the cluster has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Stored {
    #[serde(rename = "_meta", default)]
    meta: Map<String, Value>,
    #[serde(default)]
    processors: Value,
    on_failure: Option<Value>,
}

impl Stored {
    /// The processors of both lists; none where one has a form that is not known here.
    pub(super) fn lists(&self) -> [(&'static str, Vec<Processor>); 2] {
        let read = |value: Option<&Value>| value.and_then(|value| Vec::deserialize(value).ok()).unwrap_or_default();
        [("processors", read(Some(&self.processors))), ("on_failure", read(self.on_failure.as_ref()))]
    }

    fn body(&self) -> Value {
        let mut body = json!({ "processors": self.processors });
        if let Some(on_failure) = &self.on_failure {
            body["on_failure"] = on_failure.clone();
        }
        body
    }

    /// The fingerprint that it was created with, if it is one of the asset's.
    fn fingerprint_of(&self, asset: &str) -> Option<Checksum> {
        let text = |name: &str| self.meta.get(name).and_then(Value::as_str);
        let is_ours = text("managed_by") == Some(MANAGED_BY) && text("asset") == Some(asset);
        is_ours.then(|| text("fingerprint")?.parse().ok())?
    }
}

impl IngestPipelines {
    /// The name that a pipeline of an asset has, whether it is there or not.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the cluster would take the name for a pattern.
    pub fn name(&self, asset: &str, pipeline: &IngestPipeline) -> Result<PipelineName, Error> {
        PipelineName::of(&self.prefix, asset, pipeline)
    }

    /// Creates a pipeline, unless it is there already. A pipeline is never overwritten: another definition
    /// has another name, so that indices keep the one that they were made with.
    ///
    /// # Errors
    /// As [`IngestPipelines::check`]; [`ErrorKind::Invalid`] for a definition that the cluster refuses,
    /// with the position of the processor; [`ErrorKind::Conflict`] when somebody else has a pipeline of
    /// this name; [`ErrorKind::Damaged`] when it was changed by hand; else as [`es_core::Client::send`].
    pub async fn ensure(&self, asset: &str, pipeline: &IngestPipeline) -> Result<PipelineName, Error> {
        pipeline.check()?;
        let name = self.name(asset, pipeline)?;
        if let Some(found) = self.read(name.as_str()).await? {
            compare(&name, asset, pipeline, &found)?;
            return Ok(name);
        }
        self.check(pipeline).await?;
        let mut body = pipeline.body();
        if let Some(description) = &pipeline.description {
            body["description"] = json!(description);
        }
        body["version"] = json!(VERSION);
        body["_meta"] = json!({ "managed_by": MANAGED_BY, "asset": asset, "fingerprint": pipeline.fingerprint() });
        // Two that create it at once write the same.
        let request = Request::new(Method::Put, name::path(name.as_str())).json(&body).repeatable();
        match self.client.send(&request).await {
            Ok(_) => Ok(name),
            Err(error) => Err(self.explained(pipeline, error).await),
        }
    }

    /// The pipelines of an asset, by name.
    ///
    /// # Errors
    /// As [`es_core::Client::send`].
    pub async fn list(&self, asset: &str) -> Result<Vec<ListedPipeline>, Error> {
        let start = name::start(&self.prefix, asset)?;
        let found = self.read_all(&format!("{start}*")).await?;
        let ours = found.into_iter().filter_map(|(name, stored)| {
            let fingerprint = stored.fingerprint_of(asset)?;
            // An asset whose name begins as this one's has pipelines that match the pattern too.
            let digits = name.strip_prefix(&start)?;
            let is_named_so = !digits.is_empty() && fingerprint.to_string().starts_with(digits);
            is_named_so.then(|| ListedPipeline { name: PipelineName::found(&name), fingerprint })
        });
        Ok(ours.collect())
    }

    /// Removes the pipelines of an asset that are not used, each by its exact name. Pipelines of others
    /// are left alone, and so are those that the cluster keeps because an index has them: they are
    /// returned with its words.
    ///
    /// A pipeline that was just created, and that no index has yet, is removed unless it is among `used`:
    /// call it where nobody else creates an index of the asset.
    ///
    /// # Errors
    /// As [`es_core::Client::send`].
    pub async fn remove_unused(&self, asset: &str, used: &[PipelineName]) -> Result<Removal, Error> {
        let mut removal = Removal::default();
        for listed in self.list(asset).await? {
            if used.contains(&listed.name) {
                continue;
            }
            let request = Request::new(Method::Delete, name::path(listed.name.as_str())).repeatable();
            match self.client.exists(&request).await {
                // False: somebody else removed it.
                Ok(_) => removal.removed.push(listed.name),
                // The name is exact, and the request has nothing else that could be wrong.
                Err(error) if error.kind() == es_core::ErrorKind::BadRequest => {
                    let reason = error.server().map_or_else(|| error.to_string(), es_core::ServerError::summary);
                    removal.in_use.push(InUse { name: listed.name, reason });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(removal)
    }

    /// Reads a pipeline of anybody by its exact name.
    pub(super) async fn read(&self, name: &str) -> Result<Option<Stored>, Error> {
        Ok(self.read_all(name).await?.remove(name))
    }

    async fn read_all(&self, pattern: &str) -> Result<BTreeMap<String, Stored>, Error> {
        match self.client.send(&Request::new(Method::Get, name::path(pattern))).await {
            Ok(answer) => Ok(answer.json()?),
            Err(error) if error.kind() == es_core::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Compares a pipeline with what stands under its name.
fn compare(name: &PipelineName, asset: &str, pipeline: &IngestPipeline, found: &Stored) -> Result<(), Error> {
    match found.fingerprint_of(asset) {
        None => {
            Err(Error::new(ErrorKind::Conflict, format!("the pipeline {name} is there, and belongs to somebody else"))
                .with_help("choose another prefix, or remove that pipeline if nobody needs it"))
        }
        Some(other) if other != pipeline.fingerprint() => {
            let message = format!("the pipeline {name} is there with the fingerprint {other}, which begins the same");
            Err(Error::new(ErrorKind::Conflict, message)
                .with_help("add a `tag` to a processor: the name changes with it"))
        }
        Some(_) if found.body() != pipeline.body() => {
            let message = format!("the pipeline {name} is not as it was created: somebody changed it by hand");
            Err(Error::new(ErrorKind::Damaged, message).with_help(
                "put its processors back, or add a `tag` to a processor here, so that a pipeline with another name is created",
            ))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_pipeline_of_the_same_asset_is_taken() {
        let processors = json!([{"set": {"field": "a", "value": 1.50}}]);
        let pipeline: IngestPipeline = serde_json::from_value(json!({ "processors": processors })).unwrap();
        let name = PipelineName::of("p-", "late", &pipeline).unwrap();
        let fingerprint = pipeline.fingerprint();
        let meta = json!({"managed_by": "orchestrator", "asset": "late", "fingerprint": fingerprint});
        let changed = json!([{"set": {"field": "a", "value": 2}}]);
        let other = |key: &str, value: &str| {
            let mut meta = meta.clone();
            meta[key] = json!(value);
            meta
        };
        let table = [
            (
                json!({"_meta": meta, "version": 1, "processors": [{"set": {"value": 1.5, "field": "a"}}], "created_date_millis": 1}),
                None,
            ),
            (json!({"_meta": meta, "processors": changed}), Some(ErrorKind::Damaged)),
            (json!({"_meta": meta, "processors": processors, "on_failure": changed}), Some(ErrorKind::Damaged)),
            (json!({"_meta": other("asset", "early"), "processors": processors}), Some(ErrorKind::Conflict)),
            (json!({"_meta": other("managed_by", "ana"), "processors": processors}), Some(ErrorKind::Conflict)),
            (
                json!({"_meta": other("fingerprint", &"0".repeat(64)), "processors": processors}),
                Some(ErrorKind::Conflict),
            ),
            (json!({"processors": processors}), Some(ErrorKind::Conflict)),
        ];
        for (stored, expected) in table {
            let stored: Stored = serde_json::from_value(stored).unwrap();
            let found = compare(&name, "late", &pipeline, &stored).err();
            assert_eq!(found.as_ref().map(Error::kind), expected);
            assert!(found.is_none_or(|error| error.help().is_some()));
        }
    }
}
