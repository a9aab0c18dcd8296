//! The mapping that the first lines of NDJSON imply.

use std::io::Cursor;

use es_core::Mapping;
use es_frame::{MappingOptions, infer_mapping_of};
use polars::io::prelude::{JsonFormat, JsonReader, SerReader as _};
use serde_json::Value;

use crate::error::Error;

/// The mapping of documents like these.
///
/// # Errors
/// When the documents do not agree on the type of a field.
pub(crate) fn infer_mapping_of_json(sample: &[Value], options: &MappingOptions) -> Result<Mapping, Error> {
    if sample.is_empty() {
        return Ok(Mapping::default());
    }
    let mut text = Vec::new();
    for document in sample {
        text.extend_from_slice(document.to_string().as_bytes());
        text.push(b'\n');
    }
    let reader = JsonReader::new(Cursor::new(text)).with_json_format(JsonFormat::JsonLines);
    let frame = reader.infer_schema_len(None).finish()?;
    Ok(infer_mapping_of(&frame, options)?)
}
