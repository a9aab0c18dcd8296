//! The bytes of a file or of standard input, decompressed on the way.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::format::Compression;
use super::input::{Input, Pipe};
use super::read_error::ReadError;
use crate::error::{Error, ErrorKind};

/// Bytes that are read from start to end.
pub(crate) type Bytes = Box<dyn Read + Send>;

/// The origin of bytes.
pub(crate) enum ByteSource {
    /// A file, which can be opened again at any place.
    File { path: PathBuf, compression: Option<Compression> },
    /// Bytes that come once.
    Once(Option<Bytes>, Option<Compression>),
}

impl ByteSource {
    /// An open file. A pipe with a path comes once, too.
    pub(crate) fn of(file: File, path: &Path, compression: Option<Compression>) -> Self {
        if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            Self::File { path: path.to_owned(), compression }
        } else {
            Self::Once(Some(Box::new(file)), compression)
        }
    }

    /// Returns true if [`Self::open_at`] works more than once.
    pub(crate) fn can_return(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// The uncompressed bytes from an offset on.
    pub(crate) fn open_at(&mut self, offset: u64) -> Result<Input, ReadError> {
        let (bytes, compression) = match self {
            Self::File { path, compression } => {
                let mut file = File::open(&*path)?;
                let mut start = [0; 4];
                let read = read_start(&mut file, &mut start)?;
                let named = if read == 0 { Compression::None } else { Compression::of_path(path) };
                let compression = compression.or(Compression::of_magic(&start[..read])).unwrap_or(named);
                if compression == Compression::None {
                    if file.metadata()?.len() < offset {
                        return Err(too_short(offset));
                    }
                    file.seek(SeekFrom::Start(offset))?;
                    return Ok(Input::File(Box::new(file)));
                }
                (with_start(start, read, Box::new(file)), compression)
            }
            Self::Once(bytes, compression) => {
                let mut bytes =
                    bytes.take().ok_or_else(|| ReadError::Position("the input cannot be read again".into()))?;
                let mut start = [0; 4];
                let read = read_start(&mut bytes, &mut start)?;
                let compression = compression.or(Compression::of_magic(&start[..read])).unwrap_or(Compression::None);
                (with_start(start, read, bytes), compression)
            }
        };
        let mut bytes = decompressed(bytes, compression)?;
        let passed = io::copy(&mut bytes.by_ref().take(offset), &mut io::sink())?;
        if passed < offset {
            return Err(too_short(offset));
        }
        Ok(match self {
            Self::File { .. } => Input::File(bytes),
            Self::Once(..) => Input::Pipe(Pipe::start(bytes)?),
        })
    }
}

fn decompressed(bytes: Bytes, compression: Compression) -> Result<Bytes, ReadError> {
    Ok(match compression {
        Compression::None => bytes,
        Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(64 << 10, bytes))),
        Compression::Zstd => Box::new(zstd::Decoder::new(bytes)?),
    })
}

fn too_short(offset: u64) -> ReadError {
    ReadError::Position(format!("it has fewer than the {offset} bytes that were read before"))
}

/// Puts the bytes that were inspected before the rest again.
fn with_start(start: [u8; 4], read: usize, rest: Bytes) -> Bytes {
    Box::new(Cursor::new(start).take(read as u64).chain(rest))
}

/// Reads until the buffer is full or the input ends, and returns the number of bytes.
fn read_start(bytes: &mut impl Read, start: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < start.len() {
        match bytes.read(&mut start[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Opens a file.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let failed = |source: io::Error| {
        let help = match source.kind() {
            io::ErrorKind::NotFound => "check the path; a relative path starts at the working folder",
            io::ErrorKind::PermissionDenied => "check the permissions of the file",
            _ => "check the path",
        };
        Error::of_file(ErrorKind::File, path, format!("{} cannot be opened: {source}", path.display()))
            .with_help(help)
            .with_source(source)
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(Error::of_file(ErrorKind::File, path, format!("{} is a folder", path.display()))
            .with_help("name the files in it, for instance with *.parquet"));
    }
    Ok(file)
}
