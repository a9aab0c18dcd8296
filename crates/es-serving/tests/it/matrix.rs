//! The models of tests/models behind real model servers, which `cargo xtask servers` starts: their answers
//! equal the predictions of the libraries that trained them.

use es_serving::onnx::OnnxFile;
use es_serving::open_inference::Datatype;
use es_serving::server::{ModelServer, ServerOptions};
use es_serving::{Signature, TensorSpec};
use es_testing::trained::{COLUMNS, ROWS, TrainedModel, folder, models};
use serde_json::{Value, json};

use crate::predictions::{Answers, inputs};

/// Rows of a request.
const BATCH: usize = 1024;

/// The models that are not of scikit-learn.
const OTHERS: [&str; 5] = ["lightgbm", "lightgbm_value", "net", "xgboost", "xgboost_value"];

/// The signature that a model has as an ONNX file.
fn exported(file: &OnnxFile, known: &TrainedModel) -> Signature {
    let names: Vec<String> = if known.texts { Vec::new() } else { (0..COLUMNS).map(|n| format!("c{n}")).collect() };
    file.signature(&names).unwrap()
}

/// The signature that MLServer gives a model of scikit-learn.
fn of_sklearn(file: &OnnxFile, known: &TrainedModel) -> Signature {
    let output = |name: &str, datatype, shape| TensorSpec { name: name.to_owned(), datatype, shape };
    let label = match &known.classes {
        Some(classes) if classes.iter().any(|class| class.parse::<i64>().is_err()) => Datatype::Bytes,
        Some(_) => Datatype::Int64,
        None => Datatype::Fp64,
    };
    let mut outputs = vec![output("predict", label, vec![-1])];
    if known.classes.is_some() {
        outputs.push(output("predict_proba", Datatype::Fp64, vec![-1, -1]));
    }
    Signature { outputs, ..exported(file, known) }
}

/// Scores all rows by each model of a server, and returns the number of models.
async fn gives_the_predictions(
    variable: &str,
    protocol: &Value,
    is_served: impl Fn(&str) -> bool,
    signature_of: impl Fn(&OnnxFile, &TrainedModel) -> Signature,
) -> Option<usize> {
    let Ok(url) = std::env::var(variable) else {
        eprintln!("skipped: {variable} is not set; `cargo xtask servers` starts such a server");
        return None;
    };
    let (mut count, mut worst) = (0, 0.0_f64);
    for (name, known) in models().iter().filter(|(name, _)| is_served(name)) {
        let options = json!({"protocol": protocol, "url": url, "model": name, "timeouts": {"ready": "60s"}});
        let options: ServerOptions<String> = serde_json::from_value(options).unwrap();
        let server = ModelServer::connect(&options.resolve(|_| Err("no secret")).unwrap()).unwrap();
        let file = OnnxFile::read(&folder().join(format!("{name}.onnx"))).unwrap();
        let signature = signature_of(&file, known);
        server.ready().await.unwrap();
        server.check(&signature).await.unwrap();
        let mut answers = Answers::of(name, known);
        for from in (0..ROWS).step_by(BATCH) {
            let rows = BATCH.min(ROWS - from);
            let given = inputs(&file, known, from, rows);
            let scored = server.score(&format!("{name}/{from}"), &given, &signature).await.unwrap();
            assert!(scored.is_complete(), "{name}: {:?} {:?}", scored.rejected.first(), scored.unknown.first());
            answers.add(rows, &scored.outputs);
        }
        answers.check();
        worst = worst.max(answers.worst);
        count += 1;
    }
    println!("measured: {count} models x {ROWS} rows by {protocol}, largest difference {worst:.1e}");
    Some(count)
}

#[tokio::test]
async fn a_real_mlserver_gives_the_predictions_of_training() {
    let is_sklearn = |name: &str| !OTHERS.contains(&name);
    let protocol = json!("kserve_v2");
    let count = gives_the_predictions("SERVING_TEST_MLSERVER_URL", &protocol, is_sklearn, of_sklearn).await;
    assert!(count.is_none_or(|count| count == 11), "{count:?}");
}

#[tokio::test]
async fn a_real_kserve_gives_the_predictions_of_training() {
    for binary in ["never", "always"] {
        let protocol = json!({"kserve_v2": {"binary": binary}});
        let count = gives_the_predictions("SERVING_TEST_KSERVE_URL", &protocol, |_| true, exported).await;
        assert!(count.is_none_or(|count| count == 16), "{count:?}");
    }
}

#[tokio::test]
async fn a_real_triton_gives_the_predictions_of_training() {
    for binary in ["never", "auto"] {
        let protocol = json!({"kserve_v2": {"binary": binary}});
        let count = gives_the_predictions("SERVING_TEST_TRITON_URL", &protocol, |_| true, exported).await;
        assert!(count.is_none_or(|count| count == 16), "{count:?}");
    }
}
