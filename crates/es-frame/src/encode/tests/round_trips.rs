//! Columns of any type, however deep, are read back by a JSON library with the same values.

use jiff::Timestamp;
use jiff::civil::Date;
use polars::prelude::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::WriterOptions;
use super::{documents, frame};

/// A value as Polars takes it, and as JSON is to hold it; a null has none.
type Pair = (AnyValue<'static>, Option<Value>);

fn types() -> impl Strategy<Value = DataType> {
    let scalars = prop::sample::select(vec![
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::String,
        DataType::Binary,
        DataType::Date,
        DataType::Datetime(TimeUnit::Milliseconds, None),
        DataType::Datetime(TimeUnit::Microseconds, None),
        DataType::Datetime(TimeUnit::Nanoseconds, None),
        DataType::Duration(TimeUnit::Milliseconds),
        DataType::Time,
    ]);
    scalars.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| DataType::List(Box::new(inner))),
            (inner.clone(), 1..4_usize).prop_map(|(inner, width)| DataType::Array(Box::new(inner), width)),
            prop::collection::vec(inner, 1..4).prop_map(|fields| {
                let field = |(place, dtype)| Field::new(format!("f\"{place}").into(), dtype);
                DataType::Struct(fields.into_iter().enumerate().map(field).collect())
            }),
        ]
    })
}

/// Values of a type, of which about every fifth is null.
fn values(dtype: &DataType) -> BoxedStrategy<Pair> {
    let some = match dtype.clone() {
        DataType::Boolean => any::<bool>().prop_map(|b| (AnyValue::Boolean(b), Some(json!(b)))).boxed(),
        DataType::Int8 => any::<i8>().prop_map(|n| (AnyValue::Int8(n), Some(json!(n)))).boxed(),
        DataType::Int16 => any::<i16>().prop_map(|n| (AnyValue::Int16(n), Some(json!(n)))).boxed(),
        DataType::Int32 => any::<i32>().prop_map(|n| (AnyValue::Int32(n), Some(json!(n)))).boxed(),
        DataType::Int64 => any::<i64>().prop_map(|n| (AnyValue::Int64(n), Some(json!(n)))).boxed(),
        DataType::UInt8 => any::<u8>().prop_map(|n| (AnyValue::UInt8(n), Some(json!(n)))).boxed(),
        DataType::UInt16 => any::<u16>().prop_map(|n| (AnyValue::UInt16(n), Some(json!(n)))).boxed(),
        DataType::UInt32 => any::<u32>().prop_map(|n| (AnyValue::UInt32(n), Some(json!(n)))).boxed(),
        DataType::UInt64 => any::<u64>().prop_map(|n| (AnyValue::UInt64(n), Some(json!(n)))).boxed(),
        DataType::Float32 => {
            any::<f32>().prop_map(|x| (AnyValue::Float32(x), x.is_finite().then(|| json!(f64::from(x))))).boxed()
        }
        DataType::Float64 => any::<f64>().prop_map(|x| (AnyValue::Float64(x), x.is_finite().then(|| json!(x)))).boxed(),
        DataType::String => "(\\PC|[\\x00-\\x7f]){0,30}"
            .prop_map(|text| (AnyValue::StringOwned(text.as_str().into()), Some(json!(text))))
            .boxed(),
        DataType::Binary => prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| {
                use base64::Engine as _;
                let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
                (AnyValue::BinaryOwned(bytes), Some(json!(text)))
            })
            .boxed(),
        DataType::Date => (-719_528..2_932_897_i32).prop_map(date).boxed(),
        DataType::Datetime(unit, _) => any::<i64>().prop_map(move |value| instant(value, unit)).boxed(),
        DataType::Duration(unit) => {
            any::<i64>().prop_map(move |n| (AnyValue::Duration(n, unit), Some(json!(n)))).boxed()
        }
        DataType::Time => (0..86_400_000_000_000_i64)
            .prop_map(|n| {
                let instant = Timestamp::from_nanosecond(n.into()).unwrap();
                (AnyValue::Time(n), Some(json!(format!("{instant:.9}")[11..29])))
            })
            .boxed(),
        DataType::List(inner) => list(&inner, 0..4, |series, _| AnyValue::List(series)),
        DataType::Array(inner, width) => list(&inner, width..width + 1, AnyValue::Array),
        DataType::Struct(fields) => structs(fields),
        other => unreachable!("{other} is not among the types"),
    };
    prop_oneof![4 => some, 1 => Just((AnyValue::Null, None))].boxed()
}

fn date(day: i32) -> Pair {
    let text = Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap().to_string();
    (AnyValue::Date(day), Some(json!(text)))
}

fn instant(value: i64, unit: TimeUnit) -> Pair {
    let (value, nanoseconds, digits) = match unit {
        TimeUnit::Milliseconds => (value % 62_000_000_000_000, 1_000_000, 3),
        TimeUnit::Microseconds => (value % 62_000_000_000_000_000, 1_000, 6),
        TimeUnit::Nanoseconds => (value, 1, 9),
    };
    let instant = Timestamp::from_nanosecond(i128::from(value) * nanoseconds).unwrap();
    (AnyValue::Datetime(value, unit, None), Some(json!(format!("{instant:.digits$}"))))
}

fn list(
    inner: &DataType,
    lengths: std::ops::Range<usize>,
    wrap: impl Fn(Series, usize) -> AnyValue<'static> + 'static,
) -> BoxedStrategy<Pair> {
    let dtype = inner.clone();
    prop::collection::vec(values(inner), lengths)
        .prop_map(move |pairs| {
            let (values, expected): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let length = values.len();
            let series = Series::from_any_values_and_dtype("".into(), &values, &dtype, true).unwrap();
            let expected = expected.into_iter().map(Option::unwrap_or_default).collect();
            (wrap(series, length), Some(Value::Array(expected)))
        })
        .boxed()
}

fn structs(fields: Vec<Field>) -> BoxedStrategy<Pair> {
    let strategies: Vec<_> = fields.iter().map(|field| values(field.dtype())).collect();
    strategies
        .prop_map(move |pairs| {
            let mut object = Map::new();
            let mut values = Vec::new();
            for (field, (value, expected)) in fields.iter().zip(pairs) {
                object.extend(expected.map(|expected| (field.name().to_string(), expected)));
                values.push(value);
            }
            (AnyValue::StructOwned(Box::new((values, fields.clone()))), Some(Value::Object(object)))
        })
        .boxed()
}

/// A value in which each number of a `Float32` is the 64-bit one with the same value. Its text
/// may be another one as short: 3322224.2 and 3322224.3 both are 3322224.25.
fn widened(dtype: &DataType, value: &Value) -> Value {
    match (dtype, value) {
        (DataType::Float32, Value::Number(number)) => json!(f64::from(number.to_string().parse::<f32>().unwrap())),
        (DataType::List(inner) | DataType::Array(inner, _), Value::Array(values)) => {
            values.iter().map(|value| widened(inner, value)).collect()
        }
        (DataType::Struct(fields), Value::Object(members)) => {
            let dtype = |name: &str| fields.iter().find(|field| field.name() == name).unwrap().dtype();
            members.iter().map(|(name, value)| (name.clone(), widened(dtype(name), value))).collect()
        }
        (_, value) => value.clone(),
    }
}

proptest! {
    #[test]
    fn columns_of_any_type_read_back(
        (dtype, pairs) in types().prop_flat_map(|dtype| {
            let values = prop::collection::vec(values(&dtype), 1..6);
            (Just(dtype), values)
        }),
        first in 0..3_usize,
    ) {
        let (values, expected): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let series = Series::from_any_values_and_dtype("c".into(), &values, &dtype, true).unwrap();
        // Also from the middle of a frame, where the children of lists begin elsewhere.
        let first = first.min(values.len() - 1);
        let frame = frame(vec![series.into()]).slice(first as i64, values.len());
        let written = documents(&frame, &WriterOptions::default()).unwrap();
        prop_assert_eq!(written.len(), values.len() - first);
        for (line, expected) in written.iter().zip(&expected[first..]) {
            let read: Map<String, Value> = serde_json::from_str(line).unwrap();
            let read = read.get("c").map(|value| widened(&dtype, value));
            prop_assert_eq!(read.as_ref(), expected.as_ref(), "{}", line);
        }
    }

    #[test]
    fn decimals_read_back_digit_by_digit(units in any::<i128>(), scale in 0..39_usize) {
        let units = units % 10_i128.pow(38);
        let column = Int128Chunked::from_slice("c".into(), &[units]).into_decimal_unchecked(38, scale).into_series();
        let line = documents(&frame(vec![column.into()]), &WriterOptions::default()).unwrap().remove(0);
        let _: Map<String, Value> = serde_json::from_str(&line).unwrap();
        let number = line.strip_prefix("{\"c\":").unwrap().strip_suffix('}').unwrap();
        let fraction = number.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        prop_assert_eq!(fraction, scale);
        prop_assert_eq!(number.replace('.', "").parse::<i128>().unwrap(), units);
    }
}
