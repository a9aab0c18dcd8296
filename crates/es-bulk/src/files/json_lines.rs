//! A JSON text as lines: the elements of an array, or the values that follow each other, one a line.
//!
//! serde_json reads the text as it comes, in a thread of its own, and keeps one value at a time. What is
//! a document and what is not is left to the reader of the lines.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::byte_source::ByteSource;
use super::input::Input;
use super::options::{LONGEST_RECORD, ReadOptions};
use super::raw_chunk::RawChunk;
use super::read_error::ReadError;
use super::records::PATIENCE;

/// The bytes that are read at once.
const BLOCK: usize = 64 << 10;

/// The UTF-8 byte order mark, which some programs put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of a JSON text.
pub(crate) struct JsonLines {
    source: ByteSource,
    /// The names that lead to the array of documents; `None` for the whole text.
    records: Option<Vec<String>>,
    piece_bytes: usize,
    /// Lines; an empty text is the end.
    lines: Receiver<Result<Vec<u8>, ReadError>>,
    has_ended: bool,
}

impl JsonLines {
    pub(crate) fn open(mut source: ByteSource, read: &ReadOptions) -> Result<Self, ReadError> {
        let records = read.records.as_ref().map(super::JsonPointer::parts);
        let lines = start(source.open_at(0)?, records.clone(), read.piece_bytes)?;
        Ok(Self { source, records, piece_bytes: read.piece_bytes, lines, has_ended: false })
    }

    pub(crate) fn next(&mut self) -> Result<Option<RawChunk>, ReadError> {
        if self.has_ended {
            return Ok(None);
        }
        match self.lines.recv_timeout(PATIENCE) {
            Ok(Ok(text)) if text.is_empty() => {
                self.has_ended = true;
                Ok(None)
            }
            Ok(Ok(text)) => Ok(Some(RawChunk { text, ..RawChunk::default() })),
            Ok(Err(error)) => {
                self.has_ended = true;
                Err(error)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Some(RawChunk::default())),
            Err(RecvTimeoutError::Disconnected) => {
                self.has_ended = true;
                Err(io::Error::other("the thread that reads it has ended before it did").into())
            }
        }
    }

    pub(crate) fn restart(&mut self) -> Result<bool, ReadError> {
        if !self.source.can_return() {
            return Ok(false);
        }
        self.lines = start(self.source.open_at(0)?, self.records.clone(), self.piece_bytes)?;
        self.has_ended = false;
        Ok(true)
    }
}

/// Starts the thread. It ends with the text, or at its next piece after the receiver was dropped.
fn start(
    input: Input,
    records: Option<Vec<String>>,
    piece_bytes: usize,
) -> Result<Receiver<Result<Vec<u8>, ReadError>>, ReadError> {
    let (sender, lines) = sync_channel(1);
    thread::Builder::new().name("json".to_owned()).spawn(move || {
        let collector = Rc::new(RefCell::new(Collector {
            text: Vec::new(),
            piece_bytes,
            read: 0,
            is_in_record: false,
            to: sender.clone(),
        }));
        let read = read(input, records.as_deref(), &collector);
        // Whole documents before a failure come first.
        collector.borrow_mut().flush();
        // Nobody waits for the end of what was left.
        let _ = sender.send(read.map(|()| Vec::new()));
    })?;
    Ok(lines)
}

/// Lines on their way to the reader.
struct Collector {
    text: Vec<u8>,
    piece_bytes: usize,
    /// The bytes that were read since the last document.
    read: usize,
    is_in_record: bool,
    to: SyncSender<Result<Vec<u8>, ReadError>>,
}

impl Collector {
    /// Adds a value as a line; false when nobody reads it.
    fn add(&mut self, value: &str) -> bool {
        let before = self.text.len();
        self.text.extend_from_slice(value.as_bytes());
        // In JSON a line break can only stand between values, where a space is as good.
        for byte in &mut self.text[before..] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        self.text.push(b'\n');
        self.read = 0;
        self.text.len() < self.piece_bytes || self.flush()
    }

    fn flush(&mut self) -> bool {
        self.text.is_empty() || self.to.send(Ok(std::mem::take(&mut self.text))).is_ok()
    }
}

/// The bytes of the text. While they do not come, the documents that have come are passed on.
struct Feed {
    input: Input,
    collector: Rc<RefCell<Collector>>,
}

impl Read for Feed {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if !self.input.wait(Some(PATIENCE)) {
            self.collector.borrow_mut().flush();
        }
        let read = self.input.read(to)?;
        let mut collector = self.collector.borrow_mut();
        collector.read += read;
        if collector.is_in_record && collector.read > LONGEST_RECORD + BLOCK {
            return Err(io::Error::other(format!("one document is longer than {} MiB", LONGEST_RECORD >> 20)));
        }
        Ok(read)
    }
}

fn read(input: Input, records: Option<&[String]>, collector: &Rc<RefCell<Collector>>) -> Result<(), ReadError> {
    let mut bytes = BufReader::with_capacity(BLOCK, Feed { input, collector: collector.clone() });
    let (first, lines_before) = skip_space(&mut bytes)?;
    let Some(first) = first else { return Err(ReadError::content("it holds no JSON value")) };
    let mut json = serde_json::Deserializer::from_reader(bytes);
    let read = match (records, first) {
        (Some(parts), _) => Seek { parts, collector }.deserialize(&mut json).and_then(|()| json.end()),
        (None, b'[') => arrays(&mut json, collector),
        (None, _) => values(&mut json, collector),
    };
    read.map_err(|error| failure(error, lines_before))
}

/// Reads an array, and others after it.
fn arrays(json: &mut Json, collector: &Rc<RefCell<Collector>>) -> serde_json::Result<()> {
    loop {
        Seek { parts: &[], collector }.deserialize(&mut *json)?;
        if json.end().is_ok() {
            return Ok(());
        }
    }
}

/// Reads values that follow each other.
fn values(json: &mut Json, collector: &Rc<RefCell<Collector>>) -> serde_json::Result<()> {
    collector.borrow_mut().is_in_record = true;
    loop {
        let value = Box::<RawValue>::deserialize(&mut *json)?;
        if !collector.borrow_mut().add(value.get()) || json.end().is_ok() {
            return Ok(());
        }
    }
}

type Json = serde_json::Deserializer<serde_json::de::IoRead<BufReader<Feed>>>;

/// Passes over a byte order mark and white space, and returns the first byte after it, with the number of
/// line breaks before.
fn skip_space(bytes: &mut BufReader<Feed>) -> io::Result<(Option<u8>, usize)> {
    let mut breaks = 0;
    if bytes.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        bytes.consume(BYTE_ORDER_MARK.len());
    }
    loop {
        let there = bytes.fill_buf()?;
        if there.is_empty() {
            return Ok((None, breaks));
        }
        let space = there.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(there.len());
        breaks += memchr::memchr_iter(b'\n', &there[..space]).count();
        let first = there.get(space).copied();
        bytes.consume(space);
        if first.is_some() {
            return Ok((first, breaks));
        }
    }
}

fn failure(error: serde_json::Error, lines_before: usize) -> ReadError {
    if error.is_io() {
        return io::Error::from(error).into();
    }
    let (line, column) = (error.line() + lines_before, error.column());
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    match error.line() {
        0 => ReadError::content(what),
        _ => ReadError::content(format!("{what} at line {line}, column {column}")),
    }
}

/// Goes to the array of documents, and reads its elements.
struct Seek<'p> {
    parts: &'p [String],
    collector: &'p Rc<RefCell<Collector>>,
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts.first() {
            None => f.write_str("an array of documents"),
            Some(part) => write!(f, "an object or an array with `{part}`"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((part, rest)) = self.parts.split_first() else {
            return Err(A::Error::custom("the records are an object, and must be an array of documents"));
        };
        let mut is_found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == *part && !is_found {
                is_found = true;
                map.next_value_seed(Seek { parts: rest, collector: self.collector })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if is_found { Ok(()) } else { Err(missing(part)) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Some((part, rest)) = self.parts.split_first() else { return self.elements(sequence) };
        let wanted: Option<usize> = part.parse().ok();
        let mut is_found = false;
        for number in 0.. {
            let is_there = if wanted == Some(number) {
                is_found = sequence.next_element_seed(Seek { parts: rest, collector: self.collector })?.is_some();
                is_found
            } else {
                sequence.next_element::<IgnoredAny>()?.is_some()
            };
            if !is_there {
                break;
            }
        }
        if is_found { Ok(()) } else { Err(missing(part)) }
    }
}

impl Seek<'_> {
    fn elements<'de, A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let set = |is_in_record: bool| {
            let mut collector = self.collector.borrow_mut();
            (collector.is_in_record, collector.read) = (is_in_record, 0);
        };
        set(true);
        while let Some(value) = sequence.next_element::<Box<RawValue>>()? {
            if !self.collector.borrow_mut().add(value.get()) {
                return Err(A::Error::custom("nobody reads the documents any more"));
            }
        }
        set(false);
        Ok(())
    }
}

fn missing<E: serde::de::Error>(part: &str) -> E {
    E::custom(format!("there is no `{part}` on the way to the records"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// The lines, and the failure that they end with.
    fn lines(text: impl Into<Vec<u8>>, records: Option<&str>, piece_bytes: usize) -> (Vec<String>, Option<String>) {
        let records = records.map(|records| records.parse().unwrap());
        let read = ReadOptions { records, piece_bytes, ..ReadOptions::default() };
        let source = ByteSource::Once(Some(Box::new(Cursor::new(text.into()))), None);
        let mut json = JsonLines::open(source, &read).unwrap();
        let mut text = Vec::new();
        loop {
            match json.next() {
                Ok(Some(chunk)) => text.extend(chunk.text),
                end => {
                    let lines = String::from_utf8(text).unwrap().lines().map(str::to_owned).collect();
                    return (lines, end.err().map(|error| error.to_string()));
                }
            }
        }
    }

    #[test]
    fn arrays_values_and_arrays_inside_are_lines() {
        let documents = ["{\"a\": [1,  2.50]}", "{\"b\":\"x\\n\"}", "3"];
        let table = [
            ("[{\"a\": [1,  2.50]},\n {\"b\":\"x\\n\"}\n,3]", None),
            ("\u{feff} \n{\"a\": [1,  2.50]}\n{\"b\":\"x\\n\"}3", None),
            ("[{\"a\": [1,  2.50]}] [{\"b\":\"x\\n\"},3]\n", None),
            (
                "{\"type\":[{\"features\":0}],\"features\":[{\"a\": [1,  2.50]},{\"b\":\"x\\n\"},3],\"after\":{}}",
                Some("/features"),
            ),
            ("{\"a/b\":[[9],{\"c\":[{\"a\": [1,  2.50]},{\"b\":\"x\\n\"},3]},null]}", Some("/a~1b/1/c")),
        ];
        for (text, records) in table {
            for piece_bytes in [1, 20, 1 << 20] {
                assert_eq!(lines(text, records, piece_bytes), (documents.map(str::to_owned).to_vec(), None), "{text}");
            }
        }
        assert_eq!(lines("{\n \"a\": 1,\r\n \"b\": 2\n}\n", None, 9).0, ["{  \"a\": 1,   \"b\": 2 }"]);
        assert_eq!(lines("[]", None, 9), (vec![], None));
    }

    #[test]
    fn documents_before_a_failure_come_with_the_line_of_the_failure() {
        let table = [
            ("\n[{\"a\":1},\n{\"a\":NaN}]", None, 1, "expected value at line 3, column 6"),
            ("[{\"a\":1},{\"a\":1}", None, 2, "EOF while parsing a list at line 1, column 16"),
            (
                "[{\"a\":1}]{",
                None,
                1,
                "the records are an object, and must be an array of documents at line 1, column 10",
            ),
            ("{\"a\":1}\n}", None, 1, "expected value at line 2, column 1"),
            ("  ", None, 0, "it holds no JSON value"),
            ("{\"a\":{\"b\":1}}", Some("/a/c"), 0, "there is no `c` on the way to the records at line 1, column 12"),
            (
                "{\"a\":{\"b\":1}}",
                Some("/a"),
                0,
                "the records are an object, and must be an array of documents at line 1, column 7",
            ),
            (
                "{\"a\":1}",
                Some("/a"),
                0,
                "invalid type: integer `1`, expected an array of documents at line 1, column 7",
            ),
            ("{\"a\":[{}]} x", Some("/a"), 1, "trailing characters at line 1, column 12"),
        ];
        for (text, records, documents, message) in table {
            let (found, error) = lines(text, records, 1 << 20);
            assert_eq!((found.len(), error.as_deref()), (documents, Some(message)), "{text}");
        }
    }

    #[test]
    fn a_document_without_an_end_is_limited_and_what_is_skipped_is_not() {
        let endless = Cursor::new(b"[{\"a\":1},{\"b\":\"".to_vec()).chain(io::repeat(b'x'));
        let source = ByteSource::Once(Some(Box::new(endless)), None);
        let mut json = JsonLines::open(source, &ReadOptions::default()).unwrap();
        let mut documents = 0;
        let error = loop {
            match json.next() {
                Ok(Some(chunk)) => documents += chunk.rows(),
                Ok(None) => unreachable!("it has no end"),
                Err(error) => break error.to_string(),
            }
        };
        assert_eq!((documents, error.as_str()), (1, "one document is longer than 100 MiB"));
        assert!(json.next().unwrap().is_none());
    }
}
