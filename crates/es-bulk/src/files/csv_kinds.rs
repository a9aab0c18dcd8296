//! The kinds of values that the columns of CSV have, and the types that follow from them.
//!
//! A number is what comes back as the same number. A value in quotes, with leading zeros (`007`) or with a
//! plus sign (`+49`) is text. Whole numbers are `long`, those above its range that 64 bits hold
//! `unsigned_long`, larger ones text. Together with fractions they are `double`, unless a double does not
//! hold one of them exactly.

use super::csv_options::ColumnType;
use super::csv_records::Dialect;

/// The kinds of the values of a column, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    const LONG: Self = Self(1);
    const NEGATIVE: Self = Self(1 << 1);
    /// Whole numbers above the range of `long`, within that of `unsigned_long`.
    const UNSIGNED: Self = Self(1 << 2);
    /// Whole numbers beyond 64 bits.
    const LARGE: Self = Self(1 << 3);
    /// Whole numbers that a double does not hold exactly.
    const INEXACT: Self = Self(1 << 4);
    const FRACTION: Self = Self(1 << 5);
    const BOOLEAN: Self = Self(1 << 6);
    const TEXT: Self = Self(1 << 7);

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The type that holds all values; text where there are none.
    pub(crate) fn column_type(self) -> ColumnType {
        let is_number = !self.has(Self::TEXT) && !self.has(Self::BOOLEAN);
        let only_long = self.0 & !(Self::LONG.0 | Self::NEGATIVE.0 | Self::INEXACT.0) == 0;
        match self {
            Self(0) => ColumnType::Text,
            Self::BOOLEAN => ColumnType::Boolean,
            _ if is_number && only_long => ColumnType::Long,
            _ if is_number && self.has(Self::FRACTION) && !self.has(Self::INEXACT) => ColumnType::Double,
            _ if is_number && !self.has(Self::FRACTION) && !self.has(Self::LARGE) && !self.has(Self::NEGATIVE) => {
                ColumnType::UnsignedLong
            }
            _ => ColumnType::Text,
        }
    }

    /// The type of a column whose values are declared. Dates may be numbers of milliseconds.
    pub(crate) fn as_declared(self, declared: ColumnType) -> ColumnType {
        match (declared, self.column_type()) {
            (ColumnType::Date, ColumnType::Long) => ColumnType::Long,
            _ => declared,
        }
    }

    /// The kind of a value as it is written; none of one that counts as null.
    pub(crate) fn of(value: &[u8], dialect: Dialect, null_values: &[String], decimal_comma: bool) -> Self {
        let (text, quoted) = dialect.unquoted(value);
        if null_values.iter().any(|null| null.as_bytes() == text.as_ref()) {
            return Self(0);
        }
        if quoted {
            return Self::TEXT;
        }
        if text.is_empty() {
            return Self(0);
        }
        let Ok(text) = std::str::from_utf8(&text) else { return Self::TEXT };
        if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            return Self::BOOLEAN;
        }
        match number(text, decimal_comma) {
            Some(number) => Self::of_number(&number),
            None => Self::TEXT,
        }
    }

    fn of_number(text: &str) -> Self {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::FRACTION;
        }
        let sign = if digits.len() < text.len() { Self::NEGATIVE } else { Self(0) };
        let exact = if is_exact(text) { Self(0) } else { Self::INEXACT };
        let size = if text.parse::<i64>().is_ok() {
            Self::LONG
        } else if text.parse::<u64>().is_ok() {
            Self::UNSIGNED
        } else {
            Self::LARGE
        };
        size.with(sign).with(exact)
    }
}

/// Returns true if a double holds a whole number exactly.
fn is_exact(text: &str) -> bool {
    // 2^53 has 16 digits, and a double holds every whole number below it.
    text.len() < 16
        || match (text.parse::<i128>(), text.parse::<f64>()) {
            (Ok(whole), Ok(double)) => double as i128 == whole,
            _ => false,
        }
}

/// The text of a number in the form that Rust reads; `None` for anything else. Numbers have no leading zeros
/// and no plus sign, and a double holds them, if not to all digits.
pub(crate) fn number(text: &str, decimal_comma: bool) -> Option<String> {
    let text = text.trim_matches([' ', '\t']);
    if matches!(text, "NaN" | "inf" | "-inf") {
        return Some(text.to_owned());
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let starts = digits.bytes().next()?;
    let point = if decimal_comma { b',' } else { b'.' };
    let is_number = (starts.is_ascii_digit() || starts == point)
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == point || matches!(byte, b'e' | b'E' | b'-' | b'+'))
        && !has_leading_zero(digits.as_bytes());
    if !is_number {
        return None;
    }
    let text = if decimal_comma { text.replace(',', ".") } else { text.to_owned() };
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|_| text)
}

fn has_leading_zero(digits: &[u8]) -> bool {
    matches!(digits, [b'0', next, ..] if next.is_ascii_digit())
}

/// The care that the values of a column need after the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// Polars reads them as they are meant, or fails.
    None,
    /// Whole numbers that nobody declared: `007` and `+49` are none.
    Whole,
    /// The same for fractions; and a long whole number may not fit a double.
    Fraction,
}

impl Care {
    pub(crate) fn of(column: ColumnType, is_declared: bool) -> Self {
        match column {
            _ if is_declared => Self::None,
            ColumnType::Long | ColumnType::UnsignedLong => Self::Whole,
            ColumnType::Double => Self::Fraction,
            ColumnType::Text | ColumnType::Boolean | ColumnType::Date => Self::None,
        }
    }
}

/// Returns true if a value of a column of numbers may be something else that Polars would read as a number.
pub(crate) fn needs_care(care: Care, value: &[u8]) -> bool {
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    match value {
        [] | [b'1'..=b'9'] => false,
        [b'1'..=b'9', ..] => care == Care::Fraction && value.len() >= 16 && value.iter().all(u8::is_ascii_digit),
        [b'0'] => false,
        [b'0', next, ..] | [b'-', b'0', next, ..] => next.is_ascii_digit(),
        [b'-', b'1'..=b'9', ..] => {
            care == Care::Fraction && value.len() >= 16 && value[1..].iter().all(u8::is_ascii_digit)
        }
        [b'-', ..] | [b'.', ..] => false,
        // Plus signs, quotes, white space and whatever else.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::csv_records::PLAIN;
    use super::*;

    fn kinds(values: &[&str]) -> Kinds {
        let kind = |value: &&str| Kinds::of(value.as_bytes(), PLAIN, &["NA".to_owned()], false);
        values.iter().map(kind).fold(Kinds::default(), Kinds::with)
    }

    #[test]
    fn values_decide_the_type_of_a_column() {
        use ColumnType as T;
        let table: [(&[&str], T); 26] = [
            (&[], T::Text),
            (&["", "NA"], T::Text),
            (&["1", "-7", "0", "", "NA"], T::Long),
            (&["007", "7"], T::Text),
            (&["-007"], T::Text),
            (&["00.5"], T::Text),
            (&["+49"], T::Text),
            (&["+1.5"], T::Text),
            (&["\"7\""], T::Text),
            (&["1.50", "1e-05", "-.5", "0.1", "3"], T::Double),
            (&["1e999"], T::Text),
            (&["NaN", "1"], T::Double),
            (&["9223372036854775807"], T::Long),
            (&["9223372036854775808", "1"], T::UnsignedLong),
            (&["9223372036854775808", "-1"], T::Text),
            (&["18446744073709551616"], T::Text),
            (&["123456789012345678901234567890"], T::Text),
            (&["1.5", "9007199254740993"], T::Text),
            (&["1.5", "9007199254740992"], T::Double),
            (&["1.5", "100000000000000000000"], T::Double),
            (&["true", "False"], T::Boolean),
            (&["true", "1"], T::Text),
            (&["1", "x"], T::Text),
            (&["1,5"], T::Text),
            (&["1e", "-"], T::Text),
            (&["0x10"], T::Text),
        ];
        for (values, expected) in table {
            assert_eq!(kinds(values).column_type(), expected, "{values:?}");
        }
        assert_eq!(kinds(&["1700000000000"]).as_declared(T::Date), T::Long);
        assert_eq!(kinds(&["2024-01-01"]).as_declared(T::Date), T::Date);
        assert_eq!(number("1,5", true).as_deref(), Some("1.5"));
        assert_eq!((number("1.5", true), number("1.234,5", true)), (None, None));
    }

    #[test]
    fn odd_values_among_numbers_are_seen() {
        for odd in ["007", "-07", "+5", "\"007\"", " 7"] {
            assert!(needs_care(Care::Whole, odd.as_bytes()), "{odd}");
        }
        assert!(needs_care(Care::Fraction, b"9007199254740993") && needs_care(Care::Fraction, b"-9007199254740993"));
        for plain in ["", "0", "7", "70", "-7", "0.5", "-0.5", "1e5", ".5", "9007199254740993"] {
            assert!(!needs_care(Care::Whole, plain.as_bytes()), "{plain}");
        }
    }
}
