//! Numbers, exactly: eight digits at a time where the text allows it, and a general form for
//! the rest.

use super::scan::Scanner;
use super::window::Window;

/// A digit in each byte.
const ZEROS: u64 = 0x3030_3030_3030_3030;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The powers of ten that a 64-bit float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
const WHOLE_POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Integers up to this are floats of their own.
const EXACT: u64 = 1 << 53;

/// Up to eight digits at the beginning of eight bytes: their value, and how many they are.
#[inline(always)]
fn leading(chunk: u64) -> (u64, usize) {
    let digits = chunk ^ ZEROS;
    // Bytes from 10 on get their high bit set; a carry touches only bytes after the first of them.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & HIGH;
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    // The digits move to the end, and zeros lead them.
    let digits = digits << (64 - 8 * count as u32);
    (eight_digits(digits), count)
}

/// The number that eight bytes of one digit each are, the first one in the lowest byte.
#[inline(always)]
pub(crate) fn eight_digits(digits: u64) -> u64 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

impl Window<'_> {
    /// Digits from an offset on, at most 18, as a number and their count. `None` when there
    /// are more of them.
    #[inline(always)]
    fn digits(self, at: usize) -> Option<(u64, usize)> {
        let (value, count) = leading(self.eight(at));
        if count < 8 {
            return Some((value, count));
        }
        let (next, more) = leading(self.eight(at + 8));
        let (value, count) = (value * WHOLE_POWERS[more] + next, 8 + more);
        if more < 8 {
            return Some((value, count));
        }
        let (next, more) = leading(self.eight(at + 16));
        if more > 2 {
            return None;
        }
        Some((value * WHOLE_POWERS[more] + next, count + more))
    }

    /// An integer of at most 18 digits, as it is mostly written, and where it ends. `None` for
    /// anything else.
    #[inline(always)]
    pub(crate) fn integer(self, from: usize) -> Option<(i64, usize)> {
        let negative = self.byte(from) == b'-';
        let start = from + usize::from(negative);
        let (value, count) = self.digits(start)?;
        let end = self.byte(start + count);
        // A zero leads no other digit, and a fraction or exponent is for others to read.
        if count == 0 || matches!(end, b'.' | b'e' | b'E') || (count > 1 && self.byte(start) == b'0') {
            return None;
        }
        let value = value.cast_signed();
        Some((if negative { -value } else { value }, start + count))
    }

    /// A float as it is mostly written, if its digits make it exact, and where it ends. `None` for
    /// anything else, so that no offset beyond 38 is read from.
    #[inline(always)]
    pub(crate) fn float(self) -> Option<(f64, usize)> {
        let negative = self.byte(0) == b'-';
        let start = usize::from(negative);
        let (mut mantissa, whole) = self.digits(start)?;
        if whole == 0 || (whole > 1 && self.byte(start) == b'0') {
            return None;
        }
        let mut at = start + whole;
        let mut scale = 0_i32;
        if self.byte(at) == b'.' {
            let (fraction, count) = self.digits(at + 1)?;
            if count == 0 || whole + count > 18 {
                return None;
            }
            mantissa = match count {
                0..=8 => mantissa * WHOLE_POWERS[count] + fraction,
                9..=16 => mantissa * WHOLE_POWERS[8] * WHOLE_POWERS[count - 8] + fraction,
                _ => mantissa * WHOLE_POWERS[8] * WHOLE_POWERS[8] * WHOLE_POWERS[count - 16] + fraction,
            };
            at += 1 + count;
            scale = -(count as i32);
        }
        if matches!(self.byte(at), b'e' | b'E') {
            let sign = self.byte(at + 1);
            let start = at + 1 + usize::from(matches!(sign, b'-' | b'+'));
            let (exponent, count) = self.digits(start)?;
            if count == 0 || count > 3 {
                return None;
            }
            scale += if sign == b'-' { -(exponent as i32) } else { exponent as i32 };
            at = start + count;
        }
        let value = exact(mantissa, scale)?;
        Some((if negative { -value } else { value }, at))
    }
}

impl Scanner<'_> {
    /// Takes an integer as [`Window::integer`] does. `None`, and nothing taken, for anything else
    /// and near the end of the answer.
    #[inline(always)]
    pub(crate) fn short_integer(&mut self) -> Option<i64> {
        let (value, length) = self.window()?.integer(0)?;
        self.at += length;
        Some(value)
    }

    /// Takes a float as [`Window::float`] does. `None`, and nothing taken, for anything else and
    /// near the end of the answer.
    #[inline(always)]
    pub(crate) fn short_float(&mut self) -> Option<f64> {
        let (value, length) = self.window()?.float()?;
        self.at += length;
        Some(value)
    }
}

/// A float from a whole number and a power of ten, if both are floats: one rounding makes the
/// result the nearest one (Clinger, "How to read floating point numbers accurately", 1990).
#[inline(always)]
fn exact(mantissa: u64, scale: i32) -> Option<f64> {
    if mantissa > EXACT {
        return None;
    }
    let power = *POWERS.get(scale.unsigned_abs() as usize)?;
    let mantissa = mantissa as f64;
    Some(if scale < 0 { mantissa / power } else { mantissa * power })
}

/// The 32-bit float that a text means, given the nearest 64-bit one. `None` where the second
/// rounding could go another way than a single one: in the middle of two 32-bit floats, and
/// where those are not evenly spaced.
#[inline(always)]
pub(crate) fn narrow(value: f64) -> Option<f32> {
    const BELOW: u64 = (1 << 29) - 1;
    let magnitude = value.abs();
    let is_middle = value.to_bits() & BELOW == 1 << 28;
    let is_normal = magnitude >= f64::from(f32::MIN_POSITIVE) && magnitude <= f64::from(f32::MAX);
    (value == 0.0 || (is_normal && !is_middle)).then_some(value as f32)
}

/// The integer that the text of a number means, in whichever form it is written: `1.5e1` is 15.
/// `None` for a text that is not a number, for one with a fraction, and for one beyond 128 bits.
pub(crate) fn whole(text: &str) -> Option<i128> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if integer.len() + fraction.len() == 0 || !is_digits(integer) || !is_digits(fraction) {
        return None;
    }
    let exponent: i64 = exponent.parse().ok()?;
    let point = i64::try_from(integer.len()).ok()? + exponent;
    let mut value = 0_i128;
    let mut digits = integer.bytes().chain(fraction.bytes());
    for place in 0..point.max(0) {
        let digit = digits.next().map_or(0, |byte| i128::from(byte - b'0'));
        if value == 0 && digit == 0 && place > i64::from(u16::MAX) {
            // Zeros without end, and no digit before them.
            return digits.all(|digit| digit == b'0').then_some(0);
        }
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    let is_integer = digits.all(|digit| digit == b'0');
    is_integer.then_some(if negative { -value } else { value })
}

/// The float that a text means. `None` for a text that is no number of JSON or of Java's
/// `Double.parseDouble`, and for one that is not finite.
pub(crate) fn float(text: &str) -> Option<f64> {
    let value: f64 = text.trim().parse().ok()?;
    value.is_finite().then_some(value)
}

/// As [`float`], rounded once.
pub(crate) fn float32(text: &str) -> Option<f32> {
    let value: f32 = text.trim().parse().ok()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes follow as they do in an answer.
    fn followed(text: &str) -> String {
        format!("{text},\"next\":[{}]}}", "1234567,".repeat(12))
    }

    fn integer(text: &str) -> Option<i64> {
        Scanner::new(&followed(text)).short_integer()
    }

    fn short(text: &str) -> Option<f64> {
        Scanner::new(&followed(text)).short_float()
    }

    #[test]
    fn integers_of_any_length_are_read_or_left() {
        let mut power = 1_i64;
        for digits in 1..=18 {
            for value in [power, power * 9, -power, power - 1, power + 1] {
                if value.unsigned_abs().to_string().len() <= 18 {
                    assert_eq!(integer(&value.to_string()), Some(value), "{digits}");
                }
            }
            power = power.wrapping_mul(10);
        }
        for text in ["", "-", "01", "-01", "1.5", "1e5", "9223372036854775807", "a", "\"1\"", "1234567890123456789"] {
            assert_eq!(integer(text), None, "{text}");
        }
        assert_eq!((integer("0"), integer("-0")), (Some(0), Some(0)));
    }

    #[test]
    fn whole_numbers_are_read_from_every_form() {
        let table = [
            ("7", Some(7)),
            ("-7.0", Some(-7)),
            ("7.", Some(7)),
            ("7.9", None),
            ("-7.9", None),
            ("7.0000000000000000000000000000000001", None),
            ("1e3", Some(1000)),
            ("1.5e1", Some(15)),
            ("150e-1", Some(15)),
            ("15e-1", None),
            ("1e-400", None),
            ("0e-400", Some(0)),
            ("0.0", Some(0)),
            ("18446744073709551615", Some(18_446_744_073_709_551_615)),
            ("1.8446744073709551615E19", Some(18_446_744_073_709_551_615)),
            ("0e99999999999", Some(0)),
            ("1e400", None),
            ("", None),
            (".", None),
            ("x", None),
            ("1e", None),
            ("--1", None),
        ];
        for (text, expected) in table {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn integers_agree_with_the_standard_library(value in any::<i64>(), shift in 0_u32..64) {
            let value = value >> shift;
            if let Some(read) = integer(&value.to_string()) {
                prop_assert_eq!(read, value);
            } else {
                prop_assert!(value.unsigned_abs() >= 10_u64.pow(18));
            }
        }

        #[test]
        fn floats_agree_with_the_standard_library(value in any::<f64>(), places in 0..12_usize, shift in 0..60_u32) {
            prop_assume!(value.is_finite());
            let near = ((value.to_bits() >> shift) as f64) / 1e4;
            for text in [format!("{value:e}"), format!("{value}"), format!("{near:.places$}"), format!("{near:e}")] {
                if let Some(read) = short(&text) {
                    prop_assert_eq!(read.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
                }
            }
        }

        #[test]
        fn narrow_floats_are_rounded_once(value in any::<f32>(), digits in 1..12_usize, wide in any::<f64>()) {
            for text in [format!("{value}"), format!("{value:.digits$e}"), format!("{:e}", wide % 1e39)] {
                let Some(narrowed) = text.parse::<f64>().ok().and_then(narrow) else { continue };
                prop_assert_eq!(narrowed.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{}", text);
            }
        }
    }
}
