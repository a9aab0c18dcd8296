//! The protocol of KServe, version 1: rows under `instances`, answered under `predictions`. Measured with
//! KServe 0.21.0: `null` is NaN for models that make an array of numbers of it, and bare words are
//! refused.

use serde_json::Value;

use super::{Product, Wire, rows};
use crate::error::Error;
use crate::open_inference::Tensor;
use crate::server::described::Described;
use crate::server::fault::Fault;
use crate::server::json::{NotFinite, Style, parse};
use crate::server::message::{Call, Reply};
use crate::signature::Signature;

const STYLE: Style = Style { not_finite: NotFinite::Null, exact_singles: true, server: "KServe (version 1)" };

pub(in crate::server) struct KserveV1 {
    model: String,
    action: String,
}

impl KserveV1 {
    pub(in crate::server) fn new(model: String) -> Self {
        let action = format!("{model}:predict");
        Self { model, action }
    }
}

impl Wire for KserveV1 {
    fn live(&self) -> Call {
        Call::get([])
    }

    fn ready(&self) -> Option<Call> {
        Some(Call::get(["v1", "models", &self.model]))
    }

    /// The model's state, which servers write as a boolean or as text.
    fn not_ready(&self, reply: &Reply) -> Option<String> {
        let answer: Value = serde_json::from_slice(&reply.body).ok()?;
        let ready = answer.get("ready")?;
        let is_ready =
            ready.as_bool().unwrap_or_else(|| ready.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")));
        (!is_ready).then(|| format!("it says `\"ready\": {ready}`"))
    }

    fn metadata(&self) -> Option<Call> {
        None
    }

    fn read_metadata(&self, _: &Reply) -> Result<Described, Error> {
        Ok(Described::NOTHING)
    }

    fn request(&self, id: &str, inputs: &[Tensor], _: &Signature, _: &Product) -> Result<Call, Error> {
        let mut body = br#"{"instances":"#.to_vec();
        rows::write(&mut body, inputs, STYLE)?;
        body.push(b'}');
        Ok(Call::post(["v1", "models", &self.action], id, body))
    }

    fn answer(&self, _: &str, reply: &Reply, rows: usize, signature: &Signature) -> Result<Vec<Tensor>, Fault> {
        let answer = read_json(reply)?;
        rows::read(member(&answer, "predictions", reply)?, rows, signature)
    }
}

pub(super) fn read_json(reply: &Reply) -> Result<Value, Fault> {
    parse(&reply.body).map_err(|why| Fault::rows(format!("the answer is not JSON: {why}: {}", reply.words())))
}

pub(super) fn member<'a>(answer: &'a Value, name: &str, reply: &Reply) -> Result<&'a Value, Fault> {
    answer.get(name).ok_or_else(|| Fault::rows(format!("the answer has no {name}: {}", reply.words())))
}
