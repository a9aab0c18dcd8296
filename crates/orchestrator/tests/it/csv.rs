//! CSV as people have it: what is declared rules the reader, and no row takes the place of another.

use serde_json::{Value, json};

use crate::bench::Live;

/// The ids of an index with their documents, in the order of the ids.
fn documents(live: &Live, index: &str) -> Vec<(String, Value)> {
    let found = live.search(index, &json!({"size": 100}));
    let hits = found["hits"]["hits"].as_array().unwrap_or_else(|| panic!("{found}"));
    let pairs = hits.iter().map(|hit| (hit["_id"].as_str().unwrap().to_owned(), hit["_source"].clone()));
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs
}

const CODES: &str = "code,v\n007,a\n\"7\",b\n07,c\n";

fn codes() -> Vec<(String, Value)> {
    let pairs = [("007", "a"), ("07", "c"), ("7", "b")];
    pairs.map(|(code, v)| (code.to_owned(), json!({"code": code, "v": v}))).to_vec()
}

#[test]
fn codes_with_leading_zeros_are_three_documents() {
    let Some(live) = Live::plain("csv_codes") else { return };
    live.write("codes.csv", CODES);
    live.write(
        "codes.json",
        r#"{"mappings": {"properties": {"code": {"type": "keyword"}, "v": {"type": "keyword"}}}}"#,
    );
    // Without a word, by the mapping, by a flag, and by an index that is there.
    let ways: [(&str, &[&str]); 3] =
        [("plain", &[]), ("mapping", &["--mapping", "codes.json"]), ("types", &["--types", "code=text"])];
    for (name, flags) in ways {
        let to = format!("{}{name}", live.prefix());
        live.expect(0, &[&["ingest", "codes.csv", "--to", &to, "--id", "code"], flags].concat());
        assert_eq!(documents(&live, name), codes(), "{name}");
    }
    let to = format!("{}plain", live.prefix());
    live.write("plain.csv", "code,v\n1,d\n");
    live.expect(0, &["ingest", "plain.csv", "--to", &to, "--id", "code"]);
    assert_eq!(documents(&live, "plain")[2], ("1".to_owned(), json!({"code": "1", "v": "d"})));
}

#[test]
fn an_asset_reads_what_its_mapping_declares() {
    let Some(live) = Live::plain("csv_declared") else { return };
    // The first 10,000 amounts are whole: by the file alone they are integers.
    let rows: String = (0..10_000).map(|row| format!("{row},{row}\n")).collect();
    live.write("a.csv", format!("code,amount\n{rows}x1,1.5\n"));
    let mappings = "index: { mappings: { properties: { code: { type: keyword }, amount: { type: double } } } }";
    live.write("pipeline.yaml", crate::data::one_ingest("a.csv", &["id: [code]", mappings]));
    live.expect(0, &["run"]);
    assert_eq!(live.count("a"), 10_001);
    let found = live.search("a", &json!({"query": {"ids": {"values": ["x1", "7"]}}, "sort": "code"}));
    let amounts: Vec<&Value> =
        found["hits"]["hits"].as_array().unwrap().iter().map(|hit| &hit["_source"]["amount"]).collect();
    assert_eq!(amounts, [&json!(7.0), &json!(1.5)]);
}
