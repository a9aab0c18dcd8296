//! `ingest`: files into an index, without a pipeline.

use std::io::Write as _;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use polars::prelude::df;
use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Live, Shown};
use crate::data::write_parquet;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Some lines of a log, numbered from `first`.
fn log(first: u32, lines: u32) -> String {
    let line = |n| format!("{{\"n\": {n}, \"at\": \"2024-01-01T00:{:02}:00Z\", \"text\": \"line {n}\"}}\n", n % 60);
    (first..first + lines).map(line).collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The files that loads left for the next process to resume from. The files of locks stay, unlocked.
fn loads_to_resume(live: &Live) -> Vec<String> {
    let folder = std::fs::read_dir(live.path(".orchestrator/loads")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.ends_with(".lock")).collect()
}

fn letter(live: &Live, ending: &str) -> String {
    let folder = std::fs::read_dir(live.path(".orchestrator/rejected")).unwrap();
    let names: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let is_it = |name: &&String| name.ends_with(ending) && (ending != ".ndjson" || !name.ends_with(".errors.ndjson"));
    let name = names.iter().find(is_it).unwrap_or_else(|| panic!("none of {names:?} ends with {ending}"));
    format!(".orchestrator/rejected/{name}")
}

/// Runs the program with something on its standard input.
fn piped(live: &Live, input: &[u8], arguments: &[&str]) -> Shown {
    let mut command = live.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    Shown {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_folder_of_compressed_lines_with_a_broken_one() {
    let Some(live) = Live::plain("ingest_folder") else { return };
    live.write("logs/a.ndjson.gz", gzip(&log(0, 500)));
    live.write("logs/b.ndjson.gz", gzip(&format!("{}{{\"n\": 1000, \"text\": \n{}", log(500, 200), log(700, 300))));
    let index = format!("{}logs", live.prefix());
    let to = ["ingest", "logs", "--to", &index, "--id", "n"];
    live.golden("ingest_with_a_broken_line", &to);
    live.golden("ingest_again_after_a_broken_line", &to);
    // The place of the load is known: the same command, that bears one, goes on.
    live.golden("ingest_that_bears_a_broken_line", &[&to[..], &["--max-rejected", "1"]].concat());
    assert_eq!(live.count("logs"), 1000);
    let errors = lines(&live.read(&letter(&live, ".errors.ndjson")));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((&errors[0]["file"], &errors[0]["row"]), (&json!("logs/b.ndjson.gz"), &json!(201)));
    assert_eq!(errors[0]["text"], "{\"n\": 1000, \"text\":");
    assert_eq!(loads_to_resume(&live), Vec::<String>::new());

    let mapping = live.get("/PREFIX-logs/_mapping");
    let fields = &mapping[&index]["mappings"]["properties"];
    assert_eq!((&fields["n"]["type"], &fields["at"]["type"]), (&json!("long"), &json!("date")), "{fields}");
    let settings = live.get("/PREFIX-logs/_settings");
    let settings = &settings[&index]["settings"]["index"];
    assert_eq!((&settings["refresh_interval"], &settings["number_of_replicas"]), (&Value::Null, &json!("1")));
}

#[test]
fn what_was_rejected_is_sent_again() {
    let Some(live) = Live::plain("ingest_replay") else { return };
    let index = format!("{}words", live.prefix());
    let words = df!("key" => ["one", "two", "three"], "n" => ["1", "zwei", "3"]).unwrap();
    write_parquet(&live, "words.parquet", words);
    live.write("mapping.json", json!({"properties": {"n": {"type": "integer"}}}).to_string());
    let to = ["ingest", "words.parquet", "--to", &index, "--id", "key", "--mapping", "mapping.json"];
    live.golden("ingest_with_a_rejected_document", &[&to[..], &["--max-rejected", "50%"]].concat());
    assert_eq!(live.count("words"), 2);
    let name = letter(&live, ".ndjson");
    let text = live.read(&name);
    assert_eq!(lines(&text), [json!({"index": {"_id": "two"}}), json!({"key": "two", "n": "zwei"})]);
    // Mended by hand, and sent again.
    live.write(&name, text.replace("zwei", "2"));
    live.golden("ingest_replay", &["ingest", "--replay", &name, "--to", &index]);
    assert_eq!(live.count("words"), 3);
}

#[test]
fn every_operation_does_what_it_says() {
    let Some(live) = Live::plain("ingest_operations") else { return };
    let index = format!("{}a", live.prefix());
    let csv = |name: &str, text: &str| live.write(name, text);
    csv("one.csv", "key,x,y\na,1,1\nb,2,2\n");
    csv("two.csv", "key,x\nb,20\nc,30\n");
    let summary = |file: &str, operation: &str, more: &[&str]| {
        let to = ["ingest", file, "--to", &index, "--id", "key", "--op", operation];
        let events = live.events(0, &[&to[..], more].concat());
        let last = events.last().unwrap().clone();
        assert_eq!(last["event"], "ingest_finished");
        let of = |kind: &str| last["summary"][kind].as_u64().unwrap();
        let rejected = last["summary"]["rejected"].as_object().unwrap().len() as u64;
        [of("read"), of("created"), of("updated"), of("unchanged"), of("deleted"), rejected]
    };
    let source = |id: &str| live.get(&format!("/PREFIX-a/_doc/{id}"))["_source"].clone();
    assert_eq!(summary("one.csv", "index", &[]), [2, 2, 0, 0, 0, 0]);
    assert_eq!(summary("two.csv", "create", &[]), [2, 1, 0, 1, 0, 0]);
    assert_eq!(source("b"), json!({"key": "b", "x": 2, "y": 2}));
    assert_eq!(summary("two.csv", "update", &[]), [2, 0, 1, 1, 0, 0]);
    assert_eq!(source("b"), json!({"key": "b", "x": 20, "y": 2}));
    csv("two.csv", "key,x\nb,21\nd,40\n");
    assert_eq!(summary("two.csv", "update", &["--max-rejected", "1"]), [2, 0, 1, 0, 0, 1]);
    assert_eq!(summary("two.csv", "upsert", &[]), [2, 1, 0, 1, 0, 0]);
    assert_eq!(summary("two.csv", "delete", &[]), [2, 0, 0, 0, 2, 0]);
    assert_eq!(summary("two.csv", "delete", &[]), [2, 0, 0, 2, 0, 0]);
    assert_eq!(live.count("a"), 2);
    // Of two versions the higher one stays.
    csv("newer.csv", "key,x\na,100\nb,200\n");
    assert_eq!(summary("newer.csv", "index", &["--document-version", "x"]), [2, 1, 1, 0, 0, 0]);
    csv("older.csv", "key,x\nb,199\n");
    assert_eq!(summary("older.csv", "index", &["--document-version", "x"]), [1, 0, 0, 1, 0, 0]);
    assert_eq!(source("b")["x"], 200);
}

#[test]
fn an_index_that_is_there_keeps_its_mapping_and_settings() {
    let Some(live) = Live::plain("ingest_existing") else { return };
    let index = format!("{}a", live.prefix());
    let body = json!({
        "settings": {"refresh_interval": "7s", "number_of_replicas": 0},
        "mappings": {"dynamic": "strict", "properties": {"key": {"type": "keyword"}}},
    });
    live.send(Method::PUT, "/PREFIX-a", &body);
    live.write("rows.csv", "key,n\na,1\n");
    live.golden("ingest_into_a_strict_index", &["ingest", "rows.csv", "--to", &index, "--id", "key"]);
    live.write("mapping.json", json!({"properties": {"n": {"type": "short"}}}).to_string());
    let to = ["ingest", "rows.csv", "--to", &index, "--id", "key", "--mapping", "mapping.json"];
    live.expect(0, &[&to[..], &["--restart"]].concat());
    assert_eq!(live.count("a"), 1);
    let settings = live.get("/PREFIX-a/_settings");
    assert_eq!(settings[&index]["settings"]["index"]["refresh_interval"], "7s");
    live.write("mapping.json", json!({"properties": {"n": {"type": "keyword"}}}).to_string());
    live.golden("ingest_with_another_mapping", &to);
}

#[test]
fn what_a_load_would_do_is_shown() {
    let Some(live) = Live::plain("ingest_dry_run") else { return };
    let index = format!("{}a", live.prefix());
    let long = "word ".repeat(300);
    let frame = df!(
        "key" => ["one", "two"], "n" => [1u64, 2], "text" => [long.as_str(), "short"],
        "geo.lat" => [40.6f32, 40.7], "geo.lon" => [-73.8f32, -73.9],
    );
    write_parquet(&live, "rows.parquet", frame.unwrap());
    live.write(
        "mapping.json",
        json!({"settings": {"number_of_replicas": 0}, "mappings": {"properties": {"n": {"type": "long"}}}}).to_string(),
    );
    let to = ["ingest", "rows.parquet", "--to", &index, "--dotted-names", "objects", "--mapping", "mapping.json"];
    live.golden("ingest_dry_run", &[&to[..], &["--dry-run"]].concat());
    assert_eq!(live.indices(), []);
    live.expect(0, &to);
    live.golden("ingest_dry_run_of_an_index_that_exists", &[&to[..], &["--dry-run"]].concat());
    let found = live.search("a", &json!({"query": {"match": {"text": "short"}}}));
    assert_eq!(found["hits"]["hits"][0]["_source"]["geo"], json!({"lat": 40.7, "lon": -73.9}));
}

#[test]
fn standard_input_is_loaded() {
    let Some(live) = Live::plain("ingest_stdin") else { return };
    let index = format!("{}a", live.prefix());
    let to = ["ingest", "-", "--to", &index, "--format", "ndjson", "--id", "n"];
    let shown = piped(&live, log(0, 3000).as_bytes(), &to);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let shown = piped(
        &live,
        &gzip("n,text\n7,seven\n8,eight\n"),
        &["ingest", "-", "--to", &index, "--format", "csv", "--id", "n"],
    );
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert_eq!(live.count("a"), 3000);
    assert_eq!(live.get("/PREFIX-a/_doc/7")["_source"], json!({"n": 7, "text": "seven"}));
    live.golden("ingest_stdin_without_format", &["ingest", "-", "--to", &index]);
}

#[test]
fn metrics_are_written_for_a_collector() {
    let Some(live) = Live::plain("ingest_metrics") else { return };
    let index = format!("{}a", live.prefix());
    live.write("rows.csv", "key,n\na,1\nb,2\n");
    live.expect(0, &["ingest", "rows.csv", "--to", &index, "--metrics", "ingest.prom"]);
    let text = live.read("ingest.prom");
    let line = format!("es_bulk_documents_total{{index=\"{index}\",outcome=\"created\"}} 2");
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn mistakes_are_told_before_anything_is_made() {
    let Some(live) = Live::plain("ingest_mistakes") else { return };
    let index = format!("{}a", live.prefix());
    live.write("rows.csv", "key,n\na,1\n");
    live.write("lines.ndjson", "{}\n");
    live.write("mapping.json", "{\"key\": {\"type\": \"keyword\"}}");
    let to = ["--to", &index];
    let golden = |name: &str, arguments: &[&str]| live.golden(name, &[&["ingest"], arguments, &to].concat());
    golden("ingest_missing_file", &["row.csv"]);
    assert!(Command::new("mkfifo").arg(live.path("pipe.csv")).status().unwrap().success());
    golden("ingest_pipe_with_a_path", &["pipe.csv"]);
    golden("ingest_missing_column", &["rows.csv", "--id", "kye"]);
    golden("ingest_two_formats", &["rows.csv", "lines.ndjson"]);
    golden("ingest_update_without_id", &["rows.csv", "--op", "update"]);
    golden("ingest_update_of_nothing", &["rows.csv", "--op", "update", "--id", "key"]);
    golden("ingest_no_mapping_file", &["rows.csv", "--mapping", "mapping.json"]);
    live.golden("ingest_into_a_bad_name", &["ingest", "rows.csv", "--to", "PREFIX a"]);
    live.golden("ingest_into_a_pattern", &["ingest", "rows.csv", "--to", "PREFIX-*"]);
    live.golden("ingest_of_nothing", &["ingest", "--to", "a"]);
    assert_eq!(live.indices(), []);
}
