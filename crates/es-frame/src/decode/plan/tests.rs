//! Plans: where each column is read from, and why.

use polars::prelude::Field;
use serde_json::{Value, json};

use super::super::options::CellPolicy;
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
        (json!({"type": "long"}), Some("f is coerced, and its documents may hold fractions that its doc values lack")),
        (json!({"type": "short", "coerce": false}), None),
        (json!({"type": "byte", "coerce": "false"}), None),
        (json!({"type": "unsigned_long"}), None),
        (json!({"type": "half_float"}), Some("f keeps rounded doc values")),
        (json!({"type": "scaled_float", "scaling_factor": 100}), Some("f keeps rounded doc values")),
        (
            json!({"type": "float"}),
            Some("f is float, and its documents may hold numbers with more digits than its doc values"),
        ),
        (json!({"type": "float", "meta": {"value_type": "float32"}}), None),
        (json!({"type": "float", "meta": {"unit": "km"}, "script": "emit(1)"}), None),
        (json!({"type": "geo_point"}), Some("f keeps rounded doc values")),
        (json!({"type": "geo_shape"}), Some("f is of a type without doc values")),
    ];
    for (property, because) in table {
        let plan = plan(json!({"f": property}), &options(&[], FieldSource::Auto));
        assert_eq!(plan.retrieval, because.map_or(Retrieval::DocValues, by_source));
    }
}

/// A `float` is read in the precision that its documents, or what is stored of them, can have.
#[test]
fn floats_have_the_precision_of_what_is_stored() {
    use DataType::{Float32, Float64};
    let dtype = |property: &Value, retrieval: FieldSource, stored_source: StoredSource| {
        let properties = json!({"f": property, "t": {"type": "keyword", "ignore_above": 9}});
        let options = DecodeOptions { stored_source, ..options(&["f"], retrieval) };
        plan(properties, &options).columns[0].dtype()
    };
    let unsure = json!({"type": "float"});
    let single = json!({"type": "float", "meta": {"value_type": "float32"}});
    let half = json!({"type": "half_float"});
    let kept_by_field = json!({"type": "float", "synthetic_source_keep": "all"});
    for (property, retrieval, stored, expected) in [
        (&unsure, FieldSource::Auto, StoredSource::Kept, Float64),
        (&unsure, FieldSource::Source, StoredSource::Kept, Float64),
        (&unsure, FieldSource::DocValues, StoredSource::Kept, Float32),
        (&unsure, FieldSource::Auto, StoredSource::Synthetic, Float32),
        (&unsure, FieldSource::Source, StoredSource::Synthetic, Float32),
        (&unsure, FieldSource::Auto, StoredSource::Disabled, Float32),
        (&single, FieldSource::Auto, StoredSource::Kept, Float32),
        (&single, FieldSource::Source, StoredSource::Kept, Float32),
        (&half, FieldSource::Auto, StoredSource::Kept, Float64),
        (&half, FieldSource::Auto, StoredSource::Synthetic, Float32),
        (&kept_by_field, FieldSource::Auto, StoredSource::Synthetic, Float64),
    ] {
        assert_eq!(dtype(property, retrieval, stored), expected, "{property} {retrieval} {stored:?}");
    }
    let auto = options(&[], FieldSource::Auto);
    let synthetic = DecodeOptions { stored_source: StoredSource::Synthetic, ..auto.clone() };
    assert_eq!(plan(json!({"f": unsure}), &synthetic).retrieval, Retrieval::DocValues);
    // Arrays may be kept as they were sent, by a setting of the index.
    let lists = CellPolicy { values: Some(Values::List), ..CellPolicy::default() };
    let lists = DecodeOptions { policy: lists, ..synthetic };
    assert_eq!(plan(json!({"f": unsure}), &lists).columns[0].dtype(), DataType::List(Box::new(Float64)));
    // Members of objects come from `_source` alone.
    let object = plan(json!({"o": {"properties": {"f": unsure, "s": single}}}), &options(&["o"], FieldSource::Auto));
    let members = ["f", "s"].map(str::to_owned).into_iter().zip([Float64, Float32]);
    let members = members.map(|(name, dtype)| Field::new(name.into(), dtype)).collect();
    assert_eq!(object.columns[0].dtype(), DataType::Struct(members));
    for (field_type, expected) in [("rank_feature", "f64"), ("float_range", "struct[4]")] {
        let found = plan(json!({"f": {"type": field_type}}), &auto);
        assert_eq!(found.columns[0].dtype().to_string(), expected);
    }
}

#[test]
fn values_of_scripts_are_not_looked_for_in_documents() {
    let properties = json!({"n": {"type": "long", "script": "emit(1)"}, "t": {"type": "text"}});
    let found = plan(properties, &options(&[], FieldSource::Source));
    assert_eq!(found.request["docvalue_fields"], json!([{"field": "n"}]));
    assert_eq!(found.request["_source"], json!(true));
}

/// Settings of an index, which a mapping does not show, can keep values out of doc values.
#[test]
fn every_column_of_doc_values_is_checked_for_ignored_values() {
    let properties = json!({
        "k": {"type": "keyword"}, "a": {"type": "alias", "path": "k"}, "l": {"type": "flattened"},
        "c": {"type": "constant_keyword"}
    });
    let found = plan(properties, &options(&["k", "a", "l.x", "_id"], FieldSource::Auto));
    assert_eq!(found.retrieval, Retrieval::DocValues);
    let watched = found.columns.iter().map(|column| column.watched.as_deref());
    assert_eq!(watched.collect::<Vec<_>>(), [Some("k"), Some("k"), Some("l"), None]);
    let flattened = json!({"l": {"type": "flattened", "ignore_above": 9}});
    let because = "l.x has `ignore_above`, which keeps long values out of doc values";
    assert_eq!(plan(flattened, &options(&["l.x"], FieldSource::Auto)).retrieval, by_source(because));
}

#[test]
fn many_columns_are_read_from_documents() {
    let properties = |columns: usize| -> Value {
        (0..columns)
            .map(|place| (format!("f{place}"), json!({"type": "long", "coerce": false})))
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
    assert!(plan(json!({"k": {"type": "keyword", "ignore_above": 5}}), &taken).columns[0].watched.is_some());
}

fn left_out(source: Value, properties: Value) -> Mapping {
    serde_json::from_value(json!({"_source": source, "properties": properties})).unwrap()
}

/// Documents lack these fields without a sign.
#[test]
fn what_source_leaves_out_is_read_from_where_it_is() {
    let properties = json!({
        "secret": {"type": "keyword", "ignore_above": 9}, "n": {"type": "long"}, "f": {"type": "float"},
        "stored": {"type": "text", "store": true}, "t": {"type": "text"}, "o": {"properties": {"x": {"type": "date"}}},
    });
    let index = left_out(json!({"excludes": ["s*", "n", "f", "o"]}), properties.clone());
    for retrieval in [FieldSource::Auto, FieldSource::Source] {
        let found = Plan::new(&index, &options(&[], retrieval)).unwrap();
        let places: Vec<_> = found.columns.iter().map(|column| (column.name.as_str(), column.place.clone())).collect();
        let doc = Place::DocValues(None);
        let expected = [
            ("secret", doc.clone()),
            ("n", doc.clone()),
            ("f", doc),
            ("stored", Place::Stored),
            ("t", Place::Source(vec!["t".into()])),
            ("o.x", Place::DocValues(Some("epoch_millis"))),
        ];
        assert_eq!(places, expected);
        assert_eq!(found.columns[0].watched.as_deref(), Some("secret"), "a value that was ignored is reported");
        assert_eq!(found.columns[2].dtype(), DataType::Float32);
        let because =
            if retrieval == FieldSource::Auto { "t is text, which has no doc values" } else { "it was asked for" };
        assert_eq!(found.retrieval, by_source(because));
    }
    let only = left_out(json!({"includes": ["t"]}), properties);
    let found = Plan::new(&only, &options(&["n", "t"], FieldSource::Auto)).unwrap();
    assert_eq!(found.request["docvalue_fields"], json!([{"field": "n"}]));
}

#[test]
fn what_source_leaves_out_and_nothing_else_has_is_refused_by_name() {
    let why = |source: Value, properties: Value| {
        let error = Plan::new(&left_out(source, properties), &options(&[], FieldSource::Auto)).unwrap_err();
        assert_eq!(error.help(), Some("name the columns to read, without this one"));
        error.to_string()
    };
    let table = [
        (json!({"type": "text"}), "f", "field f is text, which has no doc values, and `_source` leaves it out"),
        (
            json!({"type": "dense_vector", "dims": 2}),
            "*",
            "field f is a vector, which has no doc values to read, and `_source` leaves it out",
        ),
        (
            json!({"type": "flattened"}),
            "f.secret",
            "field f is flattened, and doc values do not tell its keys, and `_source` leaves it out",
        ),
        (
            json!({"type": "nested", "properties": {"x": {"type": "long"}, "y": {"type": "long"}}}),
            "*.y",
            "field f is an object, which has no doc values, and `_source` leaves f.y out",
        ),
    ];
    for (property, excluded, expected) in table {
        assert_eq!(why(json!({"excludes": [excluded]}), json!({"f": property})), expected);
    }
    let index = left_out(json!({"excludes": ["k"]}), json!({"k": {"type": "keyword", "normalizer": "n"}}));
    let error = Plan::new(&index, &options(&[], FieldSource::Auto)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "field k has a normalizer, which changes its doc values, and `_source` leaves it out"
    );
    // A part that is not left out can be read.
    let index = left_out(json!({"excludes": ["l.secret"]}), json!({"l": {"type": "flattened"}}));
    let found = Plan::new(&index, &options(&["l.public"], FieldSource::Source)).unwrap();
    assert_eq!(found.columns[0].place, Place::Source(vec!["l.public".into()]));
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
