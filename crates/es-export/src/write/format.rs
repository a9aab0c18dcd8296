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
    /// DEFLATE, which Parquet calls gzip.
    Deflate,
    /// Not at all.
    #[serde(rename = "none")]
    Uncompressed,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Zstd, Self::Snappy, Self::Lz4, Self::Deflate, Self::Uncompressed];

    /// Its name: `zstd`, `snappy`, `lz4`, `deflate` or `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Deflate => "deflate",
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
    /// One JSON object a line.
    Ndjson,
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
    pub const ALL: [Self; 10] = [
        Self::Parquet,
        Self::Ipc,
        Self::IpcStream,
        Self::Csv,
        Self::Ndjson,
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
            Self::Ndjson => "ndjson",
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

    /// The format that the extension of a file name stands for.
    pub fn of_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension() == extension)
    }

    /// Returns `true` if its rows can be written to a pipe as they come.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::IpcStream | Self::Csv | Self::Ndjson)
    }

    /// Returns `true` if its files hold tensors, with a description of the features beside each file.
    pub fn holds_tensors(self) -> bool {
        matches!(self, Self::Npy | Self::Npz | Self::Safetensors | Self::Tfrecord)
    }

    /// The compressions that it has; the first is the default.
    pub fn compressions(self) -> &'static [Compression] {
        use Compression::{Deflate, Lz4, Snappy, Uncompressed, Zstd};
        match self {
            Self::Parquet => &Compression::ALL,
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
/// | CSV by [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180), with a header line | no lists, objects and bytes; a null is an empty field, an empty text `""`, instants are in UTC | |
/// | NDJSON, as [`es_frame::DocumentWriter`] writes it | all; nulls are left out | |
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
        let uncompressed = FileOptions { compression: Some(Compression::Uncompressed), ..Format::Csv.into() };
        uncompressed.check_compression().unwrap();
    }
}
