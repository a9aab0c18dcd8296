//! Integers as decimal digits, eight at a time.
//!
//! Eight digits fit a 64-bit register, a byte each. They are found by halving: a number of
//! eight digits is two of four, each of those two of two, and the multiplications for all
//! halves run side by side in the same register. No step depends on how many digits a number
//! has, so columns of mixed magnitudes cost few mispredicted branches.

/// Room for the longest number: three times eight digits, and a sign.
pub(crate) const ROOM: usize = 32;

/// The digits of a number below 10^8, one a byte, the first digit in the lowest byte.
#[inline(always)]
fn spread(number: u32) -> u64 {
    debug_assert!(number < 100_000_000);
    let number = u64::from(number);
    // Two numbers of four digits, a lane of 32 bits each.
    let halves = (number / 10_000) | ((number % 10_000) << 32);
    // A hundredth of each: 10,486 / 2^20 is 1/100 from above, close enough below 10,000.
    let hundredths = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = hundredths | ((halves - hundredths * 100) << 16);
    // A tenth of each: 103 / 2^10 is 1/10 from above, close enough below 100.
    let tenths = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    tenths | ((quarters - tenths * 10) << 8)
}

const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// Eight digits of a number below 10^8, with leading zeros.
#[inline(always)]
pub(crate) fn eight_digits(number: u32) -> [u8; 8] {
    (spread(number) | ZEROS).to_le_bytes()
}

/// The digits of a number below 10^8 without leading zeros, and how many they are.
#[inline(always)]
fn leading_digits(number: u32) -> ([u8; 8], usize) {
    let digits = spread(number);
    // Leading zeros are low bytes that are zero. The bit keeps the only digit of zero itself.
    let zeros = (digits | (1 << 63)).trailing_zeros() / 8;
    (((digits | ZEROS) >> (zeros * 8)).to_le_bytes(), 8 - zeros as usize)
}

/// Writes an integer at a place of at most 1, and returns where it ends. Bytes after that may
/// be written to as well.
#[inline(always)]
pub(crate) fn write_unsigned(number: u64, to: &mut [u8; ROOM], at: usize) -> usize {
    const EIGHT: u64 = 100_000_000;
    let mut put = |at: usize, digits: [u8; 8]| to[at..at + 8].copy_from_slice(&digits);
    let at = at & 1;
    if number < EIGHT {
        let (digits, length) = leading_digits(number as u32);
        put(at, digits);
        at + length
    } else if number < EIGHT * EIGHT {
        let (digits, length) = leading_digits((number / EIGHT) as u32);
        put(at, digits);
        put(at + length, eight_digits((number % EIGHT) as u32));
        at + length + 8
    } else {
        let upper = number / EIGHT;
        let (digits, length) = leading_digits((upper / EIGHT) as u32);
        put(at, digits);
        put(at + length, eight_digits((upper % EIGHT) as u32));
        put(at + length + 8, eight_digits((number % EIGHT) as u32));
        at + length + 16
    }
}

/// As [`write_unsigned`], from the start and with a sign where there is one.
#[inline(always)]
pub(crate) fn write_signed(number: i64, to: &mut [u8; ROOM]) -> usize {
    // Written over by the first digit if there is no sign to write.
    to[0] = b'-';
    write_unsigned(number.unsigned_abs(), to, usize::from(number < 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn signed(number: i64) -> String {
        let mut to = [b'x'; ROOM];
        let end = write_signed(number, &mut to);
        String::from_utf8(to[..end].to_vec()).unwrap()
    }

    fn unsigned(number: u64) -> String {
        let mut to = [b'x'; ROOM];
        let end = write_unsigned(number, &mut to, 0);
        String::from_utf8(to[..end].to_vec()).unwrap()
    }

    #[test]
    fn every_number_of_digits_is_written() {
        let mut power = 1_u64;
        loop {
            for number in [power - 1, power, power + 1] {
                assert_eq!(unsigned(number), number.to_string());
            }
            let Some(next) = power.checked_mul(10) else { break };
            power = next;
        }
        assert_eq!(unsigned(u64::MAX), u64::MAX.to_string());
        assert_eq!([signed(i64::MIN), signed(i64::MAX)], [i64::MIN.to_string(), i64::MAX.to_string()]);
        assert_eq!([signed(-1), signed(-99_999_999), signed(0)], ["-1", "-99999999", "0"]);
    }

    #[test]
    fn every_four_digits_are_split_right() {
        // The multiplications work on lanes of four digits, so these are all cases of them.
        for lane in 0..10_000 {
            let number = lane * 10_000 + (9_999 - lane);
            assert_eq!(eight_digits(number), *format!("{number:08}").as_bytes());
        }
    }

    proptest! {
        #[test]
        fn integers_agree_with_the_standard_library(number in any::<i64>(), shift in 0_u32..64) {
            prop_assert_eq!(signed(number >> shift), (number >> shift).to_string());
            let number = number.cast_unsigned() >> shift;
            prop_assert_eq!(unsigned(number), number.to_string());
        }
    }
}
