//! Scores equal those of the libraries that trained the models: see tests/models/make.py.

use std::num::NonZeroUsize;

use es_serving::onnx::{OnnxFile, OnnxModel, OnnxOptions, OnnxRuntime};
use es_serving::open_inference::{Tensor, TensorData};
use es_serving::{ErrorKind, Layout};
use es_testing::trained::{COLUMNS, ROWS, TrainedModel, floats, folder, lines, models};

fn runtime() -> Option<OnnxRuntime> {
    let library = es_testing::onnxruntime()?;
    Some(OnnxRuntime::load(Some(&library)).unwrap())
}

/// The inputs of a model for a range of rows.
fn inputs(model: &OnnxFile, known: &TrainedModel, from: usize, rows: usize) -> Vec<Tensor> {
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

#[test]
fn scores_equal_those_of_the_libraries_that_trained_the_models() {
    let Some(runtime) = runtime() else { return };
    let models = models();
    assert!(models.len() >= 13, "{}", models.len());
    for (name, known) in models {
        let model = OnnxModel::open(&runtime, &folder().join(format!("{name}.onnx")), OnnxOptions::default()).unwrap();
        let expected = floats(&format!("{name}.f32"));
        let width = expected.len() / ROWS;
        let (mut worst, mut labels) = (0.0_f32, Vec::new());
        // Batches whose last one is shorter.
        for from in (0..ROWS).step_by(1024) {
            let rows = 1024.min(ROWS - from);
            let answers = model.score(inputs(model.file(), &known, from, rows)).unwrap();
            let numbers = answers.iter().find_map(|answer| match answer.data() {
                TensorData::Fp32(numbers) => Some(numbers),
                _ => None,
            });
            let numbers = numbers.unwrap();
            assert_eq!(numbers.len(), rows * width, "{name}");
            for (found, expected) in numbers.iter().zip(&expected[from * width..]) {
                let scale = if known.classes.is_some() { 1.0 } else { expected.abs().max(1.0) };
                worst = worst.max((found - expected).abs() / scale);
            }
            for answer in &answers {
                match answer.data() {
                    TensorData::Int64(found) => labels.extend(found.iter().map(i64::to_string)),
                    TensorData::Bytes(found) => labels.extend(found.iter().cloned()),
                    _ => {}
                }
            }
        }
        assert!(worst <= 1e-5, "{name}: {worst}");
        if let Some(classes) = known.classes {
            assert_eq!(model.file().classes, classes, "{name}");
        }
        if name != "net" && folder().join(format!("{name}.label.txt")).exists() {
            assert_eq!(labels, lines(&format!("{name}.label.txt")), "{name}");
        }
    }
}

#[test]
fn files_say_what_they_take_and_give() {
    for (name, known) in models() {
        let file = OnnxFile::read(&folder().join(format!("{name}.onnx"))).unwrap();
        assert_eq!(file.inputs.len(), if known.texts { COLUMNS + 1 } else { 1 }, "{name}");
        assert_eq!(file.classes, known.classes.unwrap_or_default(), "{name}");
        let numbers_may_miss = file.inputs[0].takes_missing;
        assert_eq!(
            numbers_may_miss,
            !matches!(name.as_str(), "logistic" | "logistic_three" | "linear_value" | "net" | "perceptron" | "scaled"),
            "{name}"
        );
        let names: Vec<String> = if known.texts { Vec::new() } else { (0..COLUMNS).map(|n| format!("c{n}")).collect() };
        let layout = file.signature(&names).unwrap().layout().unwrap();
        assert_eq!(layout, if known.texts { Layout::Columns } else { Layout::Matrix }, "{name}");
    }
    let shown = OnnxFile::read(&folder().join("logistic_three.onnx")).unwrap().to_string();
    for part in [
        "ai.onnx.ml.LinearClassifier × 1",
        "X FP32 [any, 7]",
        "output_probability FP32 [any, 3], as a map",
        "early, late, on time",
    ] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
}

#[test]
fn batches_side_by_side_have_their_own_answers() {
    let Some(runtime) = runtime() else { return };
    let model = OnnxModel::open(
        &runtime,
        &folder().join("forest.onnx"),
        OnnxOptions { threads: NonZeroUsize::new(2).unwrap() },
    );
    let (model, known) = (model.unwrap(), &models()["forest"]);
    let expected = floats("forest.f32");
    std::thread::scope(|scope| {
        for from in 0..8 {
            let (model, expected) = (&model, &expected);
            scope.spawn(move || {
                let answers = model.score(inputs(model.file(), known, from * 100, 100)).unwrap();
                let TensorData::Fp32(found) = answers[1].data() else { panic!("{answers:?}") };
                let expected = &expected[from * 200..(from + 1) * 200];
                assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5));
            });
        }
    });
}

#[test]
fn what_is_no_model_or_does_not_fit_is_an_error() {
    let text = OnnxFile::parse(b"a text").unwrap_err();
    assert_eq!(
        (text.kind(), text.to_string().as_str()),
        (ErrorKind::ModelFile, "this is not a model in the format ONNX")
    );
    let missing = OnnxFile::read(&folder().join("missing.onnx")).unwrap_err();
    assert!(missing.to_string().contains("missing.onnx"), "{missing}");
    let Some(runtime) = runtime() else { return };
    let model = OnnxModel::open(&runtime, &folder().join("logistic.onnx"), OnnxOptions::default()).unwrap();
    let narrow = Tensor::new("X", vec![2, 3], TensorData::Fp32(vec![0.0; 6])).unwrap();
    let error = model.score(vec![narrow]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Scoring);
    assert!(error.to_string().contains("Got: 3 Expected: 7"), "{error}");
    // The model is as good as before.
    assert_eq!(model.score(inputs(model.file(), &models()["logistic"], 0, 3)).unwrap().len(), 2);
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.onnx");
    let whole = std::fs::read(es_testing::trained::folder().join("forest.onnx")).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let error = OnnxModel::open(&runtime, &cut, OnnxOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelFile, "{error}");
}
