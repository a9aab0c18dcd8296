//! CSV files in pieces. The first piece settles the types of the columns that neither the options nor a
//! sample of all files do. A record with too many values, and a later value that its column cannot hold, is
//! refused with its reason, never a null and never another value; a short record ends with nulls.

use std::borrow::Cow;
use std::io::Cursor;
use std::sync::Arc;

use es_values::counted;
use polars::prelude::{
    BooleanChunked, Column, CsvParseOptions, CsvReadOptions, DataFrame, DataType, PlSmallStr, PolarsResult, Schema,
    SchemaRef, SerReader as _,
};

use super::byte_source::ByteSource;
use super::csv_cells::cells;
use super::csv_head::{found_delimiter, names_of, not_utf8, numbered_names};
use super::csv_kinds::{Care, Kinds};
use super::csv_options::{ColumnType, CsvOptions, Delimiter};
use super::csv_records::{CsvRecord, Dialect, Look};
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::records::{Chunk, Quoting};
use super::refused::RefusedLine;
use super::table_format::TableFormat;
use super::text::{Text, no_such_place};

pub(crate) struct Reader {
    text: Text,
    dialect: Dialect,
    options: CsvOptions,
    schema: SchemaRef,
    /// The types of all columns, and whether they are declared.
    types: Vec<(ColumnType, bool)>,
    care: Vec<Care>,
    kinds: Vec<(PlSmallStr, Kinds)>,
    notes: Vec<String>,
    columns: Option<Arc<[PlSmallStr]>>,
    next: FilePlace,
    /// The number of lines of the file before the next piece, while it is known.
    lines: Option<u64>,
    /// The place of the first row, and the number of lines before it.
    start: (FilePlace, u64),
    /// The first piece, which was read for the types. It may have no row.
    first: Option<Chunk>,
}

impl Reader {
    /// Opens a file. `usual` is the delimiter that its name stands for.
    pub(crate) fn open(source: ByteSource, options: &ReadOptions, usual: Option<Delimiter>) -> Result<Self, ReadError> {
        let csv = &options.csv;
        let quote = csv.quote.byte();
        let quoting = Quoting::Quoted { quote, line_end: None };
        let mut text = Text::open_as(source, csv.encoding.into(), quoting, options)?;
        let Some(mut first) = text.next_with_text()? else {
            return Err(ReadError::content("the file has no header line"));
        };
        let mut dialect = Dialect { delimiter: b',', quote, line_end: text.line_end() };
        let header = |text: &[u8]| dialect.first_record(text).map(|record| record.end);
        // A piece may be so small that it ends with the header.
        if header(&first.text).is_none_or(|end| first.text[end..].trim_ascii().is_empty())
            && let Some(more) = text.next_with_text()?
        {
            first.text.extend_from_slice(&more.text);
        }
        if header(&first.text).is_none() {
            return Err(ReadError::content("the file has no header line"));
        }
        let mut notes = Vec::new();
        let delimiter = csv.delimiter.or(usual).unwrap_or_else(|| {
            let found = found_delimiter(&first.text, quote, dialect.line_end);
            if found != Delimiter::COMMA {
                notes.push(format!("its values are divided by {found}, as its first lines show"));
            }
            found
        });
        dialect.delimiter = delimiter.byte();
        let first_record = dialect.first_record(&first.text);
        let Some(record) = first_record else { return Err(ReadError::content("the file has no header line")) };
        let (end, names) = if csv.header {
            let (names, more) = names_of(&first.text[..record.end], dialect)?;
            notes.extend(more);
            (record.end, names)
        } else {
            (0, numbered_names(record.values))
        };
        let rest = first.text.split_off(end);
        let header_lines = line_breaks(&first.text, dialect.line_end);
        let place = FilePlace { rows: 0, bytes: Some(first.offset + end as u64) };
        let first = Chunk { offset: first.offset + end as u64, text: rest };

        let mut kinds = vec![Kinds::default(); names.len()];
        // The types of a sample of all files are those of this one.
        if !names.iter().all(|name| options.sampled.contains_key(name.as_str())) {
            dialect.visit(
                &first.text,
                |column, value| {
                    if let Some(kind) = kinds.get_mut(column) {
                        *kind = kind.with(Kinds::of(value, dialect, &csv.null_values, csv.decimal_comma));
                    }
                },
                |_| true,
            );
        }
        let types = names.iter().zip(&kinds).map(|(name, kinds)| {
            let declared = options.declared_type(name);
            let sampled = options.sampled.get(name.as_str()).copied();
            let column =
                sampled.unwrap_or_else(|| declared.map_or(kinds.column_type(), |declared| kinds.as_declared(declared)));
            (column, declared.is_some())
        });
        let types: Vec<(ColumnType, bool)> = types.collect();
        let care = types.iter().map(|(column, declared)| Care::of(*column, *declared)).collect();
        let fields = names.iter().cloned().zip(types.iter().map(|(column, _)| column.data_type()));
        let schema: SchemaRef = Arc::new(fields.collect::<Schema>());
        let columns = options.columns.as_deref().map(|wanted| {
            let wanted: Arc<[PlSmallStr]> =
                names.iter().filter(|name| wanted.iter().any(|wanted| wanted == name.as_str())).cloned().collect();
            // Rows can only be counted with a column.
            if wanted.is_empty() { names.iter().take(1).cloned().collect() } else { wanted }
        });
        Ok(Self {
            text,
            dialect,
            options: csv.clone(),
            schema,
            types,
            care,
            kinds: names.into_iter().zip(kinds).collect(),
            notes,
            columns,
            next: place,
            lines: Some(header_lines),
            start: (place, header_lines),
            first: Some(first),
        })
    }

    fn piece(&self, chunk: &Chunk) -> Result<Piece, ReadError> {
        let place = FilePlace { rows: self.next.rows, bytes: Some(chunk.offset) };
        let look = Look::at(&chunk.text, self.dialect, &self.care);
        let mut refused: Vec<RefusedLine> =
            look.long.iter().map(|(row, record)| self.too_long(chunk, *row, *record)).collect();
        let text = look.kept(&chunk.text);
        let plain = if look.needs_care || self.is_special() { None } else { self.plain(&text)? };
        let mut frame = match plain {
            Some(frame) => frame,
            None => {
                let (frame, reasons) = self.careful(&text).map_err(|error| self.failure(chunk, error))?;
                refused.extend(self.with_reasons(chunk, reasons));
                refused.sort_by_key(|line| line.row);
                frame
            }
        };
        frame.rechunk_mut();
        Ok(Piece { frame, place, refused })
    }

    /// True if values are written in forms that Polars does not read.
    fn is_special(&self) -> bool {
        !self.options.null_values.is_empty() || self.options.decimal_comma
    }

    /// The rows, if Polars reads all of them as they are meant.
    fn plain(&self, text: &[u8]) -> Result<Option<DataFrame>, ReadError> {
        let Ok(mut frame) = self.parse(text, self.schema.clone()) else { return Ok(None) };
        for (column, (name, dtype)) in self.schema.iter().enumerate() {
            let Ok(values) = frame.column(name) else { continue };
            // Such as 1e999; infinity itself is rare enough to be read carefully.
            if *dtype == DataType::Float64 && values.f64()?.iter().flatten().any(f64::is_infinite) {
                return Ok(None);
            }
            if self.types[column].0 == ColumnType::Date {
                let (times, _) = cells(values, ColumnType::Date, true, &self.options)?;
                frame.with_column(times)?;
            }
        }
        Ok(Some(frame))
    }

    /// The rows whose values the columns can hold, and the reasons why others cannot be, by their numbers.
    fn careful(&self, text: &[u8]) -> PolarsResult<(DataFrame, Vec<(usize, String)>)> {
        let names = self.schema.iter_names().cloned();
        let texts = self.parse(text, Arc::new(names.map(|name| (name, DataType::String)).collect::<Schema>()))?;
        let mut columns: Vec<Column> = Vec::new();
        let mut reasons: Vec<(usize, String)> = Vec::new();
        for ((name, _), (column, declared)) in self.schema.iter().zip(&self.types) {
            let Ok(text) = texts.column(name) else { continue };
            let (column, refused) = cells(text, *column, *declared, &self.options)?;
            columns.push(column);
            reasons.extend(refused);
        }
        let mut frame = DataFrame::new(texts.height(), columns)?;
        if !reasons.is_empty() {
            reasons.sort_by_key(|(row, _)| *row);
            reasons.dedup_by_key(|(row, _)| *row);
            let mut refused = reasons.iter().map(|(row, _)| *row).peekable();
            let kept: BooleanChunked =
                (0..frame.height()).map(|row| Some(refused.next_if_eq(&row).is_none())).collect();
            frame = frame.filter(&kept)?;
        }
        Ok((frame, reasons))
    }

    fn parse(&self, text: &[u8], schema: SchemaRef) -> PolarsResult<DataFrame> {
        if text.is_empty() {
            return selected(DataFrame::empty_with_schema(&schema), self.columns.as_deref());
        }
        let form = CsvParseOptions::default()
            .with_separator(self.dialect.delimiter)
            .with_quote_char(self.dialect.quote)
            .with_eol_char(self.dialect.line_end);
        CsvReadOptions::default()
            .with_has_header(false)
            .with_ignore_errors(false)
            .with_parse_options(form)
            .with_schema(Some(schema))
            .with_columns(self.columns.clone())
            .into_reader_with_file_handle(Cursor::new(text))
            .finish()
    }

    fn refused(&self, chunk: &Chunk, row: u64, record: CsvRecord, reason: &str) -> RefusedLine {
        let text = &chunk.text[record.start..record.end];
        let line = self.lines.map(|lines| format!("line {}: ", lines + record.line + 1)).unwrap_or_default();
        let offset = chunk.offset + record.start as u64;
        let text = text.strip_suffix(&[self.dialect.line_end]).unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        RefusedLine::new(self.next.rows + row + 1, Some(offset), text, format!("{line}{reason}"))
    }

    fn too_long(&self, chunk: &Chunk, row: u64, record: CsvRecord) -> RefusedLine {
        let values = counted(record.values as u64, "value");
        let reason = format!("{values}, and the file has {}", counted(self.types.len() as u64, "column"));
        self.refused(chunk, row, record, &reason)
    }

    /// The refused lines of rows of the frame, by their numbers among those that are not too long.
    fn with_reasons(&self, chunk: &Chunk, reasons: Vec<(usize, String)>) -> Vec<RefusedLine> {
        let mut reasons = reasons.into_iter().peekable();
        let (mut row, mut kept) = (0, 0);
        let mut refused = Vec::new();
        self.dialect.visit(
            &chunk.text,
            |_, _| {},
            |record| {
                if record.is_blank {
                    return true;
                }
                if record.values <= self.types.len() {
                    if let Some((_, reason)) = reasons.next_if(|(number, _)| *number == kept) {
                        refused.push(self.refused(chunk, row, record, &reason));
                    }
                    kept += 1;
                }
                row += 1;
                reasons.peek().is_some()
            },
        );
        refused
    }

    /// The failure of text that is not CSV at all: in practice it is not UTF-8.
    fn failure(&self, chunk: &Chunk, error: polars::prelude::PolarsError) -> ReadError {
        let mut at = None;
        let mut row = 0;
        self.dialect.visit(
            &chunk.text,
            |_, _| {},
            |record| {
                row += u64::from(!record.is_blank);
                if std::str::from_utf8(&chunk.text[record.start..record.end]).is_err() {
                    at = Some(position(self.next.rows + row, self.lines.map(|lines| lines + record.line + 1)));
                }
                at.is_none()
            },
        );
        match at {
            Some(at) => not_utf8(&format!("{at} is not UTF-8")),
            None => error.into(),
        }
    }

    fn take_next(&mut self) -> Result<Option<Chunk>, ReadError> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.text.next(),
        }
    }
}

impl TableFormat for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn kinds(&self) -> Option<&[(PlSmallStr, Kinds)]> {
        Some(&self.kinds)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    fn place(&self) -> FilePlace {
        self.next
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
        loop {
            let is_first = self.first.is_some();
            let Some(chunk) = self.take_next()? else { return Ok(None) };
            let bytes = Some(chunk.offset + chunk.text.len() as u64);
            let lines = self.lines.map(|lines| lines + line_breaks(&chunk.text, self.dialect.line_end));
            if !is_first && !chunk.text.is_empty() && chunk.text.iter().all(|byte| matches!(byte, b'\n' | b'\r')) {
                (self.next.bytes, self.lines) = (bytes, lines);
                continue;
            }
            let piece = self.piece(&chunk)?;
            self.next = FilePlace { rows: piece.last(), bytes };
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

fn line_breaks(text: &[u8], line_end: u8) -> u64 {
    memchr::memchr_iter(line_end, text).count() as u64
}

/// The position of a row in messages.
fn position(row: u64, line: Option<u64>) -> Cow<'static, str> {
    match line {
        Some(line) => format!("row {row} (line {line})").into(),
        None => format!("row {row}").into(),
    }
}
