//! Fingerprints of the definitions of each kind: what a change of a key asks for, and the hashes that
//! are stored with what is published.

use es_assets::{Changes, Fingerprint};
use serde_json::{Value, json};

use super::{fixture, parse};

/// The fingerprint of an `ingest` asset after a change.
fn ingest(change: impl FnOnce(&mut Value)) -> Fingerprint {
    let mut asset = json!({
        "kind": "ingest",
        "description": "x",
        "from": { "path": "a.csv" },
        "id": ["a"],
        "time": "t",
        "partitions": { "every": "month", "start": "2013-01-01", "end": "2013-02-01" },
        "index": { "settings": { "number_of_replicas": 0, "number_of_shards": 1 }, "mappings": { "properties": { "a": { "type": "keyword" } } } },
        "checks": [{ "rows": { "min": 1 } }],
    });
    change(&mut asset);
    let other = json!({ "kind": "ingest", "from": { "path": "z.csv" } });
    let file = json!({ "version": 1, "name": "p", "assets": { "asset": asset, "z": other } });
    let pipeline = parse("p.json", &file.to_string(), None).unwrap_or_else(|errors| panic!("{errors}"));
    Fingerprint::of(pipeline.asset("asset").unwrap())
}

fn change(change: impl FnOnce(&mut Value)) -> Changes {
    ingest(change).changes_since(&ingest(|_| {}))
}

#[test]
fn what_does_not_affect_results_does_not_matter() {
    let none = Changes::default();
    assert_eq!(change(|_| {}), none);
    assert_eq!(change(|asset| asset["description"] = json!("y")), none);
    assert_eq!(change(|asset| asset["tags"] = json!(["z"])), none);
    assert_eq!(change(|asset| asset["deps"] = json!(["z"])), none);
    assert_eq!(change(|asset| asset["retries"] = json!({ "max": 9 })), none);
    assert_eq!(change(|asset| asset["automation"] = json!({ "cron": "0 2 * * *" })), none);
    assert_eq!(change(|asset| asset["partitions"]["end"] = json!("2013-05-01")), none);
    assert_eq!(change(|asset| asset["partitions"]["timezone"] = json!("UTC")), none);
    let reordered = json!({ "number_of_shards": 1, "index": { "number_of_replicas": 0 } });
    assert_eq!(change(|asset| asset["index"]["settings"] = reordered), none);
}

#[test]
fn changes_are_named_with_their_effect() {
    let rebuild = |parts: &[&str]| Changes {
        rebuild: parts.iter().map(|part| (*part).to_owned()).collect(),
        ..Changes::default()
    };
    assert_eq!(change(|asset| asset["from"]["path"] = json!("b.csv")), rebuild(&["source"]));
    assert_eq!(change(|asset| asset["id"] = json!(["b"])), rebuild(&["id"]));
    assert_eq!(change(|asset| asset["partitions"]["timezone"] = json!("Asia/Tokyo")), rebuild(&["partitions"]));
    assert_eq!(change(|asset| asset["undeclared"] = json!("reject")), rebuild(&["undeclared"]));
    let mapping = |asset: &mut Value| asset["index"]["mappings"]["properties"]["a"]["type"] = json!("text");
    assert_eq!(change(mapping), rebuild(&["mappings"]));
    assert_eq!(change(|asset| asset["index"]["settings"]["number_of_shards"] = json!(2)), rebuild(&["settings"]));

    let in_place = |names: &[&str]| Changes {
        in_place: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Changes::default()
    };
    let replicas = |asset: &mut Value| asset["index"]["settings"]["number_of_replicas"] = json!(1);
    assert_eq!(change(replicas), in_place(&["number_of_replicas"]));
    let other = json!({ "number_of_shards": 1, "refresh_interval": "30s" });
    let settings = |asset: &mut Value| asset["index"]["settings"] = other;
    assert_eq!(change(settings), in_place(&["number_of_replicas", "refresh_interval"]));

    let recheck = Changes { recheck: true, ..Changes::default() };
    assert_eq!(change(|asset| asset["checks"] = json!([])), recheck);
}

#[test]
fn the_content_hash_follows_what_the_result_holds() {
    let plain = ingest(|_| {}).content_hash();
    assert_eq!(ingest(|asset| asset["checks"] = json!([])).content_hash(), plain);
    assert_eq!(ingest(|asset| asset["index"]["settings"]["number_of_replicas"] = json!(3)).content_hash(), plain);
    assert_ne!(ingest(|asset| asset["id"] = json!(["b"])).content_hash(), plain);
}

/// Stored fingerprints are compared with new ones: were one of these hashes to change, every asset
/// with that part would be rebuilt after an upgrade.
#[test]
fn hashes_do_not_change_between_versions() {
    let fingerprint = ingest(|_| {});
    let parts: Vec<String> = fingerprint.parts().map(|(part, hash)| format!("{part} {hash}")).collect();
    assert_eq!(parts, EXPECTED_PARTS);
}

const EXPECTED_PARTS: [&str; 10] = [
    "checks 6602e3ea5516353c",
    "id 96490348c0c123ca",
    "mappings 3d375e5fc1659f81",
    "mode 6a05148b1eda1c77",
    "partitions 745ad67c36d9658b",
    "setting.number_of_replicas 95bd6de763b5bb43",
    "settings eac2620fd0bdfe5f",
    "source 7d92d050cd2b4f76",
    "time 4533254ba19f13a9",
    "undeclared 518dec956cda02a8",
];

/// The same for every key of every kind. A key that a later version adds may add a part to the file
/// of hashes; no part that is there may change.
#[test]
fn hashes_of_every_key_do_not_change_between_versions() {
    let pipeline =
        parse("every_key.yaml", &fixture("every_key.yaml"), None).unwrap_or_else(|errors| panic!("{errors}"));
    let mut hashes = String::new();
    for (name, asset) in pipeline.assets() {
        for (part, hash) in Fingerprint::of(asset).parts() {
            hashes.push_str(&format!("{name} {part} {hash}\n"));
        }
    }
    let expected = fixture("every_key.hashes");
    let changed: Vec<&str> = expected.lines().filter(|line| !hashes.lines().any(|other| other == *line)).collect();
    assert!(changed.is_empty(), "these are other hashes now: {changed:#?}");
    assert_eq!(hashes, expected);
}
