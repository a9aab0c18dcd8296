//! The user that a local node runs as: never root.
//!
//! A node refuses to run as root. Where this command runs as root, the node
//! gets a user of its own and owns nothing but its folder.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;

/// The user that is created for the node.
const NODE_USER: &str = "elasticsearch-dev";

/// Who the node runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// Whoever runs this command.
    Caller,
    /// Another user, because the caller is root.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// The account for a node that this process starts; creates it when it must.
    pub(crate) fn for_node() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Caller);
        }
        if let Some(account) = look_up(NODE_USER) {
            return Ok(account);
        }
        let limit = Duration::from_secs(30);
        let created = process::output_of(
            Command::new("useradd").args([
                "--system",
                "--user-group",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                NODE_USER,
            ]),
            limit,
        );
        match (created, look_up(NODE_USER), look_up("nobody")) {
            (Some(_), Some(account), _) => {
                eprintln!("created the user {NODE_USER}: Elasticsearch does not run as root");
                Ok(account)
            }
            (_, _, Some(nobody)) => Ok(nobody),
            _ => bail!(
                "Elasticsearch does not run as root, and no other user could be created: run this command as an ordinary user"
            ),
        }
    }

    /// Makes `command` run as this account.
    pub(crate) fn apply(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.gid(gid).uid(uid);
        }
    }

    /// Gives a folder and all in it to this account.
    pub(crate) fn own(self, folder: &Path) -> Result<()> {
        let Self::Other { uid, gid } = self else {
            return Ok(());
        };
        let metadata =
            std::fs::symlink_metadata(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        if metadata.is_symlink() {
            return Ok(());
        }
        if (metadata.uid(), metadata.gid()) != (uid, gid) {
            chown(folder, Some(uid), Some(gid))
                .with_context(|| format!("cannot hand {} to the node's user", folder.display()))?;
        }
        if metadata.is_dir() {
            for entry in std::fs::read_dir(folder)? {
                self.own(&entry?.path())?;
            }
        }
        Ok(())
    }

    /// Returns true if this account can enter `folder`.
    pub(crate) fn can_reach(self, folder: &Path) -> bool {
        match self {
            Self::Caller => true,
            Self::Other { uid, gid } => folder.ancestors().all(|ancestor| {
                match std::fs::metadata(ancestor) {
                    Ok(metadata) => {
                        may_enter(metadata.permissions().mode(), metadata.uid() == uid, metadata.gid() == gid)
                    }
                    // What does not exist yet is created open.
                    Err(_) => true,
                }
            }),
        }
    }
}

/// The one of a folder's three search bits that applies to a user.
fn may_enter(mode: u32, is_owner: bool, in_group: bool) -> bool {
    let bit = match (is_owner, in_group) {
        (true, _) => 0o100,
        (false, true) => 0o010,
        (false, false) => 0o001,
    };
    mode & bit != 0
}

fn look_up(user: &str) -> Option<Account> {
    let number = |flag: &str| -> Option<u32> {
        process::output_of(Command::new("id").args([flag, user]), Duration::from_secs(10))?.trim().parse().ok()
    };
    Some(Account::Other { uid: number("-u")?, gid: number("-g")? })
}

#[cfg(test)]
mod tests {
    use super::may_enter;

    #[test]
    fn the_first_class_that_fits_decides() {
        for (mode, is_owner, in_group, enters) in [
            (0o700, false, false, false),
            (0o711, false, false, true),
            (0o750, false, true, true),
            (0o755, true, false, true),
            (0o077, true, true, false),
        ] {
            assert_eq!(may_enter(mode, is_owner, in_group), enters, "{mode:o}");
        }
    }
}
