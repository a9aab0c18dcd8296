//! A server that runs, in a process group of its own, until it is dropped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http::{Auth, Client};
use crate::process::{self, Group};

/// The time limit for a server to serve.
const READY_LIMIT: Duration = Duration::from_secs(180);
/// The time limit of one request, and the wait between two.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_millis(250);
/// Lines of the log in an error.
const LOG_LINES: usize = 15;

pub(super) struct Running {
    group: Group,
    log: PathBuf,
}

impl Running {
    /// Starts a server, with a file for what it says.
    pub(super) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let other = file.try_clone().with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file).stderr(other);
        Ok(Self { group: Group::spawn(command)?, log: log.to_owned() })
    }

    /// The file with what it says.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until a path answers 200.
    ///
    /// # Errors
    /// When the server ends, or does not serve within the limit.
    pub(super) fn wait_until_ready(&mut self, url: &str, path: &str) -> Result<()> {
        let client = Client::new(url, Auth::None, None, ANSWER_LIMIT)?;
        let started = Instant::now();
        loop {
            if let Ok((200, _)) = client.get(path) {
                return Ok(());
            }
            if let Some(status) = self.group.ended()? {
                bail!("it ended with {status} before it served:\n{}", self.last_lines());
            }
            if started.elapsed() >= READY_LIMIT {
                bail!("it does not serve within {} s:\n{}", READY_LIMIT.as_secs(), self.last_lines());
            }
            std::thread::sleep(WAIT);
        }
    }

    fn last_lines(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        process::last_lines(&String::from_utf8_lossy(&bytes), LOG_LINES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_is_told_with_its_last_words() {
        let log = std::env::temp_dir().join(format!("xtask-server-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "echo starting; echo no such module >&2; exit 3"]);
        let mut running = Running::start(&mut command, &log).unwrap();
        // Nothing listens there.
        let error = running.wait_until_ready("http://127.0.0.1:9", "/ready").unwrap_err();
        assert_eq!(error.to_string(), "it ended with exit status: 3 before it served:\nstarting\nno such module");
        std::fs::remove_file(&log).unwrap();
    }
}
