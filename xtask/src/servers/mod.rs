//! `cargo xtask servers`: real model servers, and the conformance suite of es-serving against each.
//!
//! A server is a line of [`SERVERS`] and two files in `crates/es-serving/tests/servers`: a program of Python
//! that becomes the server (`NAME_server.py PORT FOLDER PORT PORT`, of which the last two are free for
//! other protocols), and the packages that it needs (`requirements-NAME.txt`). The tests that it is run
//! against are those whose names have `a_real_NAME_`, and they find it by `SERVING_TEST_NAME_URL`.

mod python;
mod running;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::ci::in_ci;
use crate::ci::tests_output::Counts;
use crate::{process, venv, workspace};
use python::Python;
use running::Running;

/// The programs and the packages of the servers, from the workspace's root.
const PROGRAMS: &str = "crates/es-serving/tests/servers";

/// The time limit for the tests of one server.
const TEST_LIMIT: Duration = Duration::from_secs(300);

/// A model server.
struct Server {
    name: &'static str,
    python: Python,
    /// The path that answers 200 once the server serves.
    ready: &'static str,
    /// `cargo xtask ci` runs it: its packages are small enough, and any Python that it takes will do.
    in_ci: bool,
}

const SERVERS: [Server; 4] = [
    Server { name: "mlserver", python: Python::OnPath(9, 12), ready: "/v2/health/ready", in_ci: true },
    Server { name: "kserve", python: Python::OnPath(10, 13), ready: "/v2/health/ready", in_ci: true },
    // Its Python backend is linked to the library of the system's own interpreter.
    Server { name: "triton", python: Python::OfTheSystem(9, 13), ready: "/v2/health/ready", in_ci: false },
    Server { name: "mlflow", python: Python::OnPath(10, 13), ready: "/ping", in_ci: false },
];

#[derive(Args)]
pub(crate) struct ServersArgs {
    /// Run these servers; all of them without any
    #[arg(value_name = "NAME", value_parser = SERVERS.map(|server| server.name))]
    names: Vec<String>,
}

/// The outcome of one server.
enum Verdict {
    Passed {
        tests: usize,
        /// Lines of the tests about what they measured.
        measured: Vec<String>,
    },
    Failed(String),
    /// The machine cannot have it.
    Unavailable(String),
}

/// The compiled integration tests of es-serving, and the folder that they run in.
pub(crate) struct TestProgram {
    pub(crate) folder: PathBuf,
    pub(crate) program: PathBuf,
}

pub(crate) fn run(args: &ServersArgs) -> Result<ExitCode> {
    let wanted = |server: &&Server| args.names.is_empty() || args.names.iter().any(|name| name == server.name);
    let servers: Vec<&Server> = SERVERS.iter().filter(wanted).collect();
    let tests = compiled()?;
    let mut counts = Counts::default();
    let unavailable = each(&servers, &tests, &mut counts)?;
    Ok(if unavailable.is_empty() || !in_ci() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the servers of `cargo xtask ci`, and returns those that this machine cannot have, with the reasons.
///
/// # Errors
/// When a server does not pass; with `CI=true` also when one cannot be had.
pub(crate) fn run_in_ci(tests: &TestProgram, counts: &mut Counts) -> Result<Vec<String>> {
    let servers: Vec<&Server> = SERVERS.iter().filter(|server| server.in_ci).collect();
    let unavailable = each(&servers, tests, counts)?;
    if in_ci() && !unavailable.is_empty() {
        bail!("{}", unavailable.join("; "));
    }
    Ok(unavailable.into_iter().map(|reason| format!("servers: {reason}")).collect())
}

/// Runs servers one after another, with a line for each, and returns those that cannot be had.
fn each(servers: &[&Server], tests: &TestProgram, counts: &mut Counts) -> Result<Vec<String>> {
    // In a run of all checks the handler of the nodes is there already, and ends servers too.
    let _ = process::at_interrupt(|| ());
    let (mut failed, mut unavailable) = (Vec::new(), Vec::new());
    for server in servers {
        let started = Instant::now();
        let verdict = server.verdict(tests);
        println!("{}", line(server.name, &verdict, started.elapsed()));
        match verdict {
            Verdict::Passed { tests, measured } => {
                counts.passed += tests;
                measured.iter().for_each(|measured| println!("           {measured}"));
            }
            Verdict::Failed(_) => {
                counts.failed += 1;
                failed.push(server.name);
            }
            Verdict::Unavailable(reason) => {
                unavailable.push(format!("{}: {}", server.name, reason.lines().next().unwrap_or_default()));
            }
        }
    }
    match failed.as_slice() {
        [] => Ok(unavailable),
        some => bail!("{} did not pass", some.join(", ")),
    }
}

fn line(name: &str, verdict: &Verdict, took: Duration) -> String {
    let took = took.as_secs();
    match verdict {
        Verdict::Passed { tests, .. } => format!("{name:<10} passed: {tests} tests ({took} s)"),
        Verdict::Failed(reason) => format!("{name:<10} failed ({took} s): {reason}"),
        Verdict::Unavailable(reason) => format!("{name:<10} cannot be had: {reason}"),
    }
}

impl Server {
    fn verdict(&self, tests: &TestProgram) -> Verdict {
        let environment = match self.environment() {
            Ok(environment) => environment,
            Err(error) => return Verdict::Unavailable(format!("{error:#}")),
        };
        match self.tested(&environment, tests) {
            Ok((tests, measured)) => Verdict::Passed { tests, measured },
            Err(error) => Verdict::Failed(format!("{error:#}")),
        }
    }

    /// The virtual environment with its packages, which are installed unless they are there.
    fn environment(&self) -> Result<PathBuf> {
        let file = workspace::root().join(PROGRAMS).join(format!("requirements-{}.txt", self.name));
        let packages = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let folder = folder()?.join(format!("venv-{}", self.name));
        venv::ensure_by(|| self.python.find(), &folder, &format!("the packages of {}", self.name), &packages)?;
        Ok(folder)
    }

    /// Starts the server, and runs its tests. The server is stopped in any case.
    fn tested(&self, environment: &Path, tests: &TestProgram) -> Result<(usize, Vec<String>)> {
        let files = folder()?.join(format!("files-{}", self.name));
        workspace::empty_folder(&files)?;
        let [port, second, third] = free_ports()?;
        let mut command = Command::new(venv::interpreter(environment));
        command.arg(workspace::root().join(PROGRAMS).join(format!("{}_server.py", self.name)));
        command.arg(port.to_string()).arg(files.join("models")).args([second.to_string(), third.to_string()]);
        command.current_dir(&files).env("PATH", path_with(&environment.join("bin"))?);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let url = format!("http://127.0.0.1:{port}");
        let mut running = Running::start(&mut command, &folder()?.join(format!("{}.log", self.name)))?;
        running.wait_until_ready(&url, self.ready)?;
        let outcome = self.run_tests(tests, &url);
        outcome.map_err(|error| error.context(format!("the log of the server is {}", running.log().display())))
    }

    fn run_tests(&self, tests: &TestProgram, url: &str) -> Result<(usize, Vec<String>)> {
        let variable = format!("SERVING_TEST_{}_URL", self.name.to_uppercase());
        let mut command = Command::new(&tests.program);
        command.arg(format!("a_real_{}_", self.name)).args(["--nocapture", "--test-threads", "1"]);
        command.current_dir(&tests.folder).env(&variable, url);
        let Some(finished) = process::run_within(&mut command, TEST_LIMIT, || ())? else {
            bail!("its tests do not end within {} s", TEST_LIMIT.as_secs());
        };
        if !finished.status.success() {
            bail!("its tests failed:\n{}", finished.tail());
        }
        let mut counts = Counts::default();
        finished.stdout.lines().for_each(|line| counts.read(line));
        // A filter that no test matches, and a test that does not see the variable, pass too.
        if counts.passed == 0 || finished.stderr.contains("skipped: ") {
            bail!("no test ran against it, or one that does not read {variable}");
        }
        let measured = finished.stdout.lines().filter_map(|line| Some(&line[line.find("measured: ")?..]));
        Ok((counts.passed, measured.map(str::to_owned).collect()))
    }
}

/// The folder of environments, models and logs.
fn folder() -> Result<PathBuf> {
    let folder = workspace::root().join("target/servers");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// Ports of this machine that nothing listens on, each once.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    // All are held until the last is known, so that none comes twice.
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn path_with(first: &Path) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(first.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("a folder of the PATH has a colon in its name")
}

/// Compiles the tests of es-serving alone.
fn compiled() -> Result<TestProgram> {
    let arguments = ["test", "--package", "es-serving", "--test", "it", "--no-run"];
    let output = workspace::cargo()
        .current_dir(workspace::root())
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`cargo {}` failed", arguments.join(" "));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let program = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let is_it = message["target"]["name"] == "it" && message["target"]["kind"][0] == "test";
        is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    let program = program.context("cargo named no integration tests of es-serving")?;
    Ok(TestProgram { folder: workspace::root().join("crates/es-serving"), program })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_its_program_its_packages_and_its_tests() {
        let root = workspace::root();
        let folder = root.join("crates/es-serving/tests/it");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let tests: String =
            files.filter(|path| path.is_file()).map(|path| std::fs::read_to_string(path).unwrap()).collect();
        for server in &SERVERS {
            for file in [format!("{}_server.py", server.name), format!("requirements-{}.txt", server.name)] {
                assert!(root.join(PROGRAMS).join(&file).is_file(), "{file}");
            }
            for name in
                [format!("fn a_real_{}_", server.name), format!("SERVING_TEST_{}_URL", server.name.to_uppercase())]
            {
                assert!(tests.contains(&name), "{name}");
            }
        }
        assert!(SERVERS.iter().any(|server| server.in_ci));
    }

    #[test]
    fn each_outcome_is_a_line() {
        let took = Duration::from_secs(7);
        let passed = Verdict::Passed { tests: 2, measured: Vec::new() };
        assert_eq!(line("kserve", &passed, took), "kserve     passed: 2 tests (7 s)");
        let failed = Verdict::Failed("its tests failed".to_owned());
        assert_eq!(line("mlserver", &failed, took), "mlserver   failed (7 s): its tests failed");
        let absent = Verdict::Unavailable("no Python".to_owned());
        assert_eq!(line("triton", &absent, took), "triton     cannot be had: no Python");
    }

    #[test]
    fn ports_are_all_different() {
        let ports: [u16; 8] = free_ports().unwrap();
        let distinct: std::collections::BTreeSet<u16> = ports.into_iter().collect();
        assert_eq!(distinct.len(), ports.len());
    }
}
