//! Two candidates that alternate at the same work, and the ratio of their speeds.
//!
//! Each pair of iterations runs without a pause between its two, and every second pair in the opposite
//! order, so that neither candidate always comes after the other.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;
use xtask::terminal::Progress;

use super::figures::{Medians, median, range};
use super::measure::Measured;

/// One of the two candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    First,
    Second,
}

/// The work and the two candidates.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Pair {
    /// The data, for the heading of the table.
    pub(super) work: String,
    /// The documents that each iteration reads or writes.
    pub(super) documents: u64,
    /// The names of the first and the second candidate.
    pub(super) names: [&'static str; 2],
}

/// One iteration of one candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Iteration {
    /// The number of the pair, from 1.
    pair: u32,
    side: Side,
    /// The time that the speed is computed from.
    seconds: f64,
    #[serde(flatten)]
    measured: Measured,
}

/// The figures of both candidates.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    #[serde(flatten)]
    pair: Pair,
    rows: Vec<Row>,
    ratios: Ratios,
    iterations: Vec<Iteration>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    documents_per_second: f64,
    #[serde(flatten)]
    process: Medians,
}

/// The first candidate's figures, divided by the second's.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Ratios {
    documents_per_second: f64,
    /// The median, the least and the greatest ratio of the two iterations of a pair.
    of_pairs: f64,
    of_pairs_range: (f64, f64),
    cpu_seconds: f64,
    peak_rss: f64,
}

impl Pair {
    /// Runs `pairs` pairs of iterations after one that is not counted.
    ///
    /// `run` gets the candidate and the number of the pair, and returns the seconds that count.
    pub(super) fn compare(
        self,
        pairs: u32,
        mut run: impl FnMut(Side, u32) -> Result<(f64, Measured)>,
    ) -> Result<Comparison> {
        let mut iterations = Vec::new();
        for pair in 0..=pairs {
            for side in order(pair) {
                let name = self.names[side as usize];
                let progress = Progress::new(if pair == 0 {
                    format!("{}, warm-up, {name}", self.work)
                } else {
                    format!("{}, pair {pair}, {name}", self.work)
                });
                let (seconds, measured) = run(side, pair)?;
                progress.finish(&format!("{:.0} docs/s, {measured}", self.documents as f64 / seconds));
                if pair > 0 {
                    iterations.push(Iteration { pair, side, seconds, measured });
                }
            }
        }
        self.summarize(iterations)
    }

    fn summarize(self, iterations: Vec<Iteration>) -> Result<Comparison> {
        let row = |side: Side| {
            let own: Vec<&Iteration> = iterations.iter().filter(|iteration| iteration.side == side).collect();
            let seconds: Vec<f64> = own.iter().map(|iteration| iteration.seconds).collect();
            let processes: Vec<Measured> = own.iter().map(|iteration| iteration.measured).collect();
            Some(Row {
                name: self.names[side as usize],
                documents_per_second: self.documents as f64 / median(&seconds)?,
                process: Medians::of(&processes, self.documents)?,
            })
        };
        let rows = [row(Side::First), row(Side::Second)].into_iter().flatten().collect::<Vec<_>>();
        let [first, second] = &rows[..] else { anyhow::bail!("{}: no pair of iterations ran", self.work) };
        let of_pairs: Vec<f64> = iterations.chunks(2).filter_map(pair_ratio).collect();
        let ratios = Ratios {
            documents_per_second: first.documents_per_second / second.documents_per_second,
            of_pairs: median(&of_pairs).unwrap_or(f64::NAN),
            of_pairs_range: range(&of_pairs),
            cpu_seconds: first.process.cpu_seconds / second.process.cpu_seconds,
            peak_rss: first.process.peak_rss_megabytes / second.process.peak_rss_megabytes,
        };
        Ok(Comparison { pair: self, rows, ratios, iterations })
    }
}

/// The candidates of a pair in their order.
fn order(pair: u32) -> [Side; 2] {
    if pair % 2 == 1 { [Side::First, Side::Second] } else { [Side::Second, Side::First] }
}

/// The speed of the first candidate over the second's, by the two iterations of a pair.
fn pair_ratio(pair: &[Iteration]) -> Option<f64> {
    let seconds = |side| pair.iter().find(|iteration| iteration.side == side).map(|iteration| iteration.seconds);
    Some(seconds(Side::Second)? / seconds(Side::First)?)
}

impl Comparison {
    /// The table for the terminal.
    pub(super) fn render(&self) -> String {
        let Pair { work, documents, names: [first, second] } = &self.pair;
        let mut text = format!(
            "{work}: {documents} documents, medians of {} pairs\n{:<20} {:>9} {:>8} {:>13} {:>7} {:>11}\n",
            self.iterations.len() / 2,
            "candidate",
            "docs/s",
            "wall s",
            "range s",
            "CPU s",
            "peak RSS MB"
        );
        for row in &self.rows {
            let (least, most) = row.process.wall_range_seconds;
            let _ = writeln!(
                text,
                "{:<20} {:>9.0} {:>8.2} {:>13} {:>7.2} {:>11.0}",
                row.name,
                row.documents_per_second,
                row.process.wall_seconds,
                format!("{least:.2}–{most:.2}"),
                row.process.cpu_seconds,
                row.process.peak_rss_megabytes
            );
        }
        let ratios = &self.ratios;
        let (least, most) = ratios.of_pairs_range;
        let _ = write!(
            text,
            "{first} / {second}: docs/s {:.3}× (pairs: median {:.3}×, {least:.3}–{most:.3}), CPU {:.3}×, peak RSS {:.3}×",
            ratios.documents_per_second, ratios.of_pairs, ratios.cpu_seconds, ratios.peak_rss
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Pair {
        Pair { work: "flights".into(), documents: 1000, names: ["new", "old"] }
    }

    fn measured(wall_seconds: f64) -> Measured {
        Measured { wall_seconds, user_seconds: wall_seconds, system_seconds: 0.0, peak_rss_bytes: 50_000_000 }
    }

    #[test]
    fn the_order_changes_from_pair_to_pair_and_the_first_does_not_count() {
        let mut ran = Vec::new();
        let run = |side, number| {
            ran.push((number, side));
            Ok((if side == Side::First { 4.0 } else { 5.0 }, measured(6.0)))
        };
        let comparison = pair().compare(2, run).unwrap();
        use Side::{First, Second};
        assert_eq!(ran, [(0, Second), (0, First), (1, First), (1, Second), (2, Second), (2, First)]);
        assert_eq!(comparison.iterations.len(), 4);
        assert_eq!(comparison.ratios.documents_per_second, 1.25);
    }

    #[test]
    fn the_ratio_is_that_of_the_speeds() {
        let times = [(4.0, 5.0), (2.0, 4.0), (8.0, 4.0)];
        let iterations = times.into_iter().zip(1..).flat_map(|((first, second), pair)| {
            [(Side::First, first), (Side::Second, second)].map(|(side, seconds)| Iteration {
                pair,
                side,
                seconds,
                measured: measured(seconds),
            })
        });
        let comparison = pair().summarize(iterations.collect()).unwrap();
        let ratios = &comparison.ratios;
        assert_eq!((ratios.documents_per_second, ratios.of_pairs, ratios.of_pairs_range), (1.0, 1.25, (0.5, 2.0)));
        let text = comparison.render();
        assert!(text.contains("flights: 1000 documents, medians of 3 pairs"), "{text}");
        assert!(text.contains("new                        250     4.00     2.00–8.00    4.00          50"), "{text}");
        assert!(text.contains("new / old: docs/s 1.000× (pairs: median 1.250×, 0.500–2.000), CPU 1.000×"), "{text}");
    }

    #[test]
    fn without_a_pair_there_is_no_ratio() {
        assert!(pair().summarize(Vec::new()).is_err());
    }
}
