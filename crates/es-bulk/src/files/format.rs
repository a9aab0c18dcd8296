//! The formats and compressions that files can have, and how they are told.

use std::fmt;
use std::path::Path;

use crate::error::{Error, ErrorKind};

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header line.
    Csv,
    /// Newline-delimited JSON.
    Ndjson,
    /// The Arrow IPC file format (Feather version 2).
    Ipc,
    /// The Arrow IPC streaming format.
    IpcStream,
}

/// How a file is compressed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952), of one or more members.
    Gzip,
    /// Zstandard (RFC 8878), of one or more frames.
    Zstd,
}

impl FileFormat {
    /// The format that a name's extension tells, the extension of a compression aside:
    /// `x.csv.gz` is CSV.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] for an extension that is not known.
    pub fn of_name(path: &Path) -> Result<Self, Error> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
        let bare = [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let extension = Path::new(bare.unwrap_or(&name)).extension().and_then(|extension| extension.to_str());
        match extension.unwrap_or_default() {
            "parquet" | "pq" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            "arrow" | "ipc" | "feather" => Ok(Self::Ipc),
            "arrows" => Ok(Self::IpcStream),
            _ => Err(Error::of_file(
                ErrorKind::Format,
                path,
                format!("the name {} does not tell the file's format", path.display()),
            )
            .with_help("set `format` to parquet, csv, ndjson or ipc")),
        }
    }

    /// Whether the format is read from its start to its end, so that it can come compressed
    /// and from standard input.
    pub fn is_stream(self) -> bool {
        match self {
            Self::Csv | Self::Ndjson | Self::IpcStream => true,
            Self::Parquet | Self::Ipc => false,
        }
    }
}

impl Compression {
    /// The compression that a name's extension tells: `.gz` and `.gzip`, `.zst` and `.zstd`.
    pub fn of_name(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Self::Gzip,
            "zst" | "zstd" => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The compression that the first bytes of a file tell. No text begins with these.
    pub(crate) fn of_magic(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, or a skippable frame before it (RFC 8878, section 3.1).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parquet => "Parquet",
            Self::Csv => "CSV",
            Self::Ndjson => "NDJSON",
            Self::Ipc => "Arrow IPC",
            Self::IpcStream => "Arrow IPC stream",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_format_and_compression() {
        use {Compression as C, FileFormat as F};
        let table = [
            ("a.parquet", F::Parquet, C::None),
            ("b/A.PQ", F::Parquet, C::None),
            ("a.csv.gz", F::Csv, C::Gzip),
            ("a.b.CSV.ZST", F::Csv, C::Zstd),
            ("a.ndjson.zstd", F::Ndjson, C::Zstd),
            ("a.jsonl.gzip", F::Ndjson, C::Gzip),
            ("x.arrow", F::Ipc, C::None),
            ("x.arrows", F::IpcStream, C::None),
        ];
        for (name, format, compression) in table {
            let path = Path::new(name);
            assert_eq!(FileFormat::of_name(path).unwrap(), format, "{name}");
            assert_eq!(Compression::of_name(path), compression, "{name}");
        }
        for name in ["a.gz", "a.csv.bz2", "csv", ".csv", "a.txt", ""] {
            assert_eq!(FileFormat::of_name(Path::new(name)).unwrap_err().kind(), ErrorKind::Format, "{name}");
        }
    }

    #[test]
    fn first_bytes_tell_the_compression() {
        let table: [(&[u8], Option<Compression>); 5] = [
            (b"\x1f\x8b\x08", Some(Compression::Gzip)),
            (b"\x28\xb5\x2f\xfd\x00", Some(Compression::Zstd)),
            (b"\x51\x2a\x4d\x18", Some(Compression::Zstd)),
            (b"P*M?", None),
            (b"", None),
        ];
        for (start, expected) in table {
            assert_eq!(Compression::of_magic(start), expected, "{start:?}");
        }
    }
}
