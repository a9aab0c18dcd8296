//! The events of a run, as sinks get them and as `--json` writes them: one JSON object a line.
//!
//! Every event has `event`, which names it; with `--json` also `time`, in UTC. Keys may be added in
//! later versions; those that are here keep their meaning.

use es_assets::Diagnostics;
use serde::Serialize;
use serde_json::Value;

/// A part of an asset, and its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepName {
    /// The asset.
    pub asset: String,
    /// The partition, of an asset that has partitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The asset's kind.
    pub kind: &'static str,
}

impl StepName {
    /// The name of a part as it is shown: `departures 2013-01`.
    pub fn label(&self) -> String {
        match &self.partition {
            Some(partition) => format!("{} {partition}", self.asset),
            None => self.asset.clone(),
        }
    }
}

/// Something that happened in a run.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// A run started.
    RunStarted {
        /// The run.
        run: String,
        /// The pipeline.
        pipeline: String,
        /// The steps that will do something.
        steps: usize,
    },
    /// Something that a person should know and that stops nothing.
    RunWarning {
        /// The warning.
        warning: String,
    },
    /// A step started.
    StepStarted {
        /// The part.
        #[serde(flatten)]
        step: StepName,
        /// The action.
        action: &'static str,
        /// Why it is in the plan.
        reasons: Vec<String>,
    },
    /// Another run works on the part; the step waits for it.
    StepWaiting {
        /// The part.
        #[serde(flatten)]
        step: StepName,
        /// The run, process and host that have it.
        holder: String,
    },
    /// A step made progress.
    StepProgress {
        /// The part.
        #[serde(flatten)]
        step: StepName,
        /// Rows done.
        done: u64,
        /// Rows in all, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// Bytes written, of an export.
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// Of the rows done, those of an earlier process.
        #[serde(skip)]
        resumed: u64,
        /// The phase of the work, where the rows are read more than once.
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<&'static str>,
    },
    /// A line for a person about a step.
    StepNote {
        /// The part.
        #[serde(flatten)]
        step: StepName,
        /// The line.
        note: String,
    },
    /// A step succeeded.
    StepFinished {
        /// The part.
        #[serde(flatten)]
        step: StepName,
        /// The action; `unchanged` when it turned out that nothing was to be done.
        action: &'static str,
        /// Rows written, where the kind writes rows.
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// The duration, in milliseconds.
        took_ms: u64,
        /// Checks of severity `warn` that failed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
        /// The numbers of the kind.
        summary: Value,
        /// The most important numbers in a few words.
        #[serde(skip)]
        detail: String,
        /// The report of an evaluation.
        #[serde(skip_serializing_if = "Option::is_none")]
        report: Option<Value>,
    },
    /// A step failed, was interrupted, or was skipped because one that it needs failed.
    StepFailed {
        /// The part.
        #[serde(flatten)]
        step: StepName,
        /// `failed`, `interrupted` or `skipped`.
        status: &'static str,
        /// The reason.
        error: String,
        /// The next step for a person.
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<String>,
        /// The places in the pipeline file, where the reason is a mistake in it.
        #[serde(skip)]
        diagnostics: Option<Box<Diagnostics>>,
    },
}
