//! Rows gathered into data frames.

use std::sync::Arc;

use jiff::Timestamp;
use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn as _, NamedFrom as _, PlSmallStr, Schema, SchemaRef, Series,
};

use crate::error::Error;
use crate::key::{KeyType, KeyValue, time_type};
use crate::options::FeatureSet;
use crate::plan::Plan;
use crate::response::Bucket;

/// Gathers rows until they are taken as a frame.
pub(crate) struct FrameBuilder {
    schema: SchemaRef,
    keys: Vec<Vec<KeyValue>>,
    times: Vec<i64>,
    features: Vec<Vec<Option<f64>>>,
}

/// The columns of the rows: the entity's fields, the time, the features.
pub(crate) fn schema(set: &FeatureSet, plan: &Plan, entity: &[KeyType]) -> SchemaRef {
    let mut schema = Schema::default();
    for (field, key_type) in set.entity.iter().zip(entity) {
        schema.with_column(PlSmallStr::from(field.as_str()), key_type.data_type());
    }
    schema.with_column(PlSmallStr::from(set.time.as_str()), time_type());
    for (output, _) in &plan.outputs {
        let data_type = if output.is_count { DataType::Int64 } else { DataType::Float64 };
        schema.with_column(PlSmallStr::from(output.field.as_str()), data_type);
    }
    Arc::new(schema)
}

impl FrameBuilder {
    pub(crate) fn new(schema: SchemaRef, plan: &Plan) -> Self {
        let keys = schema.len() - 1 - plan.outputs.len();
        Self { schema, keys: vec![Vec::new(); keys], times: Vec::new(), features: vec![Vec::new(); plan.outputs.len()] }
    }

    pub(crate) fn rows(&self) -> usize {
        self.times.len()
    }

    /// Adds the rows of the buckets that have a document in the longest window, and returns their
    /// number.
    pub(crate) fn push(&mut self, time: Timestamp, buckets: Vec<Bucket>, plan: &Plan) -> usize {
        let before = self.rows();
        for bucket in buckets {
            // Such an entity has documents only in a window that ends at the previous time.
            if bucket.slots[plan.presence].unwrap_or(0.0) == 0.0 {
                continue;
            }
            for (column, value) in self.keys.iter_mut().zip(bucket.key) {
                column.push(value);
            }
            self.times.push(time.as_millisecond());
            for (column, (_, formula)) in self.features.iter_mut().zip(&plan.outputs) {
                column.push(formula.value(&bucket.slots));
            }
        }
        self.rows() - before
    }

    /// Takes the rows so far as a frame, and leaves the builder empty.
    pub(crate) fn take(&mut self) -> Result<DataFrame, Error> {
        let height = self.rows();
        let mut fields = self.schema.iter();
        let mut columns: Vec<Column> = Vec::with_capacity(self.schema.len());
        for (values, (name, data_type)) in self.keys.iter_mut().zip(fields.by_ref()) {
            columns.push(key_series(name, std::mem::take(values)).cast(data_type)?.into_column());
        }
        for (values, (name, data_type)) in [std::mem::take(&mut self.times)].into_iter().zip(fields.by_ref()) {
            columns.push(Series::new(name.clone(), values).cast(data_type)?.into_column());
        }
        for (values, (name, data_type)) in self.features.iter_mut().zip(fields) {
            // Counts are whole numbers below 2^53, so nothing is lost on the way.
            columns.push(Series::new(name.clone(), std::mem::take(values)).cast(data_type)?.into_column());
        }
        Ok(DataFrame::new(height, columns)?)
    }
}

/// A column of one variant of [`KeyValue`], as all values of a field are read by its type.
fn key_series(name: &PlSmallStr, values: Vec<KeyValue>) -> Series {
    let name = name.clone();
    match values.first() {
        None | Some(KeyValue::Text(_)) => Series::new(
            name,
            pick(&values, |value| match value {
                KeyValue::Text(text) => Some(text.as_str()),
                _ => None,
            }),
        ),
        Some(KeyValue::Integer(_)) => Series::new(
            name,
            pick(&values, |value| match value {
                KeyValue::Integer(number) => Some(*number),
                _ => None,
            }),
        ),
        Some(KeyValue::Unsigned(_)) => Series::new(
            name,
            pick(&values, |value| match value {
                KeyValue::Unsigned(number) => Some(*number),
                _ => None,
            }),
        ),
        Some(KeyValue::Float(_)) => Series::new(
            name,
            pick(&values, |value| match value {
                KeyValue::Float(number) => Some(*number),
                _ => None,
            }),
        ),
        Some(KeyValue::Boolean(_)) => Series::new(
            name,
            pick(&values, |value| match value {
                KeyValue::Boolean(value) => Some(*value),
                _ => None,
            }),
        ),
    }
}

fn pick<'a, T>(values: &'a [KeyValue], value: impl Fn(&'a KeyValue) -> Option<T>) -> Vec<Option<T>> {
    values.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Feature;
    use crate::reference::{COMPRESSION, route_delays};

    #[test]
    fn rows_become_typed_columns_and_entities_without_documents_are_left_out() {
        let mut set = route_delays();
        set.entity = ["text", "byte", "large", "float", "flag", "date"].map(str::to_owned).to_vec();
        set.windows.truncate(1);
        set.features.clear();
        let set = set.with_feature("n", Feature::count()).with_feature("mean", Feature::avg("x"));
        let entity = ["keyword", "byte", "unsigned_long", "float", "boolean", "date"]
            .map(|field_type| KeyType::from_field_type(field_type).unwrap());
        let plan = Plan::new(&set, COMPRESSION).unwrap();
        let schema = schema(&set, &plan, &entity);
        let mut builder = FrameBuilder::new(schema.clone(), &plan);
        let bucket = |documents: f64, mean: Option<f64>| Bucket {
            key: vec![
                KeyValue::Text("a".into()),
                KeyValue::Integer(-7),
                KeyValue::Unsigned(u64::MAX),
                KeyValue::Float(0.1_f32.into()),
                KeyValue::Boolean(true),
                KeyValue::Integer(1_356_998_400_123),
            ],
            slots: vec![Some(documents), mean],
        };
        let time: Timestamp = "2013-01-02T00:00:00Z".parse().unwrap();
        let added = builder.push(time, vec![bucket(2.0, Some(1.5)), bucket(0.0, None), bucket(1.0, None)], &plan);
        assert_eq!((added, builder.rows()), (2, 2));
        let frame = builder.take().unwrap();
        assert_eq!(frame.schema(), &schema);
        assert_eq!(frame.height(), 2);
        let row = frame.get(0).unwrap();
        let texts: Vec<String> = row.iter().map(ToString::to_string).collect();
        assert_eq!(texts[1..5], ["-7", "18446744073709551615", "0.1", "true"]);
        assert_eq!(
            frame.column("date").unwrap().cast(&DataType::Int64).unwrap().i64().unwrap().get(0),
            Some(1_356_998_400_123)
        );
        assert_eq!(
            frame.column("time_hour").unwrap().cast(&DataType::Int64).unwrap().i64().unwrap().get(1),
            Some(1_357_084_800_000)
        );
        assert_eq!(frame.column("n_7d").unwrap().i64().unwrap().get(0), Some(2));
        assert_eq!(frame.column("mean_7d").unwrap().f64().unwrap().get(1), None);
        assert_eq!(builder.rows(), 0);
    }

    #[test]
    fn no_rows_make_an_empty_frame_of_the_same_schema() {
        let set = route_delays();
        let plan = Plan::new(&set, COMPRESSION).unwrap();
        let schema = schema(&set, &plan, &[KeyType::Text, KeyType::Int64]);
        let frame = FrameBuilder::new(schema.clone(), &plan).take().unwrap();
        assert_eq!((frame.schema(), frame.height()), (&schema, 0));
    }
}
