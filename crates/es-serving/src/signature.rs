//! The signature of a model: the columns of a row that it is given, and the tensors that it takes
//! and gives.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::open_inference::Datatype;

/// The signature of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The columns of a row, in the order in which the model takes them.
    pub columns: Vec<InputColumn>,
    /// The tensors that the model takes.
    pub inputs: Vec<TensorSpec>,
    /// The tensors that the model gives.
    pub outputs: Vec<TensorSpec>,
}

/// A column of a row that a model is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputColumn {
    /// Its name in the rows.
    pub name: String,
    /// The type of the values that the model is given.
    pub datatype: Datatype,
    /// The model takes rows without a value in it.
    #[serde(default)]
    pub nullable: bool,
}

/// The name, type and shape of a tensor, without its elements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its dimensions. The first is that of the rows; -1 stands for one of any length.
    pub shape: Vec<i64>,
}

/// The way from the columns of a row to the tensors of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// All columns are one tensor, a row each.
    Matrix,
    /// A tensor for each column, of the same name.
    Columns,
}

impl TensorSpec {
    /// The number of elements of a row, if the model says it. A tensor without a second dimension has one.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        self.shape.iter().skip(1).try_fold(1_usize, |width, length| width.checked_mul(usize::try_from(*length).ok()?))
    }
}

impl Signature {
    /// Decides how the columns become tensors.
    ///
    /// # Errors
    /// [`ErrorKind::Signature`] when they fit the tensors neither as one matrix nor one by one.
    pub fn layout(&self) -> Result<Layout, Error> {
        if let [one] = self.inputs.as_slice()
            && (self.columns.len() != 1 || self.columns[0].name != one.name)
        {
            return match one.width() {
                Some(width) if width != self.columns.len() => Err(Error::new(
                    ErrorKind::Signature,
                    format!(
                        "the input {} takes {width} values a row, and {} columns are named",
                        one.name,
                        self.columns.len()
                    ),
                )),
                _ => Ok(Layout::Matrix),
            };
        }
        let tensors: BTreeSet<&str> = self.inputs.iter().map(|tensor| tensor.name.as_str()).collect();
        let columns: BTreeSet<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        if let Some(missing) = tensors.difference(&columns).next() {
            return Err(Error::new(
                ErrorKind::Signature,
                format!("the model's input {missing} is not among the columns"),
            ));
        }
        if let Some(unknown) = columns.difference(&tensors).next() {
            let message = format!("the column {unknown} is not an input of the model");
            let names: Vec<&str> = tensors.into_iter().collect();
            return Err(
                Error::new(ErrorKind::Signature, message).with_help(format!("its inputs are {}", names.join(", ")))
            );
        }
        if let Some(wide) = self.inputs.iter().find(|tensor| tensor.width().is_some_and(|width| width != 1)) {
            let message =
                format!("the input {} takes {} values a row, and not one column", wide.name, wide.width().unwrap_or(0));
            return Err(Error::new(ErrorKind::Signature, message));
        }
        Ok(Layout::Columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of tensors with their shapes.
    type Tensors<'a> = &'a [(&'a str, &'a [i64])];

    fn signature(columns: &[&str], inputs: Tensors<'_>) -> Signature {
        let column = |name: &&str| InputColumn { name: (*name).to_owned(), datatype: Datatype::Fp32, nullable: false };
        let tensor = |(name, shape): &(&str, &[i64])| TensorSpec {
            name: (*name).to_owned(),
            datatype: Datatype::Fp32,
            shape: shape.to_vec(),
        };
        Signature {
            columns: columns.iter().map(column).collect(),
            inputs: inputs.iter().map(tensor).collect(),
            outputs: Vec::new(),
        }
    }

    #[test]
    fn columns_become_one_matrix_or_a_tensor_each() {
        let matrix: &[(&[&str], Tensors<'_>)] =
            &[(&["a", "b"], &[("X", &[-1, 2])]), (&["a", "b"], &[("X", &[-1, -1])]), (&["a"], &[("X", &[-1])])];
        for (columns, inputs) in matrix {
            assert_eq!(signature(columns, inputs).layout().unwrap(), Layout::Matrix, "{columns:?}");
        }
        let each: &[(&[&str], Tensors<'_>)] =
            &[(&["a", "b"], &[("b", &[-1, 1]), ("a", &[-1])]), (&["a"], &[("a", &[-1, 1])])];
        for (columns, inputs) in each {
            assert_eq!(signature(columns, inputs).layout().unwrap(), Layout::Columns, "{columns:?}");
        }
    }

    #[test]
    fn columns_that_fit_no_tensor_are_named() {
        let table: &[(&[&str], Tensors<'_>, &str)] = &[
            (&["a", "b"], &[("X", &[-1, 3])], "the input X takes 3 values a row, and 2 columns are named"),
            (&["a", "b"], &[("a", &[-1, 1]), ("c", &[-1, 1])], "the model's input c is not among the columns"),
            (&["a", "b", "c"], &[("a", &[-1]), ("b", &[-1])], "the column c is not an input of the model"),
            (&["a", "b"], &[("a", &[-1, 2]), ("b", &[-1])], "the input a takes 2 values a row, and not one column"),
        ];
        for (columns, inputs, message) in table {
            let error = signature(columns, inputs).layout().unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Signature, *message));
        }
    }
}
