//! The meaning of a model's outputs: which of them is the prediction, which the probabilities.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::open_inference::Datatype;
use crate::signature::{Signature, TensorSpec};

/// The outputs of a model that are read, by their names.
///
/// Without a word, [`Outputs::of`] decides by types and shapes, as the exporters of scikit-learn,
/// XGBoost, LightGBM and PyTorch write them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Outputs {
    /// The label of a classifier or the value of a regressor: one a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// The probabilities of a classifier: a column a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probabilities: Option<String>,
    /// A vector a row, such as an embedding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector: Option<String>,
}

impl Outputs {
    /// The meaning of the outputs of a model: one value or label a row is the prediction; numbers in several
    /// columns are probabilities where there are classes or a label beside them, and a vector otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Signature`] when two outputs could be the same, or none is of use. The help says which
    /// there are.
    pub fn of(signature: &Signature, has_classes: bool) -> Result<Self, Error> {
        let ambiguous = |what: &str, one: &str, other: &str| {
            let message = format!("{one} and {other} could both be the {what} of the model");
            Error::new(ErrorKind::Signature, message)
                .with_help(format!("name the one to take as `{what}` of the outputs"))
        };
        let mut found = Self::default();
        let (single, wide): (Vec<&TensorSpec>, Vec<&TensorSpec>) =
            signature.outputs.iter().partition(|output| output.width() == Some(1));
        let labels: Vec<&&TensorSpec> = single.iter().filter(|output| !is_float(output)).collect();
        let values = if labels.is_empty() { single.iter().collect() } else { labels };
        match values.as_slice() {
            [] => {}
            [one] => found.prediction = Some(one.name.clone()),
            [one, other, ..] => return Err(ambiguous("prediction", &one.name, &other.name)),
        }
        let numbers: Vec<&&TensorSpec> = wide.iter().filter(|output| is_float(output)).collect();
        match numbers.as_slice() {
            [] => {}
            [one] if has_classes || found.prediction.is_some() => found.probabilities = Some(one.name.clone()),
            [one] => found.vector = Some(one.name.clone()),
            [one, other, ..] => return Err(ambiguous("probabilities", &one.name, &other.name)),
        }
        if found == Self::default() {
            let names: Vec<String> =
                signature.outputs.iter().map(|one| format!("{} {}", one.name, one.datatype)).collect();
            let message = format!("no output of the model is a prediction: {}", names.join(", "));
            return Err(Error::new(ErrorKind::Signature, message));
        }
        Ok(found)
    }

    /// Checks that the named outputs are the model's.
    ///
    /// # Errors
    /// [`ErrorKind::Signature`] when one is not, or none is named.
    pub fn check(&self, signature: &Signature) -> Result<(), Error> {
        let names: Vec<&str> = signature.outputs.iter().map(|output| output.name.as_str()).collect();
        let help = format!("its outputs are {}", names.join(", "));
        for name in self.names() {
            if !names.contains(&name) {
                return Err(Error::new(ErrorKind::Signature, format!("the model has no output {name}")).with_help(help));
            }
        }
        match self.names().next() {
            Some(_) => Ok(()),
            None => Err(Error::new(ErrorKind::Signature, "no output of the model is named").with_help(help)),
        }
    }

    /// The names of the outputs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&self.prediction, &self.probabilities, &self.vector].into_iter().flatten().map(String::as_str)
    }
}

fn is_float(output: &TensorSpec) -> bool {
    matches!(output.datatype, Datatype::Fp32 | Datatype::Fp64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(outputs: &[(&str, Datatype, &[i64])]) -> Signature {
        let tensor = |(name, datatype, shape): &(&str, Datatype, &[i64])| TensorSpec {
            name: (*name).to_owned(),
            datatype: *datatype,
            shape: shape.to_vec(),
        };
        Signature { outputs: outputs.iter().map(tensor).collect(), ..Signature::default() }
    }

    fn outputs(prediction: Option<&str>, probabilities: Option<&str>, vector: Option<&str>) -> Outputs {
        let owned = |name: Option<&str>| name.map(str::to_owned);
        Outputs { prediction: owned(prediction), probabilities: owned(probabilities), vector: owned(vector) }
    }

    #[test]
    fn outputs_mean_what_exporters_write() {
        use Datatype::{Bytes, Fp32, Int64};
        let label = ("label", Int64, &[-1_i64][..]);
        let table = [
            (vec![label, ("p", Fp32, &[-1, 2])], false, outputs(Some("label"), Some("p"), None)),
            (vec![("label", Bytes, &[-1]), ("p", Fp32, &[-1, -1])], true, outputs(Some("label"), Some("p"), None)),
            (vec![("variable", Fp32, &[-1, 1])], false, outputs(Some("variable"), None, None)),
            (vec![("variable", Fp32, &[-1])], false, outputs(Some("variable"), None, None)),
            (vec![("output", Fp32, &[-1, 2])], true, outputs(None, Some("output"), None)),
            (vec![("output", Fp32, &[-1, 384])], false, outputs(None, None, Some("output"))),
            // The score of the label beside it is of no use alone.
            (vec![label, ("score", Fp32, &[-1, 1])], false, outputs(Some("label"), None, None)),
        ];
        for (given, has_classes, expected) in table {
            let signature = signature(&given);
            assert_eq!(Outputs::of(&signature, has_classes).unwrap(), expected, "{given:?}");
            expected.check(&signature).unwrap();
        }
    }

    #[test]
    fn outputs_that_could_be_the_same_are_named() {
        use Datatype::{Bool, Fp32, Int64};
        let table = [
            (
                vec![("a", Int64, &[-1_i64][..]), ("b", Int64, &[-1])],
                "a and b could both be the prediction of the model",
            ),
            (
                vec![("a", Fp32, &[-1, 2]), ("b", Fp32, &[-1, 3])],
                "a and b could both be the probabilities of the model",
            ),
            (vec![("a", Bool, &[-1, 2])], "no output of the model is a prediction: a BOOL"),
        ];
        for (given, message) in table {
            assert_eq!(Outputs::of(&signature(&given), false).unwrap_err().to_string(), message);
        }
        let error = outputs(Some("c"), None, None).check(&signature(&[("a", Fp32, &[-1])])).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.help()),
            ("the model has no output c", Some("its outputs are a"))
        );
    }
}
