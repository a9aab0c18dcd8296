//! The records of a piece of CSV (RFC 4180): their beginnings and the number of their values.

use std::borrow::Cow;

use super::csv::position;
use super::read_error::ReadError;

/// A record of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CsvRecord {
    pub(crate) start: usize,
    /// The beginning of the next record.
    pub(crate) end: usize,
    /// The number of lines of the text before it.
    pub(crate) line: u64,
    pub(crate) values: usize,
    /// True for a record that is only a line break.
    pub(crate) is_blank: bool,
}

/// The records of a text that does not end inside quotes.
pub(crate) fn records(text: &[u8]) -> impl Iterator<Item = CsvRecord> {
    let mut marks = memchr::memchr3_iter(b'"', b',', b'\n', text);
    let (mut start, mut line, mut ended) = (0, 0, false);
    std::iter::from_fn(move || {
        if ended || start >= text.len() {
            return None;
        }
        let (mut quoted, mut values, mut lines) = (false, 1, 0);
        let end = loop {
            let Some(at) = marks.next() else {
                ended = true;
                break text.len();
            };
            match text[at] {
                b'"' => quoted = !quoted,
                b',' if !quoted => values += 1,
                b'\n' => {
                    lines += 1;
                    if !quoted {
                        break at + 1;
                    }
                }
                _ => {}
            }
        };
        let is_blank = matches!(&text[start..end], b"\n" | b"\r\n" | b"\r");
        let record = CsvRecord { start, end, line, values, is_blank };
        (start, line) = (end, line + lines);
        Some(record)
    })
}

/// The text without blank records, which Polars would read as rows of nulls.
pub(crate) fn without_blanks(text: &[u8]) -> Cow<'_, [u8]> {
    if !records(text).any(|record| record.is_blank) {
        return Cow::Borrowed(text);
    }
    let filled = records(text).filter(|record| !record.is_blank);
    Cow::Owned(filled.flat_map(|record| &text[record.start..record.end]).copied().collect())
}

/// The beginning of the rows: the end of the first record that is not blank.
pub(crate) fn header_end(text: &[u8]) -> Option<usize> {
    records(text).find(|record| !record.is_blank).map(|record| record.end)
}

/// The number of values of the header.
pub(crate) fn header_width(header: &[u8]) -> usize {
    records(header).find(|record| !record.is_blank).map_or(0, |record| record.values)
}

/// A record with another number of values than the header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongWidth {
    /// The number of records before it, without blank ones.
    row: u64,
    line: u64,
    values: usize,
    wanted: usize,
}

/// The first record whose number of values is wrong. Polars would fill up short records with nulls.
pub(crate) fn wrong_width(text: &[u8], wanted: usize) -> Option<WrongWidth> {
    let mut filled = records(text).filter(|record| !record.is_blank).zip(0..);
    let (record, row) = filled.find(|(record, _)| record.values != wanted)?;
    Some(WrongWidth { row, line: record.line, values: record.values, wanted })
}

impl WrongWidth {
    /// The failure, after this many rows and lines before the text.
    pub(crate) fn error(&self, rows: u64, lines: Option<u64>) -> ReadError {
        let at = position(rows + self.row + 1, lines.map(|lines| lines + self.line + 1));
        ReadError::content(format!("{at} has {}, and the header {}", counted(self.values), self.wanted))
    }
}

fn counted(values: usize) -> String {
    if values == 1 { "1 value".to_owned() } else { format!("{values} values") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_split() {
        let text = b"a,b\r\n\r\n1,\"x\n,y\"\n\"\"\"\",\n2,3";
        let found: Vec<_> = records(text).map(|r| (r.start, r.end, r.line, r.values, r.is_blank)).collect();
        assert_eq!(
            found,
            [
                (0, 5, 0, 2, false),
                (5, 7, 1, 1, true),
                (7, 16, 2, 2, false),
                (16, 22, 4, 2, false),
                (22, 25, 5, 2, false)
            ]
        );
        assert_eq!(header_end(b"\n\na,b\n1,2\n"), Some(6));
        assert_eq!(header_end(b"\n\n"), None);
        assert_eq!(records(b"").count(), 0);
        assert_eq!(without_blanks(b"1\n\n\r\n\"\n\n\"\n2").as_ref(), b"1\n\"\n\n\"\n2");
    }

    #[test]
    fn widths_are_those_of_the_header() {
        type Wrong = Option<(u64, u64, usize)>;
        let table: [(&[u8], Wrong); 5] = [
            (b"1,2\n3,4\n", None),
            (b"1,2\n\n3\n", Some((1, 2, 1))),
            (b"1,\"2\n\"\n3,4,5", Some((1, 2, 3))),
            (b"\r\n", None),
            (b"1,\"2,3\"\n", None),
        ];
        for (text, expected) in table {
            let found = wrong_width(text, 2).map(|wrong| (wrong.row, wrong.line, wrong.values));
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(text));
        }
        let wrong = WrongWidth { row: 1, line: 2, values: 1, wanted: 2 };
        assert_eq!(wrong.error(10, Some(20)).to_string(), "row 12 (line 23) has 1 value, and the header 2");
        assert_eq!(wrong.error(10, None).to_string(), "row 12 has 1 value, and the header 2");
    }
}
