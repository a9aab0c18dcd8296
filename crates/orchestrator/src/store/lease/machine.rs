//! The identity of a process, so that one that is gone can be told from one that lives, where that
//! can be known for sure.

use serde::{Deserialize, Serialize};

/// A process on a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The boot and the namespace of process ids in which the process id has its meaning; none
    /// where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The process id there.
    pub pid: u32,
    /// When the process started, in ticks since the boot; none where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
}

impl Process {
    /// This process.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self { space: space(), pid, started: start_of(pid) }
    }

    /// Returns whether this process surely no longer exists: it ran where `here` runs, and no
    /// process with its id and start time is there.
    pub fn is_known_to_be_gone(&self, here: &Self) -> bool {
        let is_comparable = self.space.is_some() && self.space == here.space && self.started.is_some();
        is_comparable && start_of(self.pid) != self.started
    }
}

/// The boot id of the kernel and the namespace of process ids.
fn space() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.display()))
}

/// The start time of a process: field 22 of `/proc/PID/stat` (proc(5)).
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    // A zombie holds nothing and writes nothing any more.
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_the_same_boot_and_namespace_is_known_to_be_gone() {
        let this = Process::this();
        assert!(!this.is_known_to_be_gone(&this), "{this:?}");
        let dead = Process { pid: i32::MAX as u32, ..this.clone() };
        let reused = Process { started: this.started.map(|ticks| ticks + 1), ..this.clone() };
        let elsewhere = Process { space: Some("other".to_owned()), ..dead.clone() };
        let untold = Process { space: None, ..dead.clone() };
        let without_start = Process { started: None, ..dead.clone() };
        let gone = [&dead, &reused, &elsewhere, &untold, &without_start].map(|one| one.is_known_to_be_gone(&this));
        assert_eq!(gone, [this.space.is_some(), this.space.is_some(), false, false, false]);
    }
}
