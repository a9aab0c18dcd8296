//! The history of runs, in a hidden index under the prefix: one document a run, and one a step, which
//! is one part of an asset in one run.

use std::collections::BTreeSet;
use std::fmt::Display;

use es_assets::{Fingerprint, Inputs, PartitionKey, Published};
use es_core::{Client, Mapping, Method, Precondition, Request, paths};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::{debug, info};

use super::create_hidden;
use crate::error::{Error, ErrorKind, Result};
use crate::kinds::Verdict;

/// The state of a run or a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It is under way, or its process died while it was.
    Running,
    /// It was built and published, or evaluated.
    Succeeded,
    /// It failed; what readers see is unchanged.
    Failed,
    /// It was interrupted; what readers see is unchanged.
    Interrupted,
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        })
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run.
    pub run: String,
    /// The pipeline.
    pub pipeline: String,
    /// The type of the document: always `run`.
    pub record: RecordType,
    /// Its state.
    pub status: RunStatus,
    /// When it started, in UTC.
    pub started: Timestamp,
    /// When it ended, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// The number of steps that were planned to do something.
    pub steps: usize,
    /// Steps that did something, and succeeded.
    #[serde(default)]
    pub succeeded: usize,
    /// Steps that were up to date.
    #[serde(default)]
    pub unchanged: usize,
    /// Steps that failed, were interrupted or skipped.
    #[serde(default)]
    pub failed: usize,
    /// The host that ran it, for a person.
    pub host: String,
    /// The version of the program.
    pub version: String,
}

/// The type of a document of the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordType {
    /// A run.
    Run,
    /// A step. Documents of earlier versions are all of this type, and do not say so.
    #[default]
    Step,
}

/// One part of an asset in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The run.
    pub run: String,
    /// The pipeline.
    pub pipeline: String,
    /// The type of the document: always `step`.
    #[serde(default)]
    pub record: RecordType,
    /// The asset.
    pub asset: String,
    /// Its kind.
    pub kind: String,
    /// The partition, of an asset that has partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionKey>,
    /// Asset and partition together, to find the newest record of each.
    pub part: String,
    /// Its state.
    pub status: RunStatus,
    /// Why it ran.
    pub reasons: Vec<String>,
    /// When it started, in UTC.
    pub started: Timestamp,
    /// When it ended, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The numbers of its work.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub summary: Value,
    /// The definition.
    pub fingerprint: Fingerprint,
    /// The versions of what it was made of.
    #[serde(default, skip_serializing_if = "Inputs::is_empty")]
    pub inputs: Inputs,
    /// The report of an evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Value>,
    /// The verdict of an evaluation.
    #[serde(default, skip_serializing_if = "Verdict::is_passed")]
    pub verdict: Verdict,
    /// Who has taken note of a verdict that did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
}

/// The note that somebody knows of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who it was, as they say.
    pub by: String,
    /// When, in UTC.
    pub at: Timestamp,
}

impl StepRecord {
    /// The evaluation as something published: its content is the run that made it.
    pub fn published(&self) -> Published {
        Published {
            fingerprint: self.fingerprint.clone(),
            inputs: self.inputs.clone(),
            version: self.run.clone(),
            generation: None,
            rows: None,
        }
    }
}

/// The name of a part: `departures/2013-01`.
pub fn part_name(asset: &str, partition: Option<&impl Display>) -> String {
    match partition {
        Some(partition) => format!("{asset}/{partition}"),
        None => asset.to_owned(),
    }
}

/// The history of one pipeline.
#[derive(Clone, Debug)]
pub struct History {
    client: Client,
    index: String,
    pipeline: String,
}

/// The server returns at most so many hits of one search.
const MOST_RECORDS: usize = 10_000;

/// The version of the mapping below. A history that was created with an earlier one is upgraded in
/// place.
const MAPPING_VERSION: u64 = 2;

/// Records that one run removes at most, so that no run is held up by them.
const MOST_REMOVED: usize = 5_000;

impl History {
    /// The history under a prefix. Nothing is written until the first record is.
    pub fn new(client: Client, prefix: &str, pipeline: &str) -> Self {
        Self { client, index: format!("{prefix}orchestrator-runs"), pipeline: pipeline.to_owned() }
    }

    /// Creates the index if there is none, and upgrades the mapping of an earlier version.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn prepare(&self) -> Result<()> {
        let mapping = mapping()?;
        let Some(found) = self.client.indices().describe(&self.index).await?.into_iter().next() else {
            return create_hidden(&self.client, &self.index, mapping).await;
        };
        let version = found.mapping.meta.get("version").and_then(Value::as_u64).unwrap_or(1);
        if version < MAPPING_VERSION {
            self.client.indices().put_mapping(&self.index, &mapping).await?;
            info!(from = version, to = MAPPING_VERSION, "upgraded the mapping of the history");
        }
        Ok(())
    }

    /// Writes the record of a step, over an earlier one of the same run and part.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn write_step(&self, record: &StepRecord) -> Result<()> {
        let id = format!("{}|{}", record.run, record.part);
        let documents = self.client.documents(&self.index);
        // Nobody searches for steps that are not settled.
        let documents = if record.status == RunStatus::Running { documents.without_refresh() } else { documents };
        Ok(documents.put(&id, record, Precondition::None).await?)
    }

    /// Writes the record of a run, over an earlier one of the same run.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn write_run(&self, record: &RunRecord) -> Result<()> {
        Ok(self.client.documents(&self.index).put(&record.run, record, Precondition::None).await?)
    }

    /// The newest settled record of each part; `running` is not settled.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn newest(&self, asset: Option<&str>) -> Result<Vec<StepRecord>> {
        let settled = json!({"bool": {
            "filter": self.records_of(asset),
            "must_not": [{"term": {"status": "running"}}, {"term": {"record": "run"}}]
        }});
        self.collapsed(&settled).await
    }

    /// The newest success of each part.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn newest_successes(&self, asset: Option<&str>) -> Result<Vec<StepRecord>> {
        let mut filter = self.records_of(asset);
        filter.push(json!({"term": {"status": "succeeded"}}));
        let succeeded = json!({"bool": {"filter": filter, "must_not": [{"term": {"record": "run"}}]}});
        self.collapsed(&succeeded).await
    }

    fn records_of(&self, asset: Option<&str>) -> Vec<Value> {
        let mut filter = vec![json!({"term": {"pipeline": self.pipeline}})];
        filter.extend(asset.map(|asset| json!({"term": {"asset": asset}})));
        filter
    }

    async fn collapsed(&self, query: &Value) -> Result<Vec<StepRecord>> {
        let sort = json!([{"started": "desc"}]);
        let found = self.client.documents(&self.index).search_first_of_each("part", query, &sort, MOST_RECORDS).await?;
        Ok(found.into_iter().map(|document| document.source).collect())
    }

    /// The newest steps, of one run or of all, newest first.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn steps(&self, run: Option<&str>, most: usize) -> Result<Vec<StepRecord>> {
        let mut filter = self.records_of(None);
        filter.extend(run.map(|run| json!({"term": {"run": run}})));
        let query = json!({"bool": {"filter": filter, "must_not": [{"term": {"record": "run"}}]}});
        let sort = json!([{"started": "desc"}, {"part": "desc"}]);
        let found = self.client.documents(&self.index).search(&query, &sort, most.min(MOST_RECORDS)).await?;
        Ok(found.into_iter().map(|document| document.source).collect())
    }

    /// The newest runs, newest first.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn runs(&self, most: usize) -> Result<Vec<RunRecord>> {
        let mut filter = self.records_of(None);
        filter.push(json!({"term": {"record": "run"}}));
        let sort = json!([{"started": "desc"}]);
        let query = json!({"bool": {"filter": filter}});
        let found = self.client.documents(&self.index).search(&query, &sort, most.min(MOST_RECORDS)).await?;
        Ok(found.into_iter().map(|document| document.source).collect())
    }

    /// Removes records that are older than `keep`, except the newest ones of each part, which say
    /// what is published and what failed. Returns how many were removed.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn remove_older_than(&self, keep: SignedDuration, now: Timestamp) -> Result<usize> {
        let Ok(before) = now.checked_sub(keep) else { return Ok(0) };
        let mut needed: BTreeSet<String> = BTreeSet::new();
        for record in self.newest(None).await?.into_iter().chain(self.newest_successes(None).await?) {
            needed.insert(format!("{}|{}", record.run, record.part));
        }
        let mut filter = self.records_of(None);
        filter.push(json!({"range": {"started": {"lt": before.to_string()}}}));
        let query = json!({"bool": {"filter": filter, "must_not": [{"ids": {"values": needed}}]}});
        let sort = json!([{"started": "asc"}]);
        let old = self.client.documents(&self.index).search::<Value>(&query, &sort, MOST_REMOVED).await?;
        if old.is_empty() {
            return Ok(0);
        }
        let lines: String =
            old.iter().map(|document| format!("{}\n", json!({"delete": {"_id": document.id}}))).collect();
        let request = Request::new(Method::Post, paths::bulk(&self.index)).ndjson(lines).repeatable();
        self.client.send(&request).await?;
        debug!(records = old.len(), "removed old records of the history");
        Ok(old.len())
    }
}

fn mapping() -> Result<Mapping> {
    serde_json::from_value(json!({
        "dynamic": false,
        "_meta": {"version": MAPPING_VERSION},
        "properties": {
            "record": {"type": "keyword"},
            "run": {"type": "keyword"}, "pipeline": {"type": "keyword"}, "asset": {"type": "keyword"},
            "kind": {"type": "keyword"}, "partition": {"type": "keyword"}, "part": {"type": "keyword"},
            "status": {"type": "keyword"}, "started": {"type": "date"}, "finished": {"type": "date"},
            "host": {"type": "keyword"}
        }
    }))
    .map_err(|error| Error::new(ErrorKind::Defect, format!("the mapping of the history: {error}")))
}
