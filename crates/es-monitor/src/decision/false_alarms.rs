//! The rate of false alarms, by simulation: pairs of windows of one distribution, counted as the server
//! counts them.
//!
//! `cargo test -p es-monitor --lib -- --ignored --nocapture prints_the_false_alarms` prints the table
//! of docs/drift.md.

use std::collections::HashMap;

use super::*;
use crate::answer::Frequent;
use crate::field::FieldKind;

/// The methods of categories, with the thresholds that the documentation suggests.
const METHODS: [(&str, FieldMonitorOf); 4] = [
    ("chi2", || FieldMonitor::chi_squared(0.01)),
    ("psi", || FieldMonitor::psi(0.2)),
    ("js", || FieldMonitor::jensen_shannon(0.1)),
    ("linf", || FieldMonitor::l_infinity(0.1)),
];

type FieldMonitorOf = fn() -> FieldMonitor;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    /// The counts of a window of equally frequent categories, the first of which is `first`.
    fn window(&mut self, categories: u64, first: u64, size: u64) -> HashMap<u64, u64> {
        let mut counts = HashMap::new();
        for _ in 0..size {
            *counts.entry(first + self.below(categories)).or_default() += 1;
        }
        counts
    }
}

/// The most frequent categories, as the server has them.
fn top(counts: &HashMap<u64, u64>, most: usize) -> Vec<u64> {
    let mut all: Vec<(u64, u64)> = counts.iter().map(|(category, count)| (*count, *category)).collect();
    all.sort_by_key(|(count, category)| (std::cmp::Reverse(*count), *category));
    all.into_iter().take(most).map(|(_, category)| category).collect()
}

/// The verdict on two windows.
fn verdict(monitor: &FieldMonitor, windows: &[HashMap<u64, u64>; 2]) -> FieldReport {
    let bins = monitor.bins_for(false) as usize;
    let mut pooled = windows[0].clone();
    for (category, count) in &windows[1] {
        *pooled.entry(*category).or_default() += count;
    }
    let groups = top(&pooled, bins);
    let frequent = [top(&windows[0], bins), top(&windows[1], bins)];
    let counted = |window: &HashMap<u64, u64>| {
        let of = |category: &u64| window.get(category).copied().unwrap_or(0);
        let categories: Vec<(String, u64)> = groups.iter().map(|group| (group.to_string(), of(group))).collect();
        let documents: u64 = window.values().sum();
        let other = documents - categories.iter().map(|(_, count)| count).sum::<u64>();
        let met = |listed: &Vec<u64>| Frequent { values: listed.len() as u64, documents: listed.iter().map(of).sum() };
        Counted {
            values: documents,
            documents,
            distribution: Distribution::Categorical(Categorical { categories, other, missing: 0, count_error: 0 }),
            frequent: [met(&frequent[0]), met(&frequent[1])],
        }
    };
    let field = Field { name: "f".to_owned(), field_type: "keyword".to_owned(), kind: FieldKind::Categorical };
    decide(&field, monitor, 30, &counted(&windows[0]), &counted(&windows[1]))
}

/// The alarms of each method in pairs of windows of one distribution.
fn alarms(categories: u64, sizes: [u64; 2], pairs: u32) -> [u32; 4] {
    let mut random = Random(categories ^ (sizes[0] << 20) ^ (sizes[1] << 40));
    let mut alarms = [0; 4];
    for _ in 0..pairs {
        let windows = sizes.map(|size| random.window(categories, 0, size));
        for (place, (_, monitor)) in METHODS.iter().enumerate() {
            alarms[place] += u32::from(verdict(&monitor(), &windows).verdict == Verdict::Drift);
        }
    }
    alarms
}

const SIZES: [[u64; 2]; 3] = [[5000, 5000], [5000, 500], [300, 300]];
const CATEGORIES: [u64; 7] = [10, 50, 100, 500, 1000, 2000, 5000];

#[test]
#[ignore = "prints a table, and takes minutes without optimisation"]
fn prints_the_false_alarms() {
    println!("| categories | documents | chi2 | psi | js | linf |\n|---|---|---|---|---|---|");
    for sizes in SIZES {
        for categories in CATEGORIES {
            let [chi2, psi, js, linf] = alarms(categories, sizes, 1000);
            println!("| {categories} | {} against {} | {chi2} | {psi} | {js} | {linf} |", sizes[1], sizes[0]);
        }
    }
}

#[test]
fn windows_of_one_distribution_rarely_drift() {
    const PAIRS: u32 = 100;
    for sizes in SIZES {
        for categories in [10, 100, 2000, 5000] {
            for (found, (name, _)) in alarms(categories, sizes, PAIRS).into_iter().zip(METHODS) {
                // One of a hundred is expected at the level of 0.01; six have a probability of 5e-4.
                assert!(found < 6, "{name}: {found} of {PAIRS} with {categories} categories in {sizes:?} documents");
            }
        }
    }
}

#[test]
fn a_column_of_only_new_values_drifts_by_every_method() {
    let mut random = Random(7);
    for sizes in [[20_000, 20_000], [5000, 500], [500, 5000]] {
        for categories in [1, 10, 2000] {
            let windows = [random.window(categories, 0, sizes[0]), random.window(categories, 1_000_000, sizes[1])];
            for (name, monitor) in METHODS {
                let report = verdict(&monitor(), &windows);
                assert_eq!(report.verdict, Verdict::Drift, "{name} {categories} {sizes:?}: {report}");
            }
        }
    }
}
