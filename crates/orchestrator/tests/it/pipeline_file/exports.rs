//! The rules of exports that their schema does not express, each reported at the key that breaks it.

use super::parse;

/// The problems of an export that has these lines, each with its key path inside the asset.
fn complaints(lines: &[&str]) -> Vec<String> {
    let mut text = "version: 1\nname: p\nassets:\n  a: { kind: ingest, from: { path: a.csv } }\n  \
                    e:\n    kind: export\n    from: a\n"
        .to_owned();
    for line in lines {
        text.push_str(&format!("    {line}\n"));
    }
    let Err(diagnostics) = parse("p.yaml", &text, None) else { return Vec::new() };
    let inside = |path: &str| path.strip_prefix("assets.e.").map(str::to_owned).unwrap_or_default();
    diagnostics.iter().map(|one| format!("{}: {}", inside(&one.key_path), one.message)).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn parts_of_time_are_in_order_and_the_last_has_no_end() {
    let split = |parts: &str| {
        complaints(&["to: { path: o }", &format!("split: {{ by: time, field: t, parts: {{ {parts} }} }}")])
    };
    assert_eq!(split("a: { until: 2013-01-01 }, b: { until: 2013-02-01T06:00 }, c: {}"), NONE);
    assert_eq!(split("a: {}, b: {}"), ["split.parts.a: part `a` has no end, and is not the last one"]);
    assert_eq!(
        split("a: { until: 2013-01-01 }, b: { until: 2014-01-01 }"),
        ["split.parts.b.until: part `b` is the last one, and ends at 2014-01-01"]
    );
    assert_eq!(
        split("a: { until: 2013-01-01 }, b: { until: 2012-01-01 }, c: {}"),
        ["split.parts.b.until: part `b` ends at 2012-01-01, before it begins"]
    );
}

#[test]
fn shares_add_up_and_fields_are_columns() {
    let shares = |by: &str| {
        complaints(&["to: { path: o }", &format!("split: {{ by: {by}, key: [k], parts: {{ a: 0.7, b: 0.2 }} }}")])
    };
    for by in ["hash", "group", "stratified, strata: [s]"] {
        assert_eq!(shares(by), ["split.parts: the shares of the parts sum to 0.9, not to 1"], "{by}");
    }
    let fields = [
        "columns: [x, y]",
        "fields: { x: { encode: codes }, z: { values: list } }",
        "to: { path: o, partition_by: [w] }",
    ];
    assert_eq!(
        complaints(&fields),
        [
            "fields.z: `z` is not among the columns `x`, `y`",
            "to.partition_by[0]: `w` is not among the columns `x`, `y`",
        ]
    );
    assert_eq!(complaints(&["fields: { z: { values: list } }", "to: { path: o, partition_by: [w] }"]), NONE);
    assert_eq!(
        complaints(&["to: { path: o, format: npz, partition_by: [w] }"]),
        ["to.partition_by: files of the format npz cannot be partitioned"]
    );
}
