//! Verdicts that stand: those of earlier evaluations that did not pass, and that nobody has
//! acknowledged. They keep the exit code until they are measured again.

use std::collections::HashSet;

use es_assets::Action;
use jiff::Timestamp;

use super::plan::Planned;
use super::run::{RunEnd, StepEnd};
use super::{Engine, Verdict};
use crate::error::Result;
use crate::store::history::{Acknowledgement, StepRecord, part_name};

/// A verdict that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The asset and its partition: `drift`, `drift/2013-01`.
    pub part: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The run that made it.
    pub run: String,
    /// When it was made.
    pub since: Timestamp,
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let found = match self.verdict {
            Verdict::Failed => "drift stands",
            Verdict::NotMeasured => "it could not be measured",
            Verdict::Passed => "it passed",
        };
        let since = self.since.strftime("%Y-%m-%dT%H:%M:%SZ");
        write!(f, "{}: {found} since {since}, by run {}", self.part, self.run)
    }
}

impl Planned {
    /// The verdicts that stand among the parts of the plan.
    pub fn standing(&self) -> Vec<Standing> {
        standing_records(self).map(standing_of).collect()
    }
}

impl RunEnd {
    /// Those of the verdicts that stood before the run which it did not measure again.
    pub fn still_standing(&self, before: Vec<Standing>) -> Vec<Standing> {
        let is_measured = |end: &StepEnd| matches!(end, StepEnd::Succeeded(_));
        let measured = self.steps.iter().filter(|step| is_measured(&step.end));
        let measured: HashSet<String> =
            measured.map(|step| part_name(&step.name.asset, step.name.partition.as_ref())).collect();
        before.into_iter().filter(|standing| !measured.contains(&standing.part)).collect()
    }
}

impl Engine {
    /// Notes in the history that somebody knows of the verdicts that stand among the parts of a plan,
    /// and returns them. An evaluation that is made later stands for itself.
    ///
    /// # Errors
    /// When the history cannot be written.
    pub async fn acknowledge(&self, planned: &Planned, note: &Acknowledgement) -> Result<Vec<Standing>> {
        let mut done = Vec::new();
        for record in standing_records(planned) {
            let noted = StepRecord { acknowledged: Some(note.clone()), ..record.clone() };
            self.history().write_step(&noted).await?;
            done.push(standing_of(record));
        }
        Ok(done)
    }
}

fn standing_records(planned: &Planned) -> impl Iterator<Item = &StepRecord> {
    let steps = planned.plan.steps.iter().filter(|step| step.action != Action::Retire);
    let parts: HashSet<String> = steps.map(|step| part_name(&step.asset, step.partition.as_ref())).collect();
    planned.observed.successes.iter().filter(move |record| parts.contains(&record.part) && stands(record))
}

fn stands(record: &StepRecord) -> bool {
    !record.verdict.is_passed() && record.acknowledged.is_none()
}

fn standing_of(record: &StepRecord) -> Standing {
    Standing {
        part: record.part.clone(),
        verdict: record.verdict,
        run: record.run.clone(),
        since: record.finished.unwrap_or(record.started),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(extra: serde_json::Value) -> StepRecord {
        let mut record = json!({
            "run": "r1", "pipeline": "p", "asset": "drift", "kind": "monitor", "part": "drift",
            "status": "succeeded", "reasons": [], "started": "2024-01-01T00:00:00Z", "fingerprint": {},
        });
        record.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn a_verdict_stands_until_it_passes_or_is_acknowledged() {
        assert!(!stands(&record(json!({}))), "of an earlier version of the program, or passed");
        assert!(stands(&record(json!({"verdict": "failed"}))));
        assert!(stands(&record(json!({"verdict": "not_measured"}))));
        let noted = json!({"verdict": "failed", "acknowledged": {"by": "ann", "at": "2024-01-02T00:00:00Z"}});
        assert!(!stands(&record(noted)));
        let text = standing_of(&record(json!({"verdict": "failed"}))).to_string();
        assert_eq!(text, "drift: drift stands since 2024-01-01T00:00:00Z, by run r1");
    }
}
