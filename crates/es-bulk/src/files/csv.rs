//! CSV files in pieces. The first piece settles the types of the columns. A later value of another type
//! is an error, never a null, and so is a record with too few or too many values.

use std::io::Cursor;
use std::sync::Arc;

use polars::io::prelude::{CsvReadOptions, SerReader as _};
use polars::prelude::{DataFrame, PlSmallStr, PolarsResult, SchemaRef};

use super::byte_source::ByteSource;
use super::csv_records::{CsvRecord, header_end, header_width, records, without_blanks, wrong_width};
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::records::{Chunk, Quoting};
use super::table_format::TableFormat;
use super::text::{Text, no_such_place};

pub(crate) struct Reader {
    text: Text,
    schema: SchemaRef,
    columns: Option<Arc<[PlSmallStr]>>,
    next: FilePlace,
    /// The number of lines of the file before the next piece, while it is known.
    lines: Option<u64>,
    /// The place of the first row, and the number of lines before it.
    start: (FilePlace, u64),
    /// The first piece, which was read for the types. It may have no row.
    first: Option<(DataFrame, FilePlace)>,
}

impl Reader {
    pub(crate) fn open(source: ByteSource, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut text = Text::open(source, Quoting::DoubleQuotes, options)?;
        let Some(mut first) = text.next_with_text()? else {
            return Err(ReadError::content("the file has no header line"));
        };
        // A piece may be so small that it ends with the header.
        if header_end(&first.text).is_none_or(|end| first.text[end..].trim_ascii().is_empty())
            && let Some(more) = text.next_with_text()?
        {
            first.text.extend_from_slice(&more.text);
        }
        let Some(end) = header_end(&first.text) else {
            return Err(ReadError::content("the file has no header line"));
        };
        let (header, rows) = first.text.split_at(end);
        // Polars would replace invalid bytes.
        if std::str::from_utf8(header).is_err() {
            return Err(ReadError::content("the header is not UTF-8"));
        }
        let header_lines = line_breaks(header);
        if let Some(wrong) = wrong_width(rows, header_width(header)) {
            return Err(wrong.error(0, Some(header_lines)));
        }
        let place = FilePlace { rows: 0, bytes: Some(first.offset + end as u64) };
        let next_offset = first.offset + first.text.len() as u64;
        let lines = Some(line_breaks(&first.text));
        let frame = match infer(header, &without_blanks(rows)) {
            Ok(frame) => frame,
            Err(error) => {
                let failure = first_failure(rows, 0, Some(header_lines), |part| infer(header, part));
                return Err(failure.unwrap_or_else(|| error.into()));
            }
        };
        let schema = frame.schema().clone();
        let columns = options.columns.as_deref().map(|names| {
            let wanted = schema.iter_names().filter(|name| names.iter().any(|wanted| wanted == name.as_str()));
            let wanted: Arc<[PlSmallStr]> = wanted.cloned().collect();
            // Rows can only be counted with a column.
            if wanted.is_empty() { schema.iter_names().take(1).cloned().collect() } else { wanted }
        });
        let mut frame = selected(frame, columns.as_deref())?;
        frame.rechunk_mut();
        let next = FilePlace { rows: frame.height() as u64, bytes: Some(next_offset) };
        let start = (place, header_lines);
        Ok(Self { text, schema, columns, next, lines, start, first: Some((frame, place)) })
    }

    fn piece(&self, chunk: Chunk) -> Result<Piece, ReadError> {
        let place = FilePlace { rows: self.next.rows, bytes: Some(chunk.offset) };
        if let Some(wrong) = wrong_width(&chunk.text, self.schema.len()) {
            return Err(wrong.error(place.rows, self.lines));
        }
        let mut frame = match self.parse(&without_blanks(&chunk.text)) {
            Ok(frame) => frame,
            Err(error) => {
                let failure = first_failure(&chunk.text, place.rows, self.lines, |part| self.parse(part));
                return Err(failure.unwrap_or_else(|| error.into()));
            }
        };
        frame.rechunk_mut();
        Ok(Piece { frame, place })
    }

    /// A frame of the columns, without rows.
    fn empty(&self) -> PolarsResult<DataFrame> {
        selected(DataFrame::empty_with_schema(&self.schema), self.columns.as_deref())
    }

    fn parse(&self, text: &[u8]) -> PolarsResult<DataFrame> {
        parse_options(false)
            .with_schema(Some(self.schema.clone()))
            .with_columns(self.columns.clone())
            .into_reader_with_file_handle(Cursor::new(text))
            .finish()
    }
}

impl TableFormat for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn place(&self) -> FilePlace {
        self.first.as_ref().map_or(self.next, |(_, place)| *place)
    }

    fn seek(&mut self, place: FilePlace) -> Result<(), ReadError> {
        // The header is before all rows.
        let (place, lines) = if place.rows == 0 { (self.start.0, Some(self.start.1)) } else { (place, None) };
        if place == self.place() {
            return Ok(());
        }
        if self.text.jump(place)? {
            (self.next, self.lines, self.first) = (place, lines, None);
            return Ok(());
        }
        while self.place().rows < place.rows {
            if self.next_piece()?.is_none() {
                break;
            }
        }
        if self.place().rows == place.rows { Ok(()) } else { Err(no_such_place(place)) }
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, ReadError> {
        if let Some((frame, place)) = self.first.take() {
            return Ok(Some(Piece { frame, place }));
        }
        loop {
            let Some(chunk) = self.text.next()? else { return Ok(None) };
            if chunk.text.is_empty() {
                return Ok(Some(Piece { frame: self.empty()?, place: self.next }));
            }
            let bytes = Some(chunk.offset + chunk.text.len() as u64);
            let lines = self.lines.map(|lines| lines + line_breaks(&chunk.text));
            if chunk.text.trim_ascii().is_empty() {
                (self.next.bytes, self.lines) = (bytes, lines);
                continue;
            }
            let piece = self.piece(chunk)?;
            self.next = FilePlace { rows: self.next.rows + piece.frame.height() as u64, bytes };
            self.lines = lines;
            return Ok(Some(piece));
        }
    }
}

/// The columns that are read.
fn selected(frame: DataFrame, columns: Option<&[PlSmallStr]>) -> PolarsResult<DataFrame> {
    match columns {
        Some(columns) => frame.select(columns.iter().cloned()),
        None => Ok(frame),
    }
}

/// The first piece, with the types of its values.
fn infer(header: &[u8], rows: &[u8]) -> PolarsResult<DataFrame> {
    let text = [header, rows].concat();
    parse_options(true).with_infer_schema_length(None).into_reader_with_file_handle(Cursor::new(text)).finish()
}

/// The failure of the first record that cannot be parsed, after this many rows and lines. Polars does
/// not report which record it is.
fn first_failure(
    text: &[u8],
    rows: u64,
    lines: Option<u64>,
    parse: impl Fn(&[u8]) -> PolarsResult<DataFrame>,
) -> Option<ReadError> {
    let all: Vec<CsvRecord> = records(text).filter(|record| !record.is_blank).collect();
    let parse = |from: usize, to: usize| parse(&without_blanks(&text[all[from].start..all[to - 1].end]));
    let (mut from, mut to) = (0, all.len());
    while to.checked_sub(from)? > 1 {
        let middle = from + (to - from) / 2;
        if parse(from, middle).is_err() {
            to = middle;
        } else {
            from = middle;
        }
    }
    let record = all.get(from)?;
    let error = ReadError::from(parse(from, to).err()?);
    let at = position(rows + from as u64 + 1, lines.map(|lines| lines + record.line + 1));
    Some(ReadError::content(format!("{at}: {error}")))
}

fn parse_options(header: bool) -> CsvReadOptions {
    CsvReadOptions::default().with_has_header(header).with_ignore_errors(false)
}

fn line_breaks(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// The position of a row in messages.
pub(crate) fn position(row: u64, line: Option<u64>) -> String {
    match line {
        Some(line) => format!("row {row} (line {line})"),
        None => format!("row {row}"),
    }
}
