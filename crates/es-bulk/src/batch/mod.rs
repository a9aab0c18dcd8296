//! Request bodies, with the position of each document in them and in the file that it came from.

mod action;
mod builder;
#[cfg(feature = "frames")]
mod frames;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use es_core::ContentHash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::files::FilePlace;
use crate::options::BulkOptions;

pub use action::Action;
pub use builder::BatchBuilder;
#[cfg(feature = "frames")]
pub use frames::{FrameInput, batched_frames, batched_frames_with};
pub use stream::{batched, batched_with};

/// The limits of a batch; see also [`BulkOptions::batch_limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// The size of a body in bytes. A body goes over it by less than one document.
    pub bytes: usize,
    /// The number of documents.
    pub documents: usize,
    /// The time that the first document of a batch waits for others. [`batched`] observes it by
    /// itself; callers that fill a [`BatchBuilder`] call [`BatchBuilder::finish_old`] whenever
    /// the input is slow.
    pub age: Duration,
}

impl Default for BatchLimits {
    /// Those of the default options: 8 MiB, 10,000 documents, 1 second.
    fn default() -> Self {
        BulkOptions::default().batch_limits()
    }
}

/// A point up to which everything is settled: a row of a file, with all that was read before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The file, as it was named to [`BatchBuilder::source`].
    #[serde(serialize_with = "shared_text", deserialize_with = "to_shared_text")]
    pub file: Arc<str>,
    /// The start of the piece of the file that the row is in.
    pub place: FilePlace,
    /// The last row of the file that is settled, counted from 1.
    pub row: u64,
}

fn shared_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn to_shared_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    String::deserialize(deserializer).map(Arc::from)
}

/// The row of a file that a document came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, as it was named to [`BatchBuilder::source`].
    pub file: Arc<str>,
    /// The row, counted from 1.
    pub row: u64,
}

/// A row that never became a document, such as a line of broken JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// The row of the file, counted from 1.
    pub row: u64,
    /// The text of the row.
    pub text: String,
    /// The reason why it is not a document.
    pub reason: String,
}

/// A piece of a file that documents came from.
#[derive(Clone, Debug)]
struct Piece {
    file: Arc<str>,
    place: FilePlace,
}

/// The body of one bulk request.
#[derive(Clone, Debug)]
pub struct Batch {
    body: Bytes,
    spans: Vec<DocumentSpan>,
    pieces: Arc<[Piece]>,
    /// With the position of their piece.
    refused: Vec<(Option<u32>, RefusedRow)>,
    /// Piece and number of the last row in the batch, be it a document or refused.
    last: (Option<u32>, u64),
    has_ids: bool,
}

/// The position of a document in the body, and its origin. It starts where the one before ends.
#[derive(Clone, Copy, Debug)]
struct DocumentSpan {
    source: usize,
    end: usize,
    /// The number of the document within the load, from 0.
    number: u64,
    row: u64,
    piece: Option<u32>,
}

impl Batch {
    /// The number of documents.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Tells whether it has no document.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The body: an action line and a source line for each document; a removal has no source.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Tells whether all documents have ids of their own, so that sending them twice is harmless.
    pub fn has_ids(&self) -> bool {
        self.has_ids
    }

    /// The number of a document within the load, from 0.
    ///
    /// # Panics
    /// When the batch has no such document; so do the other methods that take one.
    pub fn number(&self, document: usize) -> u64 {
        self.spans[document].number
    }

    /// The row that a document came from, where it came from a file.
    pub fn origin(&self, document: usize) -> Option<Origin> {
        let span = self.spans[document];
        self.origin_of(span.piece, span.row)
    }

    /// The row that a document came from, counted from 1: in its file, or without one among all
    /// that was added to the builder.
    pub(crate) fn row(&self, document: usize) -> u64 {
        self.spans[document].row
    }

    /// The action line and the source line of a document, with their line breaks.
    pub fn lines(&self, document: usize) -> &[u8] {
        &self.body[self.start(document)..self.spans[document].end]
    }

    /// The rows between these documents that never became one.
    pub fn refused(&self) -> impl ExactSizeIterator<Item = &RefusedRow> {
        self.refused.iter().map(|(_, row)| row)
    }

    /// The point up to which its file is settled once this batch and all before it are.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let piece = &self.pieces[self.last.0? as usize];
        Some(Checkpoint { file: piece.file.clone(), place: piece.place, row: self.last.1 })
    }

    /// The hash of the documents, ids included.
    pub fn content(&self) -> ContentHash {
        let mut hash = ContentHash::default();
        for document in 0..self.len() {
            hash.add(self.lines(document));
        }
        hash
    }

    /// The bytes of memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        self.body.len() + size_of_val(self.spans.as_slice())
    }

    /// The action line of a document, without its line break.
    pub(crate) fn action(&self, document: usize) -> &[u8] {
        self.body[self.start(document)..self.spans[document].source].trim_ascii_end()
    }

    /// The position in [`Batch::lines`] at which the source of a document begins.
    pub(crate) fn source_start(&self, document: usize) -> usize {
        self.spans[document].source - self.start(document)
    }

    /// Takes out the rows that never became documents, with their origin.
    pub(crate) fn take_refused(&mut self) -> Vec<(Option<Origin>, RefusedRow)> {
        let refused = std::mem::take(&mut self.refused);
        refused.into_iter().map(|(piece, row)| (self.origin_of(piece, row.row), row)).collect()
    }

    /// Returns a batch of some of the documents, in the order given.
    pub(crate) fn subset(&self, documents: &[usize]) -> Self {
        let size = documents.iter().map(|document| self.lines(*document).len()).sum();
        let mut body = BytesMut::with_capacity(size);
        let mut spans = Vec::with_capacity(documents.len());
        for &document in documents {
            let span = self.spans[document];
            let source = body.len() + (span.source - self.start(document));
            body.extend_from_slice(self.lines(document));
            spans.push(DocumentSpan { source, end: body.len(), ..span });
        }
        self.with(body.freeze(), spans)
    }

    /// Returns the two halves of a batch of at least two documents. They share its body.
    pub(crate) fn halves(&self) -> [Self; 2] {
        let middle = self.len() / 2;
        let cut = self.start(middle);
        let (left, right) = self.spans.split_at(middle);
        let right = right.iter().map(|span| DocumentSpan { source: span.source - cut, end: span.end - cut, ..*span });
        [self.with(self.body.slice(..cut), left.to_vec()), self.with(self.body.slice(cut..), right.collect())]
    }

    fn with(&self, body: Bytes, spans: Vec<DocumentSpan>) -> Self {
        Self { body, spans, pieces: self.pieces.clone(), refused: Vec::new(), last: self.last, has_ids: self.has_ids }
    }

    fn start(&self, document: usize) -> usize {
        document.checked_sub(1).map_or(0, |before| self.spans[before].end)
    }

    fn origin_of(&self, piece: Option<u32>, row: u64) -> Option<Origin> {
        Some(Origin { file: self.pieces[piece? as usize].file.clone(), row })
    }
}

#[cfg(test)]
#[cfg(feature = "frames")]
mod tests;
