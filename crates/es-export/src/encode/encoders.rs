//! Learned encoders as data, and their application to rows.

use std::collections::HashMap;

use polars::prelude::{
    ChunkApply as _, Column, DataFrame, DataType, Int32Chunked, IntoColumn as _, NamedFrom as _, NewChunkedArray as _,
    PlSmallStr, Schema, Series,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fit::{integers, named, nothing_to_learn};
use super::plan::Encoding;
use crate::error::{Error, ErrorKind};

/// The encoders of all columns. As JSON they are in the manifest of an export; the [module's
/// documentation](crate::encode) says how to read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "The encoders of all columns.")]
pub struct Encoders {
    /// The version of this layout: 1.
    pub version: u32,
    /// The training rows that they were fitted on.
    pub rows: u64,
    /// The columns, in order.
    pub columns: Vec<ColumnEncoder>,
}

/// The encoder of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnEncoder {
    /// The column.
    pub column: String,
    /// The treatment of it.
    #[serde(flatten)]
    pub encoder: Encoder,
}

/// The treatment of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "encoding", rename_all = "snake_case")]
pub enum Encoder {
    /// Nothing.
    None,
    /// [`Encoding::Numeric`].
    Numeric,
    /// [`Encoding::Codes`].
    Codes {
        /// The values, each at the place that is its code.
        vocabulary: Vocabulary,
        /// Training rows without a value.
        nulls: u64,
    },
    /// [`Encoding::OneHot`].
    OneHot {
        /// The values, in the order of their columns.
        vocabulary: Vocabulary,
        /// Training rows without a value.
        nulls: u64,
    },
    /// [`Encoding::Standard`].
    Standard {
        /// The mean.
        mean: f64,
        /// The standard deviation of the population.
        std: f64,
        /// Training rows with a value.
        count: u64,
        /// Training rows without one.
        nulls: u64,
    },
}

/// Values in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Vocabulary {
    /// Integers; booleans are 0 and 1.
    Integers(Vec<i64>),
    /// Texts, in the order of their bytes.
    Texts(Vec<String>),
}

/// The origin of a column of encoded rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncodedFrom {
    /// The column that it was made of.
    pub column: String,
    /// The encoding.
    pub encoding: Encoding,
    /// Of codes: the values, each at the place that is its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<Vocabulary>,
    /// Of a one-hot column: the value that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Of standardised values: the mean that was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Of standardised values: the standard deviation that they were divided by, or 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
}

impl Vocabulary {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn values(&self) -> Vec<(String, Value)> {
        match self {
            Self::Integers(values) => values.iter().map(|value| (value.to_string(), json!(value))).collect(),
            Self::Texts(values) => values.iter().map(|value| (value.clone(), json!(value))).collect(),
        }
    }

    /// The place of each row's value; none for nulls and values that are not in it.
    fn places(&self, column: &Column) -> Result<Vec<Option<usize>>, Error> {
        Ok(match self {
            Self::Texts(values) => {
                let texts = column.str().map_err(|_| changed(column, "texts"))?;
                let places: HashMap<&str, usize> =
                    values.iter().enumerate().map(|(place, value)| (value.as_str(), place)).collect();
                texts.iter().map(|text| places.get(text?).copied()).collect()
            }
            Self::Integers(values) => {
                if !column.dtype().is_integer() && !column.dtype().is_bool() {
                    return Err(changed(column, "integers"));
                }
                integers(column)?.i64()?.iter().map(|value| values.binary_search(&value?).ok()).collect()
            }
        })
    }
}

fn changed(column: &Column, expected: &str) -> Error {
    let message = format!("column {} of type {} was fitted on {expected}", column.name(), column.dtype());
    Error::new(ErrorKind::Column, message).with_help("fit the encoders again")
}

impl ColumnEncoder {
    /// The name of a one-hot column.
    fn one_hot_name(&self, value: &str) -> PlSmallStr {
        format!("{}={value}", self.column).into()
    }

    fn apply(&self, column: &Column, to: &mut Vec<Column>) -> Result<(), Error> {
        match &self.encoder {
            Encoder::None => to.push(column.clone()),
            Encoder::Numeric => to.push(as_float(column)?),
            Encoder::Standard { mean, std, .. } => to.push(standardised(column, *mean, *std)?),
            Encoder::Codes { vocabulary, .. } => {
                let places = vocabulary.places(column)?;
                // A vocabulary is far from having 2³¹ values.
                let codes = places.into_iter().map(|place| place.map_or(-1, |place| place as i32));
                to.push(Int32Chunked::from_iter_values(column.name().clone(), codes).into_column());
            }
            Encoder::OneHot { vocabulary, .. } => {
                let places = vocabulary.places(column)?;
                for (at, (value, _)) in vocabulary.values().into_iter().enumerate() {
                    let ones: Vec<u8> = places.iter().map(|place| u8::from(*place == Some(at))).collect();
                    to.push(Series::new(self.one_hot_name(&value), ones).into_column());
                }
            }
        }
        Ok(())
    }

    fn schema(&self, dtype: &DataType, to: &mut Vec<(PlSmallStr, DataType)>) {
        let name: PlSmallStr = self.column.as_str().into();
        match &self.encoder {
            Encoder::None => to.push((name, dtype.clone())),
            Encoder::Numeric | Encoder::Standard { .. } => to.push((name, float_of(dtype))),
            Encoder::Codes { .. } => to.push((name, DataType::Int32)),
            Encoder::OneHot { vocabulary, .. } => {
                to.extend(vocabulary.values().iter().map(|(value, _)| (self.one_hot_name(value), DataType::UInt8)));
            }
        }
    }
}

/// The float that a number becomes.
fn float_of(dtype: &DataType) -> DataType {
    if *dtype == DataType::Float32 { DataType::Float32 } else { DataType::Float64 }
}

fn as_float(column: &Column) -> Result<Column, Error> {
    if !column.dtype().is_primitive_numeric() && !column.dtype().is_bool() {
        return Err(changed(column, "numbers"));
    }
    Ok(column.cast(&float_of(column.dtype()))?)
}

fn standardised(column: &Column, mean: f64, std: f64) -> Result<Column, Error> {
    let target = as_float(column)?.dtype().clone();
    let scale = if std > 0.0 { std } else { 1.0 };
    let wide = column.cast(&DataType::Float64)?;
    let scaled = wide.f64()?.apply_values(|value| (value - mean) / scale).into_column();
    Ok(scaled.cast(&target)?)
}

impl Encoders {
    /// Encodes rows. The frame has the columns in any order, and may have others, which are
    /// left out.
    ///
    /// # Errors
    /// [`ErrorKind::Column`] when a column is missing, or of another type than was fitted, and
    /// [`ErrorKind::Value`] when there are rows, but none to learn from were observed.
    pub fn apply(&self, frame: &DataFrame) -> Result<DataFrame, Error> {
        let learns = |column: &&ColumnEncoder| !matches!(column.encoder, Encoder::None | Encoder::Numeric);
        if self.rows == 0
            && frame.height() > 0
            && let Some(column) = self.columns.iter().find(learns)
        {
            return Err(nothing_to_learn(&column.column, 0));
        }
        let mut columns = Vec::with_capacity(self.columns.len());
        for encoder in &self.columns {
            encoder.apply(named(frame, &encoder.column)?, &mut columns)?;
        }
        Ok(DataFrame::new(frame.height(), columns)?)
    }

    /// The schema of encoded rows, for rows of this schema.
    ///
    /// # Errors
    /// [`ErrorKind::Column`] when a column is missing, or two columns would have one name, as
    /// a one-hot column can with another.
    pub fn schema(&self, schema: &Schema) -> Result<Schema, Error> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for encoder in &self.columns {
            let dtype = schema.get(&encoder.column).ok_or_else(|| {
                Error::new(ErrorKind::Column, format!("the rows have no column {} to encode", encoder.column))
            })?;
            encoder.schema(dtype, &mut columns);
        }
        let count = columns.len();
        let schema: Schema = columns.iter().cloned().collect();
        if schema.len() < count {
            let twice = columns
                .iter()
                .enumerate()
                .find(|(at, column)| columns[..*at].iter().any(|(name, _)| *name == column.0));
            let name = twice.map(|(_, (name, _))| name.as_str()).unwrap_or_default();
            return Err(Error::new(
                ErrorKind::Column,
                format!("two columns of the encoded rows would be called {name}"),
            )
            .with_help("give one of them codes instead of one-hot columns"));
        }
        Ok(schema)
    }

    /// The origin of a column of encoded rows; `None` for a column that was not encoded.
    pub fn made(&self, name: &str) -> Option<EncodedFrom> {
        let from = |encoder: &ColumnEncoder, encoding| EncodedFrom {
            column: encoder.column.clone(),
            encoding,
            vocabulary: None,
            value: None,
            mean: None,
            std: None,
        };
        self.columns.iter().find_map(|column| {
            let is_it = column.column == name;
            match &column.encoder {
                Encoder::None => None,
                Encoder::Numeric => is_it.then(|| from(column, Encoding::Numeric)),
                Encoder::Codes { vocabulary, .. } => {
                    is_it.then(|| EncodedFrom { vocabulary: Some(vocabulary.clone()), ..from(column, Encoding::Codes) })
                }
                Encoder::Standard { mean, std, .. } => is_it.then(|| EncodedFrom {
                    mean: Some(*mean),
                    std: Some(*std),
                    ..from(column, Encoding::Standard)
                }),
                Encoder::OneHot { vocabulary, .. } => {
                    let value = name.strip_prefix(column.column.as_str())?.strip_prefix('=')?;
                    let (_, value) = vocabulary.values().into_iter().find(|(text, _)| text == value)?;
                    Some(EncodedFrom { value: Some(value), ..from(column, Encoding::OneHot) })
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::EncoderPlan;
    use indexmap::IndexMap;
    use polars::prelude::*;

    fn rows() -> DataFrame {
        df!(
            "carrier" => [Some("UA"), Some("B6"), None, Some("UA")],
            "origin" => ["JFK", "EWR", "JFK", "JFK"],
            "delay" => [Some(2_i64), Some(4), None, Some(9)],
            "distance" => [1.5_f32, 2.5, 3.5, 4.5],
            "late" => [Some(true), Some(false), None, Some(true)],
            "id" => ["a", "b", "c", "d"],
        )
        .unwrap()
    }

    fn asked(encodings: &[(&str, Encoding)]) -> IndexMap<String, Encoding> {
        encodings.iter().map(|(name, encoding)| ((*name).to_owned(), *encoding)).collect()
    }

    fn fitted(frame: &DataFrame, encodings: &[(&str, Encoding)], matrix: bool) -> Encoders {
        let plan = EncoderPlan::new(frame.schema(), &asked(encodings), matrix).unwrap();
        let mut fitter = plan.fitter();
        fitter.observe(frame).unwrap();
        fitter.finish().unwrap()
    }

    const ALL: [(&str, Encoding); 5] = [
        ("carrier", Encoding::Codes),
        ("origin", Encoding::OneHot),
        ("delay", Encoding::Standard),
        ("distance", Encoding::Standard),
        ("late", Encoding::Numeric),
    ];

    #[test]
    fn rows_are_encoded_as_the_table_says() {
        let encoders = fitted(&rows(), &ALL, false);
        let new = df!(
            "id" => ["x", "y", "z"],
            "late" => [Some(true), None, Some(false)],
            "distance" => [3.0_f32, f32::NAN, 4.0],
            "delay" => [Some(5_i64), None, Some(8)],
            "origin" => [Some("EWR"), Some("LGA"), None],
            "carrier" => [Some("UA"), Some("XX"), None],
        )
        .unwrap();
        let found = encoders.apply(&new).unwrap();
        let std = (26.0_f64 / 3.0).sqrt();
        let expected = df!(
            "carrier" => [1_i32, -1, -1],
            "origin=EWR" => [1_u8, 0, 0],
            "origin=JFK" => [0_u8, 0, 0],
            "delay" => [Some(0.0), None, Some(3.0 / std)],
            "distance" => [0.0_f32, f32::NAN, (1.0 / 1.25_f64.sqrt()) as f32],
            "late" => [Some(1.0), None, Some(0.0)],
            "id" => ["x", "y", "z"],
        )
        .unwrap();
        assert!(found.equals_missing(&expected), "{found} {expected}");
        assert_eq!(&encoders.schema(new.schema()).unwrap(), found.schema().as_ref());
    }

    #[test]
    fn the_json_is_the_documented_one_and_comes_back() {
        let encoders = fitted(&rows(), &ALL, false);
        let json = serde_json::to_value(&encoders).unwrap();
        let expected = json!({
            "version": 1,
            "rows": 4,
            "columns": [
                {"column": "carrier", "encoding": "codes", "vocabulary": ["B6", "UA"], "nulls": 1},
                {"column": "origin", "encoding": "one_hot", "vocabulary": ["EWR", "JFK"], "nulls": 0},
                {"column": "delay", "encoding": "standard", "mean": 5.0, "std": (26.0_f64 / 3.0).sqrt(), "count": 3,
                 "nulls": 1},
                {"column": "distance", "encoding": "standard", "mean": 3.0, "std": 1.25_f64.sqrt(), "count": 4,
                 "nulls": 0},
                {"column": "late", "encoding": "numeric"},
                {"column": "id", "encoding": "none"},
            ]
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Encoders>(json).unwrap(), encoders);
    }

    #[test]
    fn batches_in_any_order_learn_the_same() {
        let frame = rows();
        let plan = EncoderPlan::new(frame.schema(), &asked(&ALL), false).unwrap();
        let whole = fitted(&frame, &ALL, false);
        let (mut one, mut two) = (plan.fitter(), plan.fitter());
        two.observe(&frame.slice(0, 1)).unwrap();
        one.observe(&frame.slice(3, 1)).unwrap();
        one.observe(&frame.slice(1, 2)).unwrap();
        one.merge(two).unwrap();
        let found = one.finish().unwrap();
        assert_eq!(found.rows, whole.rows);
        for (found, whole) in found.columns.iter().zip(&whole.columns) {
            match (&found.encoder, &whole.encoder) {
                (
                    Encoder::Standard { mean, std, count, nulls },
                    Encoder::Standard { mean: m, std: s, count: c, nulls: n },
                ) => {
                    assert!((mean - m).abs() < 1e-12 && (std - s).abs() < 1e-12);
                    assert_eq!((count, nulls), (c, n));
                }
                (found, whole) => assert_eq!(found, whole),
            }
        }
    }

    #[test]
    fn a_matrix_makes_numbers_of_everything_it_can() {
        let frame = rows();
        let encoders = fitted(&frame, &[("delay", Encoding::Standard)], true);
        let dtypes: Vec<_> = encoders.schema(frame.schema()).unwrap().iter_values().cloned().collect();
        use DataType::{Float32, Float64, Int32};
        assert_eq!(dtypes, [Int32, Int32, Float64, Float32, Float64, Int32]);
        let lists = Schema::from_iter([("l".into(), DataType::List(Box::new(DataType::Int64)))]);
        let error = EncoderPlan::new(&lists, &IndexMap::new(), true).unwrap_err();
        assert_eq!(error.to_string(), "column l of type list[i64] cannot be a part of a matrix");
    }

    #[test]
    fn integers_and_booleans_have_vocabularies_too() {
        let frame = df!("n" => [Some(30_i16), Some(-4), None], "b" => [true, true, false]).unwrap();
        let encoders = fitted(&frame, &[("n", Encoding::OneHot), ("b", Encoding::Codes)], false);
        let expected = df!("n=-4" => [0_u8, 1, 0], "n=30" => [1_u8, 0, 0], "b" => [1_i32, 1, 0]).unwrap();
        assert!(encoders.apply(&frame).unwrap().equals(&expected));
        assert_eq!(encoders.made("n=30").unwrap().value, Some(json!(30)));
        assert_eq!(encoders.made("n=31"), None);
        assert_eq!(encoders.made("b").unwrap().vocabulary, Some(Vocabulary::Integers(vec![0, 1])));
    }

    #[test]
    fn a_constant_is_centred_and_stays_finite() {
        let frame = df!("x" => [7.0, 7.0]).unwrap();
        let found = fitted(&frame, &[("x", Encoding::Standard)], false).apply(&frame).unwrap();
        assert!(found.equals(&df!("x" => [0.0, 0.0]).unwrap()));
    }

    #[test]
    fn what_cannot_be_encoded_is_named() {
        let frame = rows();
        let plan = |encodings: &[(&str, Encoding)]| EncoderPlan::new(frame.schema(), &asked(encodings), false);
        let error = plan(&[("x", Encoding::Codes)]).unwrap_err();
        assert_eq!(error.to_string(), "there is no column x to encode");
        let error = plan(&[("carrier", Encoding::Standard)]).unwrap_err();
        assert_eq!(error.to_string(), "column carrier of type str cannot be encoded as standard");
        assert_eq!(error.help(), Some("standard takes numbers and booleans"));
        let error = plan(&[("distance", Encoding::OneHot)]).unwrap_err();
        assert_eq!(error.to_string(), "column distance of type f32 cannot be encoded as one-hot");

        let mut fitter = plan(&[("id", Encoding::Codes)]).unwrap().with_limits(3, 3).fitter();
        let error = fitter.observe(&frame).unwrap_err();
        assert_eq!(error.to_string(), "column id has more than 3 different values to encode");
        assert_eq!(error.help(), Some("is id an id? leave it out"));

        let nulls = df!("delay" => [None::<i64>, None]).unwrap();
        let planned = EncoderPlan::new(nulls.schema(), &asked(&[("delay", Encoding::Standard)]), false).unwrap();
        let mut fitter = planned.fitter();
        fitter.observe(&nulls).unwrap();
        let error = fitter.finish().unwrap_err();
        assert_eq!(error.to_string(), "column delay has no value in any of 2 training rows to learn from");
        // Without training rows, only nothing can be encoded.
        let unfitted = planned.fitter().finish().unwrap();
        assert_eq!(unfitted.apply(&nulls.head(Some(0))).unwrap().height(), 0);
        let error = unfitted.apply(&nulls).unwrap_err();
        assert_eq!(error.to_string(), "column delay has no value in any of 0 training rows to learn from");

        let encoders = fitted(&frame, &[("carrier", Encoding::Codes)], false);
        let mut changed = frame.clone();
        changed.with_column(Series::new("carrier".into(), [1_i64, 2, 3, 4]).into_column()).unwrap();
        let error = encoders.apply(&changed).unwrap_err();
        assert_eq!(error.to_string(), "column carrier of type i64 was fitted on texts");
    }

    #[test]
    fn two_columns_do_not_get_one_name() {
        let frame = df!("a" => ["b"], "a=b" => [1]).unwrap();
        let error = fitted(&frame, &[("a", Encoding::OneHot)], false).schema(frame.schema()).unwrap_err();
        assert_eq!(error.to_string(), "two columns of the encoded rows would be called a=b");
    }
}
