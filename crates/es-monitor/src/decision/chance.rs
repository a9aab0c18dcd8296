//! The part of chance in a difference of counts. Pure.

use crate::answer::{Counted, Frequent};
use crate::chi_squared;
use crate::method::Method;
use crate::missing_values;

/// The largest p-value of a distance that chance does not explain. A distance above its threshold is
/// drift only up to here: with many bins and few documents every distance is large.
pub(super) const LEVEL: f64 = 0.01;

/// The probability of windows without a common value below which that is no accident.
const DISJOINT: f64 = 1e-12;

/// The probability of a distance at least as large when nothing drifts, from the same counts; `None`
/// when they are too few to tell.
///
/// The population stability index and the Jensen-Shannon divergence of two samples of one
/// distribution are to first order its chi-squared statistic (Yurdakul 2018), whose test pools what is rare.
/// The largest difference of a share is that of one category against the rest, of which there are as
/// many as categories (Bonferroni).
pub(super) fn p_value(method: Method, reference: &[u64], current: &[u64]) -> Option<f64> {
    let used: Vec<(u64, u64)> =
        reference.iter().copied().zip(current.iter().copied()).filter(|(r, c)| *r > 0 || *c > 0).collect();
    let (n, m) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    let of_one = |(r, c): (u64, u64)| missing_values::compare((r, n), (c, m)).map(|found| found.p_value);
    if used.len() < 3 {
        return used.first().copied().and_then(of_one);
    }
    match method {
        Method::LInfinity { .. } => {
            let difference = |(r, c): &(u64, u64)| (*r as f64 / n as f64 - *c as f64 / m as f64).abs();
            let worst = used.iter().copied().max_by(|a, b| difference(a).total_cmp(&difference(b)))?;
            of_one(worst).map(|p_value| (p_value * used.len() as f64).min(1.0))
        }
        _ => chi_squared::test(reference, current).map(|found| found.p_value),
    }
}

/// Returns whether both windows hold one and the same group alone.
pub(super) fn is_constant(reference: &[u64], current: &[u64]) -> bool {
    let has_both = reference.iter().any(|count| *count > 0) && current.iter().any(|count| *count > 0);
    has_both && reference.iter().zip(current).filter(|(r, c)| **r > 0 || **c > 0).count() == 1
}

/// Returns whether the windows have no value in common: neither holds one of the other's most frequent
/// values, and if they were draws from one distribution, they would.
pub(super) fn are_disjoint(reference: &Counted, current: &Counted) -> bool {
    let ([own_r, c_in_r], [r_in_c, own_c]) = (reference.frequent, current.frequent);
    let (n, m) = (reference.documents, current.documents);
    c_in_r.documents == 0 && r_in_c.documents == 0 && (must_recur(own_r, n, m) || must_recur(own_c, m, n))
}

/// Returns whether the most frequent values of `size` documents must be met in `draws` others of the
/// same distribution. Each value counts one document less than it has, as one that is seen once may
/// never be seen again (Good 1953).
fn must_recur(own: Frequent, size: u64, draws: u64) -> bool {
    if size == 0 {
        return false;
    }
    let mass = own.documents.saturating_sub(own.values) as f64 / size as f64;
    draws as f64 * (-mass).ln_1p() <= DISJOINT.ln()
}
