//! Values of Arrow types that Polars lacks. A value that another type does not hold is an error: none is
//! rounded, cut off or wrapped around.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DurationSecondType, Float16Type,
    Float32Type, Int8Type, Int16Type, Int32Type, Int64Type, RunEndIndexType, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimestampSecondType,
};
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Decimal128Array, DurationMillisecondArray, FixedSizeListArray,
    GenericListArray, GenericListViewArray, LargeListArray, MapArray, OffsetSizeTrait, PrimitiveArray, RunArray,
    StringArray, StructArray, TimestampMillisecondArray, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use arrow_select::take::take;

use super::read_error::ReadError;
use super::storage::MOST_DIGITS;

/// A value that does not fit.
#[derive(Debug)]
pub(crate) struct Unfit(String);

impl Unfit {
    pub(crate) fn in_column(self, name: &str) -> ReadError {
        ReadError::Value(format!("column {name} holds {}", self.0))
    }
}

impl From<arrow_schema::ArrowError> for Unfit {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self(format!("values that cannot be converted: {error}"))
    }
}

/// The values of a field in the type of another.
pub(crate) fn convert(array: &ArrayRef, from: &Field, to: &Field) -> Result<ArrayRef, Unfit> {
    Ok(match (from.data_type(), to.data_type()) {
        (DataType::Float16, DataType::Float32) => {
            Arc::new(array.as_primitive::<Float16Type>().unary::<_, Float32Type>(|value| value.to_f32()))
        }
        (DataType::Decimal32(..), DataType::Decimal128(precision, scale)) => {
            let units = array.as_primitive::<Decimal32Type>().unary::<_, Decimal128Type>(i128::from);
            Arc::new(units.with_precision_and_scale(*precision, *scale)?)
        }
        (DataType::Decimal64(..), DataType::Decimal128(precision, scale)) => {
            let units = array.as_primitive::<Decimal64Type>().unary::<_, Decimal128Type>(i128::from);
            Arc::new(units.with_precision_and_scale(*precision, *scale)?)
        }
        (DataType::Decimal256(..), DataType::Decimal128(precision, scale)) => {
            Arc::new(narrow_decimals(array, *precision, *scale)?)
        }
        (DataType::FixedSizeBinary(16), DataType::Utf8) => {
            let bytes = array.as_fixed_size_binary();
            Arc::new(StringArray::from_iter(bytes.iter().map(|value| value.map(uuid_text))))
        }
        (DataType::Int8, DataType::Boolean) => {
            let values = array.as_primitive::<Int8Type>();
            Arc::new(BooleanArray::from_iter(values.iter().map(|value| value.map(|value| value != 0))))
        }
        (DataType::Timestamp(TimeUnit::Second, _), DataType::Timestamp(TimeUnit::Millisecond, zone)) => {
            let values = thousandfold::<TimestampSecondType>(array, "a time")?;
            Arc::new(TimestampMillisecondArray::from_iter(values).with_timezone_opt(zone.clone()))
        }
        (DataType::Timestamp(..), DataType::Timestamp(..)) => {
            // Only the zone differs.
            arrow_array::make_array(array.to_data().into_builder().data_type(to.data_type().clone()).build()?)
        }
        (DataType::Duration(TimeUnit::Second), DataType::Duration(_)) => {
            Arc::new(DurationMillisecondArray::from_iter(thousandfold::<DurationSecondType>(array, "a duration")?))
        }
        (DataType::Time32(TimeUnit::Second), _) => within_day::<Time32SecondType>(array, 86_400)?,
        (DataType::Time32(_), _) => within_day::<Time32MillisecondType>(array, 86_400_000)?,
        (DataType::Time64(TimeUnit::Microsecond), _) => within_day::<Time64MicrosecondType>(array, 86_400_000_000)?,
        (DataType::Time64(_), _) => within_day::<Time64NanosecondType>(array, 86_400_000_000_000)?,
        (DataType::List(item), DataType::List(to)) => lists(array.as_list::<i32>(), item, to)?,
        (DataType::LargeList(item), DataType::LargeList(to)) => lists(array.as_list::<i64>(), item, to)?,
        (DataType::ListView(item), DataType::LargeList(to)) => views(array.as_list_view::<i32>(), item, to)?,
        (DataType::LargeListView(item), DataType::LargeList(to)) => views(array.as_list_view::<i64>(), item, to)?,
        (DataType::FixedSizeList(item, _), DataType::FixedSizeList(to, width)) => {
            let list = array.as_fixed_size_list();
            let values = convert(list.values(), item, to)?;
            let lists =
                FixedSizeListArray::try_new_with_length(to.clone(), *width, values, list.nulls().cloned(), list.len())?;
            Arc::new(lists)
        }
        (DataType::Struct(fields), DataType::Struct(to)) => Arc::new(members(array.as_struct(), fields, to)?),
        (DataType::Map(entries, _), DataType::Map(to, sorted)) => {
            let map = array.as_map();
            let (DataType::Struct(fields), DataType::Struct(inner)) = (entries.data_type(), to.data_type()) else {
                return Err(Unfit("a map without keys and values".to_owned()));
            };
            let entries = members(map.entries(), fields, inner)?;
            Arc::new(MapArray::try_new(to.clone(), map.offsets().clone(), entries, map.nulls().cloned(), *sorted)?)
        }
        (DataType::Dictionary(_, value), other) if !matches!(other, DataType::Dictionary(..)) => {
            let dictionary = array.as_any_dictionary();
            let plain = take(dictionary.values(), dictionary.keys(), None)?;
            convert(&plain, &Field::new("", (**value).clone(), true), to)?
        }
        (DataType::RunEndEncoded(ends, values), _) => {
            let plain = match ends.data_type() {
                DataType::Int16 => runs::<Int16Type>(array)?,
                DataType::Int32 => runs::<Int32Type>(array)?,
                _ => runs::<Int64Type>(array)?,
            };
            convert(&plain, values, to)?
        }
        _ => array.clone(),
    })
}

/// The members of objects.
fn members(array: &StructArray, from: &Fields, to: &Fields) -> Result<StructArray, Unfit> {
    let columns = array.columns().iter().zip(from.iter().zip(to));
    let columns = columns.map(|(array, (from, to))| convert(array, from, to)).collect::<Result<Vec<_>, _>>()?;
    Ok(StructArray::try_new_with_length(to.clone(), columns, array.nulls().cloned(), array.len())?)
}

fn lists<O: OffsetSizeTrait>(array: &GenericListArray<O>, from: &FieldRef, to: &FieldRef) -> Result<ArrayRef, Unfit> {
    let values = convert(array.values(), from, to)?;
    Ok(Arc::new(GenericListArray::<O>::try_new(to.clone(), array.offsets().clone(), values, array.nulls().cloned())?))
}

/// Lists whose parts stand anywhere among the values, one after another.
fn views<O: OffsetSizeTrait>(
    array: &GenericListViewArray<O>,
    from: &FieldRef,
    to: &FieldRef,
) -> Result<ArrayRef, Unfit> {
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(array.len()));
    for row in 0..array.len() {
        let size = if array.is_null(row) { 0 } else { array.value_sizes()[row].as_usize() };
        let start = array.value_offsets()[row].as_usize();
        places.extend((start..start + size).map(|place| place as u64));
        lengths.push(size);
    }
    let values = take(array.values(), &UInt64Array::from(places), None)?;
    let values = convert(&values, from, to)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(LargeListArray::try_new(to.clone(), offsets, values, array.nulls().cloned())?))
}

/// The values of runs, a value a row.
fn runs<R: RunEndIndexType>(array: &ArrayRef) -> Result<ArrayRef, Unfit> {
    let Some(runs) = array.as_any().downcast_ref::<RunArray<R>>() else {
        return Err(Unfit("runs whose ends are not of their type".to_owned()));
    };
    let places = (0..runs.len()).map(|row| runs.get_physical_index(row) as u64);
    Ok(take(runs.values(), &UInt64Array::from_iter_values(places), None)?)
}

/// Seconds as milliseconds.
fn thousandfold<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef, what: &str) -> Result<Vec<Option<i64>>, Unfit> {
    let fitting = |value: i64| {
        let beyond = || Unfit(format!("{what} of {value} seconds, which 64 bits do not hold as milliseconds"));
        value.checked_mul(1_000).ok_or_else(beyond)
    };
    array.as_primitive::<T>().iter().map(|value| value.map(fitting).transpose()).collect()
}

/// Times of a day, all of them inside it.
fn within_day<T: ArrowPrimitiveType>(array: &ArrayRef, units: i64) -> Result<ArrayRef, Unfit>
where
    T::Native: Into<i64>,
{
    let mut values = array.as_primitive::<T>().iter().flatten().map(Into::into);
    match values.find(|value| !(0..units).contains(value)) {
        None => Ok(array.clone()),
        Some(value) => Err(Unfit(format!("a time of day of {value} units, and a day has {units} of them"))),
    }
}

/// Decimals that may have more digits than are read.
fn narrow_decimals(array: &ArrayRef, precision: u8, scale: i8) -> Result<Decimal128Array, Unfit> {
    let limit = 10_u128.pow(u32::from(MOST_DIGITS));
    let values: &PrimitiveArray<Decimal256Type> = array.as_primitive();
    let fitting = |row: usize| {
        if values.is_null(row) {
            return Ok(None);
        }
        match values.value(row).to_i128().filter(|value| value.unsigned_abs() < limit) {
            Some(value) => Ok(Some(value)),
            None => Err(Unfit(format!(
                "the decimal {}, which has more than {MOST_DIGITS} digits",
                values.value_as_string(row)
            ))),
        }
    };
    let units = (0..values.len()).map(fitting).collect::<Result<Vec<Option<i128>>, Unfit>>()?;
    Ok(Decimal128Array::from_iter(units).with_precision_and_scale(precision, scale)?)
}

/// A UUID as it is written.
fn uuid_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
    }
    text
}
