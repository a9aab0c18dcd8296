//! The program of a `command` asset on disk: where it is, and the version of its own files.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use sha2::{Digest as _, Sha256};

use super::Command;
use crate::error::{Error, Result};
use crate::kinds::Subject;
use crate::kinds::folder::checksum;

/// The working folder of a program, as an absolute path.
///
/// # Errors
/// When it does not exist.
pub(super) fn folder(asset: &Subject<'_, Command>) -> Result<PathBuf> {
    let named = asset.definition.folder.as_deref();
    let folder = absolute(asset.project.path(named.unwrap_or(".")));
    match (folder.is_dir(), named) {
        (true, _) => Ok(folder),
        (false, Some(named)) => {
            let help = "make the folder, or name another; it is relative to the folder of the pipeline file";
            Err(asset.error_at("folder", &format!("there is no folder `{named}`"), Some(help)))
        }
        (false, None) => Err(Error::failed(format!("there is no folder {}", folder.display()))),
    }
}

/// A path that holds in every working folder.
pub(super) fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Finds the program that `run` names, in the folders of `search`, the value of `PATH`.
///
/// # Errors
/// When there is no such program.
pub(super) fn locate(asset: &Subject<'_, Command>, folder: &Path, search: Option<&OsStr>) -> Result<PathBuf> {
    let name = asset.definition.run.first().map_or("", String::as_str);
    let candidates: Vec<PathBuf> = match name.contains('/') {
        true => vec![folder.join(name)],
        false => std::env::split_paths(search.unwrap_or_default()).map(|one| folder.join(one).join(name)).collect(),
    };
    if let Some(found) = candidates.iter().find(|path| is_program(path)) {
        return Ok(found.clone());
    }
    let (message, help) = if candidates.iter().any(|path| path.is_file()) {
        let help = format!("make it executable with `chmod +x`, or name its interpreter first: `run: [sh, {name}]`");
        (format!("`{name}` is not executable"), help)
    } else if name.contains('/') {
        let help = "a program with a slash in its name is looked up relative to `folder`".to_owned();
        (format!("there is no program `{}`", folder.join(name).display()), help)
    } else {
        let help = "install it, or write its path; a program beside the pipeline is written `./name`".to_owned();
        (format!("there is no program `{name}` in PATH"), help)
    };
    Err(asset.error_at("run[0]", &message, Some(&help)))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Returns the entries of a command line that are files, with their positions. A program that is
/// looked up in `PATH` is none.
pub(super) fn own_files(run: &[String], folder: &Path) -> Vec<(usize, PathBuf)> {
    let is_path = |(index, argument): &(usize, &String)| *index > 0 || argument.contains('/');
    let paths = run.iter().enumerate().filter(is_path).map(|(index, argument)| (index, folder.join(argument)));
    paths.filter(|(_, path)| path.is_file()).collect()
}

/// The version of files at positions of a command line. Blocks.
///
/// # Errors
/// When a file cannot be read; with its position.
pub(super) fn version(files: &[(usize, PathBuf)]) -> Result<String, (usize, io::Error)> {
    let mut versions = Sha256::new();
    for (index, path) in files {
        let (_, sha256) = checksum(path).map_err(|error| (*index, error))?;
        versions.update(format!("{index} {sha256}\n"));
    }
    Ok(hex::encode(versions.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_files_are_the_entries_that_exist() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        for name in ["sh", "score.py", "tool"] {
            write(name, name);
        }
        fs::create_dir(folder.path().join("data")).unwrap();
        let files = |run: &[&str]| {
            let run: Vec<String> = run.iter().map(|&entry| entry.to_owned()).collect();
            own_files(&run, folder.path())
        };
        let found = |run: &[&str]| files(run).into_iter().map(|(index, _)| index).collect::<Vec<_>>();
        assert_eq!(found(&["sh", "score.py", "data", "--fast", "missing.py"]), [1]);
        assert_eq!(found(&["./tool", "", "tool"]), [0, 2]);
        assert_eq!(found(&["sh"]), [0; 0]);

        let run = ["./tool", "score.py"];
        let before = version(&files(&run)).unwrap();
        assert_eq!(version(&files(&run)).unwrap(), before);
        assert_ne!(version(&files(&["score.py", "./tool"])).unwrap(), before);
        write("score.py", "changed");
        assert_ne!(version(&files(&run)).unwrap(), before);
    }
}
