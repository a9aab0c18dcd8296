//! Arrow IPC, as a file and as a stream.
//!
//! Text is written as `LargeUtf8` and lists as `LargeList`, which every implementation of
//! Arrow reads; the view types are newer.

use std::io::Write;

use polars::io::ipc::{BatchedWriter, IpcCompression, IpcWriter};
use polars::io::prelude::SerWriter as _;
use polars::prelude::{CompatLevel, DataFrame, Schema, SchemaExt as _};
use polars_arrow::io::ipc::read::read_stream_metadata;
use polars_arrow::io::ipc::write::{StreamWriter as ArrowStreamWriter, WriteOptions};

use super::batched::{BatchedFile, Batches};
use super::file::{NewFile, SharedFile};
use super::format::Compression;
use super::gather::{Gather, aligned};
use crate::error::Error;

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

/// The first message of an Arrow stream of these columns.
pub(crate) fn schema_message(schema: &Schema) -> Result<Vec<u8>, Error> {
    let mut message = Vec::new();
    IpcStream::start(&mut message, schema, Compression::Uncompressed)?;
    Ok(message)
}

/// The columns of a stream by its first message.
pub(crate) fn schema_of_message(mut message: &[u8]) -> Result<Schema, Error> {
    Ok(Schema::from_arrow_schema(&read_stream_metadata(&mut message)?.schema))
}

fn batches(schema: &Schema) -> Gather {
    Gather::new(schema, BATCH_ROWS, BATCH_BYTES)
}

/// Begins an Arrow IPC file.
pub(super) fn create(
    file: &NewFile<'_>,
    schema: &Schema,
    wanted: Compression,
) -> Result<BatchedFile<BatchedWriter<SharedFile>>, Error> {
    BatchedFile::create(file, batches(schema), |out| {
        let writer = IpcWriter::new(out).with_compression(compression(wanted)).with_compat_level(CompatLevel::oldest());
        Ok(writer.batched(schema, ipc_fields(schema))?)
    })
}

fn ipc_fields(schema: &Schema) -> Vec<polars_arrow::io::ipc::IpcField> {
    let arrow = schema.to_arrow(CompatLevel::oldest());
    polars_arrow::io::ipc::write::default_ipc_fields(arrow.iter_values())
}

impl Batches for BatchedWriter<SharedFile> {
    fn write(&mut self, batch: DataFrame) -> Result<(), Error> {
        Ok(self.write_batch(&aligned(batch))?)
    }

    fn finish(mut self) -> Result<(), Error> {
        Ok(BatchedWriter::finish(&mut self)?)
    }
}

/// Begins a file that holds an Arrow IPC stream.
pub(super) fn create_stream(
    file: &NewFile<'_>,
    schema: &Schema,
    wanted: Compression,
) -> Result<BatchedFile<IpcStream<SharedFile>>, Error> {
    BatchedFile::create(file, batches(schema), |out| IpcStream::start(out, schema, wanted))
}

impl Batches for IpcStream<SharedFile> {
    fn write(&mut self, batch: DataFrame) -> Result<(), Error> {
        IpcStream::write(self, &aligned(batch))
    }

    fn finish(self) -> Result<(), Error> {
        IpcStream::finish(self).map(drop)
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
