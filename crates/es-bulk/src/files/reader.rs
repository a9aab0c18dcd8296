//! A file of rows and columns, read a piece at a time, whatever its format.

use std::fs::File;
use std::io::{Read, Seek as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::{PlSmallStr, SchemaRef};

use super::byte_source::{ByteSource, open};
use super::csv_kinds::Kinds;
use super::csv_options::Delimiter;
use super::format::{Compression, FileFormat};
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::{ReadError, damaged, not_of_format, with_article};
use super::storage::RefusedColumn;
use super::stream::panic_text;
use super::table_format::TableFormat;
use super::{csv, ipc, ipc_stream, parquet};
use crate::error::{Error, ErrorKind};

/// The first bytes of a message of an Arrow IPC stream.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// A file of rows and columns that is read a piece at a time: Parquet, CSV or Arrow IPC. JSON holds
/// documents without columns; [`RawLines`](super::RawLines) reads them.
pub struct FileReader {
    path: PathBuf,
    inner: Box<dyn TableFormat>,
    /// The columns of the file, without those that are left out.
    schema: SchemaRef,
    leave_out: Vec<String>,
}

impl FileReader {
    /// Opens a file.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when it cannot be opened, [`ErrorKind::Format`] when it does not follow its
    /// format, or is JSON, and when a column that is not left out has a type that cannot be read.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, Error> {
        let format = match options.format {
            Some(format) => format,
            None => FileFormat::required(path)?,
        };
        refuse_documents(path, format)?;
        let mut file = open(path)?;
        let format = which_ipc(&mut file, format).map_err(|error| not_of_format(path, format, error))?;
        check_compression(path, format, options.compression.unwrap_or(Compression::of_path(path)))?;
        let opened = unless_it_panics(path, || match format {
            FileFormat::Parquet => parquet::Reader::open(file, options).map(boxed),
            FileFormat::Ipc => ipc::Reader::open(file, options).map(boxed),
            _ => {
                let usual = usual_delimiter(path);
                open_stream(ByteSource::of(file, path, options.compression), format, options, usual)
            }
        })?;
        let inner = opened.map_err(|error| not_of_format(path, format, error))?;
        Self::new(path.to_owned(), inner, options)
    }

    fn new(path: PathBuf, inner: Box<dyn TableFormat>, options: &ReadOptions) -> Result<Self, Error> {
        let leave_out = &options.leave_out;
        let refused = inner.refused();
        let is_known = |name: &str| inner.schema().contains(name) || refused.iter().any(|column| column.name == name);
        if let Some(unknown) = leave_out.iter().find(|name| !is_known(name)) {
            let message = format!("{} has no column `{unknown}` that could be left out", path.display());
            let columns = inner.schema().iter_names().map(|name| name.as_str());
            return Err(Error::of_file(ErrorKind::Request, &path, message)
                .with_help(es_values::suggestion(unknown, "columns", columns)));
        }
        if let Some(RefusedColumn { name, why }) = refused.iter().find(|column| !leave_out.contains(&column.name)) {
            return Err(Error::of_file(ErrorKind::Format, &path, format!("{}: column {name} {why}", path.display()))
                .with_help(format!(
                    "leave the column out, `leave_out: [{name}]`, on the command line `--leave-out {name}`, or write \
                     it in another type"
                )));
        }
        let schema = if leave_out.is_empty() {
            inner.schema().clone()
        } else {
            let kept = inner.schema().iter().filter(|(name, _)| !leave_out.iter().any(|out| out == name.as_str()));
            Arc::new(kept.map(|(name, dtype)| (name.clone(), dtype.clone())).collect())
        };
        let leave_out = leave_out.clone();
        Ok(Self { path, inner, schema, leave_out })
    }

    /// Reads standard input. Its compression is recognized by its first bytes, unless the options set
    /// it.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] for a format that is not read from start to end, for JSON, and when the
    /// input does not follow the format.
    pub fn stdin(format: FileFormat, options: &ReadOptions) -> Result<Self, Error> {
        Self::from_reader("standard input", std::io::stdin(), format, options)
    }

    /// Reads bytes from elsewhere; errors call them by `name`.
    ///
    /// # Errors
    /// As [`Self::stdin`].
    pub fn from_reader(
        name: &str,
        bytes: impl Read + Send + 'static,
        format: FileFormat,
        options: &ReadOptions,
    ) -> Result<Self, Error> {
        let path = PathBuf::from(name);
        refuse_documents(&path, format)?;
        if !format.is_stream() {
            let message = format!("{name} cannot be {} file: that is read from its end", with_article(format));
            return Err(Error::of_file(ErrorKind::Format, &path, message)
                .with_help("write it to a file, or send CSV, NDJSON or an Arrow IPC stream"));
        }
        let source = ByteSource::Once(Some(Box::new(bytes)), options.compression);
        let opened = unless_it_panics(&path, || open_stream(source, format, options, None))?;
        let inner = opened.map_err(|error| not_of_format(&path, format, error))?;
        Self::new(path, inner, options)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The columns of the file and their types, whichever of them are read, without those that are left
    /// out.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The number of rows, where the format has it without reading all.
    pub fn rows(&self) -> Option<u64> {
        self.inner.rows()
    }

    /// The kinds of values at the beginning of a text.
    pub(crate) fn kinds(&self) -> Option<&[(PlSmallStr, Kinds)]> {
        self.inner.kinds()
    }

    /// The findings about the file that a person should know of, such as the name that a column without one
    /// was given.
    pub fn notes(&self) -> &[String] {
        self.inner.notes()
    }

    /// The beginning of the next piece.
    pub fn place(&self) -> FilePlace {
        self.inner.place()
    }

    /// Continues reading at a place that a reader of the same file returned. That is quick for Parquet,
    /// Arrow IPC files and plain text; other files are read from their start. So is compressed text, but
    /// without being parsed.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when the file has no such place, and for a place before the current one in an
    /// input that cannot be read again.
    pub fn seek(&mut self, place: FilePlace) -> Result<(), Error> {
        let inner = &mut self.inner;
        let sought = unless_it_panics(&self.path, || inner.seek(place))?;
        sought.map_err(|error| self.failure(error))
    }

    /// The next rows, or `None` at the end.
    ///
    /// A piece has at most [`ReadOptions::piece_rows`] rows and about [`ReadOptions::piece_bytes`].
    /// Parquet is decoded a few pages at a time, however large its row groups are; of Arrow IPC a whole
    /// record batch is in memory. What came of a pipe is returned within a quarter of a second, and
    /// while nothing comes, a piece without rows is returned as often; the first piece may take three
    /// seconds, as it settles the columns and their types.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] when the rest of the file is damaged, [`ErrorKind::File`] when
    /// it cannot be read. All whole rows before that were returned.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, Error> {
        let inner = &mut self.inner;
        let piece = unless_it_panics(&self.path, || inner.next_piece())?.map_err(|error| self.failure(error))?;
        Ok(piece.map(|piece| match self.leave_out.as_slice() {
            [] => piece,
            names => Piece { frame: piece.frame.drop_many(names.iter().map(String::as_str)), ..piece },
        }))
    }

    fn failure(&self, error: ReadError) -> Error {
        damaged(&self.path, self.place(), error)
    }
}

/// Makes an error of a panic of a library that reads a file: it has met what it does not know.
fn unless_it_panics<T>(path: &Path, read: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(read)).map_err(|panic| {
        let message = format!("{} cannot be read: {}", path.display(), panic_text(&*panic));
        Error::of_file(ErrorKind::Format, path, message)
            .with_help("this is a defect of the program that reads it; report it with the file")
    })
}

/// Finds out which of the Arrow IPC formats a file has, as both have the same extensions.
fn which_ipc(file: &mut File, format: FileFormat) -> Result<FileFormat, ReadError> {
    if format != FileFormat::Ipc {
        return Ok(format);
    }
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(if start == CONTINUATION { FileFormat::IpcStream } else { FileFormat::Ipc })
}

/// The delimiter that a name stands for: tab for `.tsv`, compressed or not.
fn usual_delimiter(path: &Path) -> Option<Delimiter> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    name.split('.').skip(1).any(|part| part == "tsv").then_some(Delimiter::TAB)
}

fn boxed(format: impl TableFormat + 'static) -> Box<dyn TableFormat> {
    Box::new(format)
}

fn open_stream(
    source: ByteSource,
    format: FileFormat,
    options: &ReadOptions,
    usual: Option<Delimiter>,
) -> Result<Box<dyn TableFormat>, ReadError> {
    match format {
        FileFormat::Csv => csv::Reader::open(source, options, usual).map(boxed),
        FileFormat::IpcStream => ipc_stream::Reader::open(source, options).map(boxed),
        _ => Err(ReadError::content("it cannot be read as a stream of rows")),
    }
}

/// Refuses JSON documents, whose columns would have to be guessed from some of them.
fn refuse_documents(path: &Path, format: FileFormat) -> Result<(), Error> {
    if !format.has_documents() {
        return Ok(());
    }
    let message = format!("{} is {}, which holds documents without columns", path.display(), format.title());
    Err(Error::of_file(ErrorKind::Format, path, message)
        .with_help("load it with `files::batches` or `load_files`, or read it with `RawLines`"))
}

fn check_compression(path: &Path, format: FileFormat, compression: Compression) -> Result<(), Error> {
    if format.is_stream() || compression == Compression::None {
        return Ok(());
    }
    let message = format!("{} is {} file that is compressed as a whole", path.display(), with_article(format));
    Err(Error::of_file(ErrorKind::Format, path, message)
        .with_help("decompress it first: the format compresses its columns itself"))
}
