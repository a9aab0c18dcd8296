//! The fault proxy of `es-testing`, run as a process: its commands are documented there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// A running proxy. It ends when it is dropped.
pub(crate) struct FaultProxy {
    child: Child,
    /// Closed to end the process.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    url: String,
}

/// The counts of bulk requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    /// Bytes of the bodies that came from the client.
    pub(crate) bytes: u64,
    /// Replies that were lost after the node had applied the request.
    pub(crate) lost: u64,
    /// Documents that the node got.
    pub(crate) items_forwarded: u64,
    /// Documents that were answered 429.
    pub(crate) items_refused: u64,
}

/// The content of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) bodies: u64,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    query: std::collections::BTreeMap<String, String>,
}

impl Recorded {
    /// The `filter_path` of the requests.
    pub(crate) fn filter_path(&self) -> &str {
        self.query.get("filter_path").map_or("", String::as_str)
    }
}

impl FaultProxy {
    /// Starts a proxy before a node at an `http` address.
    pub(crate) fn start(program: &Path, upstream: &str) -> Result<Self> {
        if !upstream.starts_with("http://") {
            bail!("the fault proxy speaks plain HTTP, and {upstream} is something else");
        }
        let mut child = Command::new(program)
            .arg(upstream)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("the fault proxy has no output")?);
        let mut proxy = Self { child, commands, answers, url: String::new() };
        let greeting = proxy.answer()?;
        proxy.url = greeting["url"].as_str().context("the fault proxy reports no address")?.to_owned();
        Ok(proxy)
    }

    /// The address to give to the client.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn pass(&mut self) -> Result<()> {
        self.obey("pass").map(drop)
    }

    pub(crate) fn refuse_items(&mut self, percent: u8, seed: u64) -> Result<()> {
        self.obey(&format!("refuse-items {percent} {seed}")).map(drop)
    }

    /// Loses so many replies, and at most `each` in a row of one body.
    pub(crate) fn lose_replies(&mut self, count: u64, each: u32) -> Result<()> {
        self.obey(&format!("lose-replies {count} {each}")).map(drop)
    }

    pub(crate) fn record(&mut self, file: &Path) -> Result<()> {
        self.obey(&format!("record {}", file.display())).map(drop)
    }

    pub(crate) fn stop_recording(&mut self) -> Result<Recorded> {
        Ok(serde_json::from_value(self.obey("stop-recording")?)?)
    }

    pub(crate) fn counts(&mut self) -> Result<Counts> {
        Ok(serde_json::from_value(self.obey("counts")?)?)
    }

    fn obey(&mut self, command: &str) -> Result<Value> {
        let commands = self.commands.as_mut().context("the fault proxy has ended")?;
        writeln!(commands, "{command}").context("the fault proxy takes no commands")?;
        let answer = self.answer()?;
        match answer["error"].as_str() {
            Some(error) => bail!("the fault proxy: {command}: {error}"),
            None => Ok(answer),
        }
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line).context("the fault proxy does not answer")?;
        serde_json::from_str(&line).context("the fault proxy has ended")
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_goes_through_it() {
        let Err(error) = FaultProxy::start(Path::new("true"), "https://h:1") else { panic!("it was started") };
        assert_eq!(error.to_string(), "the fault proxy speaks plain HTTP, and https://h:1 is something else");
    }

    #[test]
    fn a_recording_tells_its_filter() {
        let json = r#"{"bodies":1,"bytes":9,"lines":2,"query":{"filter_path":"items.*.status"}}"#;
        assert_eq!(serde_json::from_str::<Recorded>(json).unwrap().filter_path(), "items.*.status");
        let json = r#"{"bodies":1,"bytes":9,"lines":2,"query":{}}"#;
        assert_eq!(serde_json::from_str::<Recorded>(json).unwrap().filter_path(), "");
    }
}
