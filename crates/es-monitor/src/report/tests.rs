//! Reports as text and as JSON.

use super::*;
use serde_json::json;

#[test]
fn numbers_are_short() {
    let table = [
        (0.0, "0"),
        (0.1, "0.1"),
        (0.018_234_5, "0.01823"),
        (123.456, "123.5"),
        (28_243.0, "28243"),
        (-2.5, "-2.5"),
        (3.7e-12, "3.7e-12"),
        (1000.0, "1000"),
    ];
    for (number, text) in table {
        assert_eq!(short(number), text);
    }
}

fn window(from: &str, to: &str, documents: u64) -> WindowReport {
    let interval = Interval { from: from.parse().unwrap(), to: to.parse().unwrap() };
    WindowReport { interval, documents }
}

fn report() -> Report {
    let delay = FieldReport {
        field: "dep_delay".to_owned(),
        field_type: "double".to_owned(),
        verdict: Verdict::Drift,
        values: ValuesReport {
            verdict: Verdict::Drift,
            reason: None,
            method: Method::KolmogorovSmirnov { p: 0.01 },
            measurement: Some(Measurement {
                value: 0.0423,
                definition: "d".to_owned(),
                interval: Some(Bounds { low: 0.0423, high: 0.0431 }),
                p_value: Some(2.5e-20),
                no_drift_expectation: None,
                degrees_of_freedom: None,
                scale: None,
            }),
            n_reference: 27_234,
            n_current: 28_485,
            bins: vec![
                BinReport { bin: BinLabel::Range { from: None, to: Some(0.0) }, reference: 7, current: 8 },
                BinReport { bin: BinLabel::Other, reference: 0, current: 1 },
            ],
        },
        missing: MissingReport {
            verdict: Verdict::NoDrift,
            rule: MissingRule::default(),
            reference: 1009,
            current: 940,
            share_reference: Some(0.0357),
            share_current: Some(0.0319),
            test: Some(ProportionTest::ZTest),
            p_value: Some(0.0125),
        },
    };
    let mut carrier = delay.clone();
    carrier.field = "carrier".to_owned();
    carrier.verdict = Verdict::NotMeasured;
    carrier.values.verdict = Verdict::NotMeasured;
    carrier.values.measurement = None;
    carrier.values.reason = Some(Reason::TooFewGroups);
    carrier.values.method = Method::ChiSquared { p: 0.01 };
    Report {
        verdict: Verdict::Drift,
        severity: Severity::Warn,
        index: "flights".to_owned(),
        time_field: "time_hour".to_owned(),
        query: Some(json!({"match_all": {}})),
        reference: window("2013-06-01T00:00:00Z", "2013-07-01T00:00:00Z", 28_243),
        current: window("2013-07-01T00:00:00Z", "2013-08-01T00:00:00Z", 29_425),
        windows_overlap: false,
        fields: vec![delay, carrier],
        evaluated_at: "2013-08-02T00:00:00Z".parse().unwrap(),
        computed_by: "es-monitor 0.1.0".to_owned(),
        searches: 3,
    }
}

#[test]
fn sentences_name_values_limits_and_sizes() {
    let report = report();
    assert_eq!(
        report.to_string(),
        "drift in 1 of 2 fields: dep_delay (29425 documents of 2013-07-01T00:00:00Z to 2013-08-01T00:00:00Z \
         against 28243 of 2013-06-01T00:00:00Z to 2013-07-01T00:00:00Z)"
    );
    assert_eq!(
        report.fields[0].to_string(),
        "dep_delay: drift: ks 0.0423, p 2.5e-20 (drift up to p 0.01), 28485 against 27234 values; \
         missing 3.19% against 3.57%, p 0.0125"
    );
    assert_eq!(
        report.fields[1].values.to_string(),
        "chi2, not measured as fewer than two groups have the five documents that the test expects, \
         28485 against 27234 values"
    );
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    let report = report();
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        value["reference"],
        json!({"from": "2013-06-01T00:00:00Z", "to": "2013-07-01T00:00:00Z", "documents": 28_243})
    );
    assert_eq!(value["fields"][0]["values"]["method"], json!({"name": "ks", "p": 0.01}));
    assert_eq!(
        value["fields"][0]["values"]["bins"][0],
        json!({"kind": "range", "from": null, "to": 0.0, "reference": 7, "current": 8})
    );
    assert_eq!(
        text.split(r#""missing":"#).nth(1).and_then(|rest| rest.split('}').next()),
        Some(
            r#"{"verdict":"no_drift","rule":"test","p":0.01,"min_change":0.01,"reference":1009,"current":940,"share_reference":0.0357,"share_current":0.0319,"test":"z_test","p_value":0.0125"#
        )
    );
    assert_eq!(value["fields"][1]["values"]["reason"], json!({"code": "too_few_groups"}));
}

#[test]
fn a_rule_that_only_reports_is_written_as_before() {
    let mut report = report();
    report.fields[0].missing.rule = MissingRule::Ignore;
    let value = serde_json::to_value(&report).unwrap();
    assert_eq!(value["fields"][0]["missing"]["rule"], "report");
    assert_eq!(serde_json::from_value::<Report>(value).unwrap(), report);
}
