//! The state between commands: which node runs, the folders of its
//! data, and the secrets that it was set up with.
//!
//! Everything is a file in one folder a node, so that a person can read it and
//! an interrupted command leaves the rest alone. Test code reads `state.json`.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::account::Account;
use crate::http::{Auth, Client};
use crate::workspace;

/// A value that does not show when it is printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// The folders that nodes, their data and their programs live in.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The part of a container's name that distinguishes these nodes.
    purpose: &'static str,
    /// Holds the state of each node.
    state: PathBuf,
    /// Holds what the node's user must get at: programs, data, logs.
    nodes: PathBuf,
    /// Holds the assembled programs, shared by all nodes of the checkout.
    programs: PathBuf,
}

impl Layout {
    /// The folders of the developer's nodes.
    pub(crate) fn development() -> Self {
        let folder = workspace::es_folder();
        Self { purpose: "dev", state: folder.clone(), nodes: folder.clone(), programs: folder }
    }

    /// The folders of the nodes that one run of the checks starts for itself.
    pub(crate) fn checks() -> Self {
        let folder = workspace::es_folder();
        let own = folder.join("ci");
        Self { purpose: "ci", state: own.clone(), nodes: own, programs: folder }
    }

    /// The folders of the node that `cargo xtask soak` stops and starts.
    pub(crate) fn soak() -> Self {
        let folder = workspace::es_folder();
        let own = folder.join("soak");
        Self { purpose: "soak", state: own.clone(), nodes: own, programs: folder }
    }

    /// The same folders, or others where `account` cannot get at these.
    pub(crate) fn reachable_by(self, account: Account) -> Self {
        if account.can_reach(&self.nodes) {
            return self;
        }
        let base = PathBuf::from("/var/tmp").join(format!("orchestrator-es-{}", workspace::checkout_id()));
        eprintln!("the node's user cannot enter {}: the node lives in {}", self.nodes.display(), base.display());
        let nodes = if self.state == self.programs { base.clone() } else { base.join(self.purpose) };
        Self { nodes, programs: base, ..self }
    }

    /// The name of a node's container, which no other checkout uses.
    pub(crate) fn container(&self, name: NodeName) -> String {
        format!("orchestrator-es-{}-{}-{}", self.purpose, name.as_str(), workspace::checkout_id())
    }

    pub(crate) fn distributions(&self) -> PathBuf {
        self.programs.join("dist")
    }

    pub(crate) fn distribution(&self, es_version: &str) -> PathBuf {
        self.distributions().join(es_version)
    }

    /// The folder of a local node's own configuration, data and logs.
    pub(crate) fn node(&self, name: NodeName, es_version: &str) -> PathBuf {
        self.nodes.join(name.as_str()).join(format!("node-{es_version}"))
    }

    /// The folders that a node has left, one a version.
    pub(crate) fn node_folders(&self, name: NodeName) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.nodes.join(name.as_str())) else {
            return Vec::new();
        };
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"node-"))
            .map(|entry| entry.path())
            .collect()
    }

    /// The folder of a node's state file.
    pub(crate) fn state_of(&self, name: NodeName) -> PathBuf {
        self.state.join(name.as_str())
    }

    /// The folder that only the caller can enter.
    pub(crate) fn private(&self, name: NodeName) -> PathBuf {
        self.state_of(name).join("private")
    }

    pub(crate) fn state_file(&self, name: NodeName) -> PathBuf {
        self.state_of(name).join("state.json")
    }

    /// Keeps other commands off a node while this one starts or stops it.
    pub(crate) fn lock(&self, name: NodeName) -> Result<std::fs::File> {
        let folder = self.state_of(name);
        create_folder(&folder, 0o711)?;
        Self::lock_file(&folder.join("lock"), "another command is at work on this node")
    }

    /// Keeps a second run of the checks off the nodes of the first.
    pub(crate) fn lock_all(&self) -> Result<std::fs::File> {
        create_folder(&self.state, 0o755)?;
        Self::lock_file(&self.state.join("lock"), "the same command already runs in this checkout")
    }

    /// Holds the file until the result is dropped; says so when it has to wait.
    pub(crate) fn lock_file(path: &Path, busy: &str) -> Result<std::fs::File> {
        let file = std::fs::File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        if file.try_lock().is_err() {
            eprintln!("{busy}: waiting");
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(file)
    }

    /// The node that was started last and not stopped since, running or not.
    pub(crate) fn load(&self, name: NodeName) -> Result<Option<Node>> {
        let path = self.state_file(name);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .with_context(|| format!("{} is damaged: delete it", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    pub(crate) fn save(&self, name: NodeName, node: &Node) -> Result<()> {
        create_folder(&self.state_of(name), 0o711)?;
        let json = serde_json::to_vec_pretty(node)?;
        write_private(&self.state_file(name), &json)
    }

    pub(crate) fn forget(&self, name: NodeName) -> Result<()> {
        let path = self.state_file(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

/// The two nodes that a checkout can have side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeName {
    Plain,
    Secure,
}

impl NodeName {
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Secure];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Secure => "secure",
        }
    }

    pub(crate) fn of(secure: bool) -> Self {
        if secure { Self::Secure } else { Self::Plain }
    }
}

/// A node that this command started, and how to reach it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) url: String,
    pub(crate) version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) access: Option<Access>,
    pub(crate) runtime: Runtime,
}

/// The credentials for a node with security.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) username: String,
    pub(crate) password: Secret,
    /// Empty until the node has made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<Secret>,
    pub(crate) ca_cert: PathBuf,
}

/// The process or container of the node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "provider")]
pub(crate) enum Runtime {
    /// Processes of this machine, that keep everything in `folder`.
    Local { folder: PathBuf },
    /// A container with a volume of its own.
    Container { name: String, volume: String, image: String },
}

impl Node {
    /// A client that acts as the node's administrator.
    pub(crate) fn client(&self, limit: Duration) -> Result<Client> {
        let (auth, ca_cert) = match &self.access {
            None => (Auth::None, None),
            Some(access) => (
                Auth::Basic { user: access.username.clone(), password: access.password.0.clone() },
                Some(&access.ca_cert),
            ),
        };
        Client::new(&self.url, auth, ca_cert, limit)
    }
}

/// Creates a folder and its parents; its own mode is `mode` whatever the umask.
pub(crate) fn create_folder(path: &Path, mode: u32) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_folder(parent, 0o755)?;
    }
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("cannot create {}", path.display()));
        }
        _ => {}
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

/// Writes a file that only its owner can read, and that appears complete or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&partial, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secure_node() -> Node {
        Node {
            url: "https://127.0.0.1:9201".into(),
            version: "9.4.3".into(),
            access: Some(Access {
                username: "elastic".into(),
                password: Secret("hush".into()),
                api_key: None,
                ca_cert: "/c/ca.crt".into(),
            }),
            runtime: Runtime::Local { folder: "/n".into() },
        }
    }

    #[test]
    fn secrets_are_saved_but_not_printed() {
        let node = secure_node();
        assert!(!format!("{node:?}").contains("hush"));
        let json = serde_json::to_value(&node).unwrap();
        assert_eq!(json["access"]["password"], "hush");
        assert_eq!(json["runtime"]["provider"], "local");
        let back: Node = serde_json::from_value(json).unwrap();
        assert_eq!(back.access.unwrap().password, Secret("hush".into()));
    }

    #[test]
    fn private_files_are_for_their_owner() {
        let path = std::env::temp_dir().join(format!("xtask-private-{}", std::process::id()));
        write_private(&path, b"x").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_file(&path).unwrap();
    }
}
