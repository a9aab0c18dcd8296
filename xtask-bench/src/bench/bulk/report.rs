//! The figures of one set of data: medians of the rounds, beside the server baseline and
//! beside `parallel_bulk`.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::candidate::Candidate;
use crate::bench::dataset::{Dataset, Source};
use crate::bench::figures::{Medians, median, range, times};
use crate::bench::measure::Measured;

/// One candidate's load in one round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Iteration {
    pub(super) round: u32,
    pub(super) candidate: Candidate,
    pub(super) documents: u64,
    /// From the first document or body to the last answer.
    pub(super) sending_seconds: f64,
    #[serde(flatten)]
    pub(super) measured: Measured,
    /// The candidate's own figures.
    pub(super) said: Value,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    dataset: Dataset,
    documents: u64,
    peer_documents: u64,
    elasticsearch: String,
    peer: String,
    rounds: u32,
    rows: Vec<Row>,
    iterations: Vec<Iteration>,
}

/// Medians of one candidate's iterations, and what they are of others'.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    candidate: Candidate,
    documents: u64,
    sending_seconds: f64,
    /// The quickest and the slowest iteration.
    sending_range_seconds: (f64, f64),
    /// By the sending time.
    documents_per_second: f64,
    /// Documents a second, over those of the fastest server baseline.
    of_baseline: Option<f64>,
    /// Documents a second, over those of `parallel_bulk`.
    of_parallel_bulk: Option<f64>,
    /// The CPU of `parallel_bulk` for a document, over this one's.
    cpu_saved: Option<f64>,
    #[serde(flatten)]
    process: Medians,
}

impl Report {
    pub(super) fn new(source: &Source, iterations: Vec<Iteration>, elasticsearch: String, peer: String) -> Self {
        Self {
            dataset: source.dataset,
            documents: source.documents,
            peer_documents: source.peer_documents,
            elasticsearch,
            peer,
            rounds: iterations.iter().map(|iteration| iteration.round).max().unwrap_or(0),
            rows: rows(&iterations),
            iterations,
        }
    }

    /// The table that a person reads.
    pub(super) fn render(&self) -> String {
        let mut text = format!(
            "{}: {} documents ({})\n{:<20} {:>9} {:>9} {:>13} {:>8} {:>8} {:>9} {:>7} {:>10} {:>9} {:>11}\n",
            self.dataset.as_str(),
            self.documents,
            self.dataset.description(),
            "candidate",
            "documents",
            "sending s",
            "range s",
            "docs/s",
            "of base",
            "of par.b.",
            "wall s",
            "CPU µs/doc",
            "CPU saved",
            "peak RSS MB"
        );
        for row in &self.rows {
            let (least, most) = row.sending_range_seconds;
            let _ = writeln!(
                text,
                "{:<20} {:>9} {:>9.2} {:>13} {:>8.0} {:>8} {:>9} {:>7.2} {:>10.1} {:>9} {:>11.0}",
                row.candidate.name(),
                row.documents,
                row.sending_seconds,
                format!("{least:.2}–{most:.2}"),
                row.documents_per_second,
                times(row.of_baseline, 3),
                times(row.of_parallel_bulk, 2),
                row.process.wall_seconds,
                row.process.cpu_microseconds_per_document,
                times(row.cpu_saved, 1),
                row.process.peak_rss_megabytes
            );
        }
        let _ = write!(
            text,
            "medians of {} rounds on Elasticsearch {}; {}.\n\
             Documents a second, and the ratios, are by the sending time: from the first document to the last answer, \
             reading and encoding included except for the server baseline. Wall, CPU and memory are those of the whole process.\n\
             elasticsearch-py loads {} of the documents.",
            self.rounds, self.elasticsearch, self.peer, self.peer_documents
        );
        text
    }
}

/// The rows of all candidates that ran, the server baselines first.
fn rows(iterations: &[Iteration]) -> Vec<Row> {
    let mut candidates: Vec<Candidate> = iterations.iter().map(|iteration| iteration.candidate).collect();
    candidates.sort_unstable();
    candidates.dedup();
    let mut rows: Vec<Row> = candidates.into_iter().filter_map(|candidate| row(iterations, candidate)).collect();
    let baseline = rows
        .iter()
        .filter(|row| matches!(row.candidate, Candidate::ServerBaseline(_)))
        .map(|row| row.documents_per_second)
        .max_by(f64::total_cmp);
    let peer = rows.iter().find(|row| row.candidate == Candidate::ParallelBulk).cloned();
    for row in &mut rows {
        row.of_baseline = baseline.map(|baseline| row.documents_per_second / baseline);
        row.of_parallel_bulk = peer.as_ref().map(|peer| row.documents_per_second / peer.documents_per_second);
        row.cpu_saved = peer
            .as_ref()
            .map(|peer| peer.process.cpu_microseconds_per_document / row.process.cpu_microseconds_per_document);
    }
    rows
}

fn row(iterations: &[Iteration], candidate: Candidate) -> Option<Row> {
    let own: Vec<&Iteration> = iterations.iter().filter(|iteration| iteration.candidate == candidate).collect();
    let documents = own.first()?.documents;
    let sending: Vec<f64> = own.iter().map(|iteration| iteration.sending_seconds).collect();
    let processes: Vec<Measured> = own.iter().map(|iteration| iteration.measured).collect();
    let sending_seconds = median(&sending)?;
    Some(Row {
        candidate,
        documents,
        sending_seconds,
        sending_range_seconds: range(&sending),
        documents_per_second: documents as f64 / sending_seconds,
        of_baseline: None,
        of_parallel_bulk: None,
        cpu_saved: None,
        process: Medians::of(&processes, documents)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iteration(candidate: Candidate, documents: u64, sending: f64, cpu: f64) -> Iteration {
        let measured = Measured {
            wall_seconds: sending + 1.0,
            user_seconds: cpu,
            system_seconds: 0.0,
            peak_rss_bytes: 90_000_000,
        };
        Iteration { round: 1, candidate, documents, sending_seconds: sending, measured, said: Value::Null }
    }

    #[test]
    fn rates_are_compared_and_not_times() {
        let rows = rows(&[
            iteration(Candidate::ParallelBulk, 100, 4.0, 4.0),
            iteration(Candidate::Orchestrator, 1000, 10.0, 2.0),
            iteration(Candidate::ServerBaseline(4), 1000, 8.0, 1.0),
            iteration(Candidate::ServerBaseline(2), 1000, 9.0, 1.0),
        ]);
        let candidates: Vec<Candidate> = rows.iter().map(|row| row.candidate).collect();
        let expected = [
            Candidate::ServerBaseline(2),
            Candidate::ServerBaseline(4),
            Candidate::Orchestrator,
            Candidate::ParallelBulk,
        ];
        assert_eq!(candidates, expected);
        let ours = &rows[2];
        assert_eq!((ours.of_baseline, ours.of_parallel_bulk, ours.cpu_saved), (Some(0.8), Some(4.0), Some(20.0)));
        assert_eq!((ours.documents_per_second, ours.process.cpu_microseconds_per_document), (100.0, 2000.0));
        assert_eq!(rows[1].of_baseline, Some(1.0));
    }

    #[test]
    fn the_table_tells_what_the_peer_did() {
        let iterations = vec![
            iteration(Candidate::Orchestrator, 1000, 10.0, 2.0),
            iteration(Candidate::ServerBaseline(4), 1000, 8.0, 1.0),
        ];
        let rows = rows(&iterations);
        let report = Report {
            dataset: Dataset::Five,
            documents: 1000,
            peer_documents: 100,
            elasticsearch: "9.4.3".into(),
            peer: "Python".into(),
            rounds: 1,
            rows,
            iterations,
        };
        let text = report.render();
        assert!(text.contains("orchestrator ingest       1000     10.00   10.00–10.00      100   0.800×"), "{text}");
        assert!(text.contains("elasticsearch-py loads 100 of the documents"), "{text}");
    }
}
