//! Files as frames of bounded size.
//!
//! [`FileReader`] reads Parquet, CSV, newline-delimited JSON and Arrow IPC files a piece at
//! a time, all with the schema of the whole file; CSV, NDJSON and Arrow IPC streams also
//! compressed and from standard input. [`RawLines`] reads newline-delimited JSON as it is,
//! without making frames of it. [`expand`] finds the files that patterns and folders mean,
//! and [`FileIdentity`] tells whether a file is still the one that was read.
//!
//! Memory is bounded by [`ReadOptions`], not by the file. Reading blocks: call it from a
//! thread that may.

mod bridge;
mod csv;
mod csv_records;
mod expand;
mod format;
mod identity;
mod input;
mod ipc;
mod ipc_stream;
mod json_check;
mod json_lines;
mod json_schema;
mod lines;
mod options;
mod parquet;
mod piece;
mod place;
mod raw_lines;
mod reader;
mod records;
mod refused;
mod schema;
mod source;
mod text;
mod trouble;

pub use expand::expand;
pub use format::{Compression, FileFormat};
pub use identity::FileIdentity;
pub use options::{DEFAULT_PIECE_BYTES, DEFAULT_PIECE_ROWS, LONGEST_RECORD, ReadOptions};
pub use piece::Piece;
pub use place::FilePlace;
pub use raw_lines::{RawLine, RawLines, RawOptions, RawPiece};
pub use reader::FileReader;
pub use refused::{LONGEST_REFUSED_TEXT, RefusedLine};
pub use schema::same_schema;
