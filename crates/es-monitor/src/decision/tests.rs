//! The verdicts on counts of all sorts.

use proptest::prelude::*;

use super::*;
use crate::distribution::{BinEdges, Resolution};
use crate::field::FieldKind;

fn field(kind: FieldKind) -> Field {
    Field { name: "f".to_owned(), field_type: "t".to_owned(), kind }
}

fn numbers(values: &[f64], edges: &BinEdges, missing: u64) -> Counted {
    let documents = values.len() as u64;
    let distribution = Distribution::Numeric(Numeric::of_values(values, edges, missing));
    Counted { values: documents, documents, distribution, frequent: Default::default() }
}

fn words(counts: &[u64], missing: u64) -> Counted {
    let categories = counts.iter().enumerate().map(|(place, count)| (format!("c{place}"), *count)).collect();
    let documents = counts.iter().sum();
    let distribution = Distribution::Categorical(Categorical { categories, other: 0, missing, count_error: 0 });
    Counted { values: documents, documents, distribution, frequent: Default::default() }
}

fn decide_numbers(method: Method, edges: &[f64], reference: &[f64], current: &[f64]) -> FieldReport {
    let edges = BinEdges::new(edges.to_vec());
    decide(
        &field(FieldKind::Numeric(Resolution::Double)),
        &field_monitor(method),
        5,
        &numbers(reference, &edges, 0),
        &numbers(current, &edges, 0),
    )
}

fn decide_words(method: Method, reference: &Counted, current: &Counted) -> FieldReport {
    decide(&field(FieldKind::Categorical), &field_monitor(method), 5, reference, current)
}

fn field_monitor(method: Method) -> FieldMonitor {
    match method {
        Method::Psi { max } => FieldMonitor::psi(max),
        Method::JensenShannon { max } => FieldMonitor::jensen_shannon(max),
        Method::LInfinity { max } => FieldMonitor::l_infinity(max),
        Method::Wasserstein { max } => FieldMonitor::wasserstein(max),
        Method::KolmogorovSmirnov { p } => FieldMonitor::kolmogorov_smirnov(p),
        Method::ChiSquared { p } => FieldMonitor::chi_squared(p),
    }
}

const ALL: [Method; 6] = [
    Method::Psi { max: 0.2 },
    Method::JensenShannon { max: 0.1 },
    Method::LInfinity { max: 0.1 },
    Method::Wasserstein { max: 0.1 },
    Method::KolmogorovSmirnov { p: 0.01 },
    Method::ChiSquared { p: 0.01 },
];

#[test]
fn every_method_finds_a_shift() {
    let edges: Vec<f64> = (1..100).map(|edge| f64::from(edge) * 2.0).collect();
    let reference: Vec<f64> = (0..2000).map(|i| f64::from(i) * 0.1).collect();
    let shifted: Vec<f64> = reference.iter().map(|value| value + 60.0).collect();
    for method in ALL {
        let same = decide_numbers(method, &edges, &reference, &reference);
        assert_eq!(same.verdict, Verdict::NoDrift, "{same}");
        let other = decide_numbers(method, &edges, &reference, &shifted);
        assert_eq!(other.verdict, Verdict::Drift, "{other}");
        assert_eq!(other.values.bins.len(), 100);
    }
}

#[test]
fn a_constant_field_is_never_not_a_number() {
    let edges = BinEdges::from_quantiles(&[5.0; 9], Resolution::Double);
    let (fives, sevens) = ([5.0; 50], [7.0; 50]);
    for method in ALL {
        let same = decide_numbers(method, edges.as_slice(), &fives, &fives);
        assert_eq!((same.values.verdict, same.values.reason), (Verdict::NoDrift, None), "{method:?}");
        if let Method::ChiSquared { .. } = method {
            assert_eq!(same.values.measurement.unwrap().p_value, Some(1.0));
        }
        let other = decide_numbers(method, edges.as_slice(), &fives, &sevens);
        let expected = match method {
            Method::Wasserstein { .. } => {
                (Verdict::NotMeasured, Some(Reason::ConstantReference { value: 5.0, distance: 2.0 }))
            }
            _ => (Verdict::Drift, None),
        };
        assert_eq!((other.values.verdict, other.values.reason), expected, "{method:?}");
    }
}

#[test]
fn small_and_empty_windows_are_not_measured() {
    let enough = words(&[30, 20], 0);
    let table = [
        (words(&[2, 1], 60), Reason::TooFewValues { window: WindowName::Current, values: 3, needed: 5 }),
        (words(&[], 60), Reason::TooFewValues { window: WindowName::Current, values: 0, needed: 5 }),
        (words(&[], 0), Reason::NoDocuments { window: WindowName::Current }),
        (
            Counted { values: 70, ..words(&[30, 20], 0) },
            Reason::SeveralValues { window: WindowName::Current, values: 70, documents: 50 },
        ),
    ];
    for (current, reason) in table {
        let report = decide_words(Method::Psi { max: 0.2 }, &enough, &current);
        assert_eq!((report.values.verdict, report.values.reason), (Verdict::NotMeasured, Some(reason)));
        assert_eq!(report.values.measurement, None);
    }
    let reference = decide_words(Method::Psi { max: 0.2 }, &words(&[], 0), &enough);
    assert_eq!(reference.verdict, Verdict::NotMeasured);
    assert_eq!(reference.missing.verdict, Verdict::NotMeasured);
    assert_eq!(reference.values.reason, Some(Reason::NoDocuments { window: WindowName::Reference }));
}

#[test]
fn counts_that_may_be_short_get_no_verdict() {
    let mut short = words(&[30, 20], 0);
    let Distribution::Categorical(categories) = &mut short.distribution else { panic!("it is categorical") };
    categories.count_error = 3;
    let report = decide_words(Method::JensenShannon { max: 0.1 }, &words(&[30, 20], 0), &short);
    assert_eq!(report.values.reason, Some(Reason::CountsNotExact { by: 3 }));
}

#[test]
fn bins_that_leave_the_verdict_open_are_undecided() {
    // All of the reference is below all of the current window, inside one bin.
    let reference: Vec<f64> = (0..100).map(|i| f64::from(i) / 1000.0).collect();
    let current: Vec<f64> = reference.iter().map(|value| value + 0.5).collect();
    let open = decide_numbers(Method::KolmogorovSmirnov { p: 0.01 }, &[5.0], &reference, &current);
    assert!(matches!(open.values.reason, Some(Reason::Undecided { threshold: 0.01, .. })), "{open}");
    assert_eq!(open.verdict, Verdict::NotMeasured);
    let interval = open.values.measurement.unwrap().interval.unwrap();
    assert_eq!((interval.low, interval.high), (0.0, 1.0));

    let near: Vec<f64> = reference.iter().map(|value| value + 0.003).collect();
    let open = decide_numbers(Method::Wasserstein { max: 0.12 }, &[5.0], &reference, &near);
    assert!(matches!(open.values.reason, Some(Reason::Undecided { threshold: 0.12, .. })), "{open}");
}

#[test]
fn missing_values_have_their_own_verdict() {
    let (few, many, slightly_more) = (words(&[500, 500], 10), words(&[500, 500], 200), words(&[500, 500], 12));
    let psi = Method::Psi { max: 0.2 };
    let report = decide_words(psi, &few, &many);
    assert_eq!(
        (report.verdict, report.values.verdict, report.missing.verdict),
        (Verdict::Drift, Verdict::NoDrift, Verdict::Drift)
    );
    assert_eq!(decide_words(psi, &few, &slightly_more).verdict, Verdict::NoDrift);

    let reported = field_monitor(psi).with_missing(MissingRule::Ignore);
    let report = decide(&field(FieldKind::Categorical), &reported, 5, &few, &many);
    assert_eq!((report.verdict, report.missing.verdict), (Verdict::NoDrift, Verdict::NoDrift));
    assert!(report.missing.p_value.unwrap() < 1e-6);

    // In large windows a change too small to matter is improbable, and still no drift.
    let (large, larger) = (words(&[500_000, 500_000], 10_000), words(&[500_000, 500_000], 11_000));
    let report = decide_words(psi, &large, &larger);
    assert!(report.missing.p_value.unwrap() < 1e-6);
    assert_eq!(report.verdict, Verdict::NoDrift);

    let gone = decide_words(psi, &few, &words(&[], 1000));
    assert_eq!((gone.verdict, gone.values.verdict), (Verdict::Drift, Verdict::NotMeasured));
}

#[test]
fn a_category_never_seen_before_counts() {
    let mut unseen = words(&[450, 500], 0);
    let Distribution::Categorical(categories) = &mut unseen.distribution else { panic!("it is categorical") };
    categories.other = 50;
    (unseen.values, unseen.documents) = (1000, 1000);
    let report = decide_words(Method::ChiSquared { p: 0.01 }, &words(&[500, 500], 0), &unseen);
    let found = report.values.measurement.unwrap();
    assert_eq!(report.values.verdict, Verdict::Drift);
    assert!((found.value - 52.631_578_947_368_425).abs() < 1e-9 && found.p_value.unwrap() > 0.0);
    let last = report.values.bins.last().unwrap();
    assert_eq!((&last.bin, last.reference, last.current), (&BinLabel::Other, 0, 50));
}

fn jensen_shannon_in_bits(reference: &[u64], current: &[u64]) -> Option<f64> {
    jensen_shannon::distance(reference, current, Base::Two)
}

proptest! {
    #[test]
    fn every_number_is_finite(
        reference in prop::collection::vec(prop_oneof![Just(0.0), -5.0..5.0f64], 0..40),
        current in prop::collection::vec(prop_oneof![Just(0.0), -5.0..5.0f64], 0..40),
        edges in prop::collection::vec(-6.0..6.0f64, 0..6),
    ) {
        for method in ALL {
            let report = decide_numbers(method, &edges, &reference, &current);
            let text = serde_json::to_string(&report).unwrap();
            prop_assert_eq!(serde_json::from_str::<FieldReport>(&text).unwrap().verdict, report.verdict);
            if let Some(found) = report.values.measurement {
                prop_assert!(found.value.is_finite() && found.value >= 0.0, "{:?} {:?}", method, found);
                prop_assert!(found.p_value.is_none_or(|p| (0.0..=1.0 + 1e-9).contains(&p)), "{:?}", found);
            }
        }
    }

    #[test]
    fn distances_are_zero_for_equals_symmetric_and_independent_of_order(
        pairs in prop::collection::vec((0..200_u64, 0..200_u64), 2..12),
    ) {
        let (r, c): (Vec<u64>, Vec<u64>) = pairs.iter().copied().unzip();
        let (back_r, back_c): (Vec<u64>, Vec<u64>) = pairs.iter().rev().copied().unzip();
        for method in [psi::index, jensen_shannon_in_bits, l_infinity::distance] {
            let Some(found) = method(&r, &c) else { continue };
            prop_assert!(method(&r, &r).unwrap() < 1e-7);
            prop_assert!((method(&c, &r).unwrap() - found).abs() < 1e-9);
            prop_assert!((method(&back_r, &back_c).unwrap() - found).abs() < 1e-9);
        }
        if let (Some(there), Some(back)) = (chi_squared::test(&r, &c), chi_squared::test(&c, &r)) {
            prop_assert!((there.statistic - back.statistic).abs() < 1e-9);
        }
    }
}
