//! Documents and the mappings that they imply.

use serde_json::json;

use super::super::infer_mapping_of_json;
use super::*;

fn inferred(documents: Value, options: &MappingOptions) -> Value {
    let Value::Array(documents) = documents else { unreachable!("documents are an array") };
    Value::Object(infer_mapping_of_json(&documents, options).unwrap().properties)
}

#[test]
fn each_json_type_has_a_field_type() {
    let documents = json!([
        {"i": 1, "f": 1, "u": 1, "w": -1, "b": true, "s": "a", "m": 1, "n": null, "l": [], "o": {"x": [1, 2]}},
        {"f": 0.5, "u": u64::MAX, "w": u64::MAX, "b": false, "m": "one", "l": [1, [2.5]], "o": {"y": "é"}},
        {"a.b": 1, "o": [{"x": 3}, {"z": {}}], "c": [true, 1]},
    ]);
    let keyword = json!({"type": "keyword", "ignore_above": 8191});
    assert_eq!(
        inferred(documents, &MappingOptions::default()),
        json!({
            "i": {"type": "long", "coerce": false}, "f": {"type": "double"}, "u": {"type": "unsigned_long"},
            "w": keyword, "b": {"type": "boolean"}, "s": keyword, "m": keyword,
            "l": {"type": "double"},
            "o": {"properties": {"x": {"type": "long", "coerce": false}, "y": keyword, "z": {"properties": {}}}},
            "a": {"properties": {"b": {"type": "long", "coerce": false}}}, "c": keyword,
        })
    );
    assert_eq!(inferred(json!([]), &MappingOptions::default()), json!({}));
}

#[test]
fn options_apply_as_to_frames() {
    let documents = json!([
        {"t": "2013-01-31", "mixed": "2013-01-31", "long": "longer than a date", "v": [1, 2], "a.b": 1, "legs": [{"n": 1}]},
        {"t": null, "mixed": 5, "v": [0.5, 1.5]},
    ]);
    let options = MappingOptions {
        dates_in_text: true,
        longest_keyword: 10,
        vectors: vec!["v".into()],
        nested: vec!["legs".into()],
        dotted_names: crate::DottedNames::Objects,
        ..MappingOptions::default()
    };
    let found = inferred(documents, &options);
    assert_eq!(found["t"], json!({"type": "date"}));
    assert_eq!(found["mixed"]["type"], "keyword", "a number is not a date in text");
    assert_eq!(found["long"]["type"], "text");
    assert_eq!(found["v"], json!({"type": "dense_vector", "dims": 2}));
    assert_eq!(found["a"], json!({"properties": {"b": {"type": "long", "coerce": false}}}));
    assert_eq!(found["legs"], json!({"type": "nested", "properties": {"n": {"type": "long", "coerce": false}}}));
}

fn mixed(documents: &[Value]) -> (Value, Vec<String>) {
    let mut sample = JsonSample::new(MappingOptions { dates_in_text: true, ..MappingOptions::default() });
    documents.iter().for_each(|document| sample.add(document).unwrap());
    let inferred = sample.finish().unwrap();
    let mut mapping = Value::Object(inferred.mapping.properties);
    // Only the types are compared.
    for field in mapping.as_object_mut().unwrap().values_mut() {
        *field = field.get("type").or_else(|| field.get("properties")).cloned().unwrap();
    }
    (mapping, inferred.mixed.iter().map(ToString::to_string).collect())
}

#[test]
fn a_field_of_several_types_does_not_touch_the_others() {
    let table = [
        (
            vec![json!({"t": "Slam", "p": 1_234_567.89}), json!({"t": 300, "p": 16_777_217.25})],
            json!({"t": "keyword", "p": "double"}),
            vec!["t holds numbers and texts, and is mapped as keyword"],
        ),
        (vec![json!({"v": 1}), json!({"v": 1.75})], json!({"v": "double"}), vec![]),
        (vec![json!({"v": "2013-01-31"}), json!({"v": "soon"})], json!({"v": "keyword"}), vec![]),
        (
            vec![json!({"v": "2013-01-31", "n": 1}), json!({"v": 20_130_131, "n": 2})],
            json!({"v": "keyword", "n": "long"}),
            vec!["v holds numbers and texts, and is mapped as keyword"],
        ),
        (
            vec![json!({"v": true}), json!({"v": [0, "x"]})],
            json!({"v": "keyword"}),
            vec!["v holds booleans and numbers and texts, and is mapped as keyword"],
        ),
        (vec![json!({"v": 1}), json!({"v": [1, 2]}), json!({"v": [null]})], json!({"v": "long"}), vec![]),
        (
            vec![json!({"v": 9_007_199_254_740_993_u64}), json!({"v": 0.5})],
            json!({"v": "keyword"}),
            vec!["v holds integers that no numeric type holds exactly, and is mapped as keyword"],
        ),
        (vec![json!({"v": 9_007_199_254_740_992_u64}), json!({"v": 0.5})], json!({"v": "double"}), vec![]),
    ];
    for (documents, mapping, warnings) in table {
        let expected = (mapping, warnings.into_iter().map(str::to_owned).collect());
        assert_eq!(mixed(&documents), expected, "{documents:?}");
    }
}

#[test]
fn of_objects_and_values_the_more_frequent_are_mapped() {
    let (one, other) = (json!({"a": {"b": 1}, "n": 1}), json!({"a": 2, "n": 0.5}));
    let (mapping, warnings) = mixed(&[other.clone(), one.clone(), other.clone()]);
    assert_eq!(mapping, json!({"a": "long", "n": "double"}));
    assert_eq!(
        warnings,
        ["a is an object 1 times and a value 2 times in the first documents: it is mapped as a value, and documents \
          in which it is an object are rejected"]
    );
    let (mapping, warnings) = mixed(&[other, one.clone(), one]);
    assert_eq!(mapping, json!({"a": {"b": {"type": "long", "coerce": false}}, "n": "double"}));
    assert_eq!(warnings.len(), 1);
    // The same in lists, and where a name has a dot.
    for documents in [vec![json!({"a": [2, {"b": 1}]})], vec![json!({"a": 2}), json!({"a.b": 1})]] {
        let (mapping, warnings) = mixed(&documents);
        assert_eq!(mapping, json!({"a": {"b": {"type": "long", "coerce": false}}}));
        assert_eq!(warnings.len(), 1, "{documents:?}");
    }
    // Inside of objects, fields have their paths.
    let inside = mixed(&[json!({"o": {"x": 1}}), json!({"o": {"x": "1"}})]);
    assert_eq!(inside.1, ["o.x holds numbers and texts, and is mapped as keyword"]);
}

#[test]
fn geometries_are_shapes_where_every_object_is_one() {
    let point = json!({"type": "Point", "coordinates": [1.5, 2]});
    let line = json!({"type": "LineString", "coordinates": [[1.5, 2], [3, 4]]});
    let several = json!({"type": "GeometryCollection", "geometries": [point, line]});
    let shapes = [json!({"g": point}), json!({"g": null}), json!({"g": line}), json!({"g": several})];
    assert_eq!(mixed(&shapes), (json!({"g": "geo_shape"}), vec![]));
    let others = [json!({"g": point}), json!({"g": {"type": "Point", "of": "view"}})];
    assert!(mixed(&others).0["g"].is_object());
    let feature = json!({"type": "Feature", "geometry": point, "properties": {"name": "x"}});
    let (mapping, warnings) = mixed(&[feature]);
    assert_eq!((&mapping["geometry"], warnings.len()), (&json!("geo_shape"), 0));
}

#[test]
fn names_that_no_field_can_have_are_left_out() {
    let (mapping, _) = mixed(&[json!({"": 1, ".x": 2, " ": 3, "ok": 4, "o": {"": 5, "y": 6}})]);
    assert_eq!(mapping, json!({"ok": "long", "o": {"y": {"type": "long", "coerce": false}}}));
}

#[test]
fn what_cannot_be_mapped_is_refused() {
    let refused = |documents: &[Value], options: &MappingOptions| {
        let error = infer_mapping_of_json(documents, options).unwrap_err();
        assert!(error.help().is_some(), "{error}");
        (error.kind(), error.to_string())
    };
    let options = MappingOptions::default();
    assert_eq!(
        refused(&[json!([1])], &options),
        (ErrorKind::Row, "document 0 is an array, and documents are JSON objects".to_owned())
    );
    let vectors = MappingOptions { vectors: vec!["v".into()], ..options };
    assert_eq!(
        refused(&[json!({"v": [1, 2]}), json!({"v": [1, 2, 3]})], &vectors).1,
        "column v cannot be a vector, as it has lists of 2 and of 3 numbers"
    );
}
