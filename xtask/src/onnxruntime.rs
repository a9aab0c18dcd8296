//! `cargo xtask onnxruntime`: the shared library that models are scored with, from Maven Central.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::es::artifacts::{Artifact, extract};
use crate::es::jdk;
use crate::{process, workspace};

/// The version that the project is developed against; the program takes older and newer ones too.
const VERSION: &str = "1.22.0";

/// The variable that names the library to the program and to the tests.
pub const VARIABLE: &str = "ORT_DYLIB_PATH";

pub(crate) fn run() -> Result<()> {
    let library = library()?;
    println!("{VARIABLE}={}", library.display());
    Ok(())
}

/// The library that [`VARIABLE`] names, or else that of this checkout, which is fetched first where it is not
/// there yet.
///
/// # Errors
/// When it is not there and cannot be fetched.
pub fn library() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from) {
        if !path.is_file() {
            bail!("{VARIABLE} is {}, which is not there", path.display());
        }
        return Ok(path);
    }
    let (platform, inside) = platform(std::env::consts::OS, std::env::consts::ARCH)?;
    let name = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let folder = workspace::root().join(".onnxruntime");
    let version = folder.join("version");
    let library = folder.join(name);
    if library.is_file() && std::fs::read_to_string(&version).is_ok_and(|text| text == VERSION) {
        return Ok(library);
    }
    if process::find_on_path("mvn").is_none() {
        bail!(
            "Maven fetches ONNX Runtime, and no `mvn` is on the PATH; without it, take libonnxruntime from the \
             wheel `onnxruntime` on PyPI and set {VARIABLE} to it"
        );
    }
    let artifact =
        Artifact { group: "com.microsoft.onnxruntime", name: "onnxruntime", version: VERSION.into(), extension: "jar" };
    let jar = artifact.fetch(&jdk::find()?.home, &folder.join("download"))?;
    std::fs::create_dir_all(&folder)?;
    extract(&jar, &format!("ai/onnxruntime/native/{platform}/{inside}"), &library)?;
    std::fs::write(&version, VERSION)?;
    Ok(library)
}

/// The folder of the jar for a platform, with the name of the library in it.
fn platform(os: &str, architecture: &str) -> Result<(&'static str, &'static str)> {
    Ok(match (os, architecture) {
        ("linux", "x86_64") => ("linux-x64", "libonnxruntime.so"),
        ("linux", "aarch64") => ("linux-aarch64", "libonnxruntime.so"),
        ("macos", "aarch64") => ("osx-aarch64", "libonnxruntime.dylib"),
        ("macos", "x86_64") => ("osx-x64", "libonnxruntime.dylib"),
        ("windows", "x86_64") => ("win-x64", "onnxruntime.dll"),
        _ => bail!("there is no ONNX Runtime for {os} on {architecture} in Maven Central: set {VARIABLE} to yours"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_without_a_library_is_named() {
        assert_eq!(platform("linux", "x86_64").unwrap(), ("linux-x64", "libonnxruntime.so"));
        let error = platform("freebsd", "x86_64").unwrap_err().to_string();
        assert!(error.contains("freebsd on x86_64") && error.contains(VARIABLE), "{error}");
    }
}
