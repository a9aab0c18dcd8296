//! JSON as people have it: every value comes through, or its document is rejected with the reason.

use polars::prelude::df;
use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::Live;
use crate::data::write_parquet;

/// The summary of a load.
fn load(live: &Live, arguments: &[&str]) -> Value {
    let events = live.events(0, &[&["ingest"], arguments].concat());
    events.last().unwrap()["summary"].clone()
}

/// The values of a field, from the index and not from the documents, in the order of the field `n`.
fn values(live: &Live, index: &str, field: &str) -> Vec<Value> {
    let body = json!({"size": 100, "sort": "n", "_source": false, "docvalue_fields": [field]});
    let found = live.search(index, &body);
    let hits = found["hits"]["hits"].as_array().unwrap_or_else(|| panic!("{found}"));
    hits.iter().map(|hit| hit["fields"][field].clone()).collect()
}

/// The documents by their ids.
fn sources(live: &Live, index: &str) -> Vec<(Value, Value)> {
    let found = live.search(index, &json!({"size": 100, "sort": "n"}));
    let hits = found["hits"]["hits"].as_array().unwrap_or_else(|| panic!("{found}"));
    hits.iter().map(|hit| (hit["_id"].clone(), hit["_source"].clone())).collect()
}

fn reasons(live: &Live) -> Vec<(u64, String)> {
    let folder = std::fs::read_dir(live.path(".orchestrator/rejected")).unwrap();
    let names = folder.map(|entry| entry.unwrap().path()).filter(|path| path.to_string_lossy().contains(".errors."));
    let text: String = names.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["row"].as_u64().unwrap(), line["reason"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn a_field_of_several_types_leaves_the_others_exact() {
    let Some(live) = Live::plain("json_mixed") else { return };
    live.write("m/a.ndjson", "{\"n\":1,\"title\":\"Slam\",\"price\":1234567.89,\"v\":1}\n");
    live.write(
        "m/b.ndjson",
        "{\"n\":2,\"title\":300,\"price\":16777217.25,\"v\":1.75}\n{\"n\":3,\"z\":-0.0,\"title\":[\"a\",1]}\n",
    );
    let index = format!("{}a", live.prefix());
    let shown = live.expect(0, &["ingest", "m", "--to", &index, "--id", "n"]);
    assert!(shown.stderr.contains("note: title holds numbers and texts, and is mapped as keyword"), "{}", shown.stderr);
    assert_eq!(values(&live, "a", "price"), [json!([1_234_567.89]), json!([16_777_217.25]), Value::Null]);
    assert_eq!(values(&live, "a", "v"), [json!([1.0]), json!([1.75]), Value::Null]);
    assert_eq!(values(&live, "a", "title"), [json!(["Slam"]), json!(["300"]), json!(["1", "a"])]);
    // A zero keeps its sign, in the index and in an export.
    let sum = live.search("a", &json!({"size": 0, "aggs": {"z": {"min": {"field": "z"}}}}));
    assert!(sum["aggregations"]["z"]["value"].as_f64().unwrap().is_sign_negative(), "{sum}");
    let shown = live.expect(0, &["-q", "export", &index, "--to", "-", "--format", "ndjson", "--columns", "n,z"]);
    assert!(shown.stdout.contains("-0.0"), "{}", shown.stdout);
}

#[test]
fn numbers_after_the_first_documents_keep_their_digits() {
    let Some(live) = Live::plain("json_late") else { return };
    // Fields that only later documents have are mapped by the server.
    let pad = "x".repeat(100 << 10);
    let mut text: String = (0..90).map(|n| format!("{{\"n\":{n},\"pad\":\"{pad}\"}}\n")).collect();
    text += "{\"n\":90,\"late\":16777217.25,\"whole\":1}\n{\"n\":91,\"whole\":1.75}\n";
    live.write("a.ndjson", text);
    let index = format!("{}a", live.prefix());
    let summary = load(&live, &["a.ndjson", "--to", &index, "--id", "n", "--max-rejected", "1"]);
    assert_eq!((&summary["created"], &summary["rejected"]["document_parsing_exception"]), (&json!(91), &json!(1)));
    assert_eq!(values(&live, "a", "late")[90], json!([16_777_217.25]));
    assert_eq!(reasons(&live)[0].0, 92);
}

#[test]
fn names_that_are_no_fields_are_refused_with_their_lines() {
    let Some(live) = Live::plain("json_names") else { return };
    let bad = [
        "{\"n\":1,\"n\":2}",
        "{\"n\":3,\"a.\":1}",
        "{\"n\":4,\"\":1}",
        "{\"n\":5,\".x\":1}",
        "{\"n\":6,\"o\":{\"p\":1,\"p\":1}}",
        "{\"n\":7,\"q\":1,\"q.r\":2}",
    ];
    let text = format!("{{\"n\":0,\"q.r\":1}}\n{}\n{{\"n\":8}}\n", bad.join("\n"));
    live.write("a.ndjson", &text);
    let index = format!("{}a", live.prefix());
    for operation in ["index", "upsert"] {
        let to = ["a.ndjson", "--to", &index, "--id", "n", "--max-rejected", "6", "--op", operation];
        let summary = load(&live, &to);
        assert_eq!((&summary["read"], &summary["rejected"]["malformed_document"]), (&json!(8), &json!(6)), "{summary}");
    }
    let mut found = reasons(&live);
    found.truncate(6);
    assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
    assert_eq!(found[0].1, "the field n stands twice in one object");
    // An asset says the same.
    live.write("pipeline.yaml", "version: 1\nname: one\nbulk: { max_rejected: 6 }\nassets:\n  b:\n    kind: ingest\n    from: { path: a.ndjson }\n    id: [n]\n");
    live.expect(0, &["run"]);
    assert_eq!(live.count("b"), 2);
}

#[test]
fn an_index_is_copied_with_its_ids() {
    let Some(live) = Live::plain("json_copy") else { return };
    let index = |name: &str| format!("{}{name}", live.prefix());
    for (id, routing, n) in [("a%7Cb", "r", 1), ("%5C%22", "s", 2)] {
        let path = format!("/PREFIX-from/_doc/{id}?routing={routing}&refresh=true");
        live.send(Method::PUT, &path, &json!({"n": n}));
    }
    let columns = ["--columns", "_id,_routing,n"];
    let (from, mut copies) = (index("from"), Vec::new());
    for format in ["ndjson", "parquet", "csv"] {
        let file = format!("copy.{format}");
        live.expect(0, &[&["-q", "export", &from, "--to", &file], &columns[..]].concat());
        let to = index(format);
        let shown = live.expect(2, &["ingest", &file, "--to", &to]);
        assert!(shown.stderr.contains("--id _id"), "{}", shown.stderr);
        load(&live, &[&file, "--to", &to, "--id", "_id", "--routing", "_routing"]);
        copies.push(sources(&live, format));
    }
    let expected = [(json!("a|b"), json!({"n": 1})), (json!("\\\""), json!({"n": 2}))];
    for copy in copies {
        assert_eq!(copy, expected);
    }
    let found = live.search("ndjson", &json!({"sort": "n"}));
    assert_eq!(found["hits"]["hits"][0]["_routing"], "r");
    // An asset does the same.
    live.write("pipeline.yaml", crate::data::one_ingest("copy.ndjson", &[]));
    let shown = live.run(&["plan"]);
    assert_eq!(shown.code, Some(2));
    assert!(shown.stderr.contains("with `id: [_id]` it is the id"), "{}", shown.stderr);
    live.write("pipeline.yaml", crate::data::one_ingest("copy.ndjson", &["id: [_id]", "routing: _routing"]));
    live.expect(0, &["run"]);
    assert_eq!(sources(&live, "a"), expected);
}

#[test]
fn bulk_bodies_and_dumps_are_what_they_are() {
    let Some(live) = Live::plain("json_forms") else { return };
    live.write(
        "dump.ndjson",
        concat!(
            "{\"_index\":\"i\",\"_id\":\"a|\",\"_score\":1,\"_source\":{\"n\":1,\"v\":1.5}}\n",
            "{\"_index\":\"i\",\"_id\":\"b\",\"_score\":1,\"_source\":{\"n\":2,\"v\":2}}\n",
        ),
    );
    live.write(
        "body.ndjson",
        "{\"index\":{\"_id\":\"a|\"}}\n{\"n\":1,\"v\":1.5}\n{\"create\":{\"_id\":\"b\"}}\n{\"n\":2,\"v\":2}\n",
    );
    for (name, file) in [("elasticdump", "dump.ndjson"), ("bulk", "body.ndjson")] {
        let index = format!("{}{name}", live.prefix());
        let shown = live.run(&["ingest", file, "--to", &index]);
        assert_eq!(shown.code, Some(1));
        assert!(shown.stderr.contains(&format!("--format {name}")), "{}", shown.stderr);
        load(&live, &[file, "--to", &index, "--format", name]);
        let expected = [(json!("a|"), json!({"n": 1, "v": 1.5})), (json!("b"), json!({"n": 2, "v": 2}))];
        assert_eq!(sources(&live, name), expected, "{name}");
        assert_eq!(values(&live, name, "v"), [json!([1.5]), json!([2.0])]);
    }
}

#[test]
fn an_array_of_features_is_loaded_with_its_shapes() {
    let Some(live) = Live::plain("json_records") else { return };
    live.write("a.geojson", json!({"type": "FeatureCollection", "features": [
        {"type": "Feature", "n": 1, "geometry": {"type": "Point", "coordinates": [1.5, 2]}, "properties": {"name": "x"}},
        {"type": "Feature", "n": 2, "geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}},
        7,
    ]}).to_string());
    live.write("b.json", "[{\"n\": 1},\n {\"n\": 2}]");
    let index = |name: &str| format!("{}{name}", live.prefix());
    let to = index("a");
    let features = ["a.geojson", "--records", "/features", "--to", &to, "--id", "n", "--max-rejected", "1"];
    let shown = live.expect(0, &[&["ingest", "--dry-run"], &features[..]].concat());
    assert!(shown.stdout.contains("geo_shape"), "{}", shown.stdout);
    // Not every server has that type.
    live.write("mapping.json", json!({"properties": {"geometry": {"type": "object", "enabled": false}}}).to_string());
    let summary = load(&live, &[&features[..], &["--mapping", "mapping.json"]].concat());
    assert_eq!((&summary["created"], &summary["rejected"]["malformed_document"]), (&json!(2), &json!(1)));
    let to = index("b");
    load(&live, &["b.json", "--to", &to, "--id", "n"]);
    assert_eq!(sources(&live, "b").len(), 2);
    // One document over several lines, and an array inside for an asset.
    live.write("c.json", "{\n \"n\": 1\n}\n");
    let to = index("c");
    load(&live, &["c.json", "--to", &to]);
    assert_eq!(live.count("c"), 1);
    live.write("pipeline.yaml", "version: 1\nname: one\nassets:\n  d:\n    kind: ingest\n    from: { path: e.json, records: /rows }\n    id: [n]\n");
    live.write("e.json", "{\"rows\": [{\"n\": 1}, {\"n\": 2}], \"more\": 1}");
    live.expect(0, &["run"]);
    assert_eq!(live.count("d"), 2);
}

#[test]
fn documents_that_a_server_pipeline_drops_are_counted_as_dropped() {
    let Some(live) = Live::plain("json_dropped") else { return };
    let name = format!("{}drop", live.prefix());
    let body = json!({"processors": [{"drop": {"if": "ctx.n == 2"}}]});
    live.send(Method::PUT, &format!("/_ingest/pipeline/{name}"), &body);
    live.write("a.ndjson", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    let index = format!("{}a", live.prefix());
    let summary = load(&live, &["a.ndjson", "--to", &index, "--id", "n", "--pipeline", &name]);
    assert_eq!((&summary["created"], &summary["unchanged"], &summary["dropped"]), (&json!(2), &json!(0), &json!(1)));
    live.send(Method::DELETE, &format!("/_ingest/pipeline/{name}"), &Value::Null);
}

#[test]
fn a_file_that_cannot_be_understood_fails_its_asset_alone() {
    let Some(live) = Live::plain("json_alone") else { return };
    write_parquet(&live, "good.parquet", df!("n" => [1, 2]).unwrap());
    live.write("bad.ndjson", "no JSON at all\n");
    live.write("mixed.ndjson", "{\"n\":1,\"o\":{\"x\":1}}\n{\"n\":2,\"o\":1}\n");
    let asset =
        |name: &str, file: &str| format!("  {name}:\n    kind: ingest\n    from: {{ path: {file} }}\n    id: [n]\n");
    let assets = [asset("bad", "bad.ndjson"), asset("good", "good.parquet"), asset("mixed", "mixed.ndjson")].concat();
    live.write("pipeline.yaml", format!("version: 1\nname: one\nbulk: {{ max_rejected: 1 }}\nassets:\n{assets}"));
    let shown = live.run(&["plan"]);
    assert_eq!(shown.code, Some(1), "{}", shown.stderr);
    assert!(shown.stdout.contains("note: mixed: o is an object 1 times"), "{}", shown.stdout);
    assert!(shown.stderr.contains("bad.ndjson is not an NDJSON file"), "{}", shown.stderr);
    let shown = live.run(&["run"]);
    assert_eq!(shown.code, Some(1), "{}", shown.stderr);
    assert_eq!((live.count("good"), live.count("mixed")), (2, 1));
    assert!(live.behind("good").len() == 1 && !live.indices().iter().any(|(name, _)| name.starts_with("bad")));
}
