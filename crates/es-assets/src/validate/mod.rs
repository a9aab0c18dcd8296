//! Validates what no single value decides: references between assets, ranges, and keys that must
//! agree.
//!
//! Works on the assets that the checker found sound; a reference to an asset that has problems of
//! its own is not reported as unknown.

mod references;

use std::ops::Range;

use es_values::{TimePoint, words};
use indexmap::IndexMap;
use jiff::tz::TimeZone;

use crate::asset::Asset;
use crate::diagnostic::{DiagnosticKind, Finding};
use crate::key_path::KeyPath;
use crate::kind::Definition;

/// The assets of a file before it is known to be sound.
pub(crate) struct Draft<'a> {
    /// The assets that are sound by themselves.
    pub(crate) assets: &'a IndexMap<String, Asset>,
    /// The name of every asset of the file.
    pub(crate) names: &'a [String],
    /// The kinds whose assets others can read, for the help.
    pub(crate) readable_kinds: &'a [&'static str],
}

/// The other assets of a file, while one of them is validated.
#[derive(Clone, Copy)]
pub struct Siblings<'a>(&'a IndexMap<String, Asset>);

impl<'a> Siblings<'a> {
    /// The asset called `name`, if it is sound by itself.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Asset> {
        self.0.get(name)
    }

    /// The names of the assets whose definition is one of `D`, in the order of the file.
    #[must_use]
    pub fn named_by_definition<D: Definition>(&self) -> Vec<&'a str> {
        let is_one = |asset: &Asset| asset.definition_as::<D>().is_some();
        self.0.iter().filter(|(_, asset)| is_one(asset)).map(|(name, _)| name.as_str()).collect()
    }
}

/// Finds the bytes of a value of the file.
pub(crate) type Locate<'a> = &'a dyn Fn(&KeyPath) -> Range<usize>;

/// The bytes of an occurrence of a word within a span of a text, counted from 0; the whole span
/// without one.
pub(crate) fn word_span(span: Range<usize>, text: &str, word: &str, number: usize) -> Range<usize> {
    let Some(start) = text.get(span.clone()).and_then(|value| words(value, word).nth(number)) else { return span };
    span.start + start..span.start + start + word.len()
}

/// Collects problems, each placed by its key path.
pub struct Report<'a> {
    locate: Locate<'a>,
    /// The text of the file.
    source: &'a str,
    findings: Vec<Finding>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(locate: Locate<'a>, source: &'a str) -> Self {
        Self { locate, source, findings: Vec::new() }
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Adds a problem of the value at `path`: a message in lower case without a full stop, and
    /// what to do.
    pub fn add(&mut self, kind: DiagnosticKind, path: &KeyPath, message: impl Into<String>, help: impl Into<String>) {
        let span = (self.locate)(path);
        self.findings.push(Finding::new(kind, message, path, span).help(help));
    }

    /// Adds a problem of a word within the value at `path`, such as a name in a query. `number` counts
    /// the occurrences of the word from 0; without such a word, the whole value is the place.
    pub fn add_at_word(
        &mut self,
        kind: DiagnosticKind,
        path: &KeyPath,
        (word, number): (&str, usize),
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let span = word_span((self.locate)(path), self.source, word, number);
        self.findings.push(Finding::new(kind, message, path, span).help(help));
    }

    /// Adds a value that is not allowed where it stands.
    pub fn invalid(&mut self, path: &KeyPath, message: impl Into<String>, help: impl Into<String>) {
        self.add(DiagnosticKind::InvalidValue, path, message, help);
    }

    /// Reports, and returns, whether a range ends before it starts. `path` is the place of the
    /// range, which has its bounds under the two keys.
    pub fn interval(
        &mut self,
        start: Option<TimePoint>,
        end: Option<TimePoint>,
        zone: &TimeZone,
        path: &KeyPath,
        (start_key, end_key): (&str, &str),
    ) -> bool {
        let (Some(start), Some(end)) = (start, end) else { return false };
        let is_backward = match (start.to_timestamp(zone), end.to_timestamp(zone)) {
            (Ok(start), Ok(end)) => start >= end,
            _ => false,
        };
        if is_backward {
            self.invalid(
                &path.key(end_key),
                format!("`{end_key}` {end} is not after `{start_key}` {start}"),
                "the range holds its start and not its end, so this one is empty",
            );
        }
        is_backward
    }
}

/// Reports everything that is wrong with the assets beyond their single values.
pub(crate) fn validate(draft: &Draft<'_>, report: &mut Report<'_>) {
    let all = KeyPath::root().key("assets");
    for (name, asset) in draft.assets {
        let path = all.key(name);
        if name == "orchestrator" {
            report.invalid(
                &path,
                "the name `orchestrator` is taken",
                "indices of that name hold the program's own state",
            );
        }
        asset.definition().validate(&path, &Siblings(draft.assets), report);
    }
    references::validate(draft, &all, report);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_they_stand_alone() {
        let text = "sql: SELECT ab, a, b.a FROM a_b, a";
        let found = |word, number| &text[word_span(5..text.len(), text, word, number)];
        let start = |word, number| word_span(5..text.len(), text, word, number).start;
        assert_eq!((start("a", 0), start("a", 1), start("a", 2)), (16, 21, 33));
        assert_eq!(found("a", 3), &text[5..], "no fourth");
        assert_eq!((found("a_b", 0), found("", 0), found("c", 0)), ("a_b", &text[5..], &text[5..]));
        assert_eq!(word_span(16..17, text, "a", 0), 16..17);
        assert_eq!(word_span(90..99, text, "a", 0), 90..99, "a span beyond the text stays");
    }
}
