//! Each type of field, in each form that documents have it in.

use polars::prelude::*;
use serde_json::{Value, json};

use super::super::ColumnRequest;
use super::{frame, options};

/// The column `f` of documents, by the definition of the field.
fn column(definition: Value, values: &[&str]) -> Column {
    let sources: Vec<String> = values.iter().map(|value| format!(r#"{{"f":{value}}}"#)).collect();
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    frame(json!({"f": definition}), &options(), &sources).unwrap().column("f").unwrap().clone()
}

fn refused(definition: Value, values: &[&str]) {
    for value in values {
        let source = format!(r#"{{"f":{value}}}"#);
        let error = frame(json!({"f": definition}), &options(), &[&source]).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Value, "{value}: {error}");
    }
}

#[test]
fn integers_are_exact() {
    let found = column(
        json!({"type": "unsigned_long"}),
        &["18446744073709551615", "\"18446744073709551614\"", "1.8446744073709551615E19", "0", "[7]", "7.0", "null"],
    );
    let found: Vec<_> = found.u64().unwrap().iter().collect();
    let most = u64::MAX;
    assert_eq!(found, [Some(most), Some(most - 1), Some(most), Some(0), Some(7), Some(7), None]);
    let found = column(json!({"type": "long"}), &["-9223372036854775808", "9223372036854775807", "9007199254740993"]);
    let found: Vec<_> = found.i64().unwrap().iter().flatten().collect();
    assert_eq!(found, [i64::MIN, i64::MAX, 9_007_199_254_740_993]);
    refused(json!({"type": "long"}), &["9223372036854775808", "\"x\"", "true", "{}"]);
    refused(json!({"type": "byte"}), &["128", "-129", "1e3"]);
    for field_type in ["byte", "short", "integer", "long", "unsigned_long"] {
        refused(json!({"type": field_type}), &["7.9", "\"7.9\"", "1e-1", "[7.5]"]);
    }
    refused(json!({"type": "unsigned_long"}), &["-1", "18446744073709551616"]);
}

#[test]
fn an_empty_text_in_a_number_is_none() {
    for field_type in ["byte", "short", "integer", "long", "unsigned_long", "double", "float", "scaled_float"] {
        let found = column(json!({"type": field_type}), &["\"\"", "[\"\"]", "[\"\", 7]", "7"]);
        assert_eq!((found.null_count(), found.len()), (2, 4), "{field_type}");
        assert!(column(json!({"type": field_type}), &["\" 7 \""]).null_count() == 0);
        refused(json!({"type": field_type}), &["\" \""]);
    }
}

#[test]
fn floats_are_the_nearest() {
    let texts =
        ["0.1", "\"0.1\"", "1e400", "4.9e-324", "-0.0", "123456789012345678901234567890", "1.7976931348623157E308"];
    for (text, expected) in [(0, 0.1), (1, 0.1), (3, 4.9e-324), (4, -0.0), (5, 1.2345678901234568e29), (6, f64::MAX)] {
        let found = column(json!({"type": "double"}), &[texts[text]]).f64().unwrap().get(0).unwrap();
        assert_eq!(found.to_bits(), f64::to_bits(expected), "{}", texts[text]);
    }
    refused(json!({"type": "double"}), &["1e400", "\"NaN\"", "\"Infinity\"", "\"x\"", "true"]);
    let single = json!({"type": "float", "meta": {"value_type": "float32"}});
    refused(single.clone(), &["1e39"]);
    // Between two 32-bit floats, where rounding twice goes astray.
    for text in ["1.00000017881393432617187499", "16777217.0000001", "0.1", "3.4028235e38", "1e-45"] {
        let found = column(single.clone(), &[text]).f32().unwrap().get(0).unwrap();
        assert_eq!(found.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{text}");
    }
    // A field of which nobody says that its documents hold 32-bit floats.
    for field_type in ["float", "half_float", "scaled_float", "rank_feature"] {
        let found = column(json!({"type": field_type}), &["0.3333333333333333"]).f64().unwrap().get(0).unwrap();
        assert_eq!(found.to_bits(), 0.3333333333333333_f64.to_bits(), "{field_type}");
    }
}

#[test]
fn texts_are_as_they_were_written() {
    let long = format!("\"{}\"", "é𝄞".repeat(5_000));
    let values = [
        "\"\"",
        "\"a\\u0000\\\"\\/\\ud834\\udd1e\"",
        "\"twelve bytes\"",
        "\"more than twelve bytes\"",
        "1.50",
        "true",
        &long,
    ];
    for field_type in ["keyword", "text", "wildcard", "version", "match_only_text", "search_as_you_type"] {
        let found = column(json!({"type": field_type}), &values);
        let found: Vec<_> = found.str().unwrap().iter().flatten().collect();
        let expected = ["", "a\0\"/𝄞", "twelve bytes", "more than twelve bytes", "1.50", "true"];
        assert_eq!(found[..6], expected);
        assert_eq!(found[6].len(), 30_000);
    }
    refused(json!({"type": "keyword"}), &[r#""\ud800""#, "{}", "[{}]"]);
}

#[test]
fn booleans_addresses_and_bytes_are_read_in_their_forms() {
    let found = column(json!({"type": "boolean"}), &["true", "\"false\"", "\"\"", "[\"true\"]", "null"]);
    let found: Vec<_> = found.bool().unwrap().iter().collect();
    assert_eq!(found, [Some(true), Some(false), Some(false), Some(true), None]);
    refused(json!({"type": "boolean"}), &["1", "\"yes\""]);
    let found = column(json!({"type": "ip"}), &["\"127.0.0.1\"", "\"2001:0DB8::0001\"", "\"::ffff:1.2.3.4\""]);
    let found: Vec<_> = found.str().unwrap().iter().flatten().collect();
    assert_eq!(found, ["127.0.0.1", "2001:db8::1", "1.2.3.4"]);
    refused(json!({"type": "ip"}), &["\"1.2.3\"", "1"]);
    let found = column(json!({"type": "binary"}), &["\"AAEC\"", "\"\"", "\"/w==\"", "\"_w==\""]);
    let found: Vec<_> = found.binary().unwrap().iter().flatten().collect();
    assert_eq!(found, [&b"\x00\x01\x02"[..], b"", b"\xff", b"\xff"]);
    // The server keeps line breaks, and bits that are no part of a byte.
    let found = column(json!({"type": "binary"}), &[r#""AAEC\nAAEC""#, "\"AB==\""]);
    let found: Vec<_> = found.binary().unwrap().iter().flatten().collect();
    assert_eq!(found, [&b"\x00\x01\x02\x00\x01\x02"[..], b"\x00"]);
    refused(json!({"type": "binary"}), &["\"!\"", "1"]);
}

#[test]
fn points_are_read_in_every_notation() {
    let values = [
        r#"{"lat":41.12,"lon":-71.34}"#,
        r#"{"type":"Point","coordinates":[-71.34,41.12]}"#,
        "[-71.34,41.12]",
        "\"41.12,-71.34\"",
        "\"POINT (-71.34 41.12)\"",
        "[-71.34, 41.12, 5]",
        "[\"41.12, -71.34\"]",
        r#"[{"lat":"41.12","lon":"-71.34"}]"#,
        "[[-71.34,41.12]]",
    ];
    let found = column(json!({"type": "geo_point"}), &values);
    let found = found.struct_().unwrap().clone();
    for (name, expected) in [("lat", 41.12), ("lon", -71.34)] {
        let part = found.field_by_name(name).unwrap();
        assert_eq!(part.f64().unwrap().iter().collect::<Vec<_>>(), vec![Some(expected); values.len()], "{name}");
    }
    let hash = column(json!({"type": "geo_point"}), &["\"drm3btev3e86\"", "null"]);
    let hash = hash.struct_().unwrap().clone();
    let lat = hash.field_by_name("lat").unwrap().f64().unwrap().get(0).unwrap();
    let lon = hash.field_by_name("lon").unwrap().f64().unwrap().get(0).unwrap();
    assert!((lat - 41.12).abs() < 1e-6 && (lon + 71.34).abs() < 1e-6, "{lat} {lon}");
    refused(json!({"type": "geo_point"}), &["\"a!\"", "[1]", "{}", "true", "[1,2,3,4]", "[[1,2],[3,4]]"]);
}

#[test]
fn shapes_and_unknown_types_are_text_or_json() {
    for field_type in ["geo_shape", "shape", "point", "completion", "semantic_text", "a_type_of_tomorrow"] {
        let found = column(
            json!({"type": field_type}),
            &["\"POINT (1 2)\"", r#"{"type": "Point", "coordinates":[1,2]}"#, "null"],
        );
        let found: Vec<_> = found.str().unwrap().iter().collect();
        assert_eq!(found, [Some("POINT (1 2)"), Some(r#"{"type": "Point", "coordinates":[1,2]}"#), None]);
    }
    for field_type in
        ["flattened", "rank_features", "sparse_vector", "percolator", "histogram", "aggregate_metric_double"]
    {
        let found = column(json!({"type": field_type}), &[r#"{"a":[1, {}]}"#, r#"[{"a":1},{"b":2}]"#, "null"]);
        let found: Vec<_> = found.str().unwrap().iter().collect();
        assert_eq!(found, [Some(r#"{"a":[1, {}]}"#), Some(r#"[{"a":1},{"b":2}]"#), None]);
    }
}

#[test]
fn vectors_are_read_in_every_form() {
    let definition = json!({"type": "dense_vector", "dims": 3});
    let found = column(definition.clone(), &["[1,2.5,-3e0]", "\"P4AAAEAgAADAQAAA\"", "null", "[ 1.0, 2.5 ,-3 ]"]);
    let found = found.array().unwrap().clone();
    let expected = Series::new("".into(), [1.0_f32, 2.5, -3.0]);
    for row in [0, 1, 3] {
        assert_eq!(found.get_as_series(row), Some(expected.clone()), "{row}");
    }
    assert_eq!(found.null_count(), 1);
    refused(definition, &["[1,2]", "[1,2,3,4]", "[]", "\"AAAA\"", "[1,\"x\",3]", "{}", "1", "[1,[2],3]"]);
    let bytes = json!({"type": "dense_vector", "dims": 3, "element_type": "byte"});
    let found = column(bytes.clone(), &["[1,-2,3]", "\"01fe03\"", "\"Af4D\""]);
    let found = found.array().unwrap().clone();
    for row in 0..3 {
        assert_eq!(found.get_as_series(row), Some(Series::new("".into(), [1_i8, -2, 3])), "{row}");
    }
    refused(bytes, &["[1,2,200]", "[1,2,1.5]"]);
    let bits = column(json!({"type": "dense_vector", "dims": "16", "element_type": "bit"}), &["[1,-1]", "\"01ff\""]);
    assert_eq!(bits.dtype(), &DataType::Array(Box::new(DataType::Int8), 2));
    // No document has said yet how wide they are.
    assert_eq!(column(json!({"type": "dense_vector"}), &[]).dtype(), &DataType::String);
}

#[test]
fn ranges_and_relations_are_structs() {
    let found =
        column(json!({"type": "integer_range"}), &[r#"{"gte":1,"lt":5}"#, r#"{"gt":null,"lte":"7"}"#, "{}", "null"]);
    let range = found.struct_().unwrap().clone();
    let bound = |name: &str| range.field_by_name(name).unwrap().i32().unwrap().iter().collect::<Vec<_>>();
    assert_eq!(bound("gte"), [Some(1), None, None, None]);
    assert_eq!(bound("lt"), [Some(5), None, None, None]);
    assert_eq!(bound("lte"), [None, Some(7), None, None]);
    assert_eq!(found.null_count(), 1);
    let blocks = column(json!({"type": "ip_range"}), &["\"10.0.0.0/8\"", "\"2001:db8::/32\"", r#"{"gte":"10.0.0.1"}"#]);
    let blocks = blocks.struct_().unwrap().clone();
    let last = blocks.field_by_name("lte").unwrap();
    let last: Vec<_> = last.str().unwrap().iter().collect();
    assert_eq!(last, [Some("10.255.255.255"), Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), None]);
    refused(json!({"type": "integer_range"}), &["1", r#"{"from":1}"#, r#"{"gte":"x"}"#]);

    let join = column(json!({"type": "join"}), &["\"question\"", r#"{"name":"answer","parent":1}"#]);
    let join = join.struct_().unwrap().clone();
    let part = |name: &str| {
        join.field_by_name(name).unwrap().str().unwrap().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(part("name"), [Some("question".to_owned()), Some("answer".to_owned())]);
    assert_eq!(part("parent"), [None, Some("1".to_owned())]);
}

#[test]
fn nested_fields_are_lists_of_structs() {
    let definition = json!({"type": "nested", "properties": {
        "a": {"type": "long"}, "s": {"type": "keyword"}, "o": {"properties": {"x": {"type": "boolean"}}}
    }});
    let found = column(
        definition,
        &[r#"[{"a":1,"s":"x"},{"s":"y","o.x":true}]"#, "[]", "null", r#"{"a":2,"o":{"x":false}}"#, "[null]"],
    );
    let list = found.list().unwrap().clone();
    let lengths: Vec<_> = (0..5).map(|row| list.get_as_series(row).map(|series| series.len())).collect();
    assert_eq!(lengths, [Some(2), Some(0), None, Some(1), Some(1)]);
    let first = list.get_as_series(0).unwrap();
    let first = first.struct_().unwrap().clone();
    assert_eq!(first.field_by_name("a").unwrap().i64().unwrap().iter().collect::<Vec<_>>(), [Some(1), None]);
    let object = first.field_by_name("o").unwrap();
    let x = object.struct_().unwrap().field_by_name("x").unwrap();
    assert_eq!(x.bool().unwrap().iter().collect::<Vec<_>>(), [None, Some(true)]);
    assert_eq!(list.get_as_series(4).unwrap().null_count(), 1);
}

#[test]
fn sub_fields_copies_aliases_and_keys_come_from_where_they_are_written() {
    let properties = json!({
        "s": {"type": "keyword", "copy_to": "all", "fields": {"t": {"type": "text"}}}, "all": {"type": "text"},
        "a": {"type": "alias", "path": "s"}, "l": {"type": "flattened"}, "off": {"type": "object", "enabled": false}
    });
    let columns = ColumnRequest::Named(["s.t", "all", "a", "l.k", "l", "off"].map(String::from).to_vec());
    let options = super::DecodeOptions { columns, ..options() };
    let found =
        frame(properties, &options, &[r#"{"s":"x","l":{"k":"v"},"off":[1]}"#, r#"{"all":"y","l":{"k":"w"}}"#]).unwrap();
    let expected = df!(
        "s.t" => [Some("x"), None], "all" => ["x", "y"], "a" => [Some("x"), None], "l.k" => ["v", "w"],
        "l" => [r#"{"k":"v"}"#, r#"{"k":"w"}"#], "off" => [Some("[1]"), None],
    )
    .unwrap();
    assert!(found.equals_missing(&expected), "{found}");
}

#[test]
fn names_with_dots_lead_into_objects() {
    let properties = json!({
        "o": {"properties": {"x": {"type": "long"}, "p": {"properties": {"y": {"type": "keyword"}}}}},
        "l": {"type": "flattened"}
    });
    let columns = ColumnRequest::Named(vec!["o".into(), "o.x".into(), "l".into()]);
    let options = super::DecodeOptions { columns, ..options() };
    let sources =
        [r#"{"o.x":1,"o.p.y":"a"}"#, "{}", r#"{"o":{"p.y":"b"},"o.x":2}"#, r#"{"o.p":{"y":"c"},"o":{"x":3}}"#];
    let found = frame(properties.clone(), &options, &sources[..2]).unwrap();
    assert_eq!(found.column("o").unwrap().null_count(), 1);
    let object = found.column("o").unwrap().struct_().unwrap().field_by_name("p").unwrap();
    let y = object.struct_().unwrap().field_by_name("y").unwrap();
    assert_eq!(y.str().unwrap().get(0), Some("a"));
    assert_eq!(found.column("o.x").unwrap().i64().unwrap().get(0), Some(1));
    let found = frame(properties.clone(), &options, &sources[3..]).unwrap();
    let x = found.column("o").unwrap().struct_().unwrap().field_by_name("x").unwrap();
    assert_eq!(x.i64().unwrap().get(0), Some(3));
    // An object that is whole, and then a member of it: told, not lost.
    assert!(frame(properties.clone(), &options, &sources[2..3]).is_err());
    let error = frame(properties, &options, &[r#"{"l.k":"w"}"#]).unwrap_err();
    assert_eq!(error.to_string(), "field l of document d is written as l.k, which is not put together here");
}
