//! Request bodies, with the place of each document in them.

use bytes::{Bytes, BytesMut};
use es_frame::{ContentHash, DocumentWriter};

use crate::error::Error;

/// When a batch is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// The size of a body in bytes. A body goes over it by less than one document.
    pub bytes: usize,
    /// The number of documents.
    pub documents: usize,
}

impl Default for BatchLimits {
    /// 4 MiB, 10,000 documents.
    fn default() -> Self {
        Self { bytes: 4 << 20, documents: 10_000 }
    }
}

/// The body of one bulk request.
#[derive(Clone, Debug)]
pub struct Batch {
    body: Bytes,
    /// For each document where its source starts and where it ends, line break included.
    places: Vec<Place>,
    /// The number of the first document within the load, from 0.
    first: u64,
    /// Whether the documents have ids of their own.
    has_ids: bool,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    source: usize,
    end: usize,
    /// How far the document is from the first one of the load that this batch was cut from.
    offset: usize,
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

    /// The body: an action line and a source line for each document.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether the documents have ids of their own, so that sending them twice is harmless.
    pub fn has_ids(&self) -> bool {
        self.has_ids
    }

    /// The number of a document within the load, from 0.
    pub fn number(&self, document: usize) -> u64 {
        self.first + self.places[document].offset as u64
    }

    /// Action line and source line of a document, with their line breaks.
    pub fn lines(&self, document: usize) -> &[u8] {
        let place = self.places[document];
        &self.body[place.start..place.end]
    }

    /// The fingerprint of the documents, ids included.
    pub fn content(&self) -> ContentHash {
        let mut hash = ContentHash::default();
        for document in 0..self.len() {
            hash.add(self.lines(document));
        }
        hash
    }

    /// A batch of some of the documents, in the order given.
    pub(crate) fn subset(&self, documents: &[usize]) -> Self {
        let size = documents.iter().map(|document| self.lines(*document).len()).sum();
        let mut body = BytesMut::with_capacity(size);
        let mut places = Vec::with_capacity(documents.len());
        for document in documents {
            let place = self.places[*document];
            let start = body.len();
            body.extend_from_slice(self.lines(*document));
            places.push(Place {
                start,
                source: start + (place.source - place.start),
                end: body.len(),
                offset: place.offset,
            });
        }
        Self { body: body.freeze(), places, first: self.first, has_ids: self.has_ids }
    }

    /// The two halves of a batch of at least two documents.
    pub(crate) fn halves(&self) -> [Self; 2] {
        let all: Vec<usize> = (0..self.len()).collect();
        let (left, right) = all.split_at(self.len() / 2);
        [self.subset(left), self.subset(right)]
    }

    /// The source of a document, without its line break.
    pub(crate) fn source(&self, document: usize) -> &[u8] {
        let place = self.places[document];
        self.body[place.source..place.end].trim_ascii_end()
    }
}

/// Collects rows into batches.
#[derive(Debug)]
pub struct BatchBuilder {
    limits: BatchLimits,
    body: Vec<u8>,
    places: Vec<Place>,
    next: u64,
    has_ids: bool,
}

impl BatchBuilder {
    /// A builder of batches of the given size.
    pub fn new(limits: BatchLimits) -> Self {
        Self { limits, body: Vec::with_capacity(limits.bytes), places: Vec::new(), next: 0, has_ids: true }
    }

    /// Adds all rows of a frame and returns the batches that became full.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Row`] when a row cannot become a document.
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
    /// [`crate::ErrorKind::Row`] when the row cannot become a document; the batch is as before.
    pub fn push_row(&mut self, writer: &DocumentWriter<'_>, row: usize) -> Result<Option<Batch>, Error> {
        let start = self.body.len();
        let written = writer.write_lines(row, &mut self.body);
        let source = match written {
            Ok(source) => source,
            Err(error) => {
                self.body.truncate(start);
                return Err(error.into());
            }
        };
        self.has_ids &= writer.has_ids();
        self.places.push(Place { start, source, end: self.body.len(), offset: self.places.len() });
        if self.body.len() >= self.limits.bytes || self.places.len() >= self.limits.documents {
            return Ok(self.finish());
        }
        Ok(None)
    }

    /// The batch of what is left, if anything is.
    pub fn finish(&mut self) -> Option<Batch> {
        if self.places.is_empty() {
            return None;
        }
        let body = std::mem::replace(&mut self.body, Vec::with_capacity(self.limits.bytes));
        let places = std::mem::take(&mut self.places);
        let first = self.next;
        self.next += places.len() as u64;
        Some(Batch { body: body.into(), places, first, has_ids: self.has_ids })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    fn batches(limits: BatchLimits) -> Vec<Batch> {
        let frame = df!("k" => ["a", "b", "c", "d", "e"], "n" => [1, 2, 3, 4, 5]).unwrap();
        let writer = DocumentWriter::new(&frame, &["k"]).unwrap();
        let mut builder = BatchBuilder::new(limits);
        let mut all = builder.push_frame(&writer).unwrap();
        all.extend(builder.finish());
        assert!(builder.finish().is_none());
        all
    }

    #[test]
    fn batches_end_at_documents() {
        let by_count = batches(BatchLimits { documents: 2, bytes: 1 << 20 });
        assert_eq!(by_count.iter().map(Batch::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(by_count[1].lines(1), b"{\"index\":{\"_id\":\"d\"}}\n{\"k\":\"d\",\"n\":4}\n");
        assert_eq!((by_count[1].number(1), by_count[1].source(1)), (3, &b"{\"k\":\"d\",\"n\":4}"[..]));
        let by_bytes = batches(BatchLimits { documents: 100, bytes: 1 });
        assert_eq!(by_bytes.len(), 5);
    }

    #[test]
    fn subsets_keep_the_numbers_of_their_documents() {
        let whole = &batches(BatchLimits::default())[0];
        let some = whole.subset(&[1, 4]);
        assert_eq!(some.body(), &[whole.lines(1), whole.lines(4)].concat());
        assert_eq!([some.number(0), some.number(1)], [1, 4]);
        let [left, right] = some.halves();
        assert_eq!((left.number(0), right.number(0), right.source(0)), (1, 4, whole.source(4)));
    }

    #[test]
    fn the_content_does_not_depend_on_how_it_was_cut() {
        let one = batches(BatchLimits::default())[0].content();
        let mut many = ContentHash::default();
        for batch in batches(BatchLimits { documents: 1, bytes: 1 }) {
            many.merge(batch.content());
        }
        assert_eq!(one, many);
    }

    #[test]
    fn a_row_that_fails_leaves_the_batch_as_it_was() {
        let frame = df!("k" => [Some("a"), None, Some("c")]).unwrap();
        let writer = DocumentWriter::new(&frame, &["k"]).unwrap();
        let mut builder = BatchBuilder::new(BatchLimits::default());
        builder.push_row(&writer, 0).unwrap();
        builder.push_row(&writer, 1).unwrap_err();
        builder.push_row(&writer, 2).unwrap();
        let batch = builder.finish().unwrap();
        assert_eq!((batch.len(), batch.source(1)), (2, &b"{\"k\":\"c\"}"[..]));
    }
}
