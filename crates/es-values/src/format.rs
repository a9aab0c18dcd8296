//! The table from the `format` names of a JSON Schema to the readers of the types.

use crate::{ByteSize, InvalidValue, TimePoint, TimeSpan, TimeZoneName};

/// A `format` of a JSON Schema, with the reader of its texts.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The name in the schema, such as `time-span`.
    pub name: &'static str,
    /// The name of a value in a message, with its article.
    pub noun: &'static str,
    /// Reads a text, and says what is wrong with it.
    pub check: fn(&str) -> Result<(), InvalidValue>,
}

/// The formats of the types of this crate, and of names and texts.
const FORMATS: [Format; 7] = [
    Format {
        name: "time-span",
        noun: "a duration such as `30s` or `7d`",
        check: |text| text.parse::<TimeSpan>().map(drop),
    },
    Format {
        name: "time-point",
        noun: "a date such as `2013-01-31`",
        check: |text| text.parse::<TimePoint>().map(drop),
    },
    Format {
        name: "time-zone",
        noun: "a time zone such as `America/New_York`",
        check: |text| text.parse::<TimeZoneName>().map(drop),
    },
    Format { name: "byte-size", noun: "a size such as `8mb`", check: |text| text.parse::<ByteSize>().map(drop) },
    Format { name: "name", noun: "a name of `a-z`, `0-9` and `_`", check: |text| check_name(text, &[]) },
    Format { name: "text", noun: "a text", check: check_text },
    Format { name: "field", noun: "the name of a field", check: check_text },
];

impl Format {
    /// The format called `name`, if it is one of this crate's.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.into_iter().find(|format| format.name == name)
    }
}

fn check_text(text: &str) -> Result<(), InvalidValue> {
    if text.trim().is_empty() {
        return Err(InvalidValue::new("the text is empty", "write a value or remove the key"));
    }
    Ok(())
}

/// Returns whether a text is a name of lower case letters, digits, `_`, and the characters of `extra`.
///
/// # Errors
/// Says which characters a name is made of, with an example where the text is nearly one.
pub fn check_name(text: &str, extra: &[char]) -> Result<(), InvalidValue> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || extra.contains(&c);
    if !text.is_empty() && text.chars().all(allowed) {
        return Ok(());
    }
    let mut alphabet = vec!["a-z".to_owned(), "0-9".to_owned(), "_".to_owned()];
    alphabet.extend(extra.iter().map(char::to_string));
    let alphabet = crate::one_of(alphabet.iter().map(String::as_str)).replace(" or ", " and ");
    let likely: String =
        text.to_lowercase().chars().map(|c| if c == ' ' || c == '-' || c == '.' { '_' } else { c }).collect();
    let is_name = !likely.is_empty() && likely.chars().all(allowed);
    let example = if is_name { format!(", such as `{likely}`") } else { String::new() };
    Err(InvalidValue::new(format!("`{text}` is not a name"), format!("a name is made of {alphabet}{example}")))
}
