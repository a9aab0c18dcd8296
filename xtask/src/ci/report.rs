//! What a run of the checks ends with: what failed and why, a table, the live tests, the counts.
//!
//! The reasons are told once more here, as the end of a long log is what one
//! reads first, and at times all that is kept of it.

use std::time::Duration;

use super::tests_output::Counts;

/// The outcome of all steps.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// Of all tests that ran.
    pub(crate) counts: Counts,
    /// What live tests ran against, a step each that ran any.
    pub(crate) live: Vec<LiveTests>,
}

#[derive(Debug)]
struct Row {
    step: &'static str,
    took: Duration,
    /// Why it failed, if it did.
    failure: Option<String>,
}

/// The tests that ran against an Elasticsearch.
#[derive(Debug)]
pub(crate) struct LiveTests {
    pub(crate) count: usize,
    /// Version and address, or that there was none.
    pub(crate) against: String,
}

impl Report {
    pub(crate) fn add(&mut self, step: &'static str, took: Duration, failure: Option<String>) {
        self.rows.push(Row { step, took, failure });
    }

    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.failure.is_none())
    }

    /// The table; its last line is the counts, for programs that read it.
    pub(crate) fn render(&self) -> String {
        let mut lines = self.counts.failures.clone();
        let failed = self.rows.iter().filter_map(|row| Some((row.step, row.failure.as_ref()?)));
        lines.extend(failed.map(|(step, failure)| format!("{step} failed: {failure}")));
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(self.rows.iter().map(|row| {
            let verdict = if row.failure.is_none() { "ok" } else { "FAILED" };
            format!("{:<13} {:>8.1} s  {verdict}", row.step, row.took.as_secs_f64())
        }));
        let total: Duration = self.rows.iter().map(|row| row.took).sum();
        lines.push(format!("{:<13} {:>8.1} s", "total", total.as_secs_f64()));
        lines.extend(self.live.iter().map(|live| format!("live tests: {} against {}", live.count, live.against)));
        lines.push(self.counts.to_string());
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_stands_before_the_table_and_the_counts_at_its_end() {
        let mut report = Report {
            counts: Counts {
                passed: 12,
                failed: 1,
                skipped: 2,
                failures: vec!["---- a stdout ----".into()],
                ..Counts::default()
            },
            live: vec![LiveTests { count: 4, against: "Elasticsearch 9.4.3 at http://x".into() }],
            ..Report::default()
        };
        report.add("fmt", Duration::from_millis(400), None);
        report.add("test", Duration::from_millis(61_500), Some("cargo ended with 101".into()));
        assert_eq!(
            report.render(),
            "---- a stdout ----\n\
             test failed: cargo ended with 101\n\
             \n\
             fmt                0.4 s  ok\n\
             test              61.5 s  FAILED\n\
             total             61.9 s\n\
             live tests: 4 against Elasticsearch 9.4.3 at http://x\n\
             12 passed, 1 failed, 2 skipped"
        );
        assert!(!report.passed());
    }
}
