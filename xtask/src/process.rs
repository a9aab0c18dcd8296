//! Other programs: run with a time limit, stopped by process group, and distinguished from a program
//! that got a reused process id.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// The time that a process group has to end by itself.
const PATIENCE: Duration = Duration::from_secs(15);

/// The process groups that end with this command.
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// The output and the exit status of a program.
pub struct Finished {
    /// The exit status.
    pub status: ExitStatus,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

impl Finished {
    /// The last lines of both streams, for an error message.
    #[must_use]
    pub fn tail(&self) -> String {
        let text = format!("{}\n{}", self.stdout.trim(), self.stderr.trim());
        last_lines(&text, 15)
    }
}

/// The last `count` lines of `text` that are not blank.
#[must_use]
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Runs a program to its end, or stops it at `limit`; `None` when it was stopped.
///
/// `while_waiting` is called several times a second, to show progress.
///
/// # Errors
/// When the program cannot be started or waited for.
pub fn run_within(command: &mut Command, limit: Duration, mut while_waiting: impl FnMut()) -> Result<Option<Finished>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().with_context(|| format!("cannot wait for {name}"))? {
            break Some(status);
        }
        if started.elapsed() >= limit {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        while_waiting();
        std::thread::sleep(Duration::from_millis(100));
    };
    Ok(status.map(|status| Finished {
        status,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    }))
}

fn drain(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The standard output of a program that succeeds within `limit`.
#[must_use]
pub fn output_of(command: &mut Command, limit: Duration) -> Option<String> {
    match run_within(command, limit, || ()) {
        Ok(Some(finished)) if finished.status.success() => Some(finished.stdout),
        _ => None,
    }
}

/// The first executable of that name on `PATH`.
#[must_use]
pub fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// The process that a pid file names, if it runs and its command line holds `mark`.
///
/// The mark is what makes a reused process id harmless: no other program
/// carries this checkout's node folder in its arguments.
pub(crate) fn running_with_mark(pid_file: &Path, mark: &OsStr) -> Option<Pid> {
    let text = std::fs::read_to_string(pid_file).ok()?;
    let pid = Pid::from_raw(text.trim().parse().ok()?)?;
    has_mark(pid, mark).then_some(pid)
}

/// Returns true if the process runs and its command line holds `mark`.
pub(crate) fn has_mark(pid: Pid, mark: &OsStr) -> bool {
    let mark = mark.as_encoded_bytes();
    command_line(pid).is_some_and(|line| line.windows(mark.len()).any(|part| part == mark))
}

fn command_line(pid: Pid) -> Option<Vec<u8>> {
    let number = pid.as_raw_nonzero().to_string();
    if Path::new("/proc/self/cmdline").exists() {
        return std::fs::read(Path::new("/proc").join(number).join("cmdline")).ok();
    }
    output_of(Command::new("ps").args(["-ww", "-o", "command=", "-p", &number]), Duration::from_secs(5))
        .map(String::into_bytes)
}

/// Asks a process to end, and ends it when it has not after `patience`.
pub(crate) fn stop(pid: Pid, still_running: impl Fn() -> bool, patience: Duration) {
    let _ = rustix::process::kill_process(pid, Signal::TERM);
    let started = Instant::now();
    while still_running() {
        if started.elapsed() >= patience {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            std::thread::sleep(Duration::from_millis(200));
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Kills a child and every process of its group.
///
/// The child must lead its own process group.
pub(crate) fn kill_group(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
    let _ = child.wait();
}

/// A program with everything that it starts, in a process group of its own. All of it ends when this is
/// dropped, and when the command is interrupted ([`at_interrupt`]).
pub(crate) struct Group {
    leader: Child,
    pid: Pid,
}

impl Group {
    /// Starts a program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        // An interruption waits until the group is known.
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        let name = command.get_program().to_string_lossy().into_owned();
        let leader = command.process_group(0).spawn().with_context(|| format!("cannot start {name}"))?;
        let pid = i32::try_from(leader.id()).ok().and_then(Pid::from_raw).context("a process without an id")?;
        groups.push(pid);
        Ok(Self { leader, pid })
    }

    /// The status of the program, once it has ended.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.leader.try_wait().context("cannot wait for a program")
    }

    /// True once the program has ended. Its id stays taken until it is waited for.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(rustix::process::waitid(WaitId::Pid(self.pid), options), Ok(None))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process_group(self.pid, Signal::TERM);
        let started = Instant::now();
        while !self.has_ended() && started.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(100));
        }
        // Also what the program has left behind.
        kill_group(&mut self.leader);
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).retain(|pid| *pid != self.pid);
    }
}

/// Runs `clean_up` and ends the process with code 130 when the command is interrupted. Process groups are
/// killed before.
///
/// # Errors
/// When another handler is set already.
pub fn at_interrupt(mut clean_up: impl FnMut() + Send + 'static) -> Result<()> {
    ctrlc::set_handler(move || {
        // Held until the end, so that no group starts any more.
        let groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        for pid in groups.iter() {
            let _ = rustix::process::kill_process_group(*pid, Signal::KILL);
        }
        clean_up();
        std::process::exit(130);
    })
    .context("cannot handle Ctrl-C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_past_its_limit_is_stopped() {
        let started = Instant::now();
        let finished = run_within(Command::new("sleep").arg("30"), Duration::from_millis(200), || ()).unwrap();
        assert!(finished.is_none());
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn both_streams_are_kept() {
        let finished = run_within(
            Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]),
            Duration::from_secs(10),
            || (),
        )
        .unwrap()
        .unwrap();
        assert_eq!(finished.status.code(), Some(3));
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(finished.tail(), "out\nerr");
    }

    #[test]
    fn a_group_ends_with_what_it_started() {
        let file = std::env::temp_dir().join(format!("xtask-group-{}", std::process::id()));
        // The second program ignores the request to end, and the first is gone before.
        let script = format!("(trap '' TERM; echo started > {}; exec sleep 60) & wait", file.display());
        let group = Group::spawn(Command::new("sh").args(["-c", &script])).unwrap();
        let pid = group.pid;
        while !file.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(group);
        // The group is gone once nobody is in it; a killed program is until its parent has waited for it.
        let started = Instant::now();
        while rustix::process::test_kill_process_group(pid).is_ok() {
            assert!(started.elapsed() < Duration::from_secs(10), "the group is still there");
            std::thread::sleep(Duration::from_millis(10));
        }
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_pid_of_another_program_is_not_ours() {
        let file = std::env::temp_dir().join(format!("xtask-pid-{}", std::process::id()));
        std::fs::write(&file, std::process::id().to_string()).unwrap();
        let own = std::env::args_os().next().unwrap();
        assert!(running_with_mark(&file, &own).is_some());
        assert!(running_with_mark(&file, OsStr::new("no-such-mark-in-any-command")).is_none());
        std::fs::remove_file(&file).unwrap();
    }
}
