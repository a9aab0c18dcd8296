//! The files of an export, and streams of rows: one writer a format.
//!
//! [`FileOptions::check`] says whether a format can hold the columns before a row is read. A
//! [`FileWriter`] takes frames of one schema and holds a bounded number of rows; its file is
//! hashed, and synced at the end. A [`StreamWriter`] writes to anything, such as standard
//! output. Which rows go into which file, and when files become visible, is decided by
//! [`Export`](crate::Export).

mod avro;
mod batched;
mod check;
mod compressed;
mod csv;
mod features;
mod file;
mod format;
mod gather;
mod ipc;
mod ndjson;
mod npy;
mod npz;
mod parquet;
mod safetensors;
mod spool;
mod stream;
mod tensor;
mod tensor_file;
mod tfrecord;
mod vectors;
mod written;

use std::path::Path;

use polars::prelude::{DataFrame, Schema};

use crate::encode::Encoders;
use crate::error::{Error, ErrorKind};
use file::NewFile;
use ndjson::Lines;
use npz::Npz;
use safetensors::Safetensors;
use tensor_file::TensorFile;

pub use features::{Feature, FeatureDescription, NullPolicy};
pub(crate) use format::named;
pub use format::{Compression, FileOptions, Format, ParquetOptions};
pub(crate) use ipc::{schema_message, schema_of_message};
pub use stream::{StreamSummary, StreamWriter};
pub use written::ManifestFile;

/// A file being written. Dropped before [`FileWriter::finish`], it stays as a torso that the
/// caller removes.
pub trait FileWriter: Send {
    /// Adds rows. The frame has the columns of the schema, in its order.
    ///
    /// # Errors
    /// [`DiskFull`](crate::ErrorKind::DiskFull) and [`Io`](crate::ErrorKind::Io) name the
    /// file, [`Value`](crate::ErrorKind::Value) the column with a value that the format has no
    /// form for.
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error>;

    /// About how many bytes of rows wait in memory to be written. Whoever writes many files at
    /// once adds them up, and calls [`FileWriter::release`] where they are too many.
    fn held_bytes(&self) -> usize {
        0
    }

    /// Writes what waits in memory, though more at once would make a better file.
    ///
    /// # Errors
    /// As [`FileWriter::push`].
    fn release(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Writes what is left, puts the file on disk, and says what it is.
    ///
    /// # Errors
    /// As [`FileWriter::push`].
    fn finish(self: Box<Self>) -> Result<ManifestFile, Error>;
}

/// Begins a file. `name` is its path within the folder, with `/` and the format's
/// [extension](FileOptions::extension); folders on the way are made. Formats of tensors put a
/// description of the features beside it, with what `encoders` knows of the columns.
///
/// # Errors
/// As [`FileOptions::check`] and [`FileWriter::push`].
pub fn create(
    options: impl Into<FileOptions>,
    folder: &Path,
    name: &str,
    schema: &Schema,
    encoders: Option<&Encoders>,
) -> Result<Box<dyn FileWriter>, Error> {
    let options = options.into();
    options.check(schema)?;
    let compression = options.compression();
    let file = NewFile { folder, name, is_durable: true };
    Ok(match options.format {
        Format::Parquet => Box::new(parquet::create(&file, schema, compression, &options.parquet)?),
        Format::Ipc => Box::new(ipc::create(&file, schema, compression)?),
        Format::IpcStream => Box::new(ipc::create_stream(&file, schema, compression)?),
        Format::Csv => Box::new(csv::CsvFile::create(&file, schema, b',', compression)?),
        Format::Tsv => Box::new(csv::CsvFile::create(&file, schema, b'\t', compression)?),
        Format::Ndjson => Box::new(ndjson::JsonFile::create(&file, Lines::Ndjson, compression)?),
        Format::Json => Box::new(ndjson::JsonFile::create(&file, Lines::Array, compression)?),
        Format::Avro => Box::new(avro::create(&file, schema, compression)?),
        Format::Npy => Box::new(npy::NpyFile::create(folder, name, schema, encoders)?),
        Format::Npz => Box::new(TensorFile::<Npz>::create(folder, name, schema, encoders)?),
        Format::Safetensors => Box::new(TensorFile::<Safetensors>::create(folder, name, schema, encoders)?),
        Format::Tfrecord => Box::new(tfrecord::TfRecordFile::create(folder, name, schema, encoders)?),
    })
}

/// Begins a scratch file for another program on this machine, which is neither hashed nor synced.
///
/// # Errors
/// As [`create`], and [`ErrorKind::Format`] for formats that are not Arrow or Parquet.
pub(crate) fn create_scratch(options: FileOptions, path: &Path, schema: &Schema) -> Result<Box<dyn FileWriter>, Error> {
    options.check(schema)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().unwrap_or(Path::new(""));
    let file = NewFile { folder, name: &name, is_durable: false };
    let compression = options.compression();
    Ok(match options.format {
        Format::Parquet => Box::new(parquet::create(&file, schema, compression, &options.parquet)?),
        Format::Ipc => Box::new(ipc::create(&file, schema, compression)?),
        Format::IpcStream => Box::new(ipc::create_stream(&file, schema, compression)?),
        other => {
            return Err(Error::new(ErrorKind::Format, format!("{other} is not a format of spools"))
                .with_help("choose parquet, ipc or ipc-stream"));
        }
    })
}
