//! The inputs and outputs that a server declares for a model, and their comparison with a signature.

use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::open_inference::Datatype;
use crate::signature::{Signature, TensorSpec};

/// The description that a server gives of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The tensors that the model takes.
    pub inputs: Declared,
    /// The tensors that the model gives.
    pub outputs: Declared,
}

/// The tensors of a model, if the server says which they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declared {
    /// The server names them, with types and shapes.
    Tensors(Vec<TensorSpec>),
    /// The server, or its protocol, says nothing about them.
    NotDeclared,
}

impl Described {
    /// A model of which the server says nothing.
    pub(super) const NOTHING: Self = Self { inputs: Declared::NotDeclared, outputs: Declared::NotDeclared };

    /// Compares the description with a signature. A signature that is not declared fits.
    ///
    /// # Errors
    /// [`ErrorKind::Signature`] naming the tensor, with what was expected and what the server has.
    pub fn check(&self, signature: &Signature) -> Result<(), Error> {
        if let Declared::Tensors(declared) = &self.inputs {
            for expected in &signature.inputs {
                compare("input", expected, declared)?;
            }
            let unknown = declared.iter().find(|one| !signature.inputs.iter().any(|other| other.name == one.name));
            if let Some(unknown) = unknown {
                let message = format!("the server's model takes the input {} too: {}", unknown.name, shape_of(unknown));
                return Err(Error::new(ErrorKind::Signature, message)
                    .with_help(format!("the inputs of the signature are {}", names(&signature.inputs))));
            }
        }
        if let Declared::Tensors(declared) = &self.outputs {
            for expected in &signature.outputs {
                compare("output", expected, declared)?;
            }
        }
        Ok(())
    }
}

fn compare(role: &str, expected: &TensorSpec, declared: &[TensorSpec]) -> Result<(), Error> {
    let Some(found) = declared.iter().find(|one| one.name == expected.name) else {
        let message = format!("the server's model has no {role} {}, expected {}", expected.name, shape_of(expected));
        return Err(Error::new(ErrorKind::Signature, message).with_help(format!("its {role}s are {}", names(declared))));
    };
    if found.datatype != expected.datatype || !shapes_fit(&expected.shape, &found.shape) {
        let message = format!(
            "the {role} {} of the server's model is {}, expected {}",
            expected.name,
            shape_of(found),
            shape_of(expected)
        );
        return Err(Error::new(ErrorKind::Signature, message)
            .with_help("register the model with the signature that the server has, or serve the registered version"));
    }
    Ok(())
}

/// A dimension of -1 is free. One value a row is `[n]` or `[n, 1]`: servers differ.
fn shapes_fit(expected: &[i64], found: &[i64]) -> bool {
    // A shape of unknown rank.
    if found.is_empty() {
        return true;
    }
    let rows_fit = match (expected.first(), found.first()) {
        (Some(expected), Some(found)) => *found == -1 || found == expected,
        (expected, found) => expected == found,
    };
    let single = |shape: &[i64]| shape.iter().skip(1).all(|length| *length == 1);
    if rows_fit && single(expected) && single(found) {
        return true;
    }
    rows_fit
        && expected.len() == found.len()
        && expected.iter().zip(found).skip(1).all(|(one, other)| one == other || *one == -1 || *other == -1)
}

fn shape_of(tensor: &TensorSpec) -> String {
    format!("{} {:?}", tensor.datatype, tensor.shape)
}

fn names(tensors: &[TensorSpec]) -> String {
    let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    names.join(", ")
}

/// Reads the tensors of a description in JSON: a list of objects with `name`, `datatype` and `shape`.
/// An empty list says nothing.
pub(super) fn read_tensors(list: Option<&Value>) -> Result<Declared, String> {
    let list = match list {
        None | Some(Value::Null) => return Ok(Declared::NotDeclared),
        Some(Value::Array(list)) if list.is_empty() => return Ok(Declared::NotDeclared),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(format!("{other} is no list of tensors")),
    };
    let read = |one: &Value| {
        let name = one["name"].as_str().ok_or_else(|| format!("{one} has no name"))?;
        let datatype = one["datatype"].as_str().unwrap_or_default();
        let shape = one["shape"].as_array().ok_or_else(|| format!("tensor {name} has no shape"))?;
        Ok(TensorSpec {
            name: name.to_owned(),
            datatype: read_datatype(name, datatype)?,
            shape: shape.iter().map(|length| length.as_i64().unwrap_or(-1)).collect(),
        })
    };
    Ok(Declared::Tensors(list.iter().map(read).collect::<Result<_, String>>()?))
}

pub(super) fn read_datatype(tensor: &str, datatype: &str) -> Result<Datatype, String> {
    serde_json::from_value(Value::from(datatype))
        .map_err(|_| format!("tensor {tensor} has the type {datatype}, which has no form here"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(name: &str, datatype: Datatype, shape: &[i64]) -> TensorSpec {
        TensorSpec { name: name.to_owned(), datatype, shape: shape.to_vec() }
    }

    #[test]
    fn a_description_that_does_not_fit_names_the_tensor_and_both_sides() {
        use Datatype::{Fp32, Fp64};
        let signature = Signature {
            columns: Vec::new(),
            inputs: vec![spec("rows", Fp64, &[-1, 3])],
            outputs: vec![spec("score", Fp64, &[-1])],
        };
        let table = [
            (vec![spec("rows", Fp64, &[-1, 3])], vec![spec("score", Fp64, &[-1, 1])], None),
            (vec![spec("rows", Fp64, &[-1, -1])], vec![spec("score", Fp64, &[-1]), spec("more", Fp32, &[-1])], None),
            (
                vec![spec("rows", Fp32, &[-1, 3])],
                vec![],
                Some("the input rows of the server's model is FP32 [-1, 3], expected FP64 [-1, 3]"),
            ),
            (
                vec![spec("rows", Fp64, &[-1, 4])],
                vec![],
                Some("the input rows of the server's model is FP64 [-1, 4], expected FP64 [-1, 3]"),
            ),
            (
                vec![spec("rows", Fp64, &[1, 3])],
                vec![],
                Some("the input rows of the server's model is FP64 [1, 3], expected FP64 [-1, 3]"),
            ),
            (
                vec![spec("x", Fp64, &[-1, 3])],
                vec![],
                Some("the server's model has no input rows, expected FP64 [-1, 3]"),
            ),
            (
                vec![spec("rows", Fp64, &[-1, 3]), spec("x", Fp64, &[-1])],
                vec![],
                Some("the server's model takes the input x too: FP64 [-1]"),
            ),
            (
                vec![spec("rows", Fp64, &[-1, 3])],
                vec![spec("p", Fp64, &[-1])],
                Some("the server's model has no output score, expected FP64 [-1]"),
            ),
            (
                vec![spec("rows", Fp64, &[-1, 3])],
                vec![spec("score", Fp64, &[-1, 2])],
                Some("the output score of the server's model is FP64 [-1, 2], expected FP64 [-1]"),
            ),
        ];
        for (inputs, outputs, expected) in table {
            let outputs = if outputs.is_empty() { Declared::NotDeclared } else { Declared::Tensors(outputs) };
            let described = Described { inputs: Declared::Tensors(inputs), outputs };
            let found = described.check(&signature).map_err(|error| error.to_string());
            assert_eq!(found.err().as_deref(), expected, "{described:?}");
        }
        Described::NOTHING.check(&signature).unwrap();
    }

    #[test]
    fn descriptions_are_read_and_unknown_types_named() {
        let list = json!([{"name": "rows", "datatype": "FP64", "shape": [-1, 3]}]);
        assert_eq!(read_tensors(Some(&list)).unwrap(), Declared::Tensors(vec![spec("rows", Datatype::Fp64, &[-1, 3])]));
        for nothing in [None, Some(json!([])), Some(json!(null))] {
            assert_eq!(read_tensors(nothing.as_ref()).unwrap(), Declared::NotDeclared);
        }
        let half = json!([{"name": "rows", "datatype": "FP16", "shape": [-1, 3]}]);
        assert_eq!(read_tensors(Some(&half)).unwrap_err(), "tensor rows has the type FP16, which has no form here");
    }
}
