//! What the text formats have in common: the next chunk of whole records, and the way back
//! to an earlier one.

use super::options::ReadOptions;
use super::place::FilePlace;
use super::records::{Chunk, Quoting, Records};
use super::source::Source;
use super::trouble::Trouble;

/// A text that is read in chunks.
pub(crate) struct Text {
    source: Source,
    records: Records,
    quoting: Quoting,
    piece_bytes: usize,
}

impl Text {
    pub(crate) fn open(mut source: Source, quoting: Quoting, options: &ReadOptions) -> Result<Self, Trouble> {
        let bytes = source.open_at(0)?;
        let records = Records::new(bytes, 0, quoting, options.piece_bytes);
        Ok(Self { source, records, quoting, piece_bytes: options.piece_bytes })
    }

    /// The next whole records, or `None` at the end. No records at all while a pipe is silent.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, Trouble> {
        self.records.next()
    }

    /// As [`Self::next`], however long it takes to come.
    pub(crate) fn next_with_text(&mut self) -> Result<Option<Chunk>, Trouble> {
        loop {
            match self.next()? {
                Some(silence) if silence.text.is_empty() => {}
                next => return Ok(next),
            }
        }
    }

    /// Goes to a place at once, if the place and the source allow it. Otherwise the text has
    /// to be read over.
    pub(crate) fn jump(&mut self, place: FilePlace) -> Result<bool, Trouble> {
        let Some(offset) = place.bytes.filter(|_| self.source.can_return()) else { return Ok(false) };
        self.records = Records::new(self.source.open_at(offset)?, offset, self.quoting, self.piece_bytes);
        Ok(true)
    }
}

/// The failure of a text that was read over and has no piece that begins at a place.
pub(crate) fn no_such_place(place: FilePlace) -> Trouble {
    Trouble::Place(format!("no piece of it begins after row {}", place.rows))
}
