//! The description of a model that its file gives, without running it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use prost::Message as _;
use serde::Serialize;

use super::proto::{Graph, Model, Node, Type};
use crate::error::{Error, ErrorKind};
use crate::open_inference::Datatype;
use crate::signature::{InputColumn, Signature, TensorSpec};

/// The largest file that is read: that of the format, a message of protocol buffers.
const LARGEST_BYTES: u64 = 2 << 30;

/// Operators that pass each value on, or put values beside each other.
const CARRIERS: [&str; 7] = ["Cast", "Concat", "FeatureVectorizer", "Flatten", "Identity", "Reshape", "Unsqueeze"];

/// Operators with a branch or a replacement for a missing number.
const TAKE_MISSING: [&str; 4] = ["Imputer", "TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"];

/// The contents of a model file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnnxFile {
    /// The program that wrote it, with its version.
    pub producer: String,
    /// The version of the format.
    pub ir_version: i64,
    /// The version of each set of operators, by domain. The main one is called `ai.onnx`.
    pub opsets: BTreeMap<String, i64>,
    /// The operators, with the number of their uses. Those of other domains than the main one have
    /// it before their name.
    pub operators: BTreeMap<String, u64>,
    /// The tensors that the model takes.
    pub inputs: Vec<OnnxInput>,
    /// The values that the model gives.
    pub outputs: Vec<OnnxOutput>,
    /// The classes of a classifier, in the order of its probabilities.
    pub classes: Vec<String>,
}

/// A tensor that a model takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnnxInput {
    /// Name, type and shape.
    #[serde(flatten)]
    pub tensor: TensorSpec,
    /// The model has an answer for a missing number.
    pub takes_missing: bool,
}

/// A value that a model gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnnxOutput {
    /// Name, type and shape of the tensor that is made of it.
    #[serde(flatten)]
    pub tensor: TensorSpec,
    /// The model gives a map from classes to numbers for each row instead of a tensor, as ZipMap makes
    /// them.
    pub is_map: bool,
}

impl OnnxFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ErrorKind::ModelFile`] when it cannot be read, is no model, or takes values of a type that
    /// rows do not have.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |why: String| Error::new(ErrorKind::ModelFile, format!("{}: {why}", path.display()));
        let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()).with_source(error))?.len();
        if size > LARGEST_BYTES {
            return Err(wrong(format!("{size} bytes are more than the {LARGEST_BYTES} of a model file"))
                .with_help("export the model with external data, whose files are beside it"));
        }
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()).with_source(error))?;
        Self::parse(&bytes).map_err(|error| wrong(error.to_string()))
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// As [`OnnxFile::read`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |why: &str| Error::new(ErrorKind::ModelFile, why);
        let not_onnx = "this is not a model in the format ONNX";
        let model = Model::decode(bytes).map_err(|error| wrong(not_onnx).with_source(error))?;
        let graph = model.graph.filter(|graph| !graph.output.is_empty()).ok_or_else(|| wrong(not_onnx))?;
        let mut operators = BTreeMap::new();
        count(&graph, &mut operators);
        let weights: BTreeSet<&str> = graph.initializer.iter().map(|one| one.name.as_str()).collect();
        let inputs = graph.input.iter().filter(|input| !weights.contains(input.name.as_str()));
        let inputs: Vec<OnnxInput> = inputs
            .map(|input| {
                let tensor = tensor(&input.name, input.r#type.as_ref())?;
                Ok(OnnxInput { takes_missing: takes_missing(&graph, &input.name), tensor })
            })
            .collect::<Result<_, Error>>()?;
        let classes = classes(&graph);
        let outputs = graph.output.iter().map(|output| answer(&output.name, output.r#type.as_ref(), classes.len()));
        Ok(Self {
            producer: [model.producer_name, model.producer_version].join(" ").trim().to_owned(),
            ir_version: model.ir_version,
            opsets: model.opset_import.into_iter().map(|set| (domain(&set.domain).to_owned(), set.version)).collect(),
            operators,
            inputs,
            outputs: outputs.collect::<Result<_, Error>>()?,
            classes,
        })
    }

    /// The signature for texts, which a tokenizer makes the inputs of: one column, called `text`.
    #[must_use]
    pub fn text_signature(&self) -> Signature {
        Signature {
            columns: vec![InputColumn { name: "text".to_owned(), datatype: Datatype::Bytes, nullable: false }],
            inputs: self.inputs.iter().map(|input| input.tensor.clone()).collect(),
            outputs: self.outputs.iter().map(|output| output.tensor.clone()).collect(),
        }
    }

    /// The signature for rows of these columns, in the order in which the model takes them. Without
    /// names, the columns are called as the model's inputs.
    ///
    /// # Errors
    /// [`ErrorKind::Signature`] when the columns do not fit the inputs.
    pub fn signature(&self, columns: &[String]) -> Result<Signature, Error> {
        let inputs: Vec<TensorSpec> = self.inputs.iter().map(|input| input.tensor.clone()).collect();
        let outputs = self.outputs.iter().map(|output| output.tensor.clone()).collect();
        let names = match columns {
            [] => inputs.iter().map(|tensor| tensor.name.clone()).collect(),
            names => names.to_vec(),
        };
        let of = |name: &String| self.inputs.iter().find(|input| input.tensor.name == *name).or(self.inputs.first());
        let columns = names.into_iter().map(|name| {
            let input = of(&name);
            let datatype = input.map_or(Datatype::Fp32, |input| input.tensor.datatype);
            InputColumn { datatype, nullable: input.is_some_and(|input| input.takes_missing), name }
        });
        let signature = Signature { columns: columns.collect(), inputs, outputs };
        signature.layout()?;
        Ok(signature)
    }
}

fn domain(name: &str) -> &str {
    if name.is_empty() { "ai.onnx" } else { name }
}

fn count(graph: &Graph, operators: &mut BTreeMap<String, u64>) {
    for node in &graph.node {
        let name = match node.domain.as_str() {
            "" | "ai.onnx" => node.op_type.clone(),
            other => format!("{other}.{}", node.op_type),
        };
        *operators.entry(name).or_default() += 1;
        for attribute in &node.attribute {
            attribute.g.iter().chain(&attribute.graphs).for_each(|inner| count(inner, operators));
        }
    }
}

/// Returns whether every operator that an input reaches has an answer for a missing number.
fn takes_missing(graph: &Graph, input: &str) -> bool {
    let mut reached = BTreeSet::from([input]);
    let mut found = false;
    // The nodes of a graph are in the order of their computation.
    for node in &graph.node {
        if !node.input.iter().any(|name| reached.contains(name.as_str())) {
            continue;
        }
        match node.op_type.as_str() {
            operator if CARRIERS.contains(&operator) => reached.extend(node.output.iter().map(String::as_str)),
            operator if TAKE_MISSING.contains(&operator) => found = true,
            _ => return false,
        }
    }
    found
}

/// The labels of the last classifier.
fn classes(graph: &Graph) -> Vec<String> {
    fn of(node: &Node) -> Option<Vec<String>> {
        let labels = node.attribute.iter().find(|attribute| {
            matches!(
                attribute.name.as_str(),
                "classlabels_int64s" | "classlabels_ints" | "classlabels_strings" | "classlabels_int64s_as_tensor"
            ) && !(attribute.ints.is_empty() && attribute.strings.is_empty())
        })?;
        Some(match labels.ints.as_slice() {
            [] => labels.strings.iter().map(|label| String::from_utf8_lossy(label).into_owned()).collect(),
            numbers => numbers.iter().map(i64::to_string).collect(),
        })
    }
    graph.node.iter().rev().find_map(of).unwrap_or_default()
}

fn answer(name: &str, kind: Option<&Type>, classes: usize) -> Result<OnnxOutput, Error> {
    let map = kind.and_then(|kind| kind.sequence_type.as_ref()?.elem_type.as_ref()?.map_type.as_ref());
    match map {
        Some(map) => {
            let inner = map.value_type.as_deref().and_then(|kind| kind.tensor_type.as_ref());
            let datatype = datatype(name, inner.map_or(1, |kind| kind.elem_type))?;
            let width = i64::try_from(classes).ok().filter(|width| *width > 0).unwrap_or(-1);
            Ok(OnnxOutput {
                tensor: TensorSpec { name: name.to_owned(), datatype, shape: vec![-1, width] },
                is_map: true,
            })
        }
        None => Ok(OnnxOutput { tensor: tensor(name, kind)?, is_map: false }),
    }
}

fn tensor(name: &str, kind: Option<&Type>) -> Result<TensorSpec, Error> {
    let Some(tensor) = kind.and_then(|kind| kind.tensor_type.as_ref()) else {
        return Err(Error::new(ErrorKind::ModelFile, format!("{name} is not a tensor")));
    };
    let length = |dimension: &super::proto::Dimension| dimension.dim_value.filter(|length| *length > 0).unwrap_or(-1);
    let shape = tensor.shape.as_ref().map(|shape| shape.dim.iter().map(length).collect()).unwrap_or_default();
    Ok(TensorSpec { name: name.to_owned(), datatype: datatype(name, tensor.elem_type)?, shape })
}

/// `TensorProto.DataType` of the format.
fn datatype(name: &str, number: i32) -> Result<Datatype, Error> {
    Ok(match number {
        1 => Datatype::Fp32,
        2 => Datatype::Uint8,
        3 => Datatype::Int8,
        4 => Datatype::Uint16,
        5 => Datatype::Int16,
        6 => Datatype::Int32,
        7 => Datatype::Int64,
        8 => Datatype::Bytes,
        9 => Datatype::Bool,
        11 => Datatype::Fp64,
        12 => Datatype::Uint32,
        13 => Datatype::Uint64,
        other => {
            let named = match other {
                10 => "float16",
                16 => "bfloat16",
                14 | 15 => "complex numbers",
                _ => "a type of fewer than 8 bits",
            };
            let message = format!("{name} holds {named}, which no column can be");
            return Err(Error::new(ErrorKind::ModelFile, message)
                .with_help("export the model with inputs and outputs of 32-bit floats"));
        }
    })
}

impl fmt::Display for OnnxFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |tensor: &TensorSpec| {
            let dimension = |length: &i64| if *length < 0 { "any".to_owned() } else { length.to_string() };
            let lengths: Vec<String> = tensor.shape.iter().map(dimension).collect();
            format!("{} [{}]", tensor.datatype, lengths.join(", "))
        };
        writeln!(f, "written by  {}", if self.producer.is_empty() { "unknown" } else { &self.producer })?;
        let opsets: Vec<String> = self.opsets.iter().map(|(domain, version)| format!("{domain} {version}")).collect();
        writeln!(f, "operators   sets {}", opsets.join(", "))?;
        for (operator, uses) in &self.operators {
            writeln!(f, "            {operator} × {uses}")?;
        }
        for (place, input) in self.inputs.iter().enumerate() {
            let title = if place == 0 { "inputs" } else { "" };
            let missing = if input.takes_missing { ", may be missing" } else { "" };
            writeln!(f, "{title:<12}{} {}{missing}", input.tensor.name, shape(&input.tensor))?;
        }
        for (place, output) in self.outputs.iter().enumerate() {
            let title = if place == 0 { "outputs" } else { "" };
            let map = if output.is_map { ", as a map" } else { "" };
            writeln!(f, "{title:<12}{} {}{map}", output.tensor.name, shape(&output.tensor))?;
        }
        if !self.classes.is_empty() {
            writeln!(f, "classes     {}", self.classes.join(", "))?;
        }
        Ok(())
    }
}
