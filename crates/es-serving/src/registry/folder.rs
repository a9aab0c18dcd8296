//! Model files by checksum under a folder.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::task;

use super::checksum::Checksum;
use crate::error::{Error, ErrorKind};

/// Bytes of a file that are in memory.
const PIECE: usize = 128 * 1024;

/// The start of the names of files that are being written.
const UNFINISHED: &str = ".unfinished-";

/// The age from which an unfinished file is that of a process that is gone.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Files of models and their tokenizers, each at a place that follows from its checksum: `ba/ba7816….onnx`.
///
/// A file is there as a whole or not at all: it is written beside its place, flushed to the disk and
/// renamed. It is read a piece at a time, however large it is. Any number of processes may use one
/// folder.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let place = tempfile::tempdir()?;
/// # let (models, source) = (place.path().join("models"), place.path().join("late.onnx"));
/// # std::fs::write(&source, b"the model")?;
/// use es_serving::registry::ModelFolder;
///
/// let folder = ModelFolder::new(models);
/// let stored = folder.put(&source).await?;
/// let path = folder.open(stored.sha256).await?; // verified
/// assert_eq!(std::fs::read(path)?, b"the model");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ModelFolder {
    root: PathBuf,
}

/// A file of a [`ModelFolder`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoredFile {
    /// The path relative to the folder, with `/`.
    pub path: String,
    /// The checksum.
    pub sha256: Checksum,
    /// The size.
    pub bytes: u64,
}

/// A kind of file, with an ending of its own.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Tokenizer,
}

impl Kind {
    fn path_of(self, sha256: Checksum) -> String {
        let name = sha256.to_string();
        let ending = match self {
            Self::Model => "onnx",
            Self::Tokenizer => "tokenizer.json",
        };
        format!("{}/{name}.{ending}", &name[..2])
    }

    fn name(self) -> &'static str {
        match self {
            Self::Model => "model file",
            Self::Tokenizer => "tokenizer file",
        }
    }
}

impl StoredFile {
    /// The path of a file of a checksum, relative to the folder.
    #[must_use]
    pub fn path_of(sha256: Checksum) -> String {
        Kind::Model.path_of(sha256)
    }

    /// The path of a tokenizer of a checksum, relative to the folder.
    #[must_use]
    pub fn tokenizer_path_of(sha256: Checksum) -> String {
        Kind::Tokenizer.path_of(sha256)
    }
}

impl ModelFolder {
    /// The files under a folder, which is created with the first.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Copies a file into the folder. One that is there already stays; if it is damaged, it is
    /// replaced.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the file cannot be read, or the folder not written.
    pub async fn put(&self, source: &Path) -> Result<StoredFile, Error> {
        self.put_kind(Kind::Model, source).await
    }

    /// Copies a `tokenizer.json` into the folder, as [`ModelFolder::put`].
    ///
    /// # Errors
    /// As [`ModelFolder::put`].
    pub async fn put_tokenizer(&self, source: &Path) -> Result<StoredFile, Error> {
        self.put_kind(Kind::Tokenizer, source).await
    }

    async fn put_kind(&self, kind: Kind, source: &Path) -> Result<StoredFile, Error> {
        let (root, source) = (self.root.clone(), source.to_owned());
        blocking(move || {
            let mut file = File::open(&source).map_err(|error| io_error(&source, "read", error))?;
            put(&root, kind, &mut file).map_err(|error| error.at(&root, &source))
        })
        .await
    }

    /// Writes bytes into the folder, as [`ModelFolder::put`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the folder cannot be written.
    pub async fn put_bytes(&self, bytes: impl AsRef<[u8]> + Send + 'static) -> Result<StoredFile, Error> {
        let root = self.root.clone();
        blocking(move || put(&root, Kind::Model, &mut bytes.as_ref()).map_err(|error| error.at(&root, &root))).await
    }

    /// Returns the path of a file, after reading all of it and comparing its checksum.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such file; [`ErrorKind::Damaged`] when its content is
    /// not that of the checksum; [`ErrorKind::Io`] when it cannot be read.
    pub async fn open(&self, sha256: Checksum) -> Result<PathBuf, Error> {
        self.open_kind(Kind::Model, sha256).await
    }

    /// Returns the path of a tokenizer, as [`ModelFolder::open`].
    ///
    /// # Errors
    /// As [`ModelFolder::open`].
    pub async fn open_tokenizer(&self, sha256: Checksum) -> Result<PathBuf, Error> {
        self.open_kind(Kind::Tokenizer, sha256).await
    }

    async fn open_kind(&self, kind: Kind, sha256: Checksum) -> Result<PathBuf, Error> {
        let path = self.root.join(kind.path_of(sha256));
        blocking(move || {
            let found = match File::open(&path) {
                Ok(mut file) => checksum(&mut file).map_err(|error| io_error(&path, "read", error))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let message = format!("there is no {} {}", kind.name(), path.display());
                    return Err(Error::new(ErrorKind::NotFound, message).with_help(
                        "put the file into this folder with ModelFolder::put, or use the folder that has it",
                    ));
                }
                Err(error) => return Err(io_error(&path, "read", error)),
            };
            if found != sha256 {
                let message = format!("the {} {} is damaged: its checksum is {found}", kind.name(), path.display());
                return Err(Error::new(ErrorKind::Damaged, message)
                    .with_help("put the file that was registered again with ModelFolder::put, which replaces it"));
            }
            Ok(path)
        })
        .await
    }
}

/// The side of a copy that failed.
enum Failure {
    Reading(io::Error),
    Writing(io::Error),
}

impl Failure {
    fn at(self, root: &Path, source: &Path) -> Error {
        match self {
            Self::Reading(error) => io_error(source, "read", error),
            Self::Writing(error) => io_error(root, "written", error),
        }
    }
}

pub(crate) fn io_error(path: &Path, done: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{} cannot be {done}: {error}", path.display())).with_source(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Io, "the work on a model file was interrupted").with_source(error))
    })
}

impl Checksum {
    /// Returns the checksum of a file, which is read a piece at a time. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be read.
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        let found = File::open(path).and_then(|mut file| checksum(&mut file));
        found.map_err(|error| io_error(path, "read", error))
    }
}

fn checksum(source: &mut impl Read) -> io::Result<Checksum> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(Checksum::finish(hasher)),
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A file that is removed unless it was renamed.
pub(crate) struct Unfinished(pub(crate) PathBuf);

/// A name of its own for a file to be written.
pub(crate) fn unfinished(root: &Path) -> Unfinished {
    Unfinished(root.join(format!("{UNFINISHED}{}", uuid::Uuid::now_v7())))
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn put(root: &Path, kind: Kind, source: &mut impl Read) -> Result<StoredFile, Failure> {
    fs::create_dir_all(root).map_err(Failure::Writing)?;
    remove_abandoned(root, SystemTime::now());
    let unfinished = unfinished(root);
    let mut file = File::create_new(&unfinished.0).map_err(Failure::Writing)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut bytes = 0;
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::Reading(error)),
        };
        hasher.update(&piece[..read]);
        file.write_all(&piece[..read]).map_err(Failure::Writing)?;
        bytes += read as u64;
    }
    let sha256 = Checksum::finish(hasher);
    let stored = StoredFile { path: kind.path_of(sha256), sha256, bytes };
    place(root, &stored, &file, &unfinished.0).map_err(Failure::Writing)?;
    Ok(stored)
}

/// Brings a written file to its place, unless it is there and whole.
fn place(root: &Path, stored: &StoredFile, file: &File, unfinished: &Path) -> io::Result<()> {
    let place = root.join(&stored.path);
    if let Ok(mut there) = File::open(&place)
        && checksum(&mut there).is_ok_and(|found| found == stored.sha256)
    {
        return Ok(());
    }
    file.sync_all()?;
    let folder = place.parent().unwrap_or(root);
    fs::create_dir_all(folder)?;
    fs::rename(unfinished, &place)?;
    // A rename is on the disk once its folder is, and the folder once the one above is.
    for folder in [folder, root] {
        sync_folder(folder)?;
    }
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "folders cannot be flushed here")]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes files that processes left unfinished. A file that cannot be removed stays.
fn remove_abandoned(root: &Path, now: SystemTime) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let is_unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        let age = written.ok().and_then(|written| now.duration_since(written).ok());
        if is_unfinished && age.is_some_and(|age| age >= ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_file_is_put_by_its_checksum_and_read_back() {
        let place = tempfile::tempdir().unwrap();
        let source = place.path().join("source");
        // Longer than a piece, and not a multiple of one.
        let content: Vec<u8> = (0..PIECE * 3 + 17).map(|index| u8::try_from(index % 251).unwrap()).collect();
        fs::write(&source, &content).unwrap();
        let folder = ModelFolder::new(place.path().join("models"));
        let stored = folder.put(&source).await.unwrap();
        assert_eq!((stored.sha256, stored.bytes), (Checksum::of(&content), content.len() as u64));
        let name = stored.sha256.to_string();
        assert_eq!(stored.path, format!("{}/{name}.onnx", &name[..2]));
        let path = folder.open(stored.sha256).await.unwrap();
        assert_eq!(fs::read(path).unwrap(), content);
        assert_eq!(folder.put_bytes(content).await.unwrap(), stored);
        assert_eq!(names(folder.root()), [&name[..2]]);
    }

    #[tokio::test]
    async fn a_damaged_file_is_an_error_of_its_own_and_put_repairs_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = ModelFolder::new(place.path());
        let stored = folder.put_bytes(b"a model").await.unwrap();
        let path = folder.open(stored.sha256).await.unwrap();
        for damage in [&b"a modem"[..], b"a mode", b""] {
            fs::write(&path, damage).unwrap();
            let error = folder.open(stored.sha256).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged);
            assert!(error.to_string().contains(&Checksum::of(damage).to_string()), "{error}");
        }
        folder.put_bytes(b"a model").await.unwrap();
        assert_eq!(fs::read(folder.open(stored.sha256).await.unwrap()).unwrap(), b"a model");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_named() {
        let place = tempfile::tempdir().unwrap();
        let folder = ModelFolder::new(place.path().join("models"));
        let error = folder.open(Checksum::of(b"")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = folder.put(&place.path().join("late.onnx")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("late.onnx cannot be read"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn a_source_that_fails_leaves_nothing() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let place = tempfile::tempdir().unwrap();
        let failed = put(place.path(), Kind::Model, &mut (&b"a beginning"[..]).chain(Failing));
        assert!(matches!(failed, Err(Failure::Reading(_))));
        assert!(names(place.path()).is_empty());
    }

    #[test]
    fn unfinished_files_are_removed_when_they_are_old() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(format!("{UNFINISHED}a")), b"").unwrap();
        fs::write(place.path().join("other"), b"").unwrap();
        remove_abandoned(place.path(), SystemTime::now());
        assert_eq!(names(place.path()), [".unfinished-a", "other"]);
        remove_abandoned(place.path(), SystemTime::now() + ABANDONED + Duration::from_secs(60));
        assert_eq!(names(place.path()), ["other"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_writers_of_one_file_leave_one_whole_file() {
        let place = tempfile::tempdir().unwrap();
        let folder = ModelFolder::new(place.path());
        let content = vec![7_u8; PIECE * 2];
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let (folder, content) = (folder.clone(), content.clone());
                tokio::spawn(async move { folder.put_bytes(content).await.unwrap() })
            })
            .collect();
        for writer in writers {
            assert_eq!(writer.await.unwrap().sha256, Checksum::of(&content));
        }
        folder.open(Checksum::of(&content)).await.unwrap();
        assert_eq!(names(place.path()).len(), 1);
    }
}
