//! The keys of a `command` asset: good pipelines, and the mistakes that are found in bad ones.

use serde_json::json;

use super::*;
use crate::kinds::Kinds;

/// The problems of a pipeline with the keys of a command, each with its help.
fn problems(keys: &str) -> String {
    let text = format!(
        "version: 1\nname: p\nassets:\n  a: {{ kind: ingest, from: {{ path: a.csv }} }}\n  \
         f: {{ kind: export, from: a, to: {{ path: f }} }}\n  c: {{ kind: command, {keys} }}\n"
    );
    match Kinds::builtin().format().parse("p.yaml", &text, None) {
        Ok(_) => String::new(),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

#[test]
fn mistakes_are_found() {
    let good = [
        "run: [sh], output: parquet",
        "reads: [a, f], run: [./x, ''], to: { path: o, files: [m/n.bin] }, folder: tools",
        "reads: [{ from: a, columns: [x], where: { term: { x: 1 } } }], run: [x], output: ipc_stream, id: [x], time: t",
        "reads: [a], input: stdin, run: [x], output: parquet, timeout: 2h, environment: { MODE: fast, NONE: '' }",
    ];
    for keys in good {
        assert_eq!(problems(keys), "", "{keys}");
    }
    let bad = [
        ("run: [], output: parquet", "run"),
        ("run: [''], output: parquet", "`run` names no program"),
        ("run: [x]", "missing key `output` or `to`"),
        ("run: [x], output: parquet, to: { path: o, files: [m] }", "`output` and `to` exclude each other"),
        ("run: [x], to: { path: o, files: [m] }, id: [x]", "`id` is a key of an index"),
        ("run: [x], to: { path: o, files: [m] }, checks: [{ rows: { min: 1 } }]", "`checks` is a key of an index"),
        ("run: [x], to: { path: o, files: [] }", "files"),
        ("run: [x], to: { path: o, files: [../m] }", "`../m` is not a path within the folder"),
        ("run: [x], to: { path: o, files: [/m] }", "`/m` is not a path within the folder"),
        ("run: [x], to: { path: o, files: [_manifest.json] }", "`_manifest.json` is the manifest"),
        ("run: [x], output: parquet, input: stdin", "`reads` names 0"),
        ("run: [x], output: parquet, input: stdin, reads: [a, f]", "`reads` names 2"),
        ("run: [x], output: parquet, input: stdin, reads: [f]", "`f` is of kind `export`"),
        ("run: [x], output: parquet, reads: [a, a]", "`a` is read twice"),
        ("run: [x], output: parquet, reads: [b]", "unknown asset `b`"),
        ("run: [x], output: parquet, reads: [{ from: f, columns: [x] }]", "`f` has files"),
        ("run: [x], output: parquet, reads: [{ from: a, column: [x] }]", "unknown key `column`"),
        ("run: [x], output: parquet, environment: { ORCHESTRATOR_X: y }", "this program's own variables"),
        ("run: [x], output: parquet, environment: { 'A=B': y }", "not a name of a variable"),
        ("run: [x], output: parquet, shell: true", "unknown key `shell`"),
        ("run: [x], output: csv", "csv"),
        ("run: [x], output: parquet, timeout: soon", "soon"),
    ];
    for (keys, expected) in bad {
        let found = problems(keys);
        assert!(found.contains(expected), "{keys}\n{found}");
    }
}

#[test]
fn an_input_without_options_is_its_name() {
    let read = |value: serde_json::Value| -> Input { serde_json::from_value(value).unwrap() };
    assert_eq!(read(json!("a")), read(json!({ "from": "a" })));
    assert_eq!(json!(read(json!({ "from": "a" }))), json!("a"));
    let with_columns = json!({ "from": "a", "columns": ["x"] });
    assert_eq!(json!(read(with_columns.clone())), with_columns);
}

#[test]
fn everything_but_the_time_limit_affects_the_result() {
    let command = |keys: serde_json::Value| -> Command {
        let mut all = json!({ "run": ["x"], "output": "parquet" });
        all.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    };
    let fingerprint = |command: &Command| {
        let mut parts = Parts::default();
        command.fingerprint(&mut parts);
        format!("{parts:?}")
    };
    let before = command(json!({}));
    assert_eq!(before.timeout, TimeSpan::minutes(60));
    assert_eq!(fingerprint(&command(json!({ "timeout": "1s", "reads": [] }))), fingerprint(&before));
    let changes = [
        json!({ "reads": ["a"] }),
        json!({ "reads": [{ "from": "a", "columns": ["x"] }] }),
        json!({ "input": "stdin" }),
        json!({ "run": ["x", "--fast"] }),
        json!({ "folder": "tools" }),
        json!({ "environment": { "MODE": "fast" } }),
        json!({ "output": "ipc_stream" }),
        json!({ "output": null, "to": { "path": "o", "files": ["m"] } }),
        json!({ "id": ["x"] }),
    ];
    let prints: BTreeSet<String> = changes.into_iter().map(|change| fingerprint(&command(change))).collect();
    assert_eq!(prints.len(), 9);
    assert!(!prints.contains(&fingerprint(&before)));
}
