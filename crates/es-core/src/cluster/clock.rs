//! The skew of another machine's clock, estimated from one exchange. Pure.

use std::time::SystemTime;

/// The difference between a node's clock and this machine's.
///
/// The node read its clock at some moment between the request and the answer. The middle of the
/// two is taken for that moment, so the difference is known to half of the round trip, as in
/// Cristian's algorithm (F. Cristian, Probabilistic clock synchronization, 1989).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSkew {
    /// The node's clock minus this one, in milliseconds.
    pub milliseconds: i64,
    /// The possible error of the difference in either direction, in milliseconds.
    pub uncertainty: u64,
}

impl ClockSkew {
    /// Estimates the skew of a node whose clock showed `node_time` (milliseconds since 1970), where the
    /// request was sent at `before` and answered at `after`.
    pub fn estimate(node_time: u64, before: SystemTime, after: SystemTime) -> Self {
        let (before, after) = (milliseconds(before), milliseconds(after));
        // A clock that is set back in between makes the round trip negative.
        let round_trip = after.saturating_sub(before);
        let middle = before + round_trip / 2;
        let difference = i128::from(node_time) - i128::from(middle);
        let bounded = difference.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Self { milliseconds: i64::try_from(bounded).unwrap_or_default(), uncertainty: round_trip.div_ceil(2) }
    }

    /// The part of the difference that is certain, in milliseconds: zero where the round trip
    /// alone could explain it.
    pub fn certain(&self) -> u64 {
        self.milliseconds.unsigned_abs().saturating_sub(self.uncertainty)
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_round_trip_is_halved_and_its_half_is_uncertain() {
        let at = |ms: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        let table = [
            (1_050, 1_000, 1_100, 0, 50, 0),
            (1_100, 1_000, 1_100, 50, 50, 0),
            (7_050, 1_000, 1_100, 6_000, 50, 5_950),
            (50, 6_000, 6_100, -6_000, 50, 5_950),
            (1_000, 1_000, 1_001, 0, 1, 0),
            (1_000, 1_100, 1_000, -100, 0, 100),
        ];
        for (node, before, after, skew, uncertainty, certain) in table {
            let found = ClockSkew::estimate(node, at(before), at(after));
            assert_eq!((found.milliseconds, found.uncertainty, found.certain()), (skew, uncertainty, certain));
        }
        assert_eq!(ClockSkew::estimate(u64::MAX, at(0), at(0)).milliseconds, i64::MAX);
    }
}
