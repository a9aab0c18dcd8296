//! The text of a document id that is made of several values.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_128;

/// Document ids longer than this are refused by Elasticsearch.
const LONGEST_ID: usize = 512;

/// What stands between the values of an id.
pub(crate) const SEPARATOR: u8 = b'|';

/// Joins values to the id of a document, by the rules of
/// [`DocumentWriter::write_id`](crate::DocumentWriter::write_id): for documents that are no
/// rows of a frame and should have the same ids all the same.
///
/// ```
/// use es_frame::IdText;
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

    /// The id, and an empty one begins.
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

/// Whether a byte of a text value has a `\` before it in an id.
pub(crate) fn is_special(byte: u8) -> bool {
    matches!(byte, SEPARATOR | b'\\')
}

/// The id itself, or its hash if Elasticsearch would refuse it for its length.
pub(crate) fn shortened(id: &[u8]) -> Cow<'_, [u8]> {
    if id.len() > LONGEST_ID { Cow::Owned(format!("{:032x}", xxh3_128(id)).into_bytes()) } else { Cow::Borrowed(id) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DocumentWriter;
    use polars::prelude::df;

    #[test]
    fn ids_are_those_of_frames() {
        for (text, number) in [("a|b\\c", 1), ("", -7), ("é\n\"", 0), (&"x".repeat(600), 3)] {
            let frame = df!("t" => [text], "n" => [number]).unwrap();
            let mut written = Vec::new();
            DocumentWriter::new(&frame, &["t", "n"]).unwrap().write_id(0, &mut written).unwrap();
            let mut id = IdText::default();
            id.push_text(text);
            id.push_plain(&number.to_string());
            let expected: String = serde_json::from_slice(&written).unwrap();
            assert_eq!(id.finish(), expected);
            assert_eq!(id.finish(), "", "it begins anew");
        }
    }
}
