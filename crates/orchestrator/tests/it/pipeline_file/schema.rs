//! The JSON Schema accepts what `parse` accepts, and rejects what a schema can reject.

use serde_json::{Value, json};

use super::{flights_as_json, format, parse};

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(format().schema()).unwrap()
}

#[test]
fn the_schema_is_one() {
    jsonschema::meta::validate(format().schema()).unwrap();
}

#[test]
fn the_reference_pipeline_is_accepted() {
    let errors: Vec<String> = validator().iter_errors(&flights_as_json()).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn what_the_reference_pipeline_leaves_out_is_accepted_too() {
    let cases = [
        ("/cluster/password", json!({ "env": "PASSWORD" })),
        ("/cluster/cloud_id", json!(null)),
        ("/bulk", json!({ "batch_bytes": "8mb", "max_rejected": "1%", "in_flight_bytes": 1_000_000 })),
        ("/assets/weather/checks", json!([{ "unique": ["a"], "severity": "warn" }])),
        ("/assets/weather/undeclared", json!("reject")),
        ("/assets/route_delays/start", json!("2013-01-01T00:00:00Z")),
        ("/assets/delay_drift/current", json!({ "last": "30d", "until": "latest" })),
        ("/assets/delay_drift/fields/carrier", json!({ "method": "chi2", "p": 0.01, "missing": "ignore" })),
        (
            "/assets/delay_drift/fields/carrier",
            json!({ "method": "linf", "max": 0.1, "missing": { "test": { "min_change": 0.05 } } }),
        ),
    ];
    let validator = validator();
    for (pointer, value) in cases {
        let file = with(pointer, &value);
        let errors: Vec<String> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{pointer} = {value}: {errors:#?}");
    }
}

/// The reference pipeline with `value` at `pointer`; sections on the way are made.
fn with(pointer: &str, value: &Value) -> Value {
    let mut pipeline = flights_as_json();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let mut place = &mut pipeline;
    for step in parent.split('/').skip(1) {
        place = place.as_object_mut().unwrap().entry(step).or_insert_with(|| json!({}));
    }
    place[key] = value.clone();
    pipeline
}

#[test]
fn what_a_schema_can_reject_is_rejected() {
    let cases: [(&str, Value); 28] = [
        ("/version", json!(2)),
        ("/name", json!("Flights")),
        ("/nmae", json!("x")),
        ("/triggers", json!({})),
        ("/models/late/file", json!(3)),
        ("/cluster/hosts", json!("http://localhost:9200")),
        ("/cluster/hosts", json!([])),
        ("/cluster/password", json!("hunter2")),
        ("/cluster/password", json!({ "env": "A", "file": "B" })),
        ("/cluster/connect_timeout", json!("5 seconds")),
        ("/bulk/batch_bytes", json!("8 megabytes")),
        ("/run/concurrency", json!(0)),
        ("/assets/departures/kind", json!("sql")),
        ("/assets/departures/parttions", json!({})),
        ("/assets/departures/id", json!("carrier")),
        ("/assets/departures/id", json!([])),
        ("/assets/departures/partitions/start", json!("2013-13-01")),
        ("/assets/departures/partitions/every", json!("monthly")),
        ("/assets/departures/checks", json!([{ "rows": { "min": 1 }, "unique": ["a"] }])),
        ("/assets/departures/checks", json!([{ "severity": "warn" }])),
        ("/assets/Departures", json!({ "kind": "ingest", "from": { "path": "a.csv" } })),
        ("/assets/route_delays/windows", json!(["0d"])),
        ("/assets/route_delays/features/flights", json!({ "avg": {} })),
        ("/assets/route_delays/features/flights", json!({ "avg": { "field": "a", "script": "b" } })),
        ("/assets/route_delays/features/delay/percentiles/percents", json!([101])),
        ("/assets/delay_drift/fields/a", json!({ "method": "ks", "max": 0.1 })),
        ("/assets/delay_drift/current", json!({ "last": "30d", "from": "2013-01-01" })),
        ("/environments/dev/assets", json!({})),
    ];
    let validator = validator();
    for (pointer, value) in cases {
        let file = with(pointer, &value);
        assert!(!validator.is_valid(&file), "{pointer} = {value}");
        assert!(parse("p.json", &file.to_string(), None).is_err(), "{pointer} = {value}");
    }
}

#[test]
fn missing_keys_are_rejected() {
    let validator = validator();
    for pointer in [
        "/version",
        "/name",
        "/assets",
        "/assets/departures/from",
        "/assets/departures/kind",
        "/assets/delay_drift/reference/to",
    ] {
        let mut pipeline = flights_as_json();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        pipeline.pointer_mut(parent).unwrap().as_object_mut().unwrap().shift_remove(key).unwrap();
        assert!(!validator.is_valid(&pipeline), "{pointer}");
    }
}
