//! The L-infinity distance of two sets of counts: the largest difference of a share.
//! NannyML and TFDV compute the same.

use crate::distribution::shares;

/// The distance, from 0 to 1; `None` when a window has no values.
///
/// ```
/// use es_monitor::l_infinity;
/// assert_eq!(l_infinity::distance(&[2, 1, 1], &[1, 1, 2]), Some(0.25));
/// assert_eq!(l_infinity::distance(&[2, 1, 1], &[0, 0, 0]), None);
/// ```
pub fn distance(reference: &[u64], current: &[u64]) -> Option<f64> {
    if reference.iter().sum::<u64>() == 0 || current.iter().sum::<u64>() == 0 {
        return None;
    }
    let differences = shares(reference).into_iter().zip(shares(current)).map(|(r, c)| (r - c).abs());
    Some(differences.fold(0.0, f64::max))
}
