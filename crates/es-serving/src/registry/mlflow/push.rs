//! A version of ours to the tracking server.
//!
//! The version there is created last, after its files and metrics, so that it is whole once it is
//! there. It carries the checksum of its content as a tag, by which a second push finds it. A push
//! that is killed leaves a run without a version.

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tracing::info;

use super::wire::{ModelVersionAnswer, RunAnswer};
use super::{Mlflow, MlflowVersion};
use crate::error::{Error, ErrorKind};
use crate::open_inference::Datatype;
use crate::registry::folder::{ModelFolder, io_error};
use crate::registry::version::{ModelFormat, NewVersion};
use crate::signature::Signature;

/// The file of a version's description of ours, beside the model.
pub(super) const DESCRIPTION: &str = "orchestrator.json";

/// The file of a model.
pub(super) const MODEL: &str = "model.onnx";

/// The file of a tokenizer, of a model of texts.
pub(super) const TOKENIZER: &str = "tokenizer.json";

/// The newest layout of [`DESCRIPTION`].
pub(super) const LAYOUT: u32 = 2;

/// The layout of a version's description: the second has text encoders, which a program that knows the first
/// would leave out.
fn layout(version: &NewVersion) -> u32 {
    if version.text.is_some() { LAYOUT } else { 1 }
}

/// The tag of a version's content.
const CONTENT: &str = "orchestrator.content";

/// Metrics that the server takes in one request.
const MOST_METRICS: usize = 1000;

/// The outcome of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The version is new there.
    New(MlflowVersion),
    /// The server had a version of the same content.
    Existing(MlflowVersion),
}

impl Pushed {
    /// The version on the server.
    pub fn version(&self) -> &MlflowVersion {
        match self {
            Self::New(version) | Self::Existing(version) => version,
        }
    }
}

impl Mlflow {
    /// Pushes a version with its file to the server, unless it is there. Its clients load it as
    /// `models:/NAME/NUMBER`, with the signature; its number there is the server's.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the version has no file in the folder; [`ErrorKind::NotFound`] and
    /// [`ErrorKind::Damaged`] as [`ModelFolder::open`]; [`ErrorKind::Mlflow`] when the server cannot
    /// be asked or takes no files.
    pub async fn push(&self, version: &NewVersion, folder: &ModelFolder) -> Result<Pushed, Error> {
        version.check()?;
        let (ModelFormat::Onnx, Some(sha256)) = (version.format, version.sha256) else {
            let message = format!("the version of {} has no file that could be pushed", version.model);
            return Err(Error::new(ErrorKind::Invalid, message)
                .with_help("put its file into the folder, and register it with NewVersion::onnx"));
        };
        let content = version.content().to_string();
        let filter = format!("name = '{}' AND tags.`{CONTENT}` = '{content}'", version.model);
        if let Some(existing) = self.search(&filter).await?.pop() {
            return Ok(Pushed::Existing(existing));
        }
        let path = folder.open(sha256).await?;
        let tokenizer = match &version.text {
            Some(text) => Some(folder.open_tokenizer(text.tokenizer.sha256).await?),
            None => None,
        };

        let created: Result<IgnoredAny, _> =
            self.post("registered-models/create", &json!({"name": version.model})).await?;
        if let Err(refusal) = created
            && !refusal.is_already_there()
        {
            return Err(refusal.into_error(self));
        }
        let run = json!({
            "experiment_id": "0", "run_name": format!("push of {}", version.model), "start_time": now(),
            "tags": [{"key": "mlflow.source.name", "value": "orchestrator"}]
        });
        let run = self.post::<RunAnswer>("runs/create", &run).await?.map_err(|refusal| refusal.into_error(self))?.run;
        let Some(artifacts) = run.info.artifact_uri.strip_prefix("mlflow-artifacts:/") else {
            let message = format!("{} keeps files at {}, and takes none", self.uri, run.info.artifact_uri);
            return Err(Error::new(ErrorKind::Mlflow, message)
                .with_help("start the server with --serve-artifacts, which is its default"));
        };
        let place = format!("api/2.0/mlflow-artifacts/artifacts/{artifacts}/model");
        let file = tokio::fs::File::open(&path).await.map_err(|error| io_error(&path, "read", error))?;
        self.put(&format!("{place}/{MODEL}"), file.into()).await?;
        if let Some(path) = tokenizer {
            let file = tokio::fs::File::open(&path).await.map_err(|error| io_error(&path, "read", error))?;
            self.put(&format!("{place}/{TOKENIZER}"), file.into()).await?;
        }
        let description = json!({"layout": layout(version), "version": version});
        self.put(&format!("{place}/{DESCRIPTION}"), description.to_string().into()).await?;
        let model = mlmodel(&version.signature, &run.info.run_id, Timestamp::now());
        self.put(&format!("{place}/MLmodel"), model.to_string().into()).await?;
        for batch in batches(version, &run.info.run_id) {
            self.done("runs/log-batch", &batch).await?;
        }
        let finished = json!({"run_id": run.info.run_id, "status": "FINISHED", "end_time": now()});
        self.done("runs/update", &finished).await?;

        let ours = [(CONTENT, &content), ("orchestrator.sha256", &sha256.to_string())].map(tag);
        let tags: Vec<Value> = version.tags.iter().map(tag).chain(ours).collect();
        let new = json!({
            "name": version.model, "source": format!("{}/model", run.info.artifact_uri), "run_id": run.info.run_id,
            "description": version.description.as_deref().unwrap_or_default(), "tags": tags
        });
        let created = self.post::<ModelVersionAnswer>("model-versions/create", &new).await?;
        let created: MlflowVersion = created.map_err(|refusal| refusal.into_error(self))?.model_version.try_into()?;
        info!(model = created.model, version = created.number, server = %self.uri, "pushed a version");
        Ok(Pushed::New(created))
    }

    async fn done(&self, path: &str, body: &Value) -> Result<(), Error> {
        let done: Result<IgnoredAny, _> = self.post(path, body).await?;
        done.map(|_| ()).map_err(|refusal| refusal.into_error(self))
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn tag((key, value): (impl AsRef<str>, &String)) -> Value {
    json!({"key": key.as_ref(), "value": value})
}

/// The requests that write metrics and parameters of a run.
fn batches(version: &NewVersion, run: &str) -> Vec<Value> {
    let timestamp = now();
    let pairs = version.metrics.iter().flat_map(|(metric, parts)| parts.iter().map(move |part| (metric, part)));
    let metrics: Vec<Value> = pairs
        .map(|(metric, (part, value))| {
            let key = if part.is_empty() { metric.clone() } else { format!("{part}/{metric}") };
            json!({"key": key, "value": value, "timestamp": timestamp, "step": 0})
        })
        .collect();
    let mut params = vec![json!({"key": "registered_by", "value": version.by})];
    if let Some(training) = &version.training {
        params.push(json!({"key": "training_manifest", "value": training.manifest}));
        params.push(json!({"key": "training_manifest_sha256", "value": training.sha256}));
    }
    let mut batches: Vec<Value> =
        metrics.chunks(MOST_METRICS).map(|metrics| json!({"run_id": run, "metrics": metrics})).collect();
    batches.push(json!({"run_id": run, "params": params}));
    batches
}

/// The file `MLmodel`, which is YAML, written as JSON, which is YAML too.
fn mlmodel(signature: &Signature, run: &str, now: Timestamp) -> Value {
    let mut model = json!({
        "artifact_path": "model",
        "flavors": {
            "onnx": {"data": MODEL, "code": null, "providers": ["CPUExecutionProvider"]},
            "python_function": {"data": MODEL, "loader_module": "mlflow.onnx"}
        },
        "run_id": run,
        "utc_time_created": now.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
    });
    if let Some(signature) = mlflow_signature(signature) {
        model["signature"] = signature;
    }
    model
}

/// The signature as MLflow writes it: texts that hold JSON. None where it has no type for a column,
/// or there are no columns: ours is in a file of its own.
fn mlflow_signature(signature: &Signature) -> Option<Value> {
    let columns: Option<Vec<Value>> = signature
        .columns
        .iter()
        .map(|column| Some(json!({"type": column_type(column.datatype)?, "name": column.name, "required": true})))
        .collect();
    let inputs = columns.filter(|columns| !columns.is_empty())?;
    let outputs: Option<Vec<Value>> = signature
        .outputs
        .iter()
        .map(|tensor| {
            let spec = json!({"dtype": tensor_type(tensor.datatype)?, "shape": tensor.shape});
            Some(json!({"type": "tensor", "name": tensor.name, "tensor-spec": spec}))
        })
        .collect();
    let outputs = outputs.filter(|outputs| !outputs.is_empty()).map(|outputs| Value::Array(outputs).to_string());
    Some(json!({"inputs": Value::Array(inputs).to_string(), "outputs": outputs, "params": null}))
}

fn column_type(datatype: Datatype) -> Option<&'static str> {
    Some(match datatype {
        Datatype::Bool => "boolean",
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 | Datatype::Uint8 | Datatype::Uint16 => "integer",
        Datatype::Int64 | Datatype::Uint32 => "long",
        Datatype::Uint64 => return None,
        Datatype::Fp32 => "float",
        Datatype::Fp64 => "double",
        Datatype::Bytes => "string",
    })
}

fn tensor_type(datatype: Datatype) -> Option<&'static str> {
    Some(match datatype {
        Datatype::Bool => "bool",
        Datatype::Int8 => "int8",
        Datatype::Int16 => "int16",
        Datatype::Int32 => "int32",
        Datatype::Int64 => "int64",
        Datatype::Uint8 => "uint8",
        Datatype::Uint16 => "uint16",
        Datatype::Uint32 => "uint32",
        Datatype::Uint64 => "uint64",
        Datatype::Fp32 => "float32",
        Datatype::Fp64 => "float64",
        Datatype::Bytes => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{InputColumn, TensorSpec};

    fn signature(column: Datatype, output: Datatype) -> Signature {
        Signature {
            columns: vec![InputColumn { name: "a".into(), datatype: column, nullable: true }],
            inputs: Vec::new(),
            outputs: vec![TensorSpec { name: "p".into(), datatype: output, shape: vec![-1, 2] }],
        }
    }

    #[test]
    fn a_signature_is_written_where_mlflow_has_its_types() {
        let found = mlflow_signature(&signature(Datatype::Int64, Datatype::Fp32)).unwrap();
        assert_eq!(found["inputs"], r#"[{"type":"long","name":"a","required":true}]"#);
        assert_eq!(
            found["outputs"],
            r#"[{"type":"tensor","name":"p","tensor-spec":{"dtype":"float32","shape":[-1,2]}}]"#
        );
        assert_eq!(mlflow_signature(&signature(Datatype::Fp64, Datatype::Bytes)).unwrap()["outputs"], Value::Null);
        assert_eq!(mlflow_signature(&signature(Datatype::Uint64, Datatype::Fp32)), None);
        assert_eq!(mlflow_signature(&Signature::default()), None);
    }

    #[test]
    fn metrics_are_written_in_requests_of_a_thousand() {
        let mut version = NewVersion::served("late", "http://models/late", Signature::default()).by("ana");
        for number in 0..1500 {
            version = version.with_metric(format!("m{number}"), "test", f64::from(number));
        }
        let sizes: Vec<_> = batches(&version, "r")
            .iter()
            .map(|batch| (batch["metrics"].as_array().map(Vec::len), batch["params"].as_array().map(Vec::len)))
            .collect();
        assert_eq!(sizes, [(Some(1000), None), (Some(500), None), (None, Some(1))]);
    }
}
