//! The columns that a page becomes.

use polars::prelude::*;
use serde_json::json;

use super::super::{ColumnRequest, HitDecoder};
use super::{answer, decode, frame, mapping, options};

fn decoder() -> HitDecoder {
    let mapping = mapping(json!({
        "s": {"type": "keyword"}, "n": {"type": "integer"}, "f": {"type": "double"}, "b": {"type": "boolean"},
        "t": {"type": "date"}, "o": {"properties": {"x": {"type": "long"}}}, "w": {"type": "text"}
    }));
    let names = ["s", "n", "f", "b", "t", "o.x", "_id", "w"].map(String::from).to_vec();
    HitDecoder::new(&mapping, &ColumnRequest::Named(names)).unwrap()
}

#[test]
fn hits_become_rows() {
    let page = decode(&decoder(), answer(
                r#"{"_id": "a", "_source": {"s": "x\n", "n": 1, "f": 1.5, "b": true, "t": "2013-01-01T10:00:00.000Z", "o": {"x": 9, "y": 1}}},
            {"_id": "b\"", "_source": {"o": [{"x": [8]}], "t": ["1357034400000"], "b": [false], "n": [-2]}, "sort": [18446744073709551615, "k"]},
            {"_id": "c", "_source": {"unknown": {"s": 1}, "s": null, "n": [], "f": 2, "w": "w"}, "sort" : [ 1.0 ]},
            {"_id": "d", "sort": [18446744073709551615,"k]"]}"#,
            )
            .as_bytes(),
        )
        .unwrap();
    let expected = df!(
        "s" => [Some("x\n"), None, None, None],
        "n" => [Some(1), Some(-2), None, None],
        "f" => [Some(1.5), None, Some(2.0), None],
        "b" => [Some(true), Some(false), None, None],
        "t" => [Some(1_357_034_400_000_i64), Some(1_357_034_400_000), None, None],
        "o.x" => [Some(9_i64), Some(8), None, None],
        "_id" => ["a", "b\"", "c", "d"],
        "w" => [None, None, Some("w"), None],
    )
    .unwrap();
    let time = expected.column("t").unwrap().cast(page.frame.column("t").unwrap().dtype()).unwrap();
    let expected = expected.clone().with_column(time).unwrap().clone();
    assert!(page.frame.equals_missing(&expected), "{} {expected}", page.frame);
    assert_eq!(page.last_sort.as_deref(), Some(r#"[18446744073709551615,"k]"]"#));
    assert_eq!((page.pit_id.as_deref(), page.scroll_id), (Some("p"), None));
    assert_eq!(page.frame.schema().as_ref(), &decoder().schema());
}

#[test]
fn fields_are_found_in_any_order() {
    let documents = [
        r#"{"b":true,"n":1,"s":"x"}"#,
        r#"{"b":false,"n":2,"s":"y"}"#,
        r#"{"s":"z","o":{"x":7},"b":true}"#,
        r#"{"s":"w","n":4,"o":{"x":8},"other":1,"b":false}"#,
        r#"{ "o.x" : 9 , "s" : "v" }"#,
    ];
    let hits: Vec<String> = documents.iter().map(|source| format!(r#"{{"_id":"i","_source":{source}}}"#)).collect();
    let frame = decode(&decoder(), answer(&hits.join(",")).as_bytes()).unwrap().frame;
    let expected = df!(
        "s" => ["x", "y", "z", "w", "v"],
        "n" => [Some(1), Some(2), None, Some(4), None],
        "b" => [Some(true), Some(false), Some(true), Some(false), None],
        "o.x" => [None, None, Some(7_i64), Some(8), Some(9)],
    )
    .unwrap();
    assert!(frame.select(["s", "n", "b", "o.x"]).unwrap().equals_missing(&expected), "{frame}");
}

#[test]
fn metadata_are_columns() {
    let names = ["_seq_no", "_id", "_ignored", "_score", "_version", "_routing", "_index"];
    let columns = ColumnRequest::Named(names.map(String::from).to_vec());
    let decoder = HitDecoder::new(&mapping(json!({})), &columns).unwrap();
    let mut body = json!({});
    decoder.ask(&mut body);
    assert_eq!(body, json!({"_source": false, "seq_no_primary_term": true, "track_scores": true, "version": true}));
    let page = decode(&decoder, answer(
                r#"{"_index":"i","_id":"a","_version":3,"_seq_no":7,"_primary_term":1,"_score":1.5,"_ignored":["x","y"],"_routing":"r"},
                {"_index":"i","_id":"b","_version":4,"_seq_no":8,"_primary_term":1,"_score":null}"#,
            )
            .as_bytes(),
        )
        .unwrap();
    let expected = df!(
        "_seq_no" => [7_i64, 8],
        "_id" => ["a", "b"],
        "_score" => [Some(1.5_f32), None],
        "_version" => [3_i64, 4],
        "_routing" => [Some("r"), None],
        "_index" => ["i", "i"],
    )
    .unwrap();
    assert!(page.frame.drop("_ignored").unwrap().equals_missing(&expected), "{}", page.frame);
    let ignored = page.frame.column("_ignored").unwrap().list().unwrap().clone();
    assert_eq!(ignored.get_as_series(0), Some(Series::new("".into(), ["x", "y"])));
    assert_eq!(ignored.get_as_series(1), None);
}

#[test]
fn an_object_and_its_members_can_both_be_columns() {
    let properties = json!({"o": {"properties": {"x": {"type": "long"}, "y": {"type": "keyword"}}}});
    let columns = ColumnRequest::Named(vec!["o.x".into(), "o".into(), "o.y".into()]);
    let options = super::DecodeOptions { columns, ..options() };
    let frame = frame(properties, &options, &[r#"{"o":{"x":1,"y":"a"}}"#, r#"{}"#, r#"{"o":{"y":"b"}}"#]).unwrap();
    let object = frame.column("o").unwrap().struct_().unwrap().clone();
    for (name, column) in [("x", "o.x"), ("y", "o.y")] {
        let member = object.field_by_name(name).unwrap();
        assert!(member.equals_missing(frame.column(column).unwrap().as_materialized_series()), "{frame}");
    }
    assert_eq!(frame.column("o").unwrap().null_count(), 1);
}
