//! The figures: medians of the rounds, side by side.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use super::candidate::{Candidate, Work};
use crate::bench::figures::Medians;
use crate::bench::measure::Measured;

/// One candidate's work in one round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Iteration {
    pub(super) round: u32,
    pub(super) work: Work,
    pub(super) candidate: Candidate,
    pub(super) documents: u64,
    #[serde(flatten)]
    pub(super) measured: Measured,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    dataset: &'static str,
    elasticsearch: String,
    peer: String,
    rounds: u32,
    medians: Vec<Row>,
    ratios: Vec<Ratios>,
    iterations: Vec<Iteration>,
}

/// Medians of one candidate's iterations at one work.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    work: Work,
    candidate: Candidate,
    documents: u64,
    documents_per_second: f64,
    #[serde(flatten)]
    process: Medians,
}

/// Ours divided by theirs.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Ratios {
    work: Work,
    documents_per_second: f64,
    cpu_seconds: f64,
    peak_rss: f64,
}

impl Report {
    pub(super) fn new(iterations: Vec<Iteration>, elasticsearch: String, peer: String) -> Self {
        let cells = Work::ALL.into_iter().flat_map(|work| Candidate::ALL.map(|candidate| (work, candidate)));
        let medians: Vec<Row> = cells.filter_map(|(work, candidate)| row(&iterations, work, candidate)).collect();
        let ratios = Work::ALL.into_iter().filter_map(|work| ratios(&medians, work)).collect();
        let rounds = iterations.iter().map(|iteration| iteration.round).max().unwrap_or(0);
        Self { dataset: "flights", elasticsearch, peer, rounds, medians, ratios, iterations }
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec_pretty(self)?)
    }

    /// The table that a person reads.
    pub(super) fn render(&self) -> String {
        let mut text = format!(
            "{:<4} {:<17} {:>9} {:>7} {:>12} {:>8} {:>6} {:>11} {:>11}\n",
            "work", "candidate", "documents", "wall s", "range s", "docs/s", "CPU s", "CPU µs/doc", "peak RSS MB"
        );
        for row in &self.medians {
            let (least, most) = row.process.wall_range_seconds;
            let _ = writeln!(
                text,
                "{:<4} {:<17} {:>9} {:>7.2} {:>12} {:>8.0} {:>6.2} {:>11.1} {:>11.0}",
                row.work.as_str(),
                row.candidate.as_str(),
                row.documents,
                row.process.wall_seconds,
                format!("{least:.2}–{most:.2}"),
                row.documents_per_second,
                row.process.cpu_seconds,
                row.process.cpu_microseconds_per_document,
                row.process.peak_rss_megabytes
            );
        }
        for ratios in &self.ratios {
            let _ = writeln!(
                text,
                "{:<4} {:<17} docs/s {:.2}×, CPU {:.2}×, peak RSS {:.2}×",
                ratios.work.as_str(),
                "ours / theirs",
                ratios.documents_per_second,
                ratios.cpu_seconds,
                ratios.peak_rss
            );
        }
        let _ = write!(
            text,
            "medians of {} rounds on Elasticsearch {}; {}.\n\
             Whole processes: start-up and planning are part of ours, the start of the interpreter is part of theirs.\n\
             Ours also runs the checks of the pipeline and publishes by alias, which theirs does not.",
            self.rounds, self.elasticsearch, self.peer
        );
        text
    }
}

fn row(iterations: &[Iteration], work: Work, candidate: Candidate) -> Option<Row> {
    let own: Vec<&Iteration> =
        iterations.iter().filter(|iteration| iteration.work == work && iteration.candidate == candidate).collect();
    let documents = own.first()?.documents;
    let processes: Vec<Measured> = own.iter().map(|iteration| iteration.measured).collect();
    let process = Medians::of(&processes, documents)?;
    Some(Row { work, candidate, documents, documents_per_second: documents as f64 / process.wall_seconds, process })
}

fn ratios(medians: &[Row], work: Work) -> Option<Ratios> {
    let find = |candidate| medians.iter().find(|row| row.work == work && row.candidate == candidate);
    let (ours, theirs) = (find(Candidate::Ours)?, find(Candidate::Theirs)?);
    Some(Ratios {
        work,
        documents_per_second: ours.documents_per_second / theirs.documents_per_second,
        cpu_seconds: ours.process.cpu_seconds / theirs.process.cpu_seconds,
        peak_rss: ours.process.peak_rss_megabytes / theirs.process.peak_rss_megabytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iteration(round: u32, candidate: Candidate, wall: f64, cpu: f64, rss: u64) -> Iteration {
        let measured =
            Measured { wall_seconds: wall, user_seconds: cpu, system_seconds: 1.0, peak_rss_bytes: rss * 1_000_000 };
        Iteration { round, work: Work::In, candidate, documents: 1000, measured }
    }

    #[test]
    fn candidates_are_compared_by_their_medians() {
        let iterations = vec![
            iteration(1, Candidate::Ours, 2.0, 0.0, 100),
            iteration(1, Candidate::Theirs, 10.0, 9.0, 400),
            iteration(2, Candidate::Ours, 4.0, 1.0, 100),
            iteration(2, Candidate::Theirs, 10.0, 9.0, 400),
            iteration(3, Candidate::Ours, 100.0, 1.0, 900),
            iteration(3, Candidate::Theirs, 10.0, 9.0, 400),
        ];
        let report = Report::new(iterations, "9.4.3".into(), "Python".into());
        assert_eq!(
            report.ratios,
            [Ratios { work: Work::In, documents_per_second: 2.5, cpu_seconds: 0.2, peak_rss: 0.25 }]
        );
        let ours = &report.medians[0];
        assert_eq!((ours.documents_per_second, ours.process.cpu_microseconds_per_document), (250.0, 2000.0));
        assert_eq!(ours.process.wall_range_seconds, (2.0, 100.0));
        let text = report.render();
        assert!(
            text.contains("in   orchestrator           1000    4.00  2.00–100.00      250   2.00      2000.0"),
            "{text}"
        );
        assert!(text.contains("in   ours / theirs     docs/s 2.50×, CPU 0.20×, peak RSS 0.25×"), "{text}");
    }
}
