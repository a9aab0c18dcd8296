//! The steps that are a call of cargo, and the one of the consumers of exports.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::in_ci;
use super::nodes::{Ready, TestNodes};
use super::report::LiveTests;
use super::tests_output::Counts;
use crate::{consumers, workspace};

pub(crate) fn fmt() -> Result<()> {
    succeed(cargo(&["fmt", "--all", "--check"])).context("run `cargo fmt --all`")
}

pub(crate) fn clippy() -> Result<()> {
    let mut command = cargo(&["clippy", "--workspace", "--all-targets"]);
    lock_in_ci(&mut command);
    command.args(["--", "-D", "warnings"]);
    succeed(command)
}

pub(crate) fn doc() -> Result<()> {
    // There are no examples to document. Asking for them makes cargo choose the
    // dependencies' features as clippy did, and not compile them once more.
    let mut command = cargo(&["doc", "--workspace", "--no-deps", "--lib", "--examples"]);
    lock_in_ci(&mut command);
    command.env("RUSTDOCFLAGS", "-D warnings");
    succeed(command)
}

pub(crate) fn build() -> Result<()> {
    let mut command = cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-run"]);
    lock_in_ci(&mut command);
    succeed(command)
}

pub(crate) fn doctest(counts: &mut Counts) -> Result<()> {
    let command = cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]);
    run_tests(command, counts)
}

/// Lets the usual packages read what exports write; each counts as a test.
pub(crate) fn consumers(counts: &mut Counts) -> Result<()> {
    if let Err(error) = consumers::install_usual() {
        if in_ci() {
            return Err(error);
        }
        println!("SKIPPED: no Python with the packages: {error:#}");
        counts.skipped += 1;
        return Ok(());
    }
    let outcome = consumers::read_formats()?;
    counts.passed += outcome.agreed;
    counts.failed += outcome.failed.len();
    outcome.verdict()
}

/// Runs the tests, and says what the live ones ran against.
pub(crate) fn test(nodes: Option<&mut TestNodes>, counts: &mut Counts) -> (Result<()>, Option<LiveTests>) {
    with_nodes(nodes, |ready, ledger| {
        let mut command = cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]);
        lead_to(&mut command, ready, ledger);
        run_tests(command, counts)
    })
}

/// Runs the integration tests of the libraries alone, against whatever nodes these are.
pub(crate) fn compatibility(nodes: Option<&mut TestNodes>, counts: &mut Counts) -> (Result<()>, Option<LiveTests>) {
    with_nodes(nodes, |ready, ledger| {
        let mut failed = Vec::new();
        for (folder, program) in live_programs()? {
            println!("\n{}", folder.display());
            let mut command = Command::new(&program);
            command.current_dir(&folder);
            lead_to(&mut command, ready, ledger);
            if let Err(error) = run_tests(command, counts) {
                failed.push(format!("{}: {error:#}", folder.display()));
            }
        }
        if !failed.is_empty() {
            bail!("{}", failed.join("; "));
        }
        Ok(())
    })
}

/// Waits for the nodes, and counts the live tests that `run` runs.
fn with_nodes(
    nodes: Option<&mut TestNodes>,
    run: impl FnOnce(&Ready, &Path) -> Result<()>,
) -> (Result<()>, Option<LiveTests>) {
    let ready = match nodes.map(TestNodes::ready).transpose() {
        Ok(ready) => ready.unwrap_or_default(),
        Err(error) => return (Err(error), None),
    };
    let ledger = workspace::es_folder().join("ci").join("live-tests");
    let _ = std::fs::remove_file(&ledger);
    let outcome = run(&ready, &ledger);
    let count = std::fs::read_to_string(&ledger).map_or(0, |text| text.lines().filter(|line| !line.is_empty()).count());
    let outcome = match outcome {
        Ok(()) if count == 0 && in_ci() => Err(anyhow::anyhow!("no live test ran")),
        other => other,
    };
    (outcome, Some(LiveTests { count, against: ready.against }))
}

/// The integration tests of the library crates, compiled: the folder that each runs in, and the program.
fn live_programs() -> Result<Vec<(PathBuf, PathBuf)>> {
    // The same selection as the other steps, so that nothing is compiled anew.
    let mut command =
        cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-run", "--message-format=json"]);
    let output = command.stderr(Stdio::null()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the tests do not compile");
    }
    let mut programs: Vec<(PathBuf, PathBuf)> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| live_program(&serde_json::from_slice(line).ok()?))
        .collect();
    programs.sort();
    if programs.is_empty() {
        bail!("cargo named no integration tests");
    }
    Ok(programs)
}

/// Libraries that do not depend on what Elasticsearch they meet.
const WITHOUT_ELASTICSEARCH: [&str; 2] = ["es-assets", "es-testing"];

/// The program that a message of cargo announces, if it is the integration tests of a library
/// that talks to Elasticsearch.
fn live_program(message: &Value) -> Option<(PathBuf, PathBuf)> {
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    let name = folder.file_name()?.to_str()?;
    let is_library = name.starts_with("es-") && !WITHOUT_ELASTICSEARCH.contains(&name);
    let is_live = message["target"]["name"] == "it" && message["target"]["kind"][0] == "test";
    (is_library && is_live).then_some((folder.to_owned(), message["executable"].as_str()?.into()))
}

/// Leads tests to these nodes, and to nothing else.
fn lead_to(command: &mut Command, ready: &Ready, ledger: &Path) {
    command.env("ES_TESTING_LEDGER", ledger);
    if ready.variables.iter().any(|(key, _)| key == "ELASTICSEARCH_URL") {
        // Credentials of another node must not reach this one.
        for name in ["API_KEY", "USER", "PASSWORD", "CA_CERT"] {
            command.env_remove(format!("ELASTICSEARCH_{name}"));
        }
    }
    command.envs(ready.variables.iter().map(|(key, value)| (key, value)));
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = workspace::cargo();
    command.current_dir(workspace::root()).args(arguments);
    command
}

/// In CI the versions are those that were committed.
fn lock_in_ci(command: &mut Command) {
    if in_ci() {
        command.arg("--locked");
    }
}

fn succeed(mut command: Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo ended with {status}");
    }
    Ok(())
}

/// Runs a `cargo test`, shows what it prints, and reads the counts from it.
fn run_tests(mut command: Command, counts: &mut Counts) -> Result<()> {
    if in_ci() {
        // The same cases each time, so that a change is judged by itself and not by the dice.
        // Everywhere else property tests draw new ones.
        command.env("PROPTEST_RNG_SEED", "20261121");
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let (sender, lines) = mpsc::channel();
    let readers = [
        child.stdout.take().map(|stream| forward(stream, sender.clone(), false)),
        child.stderr.take().map(|stream| forward(stream, sender, true)),
    ];
    let mut run = Counts::default();
    let mut skipped = Vec::new();
    for (line, is_error) in lines {
        if is_error {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
        if line.starts_with("SKIPPED ") {
            skipped.push(line);
        } else {
            run.read(&line);
        }
    }
    for reader in readers.into_iter().flatten() {
        let _ = reader.join();
    }
    // Read last: a skip takes away from a pass that was counted before.
    skipped.iter().for_each(|line| run.read(line));
    counts.add(run);
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("cargo ended with {status}");
    }
    Ok(())
}

fn forward(
    stream: impl Read + Send + 'static,
    lines: mpsc::Sender<(String, bool)>,
    is_error: bool,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            if lines.send((line, is_error)).is_err() {
                return;
            }
            bytes.clear();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integration_tests_of_libraries_are_found_in_cargo_s_messages() {
        let message = |folder: &str, target: &str, kind: &str| {
            serde_json::json!({
                "reason": "compiler-artifact",
                "manifest_path": format!("/w/crates/{folder}/Cargo.toml"),
                "target": { "kind": [kind], "name": target },
                "executable": "/t/it-0",
            })
        };
        let found = live_program(&message("es-core", "it", "test"));
        assert_eq!(found, Some(("/w/crates/es-core".into(), "/t/it-0".into())));
        assert_eq!(live_program(&message("orchestrator", "it", "test")), None);
        assert_eq!(live_program(&message("es-assets", "it", "test")), None);
        assert_eq!(live_program(&message("es-core", "es_core", "lib")), None);
        assert_eq!(live_program(&serde_json::json!({ "reason": "build-finished" })), None);
    }
}
