//! The results of commands, as `--json` writes them: one JSON object a line on standard output,
//! beside the events of a run ([`engine::event`](crate::engine::event)).
//!
//! Every result has `event`, which names it, and `time`, in UTC. Keys may be added in later
//! versions; those that are here keep their meaning.

use es_serving::ingest_pipeline::Simulated;
use serde::Serialize;
use serde_json::Value;

use crate::engine::{StepName, Verdict};
use crate::kinds::embedding::search::Hit;
use crate::store::history::RunStatus;

/// A column of an export.
#[derive(Clone, Debug, Serialize)]
pub struct ExportColumn {
    /// Its name.
    pub name: String,
    /// Its type in Elasticsearch.
    pub elasticsearch: String,
    /// Its type in Polars.
    pub polars: String,
}

/// The result of a command.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum CommandResult {
    /// A step of a plan, with what a run would do.
    StepPlanned {
        /// The part.
        #[serde(flatten)]
        step: StepName,
        /// The action: `build`, `evaluate`, `update_in_place`, `recheck`, `retire`, `unchanged`.
        action: &'static str,
        /// Why.
        reasons: Vec<String>,
        /// Rows that the part will have, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// The mapping that the index would have, of a part that is made of files.
        #[serde(skip_serializing_if = "Option::is_none")]
        mapping: Option<Value>,
    },
    /// A run ended.
    RunFinished {
        /// The run; empty when there was nothing to do.
        run: String,
        /// The exit code of the program.
        exit_code: u8,
        /// Steps that did something, and ended well.
        succeeded: usize,
        /// Steps that were up to date.
        unchanged: usize,
        /// Steps that failed, were interrupted or left out.
        failed: usize,
        /// The duration in milliseconds.
        took_ms: u64,
    },
    /// The verdict of an earlier evaluation that did not pass, and that was not measured again.
    VerdictStands {
        /// The asset, and its partition where it has partitions.
        part: String,
        /// The verdict: `failed` or `not_measured`.
        verdict: Verdict,
        /// The run that made it.
        run: String,
        /// When it was made, in UTC.
        since: String,
        /// Who has acknowledged it just now.
        #[serde(skip_serializing_if = "Option::is_none")]
        acknowledged_by: Option<String>,
    },
    /// The plan of `ingest --dry-run`.
    IngestPlanned {
        /// The index.
        index: String,
        /// It exists.
        exists: bool,
        /// The files, in the order they are read.
        files: Vec<String>,
        /// Their rows, where the format tells.
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// The body that the index would be created with.
        #[serde(skip_serializing_if = "Value::is_null")]
        body: Value,
    },
    /// `ingest` ended, well or not.
    IngestFinished {
        /// The index.
        index: String,
        /// The exit code of the program.
        exit_code: u8,
        /// The results of the documents, those of a load that this one resumed included.
        summary: Value,
        /// Documents that were settled before this process began.
        resumed: u64,
        /// The file of rejected documents.
        #[serde(skip_serializing_if = "Option::is_none")]
        dead_letter: Option<String>,
        /// The duration of this process in milliseconds.
        took_ms: u64,
        /// Documents acknowledged a second by this process.
        documents_per_second: u64,
    },
    /// The plan of `export --dry-run`.
    ExportPlanned {
        /// The index, or nothing where a query language says it.
        #[serde(skip_serializing_if = "Option::is_none")]
        index: Option<String>,
        /// Rows, where they are known before they are read.
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// The columns that would be read: name, type in Elasticsearch, type in Polars.
        columns: Vec<ExportColumn>,
        /// The origin of the rows and the way of reading them, as the manifest would say it.
        source: Value,
    },
    /// `export` ended well.
    ExportFinished {
        /// The place of the files.
        path: String,
        /// Rows written.
        rows: u64,
        /// Bytes written.
        bytes: u64,
        /// Files written.
        files: usize,
        /// The number of times that it was resumed after a kill.
        resumed: u32,
        /// The duration of this process in milliseconds.
        took_ms: u64,
        /// Rows a second, of an export that was not carried on.
        #[serde(skip_serializing_if = "Option::is_none")]
        rows_per_second: Option<u64>,
    },
    /// The state of one asset.
    AssetStatus {
        /// The asset.
        asset: String,
        /// Its kind.
        kind: &'static str,
        /// Parts that are published.
        published: usize,
        /// Parts that the pipeline declares.
        declared: usize,
        /// Rows of the published parts, where the kind has rows.
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// `up to date`, `stale`, `failed` or `missing`.
        state: &'static str,
        /// Why it is not up to date.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<String>,
        /// When it was last made, in UTC.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_made: Option<String>,
        /// The newest report of a monitor.
        #[serde(skip_serializing_if = "Option::is_none")]
        report: Option<Value>,
    },
    /// A record of the history.
    RunRecord {
        /// The run.
        run: String,
        /// The part; absent in the record of the run itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        part: Option<String>,
        /// The result.
        status: RunStatus,
        /// When it began, in UTC.
        started: String,
        /// Why it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// The work in numbers.
        summary: Value,
    },
    /// A registered model.
    Model {
        /// Its name, newest version and aliases.
        #[serde(flatten)]
        model: Value,
    },
    /// A version of a model.
    ModelVersion {
        /// As the registry has it.
        #[serde(flatten)]
        version: Value,
    },
    /// A move of an alias.
    AliasMoved {
        /// As the history has it.
        #[serde(flatten)]
        moved: Value,
    },
    /// The differences of two versions.
    ModelDifference {
        /// By what differs.
        #[serde(flatten)]
        difference: Value,
    },
    /// A model file.
    ModelFile {
        /// The description that it gives.
        #[serde(flatten)]
        file: Value,
        /// Its checksum.
        sha256: String,
        /// It can be scored in this process.
        is_scored_here: bool,
        /// Why not.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A version at an MLflow server.
    ModelPushed {
        /// The version there.
        version: Value,
    },
    /// A document that an ingest pipeline was tried on.
    Simulated {
        /// The asset.
        asset: String,
        /// The id of the document.
        id: String,
        /// The outcome for it.
        #[serde(flatten)]
        outcome: Simulated,
    },
    /// A passage that a search found.
    Hit {
        /// The passage.
        #[serde(flatten)]
        hit: Hit,
    },
    /// The predictions of a version in an asset.
    ScoredBy {
        /// The asset.
        asset: String,
        /// The model.
        model: String,
        /// The version.
        version: u32,
        /// The number of its published predictions.
        predictions: u64,
    },
    /// The command failed.
    Failed {
        /// The exit code of the program.
        exit_code: u8,
        /// The message of the error.
        error: String,
        /// The next step for a person.
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<String>,
        /// Places in the pipeline file.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        diagnostics: Vec<Value>,
    },
    /// A check of `doctor`, with its `group`, `check` and `subject`; `status` is `pass`, `warn`,
    /// `fail` or `skip`, `measured` the value or why there is none, `threshold` what it is
    /// measured against, `help` what to do, `values` the numbers.
    Checked {
        /// The finding.
        #[serde(flatten)]
        finding: Value,
    },
    /// `doctor` ended.
    DoctorFinished {
        /// The exit code of the program.
        exit_code: u8,
        /// Checks that passed.
        passed: usize,
        /// Checks that warn.
        warned: usize,
        /// Checks that failed.
        failed: usize,
        /// Checks that could not be made.
        skipped: usize,
    },
    /// The least-privileged role of the pipeline.
    Role {
        /// A name for it.
        name: String,
        /// The body of `PUT _security/role/NAME`.
        role: Value,
    },
    /// The pipeline file is sound.
    Valid {
        /// The file.
        file: String,
        /// The number of assets.
        assets: usize,
    },
}
