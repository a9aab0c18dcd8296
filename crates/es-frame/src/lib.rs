//! Elasticsearch documents to and from Polars columns.
//!
//! It sends no requests: `es-bulk` indexes with it, and `es-export` reads with it. For results of
//! ES|QL and SQL there are [`Table`] and [`SqlDecoder`].
//!
//! # Inferring a mapping
//!
//! [`infer_mapping`] maps the types of a frame, [`infer_mapping_with`] takes options, and
//! [`infer_mapping_of`] uses the values of a sample as well.
//!
//! ```
//! use es_frame::{MappingOptions, infer_mapping_of};
//! use polars::prelude::*;
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sample = df!("day" => ["2013-01-01", "2013-01-02"], "distance" => [1400, 227])?;
//! let options = MappingOptions { dates_in_text: true, ..MappingOptions::default() };
//! let mapping = infer_mapping_of(&sample, &options)?;
//! assert_eq!(mapping.properties["day"], json!({"type": "date"}));
//! assert_eq!(mapping.properties["distance"], json!({"type": "integer", "coerce": false}));
//! # Ok(())
//! # }
//! ```
//!
//! # Inferring a mapping of JSON documents
//!
//! ```
//! use es_frame::{MappingOptions, infer_mapping_of_json};
//! use serde_json::json;
//!
//! let documents = [json!({"delay": 2}), json!({"delay": 0.5, "tags": ["late", "night"]})];
//! let mapping = infer_mapping_of_json(&documents, &MappingOptions::default())?;
//! assert_eq!(mapping.properties["delay"], json!({"type": "double"}));
//! assert_eq!(mapping.field("tags").unwrap().field_type(), "keyword");
//! # Ok::<(), es_frame::Error>(())
//! ```
//!
//! # Writing documents
//!
//! A [`DocumentWriter`] writes rows as documents, as ids and as lines of bulk requests;
//! [`WriterOptions`] has the operations, routing, versions and more.
//!
//! ```
//! use es_frame::DocumentWriter;
//! use polars::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let frame = df!("carrier" => ["UA", "B6"], "dep_delay" => [Some(2), None])?;
//! let writer = DocumentWriter::new(&frame, &["carrier"])?;
//! let mut lines = Vec::new();
//! writer.write_lines(1, &mut lines)?;
//! assert_eq!(lines, b"{\"index\":{\"_id\":\"B6\"}}\n{\"carrier\":\"B6\"}\n");
//! # Ok(())
//! # }
//! ```
//!
//! # Reading hits into columns
//!
//! A [`HitDecoder`] plans the columns of a mapping, completes the body of a search, and reads the
//! answers. All of its frames have the same schema.
//!
//! ```
//! use es_frame::{ColumnRequest, HitDecoder};
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mapping = serde_json::from_value(json!({"properties": {"dep_delay": {"type": "integer", "coerce": false}}}))?;
//! let decoder = HitDecoder::new(&mapping, &ColumnRequest::All)?;
//! let mut body = json!({"size": 1000});
//! decoder.ask(&mut body);
//! assert_eq!(body["docvalue_fields"], json!([{"field": "dep_delay"}]));
//!
//! let answer = br#"{"timed_out": false, "_shards": {"failed": 0}, "hits": {"hits": [
//!     {"_id": "1", "fields": {"dep_delay": [2]}}
//! ]}}"#;
//! let page = decoder.decode(answer)?;
//! assert_eq!(page.frame.column("dep_delay")?.i32()?.get(0), Some(2));
//! # Ok(())
//! # }
//! ```
//!
//! # Policies for values that are not one value a row
//!
//! A document may have several values of a field, none, or one that is malformed. A [`CellPolicy`]
//! says what becomes of them, for all columns or for single ones.
//!
//! ```
//! use es_frame::{CellPolicy, DecodeOptions, HitDecoder, Malformed, Values};
//! use polars::prelude::DataType;
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mapping = serde_json::from_value(json!({
//!     "properties": {"tags": {"type": "keyword"}, "delay": {"type": "integer"}}
//! }))?;
//! let options = DecodeOptions {
//!     policy: CellPolicy { malformed: Some(Malformed::Null), ..CellPolicy::default() },
//!     policies: [("tags".to_owned(), CellPolicy { values: Some(Values::List), ..CellPolicy::default() })].into(),
//!     ..DecodeOptions::default()
//! };
//! let schema = HitDecoder::with_options(&mapping, &options)?.schema();
//! assert_eq!(schema.get("tags"), Some(&DataType::List(Box::new(DataType::String))));
//! # Ok(())
//! # }
//! ```

mod calendar;
mod common;
mod decode;
mod encode;
mod error;
mod infer;
mod instants;
mod named;
mod precision;
mod source_filter;
mod table;

pub use common::{common_mapping, common_type};
pub use decode::{
    CellPolicy, ColumnRequest, DecodeOptions, FieldSource, HitDecoder, HitPage, Malformed, Missing, Retrieval,
    StoredSource, Values,
};
pub use encode::{DocumentWriter, DottedNames, NonFinite, Operation, VectorForm, WriterOptions};
pub use error::{Error, ErrorKind};
pub use es_core::{ContentHash, IdText};
pub use infer::{
    InferredMapping, JsonSample, MappingOptions, MixedField, Mixture, infer_mapping, infer_mapping_of,
    infer_mapping_of_json, infer_mapping_with,
};
pub use instants::instants;
pub use table::{SqlDecoder, Table};
