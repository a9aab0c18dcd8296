//! Answers in Arrow: a stream of IPC messages, with what Elasticsearch writes otherwise than in
//! JSON put right.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMillisecondType,
    TimestampNanosecondType, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::{Buffer, MessageHeader};
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};

use super::builder::{ColumnBuilder, Value};
use super::types::{ColumnType, TableColumn};
use crate::error::{Error, ErrorKind};

/// The end of a stream. A stream without it may have been cut off between two batches.
const END: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// The metadata of a field that names its type in Elasticsearch.
const ES_TYPE: &str = "elastic:type";

/// Reads a whole stream.
pub(super) fn read(body: &[u8]) -> Result<(Vec<TableColumn>, Vec<ColumnBuilder>), Error> {
    let batches = check_messages(body).map_err(malformed)?;
    let stream = StreamReader::try_new(body, None).map_err(|error| unreadable(&error))?;
    let schema = stream.schema();
    let columns: Vec<TableColumn> = schema.fields().iter().map(|field| column(field)).collect::<Result<_, _>>()?;
    for batch in batches {
        let mut lengths = batch.buffers().into_iter().flatten().map(Buffer::length);
        schema
            .fields()
            .iter()
            .try_for_each(|field| check_buffers(field.data_type(), &mut lengths))
            .map_err(malformed)?;
    }
    let mut builders: Vec<_> = columns.iter().map(|column| ColumnBuilder::new(column.column_type)).collect();
    for batch in stream {
        push_batch(&columns, &mut builders, &batch.map_err(|error| unreadable(&error))?)?;
    }
    Ok((columns, builders))
}

/// Checks that messages follow each other up to the end of the stream, and that what they point
/// to is inside them: the library takes that for granted, and memory for whatever they announce.
/// Returns what the messages after the schema say of their batches.
///
/// Source: "Encapsulated message format" and "IPC Streaming Format" of Arrow's columnar format.
fn check_messages(body: &[u8]) -> Result<Vec<arrow_ipc::RecordBatch<'_>>, String> {
    const CUT_OFF: &str = "it is cut off";
    let mut rest = body;
    let mut batches = Vec::new();
    let mut is_first = true;
    while rest != END {
        let (prefix, after) = rest.split_first_chunk::<8>().ok_or(CUT_OFF)?;
        let [c1, c2, c3, c4, l1, l2, l3, l4] = *prefix;
        let length = usize::try_from(i32::from_le_bytes([l1, l2, l3, l4])).map_err(|_| "a length is negative")?;
        if [c1, c2, c3, c4] != [0xff; 4] || length == 0 {
            return Err("a message does not begin like one".to_owned());
        }
        let (metadata, after) = after.split_at_checked(length).ok_or(CUT_OFF)?;
        let message = arrow_ipc::root_as_message(metadata).map_err(|error| error.to_string())?;
        let body_length = usize::try_from(message.bodyLength()).map_err(|_| "a length is negative")?;
        rest = after.get(body_length..).ok_or(CUT_OFF)?;
        check_message(&message, is_first)?;
        batches.extend(message.header_as_record_batch());
        is_first = false;
    }
    if is_first { Err("it has no schema".to_owned()) } else { Ok(batches) }
}

fn check_message(message: &arrow_ipc::Message<'_>, is_first: bool) -> Result<(), String> {
    // Dictionaries and tensors are not what Elasticsearch writes.
    let expected = if is_first { MessageHeader::Schema } else { MessageHeader::RecordBatch };
    if message.header_type() != expected {
        return Err(format!("a message is {:?} instead of {expected:?}", message.header_type()));
    }
    let Some(batch) = message.header_as_record_batch() else { return Ok(()) };
    if batch.compression().is_some() {
        return Err("it is compressed".to_owned());
    }
    let rows = batch.length();
    if rows < 0
        || batch.nodes().is_some_and(|nodes| nodes.iter().any(|node| node.length() < 0 || node.null_count() < 0))
    {
        return Err("a length is negative".to_owned());
    }
    for buffer in batch.buffers().into_iter().flatten() {
        let end = buffer.offset().checked_add(buffer.length());
        let is_inside =
            buffer.offset() >= 0 && buffer.length() >= 0 && end.is_some_and(|end| end <= message.bodyLength());
        if !is_inside {
            return Err("a buffer is not inside its message".to_owned());
        }
    }
    Ok(())
}

/// Checks that the buffers of a column, of which the lengths come in their order, end where a
/// value does: where they do not, the library's answer is a panic.
///
/// Source: "Buffer Listing for Each Layout" of Arrow's columnar format.
fn check_buffers(data_type: &DataType, lengths: &mut impl Iterator<Item = i64>) -> Result<(), String> {
    let widths: &[usize] = match data_type {
        DataType::Null => &[],
        DataType::Boolean => &[1, 1],
        DataType::Utf8 | DataType::Binary => &[1, 4, 1],
        DataType::LargeUtf8 | DataType::LargeBinary => &[1, 8, 1],
        DataType::List(_) => &[1, 4],
        other => match other.primitive_width() {
            Some(width) => &[1, width],
            None => return Err(format!("it has values of Arrow's type {other}")),
        },
    };
    for width in widths {
        let length = lengths.next().ok_or("a buffer is missing")?;
        if usize::try_from(length).is_ok_and(|length| length % width != 0) {
            return Err("a buffer ends within a value".to_owned());
        }
    }
    match data_type {
        DataType::List(item) => check_buffers(item.data_type(), lengths),
        _ => Ok(()),
    }
}

fn column(field: &Field) -> Result<TableColumn, Error> {
    let Some(es_type) = field.metadata().get(ES_TYPE) else {
        return Err(malformed(format!("column {} does not say which type it is of", field.name())));
    };
    if matches!(es_type.as_str(), "geo_shape" | "cartesian_shape") {
        let message = format!("column {} is of type {es_type}, which is read from JSON only", field.name());
        return Err(Error::new(ErrorKind::UnsupportedType, message).with_help("ask for the answer in JSON"));
    }
    Ok(TableColumn::new(field.name().clone(), es_type.clone()))
}

fn push_batch(columns: &[TableColumn], builders: &mut [ColumnBuilder], batch: &RecordBatch) -> Result<(), Error> {
    for ((column, builder), array) in columns.iter().zip(builders).zip(batch.columns()) {
        let before = builder.rows();
        for row in 0..array.len() {
            push_row(column, builder, array, row).map_err(|why| {
                let (name, es_type, row) = (&column.name, &column.es_type, before + row + 1);
                Error::new(ErrorKind::Value, format!("column {name} ({es_type}) of row {row} holds a value that {why}"))
            })?;
        }
    }
    Ok(())
}

fn push_row(column: &TableColumn, builder: &mut ColumnBuilder, array: &dyn Array, row: usize) -> Result<(), String> {
    // An array of nulls has no bitmap that says so.
    if array.is_null(row) || *array.data_type() == DataType::Null {
        builder.end_row(0);
        return Ok(());
    }
    let Some(list) = array.as_list_opt::<i32>() else {
        builder.push(value(column, array, row)?).map_err(|misfit| misfit.to_string())?;
        builder.end_row(1);
        return Ok(());
    };
    let values = list.value(row);
    let mut length = 0;
    for at in (0..values.len()).filter(|at| values.is_valid(*at)) {
        builder.push(value(column, &values, at)?).map_err(|misfit| misfit.to_string())?;
        length += 1;
    }
    builder.end_row(length);
    Ok(())
}

/// A value of an array, as it would have been in JSON.
fn value<'a>(column: &TableColumn, array: &'a dyn Array, row: usize) -> Result<Value<'a>, String> {
    Ok(match array.data_type() {
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Int8 => Value::Signed(number::<Int8Type>(array, row).into()),
        DataType::Int16 => Value::Signed(number::<Int16Type>(array, row).into()),
        DataType::Int32 => Value::Signed(number::<Int32Type>(array, row).into()),
        DataType::Int64 if column.column_type == ColumnType::UInt64 => {
            unsigned(number::<Int64Type>(array, row).cast_unsigned())
        }
        DataType::Int64 => Value::Signed(number::<Int64Type>(array, row)),
        DataType::UInt64 => unsigned(number::<UInt64Type>(array, row)),
        DataType::Float32 => Value::Float(number::<Float32Type>(array, row).into()),
        DataType::Float64 => Value::Float(number::<Float64Type>(array, row)),
        DataType::Timestamp(TimeUnit::Millisecond, _) => Value::Instant(number::<TimestampMillisecondType>(array, row)),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Value::Instant(number::<TimestampNanosecondType>(array, row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Value::Text(array.as_string::<i64>().value(row).into()),
        DataType::Binary => bytes(column, array.as_binary::<i32>().value(row))?,
        DataType::LargeBinary => bytes(column, array.as_binary::<i64>().value(row))?,
        other => return Err(format!("is of Arrow's type {other}, which is not known for it")),
    })
}

fn number<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

/// The server keeps these with their top bit flipped, so that they sort like signed numbers, and
/// writes them into Arrow as they are kept.
fn unsigned(kept: u64) -> Value<'static> {
    Value::Unsigned(kept ^ (1 << 63))
}

fn bytes<'a>(column: &TableColumn, bytes: &'a [u8]) -> Result<Value<'a>, String> {
    if column.es_type == "ip" {
        return address(bytes).map(|text| Value::Text(text.into())).ok_or_else(|| "is no address".to_owned());
    }
    if let ColumnType::Point { .. } = column.column_type {
        return point(bytes).map(|(x, y)| Value::Point(x, y)).ok_or_else(|| "is no point in WKB".to_owned());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Value::Text(text.into())),
        Err(_) => Err("is no text".to_owned()),
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).to_string());
    }
    let sixteen = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    // In JSON such an address is one of four bytes.
    Some(sixteen.to_ipv4_mapped().map_or_else(|| sixteen.to_string(), |four| four.to_string()))
}

/// A point in well-known binary: the order of bytes, the type 1, x, y (OGC 06-103r4, 8.2).
fn point(wkb: &[u8]) -> Option<(f64, f64)> {
    let (order, rest) = wkb.split_first()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (x, rest) = rest.split_first_chunk::<8>()?;
    let y = <[u8; 8]>::try_from(rest).ok()?;
    match order {
        0 if u32::from_be_bytes(*kind) == 1 => Some((f64::from_be_bytes(*x), f64::from_be_bytes(y))),
        1 if u32::from_le_bytes(*kind) == 1 => Some((f64::from_le_bytes(*x), f64::from_le_bytes(y))),
        _ => None,
    }
}

fn unreadable(error: &ArrowError) -> Error {
    malformed(error)
}

fn malformed(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Malformed, format!("the result of a query cannot be read as Arrow: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_points_are_read_from_their_bytes() {
        let six = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
        let table: [(&[u8], Option<&str>); 5] = [
            (&[10, 0, 0, 1], Some("10.0.0.1")),
            (&six("2001:db8::b"), Some("2001:db8::b")),
            (&six("::ffff:1.2.3.4"), Some("1.2.3.4")),
            (&[1, 2, 3], None),
            (&[], None),
        ];
        for (bytes, expected) in table {
            assert_eq!(address(bytes).as_deref(), expected);
        }
        let little = [&[1, 1, 0, 0, 0][..], &1.5_f64.to_le_bytes(), &(-2.5_f64).to_le_bytes()].concat();
        let big = [&[0, 0, 0, 0, 1][..], &1.5_f64.to_be_bytes(), &(-2.5_f64).to_be_bytes()].concat();
        assert_eq!((point(&little), point(&big)), (Some((1.5, -2.5)), Some((1.5, -2.5))));
        assert_eq!((point(&little[..20]), point(&[&little[..], &[0]].concat()), point(&[])), (None, None, None));
        assert_eq!(point(&[&[1, 2, 0, 0, 0][..], &little[5..]].concat()), None);
    }
}
