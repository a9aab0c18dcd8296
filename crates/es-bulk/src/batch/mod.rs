//! Request bodies, with the place of each document in them and in the file that it came from.

mod action;
mod builder;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use es_frame::ContentHash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::files::FilePlace;

pub use action::Action;
pub use builder::BatchBuilder;
pub use stream::batched;

/// When a batch is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// The size of a body in bytes. A body goes over it by less than one document.
    pub bytes: usize,
    /// The number of documents.
    pub documents: usize,
    /// How long the first document of a batch waits for others. [`batched`] looks at it by
    /// itself; who pushes into a [`BatchBuilder`] asks for [`BatchBuilder::finish_old`] whenever
    /// the input is slow.
    pub age: Duration,
}

impl Default for BatchLimits {
    /// 4 MiB, 10,000 documents, 1 second.
    fn default() -> Self {
        Self { bytes: 4 << 20, documents: 10_000, age: Duration::from_secs(1) }
    }
}

/// How far a file is settled: everything up to a row of it, and whatever was read before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The file, as it was named to [`BatchBuilder::source`].
    #[serde(serialize_with = "shared_text", deserialize_with = "to_shared_text")]
    pub file: Arc<str>,
    /// Where the piece of the file begins that the row is in.
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

/// The row of a file that something came from.
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
    /// The row as it stands in the file.
    pub text: String,
    /// What is wrong with it.
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
    places: Vec<Place>,
    pieces: Arc<[Piece]>,
    /// With the place of their piece.
    refused: Vec<(Option<u32>, RefusedRow)>,
    /// Piece and row of the last row that is in the batch, as a document or refused.
    last: (Option<u32>, u64),
    has_ids: bool,
}

/// Where a document stands in the body, and what it is. It starts where the one before ends.
#[derive(Clone, Copy, Debug)]
struct Place {
    source: usize,
    end: usize,
    /// The number of the document within the load, from 0.
    number: u64,
    row: u64,
    piece: Option<u32>,
}

impl Batch {
    /// How many documents it has.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it has no document.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The body: an action line and a source line for each document; a removal has no source.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether all documents have ids of their own, so that sending them twice is harmless.
    pub fn has_ids(&self) -> bool {
        self.has_ids
    }

    /// The number of a document within the load, from 0.
    ///
    /// # Panics
    /// When the batch has no such document; so do the other methods that take one.
    pub fn number(&self, document: usize) -> u64 {
        self.places[document].number
    }

    /// The row that a document came from, where it came from a file.
    pub fn origin(&self, document: usize) -> Option<Origin> {
        let place = self.places[document];
        self.origin_of(place.piece, place.row)
    }

    /// Action line and source line of a document, with their line breaks.
    pub fn lines(&self, document: usize) -> &[u8] {
        &self.body[self.start(document)..self.places[document].end]
    }

    /// The rows that never became documents and stood between these.
    pub fn refused(&self) -> impl ExactSizeIterator<Item = &RefusedRow> {
        self.refused.iter().map(|(_, row)| row)
    }

    /// How far its file is settled once this batch and all before it are.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let piece = &self.pieces[self.last.0? as usize];
        Some(Checkpoint { file: piece.file.clone(), place: piece.place, row: self.last.1 })
    }

    /// The fingerprint of the documents, ids included.
    pub fn content(&self) -> ContentHash {
        let mut hash = ContentHash::default();
        for document in 0..self.len() {
            hash.add(self.lines(document));
        }
        hash
    }

    /// The bytes of memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        self.body.len() + size_of_val(self.places.as_slice())
    }

    /// The action line of a document, without its line break.
    pub(crate) fn action(&self, document: usize) -> &[u8] {
        self.body[self.start(document)..self.places[document].source].trim_ascii_end()
    }

    /// Where in [`Batch::lines`] the source of a document begins.
    pub(crate) fn source_start(&self, document: usize) -> usize {
        self.places[document].source - self.start(document)
    }

    /// Takes out the rows that never became documents, with where they stand.
    pub(crate) fn take_refused(&mut self) -> Vec<(Option<Origin>, RefusedRow)> {
        let refused = std::mem::take(&mut self.refused);
        refused.into_iter().map(|(piece, row)| (self.origin_of(piece, row.row), row)).collect()
    }

    /// A batch of some of the documents, in the order given.
    pub(crate) fn subset(&self, documents: &[usize]) -> Self {
        let size = documents.iter().map(|document| self.lines(*document).len()).sum();
        let mut body = BytesMut::with_capacity(size);
        let mut places = Vec::with_capacity(documents.len());
        for &document in documents {
            let place = self.places[document];
            let source = body.len() + (place.source - self.start(document));
            body.extend_from_slice(self.lines(document));
            places.push(Place { source, end: body.len(), ..place });
        }
        self.with(body.freeze(), places)
    }

    /// The two halves of a batch of at least two documents. They share its body.
    pub(crate) fn halves(&self) -> [Self; 2] {
        let middle = self.len() / 2;
        let cut = self.start(middle);
        let (left, right) = self.places.split_at(middle);
        let right = right.iter().map(|place| Place { source: place.source - cut, end: place.end - cut, ..*place });
        [self.with(self.body.slice(..cut), left.to_vec()), self.with(self.body.slice(cut..), right.collect())]
    }

    fn with(&self, body: Bytes, places: Vec<Place>) -> Self {
        Self { body, places, pieces: self.pieces.clone(), refused: Vec::new(), last: self.last, has_ids: self.has_ids }
    }

    fn start(&self, document: usize) -> usize {
        document.checked_sub(1).map_or(0, |before| self.places[before].end)
    }

    fn origin_of(&self, piece: Option<u32>, row: u64) -> Option<Origin> {
        Some(Origin { file: self.pieces[piece? as usize].file.clone(), row })
    }
}

#[cfg(test)]
mod tests;
