//! Compression of a file as a whole, while it is written.

use std::io::{self, Write};

use flate2::write::GzEncoder;

use super::format::Compression;

/// The level of gzip's own program.
const GZIP_LEVEL: u32 = 6;
/// The default level of Zstandard.
const ZSTD_LEVEL: i32 = 3;

/// A writer whose bytes may be compressed before they go on.
pub(super) enum Compressed<W: Write> {
    Plain(W),
    Gzip(Box<GzEncoder<W>>),
    Zstd(Box<zstd::Encoder<'static, W>>),
    /// It was finished.
    Ended,
}

impl<W: Write> Compressed<W> {
    /// A writer with a compression that text files have; any other leaves the bytes as they are.
    pub(super) fn new(writer: W, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(Box::new(GzEncoder::new(writer, flate2::Compression::new(GZIP_LEVEL)))),
            Compression::Zstd => Self::Zstd(Box::new(zstd::Encoder::new(writer, ZSTD_LEVEL)?)),
            _ => Self::Plain(writer),
        })
    }

    /// The writer behind it, unless it was finished.
    pub(super) fn inner(&mut self) -> Option<&mut W> {
        match self {
            Self::Plain(writer) => Some(writer),
            Self::Gzip(encoder) => Some(encoder.get_mut()),
            Self::Zstd(encoder) => Some(encoder.get_mut()),
            Self::Ended => None,
        }
    }

    /// Writes the end of the compressed data, and returns the writer behind it.
    pub(super) fn finish(&mut self) -> io::Result<W> {
        match std::mem::replace(self, Self::Ended) {
            Self::Plain(writer) => Ok(writer),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Ended => Err(ended()),
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the file was finished already")
}

impl<W: Write> Write for Compressed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Ended => Err(ended()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::Ended => Err(ended()),
        }
    }
}
