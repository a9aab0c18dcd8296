//! JSON as model servers write and read it: numbers that are not finite as `NaN`, `Infinity` and
//! `-Infinity`, which JSON does not have, or as `null`.

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind};
use crate::open_inference::{Tensor, TensorData};

/// The member that marks a number that JSON does not have, in a value that [`parse`] returned. No server
/// has an object where a number is due.
const MARK: &str = "not a JSON number";

/// The way to write a number that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFinite {
    /// NaN as `null`. There is no form for an infinity.
    Null,
    /// All three as bare words.
    Words,
    /// None has a form that the server is known to take.
    Refused,
}

/// The way to write numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) not_finite: NotFinite,
    /// Single precision is written with all digits of the same number in double precision, for servers
    /// that do not know the type.
    pub(crate) exact_singles: bool,
    /// The server, for errors.
    pub(crate) server: &'static str,
}

impl Style {
    /// Writes all elements of a tensor as one flat list.
    pub(crate) fn flat(self, out: &mut Vec<u8>, tensor: &Tensor) -> Result<(), Error> {
        self.list(out, tensor, 0, tensor.data().len(), &[])
    }

    /// Writes the element or the nested lists of one row.
    pub(crate) fn row(self, out: &mut Vec<u8>, tensor: &Tensor, row: usize) -> Result<(), Error> {
        let shape = tensor.shape().get(1..).unwrap_or_default();
        let width: usize = shape.iter().product();
        if shape.is_empty() {
            return self.element(out, tensor, row);
        }
        self.list(out, tensor, row * width, width, &shape[1..])
    }

    /// Writes `length` elements from `first` as a list, of lists of the shape `inner`.
    fn list(
        self,
        out: &mut Vec<u8>,
        tensor: &Tensor,
        first: usize,
        length: usize,
        inner: &[usize],
    ) -> Result<(), Error> {
        let step: usize = inner.iter().product();
        out.push(b'[');
        for (number, place) in (first..first + length).step_by(step.max(1)).enumerate() {
            if number > 0 {
                out.push(b',');
            }
            match inner {
                [] => self.element(out, tensor, place)?,
                [_, further @ ..] => self.list(out, tensor, place, step, further)?,
            }
        }
        out.push(b']');
        Ok(())
    }

    /// Writes one element.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a missing number and [`ErrorKind::Tensor`] for an infinite one that
    /// have no form.
    pub(crate) fn element(self, out: &mut Vec<u8>, tensor: &Tensor, place: usize) -> Result<(), Error> {
        let value = match tensor.data() {
            TensorData::Fp32(elements) if !elements[place].is_finite() => {
                return self.not_finite(out, tensor, place, elements[place].into());
            }
            TensorData::Fp64(elements) if !elements[place].is_finite() => {
                return self.not_finite(out, tensor, place, elements[place]);
            }
            TensorData::Fp32(elements) if self.exact_singles => write(out, &f64::from(elements[place])),
            TensorData::Fp32(elements) => write(out, &elements[place]),
            TensorData::Fp64(elements) => write(out, &elements[place]),
            TensorData::Bool(elements) => write(out, &elements[place]),
            TensorData::Uint8(elements) => write(out, &elements[place]),
            TensorData::Uint16(elements) => write(out, &elements[place]),
            TensorData::Uint32(elements) => write(out, &elements[place]),
            TensorData::Uint64(elements) => write(out, &elements[place]),
            TensorData::Int8(elements) => write(out, &elements[place]),
            TensorData::Int16(elements) => write(out, &elements[place]),
            TensorData::Int32(elements) => write(out, &elements[place]),
            TensorData::Int64(elements) => write(out, &elements[place]),
            TensorData::Bytes(elements) => write(out, &elements[place]),
        };
        value.map_err(|error| Error::new(ErrorKind::Tensor, format!("tensor {}: {error}", tensor.name())))
    }

    fn not_finite(self, out: &mut Vec<u8>, tensor: &Tensor, place: usize, number: f64) -> Result<(), Error> {
        let word: &[u8] = match (self.not_finite, number.is_nan()) {
            (NotFinite::Null, true) => b"null",
            (NotFinite::Words, true) => b"NaN",
            (NotFinite::Words, false) if number > 0.0 => b"Infinity",
            (NotFinite::Words, false) => b"-Infinity",
            (NotFinite::Refused, true) => {
                return Err(self.refusal(ErrorKind::Unsupported, "a missing number (NaN)", tensor, place).with_help(
                    "replace missing numbers or leave out their rows, or say how this server is sent them: \
                     OpenInferenceOptions::missing_numbers and OpenInferenceOptions::binary",
                ));
            }
            (NotFinite::Refused | NotFinite::Null, false) => {
                return Err(self.refusal(ErrorKind::Tensor, "an infinite number", tensor, place));
            }
        };
        out.extend_from_slice(word);
        Ok(())
    }

    fn refusal(self, kind: ErrorKind, number: &str, tensor: &Tensor, place: usize) -> Error {
        let width: usize = tensor.shape().iter().skip(1).product();
        let (value, name, server) = (place % width.max(1), tensor.name(), self.server);
        let message =
            format!("value {value} of a row of tensor {name} is {number}, which {server} is not known to take");
        Error::new(kind, message)
    }
}

fn write(out: &mut Vec<u8>, value: &impl serde::Serialize) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, value)
}

/// Appends a text as a JSON string.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(Value::from(text).to_string().as_bytes());
}

/// Reads JSON in which numbers may be `NaN`, `Infinity` or `-Infinity`.
pub(crate) fn parse(body: &[u8]) -> Result<Value, String> {
    match serde_json::from_slice(body) {
        Ok(value) => Ok(value),
        Err(error) => {
            let marked = mark_words(body).ok_or_else(|| error.to_string())?;
            serde_json::from_slice(&marked).map_err(|error| error.to_string())
        }
    }
}

/// Replaces the bare words by marked objects; none if there is no such word.
fn mark_words(body: &[u8]) -> Option<Vec<u8>> {
    let mut marked = Vec::with_capacity(body.len() + 64);
    let (mut in_string, mut found, mut place) = (false, false, 0);
    while place < body.len() {
        let rest = &body[place..];
        let word =
            ["-Infinity", "Infinity", "NaN"].into_iter().find(|word| !in_string && rest.starts_with(word.as_bytes()));
        if let Some(word) = word {
            found = true;
            marked.extend_from_slice(json!({ MARK: word }).to_string().as_bytes());
            place += word.len();
            continue;
        }
        match rest[0] {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                marked.push(b'\\');
                place += 1;
            }
            _ => {}
        }
        marked.extend(body.get(place));
        place += 1;
    }
    found.then_some(marked)
}

/// The number of an element: `null` and the bare words are numbers that are not finite.
pub(crate) fn float(element: &Value) -> Option<f64> {
    match element {
        Value::Number(number) => number.as_f64(),
        Value::Null => Some(f64::NAN),
        Value::Object(members) => match members.get(MARK)?.as_str()? {
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        },
        _ => None,
    }
}

/// Returns true for a list, and for what [`parse`] or a server uses as an element: not an object, a
/// marked number, or a text in base64.
pub(crate) fn is_element(value: &Value) -> bool {
    value.as_object().is_none_or(|members| members.contains_key(MARK) || members.contains_key("b64"))
}

/// An element for a message: as the server wrote it.
pub(crate) fn shown(element: &Value) -> String {
    match element.get(MARK) {
        Some(word) => word.as_str().unwrap_or_default().to_owned(),
        None => element.to_string().chars().take(100).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(not_finite: NotFinite, exact_singles: bool) -> Style {
        Style { not_finite, exact_singles, server: "the server" }
    }

    #[test]
    fn rows_are_written_as_nested_as_their_shape() {
        let tensor = Tensor::new("t", vec![2, 2, 2], TensorData::Int8((1..9).collect())).unwrap();
        let mut out = Vec::new();
        style(NotFinite::Refused, false).row(&mut out, &tensor, 1).unwrap();
        style(NotFinite::Refused, false).flat(&mut out, &tensor).unwrap();
        let single = Tensor::new("t", vec![2], TensorData::Bytes(vec!["a".into(), "\"b\"".into()])).unwrap();
        style(NotFinite::Refused, false).row(&mut out, &single, 1).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#"[[5,6],[7,8]][1,2,3,4,5,6,7,8]"\"b\"""#);
    }

    #[test]
    fn numbers_that_are_not_finite_are_written_as_the_server_takes_them() {
        let tensor = |number: f64| Tensor::new("t", vec![2], TensorData::Fp64(vec![1.5, number])).unwrap();
        let refused =
            |what: &str| Err(format!("value 0 of a row of tensor t is {what}, which the server is not known to take"));
        let table = [
            (NotFinite::Null, f64::NAN, Ok("[1.5,null]".to_owned())),
            (NotFinite::Words, f64::NAN, Ok("[1.5,NaN]".to_owned())),
            (NotFinite::Words, f64::INFINITY, Ok("[1.5,Infinity]".to_owned())),
            (NotFinite::Words, f64::NEG_INFINITY, Ok("[1.5,-Infinity]".to_owned())),
            (NotFinite::Null, f64::INFINITY, refused("an infinite number")),
            (NotFinite::Refused, f64::NAN, refused("a missing number (NaN)")),
        ];
        for (not_finite, number, expected) in table {
            let mut out = Vec::new();
            let written = style(not_finite, false).flat(&mut out, &tensor(number));
            let found = written.map(|()| String::from_utf8(out).unwrap()).map_err(|error| error.to_string());
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn single_precision_is_exact_for_servers_without_types() {
        let tensor = Tensor::new("t", vec![1], TensorData::Fp32(vec![0.1])).unwrap();
        for (exact, expected) in [(false, "[0.1]"), (true, "[0.10000000149011612]")] {
            let mut out = Vec::new();
            style(NotFinite::Refused, exact).flat(&mut out, &tensor).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn words_outside_of_strings_are_numbers() {
        let body = br#"{"a\"NaN": [1, NaN, -Infinity, Infinity, null, "NaN \\"]}"#;
        let value = parse(body).unwrap();
        let list = value["a\"NaN"].as_array().unwrap();
        let found: Vec<Option<String>> =
            list.iter().map(|element| float(element).map(|number| number.to_string())).collect();
        let numbers = ["1", "NaN", "-inf", "inf", "NaN"].map(|number| Some(number.to_owned()));
        assert_eq!(found[..5], numbers);
        assert_eq!(found[5], None);
        assert_eq!(list[5], "NaN \\");
        assert_eq!([shown(&list[1]), shown(&list[4])], ["NaN", "null"]);
        for broken in ["{", "[NaN", "<html>", "[1e999]"] {
            assert!(parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
