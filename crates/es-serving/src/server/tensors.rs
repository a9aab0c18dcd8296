//! Tensors by rows, and elements in JSON as tensors of the types that a signature names.

use std::ops::Range;

use base64::Engine as _;
use serde_json::Value;

use super::fault::Fault;
use super::json;
use crate::error::{Error, ErrorKind};
use crate::open_inference::{Datatype, Tensor, TensorData};
use crate::signature::{Signature, TensorSpec};

/// Gives the elements of each variant a name, and makes the same variant of the result.
macro_rules! map_elements {
    ($data:expr, $elements:ident => $result:expr) => {
        match $data {
            TensorData::Bool($elements) => TensorData::Bool($result),
            TensorData::Uint8($elements) => TensorData::Uint8($result),
            TensorData::Uint16($elements) => TensorData::Uint16($result),
            TensorData::Uint32($elements) => TensorData::Uint32($result),
            TensorData::Uint64($elements) => TensorData::Uint64($result),
            TensorData::Int8($elements) => TensorData::Int8($result),
            TensorData::Int16($elements) => TensorData::Int16($result),
            TensorData::Int32($elements) => TensorData::Int32($result),
            TensorData::Int64($elements) => TensorData::Int64($result),
            TensorData::Fp32($elements) => TensorData::Fp32($result),
            TensorData::Fp64($elements) => TensorData::Fp64($result),
            TensorData::Bytes($elements) => TensorData::Bytes($result),
        }
    };
}

/// Checks inputs against a signature, and returns the number of rows.
pub(super) fn check_inputs(inputs: &[Tensor], signature: &Signature) -> Result<usize, Error> {
    let wrong = |message: String| Err(Error::new(ErrorKind::Signature, message));
    if signature.outputs.is_empty() {
        return wrong("the signature names no output, so that no answer can be read".to_owned());
    }
    let Some(first) = inputs.first() else {
        return wrong("no tensor is to be scored".to_owned());
    };
    let rows = first.shape().first().copied().unwrap_or(0);
    for tensor in inputs {
        let Some(found) = tensor.shape().first() else {
            return wrong(format!("tensor {} has no dimension for its rows", tensor.name()));
        };
        if *found != rows {
            let name = first.name();
            return wrong(format!("tensor {name} has {rows} rows, and tensor {} has {found}", tensor.name()));
        }
        let Some(spec) = signature.inputs.iter().find(|spec| spec.name == tensor.name()) else {
            return wrong(format!("the signature has no input {}", tensor.name()));
        };
        let (expected, width) = (spec.width(), width_of(tensor.shape()));
        if expected.is_some_and(|expected| expected != width) || spec.datatype != tensor.data().datatype() {
            return wrong(format!(
                "tensor {} is {} {:?}, and the model takes {} {:?}",
                tensor.name(),
                tensor.data().datatype(),
                tensor.shape(),
                spec.datatype,
                spec.shape
            ));
        }
    }
    match signature.inputs.iter().find(|spec| !inputs.iter().any(|tensor| tensor.name() == spec.name)) {
        Some(missing) => wrong(format!("the input {} of the model is missing", missing.name)),
        None => Ok(rows),
    }
}

fn width_of(shape: &[usize]) -> usize {
    shape.iter().skip(1).product()
}

/// These rows of a tensor.
pub(super) fn slice(tensor: &Tensor, rows: Range<usize>) -> Result<Tensor, Error> {
    let width = width_of(tensor.shape());
    let range = rows.start * width..rows.end * width;
    let data = map_elements!(tensor.data(), elements => elements[range].to_vec());
    let mut shape = tensor.shape().to_vec();
    shape[0] = rows.len();
    Ok(Tensor::new(tensor.name(), shape, data)?.with_parameters(tensor.parameters().clone()))
}

/// The rows of a tensor for which `keep` is true.
pub(super) fn keep(tensor: &Tensor, keep: &[bool]) -> Result<Tensor, Error> {
    let width = width_of(tensor.shape());
    let kept = |place: usize| keep[place / width.max(1)];
    let data = map_elements!(tensor.data(), elements => {
        elements.iter().enumerate().filter(|(place, _)| kept(*place)).map(|(_, element)| element).cloned().collect()
    });
    let mut shape = tensor.shape().to_vec();
    shape[0] = keep.iter().filter(|keep| **keep).count();
    Tensor::new(tensor.name(), shape, data)
}

/// Appends the rows of `more` to a tensor of the same name. Both must have the same width, and numbers of
/// single precision become double where one of them is.
pub(super) fn append(tensor: Tensor, more: Tensor) -> Result<Tensor, Error> {
    let name = tensor.name().to_owned();
    let mut shape = tensor.shape().to_vec();
    if shape[1..] != more.shape()[1..] {
        let message =
            format!("the output {name} has rows of the shape {:?}, and then {:?}", &shape[1..], &more.shape()[1..]);
        return Err(Error::new(ErrorKind::Protocol, message));
    }
    shape[0] += more.shape()[0];
    let (datatype, further) = (tensor.data().datatype(), more.data().datatype());
    macro_rules! join {
        ($($variant:ident),*) => {
            match (tensor.into_data(), more.into_data()) {
                $((TensorData::$variant(mut elements), TensorData::$variant(more)) => {
                    elements.extend(more);
                    Some(TensorData::$variant(elements))
                })*
                (TensorData::Fp32(elements), TensorData::Fp64(more)) => {
                    Some(TensorData::Fp64(elements.into_iter().map(f64::from).chain(more).collect()))
                }
                (TensorData::Fp64(mut elements), TensorData::Fp32(more)) => {
                    elements.extend(more.into_iter().map(f64::from));
                    Some(TensorData::Fp64(elements))
                }
                _ => None,
            }
        };
    }
    let joined = join!(Bool, Uint8, Uint16, Uint32, Uint64, Int8, Int16, Int32, Int64, Fp32, Fp64, Bytes);
    let data = joined.ok_or_else(|| {
        Error::new(ErrorKind::Protocol, format!("the output {name} is {datatype}, and then {further}"))
    })?;
    Tensor::new(name, shape, data)
}

/// The tensor of an output without rows.
pub(super) fn empty(spec: &TensorSpec) -> Result<Tensor, Error> {
    let width = spec.shape.iter().skip(1).map(|length| usize::try_from(*length).unwrap_or(0));
    read(spec.datatype, &[]).map_or_else(
        |_| Err(Error::new(ErrorKind::Tensor, format!("tensor {} has no type", spec.name))),
        |data| Tensor::new(spec.name.clone(), std::iter::once(0).chain(width).collect(), data),
    )
}

/// Makes an output that a server gave fit its signature: as many rows as asked, the width of the
/// signature, and its type. Integers and numbers of single precision are widened where that is exact;
/// double precision is kept where single was expected.
pub(super) fn fit(tensor: Tensor, spec: &TensorSpec, rows: usize) -> Result<Tensor, Fault> {
    let name = &spec.name;
    let found = tensor.shape().first().copied().unwrap_or(0);
    if found != rows || tensor.shape().is_empty() {
        return Err(Fault::rows(format!("the output {name} has {found} rows, expected {rows}")));
    }
    let width = width_of(tensor.shape());
    if rows > 0 && spec.width().is_some_and(|expected| expected != width) {
        let shape = tensor.shape();
        return Err(Fault::model(format!("the output {name} has the shape {shape:?}, expected {:?}", spec.shape)));
    }
    let mut shape = tensor.shape().to_vec();
    match (spec.shape.len(), shape.len()) {
        (1, _) if width == 1 => shape.truncate(1),
        (2, 1) => shape.push(1),
        _ => {}
    }
    let datatype = tensor.data().datatype();
    let data = widen(tensor.into_data(), spec.datatype)
        .ok_or_else(|| Fault::model(format!("the output {name} is {datatype}, expected {}", spec.datatype)))?;
    Tensor::new(name.clone(), shape, data).map_err(|error| Fault::rows(error.to_string()))
}

fn widen(data: TensorData, expected: Datatype) -> Option<TensorData> {
    if data.datatype() == expected {
        return Some(data);
    }
    match (data, expected) {
        (TensorData::Fp32(elements), Datatype::Fp64) => {
            Some(TensorData::Fp64(elements.into_iter().map(f64::from).collect()))
        }
        (TensorData::Fp64(elements), Datatype::Fp32) => Some(TensorData::Fp64(elements)),
        (data, _) => {
            let whole = |elements: &mut dyn Iterator<Item = i128>| integers(elements, expected);
            match data {
                TensorData::Uint8(elements) => whole(&mut elements.into_iter().map(i128::from)),
                TensorData::Uint16(elements) => whole(&mut elements.into_iter().map(i128::from)),
                TensorData::Uint32(elements) => whole(&mut elements.into_iter().map(i128::from)),
                TensorData::Uint64(elements) => whole(&mut elements.into_iter().map(i128::from)),
                TensorData::Int8(elements) => whole(&mut elements.into_iter().map(i128::from)),
                TensorData::Int16(elements) => whole(&mut elements.into_iter().map(i128::from)),
                TensorData::Int32(elements) => whole(&mut elements.into_iter().map(i128::from)),
                TensorData::Int64(elements) => whole(&mut elements.into_iter().map(i128::from)),
                _ => None,
            }
        }
    }
}

/// Whole numbers as elements of an integer type; none if one does not fit, or the type is none.
fn integers(elements: &mut dyn Iterator<Item = i128>, datatype: Datatype) -> Option<TensorData> {
    fn all<T: TryFrom<i128>>(elements: &mut dyn Iterator<Item = i128>) -> Option<Vec<T>> {
        elements.map(|element| T::try_from(element).ok()).collect()
    }
    Some(match datatype {
        Datatype::Uint8 => TensorData::Uint8(all(elements)?),
        Datatype::Uint16 => TensorData::Uint16(all(elements)?),
        Datatype::Uint32 => TensorData::Uint32(all(elements)?),
        Datatype::Uint64 => TensorData::Uint64(all(elements)?),
        Datatype::Int8 => TensorData::Int8(all(elements)?),
        Datatype::Int16 => TensorData::Int16(all(elements)?),
        Datatype::Int32 => TensorData::Int32(all(elements)?),
        Datatype::Int64 => TensorData::Int64(all(elements)?),
        Datatype::Bool | Datatype::Fp32 | Datatype::Fp64 | Datatype::Bytes => return None,
    })
}

/// Reads flat elements in JSON as those of a type. Numbers of single precision are read as double where
/// one of them has more digits.
pub(super) fn read(datatype: Datatype, elements: &[&Value]) -> Result<TensorData, String> {
    fn all<T>(datatype: Datatype, elements: &[&Value], read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, String> {
        let one = |(place, element): (usize, &&Value)| {
            read(element).ok_or_else(|| format!("element {place} is {}, expected {datatype}", json::shown(element)))
        };
        elements.iter().enumerate().map(one).collect()
    }
    match datatype {
        Datatype::Bool => Ok(TensorData::Bool(all(datatype, elements, Value::as_bool)?)),
        Datatype::Bytes => Ok(TensorData::Bytes(all(datatype, elements, string)?)),
        Datatype::Fp64 => Ok(TensorData::Fp64(all(datatype, elements, json::float)?)),
        Datatype::Fp32 => {
            let doubles = all(datatype, elements, json::float)?;
            Ok(match doubles.iter().map(|number| single(*number)).collect() {
                Some(singles) => TensorData::Fp32(singles),
                None => TensorData::Fp64(doubles),
            })
        }
        _ => {
            let whole = all(datatype, elements, integer)?;
            integers(&mut whole.iter().copied(), datatype).ok_or_else(|| {
                let place = whole.iter().position(|one| integers(&mut std::iter::once(*one), datatype).is_none());
                let place = place.unwrap_or_default();
                format!("element {place} is {}, expected {datatype}", whole[place])
            })
        }
    }
}

/// A number that was single precision before it was written: with all digits, or with the fewest.
fn single(number: f64) -> Option<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "compared below")]
    let single = number as f32;
    let same = !number.is_finite()
        || f64::from(single) == number
        || (single.is_finite() && single.to_string().parse() == Ok(number));
    same.then_some(single)
}

fn integer(element: &Value) -> Option<i128> {
    let number = element.as_number()?;
    if let Some(number) = number.as_i128() {
        return Some(number);
    }
    // Servers in Python write whole labels of a column of floats as 1.0.
    let number = number.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and small enough to be exact")]
    let whole = (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i128);
    whole
}

/// A text, also one in base64 as TensorFlow Serving writes it.
fn string(element: &Value) -> Option<String> {
    match element {
        Value::String(text) => Some(text.clone()),
        Value::Object(members) if members.len() == 1 => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(members.get("b64")?.as_str()?).ok()?;
            String::from_utf8(bytes).ok()
        }
        _ => None,
    }
}

/// Reads the rows of an output, each an element or nested lists of one shape.
pub(super) fn from_rows(spec: &TensorSpec, rows: &[&Value]) -> Result<Tensor, Fault> {
    let mut flat = Vec::new();
    let mut shape: Option<Vec<usize>> = None;
    for (number, row) in rows.iter().enumerate() {
        let mut nesting = Nesting::default();
        flatten(row, 0, &mut nesting, &mut flat).map_err(|()| {
            Fault::rows(format!("row {number} of the output {} has lists of different lengths", spec.name))
        })?;
        let found = nesting.lengths;
        match &shape {
            Some(shape) if *shape != found => {
                let message =
                    format!("row {number} of the output {} has the shape {found:?}, expected {shape:?}", spec.name);
                return Err(Fault::rows(message));
            }
            Some(_) => {}
            None => shape = Some(found),
        }
    }
    let data = read(spec.datatype, &flat).map_err(|why| Fault::rows(format!("the output {}: {why}", spec.name)))?;
    let shape = std::iter::once(rows.len()).chain(shape.unwrap_or_default()).collect();
    let tensor = Tensor::new(spec.name.clone(), shape, data).map_err(|error| Fault::rows(error.to_string()))?;
    fit(tensor, spec, rows.len())
}

/// The shape of nested lists, as far as it is known.
#[derive(Default)]
struct Nesting {
    lengths: Vec<usize>,
    /// The depth of the elements.
    elements: Option<usize>,
}

/// Collects the elements of nested lists, which must have one length at every depth.
fn flatten<'a>(value: &'a Value, depth: usize, found: &mut Nesting, flat: &mut Vec<&'a Value>) -> Result<(), ()> {
    let Value::Array(elements) = value else {
        flat.push(value);
        return if *found.elements.get_or_insert(depth) == depth { Ok(()) } else { Err(()) };
    };
    match found.lengths.get(depth) {
        _ if found.elements.is_some_and(|elements| elements <= depth) => return Err(()),
        None => found.lengths.push(elements.len()),
        Some(length) if *length == elements.len() => {}
        Some(_) => return Err(()),
    }
    elements.iter().try_for_each(|element| flatten(element, depth + 1, found, flat))
}

/// The rows of which an output has a number that is not finite, with the reason.
pub(super) fn not_finite(tensors: &[Tensor]) -> Vec<(usize, String)> {
    let mut rows: Vec<(usize, String)> = Vec::new();
    for tensor in tensors {
        let width = width_of(tensor.shape()).max(1);
        let mut note = |place: usize, number: f64| {
            if !number.is_finite() {
                let word = if number.is_nan() { "NaN or null" } else { "infinite" };
                rows.push((place / width, format!("the output {} is {word}, expected a number", tensor.name())));
            }
        };
        match tensor.data() {
            TensorData::Fp32(elements) => {
                elements.iter().enumerate().for_each(|(place, one)| note(place, (*one).into()))
            }
            TensorData::Fp64(elements) => elements.iter().enumerate().for_each(|(place, one)| note(place, *one)),
            _ => {}
        }
    }
    rows.sort_by_key(|(row, _)| *row);
    rows.dedup_by_key(|(row, _)| *row);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn spec(datatype: Datatype, shape: &[i64]) -> TensorSpec {
        TensorSpec { name: "t".to_owned(), datatype, shape: shape.to_vec() }
    }

    #[test]
    fn rows_in_json_are_read_in_the_type_of_the_signature_or_refused() {
        use Datatype::{Bool, Bytes, Fp32, Fp64, Int64, Uint8};
        let rows = |fault: &str| Err(Fault::rows(fault));
        let table = [
            (spec(Fp64, &[-1]), json!([1, 2.5]), Ok((vec![2], TensorData::Fp64(vec![1.0, 2.5])))),
            (spec(Fp64, &[-1]), json!([[1], [2.5]]), Ok((vec![2], TensorData::Fp64(vec![1.0, 2.5])))),
            (spec(Fp64, &[-1, 1]), json!([1, 2.5]), Ok((vec![2, 1], TensorData::Fp64(vec![1.0, 2.5])))),
            (spec(Fp32, &[-1]), json!([0.1, 0.5]), Ok((vec![2], TensorData::Fp32(vec![0.1, 0.5])))),
            (spec(Fp32, &[-1]), json!([0.10000000149011612]), Ok((vec![1], TensorData::Fp32(vec![0.1])))),
            (spec(Fp32, &[-1]), json!([0.1234567890123]), Ok((vec![1], TensorData::Fp64(vec![0.1234567890123])))),
            (spec(Int64, &[-1, 2]), json!([[1, 2.0], [3, -4]]), Ok((vec![2, 2], TensorData::Int64(vec![1, 2, 3, -4])))),
            (
                spec(Bytes, &[-1]),
                json!(["a", {"b64": "Yg=="}]),
                Ok((vec![2], TensorData::Bytes(vec!["a".into(), "b".into()]))),
            ),
            (spec(Bool, &[-1]), json!([1]), rows("the output t: element 0 is 1, expected BOOL")),
            (spec(Uint8, &[-1]), json!([1, 256]), rows("the output t: element 1 is 256, expected UINT8")),
            (spec(Int64, &[-1]), json!([1.5]), rows("the output t: element 0 is 1.5, expected INT64")),
            (spec(Int64, &[-1]), json!([null]), rows("the output t: element 0 is null, expected INT64")),
            (spec(Fp64, &[-1]), json!(["1"]), rows("the output t: element 0 is \"1\", expected FP64")),
            (spec(Fp64, &[-1, 2]), json!([[1, 2], [3]]), rows("row 1 of the output t has the shape [1], expected [2]")),
            (spec(Fp64, &[-1, 2]), json!([[[1], 2]]), rows("row 0 of the output t has lists of different lengths")),
            (spec(Fp64, &[-1, 2]), json!([[1, [2]]]), rows("row 0 of the output t has lists of different lengths")),
            (
                spec(Fp64, &[-1, 2]),
                json!([[1, 2, 3]]),
                Err(Fault::model("the output t has the shape [1, 3], expected [-1, 2]")),
            ),
        ];
        for (spec, list, expected) in table {
            let list: Vec<&Value> = list.as_array().unwrap().iter().collect();
            let found = from_rows(&spec, &list).map(|tensor| (tensor.shape().to_vec(), tensor.into_data()));
            assert_eq!(found, expected, "{list:?}");
        }
    }

    #[test]
    fn outputs_of_other_types_are_widened_or_refused() {
        let table = [
            (TensorData::Int32(vec![1, -2]), Datatype::Int64, Some(TensorData::Int64(vec![1, -2]))),
            (TensorData::Fp32(vec![0.5, 1.0]), Datatype::Fp64, Some(TensorData::Fp64(vec![0.5, 1.0]))),
            (TensorData::Fp64(vec![0.1, 1.0]), Datatype::Fp32, Some(TensorData::Fp64(vec![0.1, 1.0]))),
            (TensorData::Int64(vec![1, 300]), Datatype::Uint8, None),
            (TensorData::Int64(vec![1, 2]), Datatype::Fp64, None),
            (TensorData::Bytes(vec!["1".into(), "2".into()]), Datatype::Int64, None),
        ];
        for (data, expected, result) in table {
            let found = fit(Tensor::new("t", vec![2], data).unwrap(), &spec(expected, &[-1]), 2);
            assert_eq!(found.ok().map(Tensor::into_data), result);
        }
    }

    #[test]
    fn inputs_that_do_not_fit_the_signature_are_named() {
        let signature = Signature {
            inputs: vec![spec(Datatype::Fp64, &[-1, 2])],
            outputs: vec![spec(Datatype::Fp64, &[-1])],
            ..Signature::default()
        };
        let tensor = |name: &str, shape: &[usize]| {
            Tensor::new(name, shape.to_vec(), TensorData::Fp64(vec![0.0; shape.iter().product()])).unwrap()
        };
        let table = [
            (vec![tensor("t", &[3, 2])], Ok(3)),
            (vec![tensor("t", &[3, 1])], Err("tensor t is FP64 [3, 1], and the model takes FP64 [-1, 2]")),
            (vec![tensor("u", &[3, 2])], Err("the signature has no input u")),
            (vec![tensor("t", &[3, 2]), tensor("u", &[2])], Err("tensor t has 3 rows, and tensor u has 2")),
            (vec![tensor("t", &[])], Err("tensor t has no dimension for its rows")),
            (vec![], Err("no tensor is to be scored")),
        ];
        for (inputs, expected) in table {
            assert_eq!(
                check_inputs(&inputs, &signature).map_err(|error| error.to_string()),
                expected.map_err(str::to_owned)
            );
        }
    }

    proptest! {
        #[test]
        fn slices_appended_are_the_tensor(rows in 1..9_usize, width in 1..4_usize, cut in 0..9_usize) {
            let cut = cut.min(rows);
            let data = TensorData::Int64((0..).take(rows * width).collect());
            let tensor = Tensor::new("t", vec![rows, width], data).unwrap();
            let joined = append(slice(&tensor, 0..cut).unwrap(), slice(&tensor, cut..rows).unwrap()).unwrap();
            prop_assert_eq!(&joined, &tensor);
            let first: Vec<bool> = (0..rows).map(|row| row < cut).collect();
            prop_assert_eq!(keep(&tensor, &first).unwrap(), slice(&tensor, 0..cut).unwrap());
        }
    }
}
