//! A program as a process: a group of its own that does not outlive the step, within a time limit,
//! with what it prints captured and logged. What it is given and what becomes of its result are left
//! to the kind.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use es_values::TimeSpan;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::output::{Splitter, Tail};
use crate::error::{Error, ErrorKind, Result};

/// The time that a program has to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// The time that processes which a program left behind may keep its output open.
const LEFT_OPEN: Duration = Duration::from_secs(2);
/// The lines that an error shows.
const SHOWN_LINES: usize = 10;

/// A program that is to be run.
#[derive(Debug)]
pub(super) struct Program {
    /// The name that messages have for it.
    pub(super) name: String,
    /// The asset that it makes.
    pub(super) asset: String,
    /// The file.
    pub(super) path: PathBuf,
    /// The arguments.
    pub(super) arguments: Vec<String>,
    /// The working folder.
    pub(super) folder: PathBuf,
    /// All its variables.
    pub(super) variables: BTreeMap<String, OsString>,
    /// The file on standard input; without it, nothing is.
    pub(super) stdin: Option<File>,
    /// The file that takes standard output; without it, the output is captured.
    pub(super) stdout: Option<File>,
    /// The longest time that it may run.
    pub(super) timeout: TimeSpan,
}

/// A program that succeeded.
#[derive(Debug)]
pub(super) struct Succeeded {
    /// The exit code, which is 0.
    pub(super) code: i32,
    /// The duration.
    pub(super) took: Duration,
    /// The last lines that it printed.
    pub(super) output: Vec<String>,
}

/// The ways in which a program ends.
#[derive(Debug)]
enum Ending {
    Exited(ExitStatus),
    TimedOut,
    Cancelled,
}

/// The errors of running a program.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not be started.
    Start(std::io::Error),
    /// It failed, or was ended.
    Run(Error),
}

impl Program {
    /// Runs the program to its end. Of the processes in its group none is left afterwards, nor when
    /// this is dropped before.
    ///
    /// # Errors
    /// When it cannot be started, fails, runs too long, or is cancelled.
    pub(super) async fn run(self, cancel: &CancellationToken) -> Result<Succeeded, Failure> {
        let started = Instant::now();
        let name = self.name.clone();
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).current_dir(&self.folder).env_clear().envs(&self.variables);
        command.stdin(self.stdin.map_or_else(Stdio::null, Stdio::from));
        command.stdout(self.stdout.map_or_else(Stdio::piped, Stdio::from)).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(Failure::Start)?;
        let mut group = Group::of(&child);
        debug!(asset = self.asset, path = %self.path.display(), process = child.id(), "started the program");
        let tail = Arc::new(Mutex::new(Tail::default()));
        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(capture(stdout, "stdout", self.asset.clone(), tail.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(capture(stderr, "stderr", self.asset.clone(), tail.clone()));
        }
        let ending = tokio::select! {
            biased;
            status = child.wait() => Ending::Exited(status.map_err(|error| lost(&name, &error))?),
            () = cancel.cancelled() => Ending::Cancelled,
            () = tokio::time::sleep(self.timeout.to_duration()) => Ending::TimedOut,
        };
        let took = started.elapsed();
        if matches!(ending, Ending::Exited(_)) {
            // Processes that it left behind may have its output open.
            let _ = timeout(LEFT_OPEN, drain(&mut readers)).await;
        } else {
            group.send(Signal::TERM);
            let ended = async {
                let _ = child.wait().await;
                drain(&mut readers).await;
            };
            let _ = timeout(GRACE, ended).await;
        }
        group.send(Signal::KILL);
        child.wait().await.map_err(|error| lost(&name, &error))?;
        group.forget();
        let tail = std::mem::take(&mut *tail.lock().unwrap_or_else(PoisonError::into_inner));
        ended(&name, self.timeout, ending, took, tail).map_err(Failure::Run)
    }
}

fn lost(name: &str, error: &std::io::Error) -> Failure {
    Failure::Run(Error::failed(format!("`{name}` was lost sight of: {error}")))
}

/// The end of a program as a result.
fn ended(name: &str, limit: TimeSpan, ending: Ending, duration: Duration, tail: Tail) -> Result<Succeeded> {
    let lines: String = tail.last_lines(SHOWN_LINES).map(|line| format!("\n  {line}")).collect();
    let shown = (!lines.is_empty()).then(|| format!("the last lines of its output:{lines}"));
    let status = match ending {
        Ending::Exited(status) => status,
        Ending::Cancelled => {
            return Err(Error::new(ErrorKind::Interrupted, format!("interrupted while `{name}` was running")));
        }
        Ending::TimedOut => {
            let message = format!("`{name}` was ended as it ran longer than {limit}, the `timeout` of the asset");
            let help = "raise `timeout` if the program needs the time".to_owned();
            let help = [Some(help), shown].into_iter().flatten().collect::<Vec<_>>().join("\n");
            return Err(Error::failed(message).with_help(Some(help)));
        }
    };
    if let (true, Some(code)) = (status.success(), status.code()) {
        return Ok(Succeeded { code, took: duration, output: tail.into_lines() });
    }
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("failed with exit code {code}"),
        (None, Some(signal)) => format!("was ended by {}", signal_name(signal)),
        (None, None) => format!("failed: {status}"),
    };
    let said = tail.last().map_or_else(|| " and printed nothing".to_owned(), |line| format!(": {line}"));
    Err(Error::failed(format!("`{name}` {how}{said}")).with_help(shown))
}

fn signal_name(number: i32) -> String {
    let named = [
        (Signal::KILL, "SIGKILL, as by a system that is out of memory"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::TERM, "SIGTERM"),
        (Signal::INT, "SIGINT"),
    ];
    let name = named.into_iter().find(|(signal, _)| signal.as_raw() == number);
    name.map_or_else(|| format!("signal {number}"), |(_, name)| name.to_owned())
}

/// Reads a stream to its end, line by line, into the log and the tail.
async fn capture(mut stream: impl AsyncRead + Unpin, name: &'static str, asset: String, tail: Arc<Mutex<Tail>>) {
    let mut splitter = Splitter::default();
    let mut buffer = vec![0; 8 * 1024];
    let take = |line: String| {
        info!(asset, stream = name, "{line}");
        tail.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    };
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => splitter.push(&buffer[..read], take),
            Err(error) => {
                debug!(asset, stream = name, %error, "the output of the program cannot be read on");
                break;
            }
        }
    }
    splitter.end(take);
}

async fn drain(readers: &mut JoinSet<()>) {
    while readers.join_next().await.is_some() {}
}

/// The processes of a program. They are killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    /// The group that a child leads.
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    fn send(&self, signal: Signal) {
        if let Some(id) = self.0 {
            // A group without processes is what is wanted.
            let _ = kill_process_group(id, signal);
        }
    }

    fn forget(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.send(Signal::KILL);
    }
}
