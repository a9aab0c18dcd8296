//! Answers as Elasticsearch writes them, and as nobody should.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn body(items: &[Value]) -> Vec<u8> {
    json!({"items": items}).to_string().into_bytes()
}

fn counts(answer: &Answer) -> [u64; 5] {
    let failures = answer.failures.len() as u64;
    [answer.created, answer.updated, answer.unchanged, answer.deleted, failures]
}

#[test]
fn items_are_told_apart() {
    let found = read(
        &body(&[
            json!({"index": {"status": 201, "result": "created"}}),
            json!({"index": {"status": 200, "result": "updated"}}),
            json!({"update": {"status": 200, "result": "noop"}}),
            // A `drop` processor of an ingest pipeline.
            json!({"index": {"status": 200, "result": "noop"}}),
            json!({"create": {"status": 200, "result": "noop"}}),
            json!({"delete": {"status": 200, "result": "deleted"}}),
            json!({"delete": {"status": 404, "result": "not_found"}}),
            json!({"index": {"status": 200, "result": "something new", "and": [1]}}),
            json!({"delete": {"status": 200}}),
            json!({"index": {"status": 404, "result": "not_found"}}),
            json!({"index": {"status": 200, "result": "created", "error": {"type": "odd"}}}),
            json!({"create": {"status": 400, "error": {"type": "document_parsing_exception", "reason": "bad",
                "caused_by": {"type": "number_format_exception", "reason": "For input string"}}}}),
        ]),
        12,
    )
    .unwrap();
    assert_eq!(counts(&found), [1, 2, 2, 2, 3]);
    assert_eq!((found.dropped, found.acknowledged()), (2, 9));
    let last = &found.failures[2];
    assert_eq!((last.position, last.action, last.status), (11, ActionKind::Create, 400));
    assert_eq!(last.error.summary(), "bad: For input string");
    assert_eq!(found.failures[0].error, ServerError::default());
}

#[test]
fn the_usual_wordings_mean_what_parsing_them_means() {
    for (wording, _) in WORDINGS {
        let usual = [b"{\"items\":[", wording, b",", wording, b"]}\n"].concat();
        let (answer, items) = read_usual(&usual).unwrap();
        assert_eq!((&answer, items), (&read_any(&usual).unwrap().0, 2));
        assert_eq!(answer.acknowledged(), 2);
    }
    let mut all = b"{\"items\":[".to_vec();
    for (wording, _) in WORDINGS.iter().chain(&WORDINGS) {
        all.extend_from_slice(wording);
        all.push(b',');
    }
    *all.last_mut().unwrap() = b']';
    all.push(b'}');
    assert_eq!(counts(&read_usual(&all).unwrap().0), [6, 4, 4, 2, 0]);
    assert_eq!(read(&all, 16).unwrap(), read_any(&all).unwrap().0);
}

#[test]
fn an_answer_that_does_not_pair_up_is_an_error() {
    for item in [
        json!({"index": {"result": "created", "status": 201}}),
        json!({"index": {"status": 429, "error": {"type": "x"}}}),
    ] {
        let one = body(&[item]);
        assert!(read(&one, 2).unwrap_err().contains("2 documents was answered with 1 items"));
        for cut in 0..one.len() {
            read(&one[..cut], 1).unwrap_err();
        }
        read(&[&one[..], b"x"].concat(), 1).unwrap_err();
    }
    for odd in ["{\"items\":[]}", "{}", "[]", "null", "{\"items\":[{\"index\":{\"status\":70000}}]}"] {
        read(odd.as_bytes(), 1).unwrap_err();
    }
    assert_eq!(read(b"{\"items\":[]}", 0).unwrap(), Answer::default());
}

#[test]
fn every_way_of_reading_finds_all_documents() {
    let usual: Vec<Value> = (0..10_000).map(|_| json!({"index": {"result": "created", "status": 201}})).collect();
    let usual = body(&usual);
    type Read = fn(&[u8]) -> usize;
    let ways: [(&str, Read); 3] = [
        ("as bytes", |body| read_usual(body).map_or(0, |(_, items)| items)),
        ("typed", |body| read_any(body).map_or(0, |(_, items)| items)),
        ("as values", |body| serde_json::from_slice::<Value>(body).unwrap()["items"].as_array().unwrap().len()),
    ];
    for (name, way) in ways {
        assert_eq!(way(&usual), 10_000, "{name}");
    }
}

fn item() -> impl Strategy<Value = Vec<u8>> {
    let words = "created|updated|noop|deleted|not_found|[a-z]{0,4}";
    let of_any = ("index|create|update|delete|[a-z]{1,3}", words, any::<u16>(), any::<bool>(), "\\PC{0,6}");
    prop_oneof![
        prop::sample::select(WORDINGS.to_vec()).prop_map(|(wording, _)| wording.to_vec()),
        of_any.prop_map(|(action, result, status, has_error, reason)| {
            let error = has_error.then(|| json!({"type": reason, "reason": reason, "caused_by": {"reason": 1}}));
            json!({action: {"result": result, "status": status, "error": error}}).to_string().into_bytes()
        }),
    ]
}

proptest! {
    /// Whatever comes, an answer that is read has as many documents as were sent.
    #[test]
    fn any_bytes_are_an_answer_or_an_error(
        items in prop::collection::vec(item(), 0..6),
        documents in 0_usize..7,
        cut: prop::sample::Index,
        flip in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        is_cut: bool,
    ) {
        let mut body = [b"{\"items\":[", items.join(&b","[..]).as_slice(), b"]}"].concat();
        if let Some((place, byte)) = flip {
            let place = place.index(body.len());
            body[place] = byte;
        }
        if is_cut {
            body.truncate(cut.index(body.len()));
        }
        if let Ok(answer) = read(&body, documents) {
            prop_assert_eq!(answer.acknowledged() + answer.failures() as u64, documents as u64);
            prop_assert!(answer.failures.iter().all(|failure| failure.position < documents));
        }
        if let Some((usual, items)) = read_usual(&body) {
            let any = read_any(&body).unwrap();
            prop_assert_eq!((usual, items), any);
        }
    }
}
