//! Arrow record batches as Polars frames.
//!
//! Two implementations of Arrow meet here: that of Apache, which reads Parquet and Arrow IPC piece by
//! piece, and that of Polars. The format that they share is Arrow IPC. `storage` sees to it that both have
//! the types.

use std::io::Cursor;

use arrow_array::{Array as _, RecordBatch};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef as ArrowSchemaRef;
use polars::prelude::{DataFrame, IpcStreamReader, SchemaRef, SerReader as _};

use super::options::ReadOptions;
use super::read_error::ReadError;

/// Converts record batches to frames.
#[derive(Default)]
pub(crate) struct Bridge {
    /// The batch in the shared format. The memory is reused.
    message: Vec<u8>,
}

impl Bridge {
    pub(crate) fn frame(&mut self, batch: &RecordBatch) -> Result<DataFrame, ReadError> {
        self.message.clear();
        let mut writer = StreamWriter::try_new(&mut self.message, &batch.schema())?;
        writer.write(batch)?;
        writer.finish()?;
        Ok(IpcStreamReader::new(Cursor::new(&self.message)).finish()?)
    }
}

/// The schema that a frame of these record batches has.
pub(crate) fn polars_schema(schema: &ArrowSchemaRef) -> Result<SchemaRef, ReadError> {
    Ok(Bridge::default().frame(&RecordBatch::new_empty(schema.clone()))?.schema().clone())
}

/// A record batch that is returned in parts, as it may be larger than a piece should be.
pub(crate) struct Parts {
    rest: Option<RecordBatch>,
    /// The maximum number of rows of a part.
    rows: usize,
    most_rows: usize,
    most_bytes: usize,
}

impl Parts {
    /// No batch yet; parts have the size of a piece.
    pub(crate) fn new(options: &ReadOptions) -> Self {
        Self { rest: None, rows: 1, most_rows: options.piece_rows.max(1), most_bytes: options.piece_bytes }
    }

    /// Returns true when nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_none()
    }

    /// Discards what is left.
    pub(crate) fn clear(&mut self) {
        self.rest = None;
    }

    /// Takes the next batch that has rows, unless something is left. At the end nothing is left.
    pub(crate) fn fill(
        &mut self,
        batches: &mut impl Iterator<Item = Result<RecordBatch, ReadError>>,
    ) -> Result<(), ReadError> {
        while self.is_empty()
            && let Some(batch) = batches.next().transpose()?
        {
            self.rows = (self.most_bytes / row_bytes(&batch)?).clamp(1, self.most_rows);
            self.rest = Some(batch).filter(|batch| batch.num_rows() > 0);
        }
        Ok(())
    }

    /// The next part.
    pub(crate) fn next(&mut self) -> Option<RecordBatch> {
        self.take(self.rows)
    }

    /// The next rows, at most this many.
    pub(crate) fn take(&mut self, rows: usize) -> Option<RecordBatch> {
        let batch = self.rest.take()?;
        if batch.num_rows() <= rows {
            return Some(batch);
        }
        self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        Some(batch.slice(0, rows))
    }
}

/// The approximate size of a row. The buffers of a batch may be slices of one message, so that their
/// own sizes are meaningless.
fn row_bytes(batch: &RecordBatch) -> Result<usize, ReadError> {
    let mut bytes = 0;
    for column in batch.columns() {
        bytes += column.to_data().get_slice_memory_size()?;
    }
    Ok(bytes.div_ceil(batch.num_rows().max(1)).max(1))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    #[test]
    fn a_batch_is_returned_in_parts() {
        let texts: ArrayRef =
            Arc::new(StringArray::from_iter((0..10).map(|row| (row % 3 > 0).then(|| row.to_string()))));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10));
        let batch = RecordBatch::try_from_iter([("number", numbers), ("text", texts)]).unwrap();
        let mut bridge = Bridge::default();
        let whole = bridge.frame(&batch).unwrap();
        // A row is 8 bytes of a number, an offset of 4, a bit and a digit of two rows in three.
        for (piece_rows, piece_bytes, sizes) in
            [(100, 1 << 20, vec![10]), (4, 1 << 20, vec![4, 4, 2]), (100, 50, vec![3, 3, 3, 1]), (0, 0, vec![1; 10])]
        {
            let mut parts = Parts::new(&ReadOptions { piece_rows, piece_bytes, ..ReadOptions::default() });
            assert!(parts.is_empty() && parts.next().is_none());
            // Batches without rows are skipped.
            let mut batches = [batch.slice(0, 0), batch.clone(), batch.slice(0, 0)].map(Ok).into_iter();
            parts.fill(&mut batches).unwrap();
            let mut from = 0;
            for rows in &sizes {
                let part = bridge.frame(&parts.next().unwrap()).unwrap();
                assert!(
                    part.equals_missing(&whole.slice(from, *rows)),
                    "{piece_rows} rows, {piece_bytes} bytes: {part}"
                );
                from += *rows as i64;
            }
            assert!(parts.is_empty() && parts.next().is_none());
            parts.fill(&mut batches).unwrap();
            assert!(parts.is_empty());
        }
    }
}
