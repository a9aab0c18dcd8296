//! Texts as vectors: see tests/models/text/make.py for what is compared with.

mod onnx;
mod openai;
mod registered;
mod server;

use std::num::NonZeroU32;
use std::path::PathBuf;

use es_serving::embedding::{EmbedOptions, OnnxEmbedder, Pooling, TextEncoder, TextVector};
use es_serving::onnx::OnnxRuntime;
use es_testing::trained;

/// The tokens that the tiny model takes.
pub(crate) const MOST: u32 = 64;

/// The folder of the tiny model.
pub(crate) fn folder() -> PathBuf {
    trained::folder().join("text")
}

pub(crate) fn runtime() -> Option<OnnxRuntime> {
    let library = es_testing::onnxruntime()?;
    Some(OnnxRuntime::load(Some(&library)).unwrap())
}

/// The texts that have vectors of Python.
pub(crate) fn texts() -> Vec<String> {
    serde_json::from_slice(&std::fs::read(folder().join("texts.json")).unwrap()).unwrap()
}

pub(crate) fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// An encoder of the tiny model that gives its vectors as they are.
pub(crate) fn encoder(pooling: Pooling) -> TextEncoder<()> {
    TextEncoder { normalize: false, ..TextEncoder::new((), pooling, NonZeroU32::new(MOST).unwrap()) }
}

pub(crate) fn tiny<T: Clone>(
    runtime: &OnnxRuntime,
    encoder: &TextEncoder<T>,
    options: EmbedOptions,
) -> Result<OnnxEmbedder, es_serving::Error> {
    let (model, tokenizer) = (folder().join("model.onnx"), folder().join("tokenizer.json"));
    OnnxEmbedder::open(runtime, &model, &tokenizer, encoder, options)
}

/// The reason that a text was rejected.
pub(crate) fn rejected(vector: TextVector<'_>) -> &str {
    match vector {
        TextVector::Rejected(reason) => reason,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn cosine(one: &[f32], other: &[f32]) -> f64 {
    assert_eq!(one.len(), other.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}
