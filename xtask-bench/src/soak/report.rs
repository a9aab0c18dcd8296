//! The table of scenarios, one line each.

use std::fmt::Write as _;

use serde::Serialize;

use super::compare::Difference;

/// One scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) scenario: &'static str,
    /// The injected faults.
    pub(super) faults: String,
    /// Loads that were brought to their end and compared.
    pub(super) loads: u64,
    /// Documents that had to be there after them.
    pub(super) documents: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) changed: u64,
    /// A further figure, with its limit.
    pub(super) figure: String,
    pub(super) seconds: u64,
    /// The violated guarantees.
    pub(super) problems: Vec<String>,
}

impl Row {
    pub(super) fn new(scenario: &'static str) -> Self {
        Self { scenario, ..Self::default() }
    }

    /// Takes a load into the account: nothing may differ.
    pub(super) fn add(&mut self, index: &str, documents: u64, difference: Difference) {
        self.loads += 1;
        self.documents += documents;
        self.lost += difference.lost;
        self.doubled += difference.doubled;
        self.changed += difference.changed;
        self.require(difference == Difference::default(), || {
            let Difference { lost, doubled, changed } = difference;
            format!("{index}: {lost} lost, {doubled} doubled, {changed} changed")
        });
    }

    /// Notes a problem where something does not hold.
    pub(super) fn require(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problems.push(problem());
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.problems.is_empty()
    }

    /// The intermediate result, for progress.
    pub(super) fn so_far(&self) -> String {
        let faults = if self.faults.is_empty() { "no fault yet" } else { &self.faults };
        let Self { scenario, loads, documents, lost, doubled, changed, .. } = self;
        format!(
            "{scenario}: {faults}; {loads} compared, {documents} documents: {lost} lost, {doubled} doubled, {changed} changed"
        )
    }

    /// The names of the columns.
    pub(super) fn heading() -> String {
        line(["scenario", "faults", "loads", "documents", "lost", "doubled", "changed", "figure", "s", "result"])
    }

    /// The line of the table, with what does not hold below it.
    pub(super) fn render(&self) -> String {
        let counts = [self.loads, self.documents, self.lost, self.doubled, self.changed].map(|count| count.to_string());
        let [loads, documents, lost, doubled, changed] = &counts;
        let seconds = self.seconds.to_string();
        let result = if self.holds() { "holds" } else { "FAILS" };
        let cells =
            [self.scenario, &self.faults, loads, documents, lost, doubled, changed, &self.figure, &seconds, result];
        let mut text = line(cells);
        for problem in &self.problems {
            let _ = write!(text, "\n  {}", problem.replace('\n', "\n  "));
        }
        text
    }
}

fn line(cells: [&str; 10]) -> String {
    let [scenario, faults, loads, documents, lost, doubled, changed, figure, seconds, result] = cells;
    format!(
        "{scenario:<13} {faults:<33} {loads:>5} {documents:>9} {lost:>5} {doubled:>7} {changed:>7}  {figure:<72} {seconds:>5}  {result}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_until_something_differs() {
        let mut row = Row::new("kills");
        row.faults = "200 kills".into();
        row.add("a", 100, Difference::default());
        assert!(row.holds());
        assert!(row.render().ends_with("holds"), "{}", row.render());
        row.add("b", 100, Difference { lost: 1, ..Difference::default() });
        row.require(1 > 2, || "one is not\nmore than two".into());
        assert!(!row.holds());
        assert_eq!((row.loads, row.documents, row.lost), (2, 200, 1));
        let text = row.render();
        assert!(text.ends_with("FAILS\n  b: 1 lost, 0 doubled, 0 changed\n  one is not\n  more than two"), "{text}");
    }
}
