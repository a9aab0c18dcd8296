//! The records of a piece of CSV (RFC 4180): their beginnings and values.

use std::borrow::Cow;

use super::csv_kinds::{Care, needs_care};

/// The characters that divide a text into records and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
    pub(crate) line_end: u8,
}

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

impl Dialect {
    /// Visits the values of a text that does not end inside quotes, with the numbers of their columns and
    /// as they are written, and then their records. It ends where a visit of a record returns false.
    pub(crate) fn visit(
        self,
        text: &[u8],
        mut value: impl FnMut(usize, &[u8]),
        mut record: impl FnMut(CsvRecord) -> bool,
    ) {
        let Self { delimiter, quote, line_end } = self;
        let mut marks = memchr::memchr3_iter(quote.unwrap_or(delimiter), delimiter, line_end, text);
        let (mut start, mut line) = (0, 0);
        while start < text.len() {
            let (mut quoted, mut values, mut lines, mut from) = (false, 1, 0, start);
            let end = loop {
                let Some(at) = marks.next() else {
                    value(values - 1, &text[from..]);
                    break text.len();
                };
                let byte = text[at];
                if byte == delimiter {
                    if !quoted {
                        value(values - 1, &text[from..at]);
                        values += 1;
                        from = at + 1;
                    }
                } else if byte == line_end {
                    lines += 1;
                    if !quoted {
                        value(values - 1, &text[from..at]);
                        break at + 1;
                    }
                } else {
                    quoted = !quoted;
                }
            };
            let is_blank = values == 1 && matches!(&text[start..end], b"\n" | b"\r\n" | b"\r");
            if !record(CsvRecord { start, end, line, values, is_blank }) {
                return;
            }
            (start, line) = (end, line + lines);
        }
    }

    /// The first record that is not blank.
    pub(crate) fn first_record(self, text: &[u8]) -> Option<CsvRecord> {
        let mut found = None;
        self.visit(
            text,
            |_, _| {},
            |record| {
                found = (!record.is_blank).then_some(record);
                record.is_blank
            },
        );
        found
    }

    /// The values of the first records that are not blank, as they are written.
    pub(crate) fn first_values(self, text: &[u8], records: usize) -> Vec<Vec<&[u8]>> {
        let mut found: Vec<Vec<&[u8]>> = Vec::new();
        let mut rest = text;
        while found.len() < records
            && let Some(record) = self.first_record(rest)
        {
            let whole = &rest[record.start..record.end];
            let mut places = Vec::new();
            self.visit(
                whole,
                |_, value| places.push((value.as_ptr() as usize - whole.as_ptr() as usize, value.len())),
                |_| false,
            );
            found.push(places.into_iter().map(|(start, length)| &whole[start..start + length]).collect());
            rest = &rest[record.end..];
        }
        found
    }

    /// The text between the quotes of a value, if it has any, and without a carriage return at its end.
    pub(crate) fn unquoted(self, value: &[u8]) -> (Cow<'_, [u8]>, bool) {
        let value = if self.line_end == b'\n' { value.strip_suffix(b"\r").unwrap_or(value) } else { value };
        let Some(quote) = self.quote else { return (value.into(), false) };
        match value {
            [first, inner @ .., last] if *first == quote && *last == quote => {
                if !inner.contains(&quote) {
                    return (inner.into(), true);
                }
                let mut text = Vec::with_capacity(inner.len());
                let mut bytes = inner.iter().peekable();
                while let Some(byte) = bytes.next() {
                    text.push(*byte);
                    if *byte == quote {
                        bytes.next_if_eq(&&quote);
                    }
                }
                (text.into(), true)
            }
            _ => (value.into(), false),
        }
    }
}

/// A first look at a piece of text.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// The records with more values than there are columns, and their numbers among all that are not blank.
    pub(crate) long: Vec<(u64, CsvRecord)>,
    /// The blank records.
    blank: Vec<CsvRecord>,
    /// The number of records that are not blank.
    pub(crate) records: u64,
    /// A value may not be what its column says, or not in the form that Polars reads.
    pub(crate) needs_care: bool,
}

impl Look {
    pub(crate) fn at(text: &[u8], dialect: Dialect, care: &[Care]) -> Self {
        let mut look = Self::default();
        let mut careful = false;
        dialect.visit(
            text,
            |column, value| {
                if let Some(care) = care.get(column)
                    && *care != Care::None
                {
                    careful |= needs_care(*care, value);
                }
            },
            |record| {
                if record.is_blank {
                    look.blank.push(record);
                    return true;
                }
                if record.values > care.len() {
                    look.long.push((look.records, record));
                }
                look.records += 1;
                true
            },
        );
        look.needs_care = careful;
        look
    }

    /// The text without blank records, which Polars would read as rows of nulls, and without long ones.
    pub(crate) fn kept<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        if self.blank.is_empty() && self.long.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut left_out: Vec<&CsvRecord> =
            self.blank.iter().chain(self.long.iter().map(|(_, record)| record)).collect();
        left_out.sort_by_key(|record| record.start);
        let mut kept = Vec::with_capacity(text.len());
        let mut from = 0;
        for record in left_out {
            kept.extend_from_slice(&text[from..record.start]);
            from = record.end;
        }
        kept.extend_from_slice(&text[from..]);
        kept.into()
    }
}

#[cfg(test)]
pub(crate) const PLAIN: Dialect = Dialect { delimiter: b',', quote: Some(b'"'), line_end: b'\n' };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_split() {
        let text = b"a,b\r\n\r\n1,\"x\n,y\"\n\"\"\"\",\n2,3";
        let mut found = Vec::new();
        PLAIN.visit(
            text,
            |_, _| {},
            |r| {
                found.push((r.start, r.end, r.line, r.values, r.is_blank));
                true
            },
        );
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
        assert_eq!(PLAIN.first_record(b"\n\na,b\n1,2\n").unwrap().end, 6);
        assert_eq!(PLAIN.first_record(b"\n\n"), None);
        let values = PLAIN.first_values(text, 3);
        assert_eq!(values, [vec![&b"a"[..], b"b\r"], vec![b"1", b"\"x\n,y\""], vec![b"\"\"\"\"", b""]]);
        assert_eq!(PLAIN.unquoted(values[2][0]), (b"\"".into(), true));
        assert_eq!(PLAIN.unquoted(values[0][1]), (b"b".into(), false));
        let carriage = Dialect { line_end: b'\r', ..PLAIN };
        assert_eq!(carriage.first_values(b"a,b\r1,2\r", 9), [[&b"a"[..], b"b"], [b"1", b"2"]]);
    }

    #[test]
    fn blank_and_long_records_are_left_out() {
        let text = b"1,2\n\n1,2,3\n\r\n4\n\"5\n,,\",6";
        let look = Look::at(text, PLAIN, &[Care::None, Care::None]);
        assert_eq!((look.records, look.long.len(), look.long[0].0, look.long[0].1.line), (4, 1, 1, 2));
        assert_eq!(look.kept(text).as_ref(), b"1,2\n4\n\"5\n,,\",6");
    }
}
