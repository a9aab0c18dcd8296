//! The values of a field so far, and the narrowest type of all of them.

use indexmap::IndexMap;
use polars::prelude::{DataType, Field};
use serde_json::Number;

use super::super::sample::Sample;
use super::{MixedField, Mixture};

/// Fields by their names.
pub(super) type Fields = IndexMap<String, Found>;

/// The values of a field so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The fields inside the objects.
    pub(super) fields: Fields,
    /// The number of objects.
    pub(super) objects: u64,
    /// The number of these that are geometries.
    pub(super) shapes: u64,
    pub(super) is_list: bool,
    booleans: u64,
    texts: u64,
    numbers: Numbers,
}

/// The numbers among the values.
#[derive(Debug, Default)]
struct Numbers {
    count: u64,
    /// The number of these that are no integers of 64 bits.
    fractions: u64,
    lowest: i128,
    highest: i128,
    /// One of the integers is not exact as a 64-bit float.
    needs_digits: bool,
}

impl Found {
    pub(super) fn add_boolean(&mut self) {
        self.booleans += 1;
    }

    pub(super) fn add_text(&mut self) {
        self.texts += 1;
    }

    pub(super) fn add_number(&mut self, number: &Number) {
        let numbers = &mut self.numbers;
        numbers.count += 1;
        let integer = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
        let Some(integer) = integer else {
            numbers.fractions += 1;
            return;
        };
        numbers.lowest = numbers.lowest.min(integer);
        numbers.highest = numbers.highest.max(integer);
        numbers.needs_digits |= (integer as f64) as i128 != integer;
    }

    /// The type of the field, which is called `path`; fields of several types are added to `mixed`, and
    /// geometries to the facts of the sample.
    pub(super) fn dtype(self, path: &str, mixed: &mut Vec<MixedField>, sample: &mut Sample) -> DataType {
        let (objects, values) = (self.objects, self.values());
        let mut mixture = (objects > 0 && values > 0).then_some(Mixture::ObjectsAndValues { objects, values });
        let dtype = if objects > 0 && objects >= values {
            if self.shapes == objects {
                sample.add_shapes(path.to_owned());
            }
            // Fields inside come after the one that they are in.
            if let Some(mixture) = mixture.take() {
                mixed.push(MixedField { path: path.to_owned(), mixture });
            }
            let inside = self.fields.into_iter().map(|(name, found)| {
                let dtype = found.dtype(&format!("{path}.{name}"), mixed, sample);
                Field::new(name.into(), dtype)
            });
            DataType::Struct(inside.collect())
        } else {
            let (dtype, values) = self.dtype_of_values();
            mixture = mixture.or(values);
            dtype
        };
        if let Some(mixture) = mixture {
            mixed.push(MixedField { path: path.to_owned(), mixture });
        }
        match dtype {
            DataType::Null => DataType::Null,
            dtype if self.is_list => DataType::List(Box::new(dtype)),
            dtype => dtype,
        }
    }

    fn values(&self) -> u64 {
        self.booleans + self.texts + self.numbers.count
    }

    fn dtype_of_values(&self) -> (DataType, Option<Mixture>) {
        let types = [(self.booleans, "booleans"), (self.numbers.count, "numbers"), (self.texts, "texts")];
        let types: Vec<&'static str> =
            types.into_iter().filter(|(count, _)| *count > 0).map(|(_, name)| name).collect();
        match types.as_slice() {
            [] => (DataType::Null, None),
            ["booleans"] => (DataType::Boolean, None),
            ["texts"] => (DataType::String, None),
            ["numbers"] => self.numbers.dtype(),
            // A keyword takes numbers and booleans as well.
            _ => (DataType::String, Some(Mixture::Keyword(types))),
        }
    }
}

impl Numbers {
    fn dtype(&self) -> (DataType, Option<Mixture>) {
        let fits = |lowest: i128, highest: i128| self.lowest >= lowest && self.highest <= highest;
        if self.fractions == 0 && fits(i64::MIN.into(), i64::MAX.into()) {
            (DataType::Int64, None)
        } else if self.fractions == 0 && fits(0, u64::MAX.into()) {
            (DataType::UInt64, None)
        } else if self.needs_digits {
            (DataType::String, Some(Mixture::Integers))
        } else {
            (DataType::Float64, None)
        }
    }
}
