//! Arrow IPC files, a record batch at a time.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use polars::prelude::{DataFrame, Schema, SchemaExt as _, SchemaRef};
use polars_arrow::io::ipc::read::{FileReader, get_row_count, read_file_metadata};

use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::table_format::TableFormat;

pub(crate) struct Reader {
    batches: Box<FileReader<BufReader<File>>>,
    schema: SchemaRef,
    piece_rows: usize,
    piece_bytes: usize,
    rows: u64,
    next: u64,
    /// The rest of the batch that was read last.
    rest: Option<DataFrame>,
}

impl Reader {
    pub(crate) fn open(file: File, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut file = BufReader::new(file);
        let metadata = read_file_metadata(&mut file)?;
        let rows = u64::try_from(get_row_count(&mut file)?).unwrap_or(0);
        let schema = Arc::new(Schema::from_arrow_schema(metadata.schema.as_ref()));
        Ok(Self {
            batches: Box::new(FileReader::new(file, metadata, None, None)),
            schema,
            piece_rows: options.piece_rows,
            piece_bytes: options.piece_bytes,
            rows,
            next: 0,
            rest: None,
        })
    }
}

impl TableFormat for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn place(&self) -> FilePlace {
        FilePlace { rows: self.next, bytes: None }
    }

    fn seek(&mut self, place: FilePlace) -> Result<(), ReadError> {
        if place.rows > self.rows {
            return Err(ReadError::Position(format!("it has {} rows, not {}", self.rows, place.rows)));
        }
        let inside = self.batches.skip_blocks_till_limit(place.rows)?;
        self.rest = None;
        if inside > 0
            && let Some(batch) = self.batches.next().transpose()?
        {
            let batch = DataFrame::from(batch);
            let passed = usize::try_from(inside).unwrap_or(usize::MAX).min(batch.height());
            self.rest = Some(batch.slice(passed as i64, batch.height() - passed));
        }
        self.next = place.rows;
        Ok(())
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, ReadError> {
        let frame = loop {
            let next = match self.rest.take() {
                Some(rest) => Some(rest),
                None => self.batches.next().transpose()?.map(DataFrame::from),
            };
            match next {
                None => return Ok(None),
                Some(empty) if empty.height() == 0 => {}
                Some(frame) => break frame,
            }
        };
        let place = self.place();
        let rows = rows_of_piece(&frame, self.piece_rows, self.piece_bytes);
        let now = if frame.height() <= rows {
            frame
        } else {
            let (now, rest) = frame.split_at(rows as i64);
            self.rest = Some(rest);
            now
        };
        self.next += now.height() as u64;
        Ok(Some(Piece { frame: now, place, refused: Vec::new() }))
    }
}

/// The number of a frame's rows that make a piece.
fn rows_of_piece(frame: &DataFrame, piece_rows: usize, piece_bytes: usize) -> usize {
    let row_bytes = frame.estimated_size().div_ceil(frame.height().max(1)).max(1);
    (piece_bytes / row_bytes).min(piece_rows).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn rows_and_bytes_limit_a_piece() {
        let frame = df!("a" => (0..100_i64).collect::<Vec<_>>()).unwrap();
        for (rows, bytes, expected) in [(10, 1 << 20, 10), (1000, 80, 10), (1000, 1, 1), (0, 800, 1)] {
            assert_eq!(rows_of_piece(&frame, rows, bytes), expected, "{rows} rows, {bytes} bytes");
        }
    }
}
