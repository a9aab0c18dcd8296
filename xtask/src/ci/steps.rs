//! The steps that call cargo, and those of the consumers of exports and of model servers.

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
use crate::compile::{self, Executable};
use crate::servers::{self, TestProgram};
use crate::{consumers, onnxruntime, text_model, workspace};

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
    // Examples have no documentation. Selecting them makes cargo choose the dependencies' features as
    // clippy did, so that they are not compiled twice.
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

/// Runs the unit tests.
///
/// They are selected as [`test`] selects them, so that nothing is compiled twice.
pub(crate) fn unit(counts: &mut Counts) -> Result<()> {
    run_tests(cargo(&["test", "--workspace", "--lib", "--bins", "--no-fail-fast"]), counts)
}

pub(crate) fn doctest(counts: &mut Counts) -> Result<()> {
    let command = cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]);
    run_tests(command, counts)
}

/// Reads exported files with the usual packages; each package counts as a test.
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

/// Runs the conformance suite against the model servers of CI. Returns those that cannot be had here.
pub(crate) fn servers(counts: &mut Counts) -> Result<Vec<String>> {
    let programs = live_programs()?.into_iter().map(|(folder, program)| TestProgram { folder, program });
    let tests = programs.into_iter().find(|tests| tests.folder.ends_with("es-serving"));
    servers::run_in_ci(&tests.context("cargo named no integration tests of es-serving")?, counts)
}

/// The example of a kind that a program outside of this workspace could register.
const OWN_KIND: &str = "own_kind";

/// Runs [`OWN_KIND`] against the plain node. Returns why it was skipped, if it was.
pub(crate) fn own_kind(nodes: Option<&mut TestNodes>) -> Result<Vec<String>> {
    let source = Path::new("crates/orchestrator/examples").join(OWN_KIND).with_extension("rs");
    if !workspace::root().join(&source).is_file() {
        return Ok(vec![format!("own kind: there is no {}", source.display())]);
    }
    let ready = nodes.map(TestNodes::ready).transpose()?.unwrap_or_default();
    if ready.variables.is_empty() && std::env::var_os("ELASTICSEARCH_URL").is_none() {
        return Ok(vec!["own kind: there is no Elasticsearch".to_owned()]);
    }
    // The same selection as for generated files, so that no dependency is compiled twice.
    let messages = compile::build(&["--workspace", "--bins", "--examples"])?;
    let program = compile::executable_in(&messages, Executable::example(OWN_KIND))?;
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    point_to(&mut command, &ready);
    succeed(command)?;
    Ok(Vec::new())
}

/// Runs the tests, and returns what the live ones ran against.
pub(crate) fn test(nodes: Option<&mut TestNodes>, counts: &mut Counts) -> (Result<()>, Option<LiveTests>) {
    with_nodes(nodes, |ready, ledger| {
        let mut command = cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]);
        lead_to(&mut command, ready, ledger);
        run_tests(command, counts)
    })
}

/// Runs only the integration tests of the libraries.
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

/// The compiled integration tests of the library crates: the folder that each runs in, and the program.
fn live_programs() -> Result<Vec<(PathBuf, PathBuf)>> {
    // The same selection as the other steps, so that nothing is compiled twice.
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
const WITHOUT_ELASTICSEARCH: [&str; 3] = ["es-assets", "es-testing", "es-values"];

/// The program that a message of cargo announces, if it is the integration tests of a library
/// that talks to Elasticsearch.
fn live_program(message: &Value) -> Option<(PathBuf, PathBuf)> {
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    let name = folder.file_name()?.to_str()?;
    let is_library = name.starts_with("es-") && !WITHOUT_ELASTICSEARCH.contains(&name);
    let is_live = message["target"]["name"] == "it" && message["target"]["kind"][0] == "test";
    (is_library && is_live).then_some((folder.to_owned(), message["executable"].as_str()?.into()))
}

/// Points tests at these nodes alone, at the file where live tests note that they ran, at ONNX Runtime and at the
/// model of texts.
fn lead_to(command: &mut Command, ready: &Ready, ledger: &Path) {
    command.env("ES_TESTING_LEDGER", ledger);
    match onnxruntime::library() {
        Ok(library) => {
            command.env(onnxruntime::VARIABLE, library);
        }
        Err(error) => println!("no ONNX Runtime: {error:#}"),
    }
    match text_model::folder() {
        Ok(folder) => {
            command.env(text_model::VARIABLE, folder);
        }
        Err(error) => println!("no model of texts: {error:#}"),
    }
    point_to(command, ready);
}

/// Points a program at these nodes alone.
fn point_to(command: &mut Command, ready: &Ready) {
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

/// Uses the committed versions of dependencies in CI.
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
        // The same cases in each run, so that the outcome depends on the change alone. Everywhere else
        // property tests draw new ones.
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
    // Read last: a skip reduces the number of passes counted before.
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
