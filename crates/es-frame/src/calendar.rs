//! Instants as ISO 8601 text, written and read without going through a date library: this
//! runs once a cell.

use crate::encode::eight_digits;

/// The civil date of a day number (days since 1970-01-01) as `YYYY-MM-DD`, or `None` when the
/// year has not exactly four digits.
#[inline]
pub(crate) fn date_text(days: i64) -> Option<[u8; 10]> {
    let (year, month, day) = civil(days)?;
    let [y1, y2, y3, y4, m1, m2, d1, d2] = eight_digits((year * 10_000 + month * 100 + day) as u32);
    Some([y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2])
}

/// The longest text of an instant, and two bytes that do not count.
pub(crate) type InstantText = [u8; 32];

/// An instant as `YYYY-MM-DDTHH:MM:SS.fffZ` and the length of that, or `None` when the year
/// has not exactly four digits. `per_second` is 1,000, 1,000,000 or 1,000,000,000 and gives
/// the unit of `value` and the number of digits.
#[inline]
pub(crate) fn instant_text(value: i64, per_second: i64) -> Option<(InstantText, usize)> {
    // A branch for each, so that the divisions are by constants.
    match per_second {
        1_000 => instant_of::<1_000, 3>(value),
        1_000_000 => instant_of::<1_000_000, 6>(value),
        _ => instant_of::<1_000_000_000, 9>(value),
    }
}

#[inline(always)]
fn instant_of<const PER_SECOND: i64, const DIGITS: usize>(value: i64) -> Option<(InstantText, usize)> {
    let seconds = value.div_euclid(PER_SECOND);
    let date = date_text(seconds.div_euclid(86_400))?;
    let fraction = value.rem_euclid(PER_SECOND) * (1_000_000_000 / PER_SECOND);
    let mut text = [b'T'; 32];
    text[..10].copy_from_slice(&date);
    text[11..29].copy_from_slice(&clock_text(seconds.rem_euclid(86_400) * 1_000_000_000 + fraction));
    text[20 + DIGITS] = b'Z';
    Some((text, 21 + DIGITS))
}

/// A nanosecond of a day as `HH:MM:SS.fffffffff`.
#[inline(always)]
pub(crate) fn clock_text(nanosecond: i64) -> [u8; 18] {
    let (second, fraction) = (nanosecond / 1_000_000_000, nanosecond % 1_000_000_000);
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    let [_, _, h1, h2, m1, m2, s1, s2] = eight_digits((hours * 10_000 + minutes * 100 + seconds) as u32);
    let mut text = [h1, h2, b':', m1, m2, b':', s1, s2, b'.', 0, 0, 0, 0, 0, 0, 0, 0, 0];
    text[9..17].copy_from_slice(&eight_digits((fraction / 10) as u32));
    text[17] = b'0' + (fraction % 10) as u8;
    text
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

/// The inverse of [`civil`], for dates that exist, in any year.
#[inline(always)]
pub(crate) fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    /// The number of days of a year that starts in March before each month, from January on.
    const BEFORE: [i64; 12] = [306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275];
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let place = usize::try_from(month - 1).ok().filter(|place| *place < 12)?;
    let is_leap_day = month == 2 && day == 29 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if day < 1 || (day > LENGTHS[place] && !is_leap_day) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + BEFORE[place] + day - 1;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn written(value: i64, per_second: i64) -> Option<String> {
        let (text, length) = instant_text(value, per_second)?;
        Some(String::from_utf8(text[..length].to_vec()).unwrap())
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
            let instant = Timestamp::from_millisecond(value).unwrap();
            let (micros, nanos) = (value * 1_000 + value.rem_euclid(1_000), value % 9_223_372_036_854);
            let nanos = nanos * 1_000_000 + value.rem_euclid(1_000_000);
            for (value, per_second, expected) in [
                (value, 1_000, format!("{instant:.3}")),
                (micros, 1_000_000, format!("{:.6}", Timestamp::from_microsecond(micros).unwrap())),
                (nanos, 1_000_000_000, format!("{:.9}", Timestamp::from_nanosecond(nanos.into()).unwrap())),
            ] {
                let text = written(value, per_second).unwrap();
                prop_assert_eq!(&text, &expected);
                prop_assert_eq!(read_instant(&text, per_second), Some(value));
            }
        }

        #[test]
        fn reading_never_panics(text in "\\PC*") {
            let _ = read_instant(&text, 1_000_000_000);
        }
    }
}
