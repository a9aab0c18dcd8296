//! Which formats there are, and their options.

use crate::error::{Error, ErrorKind};

/// How a file is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Zstandard at its default level.
    #[default]
    Zstd,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// DEFLATE, which Parquet calls `gzip`.
    Deflate,
    /// None.
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

    /// The compression of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.as_str() == name)
    }
}

/// How Parquet files are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParquetOptions {
    /// The compression of the pages. Default: Zstandard.
    pub compression: Compression,
    /// Rows of a row group, of which memory holds one for each open file. Default: 131,072.
    pub row_group_rows: usize,
    /// A row group ends before its rows take more bytes of memory than this, so that long
    /// texts and vectors do not make it large. Default: 32 MiB.
    pub row_group_bytes: usize,
    /// Whether row groups say the least and the greatest value and the nulls of each column.
    /// Default: true.
    pub statistics: bool,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self {
            compression: Compression::Zstd,
            row_group_rows: 131_072,
            row_group_bytes: 32 * 1024 * 1024,
            statistics: true,
        }
    }
}

/// The format of the files of an export, or of a stream.
///
/// ```
/// use es_export::{Compression, Format};
///
/// let format = Format::from_name("parquet").unwrap().with_compression(Compression::Snappy).unwrap();
/// assert_eq!(format.extension(), "parquet");
/// assert!(Format::Csv.with_compression(Compression::Zstd).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// [Apache Parquet](https://parquet.apache.org/docs/file-format/): all types.
    Parquet(ParquetOptions),
    /// An [Arrow IPC file](https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format),
    /// which can be mapped into memory: all types.
    Ipc {
        /// Zstandard, LZ4 or, by default, none.
        compression: Compression,
    },
    /// An [Arrow IPC stream](https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format):
    /// all types.
    IpcStream {
        /// Zstandard, LZ4 or, by default, none.
        compression: Compression,
    },
    /// CSV as [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180) has it, with a header line:
    /// no lists, objects and bytes. A null is an empty field, and an empty text `""`.
    /// Instants are written in UTC, as `2013-01-01T05:15:00Z` with the fraction there is.
    Csv,
    /// One JSON document a line, as [`es_frame::DocumentWriter`] writes it: all types. Nulls
    /// are left out.
    Ndjson,
    /// An [Avro object container file](https://avro.apache.org/docs/1.12.0/specification/):
    /// all types but unsigned 64-bit integers. Names are made of letters, digits and
    /// underscores; where a column's name is not, the field has it as its attribute `column`.
    Avro {
        /// Zstandard is not among them: DEFLATE, by default, Snappy or none.
        compression: Compression,
    },
    /// A [NumPy array](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)
    /// of rows × columns, of numbers, booleans and vectors. Its elements are `float32` where
    /// all columns fit in, `int64` where all are integers or booleans, and `float64`
    /// otherwise.
    Npy,
    /// A zip file of NumPy arrays, one a column, as `numpy.savez` writes it: numbers, booleans,
    /// instants and vectors.
    Npz,
    /// [Safetensors](https://huggingface.co/docs/safetensors), one tensor a column: numbers,
    /// booleans, instants (as the integers they are) and vectors.
    Safetensors,
    /// TFRecord of `tf.train.Example`: numbers, booleans, instants (as integers), texts,
    /// bytes, vectors, and lists of these. 64-bit floats are rounded to 32 bits, as an
    /// `Example` has no others. A null is a missing feature.
    TfRecord,
}

impl Format {
    /// The names of all formats.
    pub const NAMES: [&str; 10] =
        ["parquet", "ipc", "ipc-stream", "csv", "ndjson", "avro", "npy", "npz", "safetensors", "tfrecord"];

    /// The format of a name, with its default options.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "parquet" => Self::Parquet(ParquetOptions::default()),
            "ipc" => Self::Ipc { compression: Compression::Uncompressed },
            "ipc-stream" => Self::IpcStream { compression: Compression::Uncompressed },
            "csv" => Self::Csv,
            "ndjson" => Self::Ndjson,
            "avro" => Self::Avro { compression: Compression::Deflate },
            "npy" => Self::Npy,
            "npz" => Self::Npz,
            "safetensors" => Self::Safetensors,
            "tfrecord" => Self::TfRecord,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Parquet(_) => "parquet",
            Self::Ipc { .. } => "ipc",
            Self::IpcStream { .. } => "ipc-stream",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Avro { .. } => "avro",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
            Self::TfRecord => "tfrecord",
        }
    }

    /// The extension of its files, without a dot.
    pub fn extension(&self) -> &'static str {
        match self {
            Self::Ipc { .. } => "arrow",
            Self::IpcStream { .. } => "arrows",
            _ => self.name(),
        }
    }

    /// Whether its rows can be written as they come, to a pipe.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::IpcStream { .. } | Self::Csv | Self::Ndjson)
    }

    /// Whether a file of it holds tensors, and a description of its features stands beside it.
    pub fn is_tensors(&self) -> bool {
        matches!(self, Self::Npy | Self::Npz | Self::Safetensors | Self::TfRecord)
    }

    /// The compressions that it has.
    pub fn compressions(&self) -> &'static [Compression] {
        use Compression::{Deflate, Lz4, Snappy, Uncompressed, Zstd};
        match self {
            Self::Parquet(_) => &Compression::ALL,
            Self::Ipc { .. } | Self::IpcStream { .. } => &[Zstd, Lz4, Uncompressed],
            Self::Avro { .. } => &[Deflate, Snappy, Uncompressed],
            _ => &[Uncompressed],
        }
    }

    /// The compression in use.
    pub fn compression(&self) -> Compression {
        match self {
            Self::Parquet(options) => options.compression,
            Self::Ipc { compression } | Self::IpcStream { compression } | Self::Avro { compression } => *compression,
            _ => Compression::Uncompressed,
        }
    }

    /// The same format, with this compression.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] when the format does not have it.
    pub fn with_compression(mut self, wanted: Compression) -> Result<Self, Error> {
        match &mut self {
            Self::Parquet(options) => options.compression = wanted,
            Self::Ipc { compression } | Self::IpcStream { compression } | Self::Avro { compression } => {
                *compression = wanted;
            }
            _ if wanted == Compression::Uncompressed => {}
            _ => return Err(self.lacks(wanted)),
        }
        self.check_compression()?;
        Ok(self)
    }

    pub(super) fn check_compression(&self) -> Result<(), Error> {
        let compression = self.compression();
        if self.compressions().contains(&compression) { Ok(()) } else { Err(self.lacks(compression)) }
    }

    fn lacks(&self, compression: Compression) -> Error {
        let names: Vec<_> = self.compressions().iter().map(|compression| compression.as_str()).collect();
        let help = match names.as_slice() {
            [_] => "leave the compression out, or choose parquet".to_owned(),
            _ => format!("choose one of {}", names.join(", ")),
        };
        Error::new(ErrorKind::Format, format!("the format {} has no compression {}", self.name(), compression.as_str()))
            .with_help(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_formats_are_one_to_one() {
        for name in Format::NAMES {
            let format = Format::from_name(name).unwrap();
            assert_eq!(format.name(), name);
            format.check_compression().unwrap();
        }
        assert_eq!(Format::from_name("xlsx"), None);
        for compression in Compression::ALL {
            assert_eq!(Compression::from_name(compression.as_str()), Some(compression));
        }
    }

    #[test]
    fn a_compression_that_a_format_lacks_is_refused() {
        let table = [
            ("ipc", Compression::Snappy, "choose one of zstd, lz4, none"),
            ("avro", Compression::Zstd, "choose one of deflate, snappy, none"),
            ("npz", Compression::Deflate, "leave the compression out, or choose parquet"),
        ];
        for (name, compression, help) in table {
            let error = Format::from_name(name).unwrap().with_compression(compression).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format);
            assert_eq!(error.to_string(), format!("the format {name} has no compression {}", compression.as_str()));
            assert_eq!(error.help(), Some(help));
        }
        Format::Csv.with_compression(Compression::Uncompressed).unwrap();
    }
}
