//! Reads the counts out of what `cargo test` prints.

/// How many tests there were, by outcome.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Counts {
    /// Adds what one line of a test run says, if it says anything.
    pub(crate) fn read(&mut self, line: &str) {
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
        assert_eq!(counts, Counts { passed: 8, failed: 2, skipped: 1 });
        assert_eq!(counts.to_string(), "8 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn a_live_test_without_a_node_is_skipped_and_not_passed() {
        let mut counts = Counts::default();
        counts.read("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured");
        counts.read("SKIPPED live test: no Elasticsearch (cargo xtask es up)");
        assert_eq!(counts, Counts { passed: 1, failed: 0, skipped: 1 });
    }
}
