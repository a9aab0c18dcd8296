//! Rows in JSON, as TensorFlow Serving, KServe version 1 and TorchServe have them: an input alone is the
//! row itself, several are an object; so are outputs.

use serde_json::Value;

use crate::error::Error;
use crate::open_inference::Tensor;
use crate::server::fault::Fault;
use crate::server::json::{Style, is_element, text};
use crate::server::tensors;
use crate::signature::{Signature, TensorSpec};

/// Writes `[row, row, ...]`.
pub(super) fn write(out: &mut Vec<u8>, inputs: &[Tensor], style: Style) -> Result<(), Error> {
    let rows = inputs.first().and_then(|tensor| tensor.shape().first()).copied().unwrap_or(0);
    out.push(b'[');
    for row in 0..rows {
        if row > 0 {
            out.push(b',');
        }
        if let [one] = inputs {
            style.row(out, one, row)?;
            continue;
        }
        object(out, inputs, |out, tensor| style.row(out, tensor, row))?;
    }
    out.push(b']');
    Ok(())
}

/// Writes `{"name": value, ...}` of tensors.
pub(super) fn object(
    out: &mut Vec<u8>,
    tensors: &[Tensor],
    value: impl Fn(&mut Vec<u8>, &Tensor) -> Result<(), Error>,
) -> Result<(), Error> {
    out.push(b'{');
    for (number, tensor) in tensors.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        text(out, tensor.name());
        out.push(b':');
        value(out, tensor)?;
    }
    out.push(b'}');
    Ok(())
}

/// Reads `[row, row, ...]` as the outputs of a signature.
pub(super) fn read(list: &Value, rows: usize, signature: &Signature) -> Result<Vec<Tensor>, Fault> {
    let Some(list) = list.as_array() else {
        return Err(Fault::rows("the answer has no list of rows"));
    };
    if list.len() != rows {
        return Err(Fault::rows(format!("the answer has {} rows, expected {rows}", list.len())));
    }
    let output = |spec: &TensorSpec| {
        let value = |row| value_of(row, &spec.name, signature.outputs.len() == 1);
        let values: Vec<&Value> = list.iter().map(value).collect::<Result<_, Fault>>()?;
        tensors::from_rows(spec, &values)
    };
    signature.outputs.iter().map(output).collect()
}

/// The value of an output in a row: the row itself where the output is alone, or a member of it.
fn value_of<'a>(row: &'a Value, name: &str, alone: bool) -> Result<&'a Value, Fault> {
    if alone && is_element(row) { Ok(row) } else { row.get(name).ok_or_else(|| missing(name, row)) }
}

/// The fault of an answer without an output.
pub(super) fn missing(name: &str, found: &Value) -> Fault {
    Fault::model(match found {
        Value::Object(members) => {
            let names: Vec<&str> = members.keys().map(String::as_str).collect();
            format!("the answer has no output {name}: it has {}", names.join(", "))
        }
        _ => format!("the answer has no output {name}: its values have no names"),
    })
}
