//! JSON as it is: every line or value that is a JSON object is a document, byte for byte. No frame is
//! made, so that no digit is lost and no field needs a column.

use std::io::Read;
use std::path::{Path, PathBuf};

use es_frame::{IdText, Operation};
use serde_json::Value;

use super::byte_source::{ByteSource, open};
use super::format::FileFormat;
use super::json_fields::fields_of;
use super::lines::lines;
use super::options::ReadOptions;
use super::place::FilePlace;
use super::raw_chunk::{RawChunk, RawText};
use super::read_error::{ReadError, damaged, not_of_format};
use super::recognize::{check_beginning, first_with_lines};
use super::refused::RefusedLine;
use super::roles::{Roles, Values};
use super::text::no_such_place;
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;

/// The options of reading JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawOptions {
    /// The fields whose values make up the id of a document, as those of a frame's columns do. Names
    /// may be dotted paths into objects. Without any, documents have no ids, but those of
    /// [`FileFormat::Bulk`] and [`FileFormat::Elasticdump`] their own.
    ///
    /// A field at the top that is called `_id`, `_routing` or `_version` is left out of the document, as
    /// Elasticsearch takes none of these names; an id of `_id` alone is that id, without a change.
    pub id: Vec<String>,
    /// The field whose value is the routing. A document without it has none.
    pub routing: Option<String>,
    /// The field whose value is the version, see [`es_frame::WriterOptions::version`].
    pub version: Option<String>,
    /// Further fields whose values are wanted, see [`RawLine::field`].
    pub fields: Vec<String>,
    /// The options of reading the file. Its columns are ignored.
    pub read: ReadOptions,
}

/// A file of JSON documents that is read a piece at a time, without making frames of it: of the format
/// that the options name, or else NDJSON.
pub struct RawLines {
    path: PathBuf,
    format: FileFormat,
    text: RawText,
    roles: Roles,
    next: FilePlace,
    first: Option<RawChunk>,
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
    /// The number of the line in its file, counted from 1; in [`FileFormat::Json`] that of the document.
    pub row: u64,
    /// The beginning of the line in its file.
    pub place: FilePlace,
    /// The id, if id fields were named or the format has ids.
    pub id: Option<&'a str>,
    /// The routing, if the line has one.
    pub routing: Option<&'a str>,
    /// The version, if a field of it was named.
    pub version: Option<u64>,
    /// The operation, where the format has one for each document.
    pub operation: Option<Operation>,
    /// The document, without white space around it; of a removal it may be empty.
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
    version: Option<u64>,
    operation: Option<Operation>,
}

/// A range of bytes, if there is a value.
type Span = Option<(u32, u32)>;

impl RawLines {
    /// Opens a file, compressed or not.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when it cannot be opened, [`ErrorKind::Format`] when no line of its beginning
    /// is a JSON object, or when its lines are those of another format.
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
        let format = options.read.format.unwrap_or(FileFormat::Ndjson);
        let opened = RawText::open(source, &options.read).and_then(|mut text| {
            let first = first_with_lines(&mut text)?;
            Ok((text, first))
        });
        let (text, first) = opened.map_err(|error| not_of_format(&path, format, error))?;
        check_beginning(&path, format, &first)?;
        let next = FilePlace { rows: 0, bytes: first.offset.map(|_| 0) };
        let roles = Roles::new(options, format);
        Ok(Self { path, format, text, roles, next, first: Some(first) })
    }

    /// Sets the fields that are searched for in the lines from now on.
    pub(crate) fn find(&mut self, options: &RawOptions) {
        self.roles = Roles::new(options, self.format);
    }

    /// The documents of the first piece, from which a mapping can be inferred. None once the first
    /// piece was read.
    pub fn sample(&self) -> Vec<Value> {
        let Some(first) = self.first.clone() else { return Vec::new() };
        let piece = self.piece(first, FilePlace::default());
        piece.lines().filter_map(|line| serde_json::from_slice(line.source).ok()).collect()
    }

    /// The first line that is not a document where none of the first piece is.
    pub(crate) fn refusal(&self) -> Option<RefusedLine> {
        let mut piece = self.piece(self.first.clone()?, FilePlace::default());
        let is_refused = piece.lines.is_empty() && !piece.refused.is_empty();
        is_refused.then(|| piece.refused.swap_remove(0))
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The beginning of the next piece.
    pub fn place(&self) -> FilePlace {
        self.next
    }

    /// Continues reading at a place, as [`FileReader::seek`](super::FileReader::seek) does. Bulk bodies and
    /// [`FileFormat::Json`] are read from their start.
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
        if place.rows < self.next.rows && self.text.restart()? {
            (self.next, self.first) = (FilePlace::default(), None);
        }
        while self.next.rows < place.rows
            && let Some((chunk, at)) = self.next_chunk()?
        {
            let rows = chunk.rows();
            if at.rows + rows > place.rows {
                let after = place.rows - at.rows;
                let chunk = chunk.after(at.rows + 1, after);
                self.next = FilePlace { rows: place.rows, bytes: chunk.offset };
                self.first = Some(chunk);
            }
        }
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

    fn next_chunk(&mut self) -> Result<Option<(RawChunk, FilePlace)>, ReadError> {
        let chunk = match self.first.take() {
            Some(first) => first,
            None => match self.text.next()? {
                Some(chunk) => chunk,
                None => return Ok(None),
            },
        };
        let place = FilePlace { rows: self.next.rows, bytes: chunk.offset };
        let rows = place.rows + chunk.rows();
        self.next = FilePlace { rows, bytes: chunk.offset.map(|offset| offset + chunk.text.len() as u64) };
        Ok(Some((chunk, place)))
    }

    fn piece(&self, chunk: RawChunk, place: FilePlace) -> RawPiece {
        let mut piece = RawPiece {
            place,
            refused: chunk.refused,
            text: Vec::new(),
            values: String::new(),
            lines: Vec::new(),
            fields: Vec::new(),
            width: self.roles.fields(),
        };
        let others = !piece.refused.is_empty();
        let mut rest = Rest { base: chunk.text.len(), text: Vec::new(), id: IdText::default() };
        for line in lines(&chunk.text) {
            let row = place.rows + line.number + 1;
            let before = piece.fields.len();
            match self.found(line.text, short(line.text_start), &mut rest, &mut piece) {
                Ok(found) => piece.lines.push(Found { row, start: short(line.start), ..found }),
                Err(reason) => {
                    piece.fields.truncate(before);
                    let offset = chunk.offset.map(|offset| offset + line.start as u64);
                    piece.refused.push(RefusedLine::new(row, offset, line.text, reason));
                }
            }
        }
        if others {
            piece.refused.sort_by_key(|line| line.row);
        }
        piece.text = chunk.text;
        piece.text.extend_from_slice(&rest.text);
        piece
    }

    /// Finds the document and the values of a line that begins at `start`, and puts the values into the
    /// piece.
    fn found(&self, line: &[u8], start: u32, rest: &mut Rest, piece: &mut RawPiece) -> Result<Found, String> {
        let found = fields_of(line, self.roles.names())?;
        let text = std::str::from_utf8(line).unwrap_or_default();
        // The value is a part of the line.
        let place = |value: &str| start + short((value.as_ptr() as usize).saturating_sub(line.as_ptr() as usize));
        let Values { id, routing, version, operation } = self.roles.values(&found, &mut rest.id)?;
        let source = match self.roles.document(text, &found, operation)? {
            None => (start, start),
            Some((document, taken)) if taken.is_empty() => {
                let from = place(document);
                (from, from + short(document.len()))
            }
            Some((document, taken)) => rest.without(document, &taken),
        };
        let values = &mut piece.values;
        let mut put = |text: Option<String>| {
            let text = text?;
            let start = short(values.len());
            values.push_str(&text);
            Some((start, short(values.len())))
        };
        let (id, routing) = (put(id), put(routing));
        piece.fields.extend(self.roles.others(&found).iter().map(|value| {
            let value = (*value)?;
            Some((place(value), place(value) + short(value.len())))
        }));
        Ok(Found { row: 0, start, source, id, routing, version, operation })
    }
}

/// Documents that are not as they stand in the text of a piece, after which they are put.
struct Rest {
    base: usize,
    text: Vec<u8>,
    id: IdText,
}

impl Rest {
    /// Puts a document without some members, and returns its position.
    fn without(&mut self, document: &str, taken: &[std::ops::Range<usize>]) -> (u32, u32) {
        let start = self.base + self.text.len();
        let mut at = 0;
        let mut kept = String::with_capacity(document.len());
        for range in taken {
            kept.push_str(&document[at..range.start]);
            // One of the commas around the member goes with it.
            let after = document[range.end..].trim_ascii_start();
            at = range.end;
            if after.starts_with(',') {
                at = document.len() - after.len() + 1;
            } else if let Some(before) = kept.trim_ascii_end().strip_suffix(',') {
                kept.truncate(before.len());
            }
        }
        kept.push_str(&document[at..]);
        self.text.extend_from_slice(kept.as_bytes());
        (short(start), short(self.base + self.text.len()))
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
            version: found.version,
            operation: found.operation,
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

/// A length within a piece, which is never near 4 GiB: the longest line is much shorter.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
