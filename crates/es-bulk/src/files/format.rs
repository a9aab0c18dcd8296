//! File formats and compressions, and how they are recognized.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use es_values::InvalidValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// The format of a file of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object per line. Lines are documents, sent as they are.
    Ndjson,
    /// An array of documents, an object with such an array inside, or documents that follow each other.
    Json,
    /// A request body of the bulk API: an action line, and a line with its document.
    Bulk,
    /// The output of elasticdump: one hit per line, with `_id` and `_source`.
    Elasticdump,
    /// An Apache Arrow IPC file, also called Feather.
    Ipc,
    /// An Apache Arrow IPC stream.
    IpcStream,
}

/// The compression of a file as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// No compression.
    None,
    /// gzip (RFC 1952), of one or more members.
    Gzip,
    /// Zstandard (RFC 8878), of one or more frames.
    Zstd,
}

impl FileFormat {
    /// Every format.
    pub const ALL: [Self; 8] =
        [Self::Parquet, Self::Csv, Self::Ndjson, Self::Json, Self::Bulk, Self::Elasticdump, Self::Ipc, Self::IpcStream];

    /// The format of a file by its extension, in upper or lower case: `parquet`, `pq`, `csv`,
    /// `tsv`, `ndjson`, `jsonl`, `json`, `geojson`, `ipc`, `arrow`, `feather` or `arrows`. CSV, JSON and IPC
    /// streams may have `.gz`, `.gzip`, `.zst` or `.zstd` after it. `None` for any other name.
    ///
    /// ```
    /// use es_bulk::files::FileFormat;
    ///
    /// assert_eq!(FileFormat::of_path("logs/2013.ndjson.gz"), Some(FileFormat::Ndjson));
    /// assert_eq!(FileFormat::of_path("notes.txt"), None);
    /// ```
    pub fn of_path(path: impl AsRef<Path>) -> Option<Self> {
        let path = path.as_ref();
        by_extension(path).filter(|format| format.is_stream() || Compression::of_path(path) == Compression::None)
    }

    /// As [`Self::of_path`]; an error names the file. A Parquet or Arrow IPC file that is compressed as
    /// a whole has a format, although it cannot be read.
    pub(crate) fn required(path: &Path) -> Result<Self, Error> {
        by_extension(path).ok_or_else(|| {
            let message = format!("the name of {} has no extension of a known file format", path.display());
            Error::of_file(ErrorKind::Format, path, message)
                .with_help("rename the file, or set the format to parquet, csv, ndjson, json, ipc or ipc_stream")
        })
    }

    /// Returns true if the format is read from start to end, so that it may be compressed and come from
    /// standard input.
    pub fn is_stream(self) -> bool {
        match self {
            Self::Csv | Self::Ndjson | Self::Json | Self::Bulk | Self::Elasticdump | Self::IpcStream => true,
            Self::Parquet | Self::Ipc => false,
        }
    }

    /// Returns true if the format holds JSON documents, which are sent as they are, and no columns.
    pub fn has_documents(self) -> bool {
        matches!(self, Self::Ndjson | Self::Json | Self::Bulk | Self::Elasticdump)
    }

    /// Returns true if each document stands beside its metadata, in `_source`.
    pub(crate) fn has_metadata(self) -> bool {
        matches!(self, Self::Bulk | Self::Elasticdump)
    }

    /// The name in options: `parquet`, `csv`, `ndjson`, `json`, `bulk`, `elasticdump`, `ipc` or `ipc_stream`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Bulk => "bulk",
            Self::Elasticdump => "elasticdump",
            Self::Ipc => "ipc",
            Self::IpcStream => "ipc_stream",
        }
    }

    /// The name in a sentence, such as `Parquet` or `Arrow IPC stream`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Csv => "CSV",
            Self::Ndjson => "NDJSON",
            Self::Json => "JSON",
            Self::Bulk => "bulk",
            Self::Elasticdump => "elasticdump",
            Self::Ipc => "Arrow IPC",
            Self::IpcStream => "Arrow IPC stream",
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FileFormat {
    type Err = InvalidValue;

    /// Reads the name in options; a hyphen is as good as an underscore.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let name = text.replace('-', "_");
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str);
            InvalidValue::new(format!("`{text}` is not a file format"), es_values::suggestion(text, "formats", known))
        })
    }
}

fn by_extension(path: &Path) -> Option<FileFormat> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let plain = [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|suffix| name.strip_suffix(suffix));
    match Path::new(plain.unwrap_or(&name)).extension()?.to_str()? {
        "parquet" | "pq" => Some(FileFormat::Parquet),
        "csv" | "tsv" => Some(FileFormat::Csv),
        "ndjson" | "jsonl" => Some(FileFormat::Ndjson),
        "json" | "geojson" => Some(FileFormat::Json),
        "arrow" | "ipc" | "feather" => Some(FileFormat::Ipc),
        "arrows" => Some(FileFormat::IpcStream),
        _ => None,
    }
}

impl Compression {
    /// The compression of a file by its extension: `.gz` and `.gzip`, `.zst` and `.zstd`.
    pub fn of_path(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Self::Gzip,
            "zst" | "zstd" => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The compression of a file by its first bytes. No text begins with these.
    pub(crate) fn of_magic(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, or a skippable frame before it (RFC 8878, section 3.1).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_give_format_and_compression() {
        use {Compression as C, FileFormat as F};
        let table = [
            ("a.parquet", F::Parquet, C::None),
            ("b/A.PQ", F::Parquet, C::None),
            ("a.csv.gz", F::Csv, C::Gzip),
            ("a.b.CSV.ZST", F::Csv, C::Zstd),
            ("a.ndjson.zstd", F::Ndjson, C::Zstd),
            ("a.jsonl.gzip", F::Ndjson, C::Gzip),
            ("a.JSON", F::Json, C::None),
            ("a.json.gz", F::Json, C::Gzip),
            ("a.geojson", F::Json, C::None),
            ("x.arrow", F::Ipc, C::None),
            ("x.feather", F::Ipc, C::None),
            ("x.arrows", F::IpcStream, C::None),
            ("data/*.CSV", F::Csv, C::None),
        ];
        for (name, format, compression) in table {
            assert_eq!(FileFormat::of_path(name), Some(format), "{name}");
            assert_eq!(FileFormat::required(Path::new(name)).unwrap(), format, "{name}");
            assert_eq!(Compression::of_path(Path::new(name)), compression, "{name}");
        }
        for name in ["a.gz", "a.csv.bz2", "csv", ".csv", "a.txt", "a.parquet/c", ""] {
            assert_eq!(FileFormat::of_path(name), None, "{name}");
            assert_eq!(FileFormat::required(Path::new(name)).unwrap_err().kind(), ErrorKind::Format, "{name}");
        }
        assert_eq!(FileFormat::of_path("a.parquet.gz"), None);
        assert_eq!(FileFormat::required(Path::new("a.parquet.gz")).unwrap(), F::Parquet);
    }

    #[test]
    fn names_in_options_are_read_and_written() {
        for format in FileFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
        }
        assert_eq!("ipc-stream".parse(), Ok(FileFormat::IpcStream));
        let error = "parqet".parse::<FileFormat>().unwrap_err();
        assert_eq!(error.to_string(), "`parqet` is not a file format");
        assert_eq!(error.help.as_deref(), Some("did you mean `parquet`?"));
    }

    #[test]
    fn first_bytes_give_the_compression() {
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
