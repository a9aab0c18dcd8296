//! Text as JSON strings.

use super::line::Line;

/// The character after the backslash for a byte that must be escaped; 0 for any other byte.
const ESCAPES: [u8; 256] = escapes();

const fn escapes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
}

/// Appends text as a JSON string.
#[inline]
pub(crate) fn write_string(text: &[u8], line: &mut Line<'_>) {
    line.put(b'"');
    write_inside(text, line);
    line.put(b'"');
}

/// Appends text as the inside of a JSON string.
#[inline]
pub(crate) fn write_inside(text: &[u8], line: &mut Line<'_>) {
    if needs_escape(text) { write_escaped(text, line) } else { line.put_bytes(text) }
}

#[cold]
fn write_escaped(text: &[u8], line: &mut Line<'_>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut written = 0;
    for (at, byte) in text.iter().enumerate() {
        let escape = ESCAPES[*byte as usize];
        if escape == 0 {
            continue;
        }
        line.put_bytes(&text[written..at]);
        line.put_bytes(&[b'\\', escape]);
        if escape == b'u' {
            line.put_bytes(&[b'0', b'0', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]);
        }
        written = at + 1;
    }
    line.put_bytes(&text[written..]);
}

/// True if text has a byte that JSON does not take as it is.
#[inline]
pub(crate) fn needs_escape(text: &[u8]) -> bool {
    let (blocks, rest) = text.as_chunks::<16>();
    let mut found = 0;
    for block in blocks {
        found |= flags(u128::from_le_bytes(*block));
    }
    if let Some(last) = text.last_chunk::<16>() {
        // The last block overlaps the one before.
        found |= flags(u128::from_le_bytes(*last));
    } else if let (Some(first), Some(last)) = (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        found |= flags(u128::from(u64::from_le_bytes(*first)) << 64 | u128::from(u64::from_le_bytes(*last)));
    } else {
        return rest.iter().any(|byte| ESCAPES[*byte as usize] != 0);
    }
    found != 0
}

const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Not zero if one of 16 bytes is a control character, a quote or a backslash.
///
/// Subtracting 0x20 sets the highest bit of a byte below it, and subtracting 1 from what is
/// left of a byte after an exclusive or with a quote sets it where there was one. A borrow
/// can only come from a byte that is itself found, and bytes whose highest bit was set before
/// are no ASCII.
#[inline(always)]
fn flags(bytes: u128) -> u64 {
    let half = |word: u64| {
        let control = word.wrapping_sub(all(0x20));
        let quote = (word ^ all(b'"')).wrapping_sub(all(1));
        let backslash = (word ^ all(b'\\')).wrapping_sub(all(1));
        (control | quote | backslash) & !word
    };
    (half(bytes as u64) | half((bytes >> 64) as u64)) & all(0x80)
}

/// Spaces for the bytes after the end of a text of at most 12 bytes.
const PADDING: [u128; 13] = {
    let mut padding = [0; 13];
    let mut length = 0;
    while length < 13 {
        padding[length] = u128::from_le_bytes([b' '; 16]) << (length * 8);
        length += 1;
    }
    padding
};

/// Appends a text of at most 12 bytes, which stand in the lowest bytes of a number, as a JSON
/// string. False, and nothing appended, when something in it must be escaped.
#[inline(always)]
pub(crate) fn write_inline(text: u128, length: usize, line: &mut Line<'_>) -> bool {
    if flags(text | PADDING[length]) != 0 {
        return false;
    }
    let window = line.window::<16>();
    *window = (text << 8 | u128::from(b'"')).to_le_bytes();
    window[(length + 1) & 15] = b'"';
    line.advance(length + 2);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(text: &[u8]) -> String {
        let mut out = Vec::new();
        write_string(text, &mut Line::new(&mut out, 0));
        String::from_utf8(out).unwrap()
    }

    fn inline(text: &[u8]) -> Option<String> {
        let mut bytes = [0; 16];
        bytes[..text.len()].copy_from_slice(text);
        let mut out = Vec::new();
        let written = write_inline(u128::from_le_bytes(bytes), text.len(), &mut Line::new(&mut out, 0));
        written.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_byte_is_found_at_every_place() {
        for length in 1..50 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'#'; length];
                    text[place] = byte;
                    let expected = byte < 0x20 || byte == b'"' || byte == b'\\';
                    assert_eq!(needs_escape(&text), expected, "{byte:#x} at {place} of {length}");
                    if length <= 12 && byte < 0x80 {
                        let plain = String::from_utf8(text).unwrap();
                        assert_eq!(inline(plain.as_bytes()), (!expected).then(|| format!("\"{plain}\"")));
                    }
                }
            }
        }
        assert!(!needs_escape(b""));
    }

    proptest! {
        #[test]
        fn strings_are_what_the_json_library_writes(text in "(\\PC|[\\x00-\\x7f]){0,60}") {
            let read: String = serde_json::from_str(&string(text.as_bytes())).unwrap();
            prop_assert_eq!(read, text);
        }
    }
}
