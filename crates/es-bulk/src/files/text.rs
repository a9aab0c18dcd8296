//! Text in chunks of whole records, with a way back to an earlier chunk.

use super::byte_source::{ByteSource, TextEncoding};
use super::options::ReadOptions;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::records::{Chunk, Quoting, Records};

/// A text that is read in chunks.
pub(crate) struct Text {
    source: ByteSource,
    encoding: TextEncoding,
    records: Records,
    piece_bytes: usize,
}

impl Text {
    pub(crate) fn open(source: ByteSource, quoting: Quoting, options: &ReadOptions) -> Result<Self, ReadError> {
        Self::open_as(source, TextEncoding::Utf8, quoting, options)
    }

    /// Opens a text of some encoding, and returns it in UTF-8.
    pub(crate) fn open_as(
        mut source: ByteSource,
        mut encoding: TextEncoding,
        quoting: Quoting,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let bytes = source.open_text_at(0, &mut encoding)?;
        let records = Records::new(bytes, 0, quoting, options.piece_bytes);
        Ok(Self { source, encoding, records, piece_bytes: options.piece_bytes })
    }

    /// The byte that ends a line.
    pub(crate) fn line_end(&self) -> u8 {
        self.records.line_end()
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
        let bytes = self.source.open_text_at(offset, &mut self.encoding)?;
        self.records = Records::new(bytes, offset, self.records.quoting(), self.piece_bytes);
        Ok(true)
    }
}

/// The failure of a text without a piece that begins at a place.
pub(crate) fn no_such_place(place: FilePlace) -> ReadError {
    ReadError::Position(format!("no piece of it begins after row {}", place.rows))
}
