//! The bytes of a file or of standard input, decompressed on the way.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::encoding::Encoding;
use super::format::Compression;
use super::input::{Input, Pipe};
use super::read_error::ReadError;
use crate::error::{Error, ErrorKind};

/// Bytes that are read from start to end.
pub(crate) type Bytes = Box<dyn Read + Send>;

/// The encoding of a text.
#[derive(Clone, Copy)]
pub(crate) enum TextEncoding {
    /// UTF-8, unless a byte order mark of UTF-16 begins it.
    Detected,
    Utf8,
    Other(Encoding),
}

impl From<Option<Encoding>> for TextEncoding {
    fn from(encoding: Option<Encoding>) -> Self {
        match encoding {
            None => Self::Detected,
            Some(encoding) if encoding.is_utf8() => Self::Utf8,
            Some(encoding) => Self::Other(encoding),
        }
    }
}

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

    /// The text from an offset on, in UTF-8. An encoding that is detected is known from then on.
    pub(crate) fn open_text_at(&mut self, offset: u64, encoding: &mut TextEncoding) -> Result<Input, ReadError> {
        if matches!(encoding, TextEncoding::Utf8) {
            return self.open_at(offset);
        }
        let mut bytes = self.decompressed()?;
        if matches!(encoding, TextEncoding::Detected) {
            let mut start = [0; 4];
            let read = read_start(&mut bytes, &mut start)?;
            *encoding = Encoding::of_mark(&start[..read]).map_or(TextEncoding::Utf8, TextEncoding::Other);
            bytes = with_start(start, read, bytes);
        }
        if let TextEncoding::Other(encoding) = encoding {
            bytes = encoding.decode(bytes);
        }
        self.input(bytes, offset)
    }

    /// The uncompressed bytes from their start on.
    fn decompressed(&mut self) -> Result<Bytes, ReadError> {
        let (mut bytes, compression, path): (Bytes, _, _) = match self {
            Self::File { path, compression } => (Box::new(File::open(&*path)?), compression, Some(path)),
            Self::Once(bytes, compression) => {
                let bytes = bytes.take();
                (bytes.ok_or_else(|| ReadError::Position("the input cannot be read again".into()))?, compression, None)
            }
        };
        let mut start = [0; 4];
        let read = read_start(&mut bytes, &mut start)?;
        let named = path.filter(|_| read > 0).map_or(Compression::None, |path| Compression::of_path(path));
        let compression = compression.or(Compression::of_magic(&start[..read])).unwrap_or(named);
        decompressed(with_start(start, read, bytes), compression)
    }

    /// Bytes of this source, from an offset on.
    fn input(&self, mut bytes: Bytes, offset: u64) -> Result<Input, ReadError> {
        let passed = io::copy(&mut bytes.by_ref().take(offset), &mut io::sink())?;
        if passed < offset {
            return Err(too_short(offset));
        }
        Ok(match self {
            Self::File { .. } => Input::File(bytes),
            Self::Once(..) => Input::Pipe(Pipe::start(bytes)?),
        })
    }

    /// The uncompressed bytes from an offset on.
    pub(crate) fn open_at(&mut self, offset: u64) -> Result<Input, ReadError> {
        if let Self::File { path, compression } = self {
            let mut file = File::open(&*path)?;
            let mut start = [0; 4];
            let read = read_start(&mut file, &mut start)?;
            let named = if read == 0 { Compression::None } else { Compression::of_path(path) };
            if compression.or(Compression::of_magic(&start[..read])).unwrap_or(named) == Compression::None {
                if file.metadata()?.len() < offset {
                    return Err(too_short(offset));
                }
                file.seek(SeekFrom::Start(offset))?;
                return Ok(Input::File(Box::new(file)));
            }
        }
        let bytes = self.decompressed()?;
        self.input(bytes, offset)
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
