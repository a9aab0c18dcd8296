//! The messages of `/v1/embeddings`: requests as bytes, and answers as a tensor. Vectors are asked for in
//! base64, as single precision in little-endian order, which is less than half the bytes of numbers in
//! JSON; a list of numbers is read as well. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind};
use crate::open_inference::{Tensor, TensorData};
use crate::server::fault::Fault;
use crate::server::{json, quote};

/// The name of the tensor of an answer.
pub(super) const OUTPUT: &str = "embedding";

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: Vec<std::borrow::Cow<'a, str>>,
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_type: Option<&'a str>,
}

/// The body of a request.
pub(super) fn request(
    model: &str,
    texts: &[&str],
    prefix: &str,
    dimensions: Option<usize>,
    input_type: Option<&str>,
) -> Result<Vec<u8>, Error> {
    let input = texts.iter().map(|text| match prefix {
        "" => (*text).into(),
        prefix => [prefix, text].concat().into(),
    });
    let request = Request { model, input: input.collect(), encoding_format: "base64", dimensions, input_type };
    serde_json::to_vec(&request)
        .map_err(|error| Error::new(ErrorKind::Protocol, "a request cannot be written as JSON").with_source(error))
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    index: Option<usize>,
    #[serde(borrow)]
    embedding: &'a RawValue,
}

/// Reads an answer of success: the vectors of `texts` texts, by their index. A number that JSON does not have
/// is NaN.
pub(super) fn answer(body: &[u8], texts: usize) -> Result<Tensor, Fault> {
    let not_one = |why: String| Fault::rows(format!("the answer is not one of /v1/embeddings: {why}"));
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts];
    match serde_json::from_slice::<Answer<'_>>(body) {
        Ok(answer) => {
            count(answer.data.len(), texts)?;
            for item in answer.data {
                place(&mut vectors, item.index, vector(item.embedding.get())?)?;
            }
        }
        // Numbers that are bare words, such as NaN, or no answer at all.
        Err(error) => {
            let words = || not_one(format!("{error}: {}", quote::words(body)));
            let answer = json::parse(body).map_err(|_| words())?;
            let Some(data) = answer.get("data").and_then(Value::as_array) else { return Err(words()) };
            count(data.len(), texts)?;
            for item in data {
                let index = item.get("index").and_then(Value::as_u64).and_then(|index| usize::try_from(index).ok());
                let Some(numbers) = item.get("embedding").and_then(Value::as_array) else { return Err(words()) };
                let numbers = numbers.iter().map(|number| json::float(number).map(narrow));
                place(&mut vectors, index, numbers.collect::<Option<_>>().ok_or_else(words)?)?;
            }
        }
    }
    let dims = vectors.iter().flatten().map(Vec::len).next().unwrap_or(0);
    let mut data = Vec::with_capacity(texts * dims);
    for (text, vector) in vectors.into_iter().enumerate() {
        // As many vectors as texts, each at a place of its own: none is left.
        let vector = vector.unwrap_or_default();
        if vector.len() != dims || dims == 0 {
            let found = vector.len();
            return Err(Fault::model(format!("the vector {text} has {found} dimensions, and the first has {dims}")));
        }
        data.extend(vector);
    }
    Tensor::new(OUTPUT, vec![texts, dims], TensorData::Fp32(data)).map_err(|error| Fault::model(error.to_string()))
}

fn count(found: usize, expected: usize) -> Result<(), Fault> {
    match found == expected {
        true => Ok(()),
        false => Err(Fault::rows(format!("the answer has {found} vectors, expected {expected}"))),
    }
}

fn place(vectors: &mut [Option<Vec<f32>>], index: Option<usize>, vector: Vec<f32>) -> Result<(), Fault> {
    let texts = vectors.len();
    let Some(index) = index else {
        return Err(Fault::model("a vector of the answer has no index, and could be that of any text"));
    };
    match vectors.get_mut(index) {
        None => Err(Fault::rows(format!("the answer has a vector with the index {index} for {texts} texts"))),
        Some(Some(_)) => Err(Fault::rows(format!("the answer has two vectors with the index {index}"))),
        Some(empty) => {
            *empty = Some(vector);
            Ok(())
        }
    }
}

/// Reads a vector as JSON has it: base64 in a string, or a list of numbers.
fn vector(raw: &str) -> Result<Vec<f32>, Fault> {
    let wrong = |why: &str| Fault::rows(format!("a vector of the answer is {why}"));
    if raw.starts_with('[') {
        let numbers: Vec<Option<f64>> =
            serde_json::from_str(raw).map_err(|error| wrong(&format!("no list of numbers: {error}")))?;
        return Ok(numbers.into_iter().map(|number| number.map_or(f32::NAN, narrow)).collect());
    }
    let text: String = serde_json::from_str(raw).map_err(|_| wrong("neither a list nor base64"))?;
    let bytes = STANDARD.decode(text.as_bytes()).map_err(|error| wrong(&format!("not base64: {error}")))?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(wrong(&format!("{} bytes in base64, and 4 are a number", bytes.len())));
    }
    Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// A number of single precision: the server computes in it, and prints it with more digits.
#[expect(clippy::cast_possible_truncation, reason = "one that is too large becomes infinite, and is refused")]
fn narrow(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn floats(tensor: &Tensor) -> &[f32] {
        let TensorData::Fp32(floats) = tensor.data() else { panic!("{tensor:?}") };
        floats
    }

    #[test]
    fn a_request_has_what_was_asked_for_and_no_more() {
        let body = request("m", &["a \"b\"", "ü"], "", None, None).unwrap();
        let expected = r#"{"model":"m","input":["a \"b\"","ü"],"encoding_format":"base64"}"#;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        let body = request("m", &["a"], "query: ", Some(256), Some("query")).unwrap();
        let expected = json!({
            "model": "m", "input": ["query: a"], "encoding_format": "base64", "dimensions": 256, "input_type": "query"
        });
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }

    #[test]
    fn vectors_are_read_by_their_index_from_base64_and_from_numbers() {
        let base64 = |numbers: [f32; 2]| STANDARD.encode(numbers.map(f32::to_le_bytes).concat());
        let body = json!({"object": "list", "data": [
            {"object": "embedding", "index": 1, "embedding": base64([0.1, -2.0])},
            {"index": 0, "embedding": [0.100000001490116, 1e-3]},
        ], "model": "m", "usage": {"prompt_tokens": 3}});
        let tensor = answer(body.to_string().as_bytes(), 2).unwrap();
        assert_eq!((tensor.shape(), floats(&tensor)), (&[2, 2][..], &[0.1, 1e-3, 0.1, -2.0][..]));
        let words = br#"{"data": [{"index": 0, "embedding": [NaN, 1.5]}, {"index": 1, "embedding": [null, 1e300]}]}"#;
        let tensor = answer(words, 2).unwrap();
        let found = floats(&tensor);
        assert!(found[0].is_nan() && found[2].is_nan() && found[1] == 1.5 && found[3] == f32::INFINITY, "{found:?}");
        let tensor = answer(br#"{"data": [{"index": 0, "embedding": [null, 1.5]}]}"#, 1).unwrap();
        assert!(floats(&tensor)[0].is_nan());
    }

    #[test]
    fn each_wrong_answer_is_named() {
        let rows = |reason: &str| Fault::Rows(reason.to_owned());
        let model = |reason: &str| Fault::Model(reason.to_owned());
        let table = [
            (r#"{"data": [{"index": 0, "embedding": [1]}]}"#, rows("the answer has 1 vectors, expected 2")),
            (
                r#"{"data": [{"index": 0, "embedding": [1]}, {"index": 2, "embedding": [1]}]}"#,
                rows("the answer has a vector with the index 2 for 2 texts"),
            ),
            (
                r#"{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}"#,
                rows("the answer has two vectors with the index 0"),
            ),
            (
                r#"{"data": [{"embedding": [1]}, {"embedding": [1]}]}"#,
                model("a vector of the answer has no index, and could be that of any text"),
            ),
            (
                r#"{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}"#,
                model("the vector 1 has 2 dimensions, and the first has 1"),
            ),
            (
                r#"{"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}]}"#,
                model("the vector 0 has 0 dimensions, and the first has 0"),
            ),
            (
                r#"{"data": [{"index": 0, "embedding": "AAAA"}, {"index": 1, "embedding": [1]}]}"#,
                rows("a vector of the answer is 3 bytes in base64, and 4 are a number"),
            ),
            (
                r#"{"data": [{"index": 0, "embedding": {}}, {"index": 1, "embedding": [1]}]}"#,
                rows("a vector of the answer is neither a list nor base64"),
            ),
        ];
        for (body, expected) in table {
            assert_eq!(answer(body.as_bytes(), 2).unwrap_err(), expected, "{body}");
        }
        for body in ["<html>", "", "{}", "[NaN]", r#"{"data": [NaN]}"#] {
            let Fault::Rows(reason) = answer(body.as_bytes(), 1).unwrap_err() else { panic!("{body}") };
            assert!(reason.starts_with("the answer is not one of /v1/embeddings: "), "{reason}");
        }
    }
}
