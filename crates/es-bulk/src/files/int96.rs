//! Times of 96 bits in Parquet, which Spark, Hive and Impala write: nanoseconds of a day of any year.
//!
//! No 64 bits hold all of them, so that the unit of a column depends on its values: microseconds, unless
//! some value has finer digits. All values are looked at, since the statistics of such columns are
//! meaningless. Readers that take nanoseconds for all turn the year 9999 into 1816.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use parquet::basic::Type as PhysicalType;
use parquet::column::reader::ColumnReader;
use parquet::data_type::Int96;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::SerializedFileReader;

use super::read_error::ReadError;
use super::storage::RefusedColumn;

/// The number of values that are looked at together.
const STEP: usize = 8192;
/// The Julian day of 1970-01-01.
const EPOCH: i128 = 2_440_588;
const DAY: i128 = 86_400_000_000_000;

/// The columns of 96 bits of a file, by the places of their leaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Int96Columns(HashMap<usize, Option<TimeUnit>>);

/// The values that were seen of a column.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Some value has digits beyond a microsecond.
    is_fine: bool,
    /// Some value is too far from 1970 for nanoseconds of 64 bits.
    is_far: bool,
    /// Some value is too far from 1970 for microseconds of 64 bits.
    is_beyond: bool,
}

impl Seen {
    fn see(&mut self, value: &Int96) {
        let [low, high, day] = [value.data()[0], value.data()[1], value.data()[2]].map(i128::from);
        // The day has a sign in the writers that go back far enough.
        let day = if day > i128::from(i32::MAX) { day - (1 << 32) } else { day };
        let nanoseconds = (day - EPOCH) * DAY + (high << 32 | low);
        self.is_fine |= nanoseconds % 1_000 != 0;
        self.is_far |= i64::try_from(nanoseconds).is_err();
        self.is_beyond |= i64::try_from(nanoseconds / 1_000).is_err();
    }

    /// The unit that holds all of them.
    fn unit(self) -> Option<TimeUnit> {
        if !self.is_fine && !self.is_beyond {
            Some(TimeUnit::Microsecond)
        } else if self.is_far {
            None
        } else {
            Some(TimeUnit::Nanosecond)
        }
    }
}

impl Int96Columns {
    /// Looks at all values of such columns, if there are any.
    pub(crate) fn scan(file: &File, metadata: &ParquetMetaData) -> Result<Self, ReadError> {
        let columns = metadata.file_metadata().schema_descr().columns().iter().enumerate();
        let leaves: Vec<usize> =
            columns.filter(|(_, column)| column.physical_type() == PhysicalType::INT96).map(|(leaf, _)| leaf).collect();
        if leaves.is_empty() {
            return Ok(Self::default());
        }
        let mut seen: HashMap<usize, Seen> = leaves.iter().map(|leaf| (*leaf, Seen::default())).collect();
        let reader = SerializedFileReader::new(file.try_clone()?)?;
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group)?;
            for (leaf, seen) in &mut seen {
                let ColumnReader::Int96ColumnReader(mut column) = group.get_column_reader(*leaf)? else { continue };
                let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
                loop {
                    definitions.clear();
                    repetitions.clear();
                    values.clear();
                    let (records, _, levels) =
                        column.read_records(STEP, Some(&mut definitions), Some(&mut repetitions), &mut values)?;
                    values.iter().for_each(|value| seen.see(value));
                    if records == 0 && levels == 0 {
                        break;
                    }
                }
            }
        }
        Ok(Self(seen.into_iter().map(|(leaf, seen)| (leaf, seen.unit())).collect()))
    }

    /// A field with the units of its leaves, of which the first is the number `leaf`. Leaves stand in the
    /// order of the file.
    pub(crate) fn with_units(&self, field: &FieldRef, leaf: &mut usize) -> FieldRef {
        if self.0.is_empty() {
            return field.clone();
        }
        let of = match field.data_type() {
            DataType::List(item) => DataType::List(self.with_units(item, leaf)),
            DataType::LargeList(item) => DataType::LargeList(self.with_units(item, leaf)),
            DataType::FixedSizeList(item, width) => DataType::FixedSizeList(self.with_units(item, leaf), *width),
            DataType::Struct(fields) => {
                DataType::Struct(fields.iter().map(|field| self.with_units(field, leaf)).collect())
            }
            DataType::Map(entries, sorted) => DataType::Map(self.with_units(entries, leaf), *sorted),
            other => {
                let unit = self.0.get(leaf).copied().flatten();
                *leaf += 1;
                match (other, unit) {
                    (DataType::Timestamp(_, zone), Some(unit)) => DataType::Timestamp(unit, zone.clone()),
                    _ => return field.clone(),
                }
            }
        };
        Arc::new(Field::new(field.name(), of, field.is_nullable()).with_metadata(field.metadata().clone()))
    }

    /// The columns whose values no unit holds.
    pub(crate) fn refused(&self, metadata: &ParquetMetaData) -> Vec<RefusedColumn> {
        let columns = metadata.file_metadata().schema_descr().columns();
        let refused = self.0.iter().filter(|(_, unit)| unit.is_none());
        let mut names: Vec<&str> =
            refused.filter_map(|(leaf, _)| columns[*leaf].path().parts().first().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        let why = "holds times of 96 bits that are too far apart for nanoseconds, and too fine for microseconds";
        names.into_iter().map(|name| RefusedColumn { name: name.to_owned(), why: why.to_owned() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int96(nanoseconds: i128) -> Int96 {
        let (day, rest) = (nanoseconds.div_euclid(DAY) + EPOCH, nanoseconds.rem_euclid(DAY));
        let mut value = Int96::new();
        value.set_data(rest as u32, (rest >> 32) as u32, day as i32 as u32);
        value
    }

    #[test]
    fn the_unit_holds_every_value() {
        let far = 253_402_300_799_999_999_000_i128;
        let table = [
            (vec![0, 1_000, -1_000], Some(TimeUnit::Microsecond)),
            (vec![far, -62_135_596_800_000_000_000], Some(TimeUnit::Microsecond)),
            (vec![1, i128::from(i64::MAX), i128::from(i64::MIN)], Some(TimeUnit::Nanosecond)),
            (vec![1, far], None),
            (vec![far + 1], None),
            (vec![i128::from(i64::MAX) * 2_000], None),
            (vec![], Some(TimeUnit::Microsecond)),
        ];
        for (values, expected) in table {
            let mut seen = Seen::default();
            values.iter().for_each(|value| seen.see(&int96(*value)));
            assert_eq!(seen.unit(), expected, "{values:?}");
        }
    }
}
