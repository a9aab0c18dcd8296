//! The messages for a user whose data do not fit, or whose names are taken.

use std::path::PathBuf;
use std::process::Command;

use polars::prelude::df;
use reqwest::Method;
use serde_json::json;

use crate::bench::Live;
use crate::data::{change, month, one_ingest, write_parquet, write_small};

#[test]
fn an_index_has_the_name_of_the_alias() {
    let Some(live) = Live::plain("taken_name") else { return };
    write_small(&live);
    let foreign = json!({
        "settings": {"number_of_replicas": 0},
        "mappings": {"properties": {"sensor": {"type": "text"}, "value": {"type": "double"}}},
    });
    live.send(Method::PUT, "/PREFIX-readings", &foreign);
    live.send(Method::PUT, "/PREFIX-readings/_doc/1?refresh=true", &json!({"sensor": "theirs"}));
    live.golden("index_with_another_mapping", &["run", "readings"]);
    assert_eq!(live.count("readings"), 1, "what is not ours is left alone");
    assert_eq!(live.indices().len(), 3, "the index, the leases and the history: {:?}", live.indices());
}

#[test]
fn an_alias_points_to_an_index_of_somebody_else() {
    let Some(live) = Live::plain("taken_alias") else { return };
    write_small(&live);
    let alias = format!("{}readings", live.prefix());
    live.send(Method::PUT, "/PREFIX-theirs", &json!({"aliases": {alias: {}}, "settings": {"number_of_replicas": 0}}));
    live.golden("alias_of_somebody_else", &["run", "readings", "--partition", "2024-01"]);
    assert_eq!(live.behind("readings"), ["theirs"]);
}

#[test]
fn files_that_are_not_there_or_not_what_they_are_called() {
    let Some(live) = Live::plain("bad_files") else { return };
    write_small(&live);
    live.write("data/readings.parquet", "PAR0 this is no Parquet file");
    live.write("pipeline.yaml", one_ingest("data/readings.parquet", &[]));
    live.golden("parquet_file_that_is_not_one", &["run"]);
    write_parquet(&live, "data/readings.parquet", df!("n" => (0..10_000i64).collect::<Vec<_>>()).unwrap());
    let whole = std::fs::read(live.path("data/readings.parquet")).unwrap();
    live.write("data/readings.parquet", &whole[..whole.len() / 2]);
    live.golden("parquet_file_that_is_cut_off", &["run"]);
    live.write("pipeline.yaml", one_ingest("data/raedings.parquet", &[]));
    live.golden("missing_file", &["run"]);
    live.write("pipeline.yaml", one_ingest("elsewhere/*.csv", &[]));
    live.golden("missing_files_of_a_pattern", &["plan"]);
    assert_eq!(live.indices(), [], "none of these changes anything");
}

#[test]
fn files_of_one_asset_that_differ_in_their_columns() {
    let Some(live) = Live::plain("schemas") else { return };
    write_small(&live);
    live.write("data/2024-03.csv", "sensor,time,level\nattic,2024-03-01T00:00:00Z,1\n");
    live.golden("files_with_other_columns", &["run", "readings"]);
}

#[test]
fn columns_that_are_not_there() {
    let Some(live) = Live::plain("columns") else { return };
    write_small(&live);
    let whole = live.read("pipeline.yaml");
    let with = |from: &str, to: &str| {
        live.write("pipeline.yaml", &whole);
        change(&live, from, to);
    };
    with("    id: [sensor, time]\n", "    id: [senser, time]\n");
    live.golden("missing_id_column", &["run", "readings"]);
    with("    time: time\n    partitions", "    time: tyme\n    partitions");
    live.golden("missing_time_column", &["run", "readings"]);
    assert_eq!(live.indices(), [], "nothing was begun");

    live.write("pipeline.yaml", &whole);
    live.expect(0, &["run", "readings"]);
    with("columns: [sensor, time, value]", "columns: [sensor, time, valeu]");
    live.golden("missing_export_column", &["run", "training_set"]);
    with("key: [sensor, time]", "key: [sensor, tyme]");
    live.golden("missing_split_column", &["run", "training_set"]);
    with("      value: { method", "      valu: { method");
    live.golden("missing_monitor_field", &["run", "drift"]);
    with("entity: [sensor]", "entity: [sensr]");
    live.golden("missing_feature_entity", &["run", "daily"]);
    with("avg: { field: value }", "avg: { field: vale }");
    live.golden("missing_feature_field", &["run", "daily"]);
}

#[test]
fn rows_that_no_partition_holds() {
    let Some(live) = Live::plain("outside") else { return };
    write_small(&live);
    live.write("data/2024-04.csv", month(4, 0.0));
    live.golden("rows_in_no_partition", &["run", "readings"]);
    assert_eq!(live.indices(), [], "nothing was begun");
    change(&live, "end: 2024-04-01 }", "end: 2024-04-01, outside: skip }");
    live.expect(0, &["run", "readings"]);
    assert_eq!(live.count("readings"), crate::data::ROWS);
    // A row without a time is in no partition either.
    live.write("data/2024-04.csv", "sensor,time,value,count\nattic,,1.5,1\n");
    change(&live, ", outside: skip }", " }");
    live.golden("rows_without_a_time", &["run", "readings"]);
}

#[test]
fn ids_that_are_not_unique() {
    let Some(live) = Live::plain("ids") else { return };
    write_small(&live);
    change(&live, "    id: [sensor, time]\n", "    id: [sensor]\n");
    live.golden("ids_that_are_not_unique", &["run", "readings", "--partition", "2024-01"]);
    let left: Vec<_> = live.indices().into_iter().filter(|(name, _)| !name.starts_with("orchestrator-")).collect();
    assert_eq!(left, [], "what failed is removed");
}

#[test]
fn an_id_without_a_value() {
    let Some(live) = Live::plain("null_id") else { return };
    write_parquet(&live, "rows.parquet", df!("key" => [Some("one"), None], "n" => [1i64, 2]).unwrap());
    live.write("pipeline.yaml", one_ingest("rows.parquet", &["id: [key]"]));
    live.golden("id_without_a_value", &["run"]);
}

#[test]
fn documents_that_elasticsearch_refuses() {
    let Some(live) = Live::plain("rejected") else { return };
    let words = df!("key" => ["one", "two", "three"], "n" => ["1", "two", "drei"]).unwrap();
    write_parquet(&live, "rows.parquet", words);
    let mapping = "index: { settings: { number_of_replicas: 0 }, mappings: { properties: { n: { type: integer } } } }";
    live.write("pipeline.yaml", one_ingest("rows.parquet", &["id: [key]", mapping]));
    live.golden("rejected_documents", &["run"]);
    let letters: Vec<String> = std::fs::read_dir(live.path(".orchestrator/rejected"))
        .unwrap()
        .map(|entry| live.normal(&entry.unwrap().file_name().into_string().unwrap()))
        .collect();
    assert!(letters.contains(&"a-[run].ndjson".to_owned()), "{letters:?}");
}

#[test]
fn a_mapping_or_a_setting_that_elasticsearch_refuses() {
    let Some(live) = Live::plain("refused_mapping") else { return };
    write_small(&live);
    change(&live, "sensor: { type: keyword }", "sensor: { type: kyeword }");
    live.golden("refused_mapping", &["run", "readings", "--partition", "2024-01"]);
    change(&live, "sensor: { type: kyeword }", "sensor: { type: keyword }");
    change(&live, "number_of_shards: 1,", "number_of_shards: 5000,");
    live.golden("refused_setting", &["run", "readings", "--partition", "2024-01"]);
}

/// A small file system of its own, unmounted when the test ends.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&path).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn the_disk_is_full_on_export() {
    let Some(live) = Live::plain("full_disk") else { return };
    let Some(disk) = SmallDisk::mount(live.path("full")) else {
        eprintln!("SKIPPED: a full disk needs the right to mount a file system");
        return;
    };
    let mut random = fastrand::Rng::with_seed(1);
    let rows = 20_000;
    let noise: Vec<f64> = (0..rows).map(|_| random.f64()).collect();
    write_parquet(&live, "rows.parquet", df!("key" => (0..rows).collect::<Vec<i64>>(), "x" => noise).unwrap());
    let mut text = one_ingest("rows.parquet", &["id: [key]"]);
    text.push_str("  e: { kind: export, from: a, where: { term: { key: 7 } }, to: { path: full/out } }\n");
    live.write("pipeline.yaml", &text);
    live.expect(0, &["run"]);
    let before = live.read("full/out/_manifest.json");

    live.write("pipeline.yaml", text.replace("where: { term: { key: 7 } }, ", ""));
    live.golden("full_disk", &["run"]);
    assert_eq!(live.read("full/out/_manifest.json"), before, "readers see what they saw before");
    let names: Vec<String> =
        std::fs::read_dir(&disk.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["out"], "what was begun is removed");
}

#[test]
fn something_that_is_no_export_is_at_the_destination() {
    let Some(live) = Live::plain("destination") else { return };
    write_small(&live);
    live.write("out/training_set/thesis.tex", "\\documentclass{book}");
    live.golden("destination_holds_something_else", &["run", "+training_set"]);
    assert_eq!(live.read("out/training_set/thesis.tex"), "\\documentclass{book}");
}
