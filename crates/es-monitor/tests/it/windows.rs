//! Two windows whose differences are known: see tests/oracle/windows.py for the numbers.

use std::sync::{Arc, Mutex};

use es_monitor::distribution::{BinEdges, Numeric};
use es_monitor::report::{BinLabel, BinReport};
use es_monitor::{
    CurrentWindow, ErrorKind, Evaluation, FieldMonitor, FieldReport, MissingRule, Monitor, ReferenceWindow, Report,
    Until, Verdict, evaluate,
};
use es_testing::Scope;
use es_values::{Query, TimePoint};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::data::{self, CURRENT, REFERENCE, SIZES};

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn two_days(start: &str) -> ReferenceWindow {
    let end = instant(start) + SignedDuration::from_hours(48);
    ReferenceWindow { from: start.parse().unwrap(), to: TimePoint::Instant(end) }
}

fn monitor() -> Monitor {
    Monitor::new("time", two_days(REFERENCE), two_days(CURRENT).into())
}

fn query(value: serde_json::Value) -> Query {
    serde_json::from_value(value).unwrap()
}

fn field<'a>(report: &'a Report, name: &str) -> &'a FieldReport {
    report.fields.iter().find(|field| field.field == name).unwrap()
}

/// The value of a field's method.
fn value(report: &Report, name: &str) -> f64 {
    field(report, name).values.measurement.as_ref().unwrap_or_else(|| panic!("{name} has no value")).value
}

fn near(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
}

#[tokio::test]
async fn categories_agree_with_scipy() {
    let Some(node) = es_testing::plain().await else { return };
    let (scope, client) = (Scope::new(&node, "categories_agree"), data::connect(&node).await);
    let index = data::two_windows(&client, &scope).await;
    let table = [
        (FieldMonitor::psi(0.2), 0.124_602_710_967_366_33, 0.033_788_759_009_013_694, Verdict::NoDrift),
        (FieldMonitor::jensen_shannon(0.1), 0.115_979_583_827_627_28, 0.077_958_257_924_055_1, Verdict::Drift),
        (FieldMonitor::l_infinity(0.05), 0.06, 0.083_333_333_333_333_37, Verdict::Drift),
        (FieldMonitor::chi_squared(0.01), 56.473_298_523_688, 29.166_666_666_666_65, Verdict::Drift),
    ];
    for (method, city, late, verdict) in table {
        let monitor = monitor().with_field("city", method).with_field("late", method).with_field("host", method);
        let report = evaluate(&client, &index, &monitor, Timestamp::now()).await.unwrap();
        near(value(&report, "city"), city, 1e-9);
        near(value(&report, "late"), late, 1e-9);
        assert_eq!(value(&report, "host"), 0.0);
        assert_eq!(report.verdict, verdict, "{report}");
        let (category, other) = (&field(&report, "city").values.bins[0], &field(&report, "city").values.bins[3]);
        let a = BinReport { bin: BinLabel::Category { category: "a".to_owned() }, reference: 1000, current: 660 };
        assert_eq!(category, &a);
        // A category of the current window alone has a bin too.
        let d = BinLabel::Category { category: "d".to_owned() };
        assert_eq!(other, &BinReport { bin: d, reference: 0, current: 30 });
    }
}

#[tokio::test]
async fn numbers_agree_with_scipy() {
    let Some(node) = es_testing::plain().await else { return };
    let (scope, client) = (Scope::new(&node, "numbers_agree"), data::connect(&node).await);
    let index = data::two_windows(&client, &scope).await;

    let ks = FieldMonitor::kolmogorov_smirnov(0.01);
    let all = monitor().with_field("skewed", ks).with_field("near", ks).with_field("whole", ks);
    let report = evaluate(&client, &index, &all, Timestamp::now()).await.unwrap();
    assert_eq!((report.reference.documents, report.current.documents), SIZES);
    let exact = [
        ("skewed", 0.1485, 6.147_202_830_443_86e-17, Verdict::Drift),
        ("near", 0.002_833_333_333_333_333_5, 1.0, Verdict::NoDrift),
        ("whole", 0.096_666_666_666_666_66, 2.044_295_413_186_774_7e-7, Verdict::Drift),
    ];
    for (name, statistic, p_value, verdict) in exact {
        let values = &field(&report, name).values;
        let found = values.measurement.as_ref().unwrap();
        let interval = found.interval.unwrap();
        assert!(interval.low <= statistic + 1e-12 && statistic <= interval.high + 1e-12, "{name}: {interval:?}");
        assert_eq!((values.verdict, found.value), (verdict, interval.low), "{name}");
        assert!(found.p_value.unwrap() >= p_value * (1.0 - 1e-9), "{name}: {found:?}");
    }
    // A hundred bins lose little of the statistic, and none where a bin is a number.
    near(value(&report, "skewed"), 0.1485, 0.02);
    near(value(&report, "whole"), 0.096_666_666_666_666_66, 1e-9);
    let whole = field(&report, "whole").values.measurement.as_ref().unwrap();
    near(whole.p_value.unwrap(), 2.044_295_413_186_774_7e-7, 1e-9);

    let distance = FieldMonitor::wasserstein(0.1);
    let all = monitor().with_field("skewed", distance).with_field("near", distance).with_field("whole", distance);
    let report = evaluate(&client, &index, &all, Timestamp::now()).await.unwrap();
    let exact = [
        ("skewed", 0.181_624_711_963_335_6, Verdict::Drift),
        ("near", 0.004_145_307_182_337_471, Verdict::NoDrift),
        ("whole", 0.135_928_775_506_506_86, Verdict::Drift),
    ];
    for (name, distance, verdict) in exact {
        let values = &field(&report, name).values;
        let interval = values.measurement.as_ref().unwrap().interval.unwrap();
        assert!(interval.low <= distance + 1e-9 && distance <= interval.high + 1e-9, "{name}: {interval:?}");
        assert_eq!((values.verdict, value(&report, name)), (verdict, interval.low), "{name}");
        near(value(&report, name), distance, 0.021);
    }
    let scale = field(&report, "whole").values.measurement.as_ref().unwrap().scale.unwrap();
    near(scale.distance / scale.standard_deviation, value(&report, "whole"), 1e-12);
    near(scale.standard_deviation, 1.5745 / 0.135_928_775_506_506_86, 1e-9);
}

#[tokio::test]
async fn many_values_of_one_frequency_are_no_drift_and_new_ones_are() {
    let Some(node) = es_testing::plain().await else { return };
    let (scope, client) = (Scope::new(&node, "many_values"), data::connect(&node).await);
    let index = format!("{}many", scope.prefix());
    data::create(&client, &index).await;
    let mut random = fastrand::Rng::with_seed(20_261);
    let windows = [(REFERENCE, 5000, "old"), (CURRENT, 5000, "new")];
    let documents = windows.map(|(start, count, host)| {
        let draws = (0..count).map(|i| (data::minute(start, i % 2000), random.u32(..2000)));
        let document =
            |(time, value)| json!({"time": time, "city": format!("c{value}"), "note": format!("{host}{value}")});
        draws.map(document).collect::<Vec<_>>()
    });
    data::write(&client, &index, &documents.concat()).await;
    let methods = [
        FieldMonitor::chi_squared(0.01),
        FieldMonitor::psi(0.2),
        FieldMonitor::jensen_shannon(0.1),
        FieldMonitor::l_infinity(0.1),
    ];
    for method in methods {
        let monitor = monitor().with_field("city", method).with_field("note.raw", method);
        let report = evaluate(&client, &index, &monitor, Timestamp::now()).await.unwrap();
        let verdicts = ["city", "note.raw"].map(|name| field(&report, name).values.verdict);
        assert_eq!(verdicts, [Verdict::NoDrift, Verdict::Drift], "{report}");
    }
}

#[tokio::test]
async fn every_bin_is_counted_exactly() {
    let Some(node) = es_testing::plain().await else { return };
    let (scope, client) = (Scope::new(&node, "every_bin"), data::connect(&node).await);
    let index = data::two_windows(&client, &scope).await;
    for bins in [10, 100] {
        let psi = FieldMonitor::psi(0.2).with_bins(bins);
        let all = monitor().with_field("skewed", psi).with_field("single", psi);
        let report = evaluate(&client, &index, &all, Timestamp::now()).await.unwrap();
        for name in ["skewed", "single"] {
            let values = &field(&report, name).values;
            assert_eq!(values.bins.len(), bins as usize, "{name}");
            let edges: Vec<f64> = values
                .bins
                .iter()
                .filter_map(|bin| match bin.bin {
                    BinLabel::Range { from, .. } => from,
                    _ => panic!("{name} has bins of numbers"),
                })
                .collect();
            let edges = BinEdges::new(edges);
            let stored = |value: f64| if name == "single" { f64::from(value as f32) } else { value };
            let count = |reference: bool, size: u64| {
                let all: Vec<f64> = (0..size).map(|i| stored(data::skewed(reference, i))).collect();
                Numeric::of_values(&all, &edges, 0).counts()
            };
            let (reference, current) = (count(true, SIZES.0), count(false, SIZES.1));
            assert_eq!(values.bins.iter().map(|bin| bin.reference).collect::<Vec<_>>(), reference, "{name}");
            assert_eq!(values.bins.iter().map(|bin| bin.current).collect::<Vec<_>>(), current, "{name}");
            near(value(&report, name), es_monitor::psi::index(&reference, &current).unwrap(), 1e-9);
            // Quantile bins hold about the same number of values each.
            let fair = SIZES.0 / u64::from(bins);
            assert!(reference.iter().all(|count| (fair / 2..=fair * 3 / 2).contains(count)), "{reference:?}");
        }
    }
}

#[tokio::test]
async fn missing_constant_and_several_values_are_told_apart() {
    let Some(node) = es_testing::plain().await else { return };
    let (scope, client) = (Scope::new(&node, "told_apart"), data::connect(&node).await);
    let index = data::two_windows(&client, &scope).await;
    let psi = FieldMonitor::psi(0.2);
    let distance = FieldMonitor::wasserstein(0.1);
    let all = monitor()
        .with_field("gap", psi)
        .with_field("constant", psi)
        .with_field("several", psi)
        .with_field("note.raw", psi.with_missing(MissingRule::Ignore));
    let report = evaluate(&client, &index, &all, Timestamp::now()).await.unwrap();

    let gap = field(&report, "gap");
    assert_eq!(
        (gap.verdict, gap.values.verdict, gap.missing.verdict),
        (Verdict::Drift, Verdict::NoDrift, Verdict::Drift)
    );
    assert_eq!((gap.missing.reference, gap.missing.current), (20, 150));
    near(gap.missing.p_value.unwrap(), 1.537_571_459_224_758_4e-34, 1e-6);

    // Half of the current window is a number just beside the constant of the reference,
    // which single precision must not hide.
    let constant = field(&report, "constant");
    assert_eq!(constant.values.verdict, Verdict::Drift, "{constant}");
    let several = field(&report, "several");
    assert!(several.values.to_string().contains("hold 4000 values"), "{several}");
    assert_eq!(several.verdict, Verdict::NotMeasured);
    let nothing = field(&report, "note.raw");
    assert_eq!((nothing.verdict, nothing.values.n_reference), (Verdict::NotMeasured, 0));

    let report =
        evaluate(&client, &index, &monitor().with_field("constant", distance), Timestamp::now()).await.unwrap();
    let constant = field(&report, "constant");
    assert!(constant.values.to_string().contains("every value of the reference is 5.1"), "{constant}");
}

#[tokio::test]
async fn open_verdicts_are_settled_by_finer_bins() {
    let Some(node) = es_testing::plain().await else { return };
    let (scope, client) = (Scope::new(&node, "finer_bins"), data::connect(&node).await);
    let index = data::two_windows(&client, &scope).await;
    // Just below and just above the exact distance, with bins far too coarse to tell.
    for (max, verdict) in [(0.181, Verdict::Drift), (0.182, Verdict::NoDrift)] {
        let coarse = FieldMonitor::wasserstein(max).with_bins(4);
        let report =
            evaluate(&client, &index, &monitor().with_field("skewed", coarse), Timestamp::now()).await.unwrap();
        let values = &field(&report, "skewed").values;
        assert_eq!(values.verdict, verdict, "{values}");
        assert!(values.bins.len() > 4 && report.searches > 3, "{} bins", values.bins.len());
        near(value(&report, "skewed"), 0.181_624_711_963_335_6, 0.001);
    }
    let coarse = FieldMonitor::kolmogorov_smirnov(1e-10).with_bins(2);
    let report = evaluate(&client, &index, &monitor().with_field("skewed", coarse), Timestamp::now()).await.unwrap();
    assert_eq!(field(&report, "skewed").values.verdict, Verdict::Drift, "{report}");
}

#[tokio::test]
async fn windows_are_half_open_and_follow_the_newest_document() {
    let Some(node) = es_testing::plain().await else { return };
    let (scope, client) = (Scope::new(&node, "half_open"), data::connect(&node).await);
    let index = format!("{}edges", scope.prefix());
    data::create(&client, &index).await;
    let at = |time: &str, city: &str| json!({"time": time, "city": city});
    let mut documents = vec![
        at("2023-12-31T23:59:59.999Z", "before"),
        at("2024-01-01T00:00:00Z", "first"),
        at("2024-01-01T23:59:59.999Z", "last"),
        at("2024-01-02T00:00:00Z", "after"),
    ];
    documents.extend((0..3).map(|_| at("2024-01-09T12:00:00.500Z", "newest")));
    documents.push(at("2024-01-08T12:00:00.500Z", "a day before the newest"));
    data::write(&client, &index, &documents).await;

    let day = ReferenceWindow { from: "2024-01-01".parse().unwrap(), to: "2024-01-02".parse().unwrap() };
    let latest = CurrentWindow::Last { last: "24h".parse().unwrap(), until: Until::Latest };
    let linf = FieldMonitor::l_infinity(0.5);
    let mut monitor = Monitor::new("time", day, latest).with_field("city", linf);
    let now = instant("2024-03-01T00:00:00Z");
    let report = Evaluation::new(&client, &index, &monitor).at(now).with_min_values(2).run().await.unwrap();
    assert_eq!((report.reference.documents, report.current.documents), (2, 3));
    assert_eq!(report.current.interval.to, instant("2024-01-09T12:00:00.501Z"));
    assert_eq!((report.evaluated_at, report.windows_overlap), (now, false));
    let categories: Vec<&BinLabel> = report.fields[0].values.bins.iter().map(|bin| &bin.bin).collect();
    let category = |name: &str| BinLabel::Category { category: name.to_owned() };
    assert_eq!(categories, [&category("newest"), &category("first"), &category("last"), &BinLabel::Other]);

    // The newest document is the newest that the filter matches.
    monitor.filter = Some(query(json!({"terms": {"city": ["first", "last", "after"]}})));
    let report = Evaluation::new(&client, &index, &monitor).at(now).with_min_values(2).run().await.unwrap();
    assert_eq!(report.current.interval.to, instant("2024-01-02T00:00:00.001Z"));
    assert!(report.windows_overlap);

    // A filter that matches nothing leaves nothing to measure.
    monitor.filter = Some(query(json!({"term": {"city": "nowhere"}})));
    let report = Evaluation::new(&client, &index, &monitor).at(now).with_min_values(2).run().await.unwrap();
    assert_eq!((report.verdict, report.current.documents), (Verdict::NotMeasured, 0));
    assert!(
        report.fields[0].values.to_string().contains("the reference window has no documents"),
        "{}",
        report.fields[0]
    );
}

#[tokio::test]
async fn an_evaluation_reports_progress_and_can_be_cancelled() {
    let Some(node) = es_testing::plain().await else { return };
    let (scope, client) = (Scope::new(&node, "cancelled"), data::connect(&node).await);
    let index = data::two_windows(&client, &scope).await;
    let psi = FieldMonitor::psi(0.2);
    let monitor = monitor().with_field("skewed", psi).with_field("city", psi).with_field("late", psi);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observed = Arc::clone(&seen);
    let report = Evaluation::new(&client, &index, &monitor)
        .with_observer(move |progress| observed.lock().unwrap().push((progress.searches, progress.fields_done)))
        .run()
        .await
        .unwrap();
    assert_eq!(report.searches, 4);
    assert_eq!(*seen.lock().unwrap(), [(1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (4, 2), (4, 3)]);

    let token = CancellationToken::new();
    let (cancel, asked) = (token.clone(), Evaluation::new(&client, &index, &monitor));
    let error = asked.with_cancellation(token).with_observer(move |_| cancel.cancel()).run().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Cancelled, false));
}
