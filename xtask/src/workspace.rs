//! The folders of this checkout, and its cargo.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The workspace's root folder.
///
/// Cargo sets the folder of the running package at run time too, which stays right when several
/// checkouts share one target folder.
#[must_use]
pub fn root() -> PathBuf {
    let running = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let running = running.as_deref().and_then(Path::parent).filter(|root| root.join("xtask/Cargo.toml").is_file());
    match running {
        Some(root) => root.to_path_buf(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default(),
    }
}

/// The folder of the development nodes; git ignores it.
pub(crate) fn es_folder() -> PathBuf {
    root().join(".es")
}

/// Creates an empty folder, removing what is there.
///
/// # Errors
/// When the folder cannot be removed or created.
pub fn empty_folder(path: &Path) -> Result<()> {
    if path.exists() {
        std::fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

/// A short name that is the same for the same checkout and differs between two.
pub(crate) fn checkout_id() -> String {
    // FNV-1a: a few bits that depend on the path alone, nothing that needs to
    // resist an attacker.
    let hash = root()
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{:08x}", hash >> 32)
}

/// The cargo that runs this command, with the environment of a terminal.
///
/// Cargo sets variables about the running package. Some build scripts depend on them and would be
/// built again, with everything above them, so they are removed.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if is_about_own_package(&name) {
            command.env_remove(name);
        }
    }
    command
}

fn is_about_own_package(variable: &OsStr) -> bool {
    ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|prefix| variable.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_cargo_does_not_see_this_package() {
        for (variable, is_own) in [
            ("CARGO_MANIFEST_DIR", true),
            ("CARGO_PKG_VERSION_MAJOR", true),
            ("CARGO_TARGET_DIR", false),
            ("CARGO_HOME", false),
            ("PATH", false),
        ] {
            assert_eq!(is_about_own_package(OsStr::new(variable)), is_own, "{variable}");
        }
        // The tests themselves run under a cargo that sets these variables.
        let removed: Vec<_> =
            cargo().get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name.to_owned()).collect();
        assert!(removed.iter().any(|name| name == "CARGO_MANIFEST_DIR"), "{removed:?}");
    }
}
