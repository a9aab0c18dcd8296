//! Times as SQL and pandas write them, in the form that a `date` field takes.

use std::borrow::Cow;

/// The text of a time in ISO 8601: `2024-01-02 03:04:05`, `2024/01/02` and `2024-01-02 03:04:05+0200` are
/// rewritten with the same digits. Any other text stays as it is.
pub(crate) fn iso_time(text: &str) -> Cow<'_, str> {
    rewritten(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn rewritten(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let separator = *bytes.get(4).filter(|byte| matches!(byte, b'-' | b'/'))?;
    let is_date = bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == separator,
            _ => byte.is_ascii_digit(),
        });
    if !is_date {
        return None;
    }
    let date = text[..10].replace('/', "-");
    let Some(time) = text[10..].strip_prefix(['T', ' ']) else {
        return text[10..].is_empty().then_some(date);
    };
    let end = time.find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, ':' | '.'))).unwrap_or(time.len());
    let (clock, zone) = time.split_at(end);
    let zone = match zone.strip_prefix(' ').unwrap_or(zone) {
        "" => String::new(),
        "Z" | "z" | "UTC" => "Z".to_owned(),
        offset => {
            let digits: String = offset.strip_prefix(['+', '-'])?.chars().filter(|letter| *letter != ':').collect();
            let sign = if offset.starts_with('-') { '-' } else { '+' };
            match digits.len() {
                _ if !digits.bytes().all(|byte| byte.is_ascii_digit()) => return None,
                2 => format!("{sign}{digits}:00"),
                4 => format!("{sign}{}:{}", &digits[..2], &digits[2..]),
                _ => return None,
            }
        }
    };
    Some(format!("{date}T{clock}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_sql_and_pandas_become_iso_8601() {
        let table = [
            ("2024-01-02 03:04:05", "2024-01-02T03:04:05"),
            ("2024-01-02 03:04", "2024-01-02T03:04"),
            ("2024-01-02 03:04:05.123456", "2024-01-02T03:04:05.123456"),
            ("2024-01-02 03:04:05+00:00", "2024-01-02T03:04:05+00:00"),
            ("2024-01-02 03:04:05+02", "2024-01-02T03:04:05+02:00"),
            ("2024-01-02 03:04:05 -0530", "2024-01-02T03:04:05-05:30"),
            ("2024-01-02 03:04:05 UTC", "2024-01-02T03:04:05Z"),
            ("2024/01/02", "2024-01-02"),
            ("2024/01/02 03:04:05", "2024-01-02T03:04:05"),
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
            ("2024-01-02", "2024-01-02"),
            ("01/02/2024", "01/02/2024"),
            ("2024-01/02", "2024-01/02"),
            ("1700000000000", "1700000000000"),
            ("2024-01-02 noon", "2024-01-02 noon"),
            ("2024-01-02 03:04:05 é", "2024-01-02 03:04:05 é"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(iso_time(text), expected, "{text}");
        }
    }
}
