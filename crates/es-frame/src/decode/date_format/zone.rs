//! Time zones and offsets at the end of a date.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

/// The zone of a date's clock.
#[derive(Clone, Debug)]
pub(super) enum Zone {
    /// Seconds east of UTC.
    Offset(i64),
    Region(TimeZone),
}

impl Zone {
    /// Reads a zone at the beginning of a text, and returns it with the number of bytes that
    /// it takes: `Z`, an offset, a name such as `Europe/Rome`, or `UTC` and `GMT` with or
    /// without an offset behind them.
    pub(super) fn read(text: &str) -> Option<(Self, usize)> {
        if let Some(found) = offset(text) {
            return Some(found);
        }
        let length = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"/_+-:".contains(byte)).count();
        let name = &text[..length];
        for prefix in ["UTC", "GMT", "UT"] {
            if let Some(rest) = name.strip_prefix(prefix) {
                if rest.is_empty() {
                    return Some((Self::Offset(0), length));
                }
                if let Some((zone, more)) = offset(rest)
                    && more == rest.len()
                {
                    return Some((zone, length));
                }
            }
        }
        // Names of regions have a capital and a slash; jiff would take others in any case.
        if !name.contains('/') {
            return None;
        }
        TimeZone::get(name).ok().map(|zone| (Self::Region(zone), length))
    }

    /// Seconds since 1970-01-01T00:00:00Z of a local clock. A time that a zone skips is moved
    /// behind the gap, and of one that comes twice the first is taken, as Java does.
    pub(super) fn seconds(&self, days: i64, second_of_day: i64) -> Option<i64> {
        match self {
            Self::Offset(offset) => Some(days * 86_400 + second_of_day - offset),
            Self::Region(zone) => {
                let days: i32 = days.try_into().ok()?;
                let date = Date::constant(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
                let part = |value: i64| i8::try_from(value).ok();
                let time = Time::new(
                    part(second_of_day / 3600)?,
                    part(second_of_day / 60 % 60)?,
                    part(second_of_day % 60)?,
                    0,
                );
                Some(date.to_datetime(time.ok()?).to_zoned(zone.clone()).ok()?.timestamp().as_second())
            }
        }
    }
}

/// `Z`, `+01`, `+0100`, `+01:00` or `+01:00:00` at the beginning of a text.
pub(super) fn offset(text: &str) -> Option<(Zone, usize)> {
    let bytes = text.as_bytes();
    let sign = match bytes.first()? {
        b'Z' => return Some((Zone::Offset(0), 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |at: usize| -> Option<i64> {
        let pair = bytes.get(at..at + 2)?;
        pair.iter().all(u8::is_ascii_digit).then(|| i64::from(pair[0] - b'0') * 10 + i64::from(pair[1] - b'0'))
    };
    let hours = two(1)?;
    let (mut minutes, mut seconds, mut length) = (0, 0, 3);
    if bytes.get(3) == Some(&b':') {
        minutes = two(4)?;
        length = 6;
        if bytes.get(6) == Some(&b':') {
            seconds = two(7)?;
            length = 9;
        }
    } else if let Some(found) = two(3) {
        minutes = found;
        length = 5;
        if let Some(found) = two(5) {
            seconds = found;
            length = 7;
        }
    }
    // Java's offsets go to 18 hours.
    let total = hours * 3600 + minutes * 60 + seconds;
    (minutes < 60 && seconds < 60 && total <= 18 * 3600).then_some((Zone::Offset(sign * total), length))
}
