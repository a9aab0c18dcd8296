//! The end of a run: failures with their reasons, a table of the steps, live tests, skipped checks,
//! and counts.
//!
//! The reasons are repeated here, because the end of a long log is read first, and is sometimes all
//! that is kept of it.

use std::time::Duration;

use super::tests_output::Counts;

/// The outcome of all steps.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// The counts of all tests.
    pub(crate) counts: Counts,
    /// The live tests of each step that ran any.
    pub(crate) live: Vec<LiveTests>,
    /// The checks that were skipped, with their reasons.
    skipped: Vec<String>,
}

#[derive(Debug)]
struct Row {
    step: &'static str,
    took: Duration,
    /// The reason of a failure.
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

    /// Notes checks that this machine does not allow. They are not counted: they are not tests.
    pub(crate) fn skip(&mut self, checks: Vec<String>) {
        for check in checks {
            println!("SKIPPED {check}");
            self.skipped.push(check);
        }
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
        lines.extend(self.skipped.iter().map(|check| format!("skipped {check}")));
        lines.push(self.counts.to_string());
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_come_before_the_table_and_counts_after_it() {
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
        report.skip(vec!["deny: advisories: no network".into()]);
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
             skipped deny: advisories: no network\n\
             12 passed, 1 failed, 2 skipped"
        );
        assert!(!report.passed());
    }
}
