//! Tensors: a name, a shape, and data in row-major order that fit it.

use std::fmt;

use schemars::JsonSchema;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::message::Parameters;
use crate::error::{Error, ErrorKind};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Datatype {
    /// true or false
    Bool,
    /// 8 bits, from 0
    Uint8,
    /// 16 bits, from 0
    Uint16,
    /// 32 bits, from 0
    Uint32,
    /// 64 bits, from 0
    Uint64,
    /// 8 bits, signed
    Int8,
    /// 16 bits, signed
    Int16,
    /// 32 bits, signed
    Int32,
    /// 64 bits, signed
    Int64,
    /// Single precision.
    Fp32,
    /// Double precision.
    Fp64,
    /// Strings. In JSON they are Unicode text.
    Bytes,
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The elements of a tensor in row-major order: the last index of the shape runs fastest.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant is the datatype of its name")]
pub enum TensorData {
    Bool(Vec<bool>),
    Uint8(Vec<u8>),
    Uint16(Vec<u16>),
    Uint32(Vec<u32>),
    Uint64(Vec<u64>),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Fp32(Vec<f32>),
    Fp64(Vec<f64>),
    Bytes(Vec<String>),
}

impl TensorData {
    /// The type of the elements.
    pub fn datatype(&self) -> Datatype {
        match self {
            Self::Bool(_) => Datatype::Bool,
            Self::Uint8(_) => Datatype::Uint8,
            Self::Uint16(_) => Datatype::Uint16,
            Self::Uint32(_) => Datatype::Uint32,
            Self::Uint64(_) => Datatype::Uint64,
            Self::Int8(_) => Datatype::Int8,
            Self::Int16(_) => Datatype::Int16,
            Self::Int32(_) => Datatype::Int32,
            Self::Int64(_) => Datatype::Int64,
            Self::Fp32(_) => Datatype::Fp32,
            Self::Fp64(_) => Datatype::Fp64,
            Self::Bytes(_) => Datatype::Bytes,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(elements) => elements.len(),
            Self::Uint8(elements) => elements.len(),
            Self::Uint16(elements) => elements.len(),
            Self::Uint32(elements) => elements.len(),
            Self::Uint64(elements) => elements.len(),
            Self::Int8(elements) => elements.len(),
            Self::Int16(elements) => elements.len(),
            Self::Int32(elements) => elements.len(),
            Self::Int64(elements) => elements.len(),
            Self::Fp32(elements) => elements.len(),
            Self::Fp64(elements) => elements.len(),
            Self::Bytes(elements) => elements.len(),
        }
    }

    /// Returns true when there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index of the first element that is not a finite number.
    fn first_not_finite(&self) -> Option<usize> {
        match self {
            Self::Fp32(elements) => elements.iter().position(|element| !element.is_finite()),
            Self::Fp64(elements) => elements.iter().position(|element| !element.is_finite()),
            _ => None,
        }
    }

    /// Reads elements that came as JSON, already flat.
    fn read(datatype: Datatype, elements: Vec<Value>) -> Result<Self, String> {
        fn all<T: serde::de::DeserializeOwned>(datatype: Datatype, elements: Vec<Value>) -> Result<Vec<T>, String> {
            let read = |(place, element): (usize, Value)| {
                let shown = element.to_string();
                serde_json::from_value(element).map_err(|_| format!("element {place} is {shown}, expected {datatype}"))
            };
            elements.into_iter().enumerate().map(read).collect()
        }
        Ok(match datatype {
            Datatype::Bool => Self::Bool(all(datatype, elements)?),
            Datatype::Uint8 => Self::Uint8(all(datatype, elements)?),
            Datatype::Uint16 => Self::Uint16(all(datatype, elements)?),
            Datatype::Uint32 => Self::Uint32(all(datatype, elements)?),
            Datatype::Uint64 => Self::Uint64(all(datatype, elements)?),
            Datatype::Int8 => Self::Int8(all(datatype, elements)?),
            Datatype::Int16 => Self::Int16(all(datatype, elements)?),
            Datatype::Int32 => Self::Int32(all(datatype, elements)?),
            Datatype::Int64 => Self::Int64(all(datatype, elements)?),
            Datatype::Fp32 => Self::Fp32(all(datatype, elements)?),
            Datatype::Fp64 => Self::Fp64(all(datatype, elements)?),
            Datatype::Bytes => Self::Bytes(all(datatype, elements)?),
        })
    }
}

/// A tensor whose shape and data fit each other.
///
/// A missing number is NaN, which a model in this process takes and JSON does not: the tensor is an error
/// to serialize then.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    name: String,
    shape: Vec<usize>,
    data: TensorData,
    parameters: Parameters,
}

impl Tensor {
    /// A tensor. The shape's product must be the number of elements; a shape without
    /// dimensions is that of a single element.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`] when shape and data do not fit, or without a name.
    ///
    /// ```
    /// use es_serving::open_inference::{Tensor, TensorData};
    /// let error = Tensor::new("rows", vec![2, 3], TensorData::Int64(vec![1, 2, 3])).unwrap_err();
    /// assert_eq!(error.to_string(), "tensor rows has the shape [2, 3], expected 6 elements, found 3");
    /// ```
    pub fn new(name: impl Into<String>, shape: Vec<usize>, data: TensorData) -> Result<Self, Error> {
        let name = name.into();
        let wrong = |why: String| Err(Error::new(ErrorKind::Tensor, format!("tensor {name} {why}")));
        if name.is_empty() {
            return Err(Error::new(ErrorKind::Tensor, "a tensor has no name"));
        }
        let product = shape.iter().try_fold(1_usize, |product, dimension| product.checked_mul(*dimension));
        let Some(expected) = product else {
            return wrong(format!("has the shape {shape:?}, which is larger than memory"));
        };
        if expected != data.len() {
            return wrong(format!("has the shape {shape:?}, expected {expected} elements, found {}", data.len()));
        }
        Ok(Self { name, shape, data, parameters: Parameters::new() })
    }

    /// An error about the first element that JSON cannot carry.
    fn check_finite(&self) -> Result<(), Error> {
        match self.data.first_not_finite() {
            None => Ok(()),
            Some(place) => Err(Error::new(
                ErrorKind::Tensor,
                format!("element {place} of tensor {} is not a finite number, which JSON cannot carry", self.name),
            )
            .with_help("replace missing values by a number, or leave out their rows")),
        }
    }

    /// The same tensor with parameters for the server.
    pub fn with_parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The length of each dimension, the one that runs slowest first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its elements.
    pub fn data(&self) -> &TensorData {
        &self.data
    }

    /// Its elements, taken out.
    pub fn into_data(self) -> TensorData {
        self.data
    }

    /// The parameters outside of the protocol.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Serialize for Tensor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.check_finite().map_err(serde::ser::Error::custom)?;
        let fields = if self.parameters.is_empty() { 4 } else { 5 };
        let mut tensor = serializer.serialize_struct("Tensor", fields)?;
        tensor.serialize_field("name", &self.name)?;
        tensor.serialize_field("shape", &self.shape)?;
        tensor.serialize_field("datatype", &self.data.datatype())?;
        if !self.parameters.is_empty() {
            tensor.serialize_field("parameters", &self.parameters)?;
        }
        tensor.serialize_field("data", &self.data)?;
        tensor.end()
    }
}

#[derive(Deserialize)]
struct Received {
    name: String,
    shape: Vec<usize>,
    datatype: Datatype,
    #[serde(default)]
    parameters: Parameters,
    data: Vec<Value>,
}

impl<'de> Deserialize<'de> for Tensor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let received = Received::deserialize(deserializer)?;
        let wrong = |why: String| D::Error::custom(format!("tensor {}: {why}", received.name));
        let flat = flatten(&received.shape, received.data).map_err(wrong)?;
        let data = TensorData::read(received.datatype, flat).map_err(wrong)?;
        let tensor = Self::new(received.name, received.shape, data).map_err(D::Error::custom)?;
        tensor.check_finite().map_err(D::Error::custom)?;
        Ok(tensor.with_parameters(received.parameters))
    }
}

/// Data may be flat, or nested like the shape; nested data must be as long as the shape at every
/// level, or elements would be in the wrong row.
fn flatten(shape: &[usize], data: Vec<Value>) -> Result<Vec<Value>, String> {
    if shape.len() < 2 || !data.iter().any(Value::is_array) {
        return Ok(data);
    }
    let mut level = data;
    let mut expected = 1_usize;
    for (depth, dimension) in shape.iter().enumerate() {
        expected = expected.saturating_mul(*dimension);
        if level.len() != expected {
            return Err(format!("its data do not have the shape {shape:?}"));
        }
        if depth + 1 < shape.len() {
            let mut next = Vec::new();
            for row in level {
                match row {
                    Value::Array(elements) if elements.len() == shape[depth + 1] => next.extend(elements),
                    _ => return Err(format!("its data do not have the shape {shape:?}")),
                }
            }
            level = next;
        }
    }
    Ok(level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Tensor, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn shape_and_data_must_fit() {
        let ints = |count| TensorData::Int32(vec![7; count]);
        assert!(Tensor::new("t", vec![2, 0, 3], ints(0)).is_ok());
        assert!(Tensor::new("t", vec![], ints(1)).is_ok());
        let table = [
            ("t", vec![2, 3], ints(5), "tensor t has the shape [2, 3], expected 6 elements, found 5"),
            ("t", vec![], ints(0), "tensor t has the shape [], expected 1 elements, found 0"),
            (
                "t",
                vec![usize::MAX, 2],
                ints(1),
                "tensor t has the shape [18446744073709551615, 2], which is larger than memory",
            ),
            ("", vec![1], ints(1), "a tensor has no name"),
        ];
        for (name, shape, data, message) in table {
            assert_eq!(Tensor::new(name, shape, data).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn values_that_are_not_finite_are_refused_both_ways() {
        for data in [TensorData::Fp64(vec![1.0, f64::NAN]), TensorData::Fp32(vec![1.0, f32::INFINITY])] {
            let error = serde_json::to_string(&Tensor::new("t", vec![2], data).unwrap()).unwrap_err();
            assert_eq!(error.to_string(), "element 1 of tensor t is not a finite number, which JSON cannot carry");
        }
        let table = [
            (json!([1.0, null]), "FP32", "tensor t: element 1 is null, expected FP32"),
            (json!([1.0, 1e300]), "FP32", "element 1 of tensor t is not a finite number, which JSON cannot carry"),
            (json!([1.0, "NaN"]), "FP64", "tensor t: element 1 is \"NaN\", expected FP64"),
            (json!([1, 256]), "UINT8", "tensor t: element 1 is 256, expected UINT8"),
            (json!([1, 1.5]), "INT64", "tensor t: element 1 is 1.5, expected INT64"),
            (json!([true, 1]), "BOOL", "tensor t: element 1 is 1, expected BOOL"),
        ];
        for (data, datatype, message) in table {
            let error = read(json!({"name": "t", "shape": [2], "datatype": datatype, "data": data})).unwrap_err();
            assert_eq!(error, message);
        }
        let half = json!({"name": "t", "shape": [1], "datatype": "FP16", "data": [1.0]});
        assert!(read(half).unwrap_err().contains("unknown variant `FP16`"));
    }

    #[test]
    fn nested_data_are_read_in_row_major_order() {
        let nested = |data: Value| read(json!({"name": "t", "shape": [2, 1, 2], "datatype": "INT8", "data": data}));
        assert_eq!(nested(json!([[[1, 2]], [[3, 4]]])).unwrap().data(), &TensorData::Int8(vec![1, 2, 3, 4]));
        assert_eq!(nested(json!([1, 2, 3, 4])).unwrap().data(), &TensorData::Int8(vec![1, 2, 3, 4]));
        for ragged in [json!([[[1, 2, 3]], [[4]]]), json!([[[1, 2]], 3]), json!([[1, 2], [3, 4]]), json!([[[1, 2]]])] {
            assert_eq!(nested(ragged).unwrap_err(), "tensor t: its data do not have the shape [2, 1, 2]");
        }
    }

    fn any_data() -> impl Strategy<Value = TensorData> {
        use prop::collection::vec;
        prop_oneof![
            vec(any::<bool>(), 0..9).prop_map(TensorData::Bool),
            vec(any::<u64>(), 0..9).prop_map(TensorData::Uint64),
            vec(any::<i64>(), 0..9).prop_map(TensorData::Int64),
            vec(any::<i8>(), 0..9).prop_map(TensorData::Int8),
            vec(prop::num::f32::NORMAL, 0..9).prop_map(TensorData::Fp32),
            vec(-1e100..1e100f64, 0..9).prop_map(TensorData::Fp64),
            vec(".{0,4}", 0..9).prop_map(TensorData::Bytes),
        ]
    }

    proptest! {
        #[test]
        fn a_tensor_is_read_as_it_is_written(data in any_data(), level: u8) {
            let parameters = Parameters::from_iter([("level".to_owned(), json!(level))]);
            let tensor = Tensor::new("t", vec![1, data.len()], data).unwrap().with_parameters(parameters);
            let text = serde_json::to_string(&tensor).unwrap();
            prop_assert_eq!(serde_json::from_str::<Tensor>(&text).unwrap(), tensor, "{}", text);
        }
    }
}
