//! The JSON Schema that the program prints, applied to pipeline files as an editor would.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};

use crate::bench::{Bench, flights_folder};
use crate::data::PIPELINE;

/// A YAML document as JSON, by the rules of YAML's core schema. Anchors are not needed here.
fn from_yaml(text: &str) -> Value {
    enum Open {
        List(Vec<Value>),
        Map(Map<String, Value>, Option<String>),
    }
    let mut open: Vec<Open> = Vec::new();
    let mut root = Value::Null;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.unwrap();
        let ended = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop().unwrap() {
                Open::List(list) => Value::Array(list),
                Open::Map(map, _) => Value::Object(map),
            },
            Event::Scalar(text, style, ..) => scalar(&text, style),
            _ => continue,
        };
        match open.last_mut() {
            None => root = ended,
            Some(Open::List(list)) => list.push(ended),
            Some(Open::Map(map, key)) => match key.take() {
                None => *key = Some(ended.as_str().map_or_else(|| ended.to_string(), str::to_owned)),
                Some(key) => drop(map.insert(key, ended)),
            },
        }
    }
    root
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return json!(text);
    }
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => json!(true),
        "false" => json!(false),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => json!(number),
            (_, Ok(number)) if number.is_finite() => json!(number),
            _ => json!(text),
        },
    }
}

fn validator() -> jsonschema::Validator {
    let shown = Bench::offline().expect(0, &["schema"]);
    assert_eq!(shown.stderr, "");
    jsonschema::validator_for(&serde_json::from_str(&shown.stdout).unwrap()).unwrap()
}

#[test]
fn the_schema_accepts_pipelines_that_are_valid() {
    let validator = validator();
    let reference = std::fs::read_to_string(flights_folder().join("pipeline.yaml")).unwrap();
    let bench = Bench::offline();
    bench.expect(0, &["init", "."]);
    for text in [reference, PIPELINE.to_owned(), bench.read("pipeline.yaml")] {
        let errors: Vec<String> = validator.iter_errors(&from_yaml(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in\n{text}");
    }
}

#[test]
fn the_schema_refuses_what_validate_refuses() {
    let validator = validator();
    let bench = Bench::offline();
    for (from, to) in [
        ("id: [sensor, time]\n", "ids: [sensor, time]\n"),
        ("kind: monitor", "kind: moniter"),
        ("every: 1d", "every: [1d]"),
        ("p: 0.001", "p: high"),
        ("every: month", "every: moon"),
        ("version: 1", "version: 2"),
        ("    from: { path: \"data/*.csv\" }\n", ""),
    ] {
        let text = PIPELINE.replacen(from, to, 1);
        assert_ne!(text, PIPELINE, "{from} is not in the pipeline");
        assert!(!validator.is_valid(&from_yaml(&text)), "the schema accepts {to}");
        bench.write("pipeline.yaml", &text);
        bench.expect(2, &["validate"]);
    }
}
