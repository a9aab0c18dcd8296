//! Lines that are not documents.

/// The number of bytes that are kept of the text of a refused line: 16 KiB.
pub const LONGEST_REFUSED_TEXT: usize = 16 << 10;

/// A line that is not a document, while those around it are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine {
    /// The number of the line in its file, counted from 1.
    pub row: u64,
    /// The number of bytes of the uncompressed text before the line.
    pub offset: Option<u64>,
    /// The line without its line break, cut at [`LONGEST_REFUSED_TEXT`]. Bytes that are not UTF-8 are
    /// replaced.
    pub text: String,
    /// The reason.
    pub reason: String,
}

impl RefusedLine {
    pub(crate) fn new(row: u64, offset: Option<u64>, line: &[u8], reason: impl Into<String>) -> Self {
        let kept = &line[..line.len().min(LONGEST_REFUSED_TEXT)];
        // A character that is cut in two is left out, not replaced.
        let kept = match std::str::from_utf8(kept) {
            Err(error) if error.error_len().is_none() && kept.len() < line.len() => &kept[..error.valid_up_to()],
            _ => kept,
        };
        Self { row, offset, text: String::from_utf8_lossy(kept).into_owned(), reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        let long = format!("{}é", "x".repeat(LONGEST_REFUSED_TEXT - 1));
        let table: [(&[u8], &str); 4] = [
            (b"abc", "abc"),
            (b"a\xff\xc3", "a\u{fffd}\u{fffd}"),
            (long.as_bytes(), &long[..LONGEST_REFUSED_TEXT - 1]),
            (b"", ""),
        ];
        for (line, expected) in table {
            assert_eq!(RefusedLine::new(1, Some(0), line, "").text, expected);
        }
    }
}
