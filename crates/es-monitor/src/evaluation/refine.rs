//! Finer bins for a field whose verdict its bins leave open. Pure.

use crate::answer::{Counted, Distribution};
use crate::distribution::{Numeric, Resolution};
use crate::field::{Field, FieldKind};
use crate::kolmogorov_smirnov;
use crate::method::Method;
use crate::request::Layout;
use crate::wasserstein;

/// The largest number of bins that are refined at once, and the number of pieces of each.
const REFINED_BINS: usize = 64;
const PIECES: u32 = 16;

/// The layout with the bins that leave the verdict open cut into pieces; `None` when there is
/// nothing to cut.
pub(super) fn refine(
    field: &Field,
    method: Method,
    layout: &Layout,
    reference: &Counted,
    current: &Counted,
) -> Option<Layout> {
    let (Layout::Bins(edges), FieldKind::Numeric(resolution)) = (layout, field.kind) else { return None };
    let (Distribution::Numeric(reference), Distribution::Numeric(current)) =
        (&reference.distribution, &current.distribution)
    else {
        return None;
    };
    let open = match method {
        Method::KolmogorovSmirnov { .. } => kolmogorov_smirnov::undecided_bins(reference, current),
        Method::Wasserstein { .. } => wasserstein::undecided_bins(reference, current),
        _ => Vec::new(),
    };
    let cuts = open.into_iter().take(REFINED_BINS).flat_map(|bin| cuts(reference, current, bin, resolution));
    let finer = edges.with(cuts);
    (finer.bins() > edges.bins()).then_some(Layout::Bins(finer))
}

/// Edges that cut a bin, between the smallest and the largest value in it, into pieces of equal
/// width.
fn cuts(reference: &Numeric, current: &Numeric, bin: usize, resolution: Resolution) -> Vec<f64> {
    let contents = || [reference, current].into_iter().filter_map(|window| window.bins.get(bin)?.content);
    let low = contents().map(|content| content.min).fold(f64::INFINITY, f64::min);
    let high = contents().map(|content| content.max).fold(f64::NEG_INFINITY, f64::max);
    if low >= high {
        return Vec::new();
    }
    let at = |piece: u32| resolution.snap(low + (high - low) * f64::from(piece) / f64::from(PIECES));
    (1..PIECES).map(at).filter(|edge| low < *edge && *edge <= high).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::BinEdges;

    #[test]
    fn bins_are_cut_between_the_values_they_hold() {
        let edges = BinEdges::new(vec![10.0]);
        let (r, c) = (Numeric::of_values(&[1.0, 3.0, 12.0], &edges, 0), Numeric::of_values(&[2.0, 12.0], &edges, 0));
        assert_eq!(cuts(&r, &c, 0, Resolution::Double)[..2], [1.125, 1.25]);
        let mut whole = cuts(&r, &c, 0, Resolution::Whole);
        whole.dedup();
        assert_eq!(whole, [2.0, 3.0]);
        assert!(cuts(&r, &c, 1, Resolution::Double).is_empty(), "all of its values are 12");
    }
}
