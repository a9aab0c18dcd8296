//! Scores equal those of the libraries that trained the models: see tests/models/make.py.

use std::num::NonZeroUsize;

use es_serving::onnx::{OnnxFile, OnnxModel, OnnxOptions, OnnxRuntime};
use es_serving::open_inference::{Tensor, TensorData};
use es_serving::{ErrorKind, Layout};
use es_testing::trained::{COLUMNS, ROWS, floats, folder, models};

use crate::predictions::{Answers, inputs};

fn runtime() -> Option<OnnxRuntime> {
    let library = es_testing::onnxruntime()?;
    Some(OnnxRuntime::load(Some(&library)).unwrap())
}

#[test]
fn scores_equal_those_of_the_libraries_that_trained_the_models() {
    let Some(runtime) = runtime() else { return };
    let models = models();
    assert!(models.len() >= 13, "{}", models.len());
    for (name, known) in models {
        let model = OnnxModel::open(&runtime, &folder().join(format!("{name}.onnx")), OnnxOptions::default()).unwrap();
        let mut answers = Answers::of(&name, &known);
        // Batches whose last one is shorter.
        for from in (0..ROWS).step_by(1024) {
            let rows = 1024.min(ROWS - from);
            answers.add(rows, &model.score(inputs(model.file(), &known, from, rows)).unwrap());
        }
        answers.check();
        if let Some(classes) = &known.classes {
            assert_eq!(model.file().classes, *classes, "{name}");
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
