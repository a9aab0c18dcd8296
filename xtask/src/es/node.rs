//! A local node: its configuration, and its processes from start to stop.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::account::Account;
use super::jdk::Jdk;
use super::secure::Setup;
use super::state::create_folder;
use crate::process;
use crate::terminal::Progress;

/// A node boots in half a minute on an idle machine; a busy one takes longer.
const BOOT_LIMIT: Duration = Duration::from_secs(300);

/// The time limit for a shutdown, after which the node is killed.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// The options for starting one node.
pub(crate) struct Launch<'a> {
    pub(crate) es_version: &'a str,
    pub(crate) home: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) jdk: &'a Jdk,
    pub(crate) account: Account,
    pub(crate) port: u16,
    pub(crate) heap: &'a str,
    pub(crate) setup: Option<&'a Setup>,
}

/// Starts the node, and returns when it has written its process id and is up.
pub(crate) fn start(launch: &Launch<'_>) -> Result<()> {
    prepare(launch)?;
    let log_path = startup_log(launch.folder);
    let log = std::fs::File::create(&log_path).with_context(|| format!("cannot write {}", log_path.display()))?;
    let mut command = command(launch, "elasticsearch");
    command
        .arg("-d")
        .arg("-p")
        .arg(pid_file(launch.folder))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A group of its own, so that Ctrl-C here does not reach a running node.
        .process_group(0);
    let mut progress = Progress::new("starting Elasticsearch");
    let mut launcher = command.spawn().context("cannot start Elasticsearch")?;
    std::fs::write(launcher_file(launch.folder), launcher.id().to_string())?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = launcher.try_wait()? {
            break status;
        }
        if started.elapsed() > BOOT_LIMIT {
            progress.abandon();
            process::kill_group(&mut launcher);
            bail!(
                "Elasticsearch did not come up within {} s; its log: {}",
                BOOT_LIMIT.as_secs(),
                server_log(launch.folder).display()
            );
        }
        progress.update("waiting for the node");
        std::thread::sleep(Duration::from_millis(100));
    };
    let _ = std::fs::remove_file(launcher_file(launch.folder));
    if !status.success() {
        progress.abandon();
        let said = std::fs::read_to_string(&log_path).unwrap_or_default();
        bail!(
            "Elasticsearch did not start ({status}); it said:\n{}\nits log: {}",
            process::last_lines(&said, 15),
            server_log(launch.folder).display()
        );
    }
    progress.finish("up");
    Ok(())
}

/// Returns the process of this node if it runs, even while it boots.
pub(crate) fn running_pid(folder: &Path) -> Option<rustix::process::Pid> {
    [pid_file(folder), launcher_file(folder)]
        .iter()
        .find_map(|file| process::running_with_mark(file, folder.as_os_str()))
}

/// Stops the node's processes, and no others.
pub(crate) fn stop(folder: &Path) {
    for file in [launcher_file(folder), pid_file(folder)] {
        if let Some(pid) = process::running_with_mark(&file, folder.as_os_str()) {
            // The process is asked after, and not its file, which it removes
            // some time before it ends.
            process::stop(pid, || process::has_mark(pid, folder.as_os_str()), STOP_LIMIT);
        }
        let _ = std::fs::remove_file(&file);
    }
}

/// The log that the server writes.
pub(crate) fn server_log(folder: &Path) -> PathBuf {
    folder.join("logs").join(format!("{CLUSTER_NAME}.log"))
}

const CLUSTER_NAME: &str = "orchestrator-dev";

fn startup_log(folder: &Path) -> PathBuf {
    folder.join("logs").join("startup.log")
}

fn pid_file(folder: &Path) -> PathBuf {
    folder.join("es.pid")
}

fn launcher_file(folder: &Path) -> PathBuf {
    folder.join("launcher.pid")
}

/// One of Elasticsearch's programs, run as the node's user with the node's settings.
fn command(launch: &Launch<'_>, program: &str) -> Command {
    let mut command = Command::new(launch.home.join("bin").join(program));
    let heap = launch.heap;
    command
        .current_dir(launch.folder)
        .env("ES_JAVA_HOME", &launch.jdk.home)
        .env("ES_PATH_CONF", launch.folder.join("config"))
        .env("ES_TMPDIR", launch.folder.join("tmp"))
        // The launcher has a temporary folder too, and leaves files there.
        .env("CLI_JAVA_OPTS", format!("-Djava.io.tmpdir={}", launch.folder.join("tmp").display()))
        // The folder among the arguments is what distinguishes this node's process
        // from any other that got its number later.
        .env("ES_JAVA_OPTS", format!("-Xms{heap} -Xmx{heap} -Dorchestrator.node={}", launch.folder.display()))
        .env_remove("JAVA_HOME")
        .env_remove("JAVA_OPTS");
    launch.account.apply(&mut command);
    command
}

/// Lays out the node's folder and rewrites its configuration.
fn prepare(launch: &Launch<'_>) -> Result<()> {
    create_folder(launch.folder, 0o755)?;
    let temporary = launch.folder.join("tmp");
    if temporary.exists() {
        std::fs::remove_dir_all(&temporary).with_context(|| format!("cannot empty {}", temporary.display()))?;
    }
    for folder in ["config", "config/jvm.options.d", "data", "logs", "snapshots", "tmp"] {
        create_folder(&launch.folder.join(folder), 0o700)?;
    }
    let config = launch.folder.join("config");
    for entry in std::fs::read_dir(launch.home.join("config"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let target = config.join(entry.file_name());
            std::fs::copy(entry.path(), &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    let settings = settings(launch.es_version, launch.folder, launch.port, launch.setup.is_some());
    std::fs::write(config.join("elasticsearch.yml"), settings)?;
    let _ = std::fs::remove_file(pid_file(launch.folder));
    if let Some(setup) = launch.setup {
        for (from, to) in [(setup.files.certificate(), "http.crt"), (setup.files.key(), "http.key")] {
            let to = config.join(to);
            std::fs::copy(&from, &to)?;
            std::fs::set_permissions(&to, Permissions::from_mode(0o600))?;
        }
    }
    launch.account.own(launch.folder)?;
    match launch.setup {
        Some(setup) if !config.join("elasticsearch.keystore").exists() => keep_password(launch, setup),
        _ => Ok(()),
    }
}

/// Puts the password into the node's keystore, through standard input alone.
fn keep_password(launch: &Launch<'_>, setup: &Setup) -> Result<()> {
    let mut child = command(launch, "elasticsearch-keystore")
        .env("ES_JAVA_OPTS", "")
        .args(["add", "--stdin", "--force", "bootstrap.password"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start elasticsearch-keystore")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(setup.credentials.password.0.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "cannot put the password into the node's keystore: {}",
            process::last_lines(&String::from_utf8_lossy(&output.stderr), 5)
        );
    }
    Ok(())
}

/// The node's `elasticsearch.yml`.
fn settings(es_version: &str, folder: &Path, port: u16, secure: bool) -> String {
    let mut lines = vec![
        format!("cluster.name: {CLUSTER_NAME}"),
        "node.name: orchestrator-dev".into(),
        "discovery.type: single-node".into(),
        "network.host: 127.0.0.1".into(),
        format!("http.port: {port}"),
        format!("path.data: {}", yaml_string(&folder.join("data"))),
        format!("path.logs: {}", yaml_string(&folder.join("logs"))),
        format!("path.repo: {}", yaml_string(&folder.join("snapshots"))),
        "action.destructive_requires_name: true".into(),
        // A developer's disk is often nearly full, and indices that turn
        // read-only for it would only confuse.
        "cluster.routing.allocation.disk.threshold_enabled: false".into(),
        format!("xpack.security.enabled: {secure}"),
    ];
    if checks_disk_for_merges(es_version) {
        // Nor are merges to wait for room, as a force merge would without an end.
        lines.push("indices.merge.disk.check_interval: 0s".into());
    }
    if secure {
        lines.extend([
            "xpack.security.http.ssl.enabled: true".into(),
            "xpack.security.http.ssl.certificate: http.crt".into(),
            "xpack.security.http.ssl.key: http.key".into(),
        ]);
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Returns true if the version throttles merges on a nearly full disk: those from 8.19 and from
/// 9.1 do. Others do not start with a setting that they do not know.
fn checks_disk_for_merges(es_version: &str) -> bool {
    let mut numbers = es_version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    match major {
        8 => minor >= 19,
        9 => minor >= 1,
        _ => major > 9,
    }
}

/// A path as a double-quoted YAML scalar, which takes the escapes of JSON.
fn yaml_string(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_node_listens_on_this_machine_alone() {
        let text = settings("9.4.3", Path::new("/a \"b\""), 9200, false);
        assert!(text.contains("network.host: 127.0.0.1\n"));
        assert!(text.contains("path.data: \"/a \\\"b\\\"/data\"\n"));
        assert!(text.contains("xpack.security.enabled: false\n"));
        assert!(!text.contains("ssl"));
    }

    #[test]
    fn merges_do_not_wait_for_room_where_they_would() {
        for (version, waits) in
            [("8.18.4", false), ("8.19.13", true), ("9.0.2", false), ("9.1.0", true), ("9.4.3", true), ("10.0.0", true)]
        {
            let text = settings(version, Path::new("/n"), 9200, false);
            assert_eq!(text.contains("indices.merge.disk.check_interval: 0s\n"), waits, "{version}");
        }
    }

    #[test]
    fn a_secure_node_has_tls_on_http() {
        let text = settings("9.4.3", Path::new("/n"), 9201, true);
        assert!(text.contains("http.port: 9201\n"));
        assert!(text.contains("xpack.security.enabled: true\n"));
        assert!(text.contains("xpack.security.http.ssl.enabled: true\n"));
    }
}
