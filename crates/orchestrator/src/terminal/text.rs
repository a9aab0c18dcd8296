//! Text in a limited width: measured, shortened, wrapped, coloured. Pure.

use std::borrow::Cow;

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

use super::screen::Screen;

/// The meaning of a piece of text, which a colour stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// None in particular.
    #[default]
    Plain,
    /// A head.
    Strong,
    /// Less important than the rest.
    Dim,
    /// It went well.
    Good,
    /// A person should look at it.
    Warning,
    /// It went wrong.
    Bad,
}

impl Tone {
    /// Colours a text, where colours are wanted.
    pub fn paint(self, text: &str, colour: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            _ if !colour || text.is_empty() => return text.to_owned(),
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31;1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// The columns that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    display_width(text)
}

/// A text of at most so many columns; of a longer one the beginning and the end.
pub fn shorten(text: &str, most: usize, unicode: bool) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let ellipsis = if unicode { "…" } else { "..." };
    let Some(room) = most.checked_sub(width(ellipsis)) else { return take(text.chars(), most) };
    let head = take(text.chars(), room.div_ceil(2));
    let tail: String = take(text.chars().rev(), room - width(&head)).chars().rev().collect();
    format!("{head}{ellipsis}{tail}")
}

/// The first characters that fit into so many columns.
fn take(characters: impl Iterator<Item = char>, most: usize) -> String {
    let mut taken = String::new();
    for character in characters {
        taken.push(character);
        if width(&taken) > most {
            taken.pop();
            break;
        }
    }
    taken
}

/// A text in lines of at most so many columns, broken between words. A word that is longer than a
/// line, such as a path, stays whole.
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    textwrap::wrap(text, between_words(most)).into_iter().map(Cow::into_owned).collect()
}

fn between_words<'a>(most: usize) -> Options<'a> {
    Options::new(most.max(1))
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation)
        .word_separator(WordSeparator::AsciiSpace)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
}

/// Paragraphs for a screen, each ended by a line feed. The lines of each after the first are indented
/// by `indent`.
pub fn paragraph(text: &str, indent: usize, screen: &Screen) -> String {
    let beyond = " ".repeat(indent);
    let mut paragraphs = String::new();
    for line in text.lines() {
        let (margin, words) = line.split_at(line.len() - line.trim_start().len());
        let options = between_words(screen.width).initial_indent(margin).subsequent_indent(&beyond);
        paragraphs.push_str(&textwrap::fill(words, options));
        paragraphs.push('\n');
    }
    paragraphs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_both_ends() {
        let table = [
            ("departures", 10, true, "departures"),
            ("departures", 9, true, "depa…ures"),
            ("departures", 9, false, "dep...res"),
            ("departures", 2, true, "d…"),
            ("departures", 2, false, "de"),
            ("flüge_ab_müc", 9, true, "flüg…_müc"),
            ("出発便一覧表", 9, true, "出発…覧表"),
        ];
        for (text, most, unicode, wanted) in table {
            let short = shorten(text, most, unicode);
            assert_eq!(short, wanted);
            assert!(width(&short) <= most, "{short}");
        }
    }

    #[test]
    fn words_stay_whole() {
        let text = "check `rows at least 1000` failed: see .orchestrator/rejected/departures-2013-01.ndjson";
        assert_eq!(
            wrap(text, 30),
            ["check `rows at least 1000`", "failed: see", ".orchestrator/rejected/departures-2013-01.ndjson"]
        );
    }

    #[test]
    fn a_paragraph_hangs_below_its_first_line() {
        let text =
            paragraph("error in a: the first line\n  help: one two three four five six seven", 4, &Screen::wide(40));
        assert_eq!(text, "error in a: the first line\n  help: one two three four five six\n    seven\n");
    }

    #[test]
    fn nothing_is_coloured_unless_it_is_wanted() {
        assert_eq!(Tone::Bad.paint("failed", false), "failed");
        assert_eq!(Tone::Bad.paint("failed", true), "\x1b[31;1mfailed\x1b[0m");
        assert_eq!(Tone::Plain.paint("done", true), "done");
        assert_eq!(Tone::Good.paint("", true), "");
    }
}
