//! Text in chunks of whole records, with a way back to an earlier chunk.

use super::byte_source::ByteSource;
use super::options::ReadOptions;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::records::{Chunk, Quoting, Records};

/// A text that is read in chunks.
pub(crate) struct Text {
    source: ByteSource,
    records: Records,
    quoting: Quoting,
    piece_bytes: usize,
}

impl Text {
    pub(crate) fn open(mut source: ByteSource, quoting: Quoting, options: &ReadOptions) -> Result<Self, ReadError> {
        let bytes = source.open_at(0)?;
        let records = Records::new(bytes, 0, quoting, options.piece_bytes);
        Ok(Self { source, records, quoting, piece_bytes: options.piece_bytes })
    }

    /// The next whole records, or `None` at the end. An empty chunk while a pipe is silent.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, ReadError> {
        self.records.next()
    }

    /// As [`Self::next`], but waits for any time.
    pub(crate) fn next_with_text(&mut self) -> Result<Option<Chunk>, ReadError> {
        loop {
            match self.next()? {
                Some(silence) if silence.text.is_empty() => {}
                next => return Ok(next),
            }
        }
    }

    /// Goes to a place directly, if the place and the source allow it. Otherwise the text has to be read
    /// from its start.
    pub(crate) fn jump(&mut self, place: FilePlace) -> Result<bool, ReadError> {
        let Some(offset) = place.bytes.filter(|_| self.source.can_return()) else { return Ok(false) };
        self.records = Records::new(self.source.open_at(offset)?, offset, self.quoting, self.piece_bytes);
        Ok(true)
    }
}

/// The failure of a text without a piece that begins at a place.
pub(crate) fn no_such_place(place: FilePlace) -> ReadError {
    ReadError::Position(format!("no piece of it begins after row {}", place.rows))
}
