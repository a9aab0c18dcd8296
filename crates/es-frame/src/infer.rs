//! The mapping that a frame's schema means.

use es_core::{Mapping, Properties};
use polars::prelude::{DataType, Schema, TimeUnit};
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind};

/// The mapping of documents that [`crate::DocumentWriter`] writes of frames with this schema.
///
/// | Polars | Elasticsearch |
/// |---|---|
/// | `Int8`, `Int16`, `Int32`, `Int64` | `byte`, `short`, `integer`, `long` |
/// | `UInt8`, `UInt16`, `UInt32`, `UInt64` | `short`, `integer`, `long`, `unsigned_long` |
/// | `Float32`, `Float64` | `float`, `double` |
/// | `Boolean` | `boolean` |
/// | `String`, `Categorical`, `Enum`, `Time` | `keyword` |
/// | `Date`, `Datetime` in ms or µs | `date` (searches see milliseconds; `_source` has all digits) |
/// | `Datetime` in ns | `date_nanos` |
/// | `Duration` | `long`, in the column's unit |
/// | `Binary` | `binary` |
/// | `Array(Float32, n)` | `dense_vector` of n dimensions |
/// | `List(T)` | as `T` |
/// | `Struct` | `object` with its fields |
/// | `Null` | none: the column has no values |
///
/// # Errors
/// [`ErrorKind::UnsupportedType`] names the column of any other type.
pub fn infer_mapping(schema: &Schema) -> Result<Mapping, Error> {
    let mut properties = Properties::new();
    for (name, dtype) in schema.iter() {
        if let Some(definition) = definition(name, dtype)? {
            properties.insert(name.to_string(), definition);
        }
    }
    Ok(Mapping::new(properties))
}

fn definition(name: &str, dtype: &DataType) -> Result<Option<Value>, Error> {
    let field_type = match dtype {
        DataType::Null => return Ok(None),
        DataType::Boolean => "boolean",
        DataType::Int8 => "byte",
        DataType::Int16 | DataType::UInt8 => "short",
        DataType::Int32 | DataType::UInt16 => "integer",
        DataType::Int64 | DataType::UInt32 | DataType::Duration(_) => "long",
        DataType::UInt64 => "unsigned_long",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::String | DataType::Categorical(..) | DataType::Enum(..) | DataType::Time => "keyword",
        DataType::Date | DataType::Datetime(TimeUnit::Milliseconds | TimeUnit::Microseconds, _) => "date",
        DataType::Datetime(TimeUnit::Nanoseconds, _) => "date_nanos",
        DataType::Binary => "binary",
        DataType::Array(inner, dims) if **inner == DataType::Float32 => {
            return Ok(Some(json!({"type": "dense_vector", "dims": dims})));
        }
        DataType::List(inner) | DataType::Array(inner, _) => return definition(name, inner),
        DataType::Struct(fields) => {
            let mut properties = Properties::new();
            for field in fields {
                if let Some(inner) = definition(&format!("{name}.{}", field.name()), field.dtype())? {
                    properties.insert(field.name().to_string(), inner);
                }
            }
            return Ok(Some(json!({"properties": properties})));
        }
        other => {
            return Err(Error::new(
                ErrorKind::UnsupportedType,
                format!("column {name} has the type {other}, which Elasticsearch has no type for"),
            )
            .with_help("cast the column to a number, a string or a date before it is indexed"));
        }
    };
    Ok(Some(json!({"type": field_type})))
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{Field, PlSmallStr};

    #[test]
    fn each_type_has_its_counterpart() {
        let vector = DataType::Array(Box::new(DataType::Float32), 3);
        let nested =
            DataType::Struct(vec![Field::new("x".into(), DataType::UInt64), Field::new("n".into(), DataType::Null)]);
        let table = [
            (DataType::Int16, json!({"type": "short"})),
            (DataType::UInt32, json!({"type": "long"})),
            (DataType::UInt64, json!({"type": "unsigned_long"})),
            (DataType::Float32, json!({"type": "float"})),
            (DataType::String, json!({"type": "keyword"})),
            (DataType::Datetime(TimeUnit::Milliseconds, None), json!({"type": "date"})),
            (DataType::Datetime(TimeUnit::Nanoseconds, None), json!({"type": "date_nanos"})),
            (DataType::List(Box::new(DataType::Int8)), json!({"type": "byte"})),
            (vector, json!({"type": "dense_vector", "dims": 3})),
            (nested, json!({"properties": {"x": {"type": "unsigned_long"}}})),
        ];
        for (dtype, expected) in table {
            let schema = Schema::from_iter([(PlSmallStr::from("c"), dtype)]);
            assert_eq!(infer_mapping(&schema).unwrap().properties["c"], expected);
        }
        let empty = Schema::from_iter([(PlSmallStr::from("c"), DataType::Null)]);
        assert!(infer_mapping(&empty).unwrap().properties.is_empty());
    }
}
