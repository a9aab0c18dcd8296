//! Random numbers that a seed repeats.

use std::time::Duration;

/// The generator SplitMix64 of Steele, Lea and Flood (2014).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A time between two shares of another.
    pub(super) fn share(&mut self, whole: Duration, least: f64, most: f64) -> Duration {
        let fraction = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        whole.mul_f64(least + fraction * (most - least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_publication() {
        // The first outputs for the seed 1234567, as other implementations give them.
        let mut random = Random::new(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn shares_stay_in_their_range() {
        let mut random = Random::new(7);
        let whole = Duration::from_secs(10);
        let shares: Vec<Duration> = (0..1000).map(|_| random.share(whole, 0.2, 0.7)).collect();
        assert!(shares.iter().all(|share| (2.0..7.0).contains(&share.as_secs_f64())));
        assert!(shares.iter().any(|share| share.as_secs_f64() < 3.0));
        assert!(shares.iter().any(|share| share.as_secs_f64() > 6.0));
    }
}
