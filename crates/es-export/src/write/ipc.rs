//! Arrow IPC, as a file and as a stream.
//!
//! Text is written as `LargeUtf8` and lists as `LargeList`, which every implementation of
//! Arrow reads; the view types are newer.

use std::io::Write;
use std::path::Path;

use polars::io::ipc::{BatchedWriter, IpcCompression, IpcWriter};
use polars::io::prelude::SerWriter as _;
use polars::prelude::{CompatLevel, DataFrame, Schema, SchemaExt as _};
use polars_arrow::io::ipc::write::{StreamWriter as ArrowStreamWriter, WriteOptions};

use super::FileWriter;
use super::file::{OutputFile, SharedFile};
use super::format::Compression;
use super::gather::Gather;
use crate::error::Error;
use crate::manifest::ManifestFile;

/// Rows and bytes of a record batch in a file.
const BATCH_ROWS: usize = 65_536;
const BATCH_BYTES: usize = 16 * 1024 * 1024;

fn compression(compression: Compression) -> Option<IpcCompression> {
    match compression {
        Compression::Zstd => Some(IpcCompression::ZSTD(Default::default())),
        Compression::Lz4 => Some(IpcCompression::LZ4),
        // The others are refused before.
        _ => None,
    }
}

/// An Arrow IPC file.
pub(super) struct IpcFile {
    file: OutputFile,
    writer: BatchedWriter<SharedFile>,
    waiting: Gather,
    rows: u64,
}

impl IpcFile {
    pub(super) fn create(folder: &Path, name: &str, schema: &Schema, wanted: Compression) -> Result<Self, Error> {
        let file = OutputFile::create(folder, name)?;
        let writer = IpcWriter::new(file.writer())
            .with_compression(compression(wanted))
            .with_compat_level(CompatLevel::oldest());
        let fields = ipc_fields(schema);
        let writer = writer.batched(schema, fields).map_err(|error| file.failure(error))?;
        Ok(Self { file, writer, waiting: Gather::new(schema, BATCH_ROWS, BATCH_BYTES), rows: 0 })
    }
}

fn ipc_fields(schema: &Schema) -> Vec<polars_arrow::io::ipc::IpcField> {
    let arrow = schema.to_arrow(CompatLevel::oldest());
    polars_arrow::io::ipc::write::default_ipc_fields(arrow.iter_values())
}

impl FileWriter for IpcFile {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        self.rows += frame.height() as u64;
        let Self { file, writer, waiting, .. } = self;
        waiting.push(frame, |batch| writer.write_batch(&batch).map_err(|error| file.failure(error)))
    }

    fn held_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    fn release(&mut self) -> Result<(), Error> {
        let batch = self.waiting.take();
        if batch.height() == 0 {
            return Ok(());
        }
        self.writer.write_batch(&batch).map_err(|error| self.file.failure(error))
    }

    fn finish(mut self: Box<Self>) -> Result<ManifestFile, Error> {
        self.release()?;
        self.writer.finish().map_err(|error| self.file.failure(error))?;
        self.file.finish(self.rows)
    }
}

/// An Arrow IPC stream to anything, a record batch a frame.
pub(super) struct IpcStream<W: Write> {
    writer: ArrowStreamWriter<W>,
}

impl<W: Write> IpcStream<W> {
    pub(super) fn start(writer: W, schema: &Schema, wanted: Compression) -> Result<Self, Error> {
        let options = WriteOptions { compression: compression(wanted).map(Into::into) };
        let mut writer = ArrowStreamWriter::new(writer, options);
        writer.start(&schema.to_arrow(CompatLevel::oldest()), None)?;
        Ok(Self { writer })
    }

    /// Writes a frame whose columns are each in one piece.
    pub(super) fn write(&mut self, frame: &DataFrame) -> Result<(), Error> {
        for batch in frame.iter_chunks(CompatLevel::oldest(), false) {
            self.writer.write(&batch, None)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<W, Error> {
        self.writer.finish()?;
        Ok(self.writer.into_inner())
    }
}

/// A file that holds an Arrow IPC stream.
pub(super) struct StreamFile {
    file: OutputFile,
    stream: IpcStream<SharedFile>,
    waiting: Gather,
    rows: u64,
}

impl StreamFile {
    pub(super) fn create(folder: &Path, name: &str, schema: &Schema, wanted: Compression) -> Result<Self, Error> {
        let file = OutputFile::create(folder, name)?;
        let stream = IpcStream::start(file.writer(), schema, wanted).map_err(|error| file.failure(error))?;
        Ok(Self { file, stream, waiting: Gather::new(schema, BATCH_ROWS, BATCH_BYTES), rows: 0 })
    }
}

impl FileWriter for StreamFile {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        self.rows += frame.height() as u64;
        let Self { file, stream, waiting, .. } = self;
        waiting.push(frame, |batch| stream.write(&batch).map_err(|error| file.failure(error)))
    }

    fn held_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    fn release(&mut self) -> Result<(), Error> {
        let batch = self.waiting.take();
        if batch.height() == 0 {
            return Ok(());
        }
        self.stream.write(&batch).map_err(|error| self.file.failure(error))
    }

    fn finish(mut self: Box<Self>) -> Result<ManifestFile, Error> {
        self.release()?;
        let Self { file, stream, rows, .. } = *self;
        stream.finish().map_err(|error| file.failure(error))?;
        file.finish(rows)
    }
}
