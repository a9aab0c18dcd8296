//! The lines of a piece of NDJSON.

/// A line of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Its number in the text, counted from 0.
    pub(crate) number: u64,
    /// Its beginning in the text.
    pub(crate) start: usize,
    /// The beginning of its content in the text.
    pub(crate) text_start: usize,
    /// The line without white space around it, and so without its line break.
    pub(crate) text: &'a [u8],
}

/// The lines of a text, blank ones left out but counted.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut next = 0;
    (0..)
        .map_while(move |number| {
            let rest = text.get(next..).filter(|rest| !rest.is_empty())?;
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let (skipped, text) = trimmed(&rest[..length]);
            let line = Line { number, start: next, text_start: next + skipped, text };
            next += length + 1;
            Some(line)
        })
        .filter(|line| !line.text.is_empty())
}

/// The number of lines of a text. Anything after the last line break is a line.
pub(crate) fn count(text: &[u8]) -> u64 {
    let breaks = memchr::memchr_iter(b'\n', text).count() as u64;
    breaks + u64::from(text.last().is_some_and(|last| *last != b'\n'))
}

/// The line without the white space of JSON around it, and the length of the white space before it.
pub(crate) fn trimmed(line: &[u8]) -> (usize, &[u8]) {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    let start = line.iter().position(|byte| !is_space(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_space(byte)).map_or(start, |at| at + 1);
    (start, &line[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_count_and_are_left_out() {
        type Filled<'a> = &'a [(u64, &'a str)];
        let table: [(&str, u64, Filled<'_>); 6] = [
            ("", 0, &[]),
            ("\n", 1, &[]),
            ("a\nb", 2, &[(0, "a"), (1, "b")]),
            ("a\r\n\r\n \t\n b\r\n", 4, &[(0, "a"), (3, "b")]),
            ("\n\na", 3, &[(2, "a")]),
            ("\r", 1, &[]),
        ];
        for (text, number, expected) in table {
            assert_eq!(count(text.as_bytes()), number, "{text:?}");
            let found: Vec<_> = lines(text.as_bytes()).map(|line| (line.number, line.text)).collect();
            let expected: Vec<_> = expected.iter().map(|(number, text)| (*number, text.as_bytes())).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
