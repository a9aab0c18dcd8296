//! Running a pipeline on sample documents, without writing any.

use es_core::{Method, Request, ServerError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::changes::{self, FieldChange};
use super::definition::{IngestPipeline, Processor};
use super::{IngestPipelines, steps};
use crate::error::{Error, ErrorKind};

/// Documents and bytes of one request.
const MOST_DOCUMENTS: usize = 100;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Processors that are tried one by one, to find the one that the cluster refuses.
const MOST_TRIED: usize = 100;

/// A document that a pipeline is tried on.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleDocument {
    /// The index that it would be written to.
    pub index: String,
    /// Its id.
    pub id: String,
    /// Its routing, if it has one.
    pub routing: Option<String>,
    /// Its fields.
    pub source: Map<String, Value>,
}

/// The outcome of a pipeline for a sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Simulated {
    /// It is written.
    Written {
        /// The fields that are written.
        source: Map<String, Value>,
        /// The fields that differ from the sample's.
        changes: Vec<FieldChange>,
        /// The changes of `_index`, `_id` and `_routing`. The cluster rejects a document whose index the
        /// final pipeline of an index changes.
        metadata: Vec<FieldChange>,
    },
    /// It is not written, and the server calls that a success.
    Dropped,
    /// It is rejected.
    Failed(ProcessorFailure),
}

/// The failure of a processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessorFailure {
    /// Its position, such as `processors[2]`, if it is known. A processor inside of `foreach` has that of
    /// `foreach`, and one of another pipeline that of the processor `pipeline`.
    pub position: Option<String>,
    /// Its type, if it is known.
    pub kind: Option<String>,
    /// Its `tag`, if it has one.
    pub tag: Option<String>,
    /// The reason, in the server's words.
    pub reason: String,
}

#[derive(Deserialize)]
struct Answer<T> {
    docs: Vec<T>,
}

#[derive(Deserialize)]
struct Outcome {
    doc: Option<Document>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "_source")]
    source: Map<String, Value>,
    #[serde(flatten)]
    metadata: Map<String, Value>,
}

#[derive(Deserialize)]
struct Trace {
    #[serde(default)]
    processor_results: Vec<Traced>,
}

#[derive(Deserialize)]
struct Traced {
    processor_type: Option<String>,
    tag: Option<String>,
    error: Option<Value>,
}

impl SampleDocument {
    /// A document without routing.
    #[must_use]
    pub fn new(index: impl Into<String>, id: impl Into<String>, source: Map<String, Value>) -> Self {
        Self { index: index.into(), id: id.into(), routing: None, source }
    }

    fn to_value(&self) -> Value {
        let mut document = json!({ "_index": self.index, "_id": self.id, "_source": self.source });
        if let Some(routing) = &self.routing {
            document["_routing"] = json!(routing);
        }
        document
    }

    fn metadata(&self, name: &str) -> Option<Value> {
        match name {
            "_index" => Some(json!(self.index)),
            "_id" => Some(json!(self.id)),
            _ => self.routing.as_ref().map(|routing| json!(routing)),
        }
    }
}

impl IngestPipelines {
    /// Runs a pipeline on samples, and returns the outcome of each, in their order. Nothing is written,
    /// and the pipeline need not be there. Samples are sent 100 at a time, or 4 MB.
    ///
    /// It takes the cluster privilege `read_pipeline`, or one of [`super::PRIVILEGES`].
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a definition that the cluster refuses, with the position of the
    /// processor; else as [`es_core::Client::send`].
    pub async fn simulate(
        &self,
        pipeline: &IngestPipeline,
        samples: &[SampleDocument],
    ) -> Result<Vec<Simulated>, Error> {
        let mut all = Vec::with_capacity(samples.len());
        for (batch, documents) in batches(samples) {
            let outcomes: Vec<Option<Outcome>> = match self.simulated(&pipeline.body(), &documents, false).await {
                Ok(outcomes) => outcomes,
                Err(error) => return Err(self.explained(pipeline, error).await),
            };
            if outcomes.len() != batch.len() {
                let message = format!("the simulation of {} documents has {} outcomes", batch.len(), outcomes.len());
                return Err(Error::new(ErrorKind::Protocol, message));
            }
            let from = all.len();
            all.extend(batch.iter().zip(outcomes).map(|(sample, outcome)| outcome_of(sample, outcome)));
            self.locate(pipeline, &documents, &mut all[from..]).await?;
        }
        Ok(all)
    }

    /// Finds the processors that failed, by a second run with a trace, in which each has its position as
    /// its tag. The first run has the definition as it is: the tags of a definition may be part of its
    /// outcome.
    async fn locate(&self, pipeline: &IngestPipeline, documents: &[Value], all: &mut [Simulated]) -> Result<(), Error> {
        let mut failed: Vec<(&mut ProcessorFailure, &Value)> = Vec::new();
        for (simulated, document) in all.iter_mut().zip(documents) {
            if let Simulated::Failed(failure) = simulated {
                failed.push((failure, document));
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        let documents: Vec<Value> = failed.iter().map(|(_, document)| (*document).clone()).collect();
        let traces: Vec<Trace> = self.simulated(&steps::tagged(pipeline), &documents, true).await?;
        for ((failure, _), trace) in failed.into_iter().zip(traces) {
            place(failure, pipeline, &trace);
        }
        Ok(())
    }

    pub(super) async fn simulated<T: for<'de> Deserialize<'de>>(
        &self,
        body: &Value,
        documents: &[Value],
        with_trace: bool,
    ) -> Result<Vec<T>, es_core::Error> {
        let mut request = Request::new(Method::Post, "/_ingest/pipeline/_simulate")
            .json(&json!({ "pipeline": body, "docs": documents }))
            .repeatable();
        if with_trace {
            request = request.query("verbose", "true");
        }
        Ok(self.client.send(&request).await?.json::<Answer<T>>()?.docs)
    }

    /// Adds the position of the processor to the cluster's refusal of a definition.
    pub(super) async fn explained(&self, pipeline: &IngestPipeline, error: es_core::Error) -> Error {
        if !is_refusal(&error) {
            return error.into();
        }
        let mut each = Vec::new();
        for (name, list) in [("processors", &pipeline.processors), ("on_failure", &pipeline.on_failure)] {
            each.extend(list.iter().enumerate().map(|(place, processor)| (format!("{name}[{place}]"), processor)));
        }
        for (position, processor) in each.into_iter().take(MOST_TRIED) {
            if let Some(refusal) = self.refusal(processor).await {
                let message = format!("the cluster refuses {position} (`{}`): {refusal}", processor.kind);
                return Error::new(ErrorKind::Invalid, message).with_source(error);
            }
        }
        error.into()
    }

    /// The words with which the cluster refuses a processor by itself.
    async fn refusal(&self, processor: &Processor) -> Option<String> {
        let body = json!({ "processors": [processor.to_value()] });
        let nothing = json!({ "_index": "none", "_id": "none", "_source": {} });
        let outcome = self.simulated::<Value>(&body, &[nothing], false).await;
        Some(outcome.err()?.server()?.summary())
    }
}

/// True for an error that is about the definition, and not about who asks or whether the server can answer.
/// Elasticsearch fails on some definitions with 500, such as a script in a language that it does not know.
pub(super) fn is_refusal(error: &es_core::Error) -> bool {
    use es_core::ErrorKind::{Forbidden, LicenceMissing, Unauthorized};
    error.server().is_some()
        && !error.is_retryable()
        && !matches!(error.kind(), Forbidden | LicenceMissing | Unauthorized)
}

/// Samples as they are sent, in batches. A document of more than [`MOST_BYTES`] is one by itself.
fn batches(samples: &[SampleDocument]) -> Vec<(&[SampleDocument], Vec<Value>)> {
    let mut all = Vec::new();
    let (mut from, mut bytes, mut documents) = (0, 0, Vec::new());
    for (place, sample) in samples.iter().enumerate() {
        let document = sample.to_value();
        let size = document.to_string().len();
        if !documents.is_empty() && (documents.len() == MOST_DOCUMENTS || bytes + size > MOST_BYTES) {
            all.push((&samples[from..place], std::mem::take(&mut documents)));
            (from, bytes) = (place, 0);
        }
        bytes += size;
        documents.push(document);
    }
    if !documents.is_empty() {
        all.push((&samples[from..], documents));
    }
    all
}

fn outcome_of(sample: &SampleDocument, outcome: Option<Outcome>) -> Simulated {
    let Some(outcome) = outcome else { return Simulated::Dropped };
    match outcome.doc {
        Some(document) => {
            let metadata = ["_index", "_id", "_routing"].into_iter().filter_map(|name| {
                changes::of_field(name, sample.metadata(name).as_ref(), document.metadata.get(name))
            });
            Simulated::Written {
                changes: changes::between(&sample.source, &document.source),
                metadata: metadata.collect(),
                source: document.source,
            }
        }
        None => Simulated::Failed(ProcessorFailure {
            position: None,
            kind: None,
            tag: None,
            reason: reason(outcome.error.as_ref()),
        }),
    }
}

/// The server's words; for a script, with the part of it that failed.
fn reason(error: Option<&Value>) -> String {
    let Some(error) = error else { return "without a word".to_owned() };
    let words = ServerError::from_value(error).map_or_else(|| error.to_string(), |error| error.summary());
    match error["script_stack"].as_array().and_then(|stack| stack.iter().find_map(Value::as_str)) {
        Some(line) => format!("{words} (at `{}`)", line.trim()),
        None => words,
    }
}

/// Reads the processor that failed out of a trace: the last error is the one that nothing handled.
fn place(failure: &mut ProcessorFailure, pipeline: &IngestPipeline, trace: &Trace) {
    let is_ours = |tag: &&str| tag.starts_with("processors[") || tag.starts_with("on_failure[");
    let results = &trace.processor_results;
    let Some(last) = results.iter().rposition(|result| result.error.is_some()) else { return };
    failure.kind.clone_from(&results[last].processor_type);
    let own = results[last].tag.as_deref().filter(is_ours);
    // Processors of another pipeline come after the processor that called it.
    let position =
        own.or_else(|| results[..last].iter().rev().find_map(|result| result.tag.as_deref().filter(is_ours)));
    failure.position = position.map(str::to_owned);
    failure.tag = match own {
        Some(position) => steps::tag_at(pipeline, position),
        None => results[last].tag.clone(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(source: Value) -> SampleDocument {
        let Value::Object(source) = source else { panic!() };
        SampleDocument::new("i", "1", source)
    }

    #[test]
    fn an_answer_is_read_as_what_it_means() {
        let routed = SampleDocument { routing: Some("r".to_owned()), ..sample(json!({"a": 1})) };
        let moved =
            json!({"doc": {"_index": "j", "_id": "1", "_version": "-3", "_source": {"a": 1, "b": 2}, "_ingest": {}}});
        let simulated = outcome_of(&routed, serde_json::from_value(moved).unwrap());
        assert_eq!(
            json!(simulated),
            json!({
                "outcome": "written",
                "source": {"a": 1, "b": 2},
                "changes": [{"change": "added", "field": "b", "value": 2}],
                "metadata": [
                    {"change": "changed", "field": "_index", "before": "i", "after": "j"},
                    {"change": "removed", "field": "_routing", "value": "r"},
                ],
            })
        );
        assert_eq!(outcome_of(&routed, None), Simulated::Dropped);
        let failed = json!({"error": {"type": "script_exception", "reason": "runtime error", "script_stack": ["ctx.y=1", "^-- HERE"],
            "caused_by": {"type": "null_pointer_exception", "reason": "it is null"}}});
        let Simulated::Failed(failure) = outcome_of(&routed, serde_json::from_value(failed).unwrap()) else { panic!() };
        assert_eq!(failure.reason, "runtime error: it is null (at `ctx.y=1`)");
    }

    #[test]
    fn the_last_error_of_a_trace_is_the_one_that_nothing_handled() {
        let processors = json!({"processors": [{"rename": {"on_failure": [{"set": {}}]}}, {"pipeline": {"name": "p", "tag": "calls"}}, {"fail": {"tag": "mine"}}]});
        let pipeline: IngestPipeline = serde_json::from_value(processors).unwrap();
        let error = json!({"type": "x", "reason": "y"});
        let handled = json!({"processor_type": "rename", "status": "error", "tag": "processors[0]", "error": error});
        let handler =
            json!({"processor_type": "set", "status": "success", "tag": "processors[0].rename.on_failure[0]"});
        let calls = json!({"processor_type": "pipeline", "status": "success", "tag": "processors[1]"});
        let other = json!({"processor_type": "trim", "status": "error", "tag": "theirs", "error": error});
        let last = json!({"processor_type": "fail", "status": "error", "tag": "processors[2]", "error": error});
        let table = [
            (json!([handled, handler, calls, last]), Some("processors[2]"), Some("fail"), Some("mine")),
            (json!([handled, handler, calls, other]), Some("processors[1]"), Some("trim"), Some("theirs")),
            (json!([handled]), Some("processors[0]"), Some("rename"), None),
            (json!([calls]), None, None, None),
        ];
        for (results, position, kind, tag) in table {
            let trace: Trace = serde_json::from_value(json!({ "processor_results": results })).unwrap();
            let mut failure = ProcessorFailure { position: None, kind: None, tag: None, reason: String::new() };
            place(&mut failure, &pipeline, &trace);
            assert_eq!(
                (failure.position.as_deref(), failure.kind.as_deref(), failure.tag.as_deref()),
                (position, kind, tag)
            );
        }
    }

    #[test]
    fn requests_are_bounded_by_documents_and_bytes() {
        let sizes =
            |samples: &[SampleDocument]| batches(samples).iter().map(|(batch, _)| batch.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&vec![sample(json!({})); 250]), [100, 100, 50]);
        let large = sample(json!({"text": "x".repeat(3 * 1024 * 1024)}));
        assert_eq!(sizes(&[large.clone(), sample(json!({})), large.clone(), large]), [2, 1, 1]);
        assert!(sizes(&[]).is_empty());
    }
}
