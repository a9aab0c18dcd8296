//! Files as frames of bounded size.
//!
//! [`FileReader`] reads Parquet, CSV, newline-delimited JSON and Arrow IPC files a piece at
//! a time, all with the schema of the whole file. Reading blocks: call it from a thread that
//! may.

mod csv;
mod delimited;
mod format;
mod ipc;
mod json_lines;
mod parquet;
mod place;

use std::fs::File;
use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, Schema, SchemaRef};

use crate::error::{Error, ErrorKind};

pub use format::FileFormat;
pub use place::FilePlace;

/// Rows of a frame, at most, unless the caller says otherwise.
pub const DEFAULT_ROWS: usize = 50_000;

/// A file that is read a frame at a time.
pub struct FileReader {
    path: PathBuf,
    inner: Inner,
}

enum Inner {
    Parquet(parquet::Reader),
    Csv(csv::Reader),
    JsonLines(json_lines::Reader),
    Ipc(ipc::Reader),
}

impl FileReader {
    /// Opens a file. Without a format, the name's extension tells it.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when it cannot be opened, [`ErrorKind::Format`] when it is not of
    /// its format.
    pub fn open(path: &Path, format: Option<FileFormat>) -> Result<Self, Error> {
        let format = match format {
            Some(format) => format,
            None => FileFormat::of_name(path)?,
        };
        let file = open(path)?;
        let opened = match format {
            FileFormat::Parquet => parquet::Reader::open(file).map(Inner::Parquet),
            FileFormat::Csv => csv::Reader::open(file).map(Inner::Csv),
            FileFormat::Ndjson => json_lines::Reader::open(file).map(Inner::JsonLines),
            FileFormat::Ipc => ipc::Reader::open(file).map(Inner::Ipc),
        };
        let inner = opened.map_err(|error| not_of_format(path, format, error))?;
        Ok(Self { path: path.to_owned(), inner })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The schema of every frame.
    pub fn schema(&self) -> &SchemaRef {
        match &self.inner {
            Inner::Parquet(reader) => reader.schema(),
            Inner::Csv(reader) => reader.schema(),
            Inner::JsonLines(reader) => reader.schema(),
            Inner::Ipc(reader) => reader.schema(),
        }
    }

    /// Reads these columns alone from now on, where the format can leave others unread.
    /// Columns that the file lacks are not read.
    pub fn project(&mut self, columns: &[String]) {
        if let Inner::Parquet(reader) = &mut self.inner {
            reader.project(columns);
        }
    }

    /// The number of rows, where the format says it without reading all.
    pub fn rows(&self) -> Option<u64> {
        match &self.inner {
            Inner::Parquet(reader) => Some(reader.rows()),
            Inner::Csv(_) | Inner::JsonLines(_) | Inner::Ipc(_) => None,
        }
    }

    /// The next rows, at most about `rows`, or `None` at the end. Parquet and Arrow IPC keep
    /// to the number, though of Arrow IPC a whole record batch is in memory; text formats
    /// read pieces of a fixed size.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] when the rest of the file is damaged.
    pub fn next_frame(&mut self, rows: usize) -> Result<Option<DataFrame>, Error> {
        let frame = match &mut self.inner {
            Inner::Parquet(reader) => reader.next_frame(rows),
            Inner::Csv(reader) => reader.next_frame(),
            Inner::JsonLines(reader) => reader.next_frame(),
            Inner::Ipc(reader) => reader.next_frame(rows),
        };
        let path = &self.path;
        let frame = frame.map_err(|error| {
            Error::of_file(ErrorKind::Format, path, format!("{} is damaged: {error}", path.display()))
                .with_source(error)
        })?;
        Ok(frame.map(|mut frame| {
            frame.rechunk_mut();
            frame
        }))
    }
}

fn open(path: &Path) -> Result<File, Error> {
    let failed = |source: std::io::Error| {
        let help = match source.kind() {
            std::io::ErrorKind::NotFound => "paths are relative to the folder of the pipeline file",
            std::io::ErrorKind::PermissionDenied => "check who may read the file",
            _ => "check the path",
        };
        Error::of_file(ErrorKind::File, path, format!("{} cannot be opened: {source}", path.display()))
            .with_help(help)
            .with_source(source)
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(Error::of_file(ErrorKind::File, path, format!("{} is a folder", path.display()))
            .with_help("name the files in it, for instance with *.parquet"));
    }
    Ok(file)
}

fn not_of_format(path: &Path, format: FileFormat, error: polars::error::PolarsError) -> Error {
    let article = if format == FileFormat::Ipc { "an" } else { "a" };
    Error::of_file(ErrorKind::Format, path, format!("{} is not {article} {format} file: {error}", path.display()))
        .with_help("check the file, or set `format` if its name does not tell what it is")
        .with_source(error)
}

/// Whether two files can be read as one: the same columns of the same types.
///
/// # Errors
/// [`ErrorKind::Format`] names the first column that differs.
pub fn same_schema(first: (&Path, &Schema), second: (&Path, &Schema)) -> Result<(), Error> {
    let (first_path, first) = first;
    let (second_path, second) = second;
    let differs = |what: String| {
        let message = format!("{} and {} differ: {what}", first_path.display(), second_path.display());
        Error::of_file(ErrorKind::Format, second_path, message)
            .with_help("files of one asset need the same columns of the same types")
    };
    for (name, dtype) in first.iter() {
        match second.get(name) {
            None => return Err(differs(format!("the second lacks column {name}"))),
            Some(other) if other != dtype => {
                return Err(differs(format!("column {name} is {dtype} in the first and {other} in the second")));
            }
            Some(_) => {}
        }
    }
    match second.iter_names().find(|name| first.get(name).is_none()) {
        Some(name) => Err(differs(format!("the first lacks column {name}"))),
        None => Ok(()),
    }
}
