//! Texts with escapes in them.

use std::borrow::Cow;

/// The text that stands between quotes as `raw`. `None` for an escape that JSON does not have,
/// and for half of a surrogate pair, which is no character.
pub(crate) fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else { return Some(Cow::Borrowed(raw)) };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(escape) = rest.strip_prefix('\\') {
        let kind = *escape.as_bytes().first()?;
        let mut length = 1;
        text.push(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = code_unit(escape.get(1..)?)?;
                length = 5;
                match unit {
                    0xd800..=0xdbff => {
                        let low = code_unit(escape.get(5..)?.strip_prefix("\\u")?)?;
                        length = 11;
                        char::decode_utf16([unit, low]).next()?.ok()?
                    }
                    _ => char::from_u32(u32::from(unit))?,
                }
            }
            _ => return None,
        });
        rest = escape.get(length..)?;
        let plain = escape_in(rest.as_bytes()).unwrap_or(rest.len());
        text.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    Some(Cow::Owned(text))
}

/// Where the next escape begins. It is mostly near, where a search that is quick on long texts
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
        }
    }
}
