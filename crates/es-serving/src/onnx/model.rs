//! A model that ONNX Runtime runs.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::session::{OutputSelector, RunOptions, Session, SessionInputValue};
use ort::value::{
    DynMapValueType, DynValue, PrimitiveTensorElementType, Shape, Tensor as OrtTensor, TensorElementType, Value,
    ValueType,
};

use super::file::OnnxFile;
use super::library::OnnxRuntime;
use crate::error::{Error, ErrorKind};
use crate::open_inference::{Tensor, TensorData};

/// The limits of a model in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnnxOptions {
    /// The threads that compute one batch.
    pub threads: NonZeroUsize,
}

impl Default for OnnxOptions {
    /// One thread: batches are scored side by side instead.
    fn default() -> Self {
        Self { threads: NonZeroUsize::MIN }
    }
}

/// A model that ONNX Runtime runs.
///
/// Batches that arrive at the same time are scored side by side, each by a session of its own: there
/// are as many sessions, with the memory of their weights, as there were batches at once.
#[derive(Debug)]
pub struct OnnxModel {
    runtime: OnnxRuntime,
    path: PathBuf,
    file: OnnxFile,
    options: OnnxOptions,
    idle: Mutex<Vec<Session>>,
}

impl OnnxModel {
    /// Opens a file.
    ///
    /// # Errors
    /// [`ErrorKind::ModelFile`] when it is no model, or has an operator that the library lacks.
    pub fn open(runtime: &OnnxRuntime, path: &Path, options: OnnxOptions) -> Result<Self, Error> {
        let file = OnnxFile::read(path)?;
        let model = Self { runtime: runtime.clone(), path: path.to_owned(), file, options, idle: Mutex::default() };
        let session = model.start()?;
        model.give_back(session);
        Ok(model)
    }

    /// The library that runs it.
    pub fn runtime(&self) -> &OnnxRuntime {
        &self.runtime
    }

    /// The description that the file gives.
    pub fn file(&self) -> &OnnxFile {
        &self.file
    }

    /// Scores a batch. `inputs` have the model's names, and as many rows each; the answers are in the
    /// order of [`OnnxFile::outputs`]. Missing numbers are NaN. Blocks.
    ///
    /// A map of classes to numbers a row becomes a matrix with a column a class, in the order of
    /// [`OnnxFile::classes`].
    ///
    /// # Errors
    /// [`ErrorKind::Scoring`] when the model fails on the batch, or gives another number of rows.
    pub fn score(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, Error> {
        let rows = inputs.first().and_then(|tensor| tensor.shape().first().copied()).unwrap_or(0);
        let failed = |error: ort::Error| {
            Error::new(ErrorKind::Scoring, format!("the model failed on a batch: {}", error.message()))
        };
        let mut values: Vec<(String, SessionInputValue<'static>)> = Vec::with_capacity(inputs.len());
        for tensor in inputs {
            let name = tensor.name().to_owned();
            values.push((name, value_of(tensor).map_err(failed)?.into()));
        }
        let mut session = match self.take() {
            Some(session) => session,
            None => self.start()?,
        };
        let answers = {
            let mut outputs = session.run(values).map_err(failed)?;
            let mut answers = Vec::with_capacity(self.file.outputs.len());
            for output in &self.file.outputs {
                let name = &output.tensor.name;
                let missing = || Error::new(ErrorKind::Scoring, format!("the model gave no output {name}"));
                let value = outputs.remove(name).ok_or_else(missing)?;
                let answer = tensor_of(name, &value, &self.file.classes)?;
                let found = answer.shape().first().copied().unwrap_or(0);
                if found != rows {
                    let message = format!("the model gave {found} rows of {name} for {rows}");
                    return Err(Error::new(ErrorKind::Scoring, message));
                }
                answers.push(answer);
            }
            answers
        };
        self.give_back(session);
        Ok(answers)
    }

    /// Scores a batch, and hands one output of single precision to `read` as the model gave it: its shape and
    /// its elements. The other outputs are not computed where that saves work. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::Scoring`] when the model fails on the batch, or the output is no tensor of single precision;
    /// also those of `read`.
    pub(crate) fn read_output<R>(
        &self,
        inputs: Vec<Tensor>,
        output: &str,
        read: impl FnOnce(&[usize], &[f32]) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let failed = |error: ort::Error| {
            Error::new(ErrorKind::Scoring, format!("the model failed on a batch: {}", error.message()))
        };
        let mut values: Vec<(String, SessionInputValue<'static>)> = Vec::with_capacity(inputs.len());
        for tensor in inputs {
            let name = tensor.name().to_owned();
            values.push((name, value_of(tensor).map_err(failed)?.into()));
        }
        let mut session = match self.take() {
            Some(session) => session,
            None => self.start()?,
        };
        let selected = RunOptions::new().map_err(failed)?.with_outputs(OutputSelector::no_default().with(output));
        let answer = match session.run_with_options(values, &selected) {
            Ok(outputs) => {
                let missing = || Error::new(ErrorKind::Scoring, format!("the model gave no output {output}"));
                let value = outputs.get(output).ok_or_else(missing)?;
                let (shape, elements) =
                    value.try_extract_tensor::<f32>().map_err(|error| unreadable(output, &error))?;
                read(&lengths(shape), elements)
            }
            Err(error) => Err(failed(error)),
        };
        self.give_back(session);
        answer
    }

    fn start(&self) -> Result<Session, Error> {
        let failed = |message: &str| {
            Error::new(
                ErrorKind::ModelFile,
                format!("{}: ONNX Runtime refuses the model: {message}", self.path.display()),
            )
        };
        let builder = Session::builder(&self.runtime.environment).map_err(|error| failed(error.message()))?;
        let builder =
            builder.with_intra_threads(self.options.threads.get()).map_err(|error| failed(error.message()))?;
        // A thread that spins while it waits takes the processor from reading and writing.
        let builder = builder.with_intra_op_spinning(false).map_err(|error| failed(error.message()))?;
        let mut builder = builder;
        builder.commit_from_file(&self.path).map_err(|error| failed(error.message()))
    }

    fn take(&self) -> Option<Session> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }
}

fn value_of(tensor: Tensor) -> ort::Result<DynValue> {
    let shape: Vec<i64> = tensor.shape().iter().map(|length| *length as i64).collect();
    Ok(match tensor.into_data() {
        TensorData::Bool(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Uint8(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Uint16(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Uint32(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Uint64(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Int8(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Int16(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Int32(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Int64(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Fp32(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Fp64(elements) => OrtTensor::from_array((shape, elements))?.into_dyn(),
        TensorData::Bytes(elements) => OrtTensor::from_string_array((shape, elements.as_slice()))?.into_dyn(),
    })
}

fn tensor_of(name: &str, value: &DynValue, classes: &[String]) -> Result<Tensor, Error> {
    let unexpected = |found: String| Error::new(ErrorKind::Scoring, format!("the output {name} is {found}"));
    match value.dtype() {
        ValueType::Tensor { ty, .. } => {
            let (shape, data) = match ty {
                TensorElementType::Bool => elements(name, value, TensorData::Bool)?,
                TensorElementType::Uint8 => elements(name, value, TensorData::Uint8)?,
                TensorElementType::Uint16 => elements(name, value, TensorData::Uint16)?,
                TensorElementType::Uint32 => elements(name, value, TensorData::Uint32)?,
                TensorElementType::Uint64 => elements(name, value, TensorData::Uint64)?,
                TensorElementType::Int8 => elements(name, value, TensorData::Int8)?,
                TensorElementType::Int16 => elements(name, value, TensorData::Int16)?,
                TensorElementType::Int32 => elements(name, value, TensorData::Int32)?,
                TensorElementType::Int64 => elements(name, value, TensorData::Int64)?,
                TensorElementType::Float32 => elements(name, value, TensorData::Fp32)?,
                TensorElementType::Float64 => elements(name, value, TensorData::Fp64)?,
                TensorElementType::String => {
                    let (shape, elements) = value.try_extract_strings().map_err(|error| unreadable(name, &error))?;
                    (lengths(shape), TensorData::Bytes(elements))
                }
                other => return Err(unexpected(format!("of the type {other}"))),
            };
            Tensor::new(name, shape, data)
        }
        ValueType::Sequence(_) => matrix_of_maps(name, value, classes),
        other => Err(unexpected(format!("of the type {other}"))),
    }
}

fn elements<T: PrimitiveTensorElementType + Clone>(
    name: &str,
    value: &DynValue,
    wrap: fn(Vec<T>) -> TensorData,
) -> Result<(Vec<usize>, TensorData), Error> {
    let (shape, elements) = value.try_extract_tensor::<T>().map_err(|error| unreadable(name, &error))?;
    Ok((lengths(shape), wrap(elements.to_vec())))
}

fn lengths(shape: &Shape) -> Vec<usize> {
    shape.iter().map(|length| usize::try_from(*length).unwrap_or(0)).collect()
}

fn unreadable(name: &str, error: &ort::Error) -> Error {
    Error::new(ErrorKind::Scoring, format!("the output {name} cannot be read: {}", error.message()))
}

/// The maps that ZipMap makes, one a row, as a matrix with a column a class.
fn matrix_of_maps(name: &str, value: &DynValue, classes: &[String]) -> Result<Tensor, Error> {
    let failed = |error: ort::Error| {
        Error::new(ErrorKind::Scoring, format!("the output {name} is no sequence of maps: {}", error.message()))
    };
    let maps: Vec<Value<DynMapValueType>> = value.try_extract_sequence().map_err(failed)?;
    let mut elements = Vec::with_capacity(maps.len() * classes.len());
    for map in &maps {
        let row: Vec<(String, f32)> = match map.dtype() {
            ValueType::Map { key: TensorElementType::Int64, .. } => map
                .try_extract_key_values::<i64, f32>()
                .map_err(failed)?
                .into_iter()
                .map(|(class, value)| (class.to_string(), value))
                .collect(),
            _ => map.try_extract_key_values::<String, f32>().map_err(failed)?,
        };
        for class in classes {
            let Some((_, value)) = row.iter().find(|(key, _)| key == class) else {
                return Err(Error::new(ErrorKind::Scoring, format!("the output {name} lacks the class {class}")));
            };
            elements.push(*value);
        }
    }
    Tensor::new(name, vec![maps.len(), classes.len()], TensorData::Fp32(elements))
}
