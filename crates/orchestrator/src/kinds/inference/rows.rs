//! From rows to the inputs of a model, and from its outputs to columns. Nothing here waits or reads.

use es_serving::open_inference::{Datatype, Tensor, TensorData};
use es_serving::{InputColumn, Layout, Outputs, Signature};
use polars::prelude::{
    Column, DataFrame, DataType, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    IntoColumn as _, IntoSeries as _, NamedFrom as _, PlSmallStr, PolarsNumericType, PolarsResult, ReshapeDimension,
    Schema, Series, StructChunked, UInt8Type, UInt16Type, UInt32Type, UInt64Type, polars_err,
};

use super::definition::Nulls;

/// The names of the columns that are added to each row.
pub(super) const PREDICTION: &str = "prediction";
pub(super) const PROBABILITY: &str = "probability";
pub(super) const PROBABILITIES: &str = "probabilities";
pub(super) const VECTOR: &str = "vector";

/// The most classes whose probabilities become fields.
const MOST_CLASSES: usize = 100;

/// Why rows do not fit a model: the column, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Misfit {
    fn new(message: String, help: impl Into<Option<&'static str>>) -> Self {
        Self { message, help: help.into().map(str::to_owned) }
    }
}

/// The way of a frame's columns to a model and back.
#[derive(Clone, Debug)]
pub(super) struct RowPlan {
    signature: Signature,
    layout: Layout,
    outputs: Outputs,
    classes: Vec<String>,
    nulls: Option<Nulls>,
}

/// The rows of a frame that a model can be given.
pub(super) struct Given {
    /// Of each row, whether it is given.
    pub(super) is_scored: Vec<bool>,
    /// The rows that are not given, each with the column that lacks a value.
    pub(super) without_value: Vec<(usize, String)>,
}

impl RowPlan {
    /// Decides how the columns of `schema` become the inputs of a model.
    pub(super) fn new(
        signature: Signature,
        outputs: Outputs,
        classes: Vec<String>,
        nulls: Option<Nulls>,
        schema: &Schema,
    ) -> Result<Self, Misfit> {
        let layout = signature
            .layout()
            .map_err(|error| Misfit { message: error.to_string(), help: error.help().map(str::to_owned) })?;
        for column in &signature.columns {
            let Some(dtype) = schema.get(&column.name) else {
                return Err(Misfit::new(
                    format!("the model needs the column `{}`, which the rows do not have", column.name),
                    None,
                ));
            };
            check_type(column, dtype)?;
            if nulls == Some(Nulls::Nan) && !matches!(column.datatype, Datatype::Fp32 | Datatype::Fp64) {
                let message = format!("`{}` is given as {}, which has no NaN", column.name, column.datatype);
                return Err(Misfit::new(message, "choose `reject`, `zero` or `skip_row` for `nulls`"));
            }
        }
        if let Some(name) = &outputs.probabilities {
            let declared =
                signature.outputs.iter().find(|output| output.name == *name).and_then(|output| output.width());
            if classes.len().max(declared.unwrap_or(0)) > MOST_CLASSES {
                let message = format!("the model has more than {MOST_CLASSES} classes, which would be as many fields");
                return Err(Misfit::new(message, "name the output under `outputs.vector` to keep it as a vector"));
            }
        }
        Ok(Self { signature, layout, outputs, classes, nulls })
    }

    /// The signature of the model.
    pub(super) fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The rows that have all values that the model needs.
    pub(super) fn given(&self, frame: &DataFrame) -> PolarsResult<Given> {
        let mut lacking: Vec<Option<&str>> = vec![None; frame.height()];
        if !matches!(self.nulls, Some(Nulls::Nan | Nulls::Zero)) {
            for column in self.signature.columns.iter().filter(|column| !column.nullable) {
                let values = frame.column(&column.name)?;
                if values.null_count() > 0 {
                    let is_null = values.is_null();
                    for (row, _) in is_null.iter().enumerate().filter(|(_, is_null)| *is_null == Some(true)) {
                        lacking[row].get_or_insert(&column.name);
                    }
                }
            }
        }
        let is_scored = lacking.iter().map(Option::is_none).collect();
        let without_value = lacking.iter().enumerate().filter_map(|(row, column)| Some((row, (*column)?.to_owned())));
        Ok(Given { is_scored, without_value: without_value.collect() })
    }

    /// The rows of a frame as the inputs of the model. The frame holds the rows of [`RowPlan::given`] alone.
    pub(super) fn tensors(&self, frame: &DataFrame) -> PolarsResult<Vec<Tensor>> {
        let rows = frame.height();
        let tensor = |name: &str, shape, data| {
            Tensor::new(name, shape, data).map_err(|error| polars_err!(ComputeError: "{error}"))
        };
        match self.layout {
            Layout::Columns => {
                let mut tensors = Vec::with_capacity(self.signature.columns.len());
                for column in &self.signature.columns {
                    let declared = self.signature.inputs.iter().find(|input| input.name == column.name);
                    let shape = match declared.map_or(2, |input| input.shape.len()) {
                        1 => vec![rows],
                        _ => vec![rows, 1],
                    };
                    let values = data(&[frame.column(&column.name)?], column.datatype, self.nulls)?;
                    tensors.push(tensor(&column.name, shape, values)?);
                }
                Ok(tensors)
            }
            Layout::Matrix => {
                let columns = self.signature.columns.iter().map(|column| frame.column(&column.name));
                let columns: Vec<&Column> = columns.collect::<PolarsResult<_>>()?;
                let input = &self.signature.inputs[0];
                let values = data(&columns, input.datatype, self.nulls)?;
                Ok(vec![tensor(&input.name, vec![rows, columns.len()], values)?])
            }
        }
    }

    /// The outputs of the model as columns of as many rows.
    pub(super) fn columns(&self, outputs: Vec<Tensor>) -> Result<Vec<Column>, Misfit> {
        let mut columns = Vec::new();
        let mut outputs = outputs;
        let mut take = |name: &Option<String>| {
            let place = outputs.iter().position(|output| Some(output.name()) == name.as_deref())?;
            Some(outputs.swap_remove(place))
        };
        if let Some(output) = take(&self.outputs.prediction) {
            columns.push(column_of(PREDICTION, output.into_data()));
        }
        if let Some(output) = take(&self.outputs.probabilities) {
            columns.extend(self.probabilities(output)?);
        }
        if let Some(output) = take(&self.outputs.vector) {
            columns.push(vector(output)?);
        }
        Ok(columns)
    }

    /// The probability of each class; of two classes that of the second alone as well, which is a number that
    /// can be watched.
    fn probabilities(&self, output: Tensor) -> Result<Vec<Column>, Misfit> {
        let (rows, width) = (output.shape().first().copied().unwrap_or(0), output.shape().get(1).copied().unwrap_or(1));
        let values = floats(output)?;
        let classes = self.class_names(width);
        let of_class = |class: usize| values.iter().skip(class).step_by(width.max(1)).copied().collect::<Vec<f32>>();
        let fields: Vec<Series> = classes
            .iter()
            .enumerate()
            .map(|(class, name)| Series::new(name.as_str().into(), of_class(class)))
            .collect();
        let all = StructChunked::from_series(PROBABILITIES.into(), rows, fields.iter())
            .map_err(|error| Misfit::new(error.to_string(), None))?;
        let mut columns = Vec::new();
        if width == 2 {
            columns.push(Series::new(PROBABILITY.into(), of_class(1)).into_column());
        }
        columns.push(all.into_series().into_column());
        Ok(columns)
    }

    /// The names of as many classes: their labels where the file tells them, or else their numbers.
    fn class_names(&self, width: usize) -> Vec<String> {
        match self.classes.len() == width {
            true => self.classes.clone(),
            false => (0..width).map(|class| class.to_string()).collect(),
        }
    }

    /// The columns that [`RowPlan::columns`] makes, with their types.
    pub(super) fn added(&self) -> Vec<Field> {
        let output =
            |name: &Option<String>| self.signature.outputs.iter().find(|output| Some(&output.name) == name.as_ref());
        let mut fields = Vec::new();
        if let Some(output) = output(&self.outputs.prediction) {
            fields.push(Field::new(PREDICTION.into(), dtype(output.datatype)));
        }
        if let Some(output) = output(&self.outputs.probabilities) {
            let width = output.width().unwrap_or(self.classes.len());
            if width == 2 {
                fields.push(Field::new(PROBABILITY.into(), DataType::Float32));
            }
            let classes = self.class_names(width).into_iter().map(|class| Field::new(class.into(), DataType::Float32));
            fields.push(Field::new(PROBABILITIES.into(), DataType::Struct(classes.collect())));
        }
        if let Some(output) = output(&self.outputs.vector) {
            let dtype = DataType::Array(Box::new(DataType::Float32), output.width().unwrap_or(0));
            fields.push(Field::new(VECTOR.into(), dtype));
        }
        fields
    }
}

fn check_type(column: &InputColumn, dtype: &DataType) -> Result<(), Misfit> {
    let is_text = matches!(dtype, DataType::String | DataType::Categorical(..) | DataType::Enum(..));
    let is_number = dtype.is_primitive_numeric() || dtype.is_bool();
    let fits = match column.datatype {
        Datatype::Bytes => is_text,
        Datatype::Fp32 | Datatype::Fp64 => is_number,
        Datatype::Bool => dtype.is_bool(),
        _ => dtype.is_integer() || dtype.is_bool(),
    };
    if fits {
        return Ok(());
    }
    let message = format!("the model takes `{}` as {}, and the column is {dtype}", column.name, column.datatype);
    let help = match (column.datatype, is_text) {
        (Datatype::Bytes, _) => "convert the column to text in an asset of kind `sql`",
        (_, true) => "train on an export with an encoding for the column, and register the model with its manifest",
        _ => "convert the column to a number in an asset of kind `sql`",
    };
    Err(Misfit::new(message, help))
}

/// The values of columns, row by row. They are converted once, here: a number becomes the nearest one
/// of the model's type.
fn data(columns: &[&Column], datatype: Datatype, nulls: Option<Nulls>) -> PolarsResult<TensorData> {
    let is_zero = nulls == Some(Nulls::Zero);
    Ok(match datatype {
        Datatype::Fp32 => TensorData::Fp32(numbers::<Float32Type>(columns, if is_zero { 0.0 } else { f32::NAN })?),
        Datatype::Fp64 => TensorData::Fp64(numbers::<Float64Type>(columns, if is_zero { 0.0 } else { f64::NAN })?),
        Datatype::Int64 => TensorData::Int64(numbers::<Int64Type>(columns, 0)?),
        Datatype::Int32 => TensorData::Int32(numbers::<Int32Type>(columns, 0)?),
        Datatype::Int16 => TensorData::Int16(numbers::<Int16Type>(columns, 0)?),
        Datatype::Int8 => TensorData::Int8(numbers::<Int8Type>(columns, 0)?),
        Datatype::Uint64 => TensorData::Uint64(numbers::<UInt64Type>(columns, 0)?),
        Datatype::Uint32 => TensorData::Uint32(numbers::<UInt32Type>(columns, 0)?),
        Datatype::Uint16 => TensorData::Uint16(numbers::<UInt16Type>(columns, 0)?),
        Datatype::Uint8 => TensorData::Uint8(numbers::<UInt8Type>(columns, 0)?),
        Datatype::Bool => {
            let elements = woven(columns, &DataType::Boolean, |column| Ok(column.bool()?.iter().collect()))?;
            TensorData::Bool(elements.into_iter().map(|value| value == Some(true)).collect())
        }
        Datatype::Bytes => {
            let texts = |column: &Column| Ok(column.str()?.iter().map(|text| text.map(str::to_owned)).collect());
            let elements = woven(columns, &DataType::String, texts)?;
            TensorData::Bytes(elements.into_iter().map(Option::unwrap_or_default).collect())
        }
    })
}

fn numbers<T: PolarsNumericType>(columns: &[&Column], missing: T::Native) -> PolarsResult<Vec<T::Native>> {
    let values = |column: &Column| Ok(column.as_materialized_series().unpack::<T>()?.iter().collect());
    let elements = woven(columns, &T::get_static_dtype(), values)?;
    Ok(elements.into_iter().map(|value| value.unwrap_or(missing)).collect())
}

/// The values of all columns of the first row, then those of the next.
fn woven<T: Clone>(
    columns: &[&Column],
    target: &DataType,
    values: impl Fn(&Column) -> PolarsResult<Vec<Option<T>>>,
) -> PolarsResult<Vec<Option<T>>> {
    let rows = columns.first().map_or(0, |column| column.len());
    let mut elements = vec![None; rows * columns.len()];
    for (place, column) in columns.iter().enumerate() {
        // A value that the type cannot hold is an error, and not null.
        let converted;
        let column = match column.dtype() == target {
            true => *column,
            false => {
                converted = column.strict_cast(target)?;
                &converted
            }
        };
        for (row, value) in values(column)?.into_iter().enumerate() {
            elements[row * columns.len() + place] = value;
        }
    }
    Ok(elements)
}

/// The elements of an output of numbers, as the index keeps them.
fn floats(output: Tensor) -> Result<Vec<f32>, Misfit> {
    let name = output.name().to_owned();
    match output.into_data() {
        TensorData::Fp32(elements) => Ok(elements),
        TensorData::Fp64(elements) => Ok(elements.into_iter().map(|element| element as f32).collect()),
        other => Err(Misfit::new(format!("the output {name} holds {}, and not numbers", other.datatype()), None)),
    }
}

fn vector(output: Tensor) -> Result<Column, Misfit> {
    let width = output.shape().iter().skip(1).product::<usize>();
    let values = Series::new(VECTOR.into(), floats(output)?);
    let dimensions = [ReshapeDimension::Infer, ReshapeDimension::new(width as i64)];
    let vectors = values.reshape_array(&dimensions).map_err(|error| Misfit::new(error.to_string(), None))?;
    Ok(vectors.into_column())
}

fn dtype(datatype: Datatype) -> DataType {
    match datatype {
        Datatype::Bool => DataType::Boolean,
        Datatype::Uint8 => DataType::UInt8,
        Datatype::Uint16 => DataType::UInt16,
        Datatype::Uint32 => DataType::UInt32,
        Datatype::Uint64 => DataType::UInt64,
        Datatype::Int8 => DataType::Int8,
        Datatype::Int16 => DataType::Int16,
        Datatype::Int32 => DataType::Int32,
        Datatype::Int64 => DataType::Int64,
        Datatype::Fp32 => DataType::Float32,
        Datatype::Fp64 => DataType::Float64,
        Datatype::Bytes => DataType::String,
    }
}

fn column_of(name: &str, data: TensorData) -> Column {
    let name = PlSmallStr::from_str(name);
    match data {
        TensorData::Bool(elements) => Series::new(name, elements),
        TensorData::Uint8(elements) => Series::new(name, elements),
        TensorData::Uint16(elements) => Series::new(name, elements),
        TensorData::Uint32(elements) => Series::new(name, elements),
        TensorData::Uint64(elements) => Series::new(name, elements),
        TensorData::Int8(elements) => Series::new(name, elements),
        TensorData::Int16(elements) => Series::new(name, elements),
        TensorData::Int32(elements) => Series::new(name, elements),
        TensorData::Int64(elements) => Series::new(name, elements),
        TensorData::Fp32(elements) => Series::new(name, elements),
        TensorData::Fp64(elements) => Series::new(name, elements),
        TensorData::Bytes(elements) => Series::new(name, elements),
    }
    .into_column()
}

#[cfg(test)]
mod tests {
    use es_serving::TensorSpec;
    use polars::prelude::df;

    use super::*;

    fn tensor(name: &str, datatype: Datatype, shape: &[i64]) -> TensorSpec {
        TensorSpec { name: name.to_owned(), datatype, shape: shape.to_vec() }
    }

    fn signature(columns: &[(&str, Datatype, bool)], inputs: Vec<TensorSpec>) -> Signature {
        let column = |(name, datatype, nullable): &(&str, Datatype, bool)| InputColumn {
            name: (*name).to_owned(),
            datatype: *datatype,
            nullable: *nullable,
        };
        let outputs = vec![
            tensor("label", Datatype::Int64, &[-1]),
            tensor("p", Datatype::Fp32, &[-1, 2]),
            tensor("v", Datatype::Fp32, &[-1, 3]),
        ];
        Signature { columns: columns.iter().map(column).collect(), inputs, outputs }
    }

    fn outputs() -> Outputs {
        let named = |name: &str| Some(name.to_owned());
        Outputs { prediction: named("label"), probabilities: named("p"), vector: named("v") }
    }

    fn frame() -> DataFrame {
        df!(
            "a" => [Some(1_i64), None, Some(3)],
            "b" => [Some(0.5_f64), Some(1.5), None],
            "t" => [Some("x"), Some("y"), None],
        )
        .unwrap()
    }

    fn plan(signature: Signature, nulls: Option<Nulls>) -> Result<RowPlan, Misfit> {
        RowPlan::new(signature, outputs(), vec!["no".to_owned(), "yes".to_owned()], nulls, frame().schema())
    }

    #[test]
    fn columns_become_a_matrix_row_by_row_with_the_treatment_of_nulls() {
        use Datatype::Fp32;
        let matrix = || signature(&[("a", Fp32, false), ("b", Fp32, true)], vec![tensor("X", Fp32, &[-1, 2])]);
        let all = |nulls| {
            let plan = plan(matrix(), nulls).unwrap();
            let given = plan.given(&frame()).unwrap();
            let tensors = plan.tensors(&frame()).unwrap();
            assert_eq!((tensors.len(), tensors[0].name(), tensors[0].shape()), (1, "X", &[3, 2][..]));
            let TensorData::Fp32(elements) = tensors[0].data().clone() else { panic!("{tensors:?}") };
            (given, elements)
        };
        for (nulls, missing) in [(None, f32::NAN), (Some(Nulls::Nan), f32::NAN), (Some(Nulls::Zero), 0.0)] {
            let (given, elements) = all(nulls);
            let expected = [1.0, 0.5, missing, 1.5, 3.0, missing];
            assert!(elements.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{elements:?}");
            let lacking = nulls.is_none().then(|| (1, "a".to_owned()));
            assert_eq!(given.without_value, lacking.into_iter().collect::<Vec<_>>(), "{nulls:?}");
        }
        for nulls in [Nulls::Reject, Nulls::SkipRow] {
            assert_eq!(all(Some(nulls)).0.is_scored, [true, false, true]);
        }
    }

    #[test]
    fn columns_become_tensors_of_their_own() {
        use Datatype::{Bytes, Fp64, Int64};
        let inputs = vec![tensor("t", Bytes, &[-1, 1]), tensor("b", Fp64, &[-1]), tensor("a", Int64, &[-1, 1])];
        let each = signature(&[("a", Int64, true), ("b", Fp64, true), ("t", Bytes, true)], inputs);
        let tensors = plan(each, Some(Nulls::Zero)).unwrap().tensors(&frame()).unwrap();
        let found: Vec<_> =
            tensors.iter().map(|tensor| (tensor.name(), tensor.shape(), tensor.data().clone())).collect();
        let texts = ["x", "y", ""].map(str::to_owned).to_vec();
        let expected = [
            ("a", &[3, 1][..], TensorData::Int64(vec![1, 0, 3])),
            ("b", &[3][..], TensorData::Fp64(vec![0.5, 1.5, 0.0])),
            ("t", &[3, 1][..], TensorData::Bytes(texts)),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn columns_that_a_model_cannot_be_given_are_named() {
        use Datatype::{Bytes, Fp32, Int64};
        let one = |name, datatype| signature(&[(name, datatype, false)], vec![tensor("X", datatype, &[-1, 1])]);
        let table = [
            (one("t", Fp32), None, "the model takes `t` as FP32, and the column is str"),
            (one("a", Bytes), None, "the model takes `a` as BYTES, and the column is i64"),
            (one("b", Int64), None, "the model takes `b` as INT64, and the column is f64"),
            (one("z", Fp32), None, "the model needs the column `z`, which the rows do not have"),
            (one("a", Int64), Some(Nulls::Nan), "`a` is given as INT64, which has no NaN"),
        ];
        for (signature, nulls, message) in table {
            assert_eq!(plan(signature, nulls).unwrap_err().message, message);
        }
    }

    #[test]
    fn outputs_become_the_columns_that_were_announced() {
        use Datatype::Fp32;
        let plan = plan(signature(&[("a", Fp32, true)], vec![tensor("X", Fp32, &[-1, 1])]), None).unwrap();
        let given = vec![
            Tensor::new("p", vec![2, 2], TensorData::Fp32(vec![0.25, 0.75, 0.5, 0.5])).unwrap(),
            Tensor::new("v", vec![2, 3], TensorData::Fp32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).unwrap(),
            Tensor::new("label", vec![2], TensorData::Int64(vec![1, 0])).unwrap(),
        ];
        let columns = plan.columns(given).unwrap();
        let fields: Vec<Field> = columns.iter().map(|column| column.field().into_owned()).collect();
        assert_eq!(fields, plan.added());
        let frame = DataFrame::new(2, columns).unwrap();
        assert_eq!(frame.column(PROBABILITY).unwrap().f32().unwrap().to_vec(), [Some(0.75), Some(0.5)]);
        assert_eq!(frame.column(PREDICTION).unwrap().i64().unwrap().to_vec(), [Some(1), Some(0)]);
        let yes = frame.column(PROBABILITIES).unwrap().struct_().unwrap().field_by_name("yes").unwrap();
        assert_eq!(yes.f32().unwrap().to_vec(), [Some(0.75), Some(0.5)]);
    }
}
