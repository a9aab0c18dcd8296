//! The finding of a check: a status, the value that was measured, and what to do.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// The end of a check.
pub use es_core::Verdict as Status;

/// The subject of a check. The order is that of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// The way to each node.
    Connection,
    /// Version, licence, features.
    Cluster,
    /// Who the client is, and what it may do.
    Access,
    /// Shards that are not assigned, tasks that wait, clocks that differ.
    Health,
    /// Disks and memory.
    Nodes,
    /// Their number and sizes.
    Shards,
    /// Mappings and settings.
    Indices,
    /// The needs of a run on this machine.
    Machine,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connection => "connection",
            Self::Cluster => "cluster",
            Self::Access => "access",
            Self::Health => "health",
            Self::Nodes => "nodes",
            Self::Shards => "shards",
            Self::Indices => "indices",
            Self::Machine => "machine",
        })
    }
}

/// One line of the result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The subject.
    pub group: Group,
    /// The check's name, which stays the same from version to version.
    pub check: &'static str,
    /// The node, index or privilege that it is about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The status.
    pub status: Status,
    /// The measured value; the reason, if the check was skipped.
    pub measured: String,
    /// The threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The numbers, by name; units stand in the names.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub values: Value,
}

impl Finding {
    /// A finding of a status.
    pub fn new(group: Group, check: &'static str, status: Status, measured: impl Into<String>) -> Self {
        Self {
            group,
            check,
            subject: None,
            status,
            measured: measured.into(),
            threshold: None,
            help: None,
            values: Value::Null,
        }
    }

    /// Says what it is about.
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Says what the value is measured against.
    pub fn against(mut self, threshold: impl Into<String>) -> Self {
        self.threshold = Some(threshold.into());
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the numbers.
    pub fn values(mut self, values: Value) -> Self {
        self.values = values;
        self
    }
}

/// The number of findings of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// As it should be.
    pub passed: usize,
    /// Will hurt.
    pub warned: usize,
    /// Does not work.
    pub failed: usize,
    /// Not measured.
    pub skipped: usize,
}

impl Counts {
    /// Counts findings.
    pub fn of(findings: &[Finding]) -> Self {
        let count = |status| findings.iter().filter(|finding| finding.status == status).count();
        Self {
            passed: count(Status::Pass),
            warned: count(Status::Warn),
            failed: count(Status::Fail),
            skipped: count(Status::Skip),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, warned, failed, skipped } = self;
        write!(f, "{passed} passed, {warned} warned, {failed} failed, {skipped} skipped")
    }
}
