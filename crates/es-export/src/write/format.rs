//! The formats of files, and the options of each.

use std::fmt;
use std::str::FromStr;

use es_values::InvalidValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// The compression of exported files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Zstandard.
    Zstd,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// DEFLATE, as Avro has it; in Parquet the same as gzip.
    Deflate,
    /// gzip: of the pages of Parquet, and of text files as a whole.
    Gzip,
    /// Not at all.
    #[serde(rename = "none")]
    Uncompressed,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Zstd, Self::Snappy, Self::Lz4, Self::Deflate, Self::Gzip, Self::Uncompressed];

    /// Its name: `zstd`, `snappy`, `lz4`, `deflate`, `gzip` or `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Uncompressed => "none",
        }
    }
}

/// The format of exported files, or of a stream.
///
/// ```
/// use es_export::{Compression, Format};
///
/// let format: Format = "ipc-stream".parse()?;
/// assert_eq!(format, Format::IpcStream);
/// assert_eq!(format.extension(), "arrows");
/// assert_eq!(serde_json::to_string(&format)?, "\"ipc_stream\"");
/// assert!(format.compressions().contains(&Compression::Lz4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ExportFormat")]
pub enum Format {
    /// Apache Parquet.
    #[default]
    Parquet,
    /// Apache Arrow IPC files.
    Ipc,
    /// Apache Arrow IPC streams.
    IpcStream,
    /// Comma-separated values with a header.
    Csv,
    /// Tab-separated values with a header.
    Tsv,
    /// One JSON object a line.
    Ndjson,
    /// A JSON array of objects.
    Json,
    /// Apache Avro.
    Avro,
    /// One NumPy matrix of all columns.
    Npy,
    /// A NumPy archive with an array a column.
    Npz,
    /// Safetensors, a tensor a column.
    Safetensors,
    /// TFRecord files of `tf.train.Example`.
    Tfrecord,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Parquet,
        Self::Ipc,
        Self::IpcStream,
        Self::Csv,
        Self::Tsv,
        Self::Ndjson,
        Self::Json,
        Self::Avro,
        Self::Npy,
        Self::Npz,
        Self::Safetensors,
        Self::Tfrecord,
    ];

    /// Its name on a command line and in manifests, such as `ipc-stream`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Ipc => "ipc",
            Self::IpcStream => "ipc-stream",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Avro => "avro",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
            Self::Tfrecord => "tfrecord",
        }
    }

    /// The extension of its files, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Ipc => "arrow",
            Self::IpcStream => "arrows",
            _ => self.as_str(),
        }
    }

    /// The format that the extension of a file name stands for, in upper or lower case: the
    /// [`extension`](Self::extension) of each, and `pq`, `feather`, `jsonl` and `tab`.
    pub fn of_extension(extension: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        match extension.as_str() {
            "pq" => Some(Self::Parquet),
            "feather" | "ipc" => Some(Self::Ipc),
            "jsonl" => Some(Self::Ndjson),
            "tab" => Some(Self::Tsv),
            known => Self::ALL.into_iter().find(|format| format.extension() == known),
        }
    }

    /// Returns `true` if its rows can be written to a pipe as they come.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::IpcStream | Self::Csv | Self::Tsv | Self::Ndjson | Self::Json)
    }

    /// Returns `true` for text, which is compressed as a whole file.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Ndjson | Self::Json)
    }

    /// Returns `true` if its files hold tensors, with a description of the features beside each file.
    pub fn holds_tensors(self) -> bool {
        matches!(self, Self::Npy | Self::Npz | Self::Safetensors | Self::Tfrecord)
    }

    /// The compressions that it has; the first is the default.
    pub fn compressions(self) -> &'static [Compression] {
        use Compression::{Deflate, Gzip, Lz4, Snappy, Uncompressed, Zstd};
        match self {
            Self::Parquet => &Compression::ALL,
            Self::Csv | Self::Tsv | Self::Ndjson | Self::Json => &[Uncompressed, Gzip, Zstd],
            Self::Ipc | Self::IpcStream => &[Uncompressed, Zstd, Lz4],
            Self::Avro => &[Deflate, Snappy, Uncompressed],
            _ => &[Uncompressed],
        }
    }

    /// The message and the help for a compression that the format does not have.
    pub(crate) fn check_compression(self, compression: Compression) -> Result<(), (String, String)> {
        let all = self.compressions();
        if all.contains(&compression) {
            return Ok(());
        }
        let help = match all {
            [_] => "leave the compression out, or choose parquet".to_owned(),
            _ => format!("choose one of {}", all.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")),
        };
        Err((format!("the format {self} has no compression {compression}"), help))
    }
}

/// Writes `Display` and `FromStr` of an enum by `ALL` and `as_str`. Names of several words are read
/// with `-` and with `_`.
macro_rules! named {
    ($type:ident, $what:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let name = text.replace('_', "-");
                Self::ALL.into_iter().find(|one| one.as_str() == name).ok_or_else(|| {
                    let help = format!("choose {}", es_values::one_of(Self::ALL.map(Self::as_str)));
                    InvalidValue::new(format!("`{text}` is not {}", $what), help)
                })
            }
        }
    };
}
pub(crate) use named;

named!(Compression, "a compression");
named!(Format, "a format");

/// The options of Parquet files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ParquetOptions {
    /// The number of rows in a row group. Memory holds one row group of each open file. Default:
    /// 131,072.
    pub row_group_rows: usize,
    /// The maximum size in memory of the rows of a row group, which keeps row groups of long texts
    /// and vectors small. Default: 32 MiB.
    pub row_group_bytes: usize,
    /// Row groups hold the minimum, the maximum and the number of nulls of each column. Default: true.
    pub statistics: bool,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self { row_group_rows: 131_072, row_group_bytes: 32 * 1024 * 1024, statistics: true }
    }
}

/// The format of a file, with its options.
///
/// | format | types | compression, the default first |
/// |---|---|---|
/// | [Parquet](https://parquet.apache.org/docs/file-format/) | all | Zstandard, Snappy, LZ4, DEFLATE, none |
/// | [IPC](https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format), which can be mapped into memory | all | none, Zstandard, LZ4 |
/// | [IPC stream](https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format) | all | none, Zstandard, LZ4 |
/// | CSV by [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180), with a header line; TSV, with tabs for commas | no lists, objects and bytes; a null is an empty field, an empty text `""`, instants are in UTC | none, gzip, Zstandard, of the whole file |
/// | NDJSON, as [`es_frame::DocumentWriter`] writes it; JSON, the same objects in an array | all; nulls are left out | none, gzip, Zstandard, of the whole file |
/// | [Avro](https://avro.apache.org/docs/1.12.0/specification/) | all but unsigned 64-bit integers; the attribute `column` holds names that Avro does not allow | DEFLATE, Snappy, none |
/// | [npy](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), a matrix of rows × columns | numbers, booleans and vectors, as `float32` where all fit, `int64` where all are integers or booleans, else `float64` | |
/// | npz, as `numpy.savez` writes it | numbers, booleans, instants, vectors | |
/// | [Safetensors](https://huggingface.co/docs/safetensors) | numbers, booleans, instants (as integers), vectors | |
/// | TFRecord of `tf.train.Example` | numbers, booleans, instants (as integers), texts, bytes, vectors and lists of these; 64-bit floats are rounded to 32 bits, a null is a missing feature | |
///
/// ```
/// use es_export::{Compression, FileOptions, Format};
///
/// let options = FileOptions { compression: Some(Compression::Lz4), ..Format::Ipc.into() };
/// assert_eq!(options.compression(), Compression::Lz4);
/// assert_eq!(FileOptions::from(Format::Parquet).compression(), Compression::Zstd);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileOptions {
    /// The format.
    pub format: Format,
    /// The compression. Default: the first of [`Format::compressions`].
    pub compression: Option<Compression>,
    /// The options of Parquet, which the other formats do not use.
    pub parquet: ParquetOptions,
}

impl From<Format> for FileOptions {
    fn from(format: Format) -> Self {
        Self { format, compression: None, parquet: ParquetOptions::default() }
    }
}

impl FileOptions {
    /// The format and the compression that the ending of a file's name stands for: that of
    /// [`Format::of_extension`], for text with `.gz`, `.gzip`, `.zst` or `.zstd` behind it. `None` for a
    /// name that ends otherwise, or in nothing.
    ///
    /// ```
    /// use es_export::{Compression, FileOptions, Format};
    ///
    /// let options = FileOptions::of_name("flights.csv.gz").unwrap();
    /// assert_eq!((options.format, options.compression), (Format::Csv, Some(Compression::Gzip)));
    /// assert_eq!(FileOptions::of_name("flights.pq"), Some(Format::Parquet.into()));
    /// assert_eq!(FileOptions::of_name("flights.xlsx"), None);
    /// ```
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let (rest, extension) = name.rsplit_once('.')?;
        let compression = match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Compression::Gzip,
            "zst" | "zstd" => Compression::Zstd,
            _ => return Format::of_extension(extension).map(Self::from),
        };
        let format = Format::of_extension(rest.rsplit_once('.')?.1).filter(|format| format.is_text())?;
        Some(Self { compression: Some(compression), ..format.into() })
    }

    /// The ending of the files' names, without a dot, such as `parquet` or `csv.gz`.
    #[must_use]
    pub fn extension(&self) -> String {
        let format = self.format.extension();
        match self.compression() {
            Compression::Gzip if self.format.is_text() => format!("{format}.gz"),
            Compression::Zstd if self.format.is_text() => format!("{format}.zst"),
            _ => format.to_owned(),
        }
    }

    /// The compression in use.
    pub fn compression(&self) -> Compression {
        // Every format has at least one.
        self.compression.unwrap_or(self.format.compressions()[0])
    }

    /// Checks that the format has the compression.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] when it does not.
    pub fn check_compression(&self) -> Result<(), Error> {
        let checked = self.format.check_compression(self.compression());
        checked.map_err(|(message, help)| Error::new(ErrorKind::Format, message).with_help(help))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_values_are_one_to_one() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
            assert_eq!(json!(format), format.as_str().replace('-', "_"), "{format}");
            assert_eq!(serde_json::from_value::<Format>(json!(format)).unwrap(), format);
            assert_eq!(Format::of_extension(format.extension()), Some(format));
            FileOptions::from(format).check_compression().unwrap();
        }
        for compression in Compression::ALL {
            assert_eq!(compression.to_string().parse::<Compression>().unwrap(), compression);
            assert_eq!(json!(compression), compression.as_str());
        }
        assert_eq!("ipc_stream".parse::<Format>().unwrap(), Format::IpcStream);
        let error = "xlsx".parse::<Format>().unwrap_err();
        assert_eq!(error.message, "`xlsx` is not a format");
        assert!(error.help.unwrap().starts_with("choose `parquet`, `ipc`, `ipc-stream`"));
        assert_eq!(Format::of_extension("xlsx"), None);
    }

    #[test]
    fn a_compression_that_a_format_lacks_is_refused() {
        let table = [
            (Format::Ipc, Compression::Snappy, "choose one of none, zstd, lz4"),
            (Format::Avro, Compression::Zstd, "choose one of deflate, snappy, none"),
            (Format::Npz, Compression::Deflate, "leave the compression out, or choose parquet"),
        ];
        for (format, compression, help) in table {
            let options = FileOptions { compression: Some(compression), ..format.into() };
            let error = options.check_compression().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format);
            assert_eq!(error.to_string(), format!("the format {format} has no compression {compression}"));
            assert_eq!(error.help(), Some(help));
        }
        for (name, expected) in [
            ("a.csv", Some((Format::Csv, None))),
            ("a.CSV.GZ", Some((Format::Csv, Some(Compression::Gzip)))),
            ("a.b.csv.zst", Some((Format::Csv, Some(Compression::Zstd)))),
            ("a.ndjson.gz", Some((Format::Ndjson, Some(Compression::Gzip)))),
            ("a.jsonl", Some((Format::Ndjson, None))),
            ("a.json", Some((Format::Json, None))),
            ("a.tsv.gzip", Some((Format::Tsv, Some(Compression::Gzip)))),
            ("a.feather", Some((Format::Ipc, None))),
            ("a.pq", Some((Format::Parquet, None))),
            ("a.parquet.gz", None),
            ("a.gz", None),
            ("a.xlsx", None),
            ("a", None),
        ] {
            let found = FileOptions::of_name(name);
            assert_eq!(found.map(|options| (options.format, options.compression)), expected, "{name}");
        }
        let uncompressed = FileOptions { compression: Some(Compression::Uncompressed), ..Format::Csv.into() };
        uncompressed.check_compression().unwrap();
    }
}
