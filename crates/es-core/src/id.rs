//! Document ids made of several values, in the one form in which all crates write them: the
//! separator, the escapes, and the hash of an id that would be too long.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_128;

/// Document ids longer than this are refused by Elasticsearch.
const LONGEST_ID: usize = 512;

/// The separator between the values of an id.
pub const SEPARATOR: u8 = b'|';

/// Joins several values into the id of a document. The same values give the same id, from a row of a
/// data frame as well as from a JSON document.
///
/// ```
/// use es_core::IdText;
/// let mut id = IdText::default();
/// id.push_text("a|b");
/// id.push_plain("7");
/// assert_eq!(id.finish(), r"a\|b|7");
/// ```
#[derive(Clone, Debug, Default)]
pub struct IdText {
    text: Vec<u8>,
    values: usize,
}

impl IdText {
    /// Adds a text value.
    pub fn push_text(&mut self, value: &str) {
        self.begin_value();
        push_escaped(value, &mut self.text);
    }

    /// Adds a number, a date or a boolean, as it is written.
    pub fn push_plain(&mut self, value: &str) {
        self.begin_value();
        self.text.extend_from_slice(value.as_bytes());
    }

    /// Returns the id, and starts an empty one.
    pub fn finish(&mut self) -> String {
        let id = String::from_utf8_lossy(&shortened(&self.text)).into_owned();
        self.text.clear();
        self.values = 0;
        id
    }

    fn begin_value(&mut self) {
        if self.values > 0 {
            self.text.push(SEPARATOR);
        }
        self.values += 1;
    }
}

/// Appends a text value with a `\` before each `|` and `\`, so that different values never
/// make the same id.
fn push_escaped(value: &str, id: &mut Vec<u8>) {
    for byte in value.bytes() {
        if is_special(byte) {
            id.push(b'\\');
        }
        id.push(byte);
    }
}

/// Returns `true` for a byte of a text value that is escaped with a `\` in an id.
#[must_use]
pub fn is_special(byte: u8) -> bool {
    matches!(byte, SEPARATOR | b'\\')
}

/// Returns the id itself, or its hash if Elasticsearch would refuse it for its length.
#[must_use]
pub fn shortened(id: &[u8]) -> Cow<'_, [u8]> {
    if id.len() > LONGEST_ID { Cow::Owned(format!("{:032x}", xxh3_128(id)).into_bytes()) } else { Cow::Borrowed(id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_values_give_different_ids() {
        let id = |values: &[&str]| {
            let mut id = IdText::default();
            values.iter().for_each(|value| id.push_text(value));
            id.finish()
        };
        assert_eq!(id(&["a|b", "c"]), r"a\|b|c");
        assert_ne!(id(&["a", "b|c"]), id(&["a|b", "c"]));
        assert_ne!(id(&["a\\", "b"]), id(&["a", "\\b"]));
        assert_eq!(id(&[&"x".repeat(600)]).len(), 32, "an id that is too long is hashed");
    }
}
