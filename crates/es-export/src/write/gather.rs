//! Frames of any height, put together to frames that are worth writing.

use polars::prelude::{DataFrame, Schema};

use crate::error::Error;

/// Rows that wait until they are enough.
pub(super) struct Gather {
    waiting: DataFrame,
    waiting_bytes: usize,
    most_rows: usize,
    most_bytes: usize,
}

impl Gather {
    pub(super) fn new(schema: &Schema, most_rows: usize, most_bytes: usize) -> Self {
        let waiting = DataFrame::empty_with_schema(schema);
        Self { waiting, waiting_bytes: 0, most_rows: most_rows.max(1), most_bytes: most_bytes.max(1) }
    }

    /// Adds rows, and hands on what is whole.
    pub(super) fn push(
        &mut self,
        frame: &DataFrame,
        mut whole: impl FnMut(DataFrame) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if frame.height() == 0 {
            return Ok(());
        }
        self.waiting.vstack_mut(frame)?;
        self.waiting_bytes += frame.estimated_size();
        loop {
            let height = self.waiting.height();
            // As many rows as fit by their average size, but at least one.
            let bytes_a_row = (self.waiting_bytes / height.max(1)).max(1);
            let rows = self.most_rows.min(self.most_bytes / bytes_a_row).max(1);
            if height < rows || height == 0 {
                return Ok(());
            }
            let (group, rest) = self.waiting.split_at(rows as i64);
            self.waiting_bytes -= self.waiting_bytes.min(bytes_a_row * rows);
            self.waiting = rest;
            whole(group)?;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Takes the rows that wait.
    pub(super) fn take(&mut self) -> DataFrame {
        self.waiting_bytes = 0;
        let rest = self.waiting.clear();
        std::mem::replace(&mut self.waiting, rest)
    }
}

/// The same rows, each column in one piece, as most writers want it.
pub(super) fn aligned(mut frame: DataFrame) -> DataFrame {
    frame.rechunk_mut();
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    fn pushed(rows: usize, bytes: usize, heights: &[i64]) -> (Vec<usize>, usize) {
        let schema = Schema::from_iter([("n".into(), DataType::Int64)]);
        let mut gather = Gather::new(&schema, rows, bytes);
        let mut found = Vec::new();
        for height in heights {
            let frame = df!("n" => (0..*height).collect::<Vec<_>>()).unwrap();
            let take = |group: DataFrame| {
                found.push(group.height());
                Ok(())
            };
            gather.push(&frame, take).unwrap();
        }
        let rest = gather.take().height();
        assert_eq!(gather.take().height(), 0);
        (found, rest)
    }

    #[test]
    fn groups_have_so_many_rows_or_so_many_bytes() {
        assert_eq!(pushed(10, 1 << 20, &[4, 0, 4, 4, 25]), (vec![10, 10, 10], 7));
        assert_eq!(pushed(1000, 80, &[4, 4, 4, 25]), (vec![10, 10, 10], 7));
        // A row that is larger than the limit is a group of its own.
        assert_eq!(pushed(1000, 1, &[3]), (vec![1, 1, 1], 0));
        assert_eq!(pushed(10, 1 << 20, &[]), (vec![], 0));
    }
}
