//! The files of a one-off load: what they hold, the mapping that it means, and their documents.

use std::path::{Path, PathBuf};

use crate::kinds::spec::Undeclared;
use es_bulk::files::{
    FileFormat, FileIdentity, FileReader, Piece, RawLines, RawOptions, RawPiece, ReadOptions, same_schema,
};
use es_bulk::{Action, BatchBuilder, BatchLimits};
use es_core::Mapping;
use es_frame::{MappingOptions, WriterOptions, infer_mapping_of, infer_mapping_with};
use polars::prelude::{DataFrame, Schema, SchemaRef};
use serde_json::json;
use tracing::warn;

use super::target::Declared;
use crate::error::Error;
use crate::feed::{self, Outlet, Rows};
use crate::store::loads::Reached;

/// What is read.
#[derive(Clone, Debug)]
pub enum Place {
    /// Files, in this order.
    Files(Vec<PathBuf>),
    /// Standard input.
    Standard,
}

/// How documents are made.
#[derive(Clone, Debug, Default)]
pub struct Making {
    /// Ids, operation, names, numbers.
    pub writer: WriterOptions,
    /// The mapping file.
    pub declared: Option<Declared>,
    /// What is done with columns that it does not name.
    pub undeclared: Undeclared,
}

/// Files, or standard input, of which the beginning was looked at.
pub struct Source {
    place: Place,
    format: FileFormat,
    /// The columns; none where the lines of NDJSON do not go together in a table.
    schema: Option<SchemaRef>,
    /// The first rows.
    sample: Option<DataFrame>,
    /// What was opened of an input that cannot be opened again, with what was read of it.
    open: Option<Open>,
    /// How many rows there are, where the format tells.
    pub rows: Option<u64>,
    /// What the files look like from outside.
    pub identities: Vec<FileIdentity>,
}

enum Open {
    Frames(Box<FileReader>, Option<Box<Piece>>),
    Lines(Box<RawLines>),
}

impl Source {
    /// Opens all files, and reads the beginning of the first one. Blocks.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the files do not go together.
    pub fn open(place: Place, format: Option<FileFormat>, writer: &WriterOptions) -> Result<Self, Error> {
        match place {
            Place::Files(paths) => Self::of_files(paths, format),
            Place::Standard => Self::of_standard_input(format, writer),
        }
    }

    fn of_files(paths: Vec<PathBuf>, format: Option<FileFormat>) -> Result<Self, Error> {
        let format = one_format(&paths, format)?;
        let read = ReadOptions { format: Some(format), ..ReadOptions::default() };
        let identities = paths
            .iter()
            .map(|path| FileIdentity::of(path, path.to_string_lossy()))
            .collect::<Result<_, es_bulk::Error>>()?;
        let mut source = Self {
            place: Place::Files(paths.clone()),
            format,
            schema: None,
            sample: None,
            open: None,
            rows: Some(0),
            identities,
        };
        if format == FileFormat::Ndjson {
            source.rows = None;
            let raw = RawOptions { read: read.clone(), ..RawOptions::default() };
            // What is no NDJSON at all is told before the first document is sent.
            for path in &paths {
                RawLines::open(path, &raw)?;
            }
            source.look_at_lines(&paths[0], &read);
            return Ok(source);
        }
        let mut first: Option<FileReader> = None;
        for path in &paths {
            let reader = FileReader::open(path, &read)?;
            source.rows = source.rows.zip(reader.rows()).map(|(sum, rows)| sum + rows);
            match &first {
                Some(first) => same_schema((first.path(), first.schema()), (path, reader.schema()))?,
                None => first = Some(reader),
            }
        }
        if let Some(mut first) = first {
            source.schema = Some(first.schema().clone());
            source.sample = first.next_piece()?.map(|piece| piece.frame);
        }
        Ok(source)
    }

    /// What the first lines mean for a mapping. They are sent as they are, so that they do not
    /// go together in a table is no failure.
    fn look_at_lines(&mut self, path: &Path, read: &ReadOptions) {
        let piece = FileReader::open(path, read).and_then(|mut reader| reader.next_piece());
        match piece {
            Ok(piece) => {
                self.sample = piece.map(|piece| piece.frame);
                self.schema = self.sample.as_ref().map(|sample| sample.schema().clone());
            }
            Err(error) => warn!(%error, "no mapping is inferred; the server maps the fields"),
        }
    }

    fn of_standard_input(format: Option<FileFormat>, writer: &WriterOptions) -> Result<Self, Error> {
        let Some(format) = format else {
            return Err(Error::config("the format of standard input is not known")
                .with_help(Some("give it with --format: csv, ndjson or ipc-stream")));
        };
        let read = ReadOptions { format: Some(format), ..ReadOptions::default() };
        let (schema, sample, open) = if format == FileFormat::Ndjson {
            let lines = RawLines::stdin(&raw_options(writer, read))?;
            let schema = lines.schema().map_err(|error| warn!(%error, "no mapping is inferred")).ok();
            (schema, None, Open::Lines(Box::new(lines)))
        } else {
            let mut reader = FileReader::stdin(format, &read)?;
            let piece = reader.next_piece()?;
            let sample = piece.as_ref().map(|piece| piece.frame.clone());
            (Some(reader.schema().clone()), sample, Open::Frames(Box::new(reader), piece.map(Box::new)))
        };
        Ok(Self {
            place: Place::Standard,
            format,
            schema,
            sample,
            open: Some(open),
            rows: None,
            identities: Vec::new(),
        })
    }

    /// What is read, for a person.
    pub fn names(&self) -> Vec<String> {
        match &self.place {
            Place::Files(paths) => paths.iter().map(|path| path.display().to_string()).collect(),
            Place::Standard => vec!["standard input".to_owned()],
        }
    }

    /// Whether lines are sent as they are.
    fn is_raw(&self) -> bool {
        self.format == FileFormat::Ndjson
    }

    /// The mapping of the documents: inferred, with the declared one over it.
    ///
    /// # Errors
    /// When a column has a type that Elasticsearch has no type for.
    pub fn mapping(&self, making: &Making) -> Result<Mapping, Error> {
        let options = MappingOptions {
            names: making.writer.names,
            dates_in_text: matches!(self.format, FileFormat::Csv | FileFormat::Ndjson),
            ..MappingOptions::default()
        };
        let mut mapping = match (&self.sample, &self.schema) {
            (Some(sample), _) => {
                let columns = self.columns(making, sample.schema())?;
                let sample = sample.select(columns.iter().map(String::as_str)).map_err(es_bulk::Error::from)?;
                infer_mapping_of(&sample, &options)?
            }
            (None, Some(schema)) => infer_mapping_with(schema, &options)?,
            (None, None) => Mapping::default(),
        };
        let dynamic = match (self.is_raw(), making.undeclared) {
            // Later lines may have fields that the first ones have not.
            (true, Undeclared::Infer) => "true",
            (true, Undeclared::Ignore) => "false",
            _ => "strict",
        };
        mapping.parameters.insert("dynamic".to_owned(), json!(dynamic));
        Ok(match &making.declared {
            Some(declared) => mapping.overridden_by(&declared.mapping),
            None => mapping,
        })
    }

    /// The columns that become fields. Of lines that are sent as they are, all do; what is not
    /// declared is for the index to ignore or to refuse.
    fn columns(&self, making: &Making, schema: &Schema) -> Result<Vec<String>, Error> {
        let writer = &making.writer;
        let used = |name: &str| {
            let named = [&writer.routing, &writer.version, &writer.operation_column, &writer.pipeline];
            writer.id.iter().chain(named.into_iter().flatten()).any(|column| column == name)
        };
        let declared = |name: &str| making.declared.as_ref().is_some_and(|declared| declared.has(name));
        let all = || schema.iter_names().map(|name| name.as_str());
        let known = |name: &&str| declared(name) || used(name);
        if !self.is_raw() {
            let mut named = writer.id.iter().chain(&writer.routing).chain(&writer.version);
            if let Some(name) = named.find(|name| !schema.contains(name)) {
                return Err(no_column(name, schema));
            }
        }
        match making.undeclared {
            Undeclared::Infer => Ok(all().map(str::to_owned).collect()),
            Undeclared::Reject if !self.is_raw() => match all().find(|name| !known(name)) {
                None => Ok(all().map(str::to_owned).collect()),
                Some(name) => {
                    Err(Error::config(format!("column `{name}` is in the files and not in the mapping file"))
                        .with_help(Some("declare it there, or give --undeclared infer or ignore")))
                }
            },
            Undeclared::Ignore | Undeclared::Reject => Ok(all().filter(known).map(str::to_owned).collect()),
        }
    }

    /// Makes the documents and hands them over, from a place on. Blocks.
    ///
    /// # Errors
    /// When a file is damaged, or a row cannot become a document.
    pub fn read(self, making: &Making, limits: BatchLimits, from: &Reached, outlet: &Outlet) -> Result<(), Error> {
        let columns = match &self.schema {
            Some(schema) if !self.is_raw() => self.columns(making, schema)?,
            _ => Vec::new(),
        };
        // The first rows have said what they mean for the mapping, and are read again.
        drop(self.sample);
        let mut builder = BatchBuilder::new(limits).numbered_from(from.documents);
        let from = from.checkpoint.as_ref();
        let mut documents = Documents { making, columns, builder: &mut builder, outlet };
        let wanted = match (self.open, self.place) {
            (Some(Open::Frames(mut reader, first)), _) => {
                let label = feed::label(reader.path());
                feed::rest(&mut *reader, first.map(|first| *first), |piece| documents.of_frame(&label, 0, piece))?
            }
            (Some(Open::Lines(mut lines)), _) => {
                let label = feed::label(lines.path());
                feed::rest(&mut *lines, None, |piece| documents.of_lines(&label, 0, piece))?
            }
            (None, Place::Files(paths)) if self.format == FileFormat::Ndjson => {
                let read = ReadOptions { format: Some(self.format), ..ReadOptions::default() };
                let raw = raw_options(&making.writer, read);
                let open = |path: &Path| RawLines::open(path, &raw);
                feed::each_piece(&paths, from, open, |label, settled, piece| documents.of_lines(label, settled, piece))?
            }
            (None, Place::Files(paths)) => {
                let read = ReadOptions {
                    format: Some(self.format),
                    columns: Some(documents.columns.clone()),
                    ..ReadOptions::default()
                };
                let open = |path: &Path| FileReader::open(path, &read);
                feed::each_piece(&paths, from, open, |label, settled, piece| documents.of_frame(label, settled, piece))?
            }
            (None, Place::Standard) => true,
        };
        if let Some(last) = builder.finish().filter(|_| wanted) {
            outlet.take(last);
        }
        Ok(())
    }
}

/// Rows and lines on their way into batches.
struct Documents<'a> {
    making: &'a Making,
    columns: Vec<String>,
    builder: &'a mut BatchBuilder,
    outlet: &'a Outlet,
}

impl Documents<'_> {
    fn of_frame(&mut self, file: &std::sync::Arc<str>, settled: u64, piece: Piece) -> Result<bool, Error> {
        let numbers: Vec<u64> = (0..piece.frame.height()).map(|row| piece.number(row)).collect();
        let frame = piece.frame.select(self.columns.iter().map(String::as_str)).map_err(es_bulk::Error::from)?;
        let rows = Rows { file, place: piece.place, numbers: &numbers, settled, refused: &piece.refused };
        feed::push_rows(self.builder, &frame, &self.making.writer, &rows, self.outlet)
    }

    fn of_lines(&mut self, file: &std::sync::Arc<str>, settled: u64, piece: RawPiece) -> Result<bool, Error> {
        if piece.lines().len() == 0 && piece.refused.is_empty() {
            return Ok(self.outlet.take_old(self.builder));
        }
        self.builder.source(file.clone(), piece.place);
        feed::refuse(self.builder, settled, &piece.refused);
        for line in piece.lines().filter(|line| line.row > settled) {
            let action = Action {
                operation: self.making.writer.operation,
                id: line.id,
                routing: line.routing,
                ..Action::default()
            };
            self.builder.at_row(line.row);
            let full = self.builder.push_json(&action, line.source).map_err(|error| feed::in_row(error, line.row))?;
            if let Some(batch) = full
                && !self.outlet.take(batch)
            {
                return Ok(false);
            }
        }
        Ok(self.outlet.take_old(self.builder))
    }
}

fn raw_options(writer: &WriterOptions, read: ReadOptions) -> RawOptions {
    RawOptions { id: writer.id.clone(), routing: writer.routing.clone(), read }
}

/// The format of all files.
fn one_format(paths: &[PathBuf], format: Option<FileFormat>) -> Result<FileFormat, Error> {
    if let Some(format) = format {
        return Ok(format);
    }
    let mut first: Option<(&PathBuf, FileFormat)> = None;
    for path in paths {
        let format = FileFormat::of_name(path)?;
        match first {
            Some((other, known)) if known != format => {
                return Err(Error::config(format!(
                    "{} and {} have different formats: {known} and {format}",
                    other.display(),
                    path.display()
                ))
                .with_help(Some("load them one after the other")));
            }
            _ => first = Some((path, format)),
        }
    }
    match first {
        Some((_, format)) => Ok(format),
        None => Err(Error::failed("there is no file to load")),
    }
}

fn no_column(name: &str, schema: &Schema) -> Error {
    let present: Vec<&str> = schema.iter_names().map(|name| name.as_str()).collect();
    let help = match es_values::nearest(name, present.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the columns are {}", present.join(", ")),
    };
    Error::config(format!("the files have no column `{name}`")).with_help(Some(help))
}
