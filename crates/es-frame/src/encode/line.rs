//! The line that is being written: the end of a vector, with room ahead.
//!
//! Appending a few bytes at a time to a `Vec` costs a call to `memcpy` for each piece. Here
//! the vector is made longer than the line first, pieces are copied in windows of a fixed
//! size, which compile to one or two stores, and the position moves on by what of it counts.
//! When the line goes out of scope, the vector ends where the line does.

/// The room that is added beyond the need when there is too little.
const SLACK: usize = 256;

/// Bytes being appended to a vector.
pub(crate) struct Line<'v> {
    out: &'v mut Vec<u8>,
    at: usize,
}

impl<'v> Line<'v> {
    /// A line at the end of a vector, with room for so many bytes to begin with.
    pub(crate) fn new(out: &'v mut Vec<u8>, room: usize) -> Self {
        let at = out.len();
        out.resize(at + room, 0);
        Self { out, at }
    }

    /// The position of the next byte, from the start of the vector.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Forgets what was written from a position on.
    #[inline]
    pub(crate) fn rewind(&mut self, at: usize) {
        self.at = at;
    }

    /// The bytes written from a position on.
    pub(crate) fn since(&self, from: usize) -> &[u8] {
        &self.out[from..self.at]
    }

    /// Writes over a byte that was written before.
    #[inline]
    pub(crate) fn set(&mut self, at: usize, byte: u8) {
        self.out[at] = byte;
    }

    /// The next bytes, to be written to. What of them counts is told with [`Line::advance`].
    #[inline(always)]
    pub(crate) fn window<const N: usize>(&mut self) -> &mut [u8; N] {
        if self.out.len() - self.at < N {
            self.grow(N);
        }
        let Some(window) = self.out[self.at..].first_chunk_mut() else { unreachable!("the room was made above") };
        window
    }

    /// The next bytes, as many as asked for.
    pub(crate) fn slice(&mut self, bytes: usize) -> &mut [u8] {
        if self.out.len() - self.at < bytes {
            self.grow(bytes);
        }
        &mut self.out[self.at..][..bytes]
    }

    /// Makes so many bytes of the last window part of the line.
    #[inline(always)]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
        debug_assert!(self.at <= self.out.len());
    }

    /// Appends the first bytes of an array.
    #[inline(always)]
    pub(crate) fn put_prefix<const N: usize>(&mut self, bytes: &[u8; N], length: usize) {
        *self.window() = *bytes;
        self.advance(length);
    }

    /// Appends one byte.
    #[inline(always)]
    pub(crate) fn put(&mut self, byte: u8) {
        *self.window() = [byte];
        self.advance(1);
    }

    /// Appends bytes.
    #[inline]
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) {
        self.slice(bytes.len()).copy_from_slice(bytes);
        self.advance(bytes.len());
    }

    /// Appends bytes that are few, without a call to `memcpy`: two copies of a fixed size,
    /// which overlap, have any length between that size and its double.
    #[inline(always)]
    pub(crate) fn put_short(&mut self, bytes: &[u8]) {
        let length = bytes.len();
        if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>())
            && length <= 32
        {
            put_ends(self.window::<32>(), first, last, length);
        } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>())
            && length <= 16
        {
            put_ends(self.window::<16>(), first, last, length);
        } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>())
            && length <= 8
        {
            put_ends(self.window::<8>(), first, last, length);
        } else {
            return self.put_bytes(bytes);
        }
        self.advance(length);
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, bytes: usize) {
        self.out.resize(self.at + bytes + SLACK, 0);
    }
}

#[inline(always)]
fn put_ends<const W: usize, const H: usize>(window: &mut [u8; W], first: &[u8; H], last: &[u8; H], length: usize) {
    window[..H].copy_from_slice(first);
    window[length - H..][..H].copy_from_slice(last);
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_in_the_vector_stays_and_the_room_goes() {
        let mut out = b"before,".to_vec();
        let mut line = Line::new(&mut out, 3);
        let start = line.at();
        line.put_prefix(b"abcdef", 4);
        line.put(b'!');
        line.rewind(line.at() - 2);
        line.set(start, b'A');
        assert_eq!(line.since(start), b"Abc");
        drop(line);
        assert_eq!(out, b"before,Abc");
    }

    proptest! {
        #[test]
        fn pieces_of_any_length_are_appended(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..20),
            room in 0_usize..100,
        ) {
            let mut out = Vec::new();
            let mut line = Line::new(&mut out, room);
            for (place, piece) in pieces.iter().enumerate() {
                if place % 2 == 0 { line.put_short(piece) } else { line.put_bytes(piece) }
            }
            drop(line);
            prop_assert_eq!(out, pieces.concat());
        }
    }
}
