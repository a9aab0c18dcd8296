//! The bytes that come next, more of them than a short name and a short value have: one look at
//! where the answer ends serves for all that is read of a member.

use super::scan::plain_bytes;

/// Bytes of a short key, its quotes and colon among them.
pub(crate) const KEY_BYTES: usize = size_of::<u128>();

const BYTES: usize = 80;

/// Sixteen bytes can be taken from each offset up to this one.
const LAST: usize = 63;

/// The next bytes if they may be a member: a key and its value.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<'b>(&'b [u8; 2 * KEY_BYTES - 1 + BYTES]);

impl<'b> Ahead<'b> {
    /// `None` near the end of the answer.
    #[inline(always)]
    pub(crate) fn of(bytes: &'b [u8]) -> Option<Self> {
        bytes.first_chunk().map(Self)
    }

    /// A short key, and what follows it.
    #[inline(always)]
    pub(crate) fn key(self) -> u128 {
        self.0.first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes))
    }

    /// The bytes after a short key of this length.
    #[inline(always)]
    pub(crate) fn behind(self, length: usize) -> Option<Window<'b>> {
        Window::of(&self.0[length & (2 * KEY_BYTES - 1)..])
    }
}

/// The next eighty bytes.
///
/// Offsets up to 63 are read from. Beyond, they begin at 0 again, so that none needs a check:
/// who reads sees to it that a value which is as long as that is left to others.
#[derive(Clone, Copy)]
pub(crate) struct Window<'b>(&'b [u8; BYTES]);

impl<'b> Window<'b> {
    /// `None` near the end of the answer.
    #[inline(always)]
    pub(crate) fn of(bytes: &'b [u8]) -> Option<Self> {
        bytes.first_chunk().map(Self)
    }

    #[inline(always)]
    pub(crate) fn byte(self, at: usize) -> u8 {
        self.0[at & LAST]
    }

    #[inline(always)]
    pub(crate) fn eight(self, at: usize) -> u64 {
        self.0[at & LAST..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    #[inline(always)]
    pub(crate) fn sixteen(self, at: usize) -> u128 {
        self.0[at & LAST..].first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes))
    }

    /// The position of the first quote or backslash among the 32 bytes from an offset on.
    #[inline(always)]
    pub(crate) fn quote_or_escape(self, from: usize) -> Option<usize> {
        let mut at = from;
        while at < from + 32 {
            let plain = plain_bytes(self.eight(at));
            if plain < 8 {
                return Some(at + plain);
            }
            at += 8;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_from_where_they_are() {
        let bytes: Vec<u8> = (0..80).collect();
        let window = Window::of(&bytes).unwrap();
        for at in 0..=LAST {
            assert_eq!(usize::from(window.byte(at)), at);
            assert_eq!(window.eight(at).to_le_bytes(), bytes[at..at + 8]);
            assert_eq!(window.sixteen(at).to_le_bytes(), bytes[at..at + 16]);
        }
        assert!(Window::of(&bytes[1..]).is_none());
    }

    #[test]
    fn the_end_of_a_short_text_is_found() {
        for end in 1..80 {
            for byte in [b'"', b'\\'] {
                let mut bytes = [b'a'; 80];
                (bytes[0], bytes[end]) = (b'"', byte);
                let window = Window::of(&bytes).unwrap();
                assert_eq!(window.quote_or_escape(1), (end <= 32).then_some(end));
                bytes[0] = b'a';
                assert_eq!(Window::of(&bytes).unwrap().quote_or_escape(0), (end < 32).then_some(end));
            }
        }
    }
}
