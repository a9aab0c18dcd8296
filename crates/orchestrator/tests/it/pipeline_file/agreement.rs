//! The checker, the schema and the types say the same of every file.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::check;
use crate::spec::{Asset, schema};
use crate::yaml;

const FLIGHTS: &str = include_str!("../../tests/fixtures/flights.yaml");

/// The pointers of every value inside `value`.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                pointers(inner, &format!("{at}/{key}"), all);
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                pointers(inner, &format!("{at}/{index}"), all);
            }
        }
        _ => {}
    }
}

/// Values that are right in some places and wrong in others.
fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(0.5),
        json!(1e12),
        json!(""),
        json!(" "),
        json!("x"),
        json!("X y"),
        json!("7d"),
        json!("07d"),
        json!("2013-01-01"),
        json!("2013-01-01T05"),
        json!("2013-01-01T05:00Z"),
        json!("8mb"),
        json!("8TB"),
        json!("1%"),
        json!("month"),
        json!("now"),
        json!("ignore"),
        json!("UTC"),
        json!("0 2 * * *"),
        json!("22:00 - 04:00"),
        json!("http://es:9200/path"),
        json!("https://u:p@es"),
        json!([]),
        json!(["x"]),
        json!(["x", "x"]),
        json!(["7d"]),
        json!([1, 2]),
        json!({}),
        json!({ "x": 1 }),
        json!({ "env": "X" }),
        json!({ "field": "x" }),
        json!({ "max": 0.1 }),
        json!({ "p": 0.1 }),
        json!({ "match_all": {} }),
        json!({ "last": "30d" }),
        json!({ "method": "psi", "max": 1 }),
        json!({ "kind": "ingest", "from": { "path": "a.csv" } }),
        json!({ "rows": { "max": 3 } }),
        json!({ "count": {} }),
    ]
}

/// Keys that some mappings have and others do not.
const KEYS: [&str; 14] = [
    "timezone", "where", "severity", "bins", "missing", "field", "script", "format", "start", "tags", "keep",
    "api_key", "retries", "x",
];

#[test]
fn checker_schema_and_types_agree() {
    let (root, _) = yaml::read(FLIGHTS);
    let flights = root.unwrap().to_json();
    let mut places = Vec::new();
    pointers(&flights, "", &mut places);
    let schema = schema();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let accepted = std::cell::Cell::new(0);

    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(3000));
    let strategy = (
        prop::sample::select(places),
        prop::sample::select(values()),
        prop::option::of(prop::sample::select(&KEYS[..])),
    );
    runner
        .run(&strategy, |(place, value, key)| {
            let mut file = flights.clone();
            let target = file.pointer_mut(&place).unwrap();
            match (key, target.as_object_mut()) {
                (Some(key), Some(map)) => {
                    map.insert(key.to_owned(), value);
                }
                _ => *target = value,
            }
            // JSON is YAML.
            let text = file.to_string();
            let (root, faults) = yaml::read(&text);
            prop_assert!(faults.is_empty(), "{:?}", faults);
            let root = root.unwrap();
            let findings = check(&root, &text, &schema).findings;
            if !findings.is_empty() {
                return Ok(());
            }
            accepted.set(accepted.get() + 1);
            let complaints: Vec<String> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
            prop_assert!(complaints.is_empty(), "the schema is stricter: {:?}", complaints);
            for asset in file["assets"].as_object().unwrap().values() {
                let asset = serde_json::from_value::<Asset>(asset.clone());
                prop_assert!(asset.is_ok(), "the types are stricter: {:?}", asset);
            }
            let settings = json!({ "cluster": file["cluster"], "defaults": file["defaults"] });
            let said: serde_json::Map<String, Value> =
                settings.as_object().unwrap().clone().into_iter().filter(|(_, value)| !value.is_null()).collect();
            let settings = serde_json::from_value::<crate::spec::Settings>(Value::Object(said));
            prop_assert!(settings.is_ok(), "the types are stricter: {:?}", settings);
            Ok(())
        })
        .unwrap();
    assert!(accepted.get() > 50, "only {} files were accepted", accepted.get());
}

/// The last boundary between characters of the file that is not behind `at`.
fn boundary(at: usize) -> usize {
    (0..=at).rev().find(|at| FLIGHTS.is_char_boundary(*at)).unwrap()
}

#[test]
fn damaged_files_are_reported_and_never_panic() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
    let damage = (any::<prop::sample::Index>(), 0usize..6, "[ :\\-{}\\[\\],\n\t'\"#&*aé0]{0,4}");
    runner
        .run(&damage, |(at, removed, inserted)| {
            let start = boundary(at.index(FLIGHTS.len()));
            let end = boundary((start + removed).min(FLIGHTS.len()));
            let text = format!("{}{inserted}{}", &FLIGHTS[..start], &FLIGHTS[end..]);
            if let Err(diagnostics) = crate::parse::parse("flights.yaml", &text, Some("dev")) {
                prop_assert!(!diagnostics.is_empty());
                for one in &diagnostics {
                    prop_assert!(diagnostics.source_text().get(one.location.range.clone()).is_some());
                    prop_assert!(!one.message.is_empty());
                }
            }
            Ok(())
        })
        .unwrap();
}
