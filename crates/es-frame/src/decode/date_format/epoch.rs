//! Numbers of seconds or milliseconds since 1970-01-01T00:00:00Z, with a fraction.

/// The instant of a number of units, of which `unit` make a second, in units of which
/// `per_second` make one. Digits beyond a nanosecond are refused, as the server refuses them.
pub(super) fn read(text: &str, unit: i64, per_second: i64) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || (fraction.is_empty() && digits.contains('.')) {
        return None;
    }
    let per_unit = 1_000_000_000 / i128::from(unit);
    let mut nanoseconds = whole.parse::<i128>().ok()?.checked_mul(per_unit)?;
    let mut scale = per_unit;
    for byte in fraction.bytes() {
        scale /= 10;
        if scale == 0 {
            return None;
        }
        nanoseconds += i128::from(byte - b'0') * scale;
    }
    let nanoseconds = if negative { -nanoseconds } else { nanoseconds };
    nanoseconds.div_euclid(1_000_000_000 / i128::from(per_second)).try_into().ok()
}
