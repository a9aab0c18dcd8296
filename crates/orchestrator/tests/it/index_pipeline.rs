//! Ingest pipelines of assets: created with the index, tried by `plan --simulate`, and removed with the last index
//! that has them.

use serde_json::{Value, json};

use crate::bench::Live;

fn pipeline(live: &Live, index: &str) {
    live.write(
        "pipeline.yaml",
        format!(
            "version: 1\nname: piped\nassets:\n  flights:\n    kind: ingest\n    from: {{ path: flights.ndjson }}\n    id: [n]\n    \
             index:\n{index}"
        ),
    );
}

const UPPER: &str = "      pipeline:\n        processors:\n          - uppercase: { field: origin }\n          \
     - script: { if: \"ctx.air_time != null\", source: \"ctx.speed = ctx.distance / ctx.air_time\" }\n";

/// The pipelines of the asset on the cluster.
fn on_cluster(live: &Live) -> Vec<String> {
    let found = live.get("/_ingest/pipeline");
    let names = found.as_object().unwrap_or_else(|| panic!("{found}")).keys();
    let mut names: Vec<String> = names.filter(|name| name.starts_with(live.prefix())).cloned().collect();
    names.sort();
    names
}

#[test]
fn a_pipeline_changes_documents_and_goes_with_the_last_index() {
    let Some(live) = Live::plain("index_pipeline") else { return };
    let row = |n: u32, origin: &str, air_time: Option<u32>| json!({"n": n, "origin": origin, "distance": 600, "air_time": air_time});
    let rows = [row(1, "jfk", Some(100)), row(2, "ewr", None)];
    live.write("flights.ndjson", rows.map(|row| row.to_string() + "\n").concat());
    pipeline(&live, UPPER);

    let events = live.events(0, &["plan", "--simulate"]);
    let tried: Vec<&Value> = events.iter().filter(|event| event["event"] == "simulated").collect();
    assert_eq!(
        (tried.len(), &tried[0]["source"]["origin"], &tried[0]["source"]["speed"]),
        (2, &json!("JFK"), &json!(6))
    );
    let shown = live.expect(0, &["plan", "--simulate"]);
    assert!(
        shown.stdout.contains("pipeline of flights: 2 documents") && shown.stdout.contains("+speed 6"),
        "{}",
        shown.stdout
    );
    assert!(on_cluster(&live).is_empty(), "a plan changes nothing");

    live.expect(0, &["run"]);
    let found = live.search("flights", &json!({"sort": "n"}));
    let sources: Vec<&Value> = found["hits"]["hits"].as_array().unwrap().iter().map(|hit| &hit["_source"]).collect();
    assert_eq!(
        (&sources[0]["origin"], &sources[0]["speed"], &sources[1]["origin"]),
        (&json!("JFK"), &json!(6), &json!("EWR"))
    );
    let first = on_cluster(&live);
    assert_eq!(first.len(), 1);
    assert!(live.expect(0, &["run"]).stdout.starts_with("nothing to do"));

    // Another definition is another pipeline and another index; the index that is kept keeps its own.
    pipeline(&live, &UPPER.replace("uppercase", "lowercase"));
    live.expect(0, &["run"]);
    let both = on_cluster(&live);
    assert!(both.len() == 2 && both.contains(&first[0]), "{both:?}");
    // Without a pipeline, each goes with the last index that has it.
    pipeline(&live, "      settings: { number_of_shards: 1 }\n");
    live.expect(0, &["run"]);
    assert_eq!(on_cluster(&live).len(), 1);
    live.expect(0, &["run", "--full-refresh"]);
    assert!(on_cluster(&live).is_empty());
    assert_eq!(live.count("flights"), 2);
}

#[test]
fn mistakes_in_a_pipeline_are_told_before_a_document_is_sent() {
    let Some(live) = Live::plain("index_pipeline_mistakes") else { return };
    let rows = [json!({"n": 1, "origin": "jfk"}), json!({"n": 2, "origin": "far"})];
    live.write("flights.ndjson", rows.map(|row| row.to_string() + "\n").concat());
    let processors = |list: &str| format!("      pipeline: {{ processors: [{list}] }}\n");

    pipeline(&live, &processors("{ set: { field: a, value: 1 }, remove: { field: b } }"));
    let shown = live.run(&["validate"]);
    assert_eq!(shown.code, Some(2));
    assert!(shown.stderr.contains("a processor has one key, and here are 2: `set`, `remove`"), "{}", shown.stderr);

    pipeline(
        &live,
        &("      settings: { final_pipeline: other }\n".to_owned() + &processors("{ lowercase: { field: origin } }")),
    );
    let shown = live.run(&["validate"]);
    assert!(shown.stderr.contains("both name the pipeline of the index"), "{}", shown.stderr);

    pipeline(&live, &processors("{ inference: { model_id: elser } }"));
    let shown = live.run(&["run"]);
    assert_eq!(shown.code, Some(1));
    assert!(shown.stderr.contains("inference") && shown.stderr.contains("machine learning"), "{}", shown.stderr);

    pipeline(&live, &processors("{ fail: { if: \"ctx.origin == 'far'\", message: too far } }"));
    let shown = live.run(&["plan", "--simulate"]);
    assert_eq!(shown.code, Some(1));
    assert!(shown.stdout.contains("rejected") && shown.stdout.contains("too far"), "{}", shown.stdout);
    let shown = live.run(&["run"]);
    assert_eq!(shown.code, Some(1));
    assert!(shown.stderr.contains("too far"), "{}", shown.stderr);
    pipeline(&live, &(processors("{ drop: { if: \"ctx.origin == 'far'\" } }")));
    let shown = live.run(&["plan", "--simulate"]);
    assert!(shown.stdout.contains("dropped"), "{}", shown.stdout);
}
