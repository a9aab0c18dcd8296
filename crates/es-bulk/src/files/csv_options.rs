//! The options of reading CSV, and the types that its columns can have.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use es_core::Mapping;
use es_values::InvalidValue;
use polars::prelude::DataType;
use schemars::JsonSchema;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};

use super::encoding::Encoding;

/// The options of reading CSV.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CsvOptions {
    /// The character between values: `,`, `;`, `|`, `tab` or another one of ASCII. Without it, tab for
    /// names that end in `.tsv`, and else the one of comma, semicolon, tab and pipe that divides the first
    /// lines best.
    #[schemars(with = "Option<String>", extend("format" = "text"))]
    pub delimiter: Option<Delimiter>,
    /// The character around values, `"` by default; `none` if quotes are parts of values.
    #[schemars(with = "String", extend("format" = "text"))]
    pub quote: Quote,
    /// The encoding by its name in the WHATWG Encoding Standard, such as `windows-1252` or `utf-16le`.
    /// Without it, UTF-8, or UTF-16 where a byte order mark says so.
    #[schemars(with = "Option<String>", extend("format" = "text"))]
    pub encoding: Option<Encoding>,
    /// The texts that stand for no value, such as `NA`. An empty value, not in quotes, always does.
    pub null_values: Vec<String>,
    /// The first line holds the names of the columns. Without it they are `column_1`, `column_2` and so on.
    pub header: bool,
    /// Numbers are written with a decimal comma, such as `1,5`.
    pub decimal_comma: bool,
    /// The types of columns, by their names. Others have the type that the mapping declares, or else the
    /// one that the first values of all files fit.
    pub types: BTreeMap<String, ColumnType>,
}

impl Default for CsvOptions {
    /// A header, double quotes, and everything else found out.
    fn default() -> Self {
        Self {
            delimiter: None,
            quote: Quote::default(),
            encoding: None,
            null_values: Vec::new(),
            header: true,
            decimal_comma: false,
            types: BTreeMap::new(),
        }
    }
}

impl CsvOptions {
    /// Returns true if nothing is set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The type that the values of a column of CSV are read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Text, character for character.
    #[serde(alias = "keyword")]
    Text,
    /// Whole numbers of 64 bits.
    #[serde(alias = "integer")]
    Long,
    /// Whole numbers from 0 to 18,446,744,073,709,551,615.
    UnsignedLong,
    /// Numbers, as 64-bit floats.
    #[serde(alias = "float")]
    Double,
    /// `true` or `false`, in upper or lower case.
    Boolean,
    /// Dates and times: ISO 8601, as SQL and pandas write them, or whole numbers of milliseconds.
    Date,
}

impl ColumnType {
    /// Every type.
    pub const ALL: [Self; 6] = [Self::Text, Self::Long, Self::UnsignedLong, Self::Double, Self::Boolean, Self::Date];

    /// The name in options.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Long => "long",
            Self::UnsignedLong => "unsigned_long",
            Self::Double => "double",
            Self::Boolean => "boolean",
            Self::Date => "date",
        }
    }

    /// The type that a value must have for a field of a mapping. A date in a format of its own is text.
    fn of_field(field_type: &str, has_format: bool) -> Self {
        match field_type {
            "byte" | "short" | "integer" | "long" => Self::Long,
            "unsigned_long" => Self::UnsignedLong,
            "half_float" | "float" | "double" | "scaled_float" => Self::Double,
            "boolean" => Self::Boolean,
            "date" | "date_nanos" if !has_format => Self::Date,
            _ => Self::Text,
        }
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Text | Self::Date => DataType::String,
            Self::Long => DataType::Int64,
            Self::UnsignedLong => DataType::UInt64,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
        }
    }
}

/// The types of all top-level and inner fields of a mapping, by their paths.
pub(crate) fn types_of(mapping: &Mapping) -> BTreeMap<String, ColumnType> {
    let of = |property: es_core::Property<'_>| {
        ColumnType::of_field(property.field_type(), property.parameter("format").is_some())
    };
    mapping.fields().into_iter().map(|(path, property)| (path, of(property))).collect()
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ColumnType {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        // The same names as in a pipeline file, the other ones of a type among them.
        let name = text.replace('-', "_");
        Self::deserialize(StrDeserializer::<ValueError>::new(&name)).map_err(|_| {
            let help = es_values::suggestion(text, "types", Self::ALL.map(Self::as_str));
            InvalidValue::new(format!("`{text}` is not a type of a column"), help)
        })
    }
}

/// The character between values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Delimiter(u8);

/// The character around values, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quote(Option<u8>);

impl Default for Quote {
    fn default() -> Self {
        Self(Some(b'"'))
    }
}

impl Delimiter {
    pub(crate) const COMMA: Self = Self(b',');
    pub(crate) const TAB: Self = Self(b'\t');
    /// The characters that are looked for, in order of preference.
    pub(crate) const USUAL: [Self; 4] = [Self::COMMA, Self(b';'), Self::TAB, Self(b'|')];

    pub(crate) fn byte(self) -> u8 {
        self.0
    }
}

impl Quote {
    pub(crate) fn byte(self) -> Option<u8> {
        self.0
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\t' => f.write_str("tab"),
            byte => write!(f, "{}", byte as char),
        }
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none"),
            Some(byte) => write!(f, "{}", byte as char),
        }
    }
}

impl FromStr for Delimiter {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let byte = match text {
            "tab" | "\\t" => Some(b'\t'),
            "comma" => Some(b','),
            "semicolon" => Some(b';'),
            "pipe" => Some(b'|'),
            "space" => Some(b' '),
            text => one_character(text),
        };
        byte.map(Self).ok_or_else(|| {
            let help = "write one character of ASCII, such as `;`, or `tab`".to_owned();
            InvalidValue::new(format!("`{text}` cannot stand between values"), help)
        })
    }
}

impl FromStr for Quote {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let quote = if text == "none" { Some(Self(None)) } else { one_character(text).map(|byte| Self(Some(byte))) };
        quote.ok_or_else(|| {
            let help = "write one character of ASCII, such as `'`, or `none`".to_owned();
            InvalidValue::new(format!("`{text}` cannot stand around values"), help)
        })
    }
}

fn one_character(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') && !byte.is_ascii_alphanumeric() => Some(*byte),
        _ => None,
    }
}

impl TryFrom<String> for Delimiter {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Delimiter> for String {
    fn from(delimiter: Delimiter) -> Self {
        delimiter.to_string()
    }
}

impl TryFrom<String> for Quote {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Quote> for String {
    fn from(quote: Quote) -> Self {
        quote.to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_read_and_written() {
        let value = json!({
            "delimiter": "tab", "quote": "'", "encoding": "latin1", "null_values": ["NA"], "header": false,
            "decimal_comma": true, "types": {"code": "keyword", "v": "double"}
        });
        let options: CsvOptions = serde_json::from_value(value).unwrap();
        assert_eq!((options.delimiter, options.quote.byte()), (Some(Delimiter::TAB), Some(b'\'')));
        assert_eq!(options.types["code"], ColumnType::Text);
        assert_eq!(serde_json::from_value::<CsvOptions>(json!(options)).unwrap(), options);
        assert!(serde_json::from_value::<CsvOptions>(json!({})).unwrap().is_default() && !options.is_default());
        for wrong in
            [json!({"delimiter": ""}), json!({"delimiter": "ab"}), json!({"quote": "\n"}), json!({"encoding": "x"})]
        {
            assert!(serde_json::from_value::<CsvOptions>(wrong).is_err());
        }
        assert_eq!("none".parse::<Quote>().unwrap().byte(), None);
        assert!("doubl".parse::<ColumnType>().unwrap_err().help.is_some());
    }

    #[test]
    fn fields_decide_the_types_of_columns() {
        let mapping: Mapping = serde_json::from_value(json!({"properties": {
            "k": {"type": "keyword"}, "i": {"type": "integer"}, "f": {"type": "scaled_float", "scaling_factor": 10},
            "o": {"properties": {"b": {"type": "boolean"}}}, "t": {"type": "date"},
            "u": {"type": "date", "format": "dd.MM.yyyy"}, "ip": {"type": "ip"}
        }}))
        .unwrap();
        let types = types_of(&mapping);
        let table = [
            ("k", ColumnType::Text),
            ("i", ColumnType::Long),
            ("f", ColumnType::Double),
            ("o.b", ColumnType::Boolean),
            ("t", ColumnType::Date),
            ("u", ColumnType::Text),
            ("ip", ColumnType::Text),
        ];
        for (name, expected) in table {
            assert_eq!(types.get(name), Some(&expected), "{name}");
        }
    }
}
