//! Values of CSV that were read as text, in the types of their columns. This is the careful way, which says
//! of each value why a column cannot hold it; Polars reads plain values itself.

use polars::prelude::{Column, IntoColumn as _, NamedFrom as _, PolarsResult, Series};

use super::csv_kinds::number;
use super::csv_options::{ColumnType, CsvOptions};
use super::csv_times::iso_time;

/// A column, and the rows whose values it cannot hold, with the reasons.
pub(crate) type Cells = (Column, Vec<(usize, String)>);

/// Reads the values of a column of text.
pub(crate) fn cells(text: &Column, column: ColumnType, is_declared: bool, options: &CsvOptions) -> PolarsResult<Cells> {
    let values = text.str()?;
    let is_null = |value: &&str| options.null_values.iter().any(|null| null == value);
    let values = values.iter().map(|value| value.filter(|value| !is_null(value)));
    let name = text.name().clone();
    let rules = Rules { is_declared, decimal_comma: options.decimal_comma };
    let mut refused = Vec::new();
    let mut refuse = |row: usize, value: &str, why: &str| refused.push((row, reason(&name, value, why)));
    /// Collects numbers, refusing those that a rule does.
    macro_rules! numbers {
        ($read:expr) => {{
            let read = |(row, value): (usize, Option<&str>)| {
                let value = value.filter(|value| !value.trim().is_empty())?;
                $read(value).map_err(|why| refuse(row, value, why)).ok()
            };
            values.enumerate().map(read).collect::<Vec<_>>()
        }};
    }
    let series = match column {
        ColumnType::Text => Series::new(name.clone(), values.collect::<Vec<Option<&str>>>()),
        ColumnType::Date => Series::new(name.clone(), values.map(|value| value.map(iso_time)).collect::<Vec<_>>()),
        ColumnType::Long => Series::new(name.clone(), numbers!(|value| rules.whole::<i64>(value))),
        ColumnType::UnsignedLong => Series::new(name.clone(), numbers!(|value| rules.whole::<u64>(value))),
        ColumnType::Double => Series::new(name.clone(), numbers!(|value| rules.double(value))),
        ColumnType::Boolean => Series::new(name.clone(), numbers!(boolean)),
    };
    Ok((series.into_column(), refused))
}

fn reason(column: &str, value: &str, why: &str) -> String {
    let shown: String = value.chars().take(100).collect();
    format!("`{shown}` in column {column} {why}")
}

const NOT_PLAIN: &str = "is not a plain number, in a column of numbers; if the column is text, set its type";

#[derive(Clone, Copy)]
struct Rules {
    is_declared: bool,
    decimal_comma: bool,
}

impl Rules {
    /// The number as Rust reads it. In a column that is declared as numbers, leading zeros and a plus sign
    /// mean nothing.
    fn number(self, value: &str) -> Result<String, &'static str> {
        if let Some(text) = number(value, self.decimal_comma) {
            return Ok(text);
        }
        let value = value.trim();
        if value.parse::<f64>().is_ok_and(f64::is_infinite) && value.contains(|letter: char| letter.is_ascii_digit()) {
            return Err("is beyond the range of 64-bit floats");
        }
        let sign = if value.starts_with('-') { "-" } else { "" };
        let digits = value.trim_start_matches(['-', '+']);
        let bare = digits.trim_start_matches('0');
        let bare =
            if bare.starts_with(|letter: char| letter.is_ascii_digit()) { bare.to_owned() } else { format!("0{bare}") };
        let one_sign = value.len() - digits.len() <= 1;
        match number(&format!("{sign}{bare}"), self.decimal_comma).filter(|_| one_sign) {
            Some(text) if self.is_declared => Ok(text),
            Some(_) => Err(NOT_PLAIN),
            None => Err("is not a number"),
        }
    }

    fn whole<T: std::str::FromStr>(self, value: &str) -> Result<T, &'static str> {
        let text = self.number(value)?;
        // Programs write whole numbers of columns with gaps as `7.0`.
        let whole = match text.split_once('.') {
            Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
            Some(_) => return Err("has a fraction, and the column whole numbers; set its type to double"),
            None => &text,
        };
        whole.parse().map_err(|_| "is not a whole number that the type of the column holds")
    }

    fn double(self, value: &str) -> Result<f64, &'static str> {
        let text = self.number(value)?;
        let double: f64 = text.parse().map_err(|_| "is not a number")?;
        let is_whole = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
        if !self.is_declared && is_whole && text.len() >= 16 && text.parse::<i128>() != Ok(double as i128) {
            return Err("has more digits than a double holds; if that will do, set the column's type to double");
        }
        Ok(double)
    }
}

fn boolean(value: &str) -> Result<bool, &'static str> {
    match value.trim() {
        value if value.eq_ignore_ascii_case("true") => Ok(true),
        value if value.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err("is neither true nor false"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str], column: ColumnType, declared: bool) -> (Vec<String>, Vec<String>) {
        let text = Series::new("c".into(), values).into_column();
        let options = CsvOptions { null_values: vec!["NA".into()], ..CsvOptions::default() };
        let (found, refused) = cells(&text, column, declared, &options).unwrap();
        let found = (0..found.len()).map(|row| found.get(row).unwrap().to_string()).collect();
        (found, refused.into_iter().map(|(row, reason)| format!("{row}: {reason}")).collect())
    }

    #[test]
    fn declared_numbers_are_read_as_that_number() {
        use ColumnType as T;
        let table: [(&[&str], T, &[&str]); 5] = [
            (&["007", "+5", "-08", "7.0", "NA", ""], T::Long, &["7", "5", "-8", "7", "null", "null"]),
            (&["18446744073709551615"], T::UnsignedLong, &["18446744073709551615"]),
            (&["1", "1.50", "1e-05", "007.5", "+.5"], T::Double, &["1.0", "1.5", "0.00001", "7.5", "0.5"]),
            (&["TRUE", "false"], T::Boolean, &["true", "false"]),
            (&["007", "NA", "+49"], T::Text, &["\"007\"", "null", "\"+49\""]),
        ];
        for (values, column, expected) in table {
            let (found, refused) = read(values, column, true);
            assert_eq!(
                (found, refused),
                (expected.iter().map(|text| text.to_string()).collect(), vec![]),
                "{values:?}"
            );
        }
    }

    #[test]
    fn values_that_a_column_cannot_hold_are_refused_by_name() {
        use ColumnType as T;
        let table = [
            ("1.75", T::Long, true, "has a fraction"),
            ("9223372036854775808", T::Long, true, "is not a whole number"),
            ("-1", T::UnsignedLong, true, "is not a whole number"),
            ("x", T::Double, true, "is not a number"),
            ("++5", T::Long, true, "is not a number"),
            ("1e999", T::Double, true, "is beyond the range"),
            ("yes", T::Boolean, true, "is neither true nor false"),
            ("007", T::Long, false, "is not a plain number"),
            ("+49", T::Double, false, "is not a plain number"),
            ("9007199254740993", T::Double, false, "has more digits"),
        ];
        for (value, column, declared, why) in table {
            let (found, refused) =
                read(&["1", value], if column == T::Boolean { T::Boolean } else { column }, declared);
            let last = refused.last().unwrap();
            assert!(last.starts_with(&format!("1: `{value}` in column c {why}")), "{last}");
            assert_eq!(found[1], "null");
        }
    }
}
