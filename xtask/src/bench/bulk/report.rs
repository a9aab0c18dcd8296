//! The figures of one set of data: medians of the rounds, beside the floor and
//! beside `parallel_bulk`.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::contestant::Contestant;
use crate::bench::dataset::{Dataset, Source};
use crate::bench::figures::{Medians, median, range, times};
use crate::bench::measure::Measured;

/// One contestant's load in one round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Turn {
    pub(super) round: u32,
    pub(super) contestant: Contestant,
    pub(super) documents: u64,
    /// From the first document or body to the last answer.
    pub(super) sending_seconds: f64,
    #[serde(flatten)]
    pub(super) measured: Measured,
    /// What the contestant said of itself.
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
    turns: Vec<Turn>,
}

/// Medians of one contestant's turns, and what they are of others'.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    contestant: Contestant,
    documents: u64,
    sending_seconds: f64,
    /// The quickest and the slowest turn.
    sending_range_seconds: (f64, f64),
    /// By the sending time.
    documents_per_second: f64,
    /// Documents a second, over those of the best floor.
    of_floor: Option<f64>,
    /// Documents a second, over those of `parallel_bulk`.
    of_parallel_bulk: Option<f64>,
    /// The CPU of `parallel_bulk` for a document, over this one's.
    cpu_saved: Option<f64>,
    #[serde(flatten)]
    process: Medians,
}

impl Report {
    pub(super) fn new(source: &Source, turns: Vec<Turn>, elasticsearch: String, peer: String) -> Self {
        Self {
            dataset: source.dataset,
            documents: source.documents,
            peer_documents: source.peer_documents,
            elasticsearch,
            peer,
            rounds: turns.iter().map(|turn| turn.round).max().unwrap_or(0),
            rows: rows(&turns),
            turns,
        }
    }

    /// The table that a person reads.
    pub(super) fn render(&self) -> String {
        let mut text = format!(
            "{}: {} documents ({})\n{:<20} {:>9} {:>9} {:>13} {:>8} {:>8} {:>9} {:>7} {:>10} {:>9} {:>11}\n",
            self.dataset.as_str(),
            self.documents,
            self.dataset.description(),
            "contestant",
            "documents",
            "sending s",
            "range s",
            "docs/s",
            "of floor",
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
                row.contestant.name(),
                row.documents,
                row.sending_seconds,
                format!("{least:.2}–{most:.2}"),
                row.documents_per_second,
                times(row.of_floor, 3),
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
             reading and encoding included but for the floor. Wall, CPU and memory are those of the whole process.\n\
             elasticsearch-py loads {} of the documents.",
            self.rounds, self.elasticsearch, self.peer, self.peer_documents
        );
        text
    }
}

/// The rows of all contestants that had a turn, the floors first.
fn rows(turns: &[Turn]) -> Vec<Row> {
    let mut contestants: Vec<Contestant> = turns.iter().map(|turn| turn.contestant).collect();
    contestants.sort_unstable();
    contestants.dedup();
    let mut rows: Vec<Row> = contestants.into_iter().filter_map(|contestant| row(turns, contestant)).collect();
    let floor = rows
        .iter()
        .filter(|row| matches!(row.contestant, Contestant::Floor(_)))
        .map(|row| row.documents_per_second)
        .max_by(f64::total_cmp);
    let peer = rows.iter().find(|row| row.contestant == Contestant::ParallelBulk).cloned();
    for row in &mut rows {
        row.of_floor = floor.map(|floor| row.documents_per_second / floor);
        row.of_parallel_bulk = peer.as_ref().map(|peer| row.documents_per_second / peer.documents_per_second);
        row.cpu_saved = peer
            .as_ref()
            .map(|peer| peer.process.cpu_microseconds_per_document / row.process.cpu_microseconds_per_document);
    }
    rows
}

fn row(turns: &[Turn], contestant: Contestant) -> Option<Row> {
    let own: Vec<&Turn> = turns.iter().filter(|turn| turn.contestant == contestant).collect();
    let documents = own.first()?.documents;
    let sending: Vec<f64> = own.iter().map(|turn| turn.sending_seconds).collect();
    let processes: Vec<Measured> = own.iter().map(|turn| turn.measured).collect();
    let sending_seconds = median(&sending)?;
    Some(Row {
        contestant,
        documents,
        sending_seconds,
        sending_range_seconds: range(&sending),
        documents_per_second: documents as f64 / sending_seconds,
        of_floor: None,
        of_parallel_bulk: None,
        cpu_saved: None,
        process: Medians::of(&processes, documents)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(contestant: Contestant, documents: u64, sending: f64, cpu: f64) -> Turn {
        let measured = Measured {
            wall_seconds: sending + 1.0,
            user_seconds: cpu,
            system_seconds: 0.0,
            peak_rss_bytes: 90_000_000,
        };
        Turn { round: 1, contestant, documents, sending_seconds: sending, measured, said: Value::Null }
    }

    #[test]
    fn rates_are_compared_and_not_times() {
        let rows = rows(&[
            turn(Contestant::ParallelBulk, 100, 4.0, 4.0),
            turn(Contestant::Orchestrator, 1000, 10.0, 2.0),
            turn(Contestant::Floor(4), 1000, 8.0, 1.0),
            turn(Contestant::Floor(2), 1000, 9.0, 1.0),
        ]);
        let contestants: Vec<Contestant> = rows.iter().map(|row| row.contestant).collect();
        let expected = [Contestant::Floor(2), Contestant::Floor(4), Contestant::Orchestrator, Contestant::ParallelBulk];
        assert_eq!(contestants, expected);
        let ours = &rows[2];
        assert_eq!((ours.of_floor, ours.of_parallel_bulk, ours.cpu_saved), (Some(0.8), Some(4.0), Some(20.0)));
        assert_eq!((ours.documents_per_second, ours.process.cpu_microseconds_per_document), (100.0, 2000.0));
        assert_eq!(rows[1].of_floor, Some(1.0));
    }

    #[test]
    fn the_table_tells_what_the_peer_did() {
        let turns = vec![turn(Contestant::Orchestrator, 1000, 10.0, 2.0), turn(Contestant::Floor(4), 1000, 8.0, 1.0)];
        let rows = rows(&turns);
        let report = Report {
            dataset: Dataset::Five,
            documents: 1000,
            peer_documents: 100,
            elasticsearch: "9.4.3".into(),
            peer: "Python".into(),
            rounds: 1,
            rows,
            turns,
        };
        let text = report.render();
        assert!(text.contains("orchestrator ingest       1000     10.00   10.00–10.00      100   0.800×"), "{text}");
        assert!(text.contains("elasticsearch-py loads 100 of the documents"), "{text}");
    }
}
