//! Who is writing something, so that what a dead process left can be told from what a
//! living one is at.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The process that writes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The name of its machine.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// When it began to write.
    pub since: Timestamp,
}

/// After this time an owner on another machine, which cannot be asked, counts as dead.
const LOST_AFTER: SignedDuration = SignedDuration::from_hours(24);

impl Owner {
    /// This process.
    pub fn this(now: Timestamp) -> Self {
        let host = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { host, pid: std::process::id(), since: now }
    }

    /// Whether the owner surely no longer writes.
    pub fn is_gone(&self, this: &Self) -> bool {
        if self.host != this.host {
            return this.since.duration_since(self.since) > LOST_AFTER;
        }
        if self.pid == this.pid {
            // A process does not leave things to itself; the number was given out again.
            return self.since != this.since;
        }
        !is_alive(self.pid)
    }
}

fn is_alive(pid: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    // A process of another user may not be signalled, but it is there.
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_told_from_the_living() {
        let now = Timestamp::now();
        let this = Owner::this(now);
        let other = |host: &str, pid, hours| Owner {
            host: host.to_owned(),
            pid,
            since: now - SignedDuration::from_hours(hours),
        };
        assert!(!this.is_gone(&this));
        assert!(other(&this.host, this.pid, 1).is_gone(&this), "the number was given out again");
        assert!(!other(&this.host, 1, 100).is_gone(&this), "process 1 always lives");
        assert!(other(&this.host, i32::MAX as u32, 0).is_gone(&this));
        assert!(!other("elsewhere", 1, 23).is_gone(&this));
        assert!(other("elsewhere", 1, 25).is_gone(&this));
    }
}
