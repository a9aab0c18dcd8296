//! The shared library of ONNX Runtime: the places where it is looked for, and loading it once.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use tracing::{debug, error, trace, warn};

use crate::error::{Error, ErrorKind};

/// The variable that names the library.
pub const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// The oldest version that is accepted.
pub const OLDEST_VERSION: &str = "1.18";

const HELP: &str = "install ONNX Runtime: the wheel `onnxruntime` on PyPI and the jar \
    com.microsoft.onnxruntime:onnxruntime on Maven Central hold the library";

/// A place where the library may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryPlace {
    /// The reason for looking there.
    pub origin: LibraryOrigin,
    /// The file.
    pub path: PathBuf,
}

/// The reason for looking for the library at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LibraryOrigin {
    /// The caller named it.
    Setting,
    /// [`LIBRARY_VARIABLE`] names it.
    Variable,
    /// It is beside the program, or in the folder `lib` beside it.
    BesideProgram,
    /// The loader of the system finds it.
    System,
}

impl fmt::Display for LibraryOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Setting => "the setting",
            Self::Variable => LIBRARY_VARIABLE,
            Self::BesideProgram => "beside the program",
            Self::System => "the libraries of the system",
        })
    }
}

/// The name of the library's file on this platform.
pub fn library_file_name() -> String {
    format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// The places where the library is looked for, in their order. A place that somebody named is the only one.
pub fn library_places(setting: Option<&Path>) -> Vec<LibraryPlace> {
    places(setting, std::env::var_os(LIBRARY_VARIABLE), std::env::current_exe().ok().as_deref())
}

fn places(setting: Option<&Path>, variable: Option<OsString>, program: Option<&Path>) -> Vec<LibraryPlace> {
    let place = |origin, path| LibraryPlace { origin, path };
    if let Some(path) = setting {
        return vec![place(LibraryOrigin::Setting, path.to_owned())];
    }
    if let Some(path) = variable.filter(|path| !path.is_empty()) {
        return vec![place(LibraryOrigin::Variable, path.into())];
    }
    let name = library_file_name();
    let mut places = Vec::new();
    if let Some(folder) = program.and_then(Path::parent) {
        places.push(place(LibraryOrigin::BesideProgram, folder.join(&name)));
        places.push(place(LibraryOrigin::BesideProgram, folder.join("lib").join(&name)));
    }
    places.push(place(LibraryOrigin::System, name.into()));
    places
}

/// ONNX Runtime, loaded into this process.
#[derive(Clone, Debug)]
pub struct OnnxRuntime {
    pub(super) environment: Environment,
    inner: Arc<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    place: LibraryPlace,
}

/// A process loads the library once.
static LOADED: Mutex<Option<OnnxRuntime>> = Mutex::new(None);

impl OnnxRuntime {
    /// Loads the library from the first of [`library_places`] that has it. Once it is loaded, the one
    /// that is there is returned, whatever the setting.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when it is nowhere, or is too old or damaged. The message says where it was
    /// looked for.
    pub fn load(setting: Option<&Path>) -> Result<Self, Error> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = loaded.as_ref() {
            return Ok(runtime.clone());
        }
        let places = library_places(setting);
        let mut missed = Vec::new();
        for place in places {
            // The loader's own search needs a name without a folder; all else is a file.
            if place.origin != LibraryOrigin::System && !place.path.exists() {
                missed.push(format!("{} ({}) is not there", place.path.display(), place.origin));
                continue;
            }
            match start(&place.path) {
                Ok(environment) => {
                    let runtime = Self { environment, inner: Arc::new(Loaded { place }) };
                    *loaded = Some(runtime.clone());
                    return Ok(runtime);
                }
                Err(error) => missed.push(format!("{} ({}): {error}", place.path.display(), place.origin)),
            }
        }
        let message = format!("ONNX Runtime cannot be loaded: {}", missed.join("; "));
        Err(Error::new(ErrorKind::Runtime, message).with_help(HELP))
    }

    /// The place that it was loaded from.
    pub fn place(&self) -> &LibraryPlace {
        &self.inner.place
    }

    /// The version of the library with the options that it was built with, in its own words.
    pub fn build_info(&self) -> &'static str {
        ort::info()
    }
}

fn start(path: &Path) -> Result<Environment, String> {
    let builder = ort::init_from(path).map_err(|error| error.to_string())?;
    // Its messages go where those of this process go, and not to standard error.
    let logger = |level: LogLevel, category: &str, _: &str, place: &str, message: &str| match level {
        LogLevel::Verbose | LogLevel::Info => trace!(target: "onnxruntime", category, place, "{message}"),
        LogLevel::Warning => debug!(target: "onnxruntime", category, place, "{message}"),
        LogLevel::Error => warn!(target: "onnxruntime", category, place, "{message}"),
        LogLevel::Fatal => error!(target: "onnxruntime", category, place, "{message}"),
    };
    let builder = builder.with_name("es-serving").with_telemetry(false).with_logger(Arc::new(logger));
    builder.build().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_named_is_the_only_one() {
        let program = Path::new("/opt/bin/orchestrator");
        let setting = places(Some(Path::new("/x/lib.so")), Some("/y/lib.so".into()), Some(program));
        assert_eq!(setting, [LibraryPlace { origin: LibraryOrigin::Setting, path: "/x/lib.so".into() }]);
        let variable = places(None, Some("/y/lib.so".into()), Some(program));
        assert_eq!(variable, [LibraryPlace { origin: LibraryOrigin::Variable, path: "/y/lib.so".into() }]);
        let name = library_file_name();
        let usual: Vec<PathBuf> =
            places(None, Some("".into()), Some(program)).into_iter().map(|one| one.path).collect();
        let beside = Path::new("/opt/bin");
        assert_eq!(usual, [beside.join(&name), beside.join("lib").join(&name), name.into()]);
    }

    #[test]
    fn a_library_that_is_not_there_or_none_is_an_error_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.so");
        let error = OnnxRuntime::load(Some(&missing)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert!(error.to_string().contains("missing.so (the setting) is not there"), "{error}");
        let text = folder.path().join("text.so");
        std::fs::write(&text, "no library").unwrap();
        let error = OnnxRuntime::load(Some(&text)).unwrap_err();
        assert!(error.to_string().contains("text.so (the setting): failed to load"), "{error}");
        assert!(error.help().is_some_and(|help| help.contains("onnxruntime")));
    }
}
