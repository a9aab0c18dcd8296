//! Newline-delimited JSON in pieces. The columns and their types are those of the first
//! piece; a later field or value that does not fit them is an error, never dropped. A line
//! that is no JSON object is refused alone.

use std::io::Cursor;

use polars::io::prelude::{JsonFormat, JsonReader, SerReader as _};
use polars::prelude::{DataFrame, PolarsResult, Schema, SchemaRef};

use super::json_schema::{Settled, schema_of, schema_of_line};
use super::lines::{count, lines};
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::reader::Format;
use super::records::{Chunk, Quoting};
use super::refused::RefusedLine;
use super::source::Source;
use super::text::{Text, no_such_place};
use super::trouble::Trouble;

pub(crate) struct Reader {
    text: Text,
    schema: SchemaRef,
    columns: Option<SchemaRef>,
    next: FilePlace,
    first: Option<Chunk>,
}

impl Reader {
    pub(crate) fn open(source: Source, options: &ReadOptions) -> Result<Self, Trouble> {
        let mut text = Text::open(source, Quoting::None, options)?;
        let first = first_with_lines(&mut text)?;
        let schema = schema_of(&first.text)?;
        let columns = options.columns.as_deref().map(|names| projected(&schema, names));
        let next = FilePlace { rows: 0, bytes: Some(0) };
        Ok(Self { text, schema, columns, next, first: Some(first) })
    }

    fn piece(&self, chunk: Chunk) -> Result<Piece, Trouble> {
        let place = FilePlace { rows: self.next.rows, bytes: Some(chunk.offset) };
        let settled = Settled::by(&self.schema);
        if settled.take_all(&chunk.text) {
            let numbers: Vec<u64> = lines(&chunk.text).map(|line| place.rows + line.number + 1).collect();
            return Ok(Piece::with_gaps(self.frame(&chunk.text, &numbers)?, place, numbers, Vec::new()));
        }
        // Something is wrong with some line: look at each.
        let (mut numbers, mut refused, mut good) = (Vec::new(), Vec::new(), Vec::with_capacity(chunk.text.len()));
        for line in lines(&chunk.text) {
            let row = place.rows + line.number + 1;
            match schema_of_line(line.text) {
                Err(reason) => {
                    refused.push(RefusedLine::new(row, chunk.offset + line.start as u64, line.text, reason));
                }
                Ok(found) => {
                    settled.take(&found).map_err(|why| Trouble::content(format!("line {row}: {why}")))?;
                    good.extend_from_slice(line.text);
                    good.push(b'\n');
                    numbers.push(row);
                }
            }
        }
        Ok(Piece::with_gaps(self.frame(&good, &numbers)?, place, numbers, refused))
    }

    /// Lines that are known to fit, and their numbers.
    fn frame(&self, text: &[u8], numbers: &[u64]) -> Result<DataFrame, Trouble> {
        let (schema, rows) = (self.columns.as_ref().unwrap_or(&self.schema), numbers.len());
        if rows == 0 {
            return Ok(DataFrame::empty_with_schema(schema));
        }
        let mut frame = match parse(text, schema) {
            Ok(frame) => frame,
            Err(error) => return Err(first_failure(text, numbers, schema).unwrap_or_else(|| error.into())),
        };
        if frame.height() != rows {
            return Err(Trouble::content(format!("{rows} lines were read as {} rows", frame.height())));
        }
        frame.rechunk_mut();
        Ok(frame)
    }
}

impl Format for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn place(&self) -> FilePlace {
        self.next
    }

    fn seek(&mut self, place: FilePlace) -> Result<(), Trouble> {
        let place = if place.rows == 0 { FilePlace { rows: 0, bytes: Some(0) } } else { place };
        if self.text.jump(place)? {
            (self.next, self.first) = (place, None);
            return Ok(());
        }
        while self.next.rows < place.rows {
            if self.next_piece()?.is_none() {
                break;
            }
        }
        if self.next.rows == place.rows { Ok(()) } else { Err(no_such_place(place)) }
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, Trouble> {
        loop {
            let chunk = match self.first.take() {
                Some(first) => first,
                None => match self.text.next()? {
                    Some(chunk) => chunk,
                    None => return Ok(None),
                },
            };
            if chunk.text.is_empty() {
                return Ok(Some(Piece::without_gaps(self.frame(&[], &[])?, self.next)));
            }
            let rows = self.next.rows + count(&chunk.text);
            let bytes = Some(chunk.offset + chunk.text.len() as u64);
            let piece = self.piece(chunk)?;
            self.next = FilePlace { rows, bytes };
            // Blank lines alone are nothing to hand out.
            if piece.frame.height() > 0 || !piece.refused.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}

fn parse(text: &[u8], schema: &SchemaRef) -> PolarsResult<DataFrame> {
    let reader = JsonReader::new(Cursor::new(text)).with_json_format(JsonFormat::JsonLines);
    reader.with_schema(schema.clone()).finish()
}

/// The first line that Polars cannot put into the columns, such as one whose list has
/// values and lists in it.
fn first_failure(text: &[u8], numbers: &[u64], schema: &SchemaRef) -> Option<Trouble> {
    lines(text).zip(numbers).find_map(|(line, number)| {
        let trouble = Trouble::from(parse(line.text, schema).err()?);
        Some(Trouble::content(format!("line {number}: {trouble}")))
    })
}

/// The beginning of a text, with a line that is not blank in it.
pub(crate) fn first_with_lines(text: &mut Text) -> Result<Chunk, Trouble> {
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
    Err(Trouble::content("the file has no line"))
}

fn projected(schema: &Schema, names: &[String]) -> SchemaRef {
    let mut wanted: Schema = schema
        .iter()
        .filter(|(name, _)| names.iter().any(|wanted| wanted == name.as_str()))
        .map(|(name, dtype)| (name.clone(), dtype.clone()))
        .collect();
    // Rows can only be counted in a column.
    if let (true, Some((name, dtype))) = (wanted.is_empty(), schema.get_at_index(0)) {
        wanted.insert(name.clone(), dtype.clone());
    }
    wanted.into()
}
