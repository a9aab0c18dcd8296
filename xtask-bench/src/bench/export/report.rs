//! The figures of one index: medians of the rounds, beside the server baseline and beside
//! elasticsearch-py.

use std::fmt::Write as _;

use serde::Serialize;

use super::ask::Ask;
use super::candidate::Candidate;
use crate::bench::REPEATS;
use crate::bench::dataset::{Dataset, Source};
use crate::bench::figures::{Medians, times};
use crate::bench::measure::Measured;

/// The outcome of an iteration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Done(Measured),
    /// Why there are no figures.
    Failed(String),
}

/// One candidate's reading in one round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Iteration {
    pub(super) round: u32,
    pub(super) candidate: Candidate,
    pub(super) documents: u64,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    dataset: Dataset,
    documents: u64,
    segments: u64,
    ask: Ask,
    elasticsearch: String,
    peers: String,
    rounds: u32,
    rows: Vec<Row>,
    iterations: Vec<Iteration>,
}

/// Medians of one candidate's iterations, and what they are of others'.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    candidate: Candidate,
    documents: u64,
    documents_per_second: f64,
    /// Documents a second, over those of the server baseline.
    of_baseline: Option<f64>,
    /// Documents a second, over those of `scan`.
    of_scan: Option<f64>,
    /// The CPU of `scan` for a document, over this one's.
    cpu_saved: Option<f64>,
    #[serde(flatten)]
    process: Medians,
}

impl Report {
    pub(super) fn new(
        source: &Source,
        segments: u64,
        ask: Ask,
        iterations: Vec<Iteration>,
        elasticsearch: String,
        peers: String,
    ) -> Self {
        Self {
            dataset: source.dataset,
            documents: source.documents,
            segments,
            ask,
            elasticsearch,
            peers,
            rounds: iterations.iter().map(|iteration| iteration.round).max().unwrap_or(0),
            rows: rows(&iterations),
            iterations,
        }
    }

    /// The table that a person reads.
    pub(super) fn render(&self) -> String {
        let mut text = format!(
            "{}: {} documents ({}) in {} segments\n{:<20} {:<8} {:>9} {:>8} {:>15} {:>9} {:>9} {:>8} {:>11} {:>10} {:>12}\n",
            self.dataset.as_str(),
            self.documents,
            self.dataset.description(),
            self.segments,
            "candidate",
            "writes",
            "documents",
            "wall s",
            "range s",
            "docs/s",
            "of base",
            "of scan",
            "CPU µs/doc",
            "CPU saved",
            "peak RSS MB"
        );
        for row in &self.rows {
            let (least, most) = row.process.wall_range_seconds;
            let _ = writeln!(
                text,
                "{:<20} {:<8} {:>9} {:>8.2} {:>15} {:>9.0} {:>9} {:>8} {:>11.1} {:>10} {:>12.0}",
                row.candidate.name(),
                row.candidate.leaves(),
                row.documents,
                row.process.wall_seconds,
                format!("{least:.2}–{most:.2}"),
                row.documents_per_second,
                times(row.of_baseline, 3),
                times(row.of_scan, 2),
                row.process.cpu_microseconds_per_document,
                times(row.cpu_saved, 1),
                row.process.peak_rss_megabytes
            );
        }
        for iteration in &self.iterations {
            if let Outcome::Failed(why) = &iteration.outcome {
                let _ = writeln!(text, "{:<20} cannot: {}", iteration.candidate.name(), last_line(why));
            }
        }
        let _ = write!(
            text,
            "medians of {} rounds, each with {REPEATS} iterations of the server baseline and of the program, on Elasticsearch {}; {}.\n\
             Whole processes: start-up, planning and writing are part of everybody's but the server baseline's, which asks as \
             the program does and discards the answers: {}.\n\
             Rates are compared, and not times: who reads fewer documents reads the first of the same index.",
            self.rounds,
            self.elasticsearch,
            self.peers.trim_end_matches([';', ' ']),
            self.ask.describe()
        );
        text
    }
}

/// The last line of a failure.
fn last_line(why: &str) -> &str {
    why.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it does not say why")
}

/// The rows of all candidates that did the work, the server baseline first.
fn rows(iterations: &[Iteration]) -> Vec<Row> {
    let mut rows: Vec<Row> = Candidate::ALL.into_iter().filter_map(|candidate| row(iterations, candidate)).collect();
    let find = |wanted: Candidate| rows.iter().find(|row| row.candidate == wanted).cloned();
    let (baseline, scan) = (find(Candidate::ServerBaseline), find(Candidate::Scan));
    for row in &mut rows {
        row.of_baseline = baseline.as_ref().map(|baseline| row.documents_per_second / baseline.documents_per_second);
        row.of_scan = scan.as_ref().map(|scan| row.documents_per_second / scan.documents_per_second);
        row.cpu_saved = scan
            .as_ref()
            .map(|scan| scan.process.cpu_microseconds_per_document / row.process.cpu_microseconds_per_document);
    }
    rows
}

fn row(iterations: &[Iteration], candidate: Candidate) -> Option<Row> {
    let own = iterations.iter().filter(|iteration| iteration.candidate == candidate);
    let done: Vec<(u64, Measured)> = own
        .filter_map(|iteration| match &iteration.outcome {
            Outcome::Done(measured) => Some((iteration.documents, *measured)),
            Outcome::Failed(_) => None,
        })
        .collect();
    let documents = done.first()?.0;
    let processes: Vec<Measured> = done.iter().map(|(_, measured)| *measured).collect();
    let process = Medians::of(&processes, documents)?;
    Some(Row {
        candidate,
        documents,
        documents_per_second: documents as f64 / process.wall_seconds,
        of_baseline: None,
        of_scan: None,
        cpu_saved: None,
        process,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn iteration(candidate: Candidate, documents: u64, wall: f64, cpu: f64) -> Iteration {
        let measured =
            Measured { wall_seconds: wall, user_seconds: cpu, system_seconds: 0.0, peak_rss_bytes: 90_000_000 };
        Iteration { round: 1, candidate, documents, outcome: Outcome::Done(measured) }
    }

    fn iterations() -> Vec<Iteration> {
        let failed = Outcome::Failed("eland to_csv failed:\n\nKeyError: 'vector'\n".into());
        vec![
            iteration(Candidate::Scan, 1000, 40.0, 40.0),
            iteration(Candidate::Orchestrator, 1000, 10.0, 2.0),
            iteration(Candidate::ServerBaseline, 1000, 8.0, 1.0),
            iteration(Candidate::ToPandas, 100, 8.0, 8.0),
            Iteration { round: 1, candidate: Candidate::ToCsv, documents: 100, outcome: failed },
        ]
    }

    #[test]
    fn rates_are_compared_and_not_times() {
        let rows = rows(&iterations());
        let candidates: Vec<Candidate> = rows.iter().map(|row| row.candidate).collect();
        let expected = [Candidate::ServerBaseline, Candidate::Orchestrator, Candidate::Scan, Candidate::ToPandas];
        assert_eq!(candidates, expected);
        let (ours, pandas) = (&rows[1], &rows[3]);
        assert_eq!((ours.of_baseline, ours.of_scan, ours.cpu_saved), (Some(0.8), Some(4.0), Some(20.0)));
        assert_eq!((ours.documents_per_second, ours.process.cpu_microseconds_per_document), (100.0, 2000.0));
        assert_eq!((pandas.documents_per_second, pandas.of_scan), (12.5, Some(0.5)));
    }

    #[test]
    fn who_cannot_do_it_is_told_with_the_reason() {
        let iterations = iterations();
        let ask = Ask {
            body: json!({ "size": 5000 }),
            query: BTreeMap::new(),
            slices: 3,
            concurrency: 2,
            compression: false,
        };
        let report = Report {
            dataset: Dataset::Five,
            documents: 1000,
            segments: 4,
            ask,
            elasticsearch: "9.4.3".into(),
            peers: "Python; ".into(),
            rounds: 1,
            rows: rows(&iterations),
            iterations,
        };
        let text = report.render();
        assert!(
            text.contains("orchestrator export  Parquet       1000    10.00     10.00–10.00       100    0.800×"),
            "{text}"
        );
        assert!(text.contains("eland to_csv         cannot: KeyError: 'vector'\n"), "{text}");
        assert!(text.contains("_source in 3 slices, 2 at once, 5000 rows a page"), "{text}");
    }
}
