//! NDJSON as it is: every line that is a JSON object is a document, byte for byte. No frame is made,
//! so that no digit is lost and no field needs a column.

use std::io::Read;
use std::path::{Path, PathBuf};

use es_frame::IdText;
use serde_json::Value;

use super::byte_source::{ByteSource, open};
use super::format::FileFormat;
use super::json_fields::fields_of;
use super::lines::{count, lines};
use super::options::ReadOptions;
use super::place::FilePlace;
use super::read_error::{ReadError, damaged, not_of_format};
use super::records::{Chunk, Quoting};
use super::refused::RefusedLine;
use super::text::{Text, no_such_place};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;

/// The options of reading NDJSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawOptions {
    /// The fields whose values make up the id of a document, as those of a frame's columns do. Names
    /// may be dotted paths into objects. Without any, documents have no ids.
    pub id: Vec<String>,
    /// The field whose value is the routing. A document without it has none.
    pub routing: Option<String>,
    /// Further fields whose values are wanted, see [`RawLine::field`].
    pub fields: Vec<String>,
    /// The options of reading the file. Its format and columns are ignored.
    pub read: ReadOptions,
}

/// A file of NDJSON that is read a piece at a time, without making frames of it.
pub struct RawLines {
    path: PathBuf,
    text: Text,
    /// The fields that are searched for: those of the id, the routing, the others.
    names: Vec<String>,
    id: usize,
    routing: usize,
    next: FilePlace,
    first: Option<Chunk>,
}

/// Some lines of a file.
#[derive(Debug)]
pub struct RawPiece {
    /// The beginning of the piece.
    pub place: FilePlace,
    /// Lines of the piece that are not documents.
    pub refused: Vec<RefusedLine>,
    text: Vec<u8>,
    values: String,
    lines: Vec<Found>,
    /// The values of the further fields, those of one line after the other.
    fields: Vec<Span>,
    /// The number of further fields of each line.
    width: usize,
}

/// A line that is a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// The number of the line in its file, counted from 1.
    pub row: u64,
    /// The beginning of the line in its file.
    pub place: FilePlace,
    /// The id, if id fields were named.
    pub id: Option<&'a str>,
    /// The routing, if the line has one.
    pub routing: Option<&'a str>,
    /// The document, without white space around it.
    pub source: &'a [u8],
    fields: &'a [Span],
    text: &'a [u8],
}

/// The positions of a line and its values in its piece.
#[derive(Clone, Copy, Debug)]
struct Found {
    row: u64,
    start: u32,
    source: (u32, u32),
    id: Span,
    routing: Span,
}

/// A range of bytes, if there is a value.
type Span = Option<(u32, u32)>;

impl RawLines {
    /// Opens a file, compressed or not.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when it cannot be opened, [`ErrorKind::Format`] when no line of its beginning
    /// is a JSON object.
    pub fn open(path: &Path, options: &RawOptions) -> Result<Self, Error> {
        let source = ByteSource::of(open(path)?, path, options.read.compression);
        Self::new(path.to_owned(), source, options)
    }

    /// Reads standard input, compressed or not.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn stdin(options: &RawOptions) -> Result<Self, Error> {
        Self::from_reader("standard input", std::io::stdin(), options)
    }

    /// Reads bytes from elsewhere; errors call them by `name`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_reader(name: &str, bytes: impl Read + Send + 'static, options: &RawOptions) -> Result<Self, Error> {
        let source = ByteSource::Once(Some(Box::new(bytes)), options.read.compression);
        Self::new(PathBuf::from(name), source, options)
    }

    fn new(path: PathBuf, source: ByteSource, options: &RawOptions) -> Result<Self, Error> {
        let opened = Text::open(source, Quoting::None, &options.read).and_then(|mut text| {
            let first = first_with_lines(&mut text)?;
            check_beginning(&first.text)?;
            Ok((text, first))
        });
        let (text, first) = opened.map_err(|error| not_of_format(&path, FileFormat::Ndjson, error))?;
        let mut reader = Self {
            path,
            text,
            names: Vec::new(),
            id: 0,
            routing: 0,
            next: FilePlace { rows: 0, bytes: Some(0) },
            first: Some(first),
        };
        reader.find(&options.id, options.routing.as_deref(), &options.fields);
        Ok(reader)
    }

    /// Sets the fields that are searched for in the lines from now on.
    pub(crate) fn find(&mut self, id: &[String], routing: Option<&str>, fields: &[String]) {
        (self.id, self.routing) = (id.len(), usize::from(routing.is_some()));
        let routing = routing.map(str::to_owned);
        self.names = id.iter().cloned().chain(routing).chain(fields.iter().cloned()).collect();
    }

    /// The documents of the first piece, from which a mapping can be inferred. None once the first
    /// piece was read.
    pub fn sample(&self) -> Vec<Value> {
        let text = self.first.as_ref().map_or(&[][..], |first| &first.text);
        let values = lines(text).filter_map(|line| serde_json::from_slice(line.text).ok());
        values.filter(Value::is_object).collect()
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The beginning of the next piece.
    pub fn place(&self) -> FilePlace {
        self.next
    }

    /// Continues reading at a place, as [`FileReader::seek`](super::FileReader::seek) does.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when the file has no such place, and for a place before the
    /// current one in an input that cannot be read again.
    pub fn seek(&mut self, place: FilePlace) -> Result<(), Error> {
        self.go_to(place).map_err(|error| damaged(&self.path, self.next, error))
    }

    fn go_to(&mut self, place: FilePlace) -> Result<(), ReadError> {
        let place = if place.rows == 0 { FilePlace { rows: 0, bytes: Some(0) } } else { place };
        if self.text.jump(place)? {
            (self.next, self.first) = (place, None);
            return Ok(());
        }
        while self.next.rows < place.rows && self.next_chunk()?.is_some() {}
        if self.next.rows == place.rows { Ok(()) } else { Err(no_such_place(place)) }
    }

    /// The next lines, or `None` at the end. A piece has about [`ReadOptions::piece_bytes`]
    /// of text; its rows are not limited.
    ///
    /// Of a pipe, a piece comes at least every quarter of a second, without a line if nothing came, as
    /// [`FileReader::next_piece`](super::FileReader::next_piece) describes.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] when a compressed file is damaged or a line is too long,
    /// [`ErrorKind::File`] when the file cannot be read. All whole lines before that were
    /// returned.
    pub fn next_piece(&mut self) -> Result<Option<RawPiece>, Error> {
        loop {
            let chunk = self.next_chunk().map_err(|error| damaged(&self.path, self.next, error))?;
            let Some((chunk, place)) = chunk else { return Ok(None) };
            let is_silent = chunk.text.is_empty();
            let piece = self.piece(chunk, place);
            // A piece of blank lines alone is skipped.
            if is_silent || !piece.lines.is_empty() || !piece.refused.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    fn next_chunk(&mut self) -> Result<Option<(Chunk, FilePlace)>, ReadError> {
        let chunk = match self.first.take() {
            Some(first) => first,
            None => match self.text.next()? {
                Some(chunk) => chunk,
                None => return Ok(None),
            },
        };
        let place = FilePlace { rows: self.next.rows, bytes: Some(chunk.offset) };
        let rows = place.rows + count(&chunk.text);
        self.next = FilePlace { rows, bytes: Some(chunk.offset + chunk.text.len() as u64) };
        Ok(Some((chunk, place)))
    }

    fn piece(&self, chunk: Chunk, place: FilePlace) -> RawPiece {
        let width = self.names.len() - self.id - self.routing;
        let mut piece = RawPiece {
            place,
            refused: Vec::new(),
            text: Vec::new(),
            values: String::new(),
            lines: Vec::new(),
            fields: Vec::new(),
            width,
        };
        let mut id = IdText::default();
        for line in lines(&chunk.text) {
            let row = place.rows + line.number + 1;
            let before = piece.fields.len();
            let start = short(line.text_start);
            match self.values(line.text, start, &mut id, &mut piece) {
                Ok((id, routing)) => {
                    let source = (start, start + short(line.text.len()));
                    piece.lines.push(Found { row, start: short(line.start), source, id, routing });
                }
                Err(reason) => {
                    piece.fields.truncate(before);
                    let offset = chunk.offset + line.start as u64;
                    piece.refused.push(RefusedLine::new(row, offset, line.text, reason));
                }
            }
        }
        piece.text = chunk.text;
        piece
    }

    /// Finds the values of a line that begins at `start`, and returns the positions of its id and its
    /// routing in the values of the piece.
    fn values(&self, line: &[u8], start: u32, id: &mut IdText, piece: &mut RawPiece) -> Result<(Span, Span), String> {
        let found = fields_of(line, &self.names)?;
        let (id_values, others) = found.split_at(self.id);
        let (routing, others) = others.split_at(self.routing);
        let values = &mut piece.values;
        let mut put = |text: &str| {
            let start = short(values.len());
            values.push_str(text);
            Some((start, short(values.len())))
        };
        let id_span = if id_values.is_empty() {
            None
        } else {
            let joined = join(&self.names, id_values, id);
            // The beginning of a failed id is not to be part of the next one.
            let text = id.finish();
            joined?;
            put(&text)
        };
        let routing = match (routing.first().copied().flatten(), self.names.get(self.id)) {
            (Some(value), Some(name)) => scalar(name, value)?.map(Scalar::into_text),
            _ => None,
        };
        let routing = routing.and_then(|text| put(&text));
        piece.fields.extend(others.iter().map(|value| {
            // The value is a part of the line.
            let value = (*value)?;
            let from = start + short((value.as_ptr() as usize).saturating_sub(line.as_ptr() as usize));
            Some((from, from + short(value.len())))
        }));
        Ok((id_span, routing))
    }
}

impl RawPiece {
    /// The documents of the piece.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = RawLine<'_>> {
        (0..self.lines.len()).map(|number| self.line(number))
    }

    /// One of the documents.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn line(&self, number: usize) -> RawLine<'_> {
        let found = self.lines[number];
        let value = |span: Span| span.map(|(start, end)| &self.values[start as usize..end as usize]);
        RawLine {
            row: found.row,
            place: FilePlace {
                rows: found.row - 1,
                bytes: self.place.bytes.map(|bytes| bytes + u64::from(found.start)),
            },
            id: value(found.id),
            routing: value(found.routing),
            source: &self.text[found.source.0 as usize..found.source.1 as usize],
            fields: &self.fields[number * self.width..(number + 1) * self.width],
            text: &self.text,
        }
    }
}

impl<'a> RawLine<'a> {
    /// The value of a field of [`RawOptions::fields`], by its number there, as it is written in the
    /// line: a string with its quotes. `None` when the line does not have the field.
    pub fn field(&self, number: usize) -> Option<&'a str> {
        let (start, end) = self.fields.get(number).copied().flatten()?;
        std::str::from_utf8(&self.text[start as usize..end as usize]).ok()
    }
}

/// The beginning of a text, with a line that is not blank in it.
fn first_with_lines(text: &mut Text) -> Result<Chunk, ReadError> {
    let mut first = Chunk::default();
    while let Some(chunk) = text.next()? {
        if first.text.is_empty() {
            first = chunk;
        } else {
            first.text.extend_from_slice(&chunk.text);
        }
        if lines(&first.text).next().is_some() {
            return Ok(first);
        }
    }
    Err(ReadError::content("the file has no line"))
}

/// Checks that any line of a text is a JSON object: if none is, the file is something else.
fn check_beginning(text: &[u8]) -> Result<(), ReadError> {
    let mut reason = None;
    for line in lines(text) {
        match fields_of(line.text, &[]) {
            Ok(_) => return Ok(()),
            Err(why) => reason = reason.or(Some(why)),
        }
    }
    let reason = reason.unwrap_or_default();
    Err(ReadError::content(format!("none of its first lines is a JSON object ({reason})")))
}

/// A value that can be part of an id.
enum Scalar<'a> {
    Text(std::borrow::Cow<'a, str>),
    Plain(&'a str),
}

impl Scalar<'_> {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text.into_owned(),
            Self::Plain(text) => text.to_owned(),
        }
    }
}

fn join(names: &[String], values: &[Option<&str>], id: &mut IdText) -> Result<(), String> {
    for (name, value) in names.iter().zip(values) {
        let value = match value {
            Some(value) => scalar(name, value)?,
            None => None,
        };
        match value {
            Some(Scalar::Text(text)) => id.push_text(&text),
            Some(Scalar::Plain(text)) => id.push_plain(text),
            None => return Err(format!("field {name} is part of the document id and has no value")),
        }
    }
    Ok(())
}

/// A JSON value as text: a string unescaped, a number or boolean as it is written, a null
/// as nothing.
fn scalar<'a>(name: &str, value: &'a str) -> Result<Option<Scalar<'a>>, String> {
    match value.as_bytes() {
        [b'"', inner @ ..] if !inner.contains(&b'\\') => Ok(Some(Scalar::Text(value[1..value.len() - 1].into()))),
        [b'"', ..] => match serde_json::from_str::<String>(value) {
            Ok(text) => Ok(Some(Scalar::Text(text.into()))),
            Err(_) => Err(format!("field {name} has an escape that is no character")),
        },
        [b'{', ..] => Err(format!("field {name} is an object, which cannot be part of an id or routing")),
        [b'[', ..] => Err(format!("field {name} is an array, which cannot be part of an id or routing")),
        b"null" => Ok(None),
        _ => Ok(Some(Scalar::Plain(value))),
    }
}

/// A length within a piece, which is never near 4 GiB: the longest line is much shorter.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
