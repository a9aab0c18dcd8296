//! Gets archives from Maven Central with the ordinary Maven client, which
//! keeps them in its own local repository.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::terminal::{Progress, human_bytes};

/// The Maven plugin that fetches single artifacts, pinned so that every machine runs the same.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";

/// A gigabyte on a slow line takes its time.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(2 * 3600);

/// One archive in Maven Central.
pub(crate) struct Artifact {
    pub(crate) group: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: String,
    /// `zip` or `jar`.
    pub(crate) extension: &'static str,
}

impl Artifact {
    fn coordinates(&self) -> String {
        format!("{}:{}:{}:{}", self.group, self.name, self.version, self.extension)
    }

    fn file_name(&self) -> String {
        format!("{}-{}.{}", self.name, self.version, self.extension)
    }

    /// The artifact's folder in a Maven repository at `repository`.
    fn folder_in(&self, repository: &Path) -> PathBuf {
        repository.join(self.group.replace('.', "/")).join(self.name).join(&self.version)
    }

    /// The archive, fetched first where it is not on this machine yet.
    ///
    /// `java_home` runs Maven; `download_folder` is used only where Maven is
    /// configured to keep its repository in an unusual place.
    pub(crate) fn fetch(&self, java_home: &Path, download_folder: &Path) -> Result<PathBuf> {
        let repository = default_repository();
        let in_repository = repository.as_deref().map(|repository| self.folder_in(repository).join(self.file_name()));
        if let Some(file) = in_repository.as_ref().filter(|file| file.is_file()) {
            return Ok(file.clone());
        }
        let Some(maven) = process::find_on_path("mvn") else {
            bail!("Maven is needed to get {}, and no `mvn` is on the PATH: {}", self.file_name(), install_hint());
        };
        let watched = repository.as_deref().map(|repository| self.folder_in(repository));
        self.run_maven(
            Command::new(&maven)
                .args(["-B", "-q", &format!("{PLUGIN}:get"), "-Dtransitive=false"])
                .arg(format!("-Dartifact={}", self.coordinates()))
                .env("JAVA_HOME", java_home),
            watched.as_deref(),
        )?;
        if let Some(file) = in_repository.filter(|file| file.is_file()) {
            return Ok(file);
        }
        std::fs::create_dir_all(download_folder)?;
        self.run_maven(
            Command::new(&maven)
                .args(["-B", "-q", &format!("{PLUGIN}:copy")])
                .arg(format!("-Dartifact={}", self.coordinates()))
                .arg(format!("-DoutputDirectory={}", download_folder.display()))
                .env("JAVA_HOME", java_home),
            Some(download_folder),
        )?;
        let copied = download_folder.join(self.file_name());
        if copied.is_file() {
            return Ok(copied);
        }
        bail!("Maven reported success but left no {} in {}", self.file_name(), download_folder.display())
    }

    /// Runs Maven outside of any Maven project, and shows how much has arrived.
    fn run_maven(&self, command: &mut Command, watched: Option<&Path>) -> Result<()> {
        let mut progress = Progress::new(format!("getting {}", self.file_name()));
        command.current_dir(std::env::temp_dir());
        let finished = process::run_within(command, DOWNLOAD_LIMIT, || {
            let arrived = watched.map_or(0, folder_size);
            progress.update(&human_bytes(arrived));
        });
        let finished = match finished {
            Ok(Some(finished)) if finished.status.success() => {
                progress.finish(&human_bytes(watched.map_or(0, folder_size)));
                return Ok(());
            }
            other => {
                progress.abandon();
                other?
            }
        };
        match finished {
            None => bail!("Maven did not get {} within {} minutes", self.coordinates(), DOWNLOAD_LIMIT.as_secs() / 60),
            Some(failed) => bail!("Maven could not get {}; it said:\n{}", self.coordinates(), failed.tail()),
        }
    }
}

/// Maven's local repository where nobody configured another.
fn default_repository() -> Option<PathBuf> {
    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".m2/repository"))
}

fn folder_size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries.filter_map(Result::ok).filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

fn install_hint() -> &'static str {
    if cfg!(target_os = "macos") {
        "`brew install maven`; or start Docker, which needs neither Maven nor a JDK"
    } else {
        "`apt-get install maven` (or your system's package); or start Docker, which needs neither Maven nor a JDK"
    }
}

/// Opens a zip file; one that is cut short is named with what to do.
pub(crate) fn open_zip(path: &Path) -> Result<zip::ZipArchive<std::fs::File>> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    zip::ZipArchive::new(file)
        .with_context(|| format!("{} is not a complete zip file; delete it and try again", path.display()))
}

/// Writes one file of a zip file to a place, which has the whole of it or what it had before.
pub(crate) fn extract(archive: &Path, inside: &str, to: &Path) -> Result<()> {
    let mut entries = open_zip(archive)?;
    let mut entry = entries.by_name(inside).with_context(|| format!("{} has no {inside}", archive.display()))?;
    let unfinished = to.with_extension("new");
    let mut file = std::fs::File::create(&unfinished)?;
    std::io::copy(&mut entry, &mut file)?;
    std::fs::rename(&unfinished, to).with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_layout_is_maven_s() {
        let artifact = Artifact {
            group: "org.elasticsearch.distribution.integ-test-zip",
            name: "elasticsearch",
            version: "9.4.3".into(),
            extension: "zip",
        };
        assert_eq!(
            artifact.folder_in(Path::new("/r")),
            Path::new("/r/org/elasticsearch/distribution/integ-test-zip/elasticsearch/9.4.3")
        );
        assert_eq!(artifact.file_name(), "elasticsearch-9.4.3.zip");
    }
}
