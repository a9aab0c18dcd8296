//! The rows of tests/models as inputs of a model, and the comparison of its answers with the predictions of
//! the library that trained it.

use es_serving::onnx::OnnxFile;
use es_serving::open_inference::{Tensor, TensorData};
use es_testing::trained::{COLUMNS, ROWS, TrainedModel, floats, folder, lines};

/// The greatest difference of a probability, and of a value relative to it.
const TOLERANCE: f64 = 1e-5;

/// The inputs of a model for a range of rows.
pub(crate) fn inputs(model: &OnnxFile, known: &TrainedModel, from: usize, rows: usize) -> Vec<Tensor> {
    let all = floats(&format!("{}.f32", known.rows));
    let part = &all[from * COLUMNS..(from + rows) * COLUMNS];
    if !known.texts {
        let name = &model.inputs[0].tensor.name;
        return vec![Tensor::new(name, vec![rows, COLUMNS], TensorData::Fp32(part.to_vec())).unwrap()];
    }
    let column = |column: usize| part.iter().skip(column).step_by(COLUMNS).copied().collect();
    let numbers = (0..COLUMNS).map(|place| (format!("c{place}"), TensorData::Fp32(column(place))));
    let texts = TensorData::Bytes(lines("texts.txt")[from..from + rows].to_vec());
    let all = numbers.chain([("origin".to_owned(), texts)]);
    all.map(|(name, data)| Tensor::new(name, vec![rows, 1], data).unwrap()).collect()
}

/// The answers of a model so far.
pub(crate) struct Answers<'a> {
    name: &'a str,
    known: &'a TrainedModel,
    expected: Vec<f32>,
    rows: usize,
    labels: Vec<String>,
    /// The greatest difference.
    pub(crate) worst: f64,
}

impl<'a> Answers<'a> {
    pub(crate) fn of(name: &'a str, known: &'a TrainedModel) -> Self {
        let expected = floats(&format!("{name}.f32"));
        Self { name, known, expected, rows: 0, labels: Vec::new(), worst: 0.0 }
    }

    /// Takes the outputs for the next rows.
    pub(crate) fn add(&mut self, rows: usize, outputs: &[Tensor]) {
        let width = self.expected.len() / ROWS;
        let mut numbers = None;
        for output in outputs {
            match output.data() {
                TensorData::Fp32(found) => numbers = Some(found.iter().map(|one| f64::from(*one)).collect()),
                TensorData::Fp64(found) => numbers = Some(found.clone()),
                TensorData::Int64(found) => self.labels.extend(found.iter().map(i64::to_string)),
                TensorData::Bytes(found) => self.labels.extend(found.iter().cloned()),
                _ => {}
            }
        }
        let numbers: Vec<f64> = numbers.unwrap();
        assert_eq!(numbers.len(), rows * width, "{}", self.name);
        for (found, expected) in numbers.iter().zip(&self.expected[self.rows * width..]) {
            let expected = f64::from(*expected);
            let scale = if self.known.classes.is_some() { 1.0 } else { expected.abs().max(1.0) };
            // Not `max`, which would pass over NaN.
            let difference = (found - expected).abs() / scale;
            if difference.is_nan() || difference > self.worst {
                self.worst = difference;
            }
        }
        self.rows += rows;
    }

    /// Compares all of them: labels are equal, probabilities and values to five digits.
    pub(crate) fn check(&self) {
        assert_eq!(self.rows, ROWS, "{}", self.name);
        assert!(self.worst <= TOLERANCE, "{}: {}", self.name, self.worst);
        let labels = format!("{}.label.txt", self.name);
        // A net has no labels among its outputs.
        if self.name != "net" && folder().join(&labels).exists() {
            assert_eq!(self.labels, lines(&labels), "{}", self.name);
        }
    }
}
