//! Plans: where each column is read from, and why.

use serde_json::{Value, json};

use super::*;

fn mapping(properties: Value) -> Mapping {
    serde_json::from_value(json!({"properties": properties})).unwrap()
}

fn options(names: &[&str], retrieval: FieldSource) -> DecodeOptions {
    let columns = match names {
        [] => ColumnRequest::All,
        names => ColumnRequest::Named(names.iter().map(|name| (*name).to_owned()).collect()),
    };
    DecodeOptions { columns, retrieval, version: "9.4.3".parse().ok(), ..DecodeOptions::default() }
}

fn plan(properties: Value, options: &DecodeOptions) -> Plan {
    Plan::new(&mapping(properties), options).unwrap()
}

fn refused(properties: Value, options: &DecodeOptions) -> String {
    let error = Plan::new(&mapping(properties), options).unwrap_err();
    assert!(error.help().is_some(), "{error}");
    error.to_string()
}

fn by_source(because: &str) -> Retrieval {
    Retrieval::Source { because: because.to_owned() }
}

#[test]
fn doc_values_win_when_they_lose_nothing() {
    let table = [
        (json!({"type": "keyword"}), None),
        (json!({"type": "keyword", "fields": {"t": {"type": "text"}}}), None),
        (json!({"type": "text"}), Some("f is text, which has no doc values")),
        (json!({"type": "keyword", "doc_values": false}), Some("f has doc values switched off")),
        (
            json!({"type": "keyword", "ignore_above": 256}),
            Some("f has `ignore_above`, which keeps long values out of doc values"),
        ),
        (json!({"type": "half_float"}), Some("f keeps rounded doc values")),
        (json!({"type": "geo_point"}), Some("f keeps rounded doc values")),
        (json!({"type": "geo_shape"}), Some("f is of a type without doc values")),
    ];
    for (property, because) in table {
        let plan = plan(json!({"f": property}), &options(&[], FieldSource::Auto));
        assert_eq!(plan.retrieval, because.map_or(Retrieval::DocValues, by_source));
    }
}

#[test]
fn many_columns_are_read_from_documents() {
    let properties = |columns: usize| -> Value {
        (0..columns)
            .map(|place| (format!("f{place}"), json!({"type": "long"})))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let few = plan(properties(MOST_DOC_VALUES), &options(&[], FieldSource::Auto));
    assert_eq!(few.retrieval, Retrieval::DocValues);
    assert_eq!(few.request["_source"], json!(false));
    let many = plan(properties(MOST_DOC_VALUES + 1), &options(&[], FieldSource::Auto));
    assert_eq!(many.retrieval, by_source("there are 5 columns, and above 4 one document is read sooner"));
    assert_eq!(many.request.get("docvalue_fields"), None);
    assert_eq!(many.request["_source"], json!(true));
    for stored_source in [StoredSource::Synthetic, StoredSource::Disabled] {
        let options = DecodeOptions { stored_source, ..options(&[], FieldSource::Auto) };
        assert_eq!(plan(properties(30), &options).retrieval, Retrieval::DocValues);
    }
}

#[test]
fn lists_are_read_in_their_order() {
    let policy = CellPolicy { values: Some(Values::List), ..CellPolicy::default() };
    let options = DecodeOptions { policy, ..options(&[], FieldSource::Auto) };
    let plan = plan(json!({"f": {"type": "keyword"}}), &options);
    assert_eq!(plan.retrieval, by_source("f may have several values, whose order doc values do not keep"));
    let options = DecodeOptions { stored_source: StoredSource::Disabled, ..options };
    assert_eq!(self::plan(json!({"f": {"type": "keyword"}}), &options).retrieval, Retrieval::DocValues);
}

#[test]
fn each_column_is_asked_for_in_one_place() {
    let properties = json!({
        "t": {"type": "text"}, "d": {"type": "date", "format": "weekyear"}, "v": {"type": "dense_vector", "dims": 2},
        "c": {"type": "constant_keyword"}, "h": {"type": "murmur3"}, "n": {"type": "long"}
    });
    let found = plan(properties.clone(), &options(&[], FieldSource::Auto));
    assert_eq!(found.request["_source"], json!({"exclude_vectors": false}));
    assert_eq!(
        found.request["docvalue_fields"],
        json!([{"field": "d", "format": "epoch_millis"}, {"field": "c"}, {"field": "h"}])
    );
    let options = DecodeOptions { version: "8.19.0".parse().ok(), ..options(&["v", "t"], FieldSource::Auto) };
    let found = plan(properties.clone(), &options);
    assert_eq!(found.request["_source"], json!(true));
    // What is left out and can be long is not sent.
    let found = plan(properties.clone(), &self::options(&["v", "n", "h"], FieldSource::Auto));
    assert_eq!(found.request["_source"], json!({"includes": ["n", "v"], "exclude_vectors": false}));
    let found = plan(properties.clone(), &options);
    assert_eq!(found.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["v", "t"]);
    // Where the version is not known, the option that every version takes.
    let found = plan(properties, &DecodeOptions { version: None, ..options });
    assert_eq!((&found.request["_source"], &found.request["fields"]), (&json!(["t"]), &json!([{"field": "v"}])));
}

#[test]
fn runtime_fields_are_computed_by_the_server() {
    let mut index = mapping(json!({"n": {"type": "long"}}));
    index.parameters.insert(
        "runtime".into(),
        json!({"r": {"type": "date"}, "c": {"type": "composite", "fields": {"x": {"type": "long"}}}}),
    );
    let mut options = options(&[], FieldSource::Auto);
    options.runtime.insert("q".into(), json!({"type": "keyword", "script": "emit('x')"}));
    let plan = Plan::new(&index, &options).unwrap();
    let columns: Vec<_> =
        plan.columns.iter().map(|column| (column.name.as_str(), column.dtype().to_string())).collect();
    assert_eq!(columns[0], ("n", "i64".to_owned()));
    assert_eq!(columns[2], ("c.x", "i64".to_owned()));
    assert_eq!(
        plan.request["fields"],
        json!([{"field": "r", "format": "epoch_millis"}, {"field": "c.x"}, {"field": "q"}])
    );
    assert_eq!(plan.request["runtime_mappings"]["q"]["type"], "keyword");
}

#[test]
fn what_no_place_can_give_is_refused() {
    let date = json!({"d": {"type": "date", "format": "weekyear", "doc_values": false}});
    let why = refused(date, &options(&[], FieldSource::Auto));
    assert!(
        why.starts_with("field d has doc values switched off, and the format \"weekyear\" is not read here"),
        "{why}"
    );
    let why = refused(json!({"t": {"type": "text"}}), &options(&[], FieldSource::DocValues));
    assert_eq!(why, "field t is text, which has no doc values");
    let disabled = DecodeOptions { stored_source: StoredSource::Disabled, ..options(&[], FieldSource::Auto) };
    let why = refused(json!({"t": {"type": "text"}}), &disabled);
    assert_eq!(why, "field t is text, which has no doc values, and the index keeps no `_source`");
    let why = refused(json!({"t": {"type": "half_float"}}), &disabled);
    assert_eq!(why, "field t keeps rounded doc values, and `_source` cannot be read for it");
    let stored = plan(json!({"t": {"type": "text", "store": true}}), &disabled);
    assert_eq!(stored.request["stored_fields"], json!(["t"]));
    let taken = DecodeOptions { retrieval: FieldSource::DocValues, ..disabled };
    assert!(plan(json!({"k": {"type": "keyword", "ignore_above": 5}}), &taken).columns[0].is_watched);
}

#[test]
fn names_are_those_of_the_index() {
    let properties = json!({"o": {"properties": {"x": {"type": "long"}}}, "d": {"type": "date"}, "a": {"type": "alias", "path": "d"}});
    let found = plan(properties.clone(), &options(&[], FieldSource::Auto));
    assert_eq!(found.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["o.x", "d"]);
    let found = plan(properties.clone(), &options(&["a", "o"], FieldSource::Auto));
    assert_eq!(found.columns[0].field_type, "date");
    assert_eq!(found.columns[1].dtype().to_string(), "struct[1]");
    let error = Plan::new(&mapping(properties.clone()), &options(&["dd"], FieldSource::Auto)).unwrap_err();
    assert_eq!((error.kind(), error.help()), (ErrorKind::UnknownColumn, Some("did you mean `d`?")));
    for (name, help) in [("_idd", "did you mean `_id`?"), ("weight", "the fields are o, o.x, d, a")] {
        let error = Plan::new(&mapping(properties.clone()), &options(&[name], FieldSource::Auto)).unwrap_err();
        assert_eq!(error.help(), Some(help));
    }
    assert_eq!(refused(properties, &options(&["d", "d"], FieldSource::Auto)), "column d is named twice");
}
