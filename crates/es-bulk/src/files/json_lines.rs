//! Newline-delimited JSON in pieces. The columns and their types are those of the first
//! piece; a later field or value that does not fit them is an error, never dropped.

use std::fs::File;
use std::io::Cursor;

use polars::io::ndjson::infer_schema;
use polars::io::prelude::{JsonFormat, JsonReader, SerReader as _};
use polars::prelude::{DataFrame, DataType, PolarsError, PolarsResult, Schema, SchemaRef};

use super::delimited::{PIECE, Pieces, Quoting};

pub(crate) struct Reader {
    pieces: Pieces,
    schema: SchemaRef,
    first: Option<DataFrame>,
}

impl Reader {
    pub(crate) fn open(file: File) -> PolarsResult<Self> {
        let mut pieces = Pieces::new(file, Quoting::None);
        let Some(first) = pieces.next()? else {
            return Err(PolarsError::NoData("the file has no line".into()));
        };
        let first = JsonReader::new(Cursor::new(first))
            .with_json_format(JsonFormat::JsonLines)
            .infer_schema_len(None)
            .finish()?;
        Ok(Self { pieces, schema: first.schema().clone(), first: Some(first) })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn next_frame(&mut self) -> PolarsResult<Option<DataFrame>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some(piece) = self.pieces.next()? else { return Ok(None) };
        // Polars passes over fields that the schema lacks.
        check_fits(&infer_schema(&mut piece.as_slice(), None)?, &self.schema)?;
        let reader = JsonReader::new(Cursor::new(piece))
            .with_json_format(JsonFormat::JsonLines)
            .with_schema(self.schema.clone());
        reader.finish().map(Some)
    }
}

fn check_fits(found: &Schema, wanted: &Schema) -> PolarsResult<()> {
    for (name, dtype) in found.iter() {
        let first = PIECE >> 20;
        let why = match wanted.get(name) {
            None => format!("field {name} is in none of the lines of the first {first} MiB, which settle the columns"),
            Some(settled) if !fits(dtype, settled) => {
                format!("field {name} is {dtype} in some line, and {settled} in the first {first} MiB")
            }
            Some(_) => continue,
        };
        return Err(PolarsError::SchemaMismatch(why.into()));
    }
    Ok(())
}

/// Whether every value of a type is a value of the other one.
fn fits(found: &DataType, wanted: &DataType) -> bool {
    match (found, wanted) {
        (DataType::Null, _) | (DataType::Int64, DataType::Float64) => true,
        (DataType::List(found), DataType::List(wanted)) => fits(found, wanted),
        (DataType::Struct(found), DataType::Struct(wanted)) => found.iter().all(|field| {
            let settled = wanted.iter().find(|other| other.name() == field.name());
            settled.is_some_and(|settled| fits(field.dtype(), settled.dtype()))
        }),
        (found, wanted) => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::Field;

    #[test]
    fn what_a_column_takes() {
        use DataType::{Boolean, Float64, Int64, Null, String};
        let list = |of: DataType| DataType::List(Box::new(of));
        let object = |fields: &[(&str, DataType)]| {
            DataType::Struct(fields.iter().map(|(name, of)| Field::new((*name).into(), of.clone())).collect())
        };
        let table = [
            (Null, Int64, true),
            (Int64, Float64, true),
            (Float64, Int64, false),
            (Int64, String, false),
            (String, Boolean, false),
            (list(Null), list(String), true),
            (list(Float64), list(Int64), false),
            (Int64, list(Int64), false),
            (object(&[("a", Int64)]), object(&[("b", String), ("a", Float64)]), true),
            (object(&[("c", Int64)]), object(&[("a", Int64)]), false),
        ];
        for (found, wanted, expected) in table {
            assert_eq!(fits(&found, &wanted), expected, "{found} in {wanted}");
        }
    }
}
