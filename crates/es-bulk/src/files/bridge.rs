//! Arrow record batches as Polars frames.
//!
//! Two implementations of Arrow meet here: the one of Apache, which reads Parquet and Arrow
//! streams piece by piece, and the one inside of Polars. They share a format, Arrow IPC.

use std::io::Cursor;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{Schema as ArrowSchema, SchemaRef as ArrowSchemaRef};
use polars::prelude::{DataFrame, IpcStreamReader, SchemaRef, SerReader as _};

use super::trouble::Trouble;

/// Collects record batches until they are enough for a frame.
pub(crate) struct Bridge {
    writer: StreamWriter<Vec<u8>>,
    rows: usize,
}

impl Bridge {
    pub(crate) fn new(schema: &ArrowSchema) -> Result<Self, Trouble> {
        Self::with_room(schema, 0)
    }

    /// With memory for so many bytes, so that what is collected need not move.
    pub(crate) fn with_room(schema: &ArrowSchema, bytes: usize) -> Result<Self, Trouble> {
        Ok(Self { writer: StreamWriter::try_new(Vec::with_capacity(bytes), schema)?, rows: 0 })
    }

    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), Trouble> {
        self.writer.write(batch)?;
        self.rows += batch.num_rows();
        Ok(())
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The size of what was collected.
    pub(crate) fn bytes(&self) -> usize {
        self.writer.get_ref().len()
    }

    /// All batches as one frame.
    pub(crate) fn finish(self) -> Result<DataFrame, Trouble> {
        let mut frame = IpcStreamReader::new(Cursor::new(self.writer.into_inner()?)).finish()?;
        frame.rechunk_mut();
        Ok(frame)
    }
}

/// What Polars makes of a schema.
pub(crate) fn polars_schema(schema: &ArrowSchemaRef) -> Result<SchemaRef, Trouble> {
    Ok(Bridge::new(schema)?.finish()?.schema().clone())
}
