//! Files as documents, in pieces of bounded size.
//!
//! [`batches`] reads files into batches for a [`BulkLoader`](crate::BulkLoader), in a thread of its
//! own. Behind it are
//! - [`Source`]: files or standard input, opened and checked: format, columns, rows, identities;
//! - [`DocumentOptions`]: which columns become fields, and the mapping that follows;
//! - [`DocumentReader`]: the batches of all rows, of one part of them, or of several parts in one pass
//!   ([`TimeDivision`]); and what files hold, without loading them ([`FileScan`]).
//!
//! Tables (Parquet, CSV and Arrow IPC) are read by [`FileReader`] a piece at a time, all with the
//! schema of the whole file. JSON has no columns: [`RawLines`] reads its documents byte for byte, be they
//! lines, elements of an array, hits of elasticdump or those of a bulk body. CSV, JSON and Arrow IPC streams
//! may be compressed and come from standard input. [`expand`]
//! finds the files that patterns and folders stand for, and a [`FileIdentity`] shows that a file is
//! still the one that was read.
//!
//! Memory is bounded by [`ReadOptions`], not by the file. Everything here but [`batches`] and the
//! streams of a [`DocumentReader`] blocks: call it from a thread that may.

mod block;
mod bridge;
mod bulk_lines;
mod byte_source;
mod csv;
mod csv_cells;
mod csv_head;
mod csv_kinds;
mod csv_options;
mod csv_records;
mod csv_sample;
mod csv_times;
mod division;
mod document_reader;
mod documents;
mod encoder;
mod encoding;
mod expand;
mod format;
mod identity;
mod input;
mod int96;
mod ipc;
mod ipc_schema;
mod ipc_stream;
mod json_fields;
mod json_lines;
mod json_pointer;
mod lines;
mod names;
mod options;
mod parquet;
mod pass;
mod piece;
mod place;
mod raw_chunk;
mod raw_lines;
mod read_error;
mod reader;
mod recognize;
mod records;
mod refused;
mod roles;
mod scan;
mod schema;
mod source;
mod storage;
mod storage_arrays;
mod stream;
mod table_format;
mod text;

pub use csv_options::{ColumnType, CsvOptions, Delimiter, Quote};
pub use division::{PartOfRow, TimeDivision};
pub use document_reader::{DocumentReader, PartRequest, StartPoint, batches};
pub use documents::{ColumnError, ColumnRole, DocumentOptions, MappingBasis, Undeclared};
pub use encoding::Encoding;
pub use expand::expand;
pub use format::{Compression, FileFormat};
pub use identity::FileIdentity;
pub use json_pointer::JsonPointer;
pub use options::{DEFAULT_PIECE_BYTES, DEFAULT_PIECE_ROWS, LONGEST_RECORD, ReadOptions};
pub use piece::Piece;
pub use place::FilePlace;
pub use raw_lines::{RawLine, RawLines, RawOptions, RawPiece};
pub use reader::FileReader;
pub use refused::{LONGEST_REFUSED_TEXT, RefusedLine};
pub use scan::{FileScan, PartScan, ScanMode, Spans};
pub use schema::same_schema;
pub use source::{FileInput, FileSource, Source};
pub use stream::BatchStream;
pub(crate) use stream::panic_text;
