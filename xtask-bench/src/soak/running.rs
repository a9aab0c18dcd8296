//! A run of the program: started, awaited, killed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use xtask::process::last_lines;

/// The time limit of a command under any fault. It exceeds the program's own time limits.
const LIMIT: Duration = Duration::from_secs(900);

/// The time between two checks of a running program.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A command of the program.
pub(super) struct Invocation<'a> {
    /// The name of the command in messages, and of its log.
    pub(super) what: &'static str,
    pub(super) program: &'a Path,
    /// The working folder, which also gets the log.
    pub(super) folder: &'a Path,
    pub(super) arguments: Vec<OsString>,
    /// The address of the node.
    pub(super) url: &'a str,
    /// The index prefix, where it is not the one of the pipeline.
    pub(super) prefix: Option<&'a str>,
}

impl Invocation<'_> {
    /// Starts the program. Its output goes to the log.
    pub(super) fn start(&self) -> Result<Running> {
        let log = self.folder.join(format!("{}.log", self.what));
        let output = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut process = Command::new(self.program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| selects_a_cluster(name)) {
            process.env_remove(name);
        }
        let child = process
            .arg("-C")
            .arg(self.folder)
            .args(["-q", "--json"])
            .args(&self.arguments)
            .env("ELASTICSEARCH_URL", self.url)
            .envs(self.prefix.map(|prefix| ("ELASTICSEARCH_INDEX_PREFIX", prefix)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Running { what: self.what, child, started: Instant::now(), log })
    }
}

/// A running program. It is killed when it is dropped.
pub(super) struct Running {
    what: &'static str,
    child: Child,
    started: Instant,
    log: PathBuf,
}

impl Running {
    /// Returns true once it has succeeded; a failure is an error.
    pub(super) fn has_ended(&mut self) -> Result<bool> {
        let what = self.what;
        match self.child.try_wait().with_context(|| format!("cannot wait for the {what}"))? {
            Some(status) => check_status(what, status, &self.log).map(|()| true),
            None if self.started.elapsed() > LIMIT => {
                bail!("the {what} did not end within {} s:\n{}", LIMIT.as_secs(), tail_of(&self.log))
            }
            None => Ok(false),
        }
    }

    /// Waits until it has succeeded or the time has passed. Returns true if it has succeeded.
    pub(super) fn ends_within(&mut self, time: Duration) -> Result<bool> {
        let started = Instant::now();
        while !self.has_ended()? {
            let left = time.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            std::thread::sleep(left.min(POLL_INTERVAL));
        }
        Ok(true)
    }

    /// Waits until it has succeeded, and returns the time since its start.
    pub(super) fn finish(&mut self) -> Result<Duration> {
        self.ends_within(LIMIT + POLL_INTERVAL)?;
        Ok(self.started.elapsed())
    }

    /// The output so far.
    pub(super) fn printed(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| format!("cannot read {}", self.log.display()))
    }

    /// Kills the process with SIGKILL.
    pub(super) fn kill(mut self) -> Result<()> {
        let what = self.what;
        self.child.kill().with_context(|| format!("cannot kill the {what}"))?;
        self.child.wait().with_context(|| format!("cannot wait for the {what}"))?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns true if a variable of the caller could point the program at another cluster.
fn selects_a_cluster(variable: &OsStr) -> bool {
    ["ELASTICSEARCH_", "ELASTIC_"].iter().any(|prefix| variable.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

fn check_status(what: &str, status: ExitStatus, log: &Path) -> Result<()> {
    if !status.success() {
        bail!("the {what} ended with {status}:\n{}", tail_of(log));
    }
    Ok(())
}

fn tail_of(log: &Path) -> String {
    last_lines(&std::fs::read_to_string(log).unwrap_or_default(), 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_an_error() {
        let folder = std::env::temp_dir().join(format!("xtask-running-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let start = |program: &str| {
            let program = Path::new(program);
            let load =
                Invocation { what: "load", program, folder: &folder, arguments: Vec::new(), url: "u", prefix: None };
            load.start().unwrap()
        };
        start("true").finish().unwrap();
        let error = start("false").finish().unwrap_err();
        assert!(error.to_string().starts_with("the load ended with exit status: 1"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn variables_of_the_caller_do_not_select_the_cluster() {
        for (name, selects) in
            [("ELASTICSEARCH_URL", true), ("ELASTIC_CLOUD_ID", true), ("ES_IMAGE", false), ("PATH", false)]
        {
            assert_eq!(selects_a_cluster(OsStr::new(name)), selects, "{name}");
        }
    }
}
