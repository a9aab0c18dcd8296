//! Folders named after values, as Hive has them: `column=value`.
//!
//! Escaped are the characters that Hive escapes (`FileUtils.escapePathName` in its sources),
//! as `%` and two hexadecimal digits; a null is `__HIVE_DEFAULT_PARTITION__`.

use std::collections::HashMap;
use std::fmt::Write as _;

use es_frame::DocumentWriter;
use polars::prelude::{BooleanChunked, DataFrame, DataType, Schema, StringChunked};

use crate::error::{Error, ErrorKind};

/// The folder of rows without a value.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The longest name of a folder on common file systems, in bytes.
const LONGEST_NAME: usize = 255;

/// Puts rows into folders.
pub(super) struct Partitions {
    columns: Vec<String>,
}

impl Partitions {
    /// Checks the types of the columns.
    pub(super) fn new(columns: &[String], schema: &Schema) -> Result<Self, Error> {
        for (place, name) in columns.iter().enumerate() {
            if columns[..place].contains(name) {
                return Err(Error::new(ErrorKind::Partition, format!("{name} is a partition column twice")));
            }
            let dtype = schema.get(name);
            let fits = dtype.is_some_and(|dtype| {
                dtype.is_integer()
                    || dtype.is_bool()
                    || matches!(dtype, DataType::String | DataType::Date | DataType::Datetime(..))
            });
            if !fits {
                let of = dtype.map_or_else(|| "not there".to_owned(), |dtype| format!("of type {dtype}"));
                return Err(Error::new(ErrorKind::Partition, format!("partition column {name} is {of}"))
                    .with_help("partition by columns of texts, integers, booleans or dates"));
            }
        }
        Ok(Self { columns: columns.to_vec() })
    }

    /// Returns `true` if there are no partition columns.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The rows of each folder, in the order in which the folders first come, with the
    /// folder's path, which is empty without partition columns.
    pub(super) fn divide(&self, frame: DataFrame) -> Result<Vec<(String, DataFrame)>, Error> {
        if self.columns.is_empty() {
            return Ok(vec![(String::new(), frame)]);
        }
        let mut of_key = frame.select(&self.columns)?;
        of_key.rechunk_mut();
        let values = self.columns.iter().map(|name| Values::new(&of_key, name)).collect::<Result<Vec<_>, _>>()?;
        let mut folders: Vec<String> = Vec::new();
        let mut places: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut of_row = Vec::with_capacity(frame.height());
        let mut key = Vec::new();
        for row in 0..frame.height() {
            key.clear();
            for values in &values {
                values.write(row, &mut key)?;
            }
            let place = match places.get(&key) {
                Some(place) => *place,
                None => {
                    let names = values.iter().map(|values| values.folder(row)).collect::<Result<Vec<_>, _>>()?;
                    folders.push(names.join("/"));
                    places.insert(key.clone(), folders.len() as u32 - 1);
                    folders.len() as u32 - 1
                }
            };
            of_row.push(place);
        }
        let frames = crate::split::divide(&frame, &of_row, folders.len())?;
        Ok(folders.into_iter().zip(frames).collect())
    }
}

/// The values of a partition column, as text.
struct Values<'a> {
    column: &'a str,
    of: Of<'a>,
}

enum Of<'a> {
    Texts(&'a StringChunked),
    /// Numbers, booleans and dates, as documents have them.
    Others {
        nulls: BooleanChunked,
        writer: Box<DocumentWriter<'a>>,
    },
}

impl<'a> Values<'a> {
    fn new(frame: &'a DataFrame, name: &'a str) -> Result<Self, Error> {
        let column = frame.column(name)?;
        let of = match column.dtype() {
            DataType::String => Of::Texts(column.str()?),
            _ => Of::Others { nulls: column.is_null(), writer: Box::new(DocumentWriter::new(frame, &[name])?) },
        };
        Ok(Self { column: name, of })
    }

    /// Appends a text that no other value has, nor begins with.
    fn write(&self, row: usize, key: &mut Vec<u8>) -> Result<(), Error> {
        match &self.of {
            Of::Texts(texts) => match texts.get(row) {
                None => key.push(0),
                Some(text) => {
                    key.push(1);
                    key.extend_from_slice(&(text.len() as u64).to_le_bytes());
                    key.extend_from_slice(text.as_bytes());
                }
            },
            Of::Others { nulls, .. } if nulls.get(row) == Some(true) => key.push(0),
            Of::Others { writer, .. } => writer.write_id(row, key)?,
        }
        Ok(())
    }

    /// The name of a row's folder.
    fn folder(&self, row: usize) -> Result<String, Error> {
        let value = match &self.of {
            Of::Texts(texts) => match texts.get(row) {
                None => NULL.to_owned(),
                Some("") => return Err(no_folder(self.column, "an empty text")),
                Some(NULL) => return Err(no_folder(self.column, NULL)),
                Some(text) => escaped(text),
            },
            Of::Others { nulls, .. } if nulls.get(row) == Some(true) => NULL.to_owned(),
            Of::Others { writer, .. } => {
                let mut text = Vec::new();
                writer.write_id(row, &mut text)?;
                // Numbers and dates have nothing that JSON escapes.
                escaped(String::from_utf8_lossy(&text).trim_matches('"'))
            }
        };
        let name = format!("{}={value}", escaped(self.column));
        if name.len() > LONGEST_NAME {
            return Err(no_folder(self.column, &format!("a value of {} bytes", value.len())));
        }
        Ok(name)
    }
}

fn no_folder(column: &str, what: &str) -> Error {
    let what = format!("partition column {column} holds {what}, which cannot be the name of a folder");
    Error::new(ErrorKind::Partition, what).with_help("filter such rows out, or choose another column")
}

/// The characters that Hive escapes in a path.
fn escaped(value: &str) -> String {
    let mut path = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\0'..='\x1f'
            | '\x7f'
            | '"'
            | '#'
            | '%'
            | '\''
            | '*'
            | '/'
            | ':'
            | '='
            | '?'
            | '\\'
            | '{'
            | '['
            | ']'
            | '^' => {
                // Writing to a string does not fail.
                let _ = write!(path, "%{:02X}", u32::from(character));
            }
            _ => path.push(character),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{DataFrame, df};

    fn folders(frame: DataFrame, columns: &[&str]) -> Result<Vec<(String, usize)>, Error> {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let divided = Partitions::new(&columns, frame.schema())?.divide(frame)?;
        Ok(divided.into_iter().map(|(folder, rows)| (folder, rows.height())).collect())
    }

    #[test]
    fn values_are_escaped_as_hive_does() {
        let frame = df!("a/b" => [Some("x"), None, Some("x"), Some("50% of a=b: \\|{é}\n"), Some("null")]).unwrap();
        assert_eq!(
            folders(frame, &["a/b"]).unwrap(),
            [
                ("a%2Fb=x".to_owned(), 2),
                (format!("a%2Fb={NULL}"), 1),
                ("a%2Fb=50%25 of a%3Db%3A %5C|%7Bé}%0A".to_owned(), 1),
                ("a%2Fb=null".to_owned(), 1),
            ]
        );
    }

    #[test]
    fn several_columns_are_folders_in_folders() {
        let mut frame = df!("n" => [-1, 7, -1], "b" => [true, false, true], "d" => [0, 1, 0]).unwrap();
        frame.apply("d", |column| column.cast(&DataType::Date).unwrap()).unwrap();
        assert_eq!(
            folders(frame, &["n", "b", "d"]).unwrap(),
            [("n=-1/b=true/d=1970-01-01".to_owned(), 2), ("n=7/b=false/d=1970-01-02".to_owned(), 1)]
        );
    }

    #[test]
    fn values_that_cannot_name_a_folder_are_refused() {
        for value in ["", NULL, &"x".repeat(300), &"x".repeat(600)] {
            let error = folders(df!("c" => [value]).unwrap(), &["c"]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Partition, "{value}");
            assert!(error.to_string().starts_with("partition column c holds "), "{error}");
        }
        let error = folders(df!("c" => [1.5]).unwrap(), &["c"]).unwrap_err();
        assert_eq!(error.to_string(), "partition column c is of type f64");
        let error = folders(df!("c" => [1]).unwrap(), &["c", "c"]).unwrap_err();
        assert_eq!(error.to_string(), "c is a partition column twice");
    }

    #[test]
    fn without_columns_there_are_no_folders() {
        assert_eq!(folders(df!("c" => [1, 2]).unwrap(), &[]).unwrap(), [(String::new(), 2)]);
    }
}
