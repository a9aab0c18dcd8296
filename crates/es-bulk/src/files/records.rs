//! Text in pieces that end where a record ends.

use std::time::Duration;

use super::input::{Added, Input};
use super::options::LONGEST_RECORD;
use super::read_error::ReadError;

/// The UTF-8 byte order mark, which some programs put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The smallest and the largest piece, whatever the options: enough for a byte order mark, and 1 GiB.
const SMALLEST_PIECE: usize = 4;
const LARGEST_PIECE: usize = 1 << 30;

/// The longest wait for a pipe before the records that have come are returned.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// The same for its beginning, counted from its first byte: it settles the columns and their types.
const PATIENCE_FOR_BEGINNING: Duration = Duration::from_secs(3);

/// The line breaks at which records end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// Every line break.
    None,
    /// Line breaks outside quotes. Without `line_end`, it is a carriage return where the beginning of the
    /// text has no line feed, and a line feed elsewhere.
    Quoted { quote: Option<u8>, line_end: Option<u8> },
}

/// Some whole records; none while a pipe is silent.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) text: Vec<u8>,
    /// The number of bytes of text before it.
    pub(crate) offset: u64,
}

/// Reads text in pieces of whole records.
pub(crate) struct Records {
    input: Input,
    quoting: Quoting,
    piece_bytes: usize,
    /// The text that was read and not returned.
    rest: Vec<u8>,
    /// The beginning of `rest` in the text.
    offset: u64,
    scan: Scan,
    /// True once anything was returned.
    has_begun: bool,
    is_silent: bool,
    ended: bool,
    failed: Option<ReadError>,
}

/// The search of `rest` for the ends of records.
#[derive(Default)]
struct Scan {
    searched: usize,
    quoted: bool,
    end: usize,
}

impl Records {
    /// Reads an input that begins at an offset.
    pub(crate) fn new(input: Input, offset: u64, quoting: Quoting, piece_bytes: usize) -> Self {
        Self {
            input,
            quoting,
            piece_bytes: piece_bytes.clamp(SMALLEST_PIECE, LARGEST_PIECE),
            rest: Vec::new(),
            offset,
            scan: Scan::default(),
            has_begun: false,
            is_silent: false,
            ended: false,
            failed: None,
        }
    }

    /// The next piece, or `None` at the end. When reading fails, the whole records before the failure come
    /// first, and the failure at the next call. While a pipe is silent, the piece is empty.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, ReadError> {
        if let Some(error) = self.failed.take() {
            self.end_with_nothing();
            return Err(error);
        }
        while !self.ended {
            self.read_more();
            if self.ended {
                break;
            }
            if self.scan.end > 0 {
                return Ok(Some(self.take(self.scan.end)));
            }
            if self.failed.is_some() {
                return self.next();
            }
            if self.rest.len() > LONGEST_RECORD {
                self.end_with_nothing();
                return Err(ReadError::content(format!("one record is longer than {} MiB", LONGEST_RECORD >> 20)));
            }
            if self.is_silent {
                return Ok(Some(Chunk { text: Vec::new(), offset: self.offset }));
            }
        }
        if self.scan.quoted {
            if self.scan.end > 0 {
                return Ok(Some(self.take(self.scan.end)));
            }
            self.end_with_nothing();
            return Err(ReadError::content("it ends inside a quoted value"));
        }
        let left = self.rest.len();
        Ok((left > 0).then(|| self.take(left)))
    }

    fn read_more(&mut self) {
        let wanted = self.piece_bytes.saturating_sub(self.rest.len()).max(self.piece_bytes.min(64 << 10));
        if !self.has_begun {
            self.input.wait(None);
        }
        let patience = if self.has_begun { PATIENCE } else { PATIENCE_FOR_BEGINNING };
        let added = self.input.add_to(&mut self.rest, wanted, patience);
        (self.ended, self.is_silent) = (matches!(added, Ok(Added::ToTheEnd)), matches!(added, Ok(Added::UntilSilence)));
        self.failed = added.err().map(ReadError::from);
        if !self.has_begun && self.offset == 0 && self.rest.starts_with(BYTE_ORDER_MARK) {
            self.rest.drain(..BYTE_ORDER_MARK.len());
            self.offset = BYTE_ORDER_MARK.len() as u64;
        }
        if let Quoting::Quoted { quote, line_end: None } = self.quoting {
            let Some(line_end) = line_end_of(&self.rest, quote, self.ended) else { return };
            self.quoting = Quoting::Quoted { quote, line_end: Some(line_end) };
        }
        self.scan.continue_to(&self.rest, self.quoting);
    }

    pub(crate) fn quoting(&self) -> Quoting {
        self.quoting
    }

    /// The byte that ends a line: a line feed until another one is known.
    pub(crate) fn line_end(&self) -> u8 {
        match self.quoting {
            Quoting::Quoted { line_end: Some(line_end), .. } => line_end,
            Quoting::Quoted { line_end: None, .. } | Quoting::None => b'\n',
        }
    }

    fn take(&mut self, end: usize) -> Chunk {
        let next = self.rest.split_off(end);
        let text = std::mem::replace(&mut self.rest, next);
        let offset = self.offset;
        self.offset += text.len() as u64;
        self.has_begun = true;
        // The text after the last end is searched again: it is at most one record.
        self.scan = Scan::default();
        self.scan.continue_to(&self.rest, self.quoting);
        Chunk { text, offset }
    }

    fn end_with_nothing(&mut self) {
        self.rest = Vec::new();
        self.scan = Scan::default();
        self.ended = true;
    }
}

impl Scan {
    fn continue_to(&mut self, text: &[u8], quoting: Quoting) {
        let new = &text[self.searched..];
        match quoting {
            Quoting::None => {
                if let Some(at) = memchr::memrchr(b'\n', new) {
                    self.end = self.searched + at + 1;
                }
            }
            Quoting::Quoted { quote, line_end } => {
                let line_end = line_end.unwrap_or(b'\n');
                // A doubled quote inside a quoted value leaves it and enters it again, so counting
                // quotes is enough.
                for at in memchr::memchr2_iter(quote.unwrap_or(line_end), line_end, new) {
                    match new[at] {
                        byte if byte != line_end => self.quoted = !self.quoted,
                        _ if !self.quoted => self.end = self.searched + at + 1,
                        _ => {}
                    }
                }
            }
        }
        self.searched = text.len();
    }
}

/// The byte that ends the lines of a text with this beginning; `None` if more of it is needed.
fn line_end_of(text: &[u8], quote: Option<u8>, is_whole: bool) -> Option<u8> {
    let (mut quoted, mut carriage_return) = (false, None);
    for at in memchr::memchr3_iter(quote.unwrap_or(b'\n'), b'\r', b'\n', text) {
        match text[at] {
            b'\n' if !quoted => return Some(b'\n'),
            b'\r' if !quoted => carriage_return = carriage_return.or(Some(at)),
            byte if Some(byte) == quote => quoted = !quoted,
            _ => {}
        }
    }
    match carriage_return {
        // A line feed may follow the last byte.
        Some(at) if is_whole || at + 2 < text.len() => Some(b'\r'),
        _ => is_whole.then_some(b'\n'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::byte_source::Bytes;
    use std::io::{self, Cursor, Read};

    #[test]
    fn records_end_at_line_breaks_outside_quotes() {
        const QUOTED: Quoting = Quoting::Quoted { quote: Some(b'"'), line_end: Some(b'\n') };
        let table: [(&[u8], Quoting, usize); 5] = [
            (b"a\nb", Quoting::None, 2),
            (b"ab", Quoting::None, 0),
            (b"1,\"x\ny\"\n2,\"z\n", QUOTED, 8),
            (b"1,\"a\"\"\n\"\n", QUOTED, 9),
            (b"\"\n", QUOTED, 0),
        ];
        for (text, quoting, expected) in table {
            for step in 1..=text.len() {
                let mut scan = Scan::default();
                for end in (step..text.len()).step_by(step).chain([text.len()]) {
                    scan.continue_to(&text[..end], quoting);
                }
                assert_eq!(scan.end, expected, "{} by {step}", String::from_utf8_lossy(text));
            }
        }
    }

    #[test]
    fn carriage_returns_end_lines_where_there_are_no_line_feeds() {
        let table: [(&[u8], bool, Option<u8>); 7] = [
            (b"a,b\r\n1", false, Some(b'\n')),
            (b"a,b\r", false, None),
            (b"a,b\r1,2", false, Some(b'\r')),
            (b"a,b\r", true, Some(b'\r')),
            (b"a\r\r\n1", false, Some(b'\n')),
            (b"\"a\rb\"\n", false, Some(b'\n')),
            (b"abc", true, Some(b'\n')),
        ];
        for (text, is_whole, expected) in table {
            assert_eq!(line_end_of(text, Some(b'"'), is_whole), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    fn chunks(bytes: Bytes, piece: usize) -> (Vec<Chunk>, Option<String>) {
        let mut records = Records::new(Input::File(bytes), 0, Quoting::None, piece);
        let mut found = Vec::new();
        loop {
            match records.next() {
                Ok(Some(chunk)) => found.push(chunk),
                Ok(None) => return (found, None),
                Err(error) => {
                    assert!(records.next().unwrap().is_none(), "a failure is the end");
                    return (found, Some(error.to_string()));
                }
            }
        }
    }

    #[test]
    fn pieces_of_any_size_are_the_text() {
        for text in ["a\nbb\n\nccc\nd", "a\n", "", "long without an end", "\u{feff}a\nb\n"] {
            for piece in 1..text.len() + 2 {
                let (found, error) = chunks(Box::new(Cursor::new(text.as_bytes().to_vec())), piece);
                assert_eq!(error, None);
                let bare = text.trim_start_matches('\u{feff}');
                let mut offset = (text.len() - bare.len()) as u64;
                for chunk in &found {
                    assert_eq!(chunk.offset, offset, "{text:?} by {piece}");
                    offset += chunk.text.len() as u64;
                }
                let (last, others) = found.split_last().map_or((None, &found[..]), |(last, all)| (Some(last), all));
                assert!(others.iter().all(|chunk| chunk.text.ends_with(b"\n")));
                assert!(last.is_none_or(|chunk| !chunk.text.is_empty()));
                let whole: Vec<u8> = found.into_iter().flat_map(|chunk| chunk.text).collect();
                assert_eq!(whole, bare.as_bytes());
            }
        }
    }

    struct Breaks;

    impl Read for Breaks {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken pipe of the test"))
        }
    }

    #[test]
    fn whole_records_before_a_failure_are_returned() {
        for piece in [1, 3, 5, 100] {
            let (found, error) = chunks(Box::new(Cursor::new(b"aa\nb\ncut").chain(Breaks)), piece);
            let whole: Vec<u8> = found.into_iter().flat_map(|chunk| chunk.text).collect();
            assert_eq!(whole, b"aa\nb\n", "{piece}");
            assert_eq!(error.as_deref(), Some("broken pipe of the test"));
        }
    }
    #[test]
    fn a_record_without_an_end_is_limited() {
        let (found, error) = chunks(Box::new(Cursor::new(b"a\n").chain(io::repeat(b'x'))), 8 << 20);
        assert_eq!(found.into_iter().flat_map(|chunk| chunk.text).collect::<Vec<_>>(), b"a\n");
        assert_eq!(error.as_deref(), Some("one record is longer than 100 MiB"));
    }
}
