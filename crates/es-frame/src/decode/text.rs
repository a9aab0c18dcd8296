//! Texts with escapes in them.

use std::borrow::Cow;

use super::scan::{Scanner, plain_bytes};

impl Scanner<'_> {
    /// Takes the rest of a text and its quote, and appends it to `into` with its escapes
    /// resolved. `None`, with the position anywhere, if it is no text, or ends so near the end
    /// of the answer that its bytes cannot be taken sixteen at a time.
    pub(crate) fn take_unescaped(&mut self, into: &mut Vec<u8>) -> Option<()> {
        loop {
            let window = self.sixteen(self.at)?;
            // All sixteen are appended, and those too many taken off again: that is one copy of
            // a fixed length for each escape.
            into.extend_from_slice(&window.to_le_bytes());
            let plain = match plain_bytes(window as u64) {
                8 => 8 + plain_bytes((window >> 64) as u64),
                plain => plain,
            };
            self.at += plain;
            if plain == 16 {
                continue;
            }
            into.truncate(into.len() - 16 + plain);
            if self.byte()? == b'"' {
                self.at += 1;
                return Some(());
            }
            let (character, length) = escaped(self.text.get(self.at..)?)?;
            if character.is_ascii() {
                into.push(character as u8);
            } else {
                into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            self.at += length;
        }
    }
}

/// The character that the escape at the beginning of a text stands for, and its length. `None`
/// for an escape that JSON does not have, and for half of a surrogate pair, which is no character.
#[inline]
fn escaped(text: &str) -> Option<(char, usize)> {
    let escape = text.strip_prefix('\\')?;
    let kind = *escape.as_bytes().first()?;
    let character = match kind {
        b'"' | b'\\' | b'/' => char::from(kind),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let unit = code_unit(escape.get(1..)?)?;
            return match unit {
                0xd800..=0xdbff => {
                    let low = code_unit(escape.get(5..)?.strip_prefix("\\u")?)?;
                    Some((char::decode_utf16([unit, low]).next()?.ok()?, 12))
                }
                _ => Some((char::from_u32(u32::from(unit))?, 6)),
            };
        }
        _ => return None,
    };
    Some((character, 2))
}

/// The text that stands between quotes as `raw`. `None` for an escape that JSON does not have,
/// and for half of a surrogate pair, which is no character.
pub(crate) fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else { return Some(Cow::Borrowed(raw)) };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while !rest.is_empty() {
        let (character, length) = escaped(rest)?;
        text.push(character);
        rest = rest.get(length..)?;
        let plain = escape_in(rest.as_bytes()).unwrap_or(rest.len());
        text.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    Some(Cow::Owned(text))
}

/// The start of the next escape. It is mostly near, where a search that is quick on long texts
/// is slow to begin.
fn escape_in(text: &[u8]) -> Option<usize> {
    const NEAR: usize = 16;
    let (near, far) = text.split_at(text.len().min(NEAR));
    match near.iter().position(|byte| *byte == b'\\') {
        None => memchr::memchr(b'\\', far).map(|found| near.len() + found),
        found => found,
    }
}

fn code_unit(text: &str) -> Option<u16> {
    let digits = text.get(..4)?;
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_text_is_refused() {
        for raw in [r"\", r"\x", r"\u12", r"\u+123", r"\ud800", r"\ud800\u0041", r"\udc00", r"a\ud83d\"] {
            assert_eq!(unescape(raw), None, "{raw}");
        }
        assert_eq!(unescape(r"\ud83d\ude00\/\u00e9x").as_deref(), Some("\u{1f600}/éx"));
        assert!(matches!(unescape("plain é"), Some(Cow::Borrowed("plain é"))));
    }

    proptest! {
        #[test]
        fn texts_agree_with_a_json_library(text in "(\\PC|[\\x00-\\x7f]){0,30}", raw in "([a-z]|\\\\[a-z\"\\\\/]|\\\\u[0-9a-f]{4}){0,9}") {
            let written = serde_json::to_string(&text).unwrap();
            let read = unescape(&written[1..written.len() - 1]);
            prop_assert_eq!(read.as_deref(), Some(text.as_str()));
            let quoted = format!("\"{raw}\"");
            prop_assert_eq!(unescape(&raw).map(Cow::into_owned), serde_json::from_str::<String>(&quoted).ok());
            for raw in [raw, written[1..written.len() - 1].to_owned()] {
                let answer = format!("{raw}\",\"next\":[1,2,3,4,5,6,7]}}");
                let (mut scanner, mut taken) = (Scanner::new(&answer), Vec::new());
                let is_text = scanner.take_unescaped(&mut taken).is_some();
                let expected = unescape(&raw);
                prop_assert_eq!(is_text, expected.is_some());
                if let Some(expected) = expected {
                    prop_assert_eq!(String::from_utf8(taken).unwrap(), expected);
                    prop_assert_eq!(scanner.at, raw.len() + 1);
                }
            }
        }
    }
}
