//! The messages for a user whose command line, environment or pipeline file is wrong.

use crate::bench::{Bench, Live};
use crate::data::{change, write_small};

fn small() -> Bench {
    let bench = Bench::offline();
    write_small(&bench);
    bench
}

#[test]
fn there_is_no_pipeline_file() {
    let bench = Bench::offline();
    bench.golden("no_pipeline_file", &["run"]);
    bench.golden("no_pipeline_file_of_that_name", &["-f", "other.yaml", "validate"]);
}

#[test]
fn an_environment_that_the_file_does_not_have() {
    let bench = small();
    let text = bench.read("pipeline.yaml") + "\nenvironments:\n  production: { cluster: { index_prefix: live- } }\n";
    bench.write("pipeline.yaml", text);
    bench.golden("unknown_environment", &["--env", "prodution", "validate"]);
}

#[test]
fn a_variable_that_names_no_setting_or_has_a_wrong_value() {
    let bench = small().with("ORCHESTRATOR_BULK__CONCURENCY", "4");
    bench.golden("variable_names_no_setting", &["validate"]);
    let bench = small().with("ORCHESTRATOR_BULK__BATCH_BYTES", "8 parsecs");
    bench.golden("variable_has_a_wrong_value", &["validate"]);
    let bench = small().with("ELASTICSEARCH_VERIFY_CERTS", "perhaps");
    bench.golden("connection_variable_has_a_wrong_value", &["plan"]);
}

#[test]
fn a_secret_that_is_not_set() {
    let bench = small();
    let text = bench.read("pipeline.yaml");
    let cluster = |password: &str| format!("name: small\ncluster: {{ user: elastic, password: {password} }}\n");
    bench.write("pipeline.yaml", text.replacen("name: small\n", &cluster("{ env: THE_PASSWORD }"), 1));
    bench.golden("secret_variable_is_not_set", &["plan"]);
    bench.write("pipeline.yaml", text.replacen("name: small\n", &cluster("{ file: secrets/password }"), 1));
    bench.golden("secret_file_is_not_there", &["plan"]);
}

#[test]
fn a_broken_env_file_is_told_without_its_line() {
    let bench = small();
    bench.write(".env", "ELASTICSEARCH_PASSWORD 'canary\n");
    let shown = bench.golden("broken_env_file", &["validate"]);
    assert!(!format!("{shown:?}").contains("canary"));
}

#[test]
fn all_mistakes_of_a_file_at_once() {
    let bench = small();
    change(&bench, "    id: [sensor, time]", "    ids: [sensor, time]");
    change(&bench, "method: ks, p: 0.001", "method: ks, p: low");
    change(&bench, "    from: readings\n    entity", "    from: raedings\n    entity");
    change(&bench, "to: 2024-02-01 }", "to: 2024-02-31 }");
    bench.golden("several_mistakes", &["validate"]);
    let events = bench.events(2, &["validate"]);
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["event"], &events[0]["exit_code"]), (&"failed".into(), &2.into()));
    let diagnostics = events[0]["diagnostics"].as_array().unwrap();
    assert!(diagnostics.len() == 4, "{diagnostics:?}");
    for diagnostic in diagnostics {
        let keys: Vec<&String> = diagnostic.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["file", "line", "column", "key", "message", "help"]);
    }
}

#[test]
fn needs_in_a_circle() {
    let bench = small();
    change(&bench, "    kind: ingest\n", "    kind: ingest\n    deps: [drift]\n");
    bench.golden("cycle", &["validate"]);
}

#[test]
fn selectors_and_partitions_that_name_nothing() {
    let Some(live) = Live::plain("selectors") else { return };
    write_small(&live);
    live.golden("unknown_selector", &["run", "redings"]);
    live.golden("malformed_selector", &["run", "kind:featurs"]);
    live.golden("unknown_partition", &["run", "--partition", "2024-07"]);
    live.golden("malformed_partition", &["run", "--partition", "soon"]);
    live.golden("empty_range_of_partitions", &["run", "--from", "2025-01-01"]);
    live.golden("malformed_range_of_partitions", &["run", "--from", "yesterday"]);
    live.golden("nothing_published_upstream", &["run", "daily"]);
    assert_eq!(live.indices(), [], "none of these changes anything");
}

#[test]
fn wrong_commands_and_options() {
    let bench = small();
    bench.golden("unknown_command", &["rnu"]);
    bench.golden("options_that_exclude_each_other", &["run", "--partition", "2024-01", "--from", "2024-01-01"]);
    let query = ["export", "--esql", "FROM readings", "--to", "out", "--values", "list", "--missing", "value=error"];
    bench.golden("options_that_a_query_excludes", &query);
}
