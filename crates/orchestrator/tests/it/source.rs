//! `source`: what others write, how it makes readers stale, and what it fails on.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::Live;
use crate::data::change;

const PIPELINE: &str = r#"version: 1
name: reading

assets:
  events:
    kind: source
    index: INDEX
  training_set:
    kind: export
    from: events
    columns: [n, t]
    to: { path: out }
"#;

/// A source with two documents in two indices, and an export of it.
fn started(test: &str, keys: &str) -> Option<Live> {
    let live = Live::plain(test)?;
    for name in ["a", "b"] {
        let index = json!({
            "settings": {"number_of_shards": 2, "number_of_replicas": 0},
            "mappings": {"properties": {"t": {"type": "date"}, "n": {"type": "long"}}}
        });
        live.send(Method::PUT, &format!("/PREFIX-feed-{name}"), &index);
    }
    put(&live, "a/_doc/1", &json!({"t": hours_ago(3), "n": 1}));
    put(&live, "b/_doc/2", &json!({"t": hours_ago(4), "n": 2}));
    let index = format!("{}feed-*", live.prefix());
    live.write("pipeline.yaml", PIPELINE.replace("INDEX\n", &format!("{index}\n{keys}")));
    Some(live)
}

fn put(live: &Live, path: &str, document: &Value) {
    live.send(Method::PUT, &format!("/PREFIX-feed-{path}?refresh=true"), document);
}

fn hours_ago(hours: i64) -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).to_string()
}

/// The pending steps of a plan, with their reasons.
#[track_caller]
fn pending(live: &Live) -> Vec<String> {
    let events = live.events(0, &["plan"]);
    let planned = events.iter().filter(|event| event["event"] == "step_planned" && event["action"] != "unchanged");
    planned
        .map(|event| format!("{} {}: {}", event["asset"], event["action"], event["reasons"]).replace('"', ""))
        .collect()
}

/// The steps of a run.
#[track_caller]
fn done(live: &Live) -> Vec<String> {
    let events = live.events(0, &["run"]);
    let finished = events.iter().filter(|event| event["event"] == "step_finished");
    finished.map(|event| format!("{} {}", event["asset"], event["action"]).replace('"', "")).collect()
}

/// The warnings of a run that succeeds.
#[track_caller]
fn warnings(live: &Live) -> Vec<String> {
    let events = live.events(0, &["run"]);
    let all = events.iter().filter_map(|event| event["warnings"].as_array()).flatten();
    all.filter_map(Value::as_str).map(|text| text.replace(live.prefix(), "PREFIX-")).collect()
}

/// The error of a run that fails on its source, with its help.
#[track_caller]
fn failure(live: &Live) -> (String, String) {
    let events = live.events(3, &["run"]);
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().replace(live.prefix(), "PREFIX-");
    let failed = |event: &&Value| event["event"] == "step_failed" && event["status"] == "failed";
    let failed = events.iter().find(failed).unwrap();
    assert_eq!(failed["asset"], "events");
    (text(failed, "error"), text(failed, "help"))
}

fn exported_rows(live: &Live) -> u64 {
    let manifest: Value = serde_json::from_str(&live.read("out/_manifest.json")).unwrap();
    manifest["rows"].as_u64().unwrap()
}

#[test]
fn readers_follow_what_others_write() {
    let Some(live) = started("source_readers", "") else { return };
    assert_eq!(pending(&live), ["events evaluate: [never built]", "training_set build: [never built]"]);
    assert_eq!(done(&live), ["events evaluate", "training_set build"]);
    assert_eq!(exported_rows(&live), 2);
    assert_eq!((pending(&live), done(&live)), (vec![], vec![]));

    // The same document again is no change, and neither is one that searches do not see.
    put(&live, "b/_doc/2", &live.get("/PREFIX-feed-b/_source/2"));
    assert_eq!(pending(&live), [""; 0]);
    live.send(Method::PUT, "/PREFIX-feed-a/_settings", &json!({"refresh_interval": -1}));
    live.send(Method::PUT, "/PREFIX-feed-a/_doc/3", &json!({"t": hours_ago(1), "n": 3}));
    assert_eq!(pending(&live), [""; 0]);
    live.send(Method::POST, "/PREFIX-feed-a/_refresh", &Value::Null);
    let changed = ["events evaluate: [changed input `documents`]", "training_set build: [changed input `events`]"];
    assert_eq!(pending(&live), changed);
    assert_eq!(done(&live), ["events evaluate", "training_set build"]);
    assert_eq!(exported_rows(&live), 3);
    assert_eq!(pending(&live), [""; 0]);

    for (method, path, body) in [
        (Method::PUT, "/PREFIX-feed-a/_doc/3?refresh=true", json!({"t": hours_ago(1), "n": 4})),
        (Method::DELETE, "/PREFIX-feed-a/_doc/3?refresh=true", Value::Null),
        (Method::PUT, "/PREFIX-feed-b/_mapping", json!({"properties": {"more": {"type": "keyword"}}})),
        (Method::DELETE, "/PREFIX-feed-b", Value::Null),
    ] {
        live.send(method, path, &body);
        assert_eq!(pending(&live), changed, "{path}");
        live.expect(0, &["run"]);
        assert_eq!(pending(&live), [""; 0], "{path}");
    }
    assert_eq!(exported_rows(&live), 1);
    // A hidden index is none that a search in a pattern sees.
    live.send(Method::PUT, "/PREFIX-feed-hidden", &json!({"settings": {"index.hidden": true}}));
    assert_eq!(pending(&live), [""; 0]);
}

#[test]
fn of_many_documents_every_write_is_seen() {
    let Some(live) = started("source_many", "") else { return };
    let lines: String = (0..10_000).map(|n| format!("{{\"index\":{{\"_id\":\"m{n}\"}}}}\n{{\"n\":{n}}}\n")).collect();
    let path = format!("/{}feed-a/_bulk?refresh=true", live.prefix());
    let request = live.node.json(Method::POST, &path, lines);
    let answer = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(request);
    assert_eq!(answer["errors"], false);
    live.expect(0, &["run"]);
    assert_eq!(exported_rows(&live), 10_002);
    assert_eq!(pending(&live), [""; 0]);
    let changed = ["events evaluate: [changed input `documents`]", "training_set build: [changed input `events`]"];
    // The same document again.
    put(&live, "a/_doc/m7", &json!({"n": 7}));
    assert_eq!(pending(&live), changed);
    assert_eq!(done(&live), ["events evaluate", "training_set build"]);
    assert_eq!(pending(&live), [""; 0]);
    live.send(Method::DELETE, "/PREFIX-feed-a/_doc/m8?refresh=true", &Value::Null);
    assert_eq!(pending(&live), changed);
    live.expect(0, &["run"]);
    assert_eq!(exported_rows(&live), 10_001);
    assert_eq!(pending(&live), [""; 0]);
}

#[test]
fn an_old_source_is_reported_or_fails() {
    let keys = "    time: t\n    freshness: { warn_after: 2h, error_after: 1d }\n";
    let Some(live) = started("source_age", keys) else { return };
    let found = warnings(&live);
    let [warning] = &found[..] else { panic!("{found:?}") };
    assert!(warning.starts_with("the newest `t` of `PREFIX-feed-*` is 20"), "{warning}");
    assert!(warning.ends_with(" (3h ago), and `warn_after` is 2h"), "{warning}");
    let shown = live.expect(0, &["run", "--full-refresh"]);
    assert!(shown.stderr.contains("and `warn_after` is 2h"), "{}{}", shown.stdout, shown.stderr);

    put(&live, "a/_doc/3", &json!({"t": hours_ago(1), "n": 3}));
    assert_eq!(warnings(&live), [""; 0]);
    let rows = exported_rows(&live);

    change(&live, "warn_after: 2h, error_after: 1d", "error_after: 30m");
    put(&live, "a/_doc/4", &json!({"n": 4}));
    let (error, help) = failure(&live);
    assert!(error.ends_with(" (1h ago), and `error_after` is 30m"), "{error}");
    assert!(help.contains("raise `error_after`"), "{help}");
    assert_eq!(exported_rows(&live), rows, "the export is skipped");

    for path in ["a/_doc/1", "a/_doc/3", "b/_doc/2"] {
        live.send(Method::DELETE, &format!("/PREFIX-feed-{path}?refresh=true"), &Value::Null);
    }
    assert_eq!(failure(&live).0, "`PREFIX-feed-*` has no document with a `t`, and `error_after` is 30m");
    put(&live, "a/_doc/4", &json!({"t": hours_ago(0), "n": 4}));
    assert_eq!(done(&live), ["events evaluate", "training_set build"]);
}

#[test]
fn a_contract_about_fields_is_kept() {
    let Some(live) = started("source_contract", "    schema: freeze\n") else { return };
    let add = |index: &str, name: &str, of_type: &str| {
        let mapping = json!({"properties": {name: {"type": of_type}}});
        live.send(Method::PUT, &format!("/PREFIX-feed-{index}/_mapping"), &mapping);
    };
    live.expect(0, &["run"]);
    add("a", "more", "keyword");
    let (error, help) = failure(&live);
    assert_eq!(error, "the fields of `PREFIX-feed-*` have changed: `more` was added (keyword)");
    assert_eq!(help, "to accept this, set `schema: evolve` or `schema: report` for one run");
    assert_eq!(failure(&live).0, error, "it fails until somebody accepts it");

    // One run under another rule accepts it.
    change(&live, "schema: freeze", "schema: evolve");
    assert_eq!(warnings(&live), [""; 0]);
    change(&live, "schema: evolve", "schema: freeze");
    live.expect(0, &["run"]);
    assert_eq!(pending(&live), [""; 0]);

    change(&live, "schema: freeze", "schema: evolve");
    live.expect(0, &["run"]);
    add("a", "even_more", "long");
    live.expect(0, &["run"]);
    // What was added belongs to the contract.
    add("b", "even_more", "keyword");
    let (error, help) = failure(&live);
    assert_eq!(error, "the fields of `PREFIX-feed-*` have changed: `even_more` changed from long to keyword or long");
    assert_eq!(help, "to accept this, set `schema: report` for one run");

    change(&live, "schema: evolve", "schema: report");
    let conflict = "`even_more` has different types: keyword in PREFIX-feed-b, long in PREFIX-feed-a";
    assert_eq!(warnings(&live), [conflict]);
    live.send(Method::DELETE, "/PREFIX-feed-b", &Value::Null);
    let expected = ["`even_more` changed from keyword or long to long"];
    assert_eq!(warnings(&live), expected);
    assert_eq!(pending(&live), [""; 0]);
}

#[test]
fn mistakes_name_what_is_near() {
    let Some(live) = started("source_mistakes", "    time: t\n    freshness: { error_after: 1d }\n") else { return };
    let refused = |to: &str| {
        let shown = live.expect(2, &["plan"]);
        // The message is wrapped at the width of the terminal.
        let text = shown.stderr.replace(live.prefix(), "PREFIX-").replace("\n  │ ", " ");
        assert!(text.contains(to), "{text}");
        text
    };
    change(&live, "feed-*", "feed-aa");
    let text = refused("no index matches `PREFIX-feed-aa`");
    assert!(text.contains("did you mean `PREFIX-feed-a`?"), "{text}");
    change(&live, "feed-aa", "feed-a");
    change(&live, "time: t\n", "time: n\n");
    let text = refused("the field `n` is of type long in PREFIX-feed-a, and holds no times");
    assert!(text.contains("the date fields are t"), "{text}");
    change(&live, "time: n\n", "time: missing\n");
    let text = refused("`PREFIX-feed-a` has no field `missing`");
    assert!(text.contains("the date fields are t"), "{text}");
    change(&live, "time: missing\n", "time: t\n");
    live.expect(0, &["run"]);
}
