//! Finds a JDK that Elasticsearch can run on, wherever it is installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::process;

/// The oldest Java that the pinned Elasticsearch runs on.
const MIN_MAJOR: u32 = 21;

/// The module that a full JDK has and a JRE lacks; the node's launcher needs it.
const REQUIRED_MODULE: &str = "jdk.jlink";

/// Folders that hold one JDK a subfolder, on the systems where people install them.
const INSTALL_FOLDERS: [&str; 6] =
    ["/usr/lib/jvm", "/usr/java", "/opt", "/opt/java", "/opt/homebrew/opt", "/Library/Java/JavaVirtualMachines"];

/// The same, under the home folder.
const HOME_FOLDERS: [&str; 4] =
    [".sdkman/candidates/java", ".jdks", ".asdf/installs/java", "Library/Java/JavaVirtualMachines"];

/// A JDK: its folder, and its major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jdk {
    pub(crate) home: PathBuf,
    pub(crate) major: u32,
}

/// The JDK to run a node on: the one the environment names when it will do,
/// else the newest that is installed.
pub(crate) fn find() -> Result<Jdk> {
    let named =
        ["ES_JAVA_HOME", "JAVA_HOME"].into_iter().filter_map(std::env::var_os).map(PathBuf::from).chain(java_on_path());
    if let Some(jdk) = named.filter_map(|home| inspect(&home)).find(is_usable) {
        return Ok(jdk);
    }
    let newest =
        installed().into_iter().filter_map(|home| inspect(&home)).filter(is_usable).max_by_key(|jdk| jdk.major);
    match newest {
        Some(jdk) => Ok(jdk),
        None => bail!("no full JDK {MIN_MAJOR} or newer found: {}", install_hint()),
    }
}

/// The advice for installing a JDK on this system.
fn install_hint() -> &'static str {
    if cfg!(target_os = "macos") {
        "`brew install openjdk`, or set JAVA_HOME to one"
    } else {
        "`apt-get install openjdk-21-jdk-headless` (or your system's package), or set JAVA_HOME to one"
    }
}

fn is_usable(jdk: &Jdk) -> bool {
    jdk.major >= MIN_MAJOR
}

fn java_on_path() -> Option<PathBuf> {
    let java = process::find_on_path("java")?.canonicalize().ok()?;
    Some(java.parent()?.parent()?.to_path_buf())
}

fn installed() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let under_home = HOME_FOLDERS.iter().filter_map(|folder| home.as_ref().map(|home| home.join(folder)));
    INSTALL_FOLDERS
        .iter()
        .map(PathBuf::from)
        .chain(under_home)
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        // On macOS the JDK proper is further down, also in Homebrew's layout.
        .flat_map(|entry| {
            let path = entry.path();
            [path.join("Contents/Home"), path.join("libexec/openjdk.jdk/Contents/Home"), path]
        })
        .filter(|home| home.join("bin/java").is_file())
        .collect()
}

/// Parses the properties of a JDK; `None` if it is not a full JDK.
fn inspect(home: &Path) -> Option<Jdk> {
    if !home.join("bin/java").is_file() {
        return None;
    }
    let release = std::fs::read_to_string(home.join("release")).unwrap_or_default();
    let (major, has_module) = match (major_in_release(&release), modules_in_release(&release)) {
        (Some(major), Some(modules)) => (major, modules.contains(&REQUIRED_MODULE)),
        (major, _) => (
            major.or_else(|| ask_version(home))?,
            home.join("jmods").join(format!("{REQUIRED_MODULE}.jmod")).is_file() || ask_modules(home),
        ),
    };
    has_module.then(|| Jdk { home: home.to_path_buf(), major })
}

fn ask_version(home: &Path) -> Option<u32> {
    let finished =
        process::run_within(Command::new(home.join("bin/java")).arg("-version"), Duration::from_secs(20), || ());
    major_in_banner(&finished.ok()??.stderr)
}

fn ask_modules(home: &Path) -> bool {
    process::output_of(Command::new(home.join("bin/java")).arg("--list-modules"), Duration::from_secs(20))
        .is_some_and(|text| text.lines().any(|line| line.split('@').next() == Some(REQUIRED_MODULE)))
}

fn release_value<'a>(release: &'a str, key: &str) -> Option<&'a str> {
    release
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .map(|value| value.trim().trim_matches('"'))
}

fn major_in_release(release: &str) -> Option<u32> {
    major_of(release_value(release, "JAVA_VERSION")?)
}

fn modules_in_release(release: &str) -> Option<Vec<&str>> {
    Some(release_value(release, "MODULES")?.split_whitespace().collect())
}

/// The version between quotes in what `java -version` prints.
fn major_in_banner(banner: &str) -> Option<u32> {
    major_of(banner.split('"').nth(1)?)
}

/// The major version: `25.0.3` is 25, and `1.8.0_402` is 8.
fn major_of(version: &str) -> Option<u32> {
    let mut parts = version.split(['.', '-', '+', '_']);
    match parts.next()?.parse().ok()? {
        1 => parts.next()?.parse().ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_vendors_write_them() {
        for (version, major) in [
            ("25.0.3", Some(25)),
            ("21", Some(21)),
            ("22-ea", Some(22)),
            ("1.8.0_402", Some(8)),
            ("17.0.15+6", Some(17)),
            ("", None),
            ("unknown", None),
        ] {
            assert_eq!(major_of(version), major, "{version}");
        }
    }

    #[test]
    fn a_release_file_names_version_and_modules() {
        let release = "IMPLEMENTOR=\"X\"\nJAVA_VERSION=\"25.0.3\"\nJAVA_VERSION_DATE=\"2026-04-21\"\nMODULES=\"java.base jdk.jlink\"\n";
        assert_eq!(major_in_release(release), Some(25));
        assert_eq!(modules_in_release(release), Some(vec!["java.base", "jdk.jlink"]));
        assert_eq!(modules_in_release("JAVA_VERSION=\"21\""), None);
    }

    #[test]
    fn a_banner_names_the_version() {
        let banner = "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment";
        assert_eq!(major_in_banner(banner), Some(17));
        assert_eq!(major_in_banner("no quotes"), None);
    }

    #[test]
    fn a_jre_is_not_enough() {
        let folder = std::env::temp_dir().join(format!("xtask-jdk-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        std::fs::write(folder.join("bin/java"), "").unwrap();
        let write = |modules: &str| {
            let release = format!("JAVA_VERSION=\"25\"\nMODULES=\"{modules}\"\n");
            std::fs::write(folder.join("release"), release).unwrap();
        };
        write("java.base java.logging");
        assert_eq!(inspect(&folder), None);
        write("java.base jdk.jlink");
        assert_eq!(inspect(&folder), Some(Jdk { home: folder.clone(), major: 25 }));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
