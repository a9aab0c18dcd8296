//! Arrow IPC streams, a record batch at a time.

use std::io::BufReader;

use arrow_array::{Array as _, RecordBatch};
use arrow_ipc::reader::StreamReader;
use polars::prelude::{DataFrame, SchemaRef};

use super::bridge::{Bridge, polars_schema};
use super::input::Input;
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::reader::Format;
use super::records::PATIENCE;
use super::source::Source;
use super::trouble::Trouble;

pub(crate) struct Reader {
    source: Source,
    batches: StreamReader<BufReader<Input>>,
    schema: SchemaRef,
    piece_rows: usize,
    piece_bytes: usize,
    next: u64,
    /// What was not handed out yet of the batch that was read last.
    rest: Option<RecordBatch>,
    /// How many rows of that batch make a piece.
    step: usize,
}

impl Reader {
    pub(crate) fn open(mut source: Source, options: &ReadOptions) -> Result<Self, Trouble> {
        let batches = StreamReader::try_new_buffered(source.open_at(0)?, None)?;
        let schema = polars_schema(&batches.schema())?;
        let (piece_rows, piece_bytes) = (options.piece_rows, options.piece_bytes);
        Ok(Self { source, batches, schema, piece_rows, piece_bytes, next: 0, rest: None, step: 1 })
    }

    /// Whether a pipe has nothing to say for a while, after its first batch.
    fn is_silent(&mut self) -> bool {
        if self.next == 0 || self.rest.as_ref().is_some_and(|rest| rest.num_rows() > 0) {
            return false;
        }
        let bytes = self.batches.get_mut();
        bytes.buffer().is_empty() && !bytes.get_mut().wait(Some(PATIENCE))
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Trouble> {
        loop {
            if let Some(rest) = self.rest.take().filter(|rest| rest.num_rows() > 0) {
                return Ok(Some(rest));
            }
            let Some(batch) = self.batches.next().transpose()? else { return Ok(None) };
            self.step = (self.piece_bytes / row_bytes(&batch)?).min(self.piece_rows).max(1);
            self.rest = Some(batch);
        }
    }
}

impl Format for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn place(&self) -> FilePlace {
        FilePlace { rows: self.next, bytes: None }
    }

    fn seek(&mut self, place: FilePlace) -> Result<(), Trouble> {
        if self.source.can_return() {
            self.batches = StreamReader::try_new_buffered(self.source.open_at(0)?, None)?;
            (self.next, self.rest) = (0, None);
        }
        if place.rows < self.next {
            return Err(Trouble::Place("the input cannot be read again".into()));
        }
        while self.next < place.rows {
            let Some(batch) = self.next_batch()? else {
                return Err(Trouble::Place(format!("it has {} rows, not {}", self.next, place.rows)));
            };
            let passed = usize::try_from(place.rows - self.next).unwrap_or(usize::MAX).min(batch.num_rows());
            self.rest = Some(batch.slice(passed, batch.num_rows() - passed));
            self.next += passed as u64;
        }
        Ok(())
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, Trouble> {
        let place = self.place();
        if self.is_silent() {
            return Ok(Some(Piece::without_gaps(DataFrame::empty_with_schema(&self.schema), place)));
        }
        let Some(batch) = self.next_batch()? else { return Ok(None) };
        let rows = self.step.min(batch.num_rows());
        self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        let mut piece = Bridge::new(&batch.schema())?;
        piece.push(&batch.slice(0, rows))?;
        self.next += rows as u64;
        Ok(Some(Piece::without_gaps(piece.finish()?, place)))
    }
}

/// The size of a row, about. The buffers of a batch are parts of one message, so their own
/// sizes say nothing.
fn row_bytes(batch: &RecordBatch) -> Result<usize, Trouble> {
    let mut bytes = 0;
    for column in batch.columns() {
        bytes += column.to_data().get_slice_memory_size()?;
    }
    Ok(bytes.div_ceil(batch.num_rows().max(1)).max(1))
}
