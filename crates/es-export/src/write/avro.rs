//! Avro object container files, a block a batch of rows.
//!
//! Apache's implementation writes them. It gets its batches in the format that it shares with
//! Polars, Arrow IPC.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_avro::compression::CompressionCodec;
use arrow_avro::writer::format::AvroOcfFormat;
use arrow_avro::writer::{Writer, WriterBuilder};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{Schema as ArrowSchema, SchemaRef as ArrowSchemaRef};
use polars::prelude::{DataFrame, Schema};

use super::batched::{BatchedFile, Batches};
use super::file::{NewFile, SharedFile};
use super::format::Compression;
use super::gather::{Gather, aligned};
use super::ipc::IpcStream;
use crate::error::{Error, ErrorKind};

/// Rows and bytes of a block.
const BLOCK_ROWS: usize = 8_192;
const BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// The attribute of a field whose column has a name that Avro does not allow.
const COLUMN_ATTRIBUTE: &str = "column";

/// The name of a column's field: letters, digits and underscores, no digit first.
pub(super) fn field_name(column: &str) -> String {
    let name: String = column.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) || name.is_empty() { format!("_{name}") } else { name }
}

/// Blocks.
pub(super) struct Blocks {
    writer: Writer<SharedFile, AvroOcfFormat>,
    schema: Schema,
    arrow: ArrowSchemaRef,
}

/// Begins an Avro file.
pub(super) fn create(file: &NewFile<'_>, schema: &Schema, wanted: Compression) -> Result<BatchedFile<Blocks>, Error> {
    BatchedFile::create(file, Gather::new(schema, BLOCK_ROWS, BLOCK_BYTES), |file| {
        let (arrow, _) = batches(&DataFrame::empty_with_schema(schema), schema)?;
        let arrow = Arc::new(with_column_names(&arrow));
        let codec = match wanted {
            Compression::Deflate => Some(CompressionCodec::Deflate),
            Compression::Snappy => Some(CompressionCodec::Snappy),
            // The others are refused before.
            _ => None,
        };
        let writer = WriterBuilder::new(arrow.as_ref().clone()).with_compression(codec).build(file).map_err(refused)?;
        Ok(Blocks { writer, schema: schema.clone(), arrow })
    })
}

/// The rows as Apache's record batches, and their schema.
fn batches(frame: &DataFrame, schema: &Schema) -> Result<(ArrowSchemaRef, Vec<RecordBatch>), Error> {
    let mut stream = IpcStream::start(Vec::new(), schema, Compression::Uncompressed)?;
    if frame.height() > 0 {
        stream.write(frame)?;
    }
    let reader = StreamReader::try_new(Cursor::new(stream.finish()?), None).map_err(refused)?;
    let arrow = reader.schema();
    Ok((arrow, reader.collect::<Result<_, _>>().map_err(refused)?))
}

/// The schema with the names of columns that the fields cannot have.
fn with_column_names(schema: &ArrowSchema) -> ArrowSchema {
    let field = |field: &Arc<arrow_schema::Field>| {
        let name = field_name(field.name());
        if name == *field.name() {
            return field.as_ref().clone();
        }
        // The library takes an attribute's value as JSON where it is.
        let column = serde_json::Value::String(field.name().clone()).to_string();
        let attribute = HashMap::from([(COLUMN_ATTRIBUTE.to_owned(), column)]);
        field.as_ref().clone().with_name(name).with_metadata(attribute)
    };
    ArrowSchema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

fn refused(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Value, format!("rows cannot be written as Avro: {source}")).quoting(source)
}

impl Batches for Blocks {
    fn write(&mut self, block: DataFrame) -> Result<(), Error> {
        for batch in batches(&aligned(block), &self.schema)?.1 {
            let batch = RecordBatch::try_new(self.arrow.clone(), batch.columns().to_vec()).map_err(refused)?;
            self.writer.write(&batch).map_err(refused)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        self.writer.finish().map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names_that_avro_allows() {
        for (column, field) in [("a", "a"), ("a.b", "a_b"), ("_id", "_id"), ("1st", "_1st"), ("größe", "gr__e")] {
            assert_eq!(field_name(column), field);
        }
    }
}
