//! Problems of a pipeline file, each with its place.
//!
//! This module only describes: it prints one plain line a problem. Drawing the
//! source with carets is left to the caller, who has the byte range, the label, the
//! help and the source text for it.

use std::fmt;
use std::ops::Range;

use crate::key_path::KeyPath;

/// A place in the source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Bytes of the source text.
    pub range: Range<usize>,
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1 in characters.
    pub column: usize,
}

impl Location {
    /// The location of `range` in `text`. A range beyond the end points at the end.
    #[must_use]
    pub fn of(text: &str, range: Range<usize>) -> Self {
        let mut start = range.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = range.end.clamp(start, text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            range: start..end,
        }
    }
}

/// The sort of problem that a [`Diagnostic`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiagnosticKind {
    /// The text is not YAML, or uses a part of YAML that a pipeline file may not.
    Syntax,
    /// A key stands twice in one mapping.
    DuplicateKey,
    /// A key that the format does not have.
    UnknownKey,
    /// A required key is absent.
    MissingKey,
    /// Keys that exclude each other stand together.
    ConflictingKeys,
    /// A value of another type than the format's.
    WrongType,
    /// A value of the right type that is not allowed.
    InvalidValue,
    /// A feature of the format that this version does not have.
    Unsupported,
    /// A name that refers to nothing.
    UnknownReference,
    /// A reference to an asset of a kind that cannot be used there.
    WrongKind,
    /// Assets that need one another.
    Cycle,
    /// A secret written in the file itself.
    LiteralSecret,
}

/// One problem of a pipeline file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The sort of problem.
    pub kind: DiagnosticKind,
    /// The problem in one sentence: lower case, no full stop.
    pub message: String,
    /// The place as a key path such as `assets.departures.partitions.start`;
    /// empty when it concerns the whole file.
    pub key_path: String,
    /// The place in the source text.
    pub location: Location,
    /// A few words to write beside the caret.
    pub label: Option<String>,
    /// The next step for a person.
    pub help: Option<String>,
}

/// A problem as the stages of parsing report it, before it is placed in the text.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    kind: DiagnosticKind,
    message: String,
    pub(crate) path: KeyPath,
    span: Range<usize>,
    label: Option<String>,
    help: Option<String>,
}

impl Finding {
    pub(crate) fn new(kind: DiagnosticKind, message: impl Into<String>, path: &KeyPath, span: Range<usize>) -> Self {
        Self { kind, message: message.into(), path: path.clone(), span, label: None, help: None }
    }

    pub(crate) fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    fn place(self, text: &str) -> Diagnostic {
        Diagnostic {
            kind: self.kind,
            message: self.message,
            key_path: self.path.to_string(),
            location: Location::of(text, self.span),
            label: self.label,
            help: self.help,
        }
    }
}

/// Every problem of one pipeline file, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    file: String,
    source: String,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Places `findings` in `text`, and masks the bytes of `secrets` in the copy of it
    /// that is kept.
    pub(crate) fn new(file: &str, text: &str, secrets: &[Range<usize>], findings: Vec<Finding>) -> Self {
        let mut list: Vec<Diagnostic> = findings.into_iter().map(|finding| finding.place(text)).collect();
        list.sort_by_key(|diagnostic| diagnostic.location.range.start);
        // A value that aliases repeat is wrong in each of its places, and written once.
        list.dedup_by(|later, earlier| later.location == earlier.location && later.message == earlier.message);
        Self { file: file.to_owned(), source: mask(text, secrets), list }
    }

    /// One problem of a file that was found sound before, and so holds no secret.
    pub(crate) fn of(file: &str, source: &str, diagnostic: Diagnostic) -> Self {
        Self { file: file.to_owned(), source: source.to_owned(), list: vec![diagnostic] }
    }

    /// The name of the file, as it was given to [`PipelineFormat::parse`](crate::PipelineFormat::parse).
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The source text, of the same length in bytes as the file, in which secrets
    /// written literally are masked: it is safe to show.
    #[must_use]
    pub fn source_text(&self) -> &str {
        &self.source
    }

    /// The problems, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// The number of problems.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Always false: without a problem there are no diagnostics.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// The keys of the format whose values are references to secrets, or how such keys end.
const SECRET_KEYS: [&str; 4] = ["api_key", "password", "bearer_token", "service_token"];

/// The byte offset of `part` in `text`, which ends with it.
fn at_of(text: &str, part: &str) -> usize {
    text.len() - part.len()
}

/// `text` with `secrets`, and whatever stands literally behind the key of a secret, as
/// asterisks. The second finds secrets where the text is no YAML and has no tree.
fn mask(text: &str, secrets: &[Range<usize>]) -> String {
    let mut hidden = secrets.to_vec();
    for key in SECRET_KEYS {
        for (at, _) in text.match_indices(key) {
            let after_key = at + key.len();
            let rest = text[after_key..].trim_start_matches(['"', '\'']).trim_start_matches([' ', '\t']);
            let Some(value) = rest.strip_prefix(':') else { continue };
            let value = value.trim_start_matches([' ', '\t']);
            let start = at_of(text, value);
            let length = value.find([',', '}', '\n']).unwrap_or(value.len());
            if !value.starts_with(['{', '*', '&', '#', '\n']) {
                hidden.push(start..start + length);
            }
        }
    }
    let is_hidden = |at: usize| hidden.iter().any(|range| range.contains(&at));
    let mut masked = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        if is_hidden(at) && character != '\n' {
            // One asterisk a byte keeps every range of the text valid.
            masked.extend(std::iter::repeat_n('*', character.len_utf8()));
        } else {
            masked.push(character);
        }
    }
    masked
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, diagnostic) in self.list.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(
                f,
                "{}:{}:{}: {}",
                self.file, diagnostic.location.line, diagnostic.location.column, diagnostic.message
            )?;
            if !diagnostic.key_path.is_empty() {
                write!(f, " (at {})", diagnostic.key_path)?;
            }
            if let Some(help) = &diagnostic.help {
                write!(f, "; {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_ranges_count_bytes() {
        let text = "a: 1\nü: né\n";
        let start = text.find("né").unwrap();
        let location = Location::of(text, start..start + 3);
        assert_eq!((location.line, location.column), (2, 4));
        assert_eq!(&text[location.range], "né");
    }

    #[test]
    fn a_range_beyond_the_end_points_at_the_end() {
        let location = Location::of("ab\n", 10..12);
        assert_eq!(location.range, 3..3);
        assert_eq!((location.line, location.column), (2, 1));
    }

    #[test]
    fn a_range_inside_a_character_widens_to_it() {
        assert_eq!(Location::of("é", 1..1).range, 0..2);
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let text =
            "é: [ü\n  password: hunter2\n  \"api_key\": 'abc', user: x\n  bearer_token: { env: T }\nnote: sécret\n";
        let start = text.find("sécret").unwrap();
        let secret = start..start + "sécret".len();
        let masked = mask(text, std::slice::from_ref(&secret));
        assert_eq!(masked.len(), text.len());
        assert_eq!(
            masked,
            "é: [ü\n  password: *******\n  \"api_key\": *****, user: x\n  bearer_token: { env: T }\nnote: *******\n"
        );
    }
}
