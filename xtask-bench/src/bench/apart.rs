//! A server and its clients on processors of their own, as they are on machines of
//! their own: the client takes no processor time from the server.
//!
//! `taskset` moves the threads of a process. What this process starts from then on
//! stays on its part of the processors.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

pub(super) struct Apart {
    server: u64,
    /// The processors of the server before.
    before: String,
}

impl Apart {
    /// Gives the first half of the processors to the server, which is a process of this
    /// machine, and the others to this one.
    pub(super) fn new(server: u64) -> Result<Self> {
        let name = std::fs::read_to_string(format!("/proc/{server}/comm")).unwrap_or_default();
        ensure!(
            name.trim() == "java",
            "--apart moves a server that runs on this machine, outside of a container; process {server} is not one"
        );
        let before = allowed(&read_status(server)?)?.to_owned();
        let own = read_status(u64::from(std::process::id()))?;
        let (first, second) = halves(&processors(allowed(&own)?)?)?;
        let apart = Self { server, before };
        // The server is moved last, so that a failure leaves it as it was.
        keep_on(u64::from(std::process::id()), &second)?;
        keep_on(apart.server, &first)?;
        eprintln!("the server has the processors {first}, and the candidates {second}");
        Ok(apart)
    }

    /// Gives the server back what it had.
    pub(super) fn end(&self) -> Result<()> {
        keep_on(self.server, &self.before)
    }
}

fn read_status(process: u64) -> Result<String> {
    let path = format!("/proc/{process}/status");
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}

/// The list of processors in the status of a process.
fn allowed(status: &str) -> Result<&str> {
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    Ok(line.context("the kernel does not say where the process may run")?.trim())
}

/// The numbers of a list such as `0-3,6`.
fn processors(list: &str) -> Result<Vec<u32>> {
    let ranges = list.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Ok(first.parse::<u32>()?..=last.parse::<u32>()?)
    });
    let ranges = ranges.collect::<Result<Vec<_>>>().with_context(|| format!("no list of processors: {list}"))?;
    Ok(ranges.into_iter().flatten().collect())
}

fn halves(processors: &[u32]) -> Result<(String, String)> {
    ensure!(processors.len() > 1, "--apart needs two processors");
    let list = |part: &[u32]| part.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let (first, second) = processors.split_at(processors.len() / 2);
    Ok((list(first), list(second)))
}

fn keep_on(process: u64, list: &str) -> Result<()> {
    let output = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", list, &process.to_string()])
        .stdin(Stdio::null())
        .output()
        .context("cannot start taskset, which --apart needs (it is part of util-linux)")?;
    if !output.status.success() {
        bail!("taskset: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_processor_is_in_one_half() {
        for (list, first, second) in [("0-1", "0", "1"), ("0-4", "0,1", "2,3,4"), ("1,3-4,9", "1,3", "4,9")] {
            let halves = halves(&processors(list).unwrap()).unwrap();
            assert_eq!(halves, (first.to_owned(), second.to_owned()), "{list}");
        }
        halves(&[0]).unwrap_err();
        processors("all").unwrap_err();
    }

    #[test]
    fn the_kernel_lists_where_a_process_may_run() {
        assert_eq!(allowed("Name:\tjava\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n").unwrap(), "0-1");
        allowed("Name:\tjava\n").unwrap_err();
    }
}
