//! The checker, the schema and the types say the same of every file.

use es_assets::{Diagnostic, DiagnosticKind};
use orchestrator::settings::Settings;
use serde_json::{Value, json};

use super::{FLIGHTS, flights_as_json, format};

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

/// Files that differ from the reference pipeline in one value, which is another one or a new one: so
/// many of them, from all places and values.
fn edited(count: usize) -> Vec<Value> {
    let flights = flights_as_json();
    let mut places = Vec::new();
    pointers(&flights, "", &mut places);
    let mut files = Vec::new();
    let mut random = fastrand::Rng::with_seed(1);
    for place in &places {
        for value in values() {
            let mut file = flights.clone();
            *file.pointer_mut(place).unwrap() = value.clone();
            files.push(file);
            let mut file = flights.clone();
            if let Some(map) = file.pointer_mut(place).unwrap().as_object_mut() {
                map.insert(KEYS[random.usize(..KEYS.len())].to_owned(), value);
                files.push(file);
            }
        }
    }
    random.shuffle(&mut files);
    files.truncate(count);
    files
}

#[test]
fn checker_schema_and_types_agree() {
    let format = format();
    let validator = jsonschema::draft202012::new(format.schema()).unwrap();
    let mut accepted = 0;
    for file in edited(1500) {
        // JSON is YAML.
        let text = file.to_string();
        match format.parse("flights.json", &text, None) {
            Ok(pipeline) => {
                accepted += 1;
                let complaints: Vec<String> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
                assert!(complaints.is_empty(), "the schema is stricter: {complaints:?} of {text}");
                let settings = serde_json::from_value::<Settings>(pipeline.settings_json().clone());
                assert!(settings.is_ok(), "the types are stricter: {settings:?} of {text}");
            }
            // What the types refuse and the checker does not is the only wrong value without a help.
            Err(diagnostics) if validator.is_valid(&file) => {
                let by_types = |one: &&Diagnostic| one.kind == DiagnosticKind::InvalidValue && one.help.is_none();
                let complaint = diagnostics.iter().find(by_types);
                assert!(complaint.is_none(), "the types are stricter: {complaint:?} of {text}");
            }
            Err(_) => {}
        }
    }
    assert!(accepted > 50, "only {accepted} files were accepted");
}

/// The last boundary between characters of the file that is not behind `at`.
fn boundary(at: usize) -> usize {
    (0..=at).rev().find(|at| FLIGHTS.is_char_boundary(*at)).unwrap()
}

#[test]
fn damaged_files_are_reported_and_never_panic() {
    const MARKS: [char; 19] =
        ['[', ' ', ':', '\\', '-', '{', '}', ']', ',', '\n', '\t', '\'', '"', '#', '&', '*', 'a', 'é', '0'];
    let format = format();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..1000 {
        let start = boundary(random.usize(..FLIGHTS.len()));
        let end = boundary((start + random.usize(..6)).min(FLIGHTS.len()));
        let inserted: String = (0..random.usize(..5)).map(|_| MARKS[random.usize(..MARKS.len())]).collect();
        let text = format!("{}{inserted}{}", &FLIGHTS[..start], &FLIGHTS[end..]);
        let Err(diagnostics) = format.parse("flights.yaml", &text, Some("dev")) else { continue };
        assert!(!diagnostics.is_empty(), "{start}..{end} {inserted:?}");
        for one in &diagnostics {
            assert!(diagnostics.source_text().get(one.location.range.clone()).is_some(), "{one:?} of {text}");
            assert!(!one.message.is_empty(), "{one:?} of {text}");
        }
    }
}
