//! Collects documents into batches.

use std::collections::VecDeque;
use std::sync::Arc;

#[cfg(feature = "frames")]
use es_frame::DocumentWriter;
use serde::Serialize;
use tokio::time::Instant;

use super::{Action, Batch, BatchLimits, DocumentSpan, Piece, RefusedRow};
use crate::error::{Error, ErrorKind};
use crate::files::FilePlace;

/// Collects documents into batches.
///
/// Documents of files are counted by row: [`BatchBuilder::source`] begins a piece of a file,
/// [`BatchBuilder::refuse`] names the rows of it that are not documents, and each document pushed
/// then is the next row, unless [`BatchBuilder::at_row`] sets another one.
#[derive(Debug)]
pub struct BatchBuilder {
    limits: BatchLimits,
    body: Vec<u8>,
    spans: Vec<DocumentSpan>,
    pieces: Vec<Piece>,
    refused: Vec<(Option<u32>, RefusedRow)>,
    /// Rows of the piece that are not documents and follow the last one added.
    ahead: VecDeque<RefusedRow>,
    /// The number of the next document.
    next: u64,
    /// The last row of the file that was passed.
    row: u64,
    has_ids: bool,
    /// The time at which the first document or refused row of the batch was added.
    since: Option<Instant>,
    /// Bytes of the refused rows.
    refused_bytes: usize,
    /// The expected size of the next batch, by the one before.
    expected: usize,
}

impl BatchBuilder {
    /// A builder of batches of the given size.
    pub fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            body: Vec::new(),
            spans: Vec::new(),
            pieces: Vec::new(),
            refused: Vec::new(),
            ahead: VecDeque::new(),
            next: 0,
            row: 0,
            has_ids: true,
            since: None,
            refused_bytes: 0,
            expected: 0,
        }
    }

    /// Numbers the documents from this number on, for a load that resumes.
    pub fn numbered_from(mut self, number: u64) -> Self {
        self.next = number;
        self
    }

    /// Begins a piece of a file: what is pushed from now on comes from there.
    pub fn source(&mut self, file: Arc<str>, place: FilePlace) {
        self.pass_refused(None);
        self.pieces.push(Piece { file, place });
        self.row = place.rows;
    }

    /// Sets the row of the file that the next document is, counted from 1.
    pub fn at_row(&mut self, row: u64) {
        self.row = row.saturating_sub(1);
    }

    /// Adds a row of the piece that is not a document. Rows are refused in their order and before
    /// the documents of the piece are pushed, and go into the batch of the rows around them.
    pub fn refuse(&mut self, row: RefusedRow) {
        self.since.get_or_insert_with(Instant::now);
        self.ahead.push_back(row);
    }

    /// Adds all rows of a frame and returns the batches that became full.
    ///
    /// # Errors
    /// [`ErrorKind::Row`] when a row cannot become a document.
    #[cfg(feature = "frames")]
    pub fn push_frame(&mut self, writer: &DocumentWriter<'_>) -> Result<Vec<Batch>, Error> {
        let mut full = Vec::new();
        for row in 0..writer.rows() {
            full.extend(self.push_row(writer, row)?);
        }
        Ok(full)
    }

    /// Adds one row and returns the batch if it became full.
    ///
    /// # Errors
    /// [`ErrorKind::Row`] when the row cannot become a document; the batch is as before, and
    /// the row counts as passed.
    #[cfg(feature = "frames")]
    pub fn push_row(&mut self, writer: &DocumentWriter<'_>, row: usize) -> Result<Option<Batch>, Error> {
        self.push(writer.is_repeatable(), |body| Ok(writer.write_lines(row, body)?))
    }

    /// Adds one row, as [`BatchBuilder::push_row`] does, of a frame that lacks rows of the file:
    /// `number` is the row's number in the file, from 1.
    ///
    /// # Errors
    /// As [`BatchBuilder::push_row`].
    #[cfg(feature = "frames")]
    pub fn push_numbered_row(
        &mut self,
        writer: &DocumentWriter<'_>,
        row: usize,
        number: u64,
    ) -> Result<Option<Batch>, Error> {
        self.at_row(number);
        self.push_row(writer, row)
    }

    /// Adds a document that is JSON already, and returns the batch if it became full. Line
    /// breaks in the source become spaces; the server checks that it is valid JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Row`] when the source is empty or the server would refuse the action.
    pub fn push_json(&mut self, action: &Action<'_>, source: &[u8]) -> Result<Option<Batch>, Error> {
        self.push(action.id.is_some(), |body| action.write_lines(source, body))
    }

    /// Adds a document of any type that can be written as JSON, and returns the batch if it
    /// became full.
    ///
    /// # Errors
    /// [`ErrorKind::Row`] when it cannot be written as JSON or the server would refuse the
    /// action.
    pub fn push_document(&mut self, action: &Action<'_>, document: &impl Serialize) -> Result<Option<Batch>, Error> {
        let source = serde_json::to_vec(document).map_err(|source| {
            Error::new(ErrorKind::Row, format!("a document cannot be written as JSON: {source}")).with_source(source)
        })?;
        self.push_json(action, &source)
    }

    /// Adds the lines of a document as they are to be sent: the action line, and the source line
    /// if it has one, with their line breaks.
    pub(crate) fn push_lines(&mut self, has_id: bool, action: &[u8], source: &[u8]) -> Result<Option<Batch>, Error> {
        self.push(has_id, |body| {
            body.extend_from_slice(action);
            let start = body.len();
            body.extend_from_slice(source);
            Ok(start)
        })
    }

    fn push(
        &mut self,
        has_id: bool,
        write: impl FnOnce(&mut Vec<u8>) -> Result<usize, Error>,
    ) -> Result<Option<Batch>, Error> {
        self.pass_refused(Some(self.row + 1));
        self.row += 1;
        if self.body.capacity() == 0 {
            self.body.reserve(self.expected);
        }
        let start = self.body.len();
        let source = match write(&mut self.body) {
            Ok(source) => source,
            Err(error) => {
                self.body.truncate(start);
                return Err(error);
            }
        };
        self.has_ids &= has_id;
        self.since.get_or_insert_with(Instant::now);
        let (end, piece) = (self.body.len(), self.piece());
        self.spans.push(DocumentSpan { source, end, number: self.next, row: self.row, piece });
        self.next += 1;
        let is_full = self.body.len() + self.refused_bytes >= self.limits.bytes
            || self.spans.len() + self.refused.len() >= self.limits.documents;
        Ok(if is_full { self.cut() } else { None })
    }

    /// Returns the batch of what is left, if anything is.
    pub fn finish(&mut self) -> Option<Batch> {
        self.pass_refused(None);
        self.cut()
    }

    /// Returns the batch of what is left, if its first document has waited for others for
    /// [`BatchLimits::age`].
    pub fn finish_old(&mut self) -> Option<Batch> {
        if self.old_at().is_some_and(|old| Instant::now() >= old) { self.finish() } else { None }
    }

    /// The time at which what is left is old, if anything is left and ever will be.
    pub(super) fn old_at(&self) -> Option<Instant> {
        self.since?.checked_add(self.limits.age)
    }

    fn cut(&mut self) -> Option<Batch> {
        if self.spans.is_empty() && self.refused.is_empty() {
            return None;
        }
        let (body, spans) = (std::mem::take(&mut self.body), std::mem::take(&mut self.spans));
        // A sixteenth more than the last one, so that it rarely has to move.
        self.expected = (body.len() + body.len() / 16).min(self.limits.bytes.saturating_mul(2));
        let last = (self.piece(), self.row);
        let kept = self.pieces.last().cloned();
        let pieces = std::mem::replace(&mut self.pieces, kept.into_iter().collect());
        let refused = std::mem::take(&mut self.refused);
        (self.refused_bytes, self.since) = (0, None);
        let has_ids = std::mem::replace(&mut self.has_ids, true);
        Some(Batch { body: body.into(), spans, pieces: pieces.into(), refused, last, has_ids })
    }

    /// Puts refused rows into the batch: those that come right before the next row, which may be
    /// one of them itself, or all that are left.
    fn pass_refused(&mut self, next: Option<u64>) {
        let mut next = next;
        while let Some(first) = self.ahead.front() {
            match next {
                Some(number) if first.row > number => break,
                Some(number) if first.row == number => next = Some(number + 1),
                _ => {}
            }
            let piece = self.piece();
            if let Some(row) = self.ahead.pop_front() {
                self.row = self.row.max(row.row);
                self.refused_bytes += row.text.len();
                self.refused.push((piece, row));
            }
        }
    }

    fn piece(&self) -> Option<u32> {
        // More pieces in one batch than a number has room for do not fit into memory.
        self.pieces.len().checked_sub(1).and_then(|last| u32::try_from(last).ok())
    }
}
