//! The history of runs: one document a run and part of an asset, in a hidden index under
//! the prefix.

use es_assets::{Fingerprint, Inputs, PartitionKey};
use es_core::{Client, ErrorKind, NewIndex, Precondition};
use es_monitor::Report;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::Failure;

/// What became of a part in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It is being made, or the process died while it was.
    Running,
    /// It was made and published, or evaluated.
    Succeeded,
    /// It failed; what readers see is unchanged.
    Failed,
    /// The run was interrupted; what readers see is unchanged.
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

/// One part of an asset in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run.
    pub run: String,
    /// The pipeline.
    pub pipeline: String,
    /// The asset.
    pub asset: String,
    /// Its kind.
    pub kind: String,
    /// The partition, of an asset that has partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionKey>,
    /// Asset and partition together, to find the newest record of each.
    pub part: String,
    /// What became of it.
    pub status: RunStatus,
    /// Why it was made.
    pub reasons: Vec<String>,
    /// When it began, in UTC.
    pub started: Timestamp,
    /// When it ended, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was done, in numbers.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub summary: Value,
    /// The definition.
    pub fingerprint: Fingerprint,
    /// The versions of what it was made of.
    #[serde(default, skip_serializing_if = "Inputs::is_empty")]
    pub inputs: Inputs,
    /// What a monitor found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<Report>>,
}

/// The name of a part: `departures/2013-01`.
pub fn part_name(asset: &str, partition: Option<&PartitionKey>) -> String {
    match partition {
        Some(partition) => format!("{asset}/{partition}"),
        None => asset.to_owned(),
    }
}

/// The history of one pipeline.
#[derive(Clone, Debug)]
pub struct RunStore {
    client: Client,
    index: String,
    pipeline: String,
}

/// The server returns at most so many hits of one search.
const MOST_RECORDS: usize = 10_000;

impl RunStore {
    /// The history under a prefix. Nothing is written until the first record is.
    pub fn new(client: Client, prefix: &str, pipeline: &str) -> Self {
        Self { client, index: format!("{prefix}orchestrator-runs"), pipeline: pipeline.to_owned() }
    }

    /// Makes the index if it is not there.
    ///
    /// # Errors
    /// Where Elasticsearch cannot be asked.
    pub async fn prepare(&self) -> Result<(), Failure> {
        if self.client.indices().exists(&self.index).await? {
            return Ok(());
        }
        let index = NewIndex {
            settings: object(json!({"number_of_shards": 1, "auto_expand_replicas": "0-1", "hidden": true})),
            mapping: serde_json::from_value(json!({
                "dynamic": false,
                "properties": {
                    "run": {"type": "keyword"}, "pipeline": {"type": "keyword"}, "asset": {"type": "keyword"},
                    "kind": {"type": "keyword"}, "partition": {"type": "keyword"}, "part": {"type": "keyword"},
                    "status": {"type": "keyword"}, "started": {"type": "date"}, "finished": {"type": "date"}
                }
            }))
            .unwrap_or_default(),
        };
        match self.client.indices().create(&self.index, &index).await {
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error.into()),
            // Another run was quicker.
            _ => Ok(()),
        }
    }

    /// Writes a record, over an earlier one of the same run and part.
    ///
    /// # Errors
    /// Where Elasticsearch cannot be asked.
    pub async fn write(&self, record: &RunRecord) -> Result<(), Failure> {
        let id = format!("{}|{}", record.run, record.part);
        Ok(self.client.documents(&self.index).put(&id, record, Precondition::None).await?)
    }

    /// The newest settled record of each part; `running` is not settled.
    ///
    /// # Errors
    /// Where Elasticsearch cannot be asked.
    pub async fn newest(&self) -> Result<Vec<RunRecord>, Failure> {
        let settled = json!({"bool": {
            "filter": [{"term": {"pipeline": self.pipeline}}],
            "must_not": [{"term": {"status": "running"}}]
        }});
        self.collapsed(&settled).await
    }

    /// The newest success of each part.
    ///
    /// # Errors
    /// Where Elasticsearch cannot be asked.
    pub async fn newest_successes(&self) -> Result<Vec<RunRecord>, Failure> {
        let succeeded = json!({"bool": {"filter": [
            {"term": {"pipeline": self.pipeline}}, {"term": {"status": "succeeded"}}
        ]}});
        self.collapsed(&succeeded).await
    }

    async fn collapsed(&self, query: &Value) -> Result<Vec<RunRecord>, Failure> {
        let sort = json!([{"started": "desc"}]);
        let found = self.client.documents(&self.index).search_first_of_each("part", query, &sort, MOST_RECORDS).await?;
        Ok(found.into_iter().map(|document| document.source).collect())
    }

    /// The newest records, of one run or of all, newest first.
    ///
    /// # Errors
    /// Where Elasticsearch cannot be asked.
    pub async fn list(&self, run: Option<&str>, most: usize) -> Result<Vec<RunRecord>, Failure> {
        let mut filter = vec![json!({"term": {"pipeline": self.pipeline}})];
        filter.extend(run.map(|run| json!({"term": {"run": run}})));
        let query = json!({"bool": {"filter": filter}});
        let sort = json!([{"started": "desc"}, {"part": "desc"}]);
        let found = self.client.documents(&self.index).search(&query, &sort, most.min(MOST_RECORDS)).await?;
        Ok(found.into_iter().map(|document| document.source).collect())
    }
}

fn object(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    }
}
