//! `/invocations` of MLflow's scoring server, with rows as `dataframe_split`. Measured with MLflow 3.17.2:
//! it takes and gives the bare words for numbers that JSON does not have.

use serde_json::Value;

use super::kserve_v1::{member, read_json};
use super::{Product, Wire, rows};
use crate::error::{Error, ErrorKind};
use crate::open_inference::Tensor;
use crate::server::described::Described;
use crate::server::fault::Fault;
use crate::server::json::{NotFinite, Style};
use crate::server::message::{Call, Reply};
use crate::signature::Signature;

const STYLE: Style = Style { not_finite: NotFinite::Words, exact_singles: true, server: "MLflow" };

pub(in crate::server) struct Mlflow;

impl Wire for Mlflow {
    fn live(&self) -> Call {
        Call::get(["ping"])
    }

    /// A server has one model, and answers once that is loaded.
    fn ready(&self) -> Option<Call> {
        None
    }

    fn metadata(&self) -> Option<Call> {
        None
    }

    fn read_metadata(&self, _: &Reply) -> Result<Described, Error> {
        Ok(Described::NOTHING)
    }

    fn request(&self, id: &str, inputs: &[Tensor], signature: &Signature, _: &Product) -> Result<Call, Error> {
        let columns = columns(inputs, signature)?;
        let mut body = br#"{"dataframe_split":{"columns":"#.to_vec();
        body.extend_from_slice(Value::from(columns).to_string().as_bytes());
        body.extend_from_slice(br#","data":["#);
        let rows = inputs.first().and_then(|tensor| tensor.shape().first()).copied().unwrap_or(0);
        for row in 0..rows {
            body.extend_from_slice(if row == 0 { b"[" } else { b",[" });
            let mut is_first = true;
            for tensor in inputs {
                let width: usize = tensor.shape().iter().skip(1).product();
                for place in row * width..(row + 1) * width {
                    if !is_first {
                        body.push(b',');
                    }
                    is_first = false;
                    STYLE.element(&mut body, tensor, place)?;
                }
            }
            body.push(b']');
        }
        body.extend_from_slice(b"]}}");
        Ok(Call::post(["invocations"], id, body))
    }

    fn answer(&self, _: &str, reply: &Reply, rows: usize, signature: &Signature) -> Result<Vec<Tensor>, Fault> {
        let answer = read_json(reply)?;
        rows::read(member(&answer, "predictions", reply)?, rows, signature)
    }
}

/// The names of the data frame's columns: those of the signature for one matrix, else those of the
/// tensors.
fn columns<'a>(inputs: &'a [Tensor], signature: &'a Signature) -> Result<Vec<&'a str>, Error> {
    let width = |tensor: &Tensor| tensor.shape().iter().skip(1).product::<usize>();
    if let [one] = inputs
        && width(one) == signature.columns.len()
    {
        return Ok(signature.columns.iter().map(|column| column.name.as_str()).collect());
    }
    match inputs.iter().find(|tensor| width(tensor) != 1) {
        None => Ok(inputs.iter().map(Tensor::name).collect()),
        Some(wide) => {
            let message = format!(
                "tensor {} has {} values a row, and the signature names {} columns, which MLflow is sent by name",
                wide.name(),
                width(wide),
                signature.columns.len()
            );
            Err(Error::new(ErrorKind::Signature, message))
        }
    }
}
