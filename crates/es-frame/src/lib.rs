//! Elasticsearch documents to and from Polars columns.
//!
//! This is the only crate that knows both sides. [`infer_mapping`] says which mapping a
//! frame's schema means; [`DocumentWriter`] writes rows as JSON documents and as lines of
//! bulk requests, straight from the columns; [`HitDecoder`] reads pages of search hits
//! straight into columns, and [`Table`] and [`SqlDecoder`] results of queries in ES|QL and
//! SQL; [`ContentHash`] tells whether two sets of documents are the same.
//!
//! It sends nothing: requests are `es-bulk`'s and `es-export`'s.
//!
//! ```
//! use es_frame::DocumentWriter;
//! use polars::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let frame = df!("carrier" => ["UA", "B6"], "dep_delay" => [Some(2), None])?;
//! let writer = DocumentWriter::new(&frame, &["carrier"])?;
//! let mut line = Vec::new();
//! writer.write_document(1, &mut line)?;
//! assert_eq!(line, br#"{"carrier":"B6"}"#);
//! # Ok(())
//! # }
//! ```

mod calendar;
mod decode;
mod encode;
mod error;
mod infer;
mod instants;
mod named;
mod table;

pub use decode::{
    CellPolicy, ColumnRequest, DecodeOptions, FieldSource, HitDecoder, HitPage, Malformed, Missing, Retrieval,
    StoredSource, Values,
};
pub use encode::{DocumentWriter, DottedNames, NonFinite, Operation, VectorForm, WriterOptions};
pub use error::{Error, ErrorKind};
pub use es_core::{ContentHash, IdText};
pub use infer::{MappingOptions, infer_mapping, infer_mapping_of, infer_mapping_with};
pub use instants::instants;
pub use table::{SqlDecoder, Table};
