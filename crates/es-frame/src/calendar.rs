//! Instants as ISO 8601 text, written and read without going through a date library: this
//! runs once a cell.

/// Writes the civil date of a day number (days since 1970-01-01) as `YYYY-MM-DD`.
/// False, and nothing written, when the year has not exactly four digits.
pub(crate) fn write_date(days: i64, out: &mut Vec<u8>) -> bool {
    let Some((year, month, day)) = civil(days) else { return false };
    push_digits(out, year, 4);
    out.push(b'-');
    push_digits(out, month, 2);
    out.push(b'-');
    push_digits(out, day, 2);
    true
}

/// Writes an instant as `YYYY-MM-DDTHH:MM:SS.fffZ`. `per_second` is 1,000, 1,000,000 or
/// 1,000,000,000 and gives the unit of `value` and the number of digits. False, and nothing
/// written, when the year has not exactly four digits.
pub(crate) fn write_instant(value: i64, per_second: i64, out: &mut Vec<u8>) -> bool {
    let seconds = value.div_euclid(per_second);
    let fraction = value.rem_euclid(per_second);
    if !write_date(seconds.div_euclid(86_400), out) {
        return false;
    }
    out.push(b'T');
    write_clock(seconds.rem_euclid(86_400), out);
    out.push(b'.');
    let digits = match per_second {
        1_000 => 3,
        1_000_000 => 6,
        _ => 9,
    };
    push_digits(out, fraction, digits);
    out.push(b'Z');
    true
}

/// Writes a second of a day as `HH:MM:SS`.
pub(crate) fn write_clock(second: i64, out: &mut Vec<u8>) {
    push_digits(out, second / 3600, 2);
    out.push(b':');
    push_digits(out, second / 60 % 60, 2);
    out.push(b':');
    push_digits(out, second % 60, 2);
}

fn push_digits(out: &mut Vec<u8>, value: i64, width: usize) {
    let mut text = [b'0'; 9];
    let mut rest = value;
    for digit in text[..width].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&text[..width]);
}

/// The proleptic Gregorian date of a day number, for the years 0 to 9999. It counts in
/// eras of 400 years, which all have 146,097 days, from a year that starts in March, so
/// that the leap day is the last one.
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    let shifted = days.checked_add(719_468)?;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (0..=9999).contains(&year).then_some((year, month, day))
}

/// Reads the instant of an ISO 8601 text in the given unit, or `None` where this fast path
/// does not know the form. Takes `YYYY-MM-DD`, and with `THH:MM:SS`, up to nine digits of a
/// fraction, and `Z`.
pub(crate) fn read_instant(text: &str, per_second: i64) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        bytes
            .get(range)?
            .iter()
            .try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let is = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
    if !is(4, b'-') || !is(7, b'-') {
        return None;
    }
    let days = day_number(number(0..4)?, number(5..7)?, number(8..10)?)?;
    if bytes.len() == 10 {
        return days.checked_mul(86_400)?.checked_mul(per_second);
    }
    if !is(10, b'T') || !is(13, b':') || !is(16, b':') {
        return None;
    }
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (mut at, mut fraction, mut scale) = (19, 0, per_second);
    if is(at, b'.') {
        at += 1;
        let from = at;
        while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
            // Digits beyond the unit are cut off, as Elasticsearch does.
            if scale > 1 {
                scale /= 10;
                fraction += i64::from(digit - b'0') * scale;
            }
            at += 1;
        }
        if at == from {
            return None;
        }
    }
    if !is(at, b'Z') || bytes.len() != at + 1 {
        return None;
    }
    let seconds = days.checked_mul(86_400)?.checked_add(hour * 3600 + minute * 60 + second)?;
    seconds.checked_mul(per_second)?.checked_add(fraction)
}

/// The inverse of [`civil`], for dates that exist.
fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    // A day past the end of its month comes back as another date.
    (civil(days) == Some((year, month, day))).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn written(value: i64, per_second: i64) -> Option<String> {
        let mut out = Vec::new();
        write_instant(value, per_second, &mut out).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn edges_are_written() {
        let table = [
            (0, 1_000, "1970-01-01T00:00:00.000Z"),
            (-1, 1_000, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, 1_000, "2000-02-29T00:00:00.000Z"),
            (1_388_548_800_000_001, 1_000_000, "2014-01-01T04:00:00.000001Z"),
            (-62_167_219_200_000, 1_000, "0000-01-01T00:00:00.000Z"),
            (253_402_300_799_999, 1_000, "9999-12-31T23:59:59.999Z"),
        ];
        for (value, per_second, text) in table {
            assert_eq!(written(value, per_second).as_deref(), Some(text));
            assert_eq!(read_instant(text, per_second), Some(value));
        }
        assert_eq!(written(253_402_300_800_000, 1_000), None);
        assert_eq!(written(-62_167_219_200_001, 1_000), None);
        assert_eq!(written(i64::MIN, 1_000), None);
    }

    #[test]
    fn what_is_no_plain_instant_is_left_to_others() {
        for text in [
            "",
            "2013",
            "2013-02-29",
            "2013-13-01",
            "2013-00-10",
            "2013-01-01T24:00:00Z",
            "2013-01-01T00:00:00",
            "2013-01-01T00:00:00.Z",
            "2013-01-01T00:00:00+01:00",
            "2013-01-01 00:00:00Z",
            "+013-01-01",
            "2013-01-01Tx",
        ] {
            assert_eq!(read_instant(text, 1_000), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn instants_agree_with_a_date_library(value in -62_167_219_200_000_i64..253_402_300_800_000) {
            let expected = format!("{:.3}", Timestamp::from_millisecond(value).unwrap());
            let text = written(value, 1_000).unwrap();
            prop_assert_eq!(&text, &expected);
            prop_assert_eq!(read_instant(&text, 1_000), Some(value));
        }

        #[test]
        fn reading_never_panics(text in "\\PC*") {
            let _ = read_instant(&text, 1_000_000_000);
        }
    }
}
