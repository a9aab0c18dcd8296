//! One load: the same command, however often it is given.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::last_lines;

/// How long a load may take, whatever is done to it. Longer than the program's own patience.
const LOAD_LIMIT: Duration = Duration::from_secs(900);

/// How often a running load is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Everything that tells what is loaded to where.
pub(super) struct Load {
    pub(super) program: PathBuf,
    /// Where the command is given, and where the program keeps its place.
    pub(super) folder: PathBuf,
    pub(super) files: Vec<PathBuf>,
    pub(super) index: String,
    pub(super) url: String,
    pub(super) options: Vec<&'static str>,
}

impl Load {
    /// The same load by another way to the node.
    pub(super) fn through(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }

    /// Gives the command.
    pub(super) fn start(&self) -> Result<Running> {
        let log = self.folder.join("load.log");
        let output = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| leads_elsewhere(name)) {
            command.env_remove(name);
        }
        let child = command
            .arg("-C")
            .arg(&self.folder)
            .args(["-q", "--json", "ingest"])
            .args(&self.files)
            .args(["--to", &self.index, "--id", "id"])
            .args(&self.options)
            .env("ELASTICSEARCH_URL", &self.url)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Running { child, started: Instant::now(), log })
    }

    /// Gives the command and waits for its end, which has to be a good one.
    pub(super) fn run(&self) -> Result<Duration> {
        let mut running = self.start()?;
        running.finish()?;
        Ok(running.started.elapsed())
    }
}

/// Whether a variable of the caller could lead the program to another cluster.
fn leads_elsewhere(variable: &OsStr) -> bool {
    ["ELASTICSEARCH_", "ELASTIC_"].iter().any(|prefix| variable.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

/// A load under way. It is killed when it is dropped.
pub(super) struct Running {
    child: Child,
    started: Instant,
    log: PathBuf,
}

impl Running {
    /// Whether the load has ended well; a bad end is an error.
    pub(super) fn has_ended(&mut self) -> Result<bool> {
        match self.child.try_wait().context("cannot wait for the load")? {
            Some(status) => judge(status, &self.log).map(|()| true),
            None if self.started.elapsed() > LOAD_LIMIT => {
                bail!("a load does not end within {} s:\n{}", LOAD_LIMIT.as_secs(), said(&self.log))
            }
            None => Ok(false),
        }
    }

    /// Waits until the load has ended well or the time is over; tells which.
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

    /// Waits for the good end.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.ends_within(LOAD_LIMIT + GLANCE).map(drop)
    }

    /// Ends the process as `kill -9` does.
    pub(super) fn kill(mut self) -> Result<()> {
        self.child.kill().context("cannot kill the load")?;
        self.child.wait().context("cannot wait for the load")?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn judge(status: ExitStatus, log: &Path) -> Result<()> {
    if !status.success() {
        bail!("a load ended with {status}:\n{}", said(log));
    }
    Ok(())
}

fn said(log: &Path) -> String {
    last_lines(&std::fs::read_to_string(log).unwrap_or_default(), 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(program: &str) -> (Load, PathBuf) {
        let folder = std::env::temp_dir().join(format!("xtask-load-{}-{program}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let program = PathBuf::from(program);
        let load = Load {
            program,
            folder: folder.clone(),
            files: vec![],
            index: "i".into(),
            url: "u".into(),
            options: vec![],
        };
        (load, folder)
    }

    #[test]
    fn a_bad_end_is_an_error() {
        let (good, good_folder) = load("true");
        good.run().unwrap();
        let (bad, bad_folder) = load("false");
        assert!(bad.run().unwrap_err().to_string().starts_with("a load ended with exit status: 1"));
        std::fs::remove_dir_all(good_folder).unwrap();
        std::fs::remove_dir_all(bad_folder).unwrap();
    }

    #[test]
    fn the_callers_cluster_is_not_the_loads() {
        for (name, leads) in
            [("ELASTICSEARCH_URL", true), ("ELASTIC_CLOUD_ID", true), ("ES_IMAGE", false), ("PATH", false)]
        {
            assert_eq!(leads_elsewhere(OsStr::new(name)), leads, "{name}");
        }
    }
}
