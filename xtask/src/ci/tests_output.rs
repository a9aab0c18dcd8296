//! Reads the counts, and what the failed tests said, out of what `cargo test` prints.

/// Lines kept of what failed tests said: enough for some ten failures with their causes.
const MOST_FAILURE_LINES: usize = 300;

/// The number of tests by outcome, and the output of those that failed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// The part of the output that `cargo test` heads with `failures:`, of each program.
    pub(crate) failures: Vec<String>,
    /// True while reading that part.
    pub(super) in_failures: bool,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Counts {
    /// Adds what one line of a test run says, if it says anything.
    pub(crate) fn read(&mut self, line: &str) {
        self.keep_failure(line);
        if line.starts_with("SKIPPED ") {
            // Such a test returned early, and the harness counts it as passed.
            self.skipped += 1;
            self.passed = self.passed.saturating_sub(1);
        } else if let Some(summary) = line.strip_prefix("test result: ") {
            self.passed += number_before(summary, "passed");
            self.failed += number_before(summary, "failed");
            self.skipped += number_before(summary, "ignored");
        }
    }

    /// Adds the counts of another run.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        let room = MOST_FAILURE_LINES.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
    }

    /// The output of failed tests comes between two lines: `failures:`, and the result.
    ///
    /// A second `failures:` heads the names alone, which the output above has already.
    fn keep_failure(&mut self, line: &str) {
        if line == "failures:" {
            self.in_failures = !self.in_failures;
        } else if line.starts_with("test result: ") {
            self.in_failures = false;
        } else if self.in_failures && self.failures.len() < MOST_FAILURE_LINES {
            self.failures.push(line.to_owned());
        }
    }
}

/// The number in front of a word: 5 for `passed` in `ok. 5 passed; 0 failed`.
fn number_before(text: &str, word: &str) -> usize {
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_binaries_add_up() {
        let output = "\
running 5 tests
test a ... ok
test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.71s
test result of something else: 9 passed
";
        let mut counts = Counts::default();
        output.lines().for_each(|line| counts.read(line));
        assert_eq!((counts.passed, counts.failed, counts.skipped), (8, 2, 1));
        assert_eq!(counts.to_string(), "8 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn a_live_test_without_a_node_is_skipped_and_not_passed() {
        let mut counts = Counts::default();
        counts.read("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured");
        counts.read("SKIPPED live test: no Elasticsearch (cargo xtask es up)");
        assert_eq!(counts, Counts { passed: 1, skipped: 1, ..Counts::default() });
    }

    #[test]
    fn what_failed_tests_said_is_kept_once_and_within_its_limit() {
        let mut counts = Counts::default();
        let output = "failures:\n\n---- a stdout ----\npanicked at x.rs:1:2\n\nfailures:\n    a\n\ntest result: FAILED. 0 passed; 1 failed\nafter";
        output.lines().for_each(|line| counts.read(line));
        assert_eq!(counts.failures, ["", "---- a stdout ----", "panicked at x.rs:1:2", ""]);
        let mut all = Counts::default();
        for _ in 0..MOST_FAILURE_LINES {
            all.add(counts.clone());
        }
        assert_eq!(all.failures.len(), MOST_FAILURE_LINES);
    }
}
