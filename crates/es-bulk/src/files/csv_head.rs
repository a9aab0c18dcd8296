//! The beginning of a CSV file: its delimiter, and the names of its columns.

use std::collections::HashSet;

use polars::prelude::PlSmallStr;

use super::csv_options::Delimiter;
use super::csv_records::Dialect;
use super::read_error::ReadError;

/// The number of records by which the delimiter is found.
const RECORDS: usize = 100;

/// The delimiter that divides the most of the first records into as many values as the first one, and into
/// more than one; a comma where none does.
pub(crate) fn found_delimiter(text: &[u8], quote: Option<u8>, line_end: u8) -> Delimiter {
    let score = |delimiter: Delimiter| {
        let dialect = Dialect { delimiter: delimiter.byte(), quote, line_end };
        let records = dialect.first_values(text, RECORDS);
        let width = records.first().map_or(0, Vec::len);
        let alike = records.iter().filter(|record| record.len() == width).count();
        if width < 2 { (0, 0) } else { (alike, width) }
    };
    let mut best = (Delimiter::COMMA, score(Delimiter::COMMA));
    for other in Delimiter::USUAL {
        let found = score(other);
        // Text may hold other delimiters here and there.
        if found.0 > best.1.0 || (found.0 == best.1.0 && found.1 > best.1.1) {
            best = (other, found);
        }
    }
    best.0
}

/// The names of the columns of a header, with a note where they are not those of the file.
pub(crate) fn names_of(header: &[u8], dialect: Dialect) -> Result<(Vec<PlSmallStr>, Vec<String>), ReadError> {
    let mut notes = Vec::new();
    let mut names: Vec<PlSmallStr> = Vec::new();
    let mut seen = HashSet::new();
    for value in dialect.first_values(header, 1).into_iter().flatten() {
        let (name, _) = dialect.unquoted(value);
        let Ok(name) = std::str::from_utf8(&name) else {
            return Err(not_utf8("the header is not UTF-8"));
        };
        let number = names.len() + 1;
        let wanted = if name.is_empty() { format!("column_{number}") } else { name.to_owned() };
        let mut free = wanted.clone();
        let mut copy = 0;
        while !seen.insert(free.clone()) {
            free = format!("{wanted}_duplicated_{copy}");
            copy += 1;
        }
        if name.is_empty() {
            notes.push(format!("column {number} has no name, and is called {free}"));
        } else if free != name {
            notes.push(format!("column {number} has the name of another one, {name}, and is called {free}"));
        }
        names.push(free.into());
    }
    Ok((names, notes))
}

/// The names of columns without a header.
pub(crate) fn numbered_names(columns: usize) -> Vec<PlSmallStr> {
    (1..=columns).map(|number| format!("column_{number}").into()).collect()
}

/// The failure of text in another encoding, with the way out.
pub(crate) fn not_utf8(what: &str) -> ReadError {
    ReadError::content(format!("{what}; if it is in another encoding, set it, for instance to windows-1252"))
}

#[cfg(test)]
mod tests {
    use super::super::csv_records::PLAIN;
    use super::*;

    #[test]
    fn delimiters_are_found() {
        let table = [
            ("a,b\n1,2\n", ","),
            ("a;b\n1,5;2,5\n", ";"),
            ("a\tb\n1,5\t2\n", "tab"),
            ("a|b|c\n1|2|3\n", "|"),
            ("a,b\n\"x;y\",\"z;w\"\n", ","),
            ("a,b;c\n1,2\n3,4\n", ","),
            ("name\nx\n", ","),
            ("first name;age, in years\nx;1\n", ";"),
            ("", ","),
        ];
        for (text, expected) in table {
            assert_eq!(found_delimiter(text.as_bytes(), Some(b'"'), b'\n').to_string(), expected, "{text}");
        }
    }

    #[test]
    fn nameless_and_equal_columns_get_names() {
        let (names, notes) = names_of(b"\"\",a,a,\"x\"\"y\"\r\n", PLAIN).unwrap();
        assert_eq!(names, ["column_1", "a", "a_duplicated_0", "x\"y"]);
        assert_eq!(
            notes,
            [
                "column 1 has no name, and is called column_1",
                "column 3 has the name of another one, a, and is called a_duplicated_0"
            ]
        );
    }
}
