//! Files or standard input, opened and checked before anything is read of them: their format,
//! columns, rows and identities.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use es_frame::JsonSample;
use polars::prelude::{DataFrame, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::block::Reader;
use super::csv_options::CsvOptions;
use super::csv_sample::{CsvSample, notes_of};
use super::expand::expand;
use super::format::FileFormat;
use super::identity::FileIdentity;
use super::json_pointer::JsonPointer;
use super::options::ReadOptions;
use super::piece::Piece;
use super::raw_lines::{RawLines, RawOptions};
use super::reader::FileReader;
use super::refused::RefusedLine;
use super::schema::same_schema;
use crate::error::{Error, ErrorKind};

/// The text of each of many files that is enough to know its documents: 256 KiB.
const SHORT_SAMPLE: usize = 256 << 10;

/// Files, of each the first line that is not a document, where none of the first lines is.
pub(crate) type Refusals = Vec<(PathBuf, RefusedLine)>;

/// Files to read, as options name them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    /// The path of a file, or a pattern with `*`, `?` and `**`, from the folder of the pipeline file.
    #[schemars(extend("format" = "text"))]
    pub path: String,
    /// The format; without it, the one that the file's name ends in.
    pub format: Option<FileFormat>,
    /// The array of documents inside a JSON file, as a JSON pointer such as `/features`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "text"))]
    pub records: Option<JsonPointer>,
    /// The options of CSV.
    #[serde(default, skip_serializing_if = "CsvOptions::is_default")]
    pub csv: CsvOptions,
}

/// The origin of rows: files, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileInput {
    /// Files, read in this order.
    Files(Vec<PathBuf>),
    /// Standard input, of the format that [`ReadOptions::format`] names.
    StandardInput,
}

impl FileInput {
    /// The files that paths, folders and patterns stand for, see [`expand`]; standard input for a
    /// single `-`. Blocks.
    ///
    /// # Errors
    /// As [`expand`], and [`ErrorKind::File`] for `-` beside other names.
    pub fn expand<T: AsRef<str>>(patterns: &[T]) -> Result<Self, Error> {
        match patterns {
            [one] if one.as_ref() == "-" => Ok(Self::StandardInput),
            several if several.iter().any(|name| name.as_ref() == "-") => {
                Err(Error::new(ErrorKind::File, "standard input cannot be loaded together with files")
                    .with_help("load them one after the other"))
            }
            files => Ok(Self::Files(expand(files)?)),
        }
    }

    /// The names in messages.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Files(paths) => paths.iter().map(|path| path.display().to_string()).collect(),
            Self::StandardInput => vec!["standard input".to_owned()],
        }
    }
}

impl From<Vec<PathBuf>> for FileInput {
    fn from(paths: Vec<PathBuf>) -> Self {
        Self::Files(paths)
    }
}

impl From<PathBuf> for FileInput {
    fn from(path: PathBuf) -> Self {
        Self::Files(vec![path])
    }
}

impl From<&Path> for FileInput {
    fn from(path: &Path) -> Self {
        path.to_owned().into()
    }
}

/// Files, or standard input, that were opened and fit together.
pub struct Source {
    input: FileInput,
    format: FileFormat,
    read: ReadOptions,
    schema: Option<SchemaRef>,
    rows: Option<u64>,
    identities: Vec<FileIdentity>,
    sample: Option<DataFrame>,
    notes: Vec<String>,
    /// An input that cannot be opened again, until it is read.
    once: Mutex<Option<(Reader, Option<Piece>)>>,
}

impl Source {
    /// Opens all files, or the beginning of standard input. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when a file is missing, [`ErrorKind::Format`] when one does not follow its
    /// format, when the format is not known, and when files have different formats or columns.
    pub fn open(input: impl Into<FileInput>, read: &ReadOptions) -> Result<Self, Error> {
        match input.into() {
            FileInput::Files(paths) => Self::files(paths, read),
            FileInput::StandardInput => {
                let format = read.format.ok_or_else(|| {
                    Error::new(ErrorKind::Format, "the format of standard input is not known")
                        .with_help("set it to csv, ndjson, json or ipc_stream")
                })?;
                Self::from_reader("standard input", std::io::stdin(), format, read)
            }
        }
    }

    /// Takes bytes from elsewhere, which come once; errors call them by `name`. Blocks until their
    /// beginning was read.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] for a format that is not read from start to end, and when the bytes do not
    /// follow it.
    pub fn from_reader(
        name: &str,
        bytes: impl Read + Send + 'static,
        format: FileFormat,
        read: &ReadOptions,
    ) -> Result<Self, Error> {
        check_options(format, read)?;
        let read = ReadOptions { format: Some(format), ..read.clone() };
        let mut notes = Vec::new();
        let (schema, sample, once) = if format.has_documents() {
            let options = RawOptions { read: read.clone(), ..RawOptions::default() };
            (None, None, (Reader::Lines(Box::new(RawLines::from_reader(name, bytes, &options)?)), None))
        } else {
            let mut reader = FileReader::from_reader(name, bytes, format, &read)?;
            notes = notes_of(&reader, &read);
            let first = reader.next_piece()?;
            let sample = first.as_ref().map(|piece| piece.frame.clone());
            (Some(reader.schema().clone()), sample, (Reader::Rows(Box::new(reader)), first))
        };
        let input = FileInput::StandardInput;
        let once = Mutex::new(Some(once));
        Ok(Self { input, format, read, schema, rows: None, identities: Vec::new(), sample, notes, once })
    }

    fn files(paths: Vec<PathBuf>, read: &ReadOptions) -> Result<Self, Error> {
        let format = one_format(&paths, read.format)?;
        check_options(format, read)?;
        let mut read = ReadOptions { format: Some(format), ..read.clone() };
        let identities = paths.iter().map(|path| FileIdentity::of(path, path.to_string_lossy()));
        let identities = identities.collect::<Result<_, _>>()?;
        let (mut schema, mut rows, mut notes) = (None, None, Vec::new());
        if format.has_documents() {
            // The beginning of each file is checked, which need not be long.
            let piece_bytes = read.piece_bytes.min(SHORT_SAMPLE);
            let options = RawOptions { read: ReadOptions { piece_bytes, ..read.clone() }, ..RawOptions::default() };
            for path in &paths {
                RawLines::open(path, &options)?;
            }
        } else if format == FileFormat::Csv {
            let sampled = CsvSample::of(&paths, &read)?;
            (schema, notes, read.sampled) = (sampled.schema, sampled.notes, sampled.types);
        } else {
            let mut first: Option<FileReader> = None;
            rows = Some(0);
            for path in &paths {
                let reader = FileReader::open(path, &read)?;
                rows = rows.zip(reader.rows()).map(|(sum, rows)| sum + rows);
                match &first {
                    Some(first) => same_schema((first.path(), first.schema()), (path, reader.schema()))?,
                    None => first = Some(reader),
                }
            }
            schema = first.map(|first| first.schema().clone());
        }
        let (input, once) = (FileInput::Files(paths), Mutex::default());
        Ok(Self { input, format, read, schema, rows, identities, sample: None, notes, once })
    }

    /// The files, or standard input.
    pub fn input(&self) -> &FileInput {
        &self.input
    }

    /// The format that all files have.
    pub fn format(&self) -> FileFormat {
        self.format
    }

    /// The columns and their types; `None` for JSON, which has none.
    pub fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// The number of rows of all files, where the format has it without reading them.
    pub fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// The identities of the files under their paths; none for standard input.
    pub fn identities(&self) -> &[FileIdentity] {
        &self.identities
    }

    /// The findings about the files that a person should know of.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Names the files in [`Self::identities`] otherwise, such as by their paths within a folder.
    #[must_use]
    pub fn with_names(mut self, name: impl Fn(&Path) -> String) -> Self {
        for identity in &mut self.identities {
            identity.path = name(Path::new(&identity.path));
        }
        self
    }

    /// The first rows, with all columns; `None` for JSON, and where there are none. Blocks.
    pub(crate) fn sample_rows(&self) -> Result<Option<DataFrame>, Error> {
        if self.format.has_documents() || self.sample.is_some() {
            return Ok(self.sample.clone());
        }
        for path in self.paths() {
            let read = ReadOptions { columns: None, ..self.read.clone() };
            if let Some(piece) = FileReader::open(path, &read)?.next_piece()? {
                return Ok(Some(piece.frame));
            }
        }
        Ok(None)
    }

    /// Adds the first documents of every file to a sample, and those whose lines are refused to
    /// `refused`, with their file; none for tables. Blocks.
    pub(crate) fn sample_documents(&self, options: &RawOptions, sample: &mut JsonSample) -> Result<Refusals, Error> {
        let mut refusals = Vec::new();
        if !self.format.has_documents() {
            return Ok(refusals);
        }
        let mut add = |lines: &RawLines| {
            // What cannot be parsed as a whole is left to the server.
            lines.sample().iter().for_each(|document| drop(sample.add(document)));
            refusals.extend(lines.refusal().map(|refused| (lines.path().to_owned(), refused)));
        };
        if let Some((Reader::Lines(lines), _)) = &mut *self.once.lock().unwrap_or_else(PoisonError::into_inner) {
            lines.find(options);
            add(lines);
            return Ok(refusals);
        }
        // All files have a say, in a time that does not grow with their number.
        let share = self.read.piece_bytes / self.paths().len().max(1);
        let piece_bytes = share.max(SHORT_SAMPLE).min(self.read.piece_bytes);
        let read = ReadOptions { piece_bytes, ..self.read.clone() };
        let options = RawOptions { read, ..options.clone() };
        for path in self.paths() {
            add(&RawLines::open(path, &options)?);
        }
        Ok(refusals)
    }

    /// The files; none for standard input.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        match &self.input {
            FileInput::Files(paths) => paths,
            FileInput::StandardInput => &[],
        }
    }

    pub(crate) fn read_options(&self) -> &ReadOptions {
        &self.read
    }

    /// An input that can only be read once, with the piece that was read of it already.
    pub(crate) fn take_once(&self) -> Result<(Reader, Option<Piece>), Error> {
        self.once.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(|| {
            Error::new(ErrorKind::Input, "standard input was read already and cannot be read again")
                .with_help("write it to a file, and load that")
        })
    }
}

/// Refuses options that a format has no use for: the place of documents where there is none, and columns to
/// leave out where documents are sent as they are.
fn check_options(format: FileFormat, read: &ReadOptions) -> Result<(), Error> {
    if let Some(records) = read.records.as_ref().filter(|_| format != FileFormat::Json) {
        let message = format!("{} has no array of documents inside at {records}", format.title());
        return Err(
            Error::new(ErrorKind::Request, message).with_help("leave the records out, or set the format to json")
        );
    }
    if let Some(name) = read.leave_out.first().filter(|_| format.has_documents()) {
        let message = format!("{name} cannot be left out of documents in JSON");
        return Err(Error::new(ErrorKind::Request, message)
            .with_help("documents are sent as they are; remove the field by an ingest pipeline of Elasticsearch"));
    }
    Ok(())
}

/// The format of all files.
fn one_format(paths: &[PathBuf], format: Option<FileFormat>) -> Result<FileFormat, Error> {
    if paths.is_empty() {
        return Err(Error::new(ErrorKind::File, "there is no file to load").with_help("name at least one file"));
    }
    if let Some(format) = format {
        return Ok(format);
    }
    let first = FileFormat::required(&paths[0])?;
    for path in &paths[1..] {
        let format = FileFormat::required(path)?;
        if format != first {
            let (one, other) = (paths[0].display(), path.display());
            let titles = (first.title(), format.title());
            let message = format!("{one} and {other} have different formats: {} and {}", titles.0, titles.1);
            return Err(Error::of_file(ErrorKind::Format, path, message).with_help("load them one after the other"));
        }
    }
    Ok(first)
}
