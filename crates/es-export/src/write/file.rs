//! A file that is hashed and counted as it is written, and on disk when it is finished.
//!
//! The disk gets what was written while more is written: a file of many megabytes that is synced
//! at its end alone makes everything else wait for the disk.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use sha2::{Digest as _, Sha256};

use super::ManifestFile;
use super::compressed::Compressed;
use super::format::Compression;
use crate::error::Error;

/// Bytes between the writers and the system.
const BUFFER: usize = 256 * 1024;

/// Bytes after which the disk gets what was written.
const SYNC_BYTES: u64 = 32 * 1024 * 1024;

/// Makes a file, and the folders on the way to it.
fn open(path: &Path) -> Result<File, Error> {
    path.parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| File::options().read(true).write(true).create(true).truncate(true).open(path))
        .map_err(|source| Error::writing(path, source))
}

/// A file to be made.
pub(super) struct NewFile<'a> {
    pub(super) folder: &'a Path,
    /// Its path within the folder, with `/`.
    pub(super) name: &'a str,
    /// `true` for a file that is hashed, and on disk when it is finished. A scratch file is neither.
    pub(super) is_durable: bool,
}

/// A file being written from its beginning to its end.
pub(super) struct OutputFile {
    path: PathBuf,
    name: String,
    shared: Arc<Mutex<Compressed<HashingFile>>>,
}

impl OutputFile {
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self, Error> {
        Self::open(&NewFile { folder, name, is_durable: true })
    }

    pub(super) fn open(file: &NewFile<'_>) -> Result<Self, Error> {
        Self::open_compressed(file, Compression::Uncompressed)
    }

    /// A file that is compressed as a whole. Its size and its hash are those of the compressed bytes.
    pub(super) fn open_compressed(file: &NewFile<'_>, compression: Compression) -> Result<Self, Error> {
        let path = file.folder.join(file.name);
        let hash = file.is_durable.then(Sha256::new);
        let hashing = HashingFile {
            file: BufWriter::with_capacity(BUFFER, open(&path)?),
            hash,
            bytes: 0,
            synced: 0,
            syncing: None,
            failure: None,
        };
        let shared = Compressed::new(hashing, compression).map_err(|source| Error::writing(&path, source))?;
        Ok(Self { path, name: file.name.to_owned(), shared: Arc::new(Mutex::new(shared)) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A handle to write to: libraries keep theirs and do not give it back.
    pub(super) fn writer(&self) -> SharedFile {
        SharedFile(self.shared.clone())
    }

    /// Its path within the folder.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        self.lock().write_all(bytes).map_err(|source| Error::writing(&self.path, source))
    }

    /// The cause of a library's error: libraries turn a failure of the file into text, and the file
    /// itself recorded more.
    pub(super) fn failure(&self, error: impl Into<Error>) -> Error {
        match self.lock().inner().and_then(|file| file.failure.take()) {
            Some(source) => Error::writing(&self.path, source),
            None => error.into(),
        }
    }

    pub(super) fn finish(self, rows: u64) -> Result<ManifestFile, Error> {
        let mut file = self.lock().finish().map_err(|source| Error::writing(&self.path, source))?;
        file.file
            .flush()
            .and_then(|()| file.end_sync())
            .and_then(|()| if file.hash.is_some() { file.file.get_ref().sync_all() } else { Ok(()) })
            .map_err(|source| Error::writing(&self.path, source))?;
        let sha256 = file.hash.take().map(|hash| hex::encode(hash.finalize())).unwrap_or_default();
        Ok(ManifestFile { path: self.name.clone(), rows, bytes: file.bytes, sha256, description: None })
    }

    fn lock(&self) -> MutexGuard<'_, Compressed<HashingFile>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct HashingFile {
    file: BufWriter<File>,
    /// `None` for a scratch file, which is not synced either.
    hash: Option<Sha256>,
    bytes: u64,
    /// The number of them that are on disk, or on their way.
    synced: u64,
    syncing: Option<JoinHandle<io::Result<()>>>,
    /// Why the file could not be written, if it could not.
    failure: Option<io::Error>,
}

/// The writer's end of a file.
pub(super) struct SharedFile(Arc<Mutex<Compressed<HashingFile>>>);

impl Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Libraries flush after each piece; the file is flushed once, at its end.
        Ok(())
    }
}

impl HashingFile {
    /// Lets the disk get what was written since the last time.
    fn begin_sync(&mut self) -> io::Result<()> {
        // Waiting for the last one bounds what the system holds of the file.
        self.end_sync()?;
        let file = self.file.get_ref().try_clone()?;
        self.synced = self.bytes;
        self.syncing = Some(thread::Builder::new().name("sync".to_owned()).spawn(move || file.sync_data())?);
        Ok(())
    }

    /// Waits for the disk, and returns its failure, which the system reports once.
    fn end_sync(&mut self) -> io::Result<()> {
        let ended = self.syncing.take().map(JoinHandle::join);
        ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err(io::Error::other("syncing the file has panicked")))
    }

    fn noted<T>(&mut self, outcome: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &outcome {
            let copy = match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            };
            self.failure = Some(copy);
        }
        outcome
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        let written = self.noted(written)?;
        self.bytes += written as u64;
        let Some(hash) = &mut self.hash else { return Ok(written) };
        hash.update(&bytes[..written]);
        if self.bytes - self.synced >= SYNC_BYTES {
            let begun = self.begin_sync();
            self.noted(begun)?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.noted(flushed)
    }
}

/// A file whose beginning is known only at its end, so that it is hashed by reading it once
/// more.
pub(super) struct PatchedFile {
    path: PathBuf,
    name: String,
    file: BufWriter<File>,
}

impl PatchedFile {
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self, Error> {
        let path = folder.join(name);
        let file = BufWriter::with_capacity(BUFFER, open(&path)?);
        Ok(Self { path, name: name.to_owned(), file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The file itself, for what seeks in it.
    pub(super) fn inner(&mut self) -> &mut BufWriter<File> {
        &mut self.file
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|source| Error::writing(&self.path, source))
    }

    /// Writes over the first bytes of the file.
    pub(super) fn patch_start(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file
            .rewind()
            .and_then(|()| self.file.write_all(bytes))
            .map_err(|source| Error::writing(&self.path, source))
    }

    pub(super) fn finish(mut self, rows: u64) -> Result<ManifestFile, Error> {
        let hashed = self.file.flush().and_then(|()| {
            let file = self.file.get_mut();
            file.sync_all()?;
            file.rewind()?;
            let mut hash = Sha256::new();
            let mut bytes = 0;
            let mut buffer = vec![0; BUFFER];
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok((bytes, hex::encode(hash.finalize()))),
                    read => {
                        hash.update(&buffer[..read]);
                        bytes += read as u64;
                    }
                }
            }
        });
        let (bytes, sha256) = hashed.map_err(|source| Error::writing(&self.path, source))?;
        Ok(ManifestFile { path: self.name, rows, bytes, sha256, description: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_on_its_way_to_the_disk_while_it_is_written() {
        let scratch = tempfile::tempdir().unwrap();
        let file = OutputFile::create(scratch.path(), "large").unwrap();
        let piece = vec![7; 11 * 1024 * 1024];
        let mut hash = Sha256::new();
        let mut synced = Vec::new();
        for _ in 0..4 {
            file.write(&piece).unwrap();
            hash.update(&piece);
            synced.push(file.lock().inner().unwrap().synced / (1024 * 1024));
        }
        assert_eq!(synced, [0, 0, 33, 33]);
        let written = file.finish(1).unwrap();
        assert_eq!((written.bytes, written.sha256), (44 * 1024 * 1024, hex::encode(hash.finalize())));
        assert_eq!(std::fs::metadata(scratch.path().join("large")).unwrap().len(), 44 * 1024 * 1024);
    }
}
