//! One table of cases, run against a mock of every server, and against the real ones that the environment
//! names: `SERVING_TEST_MLSERVER_URL`, `SERVING_TEST_TRITON_URL`, `SERVING_TEST_KSERVE_URL` and
//! `SERVING_TEST_MLFLOW_URL`. `cargo xtask servers` starts them, and runs the tests `a_real_NAME_...` of each.

use es_serving::open_inference::{Datatype, Tensor, TensorData};
use es_serving::server::{Declared, ModelServer, ServerOptions};
use es_serving::{ErrorKind, InputColumn, Signature, TensorSpec};
use serde_json::{Value, json};

use crate::mock::{self, Like, score_of};

/// A server under test.
struct Target {
    protocol: Value,
    url: String,
    /// The name of the output.
    output: &'static str,
    /// The server declares inputs and outputs.
    declares: bool,
    /// An infinity can be sent to it.
    takes_infinity: bool,
    /// A model of another name can be asked for.
    names_models: bool,
}

impl Target {
    fn new(like: Like, url: String) -> Self {
        let protocol = match like {
            Like::MlServer | Like::Triton | Like::Kserve => json!("kserve_v2"),
            Like::TritonJson => json!({"kserve_v2": {"binary": "never"}}),
            Like::KserveBinary => json!({"kserve_v2": {"binary": "always"}}),
            Like::KserveV1 => json!("kserve_v1"),
            Like::TfRows => json!("tf_serving"),
            Like::TfColumns => json!({"tf_serving": {"form": "columns"}}),
            Like::Mlflow => json!("mlflow"),
            Like::Torchserve => json!("torchserve"),
        };
        Self {
            protocol,
            url,
            output: if like == Like::MlServer { "predict" } else { "score" },
            declares: !matches!(like, Like::MlServer | Like::KserveV1 | Like::Mlflow | Like::Torchserve),
            takes_infinity: !matches!(like, Like::MlServer | Like::KserveV1),
            names_models: like != Like::Mlflow,
        }
    }

    fn options(&self, model: &str) -> ServerOptions {
        let options = json!({
            "protocol": self.protocol, "url": self.url, "model": model,
            "timeouts": {"ready": "30s"}, "retries": {"first_wait": "1ms"},
        });
        let options: ServerOptions<String> = serde_json::from_value(options).unwrap();
        options.resolve(|_| Err("no secret")).unwrap()
    }

    fn server(&self) -> ModelServer {
        ModelServer::connect(&self.options("linear")).unwrap()
    }

    fn signature(&self, width: i64, datatype: Datatype) -> Signature {
        let names = ["a", "b", "c"].iter().take(usize::try_from(width).unwrap());
        let column = |name: &&str| InputColumn { name: (*name).to_owned(), datatype, nullable: true };
        let tensor = |name: &str, shape: &[i64]| TensorSpec { name: name.to_owned(), datatype, shape: shape.to_vec() };
        Signature {
            columns: names.map(column).collect(),
            inputs: vec![tensor("rows", &[-1, width])],
            outputs: vec![tensor(self.output, &[-1])],
        }
    }
}

fn rows(numbers: Vec<f64>, width: usize) -> Vec<Tensor> {
    vec![Tensor::new("rows", vec![numbers.len() / width, width], TensorData::Fp64(numbers)).unwrap()]
}

/// Numbers that are never the same twice.
fn numbers(rows: u32) -> Vec<f64> {
    (0..rows * 3).map(|place| f64::from(place) * 0.37 - 100.0).collect()
}

/// Compares the scores of rows with the model's, to the last digits.
fn assert_scores(outputs: &[Tensor], numbers: &[f64], scored: &[usize]) {
    let TensorData::Fp64(found) = outputs[0].data() else { panic!("{outputs:?}") };
    assert_eq!((outputs[0].shape(), found.len()), (&[scored.len()][..], scored.len()));
    for (row, found) in scored.iter().zip(found) {
        let expected = score_of(&numbers[row * 3..row * 3 + 3]);
        assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "row {row}: {found}, expected {expected}");
    }
}

async fn conforms(target: &Target) {
    let server = target.server();
    let signature = target.signature(3, Datatype::Fp64);
    server.ready().await.unwrap();
    compares_the_signature(target, &server).await;
    for count in [1, 1_000] {
        let numbers = numbers(count);
        // The id has characters that need quotation, and one that no header can have.
        let scored = server.score("run \"7\"/ä:1", &rows(numbers.clone(), 3), &signature).await.unwrap();
        assert!(scored.is_complete(), "{:?}", scored.rejected);
        assert_scores(&scored.outputs, &numbers, &scored.scored);
    }
    takes_missing_numbers(&server, &signature).await;
    rejects_the_row_at_fault_alone(target, &server, &signature).await;
    refuses_what_concerns_every_row(target).await;
    scores_side_by_side(&server, &signature).await;
    if target.protocol == "mlflow" {
        takes_a_tensor_for_each_column(target, &server).await;
    }
}

async fn compares_the_signature(target: &Target, server: &ModelServer) {
    let described = server.check(&target.signature(3, Datatype::Fp64)).await.unwrap();
    assert_eq!(matches!(described.inputs, Declared::Tensors(_)), target.declares, "{described:?}");
    let other = server.check(&target.signature(3, Datatype::Fp32)).await;
    match target.declares {
        true => {
            let message = "the input rows of the server's model is FP64 [-1, 3], expected FP32 [-1, 3]";
            assert_eq!(other.unwrap_err().to_string(), message);
        }
        false => assert_eq!(other.unwrap().inputs, Declared::NotDeclared),
    }
}

async fn takes_missing_numbers(server: &ModelServer, signature: &Signature) {
    let numbers = vec![1.0, f64::NAN, 3.0, f64::NAN, f64::NAN, f64::NAN, 4.0, 5.0, 6.0];
    let scored = server.score("missing", &rows(numbers.clone(), 3), signature).await.unwrap();
    assert_eq!(scored.scored, [0, 1, 2]);
    assert_scores(&scored.outputs, &numbers, &scored.scored);
}

async fn rejects_the_row_at_fault_alone(target: &Target, server: &ModelServer, signature: &Signature) {
    // A score that is infinite.
    let mut given = numbers(20);
    given[15..18].fill(1e308);
    let scored = server.score("overflow", &rows(given.clone(), 3), signature).await.unwrap();
    assert_eq!((scored.rejected.len(), scored.rejected[0].row, scored.rows()), (1, 5, 20));
    assert!(scored.rejected[0].reason.contains("expected a number"), "{}", scored.rejected[0].reason);
    assert_scores(&scored.outputs, &given, &scored.scored);

    // A row with which the model fails, and with it the batch.
    let mut given = numbers(20);
    given[15] = f64::INFINITY;
    let scored = server.score("poison", &rows(given.clone(), 3), signature).await.unwrap();
    assert_eq!((scored.rejected.len(), scored.rejected[0].row, scored.rows()), (1, 5, 20));
    let expected = if target.takes_infinity { "infinity" } else { "an infinite number, which" };
    assert!(scored.rejected[0].reason.contains(expected), "{}", scored.rejected[0].reason);
    assert_scores(&scored.outputs, &given, &scored.scored);
}

async fn refuses_what_concerns_every_row(target: &Target) {
    let narrow = target.signature(2, Datatype::Fp64);
    for count in [1_usize, 40] {
        let given = rows((0..count * 2).map(|place| place as f64).collect(), 2);
        let error = target.server().score("narrow", &given, &narrow).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    }
    let error = target.server().score("narrow", &rows(numbers(2), 3), &narrow).await.unwrap_err();
    assert_eq!(error.to_string(), "tensor rows is FP64 [2, 3], and the model takes FP64 [-1, 2]");

    if target.names_models {
        let mut options = target.options("nope");
        let signature = target.signature(3, Datatype::Fp64);
        let error =
            ModelServer::connect(&options).unwrap().score("nope", &rows(numbers(2), 3), &signature).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownModel, "{error}");
        // TorchServe tells about no model but over its management API.
        if target.protocol != "torchserve" {
            options.timeouts.ready = "1s".parse().unwrap();
            let error = ModelServer::connect(&options).unwrap().ready().await.unwrap_err();
            // Triton says that the model is not ready.
            assert!(matches!(error.kind(), ErrorKind::UnknownModel | ErrorKind::NotReady), "{error}");
        }
    }
}

async fn takes_a_tensor_for_each_column(target: &Target, server: &ModelServer) {
    let mut signature = target.signature(3, Datatype::Fp64);
    let tensor = |name: &str| TensorSpec { name: name.to_owned(), datatype: Datatype::Fp64, shape: vec![-1, 1] };
    signature.inputs = ["a", "b", "c"].map(tensor).into();
    let numbers = numbers(30);
    let column = |place: usize| TensorData::Fp64(numbers.iter().skip(place).step_by(3).copied().collect());
    // In another order than the model's, which takes them by name.
    let inputs = [("c", 2), ("a", 0), ("b", 1)];
    let inputs = inputs.map(|(name, place)| Tensor::new(name, vec![30, 1], column(place)).unwrap());
    let scored = server.score("columns", &inputs, &signature).await.unwrap();
    assert!(scored.is_complete(), "{:?}", scored.rejected);
    assert_scores(&scored.outputs, &numbers, &scored.scored);
}

async fn scores_side_by_side(server: &ModelServer, signature: &Signature) {
    let batches = (0..8_u32).map(|number| async move {
        let numbers: Vec<f64> = numbers(50).into_iter().map(|one| one + f64::from(number)).collect();
        let scored = server.score(&format!("side {number}"), &rows(numbers.clone(), 3), signature).await.unwrap();
        assert!(scored.is_complete());
        assert_scores(&scored.outputs, &numbers, &scored.scored);
    });
    futures::future::join_all(batches).await;
}

async fn against_a_mock(like: Like) {
    let server = mock::start(like).await;
    conforms(&Target::new(like, server.uri())).await;
}

/// Runs the cases against a real server where there is one.
async fn against_the_real(variable: &str, likes: &[Like]) {
    let Ok(url) = std::env::var(variable) else {
        eprintln!("skipped: {variable} is not set; `cargo xtask servers` starts such a server");
        return;
    };
    for like in likes {
        conforms(&Target::new(*like, url.clone())).await;
    }
}

async fn knows_no_versions(variable: &str) {
    let Ok(url) = std::env::var(variable) else { return };
    let mut options = Target::new(Like::Kserve, url).options("linear");
    options.version = Some("1".to_owned());
    let error = ModelServer::connect(&options).unwrap().ready().await.unwrap_err();
    assert!(error.to_string().ends_with("status 501: Model versioning not supported yet."), "{error}");
}

#[tokio::test]
async fn the_imitation_of_mlserver_conforms() {
    against_a_mock(Like::MlServer).await;
}

#[tokio::test]
async fn the_imitation_of_triton_conforms() {
    against_a_mock(Like::Triton).await;
    against_a_mock(Like::TritonJson).await;
}

#[tokio::test]
async fn the_imitation_of_kserve_conforms() {
    against_a_mock(Like::Kserve).await;
    against_a_mock(Like::KserveBinary).await;
    against_a_mock(Like::KserveV1).await;
}

#[tokio::test]
async fn the_imitation_of_tensorflow_serving_conforms() {
    against_a_mock(Like::TfRows).await;
    against_a_mock(Like::TfColumns).await;
}

#[tokio::test]
async fn the_imitation_of_mlflow_conforms() {
    against_a_mock(Like::Mlflow).await;
}

#[tokio::test]
async fn the_imitation_of_torchserve_conforms() {
    against_a_mock(Like::Torchserve).await;
}

#[tokio::test]
async fn a_real_mlserver_conforms() {
    against_the_real("SERVING_TEST_MLSERVER_URL", &[Like::MlServer]).await;
}

#[tokio::test]
async fn a_real_triton_conforms() {
    against_the_real("SERVING_TEST_TRITON_URL", &[Like::Triton, Like::TritonJson]).await;
}

#[tokio::test]
async fn a_real_kserve_conforms() {
    knows_no_versions("SERVING_TEST_KSERVE_URL").await;
    against_the_real("SERVING_TEST_KSERVE_URL", &[Like::Kserve, Like::KserveBinary, Like::KserveV1]).await;
}

#[tokio::test]
async fn a_real_mlflow_conforms() {
    against_the_real("SERVING_TEST_MLFLOW_URL", &[Like::Mlflow]).await;
}
