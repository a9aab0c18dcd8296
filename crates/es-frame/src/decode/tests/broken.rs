//! A page that is cut off or changed on the way is never taken for a whole one with fewer rows.

use proptest::prelude::*;
use serde_json::json;

use super::super::{DecodeOptions, HitDecoder};
use super::{answer, decode, document, mapping, options};
use crate::error::ErrorKind;

/// A decoder of every shape, and a page with all of them.
fn everything() -> (HitDecoder, String) {
    let properties = json!({
        "s": {"type": "keyword"}, "n": {"type": "integer"}, "f": {"type": "float"}, "b": {"type": "boolean"},
        "t": {"type": "date"}, "g": {"type": "geo_point"}, "v": {"type": "dense_vector", "dims": 2},
        "r": {"type": "integer_range"}, "j": {"type": "join"}, "l": {"type": "flattened"}, "i": {"type": "ip"},
        "x": {"type": "binary"}, "p": {"type": "nested", "properties": {"a": {"type": "long"}, "b": {"type": "text"}}}
    });
    let source = r#"{"s":"x\né","n":-12,"f":1.5e3,"b":true,"t":"2013-01-01T00:00:00Z","g":{"lat":1,"lon":"2"},"v":[1,-0.5],
        "r":{"gte":1,"lt":null},"j":{"name":"a","parent":"1"},"l":{"k":["v",{"w":[]}]},"i":"::1","x":"AAEC",
        "p":[{"a":1,"b":"\u00e9"},null,{"a":[2]}],"other":[{"q":"]}"}]}"#;
    let hit =
        |id: usize| format!(r#"{{"_index":"i","_id":"{id}","_score":null,"_source":{source},"sort":[{id},"a"]}}"#);
    let decoder = HitDecoder::with_options(&mapping(properties), &options()).unwrap();
    (decoder, answer(&[hit(1), hit(2), hit(3)].join(",")))
}

#[test]
fn every_cut_is_an_error() {
    let (decoder, whole) = everything();
    assert_eq!(decode(&decoder, whole.as_bytes()).unwrap().frame.height(), 3);
    for cut in 0..whole.len() {
        let error = decode(&decoder, &whole.as_bytes()[..cut]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Value), "{cut}: {error}");
    }
}

#[test]
fn an_answer_that_does_not_say_that_it_is_whole_is_refused() {
    let decoder = HitDecoder::with_options(&mapping(json!({})), &DecodeOptions::default()).unwrap();
    for body in [
        r#"{"timed_out":true,"_shards":{"failed":0},"hits":{"hits":[]}}"#,
        r#"{"timed_out":false,"_shards":{"failed":1},"hits":{"hits":[]}}"#,
    ] {
        assert!(decode(&decoder, body.as_bytes()).unwrap_err().is_retryable());
    }
    for body in [
        "",
        "{}",
        "[]",
        "<html>",
        r#"{"hits":{"hits":[]}}"#,
        r#"{"timed_out":false,"hits":{"hits":[]}}"#,
        r#"{"timed_out":false,"_shards":{},"hits":{"hits":[]}}"#,
        r#"{"_shards":{"failed":0},"hits":{"hits":[]}}"#,
        r#"{"timed_out":false,"_shards":{"failed":0}}"#,
        r#"{"timed_out":false,"_shards":{"failed":0},"hits":{}}"#,
        r#"{"timed_out":false,"_shards":{"failed":0},"hits":{"hits":[]}} trailing"#,
        r#"{"timed_out":false,"_shards":{"failed":0},"hits":{"hits":[{"_id":1}]}}"#,
    ] {
        assert_eq!(decode(&decoder, body.as_bytes()).unwrap_err().kind(), ErrorKind::Malformed, "{body}");
    }
    assert_eq!(decode(&decoder, b"\xff").unwrap_err().kind(), ErrorKind::Malformed);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let decoder = HitDecoder::with_options(&mapping(json!({"n": {"type": "long"}})), &options()).unwrap();
    for name in ["n", "other"] {
        let error = decode(&decoder, document(&format!(r#"{{"{name}":{deep}}}"#)).as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
}

proptest! {
    #[test]
    fn a_changed_page_never_panics_and_never_has_fewer_rows(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        swap in any::<bool>(),
    ) {
        let (decoder, whole) = everything();
        let mut bytes = whole.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = if swap { bytes[at] ^ (1 << (byte % 8)) } else { byte };
        let rows = |bytes: &[u8]| -> Option<usize> {
            let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
            Some(value["hits"]["hits"].as_array()?.len())
        };
        if let Ok(page) = decode(&decoder, &bytes) {
            prop_assert_eq!(page.frame.height(), 3);
        } else if let Some(rows) = rows(&bytes) {
            prop_assert_eq!(rows, 3);
        }
    }
}
