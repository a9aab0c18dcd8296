//! `export`: an index into files, without a pipeline.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use polars::prelude::{IpcStreamReader, ParquetReader, SerReader as _, df};
use serde_json::{Value, json};

use crate::bench::Live;
use crate::data::write_parquet;

/// An index of 1,000 rows.
fn loaded(test: &str) -> Option<(Live, String)> {
    let live = Live::plain(test)?;
    let numbers: Vec<i64> = (0..1_000).collect();
    let carriers: Vec<&str> = numbers.iter().map(|n| ["AA", "B6", "UA"][(n % 3) as usize]).collect();
    let delays: Vec<Option<f64>> = numbers.iter().map(|n| (n % 7 != 0).then_some(*n as f64 / 4.0)).collect();
    write_parquet(&live, "rows.parquet", df!("n" => numbers, "carrier" => carriers, "delay" => delays).unwrap());
    let index = format!("{}rows", live.prefix());
    let shown = live.run(&["-q", "ingest", "rows.parquet", "--to", &index, "--id", "n"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    Some((live, index))
}

fn manifest(live: &Live, folder: &str) -> Value {
    serde_json::from_slice(&fs::read(live.path(&format!("{folder}/_manifest.json"))).unwrap()).unwrap()
}

fn parquet_rows(live: &Live, file: &str) -> usize {
    let file = fs::File::open(live.path(file)).unwrap();
    ParquetReader::new(file).finish().unwrap().height()
}

#[test]
fn a_folder_of_parquet_with_a_split() {
    let Some((live, index)) = loaded("export_split") else { return };
    let arguments = ["export", &index, "--to", "set", "--split", "train=0.8,test=0.2", "--split-key", "n"];
    live.golden("export_looked_at", &[&arguments[..], &["--dry-run"]].concat());
    assert!(!live.path("set").exists());
    live.golden("export_with_a_split", &arguments);
    let manifest = manifest(&live, "set");
    assert_eq!((&manifest["rows"], &manifest["source"]["matched"]), (&json!(1000), &json!(1000)));
    let rows: usize =
        ["train", "test"].iter().map(|part| parquet_rows(&live, &format!("set/{part}/part-00000.parquet"))).sum();
    assert_eq!(rows, 1000);
    // Once more: the folder changes in one step, and nothing else is beside it.
    assert_eq!(live.run(&arguments).code, Some(0));
    let left: Vec<_> = fs::read_dir(live.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("staging")), "{left:?}");
}

#[test]
fn one_file_of_some_columns() {
    let Some((live, index)) = loaded("export_file") else { return };
    let query = r#"{"range": {"n": {"lt": 10}}}"#;
    let shown = live.run(&[
        "export",
        &index,
        "--to",
        "some.csv",
        "--query",
        query,
        "--columns",
        "n,carrier",
        "--sort",
        "n:desc",
    ]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let text = fs::read_to_string(live.path("some.csv")).unwrap();
    assert_eq!(text.lines().take(3).collect::<Vec<_>>(), ["n,carrier", "9,AA", "8,UA"]);
    assert_eq!(text.lines().count(), 11);
    assert!(live.path("some.csv.manifest.json").exists());
}

#[test]
fn a_stream_to_a_pipe() {
    let Some((live, index)) = loaded("export_stream") else { return };
    let mut command = live.command(&["export", &index, "--to", "-", "--format", "ipc-stream"]);
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let frame = IpcStreamReader::new(std::io::Cursor::new(output.stdout)).finish().unwrap();
    assert_eq!(frame.shape(), (1000, 3));

    // Whoever closes the pipe early has seen enough.
    let mut command = live.command(&["export", &index, "--to", "-", "--format", "ndjson", "--page-rows", "10"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn mistakes_are_told_and_leave_nothing() {
    let Some((live, index)) = loaded("export_mistakes") else { return };
    let table: [(&str, &[&str]); 9] = [
        ("export_of_no_index", &["export", "PREFIXnothing", "--to", "out"]),
        ("export_of_no_field", &["export", "PREFIXrows", "--to", "out", "--columns", "n,carier"]),
        ("export_with_a_broken_query", &["export", "PREFIXrows", "--to", "out", "--query", "{\"match_al\": {}}"]),
        ("export_with_half_a_query", &["export", "PREFIXrows", "--to", "out", "--query", "{\"match_all\": "]),
        ("export_to_a_matrix_of_text", &["export", "PREFIXrows", "--to", "out", "--format", "npz"]),
        ("export_with_half_a_split", &["export", "PREFIXrows", "--to", "out", "--split", "a=0.5", "--split-key", "n"]),
        // Of several slices, any may find a document without a value first.
        (
            "export_of_missing_values",
            &["export", "PREFIXrows", "--to", "out", "--missing", "delay=error", "--slices", "1"],
        ),
        ("export_to_a_table_on_standard_output", &["export", "PREFIXrows", "--to", "-", "--format", "parquet"]),
        ("export_by_sql_that_is_not_there", &["export", "--sql", "SELECT 1", "--to", "out"]),
    ];
    for (golden, arguments) in table {
        let arguments: Vec<String> =
            arguments.iter().map(|argument| argument.replace("PREFIX", live.prefix())).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        live.golden(golden, &arguments);
        assert!(!live.path("out").exists(), "{golden}");
    }
    // A folder that is somebody's is left alone.
    fs::create_dir(live.path("mine")).unwrap();
    live.write("mine/notes.txt", "mine");
    live.golden("export_over_something_else", &["export", &index, "--to", "mine"]);
    assert_eq!(fs::read_to_string(live.path("mine/notes.txt")).unwrap(), "mine");
}

#[test]
fn several_values_are_an_error_or_a_list() {
    let Some(live) = Live::plain("export_values") else { return };
    let index = format!("{}tags", live.prefix());
    live.write("tags.ndjson", "{\"id\": 1, \"tag\": \"a\"}\n{\"id\": 2, \"tag\": [\"b\", \"c\"]}\n");
    let shown = live.run(&["-q", "ingest", "tags.ndjson", "--to", &index, "--id", "id"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    live.golden("export_of_several_values", &["export", &index, "--to", "out"]);
    let shown = live.run(&["export", &index, "--to", "out", "--values", "tag=list"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_eq!(parquet_rows(&live, "out/data/part-00000.parquet"), 2);
}
