//! The program at work: started with a command, watched, ended, killed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use xtask::process::last_lines;

/// How long one command may take, whatever is done to it. Longer than the program's own patience.
const LIMIT: Duration = Duration::from_secs(900);

/// How often a running program is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// A program under way. It is killed when it is dropped.
pub(super) struct Running {
    what: &'static str,
    child: Child,
    started: Instant,
    log: PathBuf,
}

impl Running {
    /// Gives the program a command in a folder, on the node at an address. What it prints goes
    /// to a log in that folder.
    pub(super) fn start(
        what: &'static str,
        program: &Path,
        folder: &Path,
        command: &[OsString],
        url: &str,
    ) -> Result<Self> {
        let log = folder.join(format!("{what}.log"));
        let output = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut process = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| leads_elsewhere(name)) {
            process.env_remove(name);
        }
        let child = process
            .arg("-C")
            .arg(folder)
            .args(["-q", "--json"])
            .args(command)
            .env("ELASTICSEARCH_URL", url)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { what, child, started: Instant::now(), log })
    }

    /// Whether it has ended well; a bad end is an error.
    pub(super) fn has_ended(&mut self) -> Result<bool> {
        let what = self.what;
        match self.child.try_wait().with_context(|| format!("cannot wait for the {what}"))? {
            Some(status) => judge(what, status, &self.log).map(|()| true),
            None if self.started.elapsed() > LIMIT => {
                bail!("the {what} does not end within {} s:\n{}", LIMIT.as_secs(), said(&self.log))
            }
            None => Ok(false),
        }
    }

    /// Waits until it has ended well or the time is over; tells which.
    pub(super) fn ends_within(&mut self, time: Duration) -> Result<bool> {
        let started = Instant::now();
        while !self.has_ended()? {
            let left = time.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            std::thread::sleep(left.min(GLANCE));
        }
        Ok(true)
    }

    /// Waits for the good end; returns how long it took from the start.
    pub(super) fn finish(&mut self) -> Result<Duration> {
        self.ends_within(LIMIT + GLANCE)?;
        Ok(self.started.elapsed())
    }

    /// Ends the process as `kill -9` does.
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

/// Whether a variable of the caller could lead the program to another cluster.
fn leads_elsewhere(variable: &OsStr) -> bool {
    ["ELASTICSEARCH_", "ELASTIC_"].iter().any(|prefix| variable.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

fn judge(what: &str, status: ExitStatus, log: &Path) -> Result<()> {
    if !status.success() {
        bail!("the {what} ended with {status}:\n{}", said(log));
    }
    Ok(())
}

fn said(log: &Path) -> String {
    last_lines(&std::fs::read_to_string(log).unwrap_or_default(), 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_end_is_an_error() {
        let folder = std::env::temp_dir().join(format!("xtask-running-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let start = |program: &str| Running::start("load", Path::new(program), &folder, &[], "u").unwrap();
        start("true").finish().unwrap();
        let error = start("false").finish().unwrap_err();
        assert!(error.to_string().starts_with("the load ended with exit status: 1"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_callers_cluster_is_not_the_programs() {
        for (name, leads) in
            [("ELASTICSEARCH_URL", true), ("ELASTIC_CLOUD_ID", true), ("ES_IMAGE", false), ("PATH", false)]
        {
            assert_eq!(leads_elsewhere(OsStr::new(name)), leads, "{name}");
        }
    }
}
