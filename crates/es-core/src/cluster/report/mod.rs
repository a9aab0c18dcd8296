//! A verdict on the health of a cluster: what was measured, against which limit, and what to do.
//!
//! The rules are pure and work on [`HealthFacts`]; [`Cluster::health_report`] fetches those. What
//! belongs to an application, such as its own indices and privileges, is left to it.

mod rules;

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

pub use self::rules::{HealthFacts, MAX_CLOCK_SKEW, MAX_HEAP_PERCENT, MAX_SHARDS_PERCENT, MAX_TASK_WAIT};
use super::Cluster;
use crate::error::Error;

/// The outcome of a check, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is as it should be.
    Pass,
    /// It could not be measured, and [`HealthFinding::measured`] says why.
    Skip,
    /// It works, and is likely to cause trouble.
    Warn,
    /// It does not work.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// A check of the health of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HealthCheck {
    /// The status: green, yellow or red.
    Status,
    /// The number of unassigned shards.
    UnassignedShards,
    /// The reason why one of them is unassigned.
    UnassignedShard,
    /// The number of shards against `cluster.max_shards_per_node`.
    ShardLimit,
    /// The tasks that wait for the master.
    PendingTasks,
    /// The clock of a node against that of this machine.
    Clock,
    /// The disk of a node against the watermarks.
    Disk,
    /// The heap of a node.
    Heap,
    /// The circuit breakers of a node.
    Breakers,
}

impl HealthCheck {
    /// The name of the check, which stays the same from version to version.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::UnassignedShards => "unassigned shards",
            Self::UnassignedShard => "unassigned shard",
            Self::ShardLimit => "shards",
            Self::PendingTasks => "pending tasks",
            Self::Clock => "clock",
            Self::Disk => "disk",
            Self::Heap => "heap",
            Self::Breakers => "breakers",
        }
    }
}

impl Serialize for HealthCheck {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The outcome of one check of one thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthFinding {
    /// The check.
    pub check: HealthCheck,
    /// The node or index that it is about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The outcome.
    pub verdict: Verdict,
    /// The value that was measured; the reason, where none was.
    pub measured: String,
    /// The limit that it was measured against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// The next step for a person, where one is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The numbers, by name; the names end in the unit.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub values: Value,
}

impl HealthFinding {
    fn new(check: HealthCheck, verdict: Verdict, measured: impl Into<String>) -> Self {
        let measured = measured.into();
        Self { check, subject: None, verdict, measured, threshold: None, help: None, values: Value::Null }
    }

    fn skipped(check: HealthCheck, why: &str) -> Self {
        Self::new(check, Verdict::Skip, why)
    }

    fn about(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    fn against(mut self, threshold: String) -> Self {
        self.threshold = Some(threshold);
        self
    }

    fn values(mut self, values: Value) -> Self {
        self.values = values;
        self
    }

    fn help(mut self, help: Option<&str>) -> Self {
        self.help = help.map(str::to_owned);
        self
    }
}

impl fmt::Display for HealthFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.verdict, self.check.as_str())?;
        if let Some(subject) = &self.subject {
            write!(f, " of {subject}")?;
        }
        write!(f, ": {}", self.measured)?;
        if let Some(threshold) = &self.threshold {
            write!(f, " ({threshold})")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// The health of a cluster: a verdict, and the findings that it rests on.
///
/// `Display` prints a line a finding, and its help below it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthReport {
    /// The worst outcome of all checks.
    pub verdict: Verdict,
    /// The outcome of each check.
    pub findings: Vec<HealthFinding>,
}

impl fmt::Display for HealthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, finding) in self.findings.iter().enumerate() {
            let separator = if place == 0 { "" } else { "\n" };
            write!(f, "{separator}{finding}")?;
        }
        Ok(())
    }
}

impl Cluster<'_> {
    /// Fetches the health, an allocation explanation, the nodes and the settings, and returns a
    /// verdict on them. A check whose request is refused, as for lack of a privilege, is skipped.
    ///
    /// ```no_run
    /// # async fn example(client: &es_core::Client) -> Result<(), es_core::Error> {
    /// use es_core::Verdict;
    ///
    /// let report = client.cluster().health_report().await?;
    /// println!("{report}");
    /// if report.verdict == Verdict::Fail {
    ///     std::process::exit(1);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`crate::Client::send`], when all requests fail.
    pub async fn health_report(&self) -> Result<HealthReport, Error> {
        let (health, nodes, settings) = tokio::join!(self.health(), self.nodes(), self.settings());
        if health.is_err() && nodes.is_err() && settings.is_err() {
            return health.map(|_| HealthReport { verdict: Verdict::Fail, findings: Vec::new() });
        }
        let explanation = match &health {
            Ok(health) if health.unassigned_shards > 0 => self.explain_any_unassigned().await,
            _ => Ok(None),
        };
        let facts = HealthFacts {
            health: reason(health),
            explanation: reason(explanation),
            nodes: reason(nodes),
            settings: reason(settings),
        };
        Ok(facts.report())
    }
}

fn reason<T>(fetched: Result<T, Error>) -> Result<T, String> {
    fetched.map_err(|error| error.to_string())
}
