//! Newline-delimited JSON as it is: every line that is a JSON object is a document, byte by
//! byte. No frame is made, so that no digit is lost and no field needs a column.

use std::io::Read;
use std::path::{Path, PathBuf};

use es_frame::IdText;
use polars::prelude::SchemaRef;

use super::format::FileFormat;
use super::json_check::fields_of;
use super::json_lines::first_with_lines;
use super::json_schema::{no_object, schema_of};
use super::lines::{count, lines};
use super::options::ReadOptions;
use super::place::FilePlace;
use super::reader::{damaged, not_of_format};
use super::records::{Chunk, Quoting};
use super::refused::RefusedLine;
use super::source::{Source, open};
use super::text::{Text, no_such_place};
use super::trouble::Trouble;
use crate::error::{Error, ErrorKind};

/// How raw lines are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawOptions {
    /// The fields whose values make up the id of a document, as those of a frame's columns
    /// do. Names may be dotted paths into objects. Without any, documents have no ids.
    pub id: Vec<String>,
    /// The field whose value is the routing. A document without it has none.
    pub routing: Option<String>,
    /// How the file is read. Its format and columns do not matter.
    pub read: ReadOptions,
}

/// A file of NDJSON that is read a piece at a time, without making frames of it.
pub struct RawLines {
    path: PathBuf,
    text: Text,
    /// The fields that are looked for: those of the id, then the routing.
    names: Vec<String>,
    id: usize,
    next: FilePlace,
    first: Option<Chunk>,
}

/// Some lines of a file.
#[derive(Debug)]
pub struct RawPiece {
    /// Where the piece begins.
    pub place: FilePlace,
    /// Lines of the piece that are no documents.
    pub refused: Vec<RefusedLine>,
    text: Vec<u8>,
    values: String,
    lines: Vec<Found>,
}

/// A line that is a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// The number of the line in its file, counted from 1.
    pub row: u64,
    /// The id, if id fields were named.
    pub id: Option<&'a str>,
    /// The routing, if the line has one.
    pub routing: Option<&'a str>,
    /// The document, without white space around it.
    pub source: &'a [u8],
}

/// Where in its piece a line and its values are.
#[derive(Clone, Copy, Debug)]
struct Found {
    row: u64,
    source: (u32, u32),
    id: Option<(u32, u32)>,
    routing: Option<(u32, u32)>,
}

impl RawLines {
    /// Opens a file, compressed or not.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when it cannot be opened, [`ErrorKind::Format`] when no line of
    /// its beginning is a JSON object.
    pub fn open(path: &Path, options: &RawOptions) -> Result<Self, Error> {
        let source = Source::of(open(path)?, path, options.read.compression);
        Self::new(path.to_owned(), source, options)
    }

    /// Reads standard input, compressed or not.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn stdin(options: &RawOptions) -> Result<Self, Error> {
        Self::from_reader("standard input", std::io::stdin(), options)
    }

    /// Reads bytes that come from elsewhere; errors call them by `name`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_reader(name: &str, bytes: impl Read + Send + 'static, options: &RawOptions) -> Result<Self, Error> {
        let source = Source::Once(Some(Box::new(bytes)), options.read.compression);
        Self::new(PathBuf::from(name), source, options)
    }

    fn new(path: PathBuf, source: Source, options: &RawOptions) -> Result<Self, Error> {
        let opened = Text::open(source, Quoting::None, &options.read).and_then(|mut text| {
            let first = first_with_lines(&mut text)?;
            Ok((text, first))
        });
        let (text, first) = opened.map_err(|trouble| not_of_format(&path, FileFormat::Ndjson, trouble))?;
        let names = options.id.iter().chain(&options.routing).cloned().collect();
        let next = FilePlace { rows: 0, bytes: Some(0) };
        let reader = Self { path, text, names, id: options.id.len(), next, first: Some(first) };
        reader.check_beginning()?;
        Ok(reader)
    }

    /// Whether any line of the first piece is JSON: if none is, the file is something else.
    fn check_beginning(&self) -> Result<(), Error> {
        let mut reason = None;
        for line in self.first.iter().flat_map(|first| lines(&first.text)) {
            match fields_of(line.text, &[]) {
                Ok(_) => return Ok(()),
                Err(why) => reason = reason.or(Some(why)),
            }
        }
        Err(not_of_format(&self.path, FileFormat::Ndjson, no_object(&reason.unwrap_or_default())))
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The columns that the lines of the first piece would have in a frame: what a mapping
    /// can be inferred from. To be asked for before the first piece is.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] when the lines do not go together in a frame, and
    /// [`ErrorKind::Input`] once the first piece is gone.
    pub fn schema(&self) -> Result<SchemaRef, Error> {
        let Some(first) = &self.first else {
            return Err(Error::new(ErrorKind::Input, "the schema is that of the first piece, which is gone"));
        };
        schema_of(&first.text).map_err(|trouble| damaged(&self.path, self.next, trouble))
    }

    /// Where the next piece begins.
    pub fn place(&self) -> FilePlace {
        self.next
    }

    /// Goes on reading at a place, as [`FileReader::seek`](super::FileReader::seek) does.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when the file has no such place, and for a place that lies behind
    /// in an input that cannot be read again.
    pub fn seek(&mut self, place: FilePlace) -> Result<(), Error> {
        self.go_to(place).map_err(|trouble| damaged(&self.path, self.next, trouble))
    }

    fn go_to(&mut self, place: FilePlace) -> Result<(), Trouble> {
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
    /// Of a pipe, a piece comes every quarter of a second at least, if need be without a line, as
    /// [`FileReader::next_piece`](super::FileReader::next_piece) says.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] when a compressed file is damaged or a line is too long,
    /// [`ErrorKind::File`] when the file cannot be read. All whole lines before that were
    /// handed out.
    pub fn next_piece(&mut self) -> Result<Option<RawPiece>, Error> {
        loop {
            let chunk = self.next_chunk().map_err(|trouble| damaged(&self.path, self.next, trouble))?;
            let Some((chunk, place)) = chunk else { return Ok(None) };
            let is_silent = chunk.text.is_empty();
            let piece = self.piece(chunk, place);
            // Blank lines alone are nothing to hand out.
            if is_silent || !piece.lines.is_empty() || !piece.refused.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    fn next_chunk(&mut self) -> Result<Option<(Chunk, FilePlace)>, Trouble> {
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
        let (mut found, mut refused, mut values) = (Vec::new(), Vec::new(), String::new());
        let mut id = IdText::default();
        for line in lines(&chunk.text) {
            let row = place.rows + line.number + 1;
            match self.values(line.text, &mut id, &mut values) {
                Ok((id, routing)) => {
                    let start = short(line.text_start);
                    found.push(Found { row, source: (start, start + short(line.text.len())), id, routing });
                }
                Err(reason) => {
                    refused.push(RefusedLine::new(row, chunk.offset + line.start as u64, line.text, reason));
                }
            }
        }
        RawPiece { place, refused, text: chunk.text, values, lines: found }
    }

    /// Where the id and the routing of a line were put into `values`.
    fn values(&self, line: &[u8], id: &mut IdText, values: &mut String) -> Result<(Span, Span), String> {
        let found = fields_of(line, &self.names)?;
        let (id_values, routing) = found.split_at(self.id);
        let mut put = |text: &str| {
            let start = short(values.len());
            values.push_str(text);
            Some((start, short(values.len())))
        };
        let id_span = if id_values.is_empty() {
            None
        } else {
            let joined = join(&self.names, id_values, id);
            // What was begun is not to be part of the next id.
            let text = id.finish();
            joined?;
            put(&text)
        };
        let routing = match (routing.first().copied().flatten(), self.names.last()) {
            (Some(value), Some(name)) => scalar(name, value)?.map(|value| value.into_text()),
            _ => None,
        };
        Ok((id_span, routing.and_then(|text| put(&text))))
    }
}

type Span = Option<(u32, u32)>;

impl RawPiece {
    /// The documents of the piece.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = RawLine<'_>> {
        let value = |span: Span| span.map(|(start, end)| &self.values[start as usize..end as usize]);
        self.lines.iter().map(move |found| RawLine {
            row: found.row,
            id: value(found.id),
            routing: value(found.routing),
            source: &self.text[found.source.0 as usize..found.source.1 as usize],
        })
    }
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
