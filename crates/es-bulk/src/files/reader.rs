//! One file, read a piece at a time, whatever its format.

use std::fs::File;
use std::io::{Read, Seek as _};
use std::path::{Path, PathBuf};

use polars::prelude::SchemaRef;

use super::format::{Compression, FileFormat};
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::source::{Source, open};
use super::trouble::Trouble;
use super::{csv, ipc, ipc_stream, json_lines, parquet};
use crate::error::{Error, ErrorKind};

/// How a message of an Arrow IPC stream begins.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// What a format has to know.
pub(crate) trait Format: Send {
    fn schema(&self) -> &SchemaRef;
    /// The number of rows, where the format says it without reading all.
    fn rows(&self) -> Option<u64> {
        None
    }
    fn place(&self) -> FilePlace;
    fn seek(&mut self, place: FilePlace) -> Result<(), Trouble>;
    fn next_piece(&mut self) -> Result<Option<Piece>, Trouble>;
}

/// A file that is read a piece at a time.
pub struct FileReader {
    path: PathBuf,
    inner: Box<dyn Format>,
}

impl FileReader {
    /// Opens a file.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when it cannot be opened, [`ErrorKind::Format`] when it is not of
    /// its format.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, Error> {
        let format = match options.format {
            Some(format) => format,
            None => FileFormat::of_name(path)?,
        };
        let mut file = open(path)?;
        let format = told_apart(&mut file, format).map_err(|trouble| not_of_format(path, format, trouble))?;
        check_compression(path, format, options.compression.unwrap_or(Compression::of_name(path)))?;
        let opened = match format {
            FileFormat::Parquet => parquet::Reader::open(file, options).map(boxed),
            FileFormat::Ipc => ipc::Reader::open(file, options).map(boxed),
            FileFormat::Csv | FileFormat::Ndjson | FileFormat::IpcStream => {
                opened(Source::of(file, path, options.compression), format, options)
            }
        };
        let inner = opened.map_err(|trouble| not_of_format(path, format, trouble))?;
        Ok(Self { path: path.to_owned(), inner })
    }

    /// Reads standard input. The first bytes tell whether it is compressed, unless the
    /// options say so.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] for a format that is not read from left to right, and when the
    /// input is not of the format.
    pub fn stdin(format: FileFormat, options: &ReadOptions) -> Result<Self, Error> {
        Self::from_reader("standard input", std::io::stdin(), format, options)
    }

    /// Reads bytes that come from elsewhere; errors call them by `name`.
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
        if !format.is_stream() {
            let message = format!("{name} cannot be {}: that is read from its end", with_article(format));
            return Err(Error::of_file(ErrorKind::Format, &path, message)
                .with_help("write it to a file, or send CSV, NDJSON or an Arrow IPC stream"));
        }
        let source = Source::Once(Some(Box::new(bytes)), options.compression);
        let inner = opened(source, format, options).map_err(|trouble| not_of_format(&path, format, trouble))?;
        Ok(Self { path, inner })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The columns of the file and their types, whichever of them are read.
    pub fn schema(&self) -> &SchemaRef {
        self.inner.schema()
    }

    /// The number of rows, where the format says it without reading all.
    pub fn rows(&self) -> Option<u64> {
        self.inner.rows()
    }

    /// Where the next piece begins.
    pub fn place(&self) -> FilePlace {
        self.inner.place()
    }

    /// Goes on reading at a place that a reader of the same file, with the same options,
    /// told. That is quick for Parquet, Arrow IPC files and plain text; anything else is
    /// read over. Compressed text is, too, but without being parsed.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when the file has no such place, and for a place that lies behind
    /// in an input that cannot be read again.
    pub fn seek(&mut self, place: FilePlace) -> Result<(), Error> {
        self.inner.seek(place).map_err(|trouble| self.failure(trouble))
    }

    /// The next rows, or `None` at the end.
    ///
    /// A piece has at most [`ReadOptions::piece_rows`] rows and about
    /// [`ReadOptions::piece_bytes`]. Parquet is decoded a few pages at a time, however large
    /// its row groups are; of Arrow IPC a whole record batch is in memory. What has come of a
    /// pipe does not wait for more than a quarter of a second, and while nothing comes, a piece
    /// without rows is handed out as often; its first piece may take three seconds, as columns
    /// and their types are told by it.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] when the rest of the file is damaged, [`ErrorKind::File`] when
    /// it cannot be read. All whole rows before that were handed out.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, Error> {
        self.inner.next_piece().map_err(|trouble| self.failure(trouble))
    }

    fn failure(&self, trouble: Trouble) -> Error {
        damaged(&self.path, self.place(), trouble)
    }
}

/// Files of both Arrow IPC formats have the same names; the file format begins with its own.
fn told_apart(file: &mut File, format: FileFormat) -> Result<FileFormat, Trouble> {
    if format != FileFormat::Ipc {
        return Ok(format);
    }
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(if start == CONTINUATION { FileFormat::IpcStream } else { FileFormat::Ipc })
}

fn boxed(format: impl Format + 'static) -> Box<dyn Format> {
    Box::new(format)
}

fn opened(source: Source, format: FileFormat, options: &ReadOptions) -> Result<Box<dyn Format>, Trouble> {
    match format {
        FileFormat::Csv => csv::Reader::open(source, options).map(boxed),
        FileFormat::Ndjson => json_lines::Reader::open(source, options).map(boxed),
        FileFormat::IpcStream => ipc_stream::Reader::open(source, options).map(boxed),
        FileFormat::Parquet | FileFormat::Ipc => Err(Trouble::content("it cannot be read from left to right")),
    }
}

fn check_compression(path: &Path, format: FileFormat, compression: Compression) -> Result<(), Error> {
    if format.is_stream() || compression == Compression::None {
        return Ok(());
    }
    let message = format!("{} is {} that is compressed as a whole", path.display(), with_article(format));
    Err(Error::of_file(ErrorKind::Format, path, message)
        .with_help("decompress it first: the format compresses its columns itself"))
}

/// The failure to read on after a place.
pub(crate) fn damaged(path: &Path, place: FilePlace, trouble: Trouble) -> Error {
    let read = match place.bytes {
        Some(bytes) => format!("{} rows and {bytes} bytes of text", place.rows),
        None => format!("{} rows", place.rows),
    };
    let (kind, what) = match &trouble {
        Trouble::Content { .. } => (ErrorKind::Format, format!("is damaged: {trouble}, after {read}")),
        Trouble::Read(_) => (ErrorKind::File, format!("cannot be read: {trouble}, after {read}")),
        Trouble::Place(_) => (ErrorKind::File, format!("cannot be read from there: {trouble}")),
    };
    let error = Error::of_file(kind, path, format!("{} {what}", path.display()));
    match trouble {
        Trouble::Read(source) => error.with_source(source),
        Trouble::Content { source: Some(source), .. } => error.with_source(source),
        Trouble::Content { source: None, .. } => error,
        Trouble::Place(_) => error.with_help("the file has changed; load it from its start"),
    }
}

/// The failure to make out anything at all.
pub(crate) fn not_of_format(path: &Path, format: FileFormat, trouble: Trouble) -> Error {
    if matches!(trouble, Trouble::Read(_)) {
        return damaged(path, FilePlace::default(), trouble);
    }
    let message = format!("{} is not {} file: {trouble}", path.display(), with_article(format));
    let error = Error::of_file(ErrorKind::Format, path, message)
        .with_help("check the file, or set `format` if its name does not tell what it is");
    match trouble {
        Trouble::Content { source: Some(source), .. } => error.with_source(source),
        _ => error,
    }
}

fn with_article(format: FileFormat) -> String {
    let article = match format {
        FileFormat::Ipc | FileFormat::IpcStream | FileFormat::Ndjson => "an",
        FileFormat::Parquet | FileFormat::Csv => "a",
    };
    format!("{article} {format}")
}
