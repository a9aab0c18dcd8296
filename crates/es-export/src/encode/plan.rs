//! The encoding of each column, decided before a row is read.

use std::fmt;
use std::str::FromStr;

use es_values::InvalidValue;
use indexmap::IndexMap;
use polars::prelude::{DataType, Schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fit::Fitter;
use crate::error::{Error, ErrorKind};
use crate::write::named;

/// The encoding of a column's values as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The number or boolean as a float, in which a null is NaN.
    Numeric,
    /// The index of the text, integer or boolean in the vocabulary.
    Codes,
    /// A column of 0 and 1 for each value of the vocabulary.
    OneHot,
    /// Minus the mean, divided by the standard deviation.
    Standard,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Numeric, Self::Codes, Self::OneHot, Self::Standard];

    /// Its name on a command line: `numeric`, `codes`, `one-hot` or `standard`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Codes => "codes",
            Self::OneHot => "one-hot",
            Self::Standard => "standard",
        }
    }

    fn takes(self, dtype: &DataType) -> bool {
        let is_number = dtype.is_primitive_numeric() && !matches!(dtype, DataType::Int128 | DataType::UInt128);
        match self {
            Self::Numeric | Self::Standard => is_number || dtype.is_bool(),
            Self::Codes | Self::OneHot => {
                (is_number && !dtype.is_float()) || matches!(dtype, DataType::String | DataType::Boolean)
            }
        }
    }
}

named!(Encoding, "an encoding");

/// The encodings of the columns of a schema.
#[derive(Clone, Debug)]
pub struct EncoderPlan {
    pub(super) columns: Vec<PlannedColumn>,
    pub(super) most_values: usize,
    pub(super) most_one_hot: usize,
}

#[derive(Clone, Debug)]
pub(super) struct PlannedColumn {
    pub(super) name: String,
    pub(super) dtype: DataType,
    pub(super) encoding: Option<Encoding>,
}

/// The most values of a vocabulary, and the most columns that one column becomes.
const MOST_VALUES: usize = 100_000;
const MOST_ONE_HOT: usize = 1_024;

impl EncoderPlan {
    /// Plans the encodings that were asked for. The other columns stay as they are; for a
    /// `matrix` they become numbers too: booleans and numbers by [`Encoding::Numeric`], texts
    /// by [`Encoding::Codes`], and vectors of numbers stay.
    ///
    /// # Errors
    /// [`ErrorKind::Column`] for a column that is not there, or is not of a type that its
    /// encoding takes.
    pub fn new(schema: &Schema, requested: &IndexMap<String, Encoding>, matrix: bool) -> Result<Self, Error> {
        for (name, encoding) in requested {
            let Some(dtype) = schema.get(name) else {
                return Err(Error::no_column(name, "to encode", schema.iter_names()));
            };
            if !encoding.takes(dtype) {
                return Err(misfit(name, dtype, *encoding));
            }
        }
        let planned = |(name, dtype): (&polars::prelude::PlSmallStr, &DataType)| {
            let asked = requested.get(name.as_str()).copied();
            let encoding = match asked {
                None if matrix => for_matrix(name, dtype)?,
                asked => asked,
            };
            Ok(PlannedColumn { name: name.to_string(), dtype: dtype.clone(), encoding })
        };
        let columns = schema.iter().map(planned).collect::<Result<_, Error>>()?;
        Ok(Self { columns, most_values: MOST_VALUES, most_one_hot: MOST_ONE_HOT })
    }

    /// Changes the most values that a vocabulary may have (default 100,000), and the most
    /// columns that one-hot encoding may make of a column (default 1,024).
    #[must_use]
    pub fn with_limits(self, values: usize, one_hot: usize) -> Self {
        Self { most_values: values, most_one_hot: one_hot, ..self }
    }

    /// Returns `true` if some encoding learns from the training rows. If not, none need be observed.
    pub fn needs_fitting(&self) -> bool {
        self.columns.iter().any(|column| !matches!(column.encoding, None | Some(Encoding::Numeric)))
    }

    /// Begins to observe training rows.
    pub fn fitter(&self) -> Fitter {
        Fitter::new(self.clone())
    }
}

/// The encoding of a column in a matrix for which none was requested.
fn for_matrix(name: &str, dtype: &DataType) -> Result<Option<Encoding>, Error> {
    let is_vector = |dtype: &DataType| matches!(dtype, DataType::Array(inner, _) if Encoding::Numeric.takes(inner));
    match dtype {
        DataType::String => Ok(Some(Encoding::Codes)),
        dtype if Encoding::Numeric.takes(dtype) => Ok(Some(Encoding::Numeric)),
        dtype if is_vector(dtype) => Ok(None),
        _ => Err(Error::new(ErrorKind::Column, format!("column {name} of type {dtype} cannot be a part of a matrix"))
            .with_help("leave it out, or choose parquet, ipc or ndjson")),
    }
}

fn misfit(name: &str, dtype: &DataType, encoding: Encoding) -> Error {
    let takes = match encoding {
        Encoding::Numeric | Encoding::Standard => "numbers and booleans",
        Encoding::Codes | Encoding::OneHot => "texts, integers and booleans",
    };
    let message = format!("column {name} of type {dtype} cannot be encoded as {}", encoding.as_str());
    Error::new(ErrorKind::Column, message).with_help(format!("{} takes {takes}", encoding.as_str()))
}
