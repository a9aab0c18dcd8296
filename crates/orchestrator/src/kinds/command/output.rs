//! The lines that a program prints: split, made plain, and the last of them kept. Pure.

use std::collections::VecDeque;

/// The most lines that are kept.
pub(super) const MOST_LINES: usize = 200;
/// The most bytes that are kept.
pub(super) const MOST_BYTES: usize = 64 * 1024;
/// The bytes after which a line is cut.
pub(super) const LONGEST_LINE: usize = 2_000;

/// The last lines of an output.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    /// Adds a line, and gives up the first ones where there are too many.
    pub(super) fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            let first = self.lines.pop_front().unwrap_or_default();
            self.bytes -= first.len();
        }
    }

    /// The last line.
    pub(super) fn last(&self) -> Option<&str> {
        self.lines.back().map(String::as_str)
    }

    /// At most so many of the last lines.
    pub(super) fn last_lines(&self, most: usize) -> impl Iterator<Item = &str> {
        self.lines.iter().skip(self.lines.len().saturating_sub(most)).map(String::as_str)
    }

    /// All lines that were kept.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}

/// Splits bytes into lines, which end with a line feed or a carriage return. Lines that are too long
/// are cut, and blank ones left out.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    line: Vec<u8>,
    is_cut: bool,
}

impl Splitter {
    /// Takes the next bytes, and gives the lines that end in them.
    pub(super) fn push(&mut self, bytes: &[u8], mut take: impl FnMut(String)) {
        for part in bytes.split_inclusive(is_end) {
            let text = part.strip_suffix(b"\n").or_else(|| part.strip_suffix(b"\r")).unwrap_or(part);
            let room = LONGEST_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            self.is_cut |= text.len() > room;
            if text.len() < part.len() {
                self.end(&mut take);
            }
        }
    }

    /// Gives the line that was begun, if there is one.
    pub(super) fn end(&mut self, mut take: impl FnMut(String)) {
        let text = String::from_utf8_lossy(&self.line);
        let mut line = plain(text.trim_end());
        if std::mem::take(&mut self.is_cut) {
            // A character may have been cut through.
            line = line.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned() + "…";
        }
        self.line.clear();
        if !line.trim().is_empty() {
            take(line);
        }
    }
}

fn is_end(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// A text without colours and other codes for terminals.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            let _ = chars.by_ref().find(|char| ('@'..='~').contains(char));
        } else if char == '\t' || !char.is_control() {
            plain.push(char);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        for chunk in chunks {
            splitter.push(chunk, |line| lines.push(line));
        }
        splitter.end(|line| lines.push(line));
        lines
    }

    #[test]
    fn bytes_become_plain_lines() {
        let long = "x".repeat(LONGEST_LINE + 1);
        let cut = format!("{}…", "x".repeat(LONGEST_LINE));
        let umlauts = "ä".repeat(LONGEST_LINE);
        let cases: [(&[&[u8]], &[&str]); 8] = [
            (&[b"a\nb"], &["a", "b"]),
            (&[b"a", b"b\n", b"c\n"], &["ab", "c"]),
            (&[b"10 %\r20 %\r\n\n  \n"], &["10 %", "20 %"]),
            (&[b"\x1b[1;31mred\x1b[0m\ttext\x07\n"], &["red\ttext"]),
            (&[b"\xff\xfe\n"], &["\u{fffd}\u{fffd}"]),
            (&[long.as_bytes(), b"yz\nnext\n"], &[&cut, "next"]),
            (&[b"x", umlauts.as_bytes()], &[&format!("x{}…", "ä".repeat(LONGEST_LINE / 2 - 1))]),
            (&[], &[]),
        ];
        for (chunks, expected) in cases {
            assert_eq!(lines(chunks), expected);
        }
    }

    #[test]
    fn the_last_lines_are_kept() {
        let mut tail = Tail::default();
        (0..MOST_LINES + 5).for_each(|number| tail.push(number.to_string()));
        assert_eq!(tail.lines.len(), MOST_LINES);
        assert_eq!(tail.last_lines(2).collect::<Vec<_>>(), ["203", "204"]);
        assert_eq!(tail.last(), Some("204"));
        (0..100).for_each(|_| tail.push("x".repeat(LONGEST_LINE)));
        assert_eq!(tail.lines.len(), MOST_BYTES / LONGEST_LINE);
        assert!(tail.bytes <= MOST_BYTES);
        let bytes = tail.bytes;
        assert_eq!(bytes, tail.into_lines().iter().map(String::len).sum::<usize>());
    }
}
