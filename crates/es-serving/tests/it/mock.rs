//! Model servers in this process, which answer as the real ones were measured to, or as the documents of
//! TensorFlow Serving and TorchServe say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

/// A server to imitate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Like {
    MlServer,
    Triton,
    /// Without binary tensors.
    TritonJson,
    Kserve,
    /// With binary tensors.
    KserveBinary,
    KserveV1,
    TfRows,
    TfColumns,
    Mlflow,
    Torchserve,
}

/// Starts a server with the model `linear`.
pub(crate) async fn start(like: Like) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(matchers::any()).respond_with(Imitation(like)).mount(&server).await;
    server
}

/// Starts a server whose answers to requests for scores are made by `answer`, from their number (from 0)
/// and the right answer; it describes itself as MLServer does.
pub(crate) async fn start_with(
    answer: impl Fn(usize, &Request, ResponseTemplate) -> ResponseTemplate + Send + Sync + 'static,
) -> (MockServer, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let server = MockServer::start().await;
    let counted = count.clone();
    let respond = move |request: &Request| {
        let right = Imitation(Like::MlServer).respond(request);
        match request.method.as_str() {
            "POST" => answer(counted.fetch_add(1, Ordering::SeqCst), request, right),
            _ => right,
        }
    };
    Mock::given(matchers::any()).respond_with(respond).mount(&server).await;
    (server, count)
}

/// The model: zero for a missing number.
pub(crate) fn score_of(row: &[f64]) -> f64 {
    let value = |place: usize| if row[place].is_nan() { 0.0 } else { row[place] };
    0.5 + value(0) + 2.0 * value(1) + 3.0 * value(2)
}

struct Imitation(Like);

impl Respond for Imitation {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let path = request.url.path();
        if path.contains("nope") {
            return error(404, &json!({"error": "Request for unknown model: 'nope' is not found"}));
        }
        if request.method.as_str() == "GET" { self.describe(path) } else { self.score(request) }
    }
}

fn error(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

impl Imitation {
    fn describe(&self, path: &str) -> ResponseTemplate {
        let tensors = |role: &str| match (self.0, role) {
            (Like::MlServer, _) => json!([]),
            (_, "inputs") => json!([{"name": "rows", "datatype": "FP64", "shape": [-1, 3]}]),
            _ => json!([{"name": "score", "datatype": "FP64", "shape": [-1, 1]}]),
        };
        let info = |sizes: &[&str]| {
            let dims: Vec<Value> = sizes.iter().map(|size| json!({"size": size, "name": ""})).collect();
            json!({"dtype": "DT_DOUBLE", "tensor_shape": {"dim": dims, "unknown_rank": false}})
        };
        let body = match (self.0, path) {
            (Like::MlServer, "/v2") => json!({"name": "mlserver", "version": "1.7.1", "extensions": []}),
            (Like::Triton | Like::TritonJson, "/v2") => {
                json!({"name": "triton", "version": "2.51.0", "extensions": ["binary_tensor_data"]})
            }
            (Like::Kserve | Like::KserveBinary, "/v2") => {
                json!({"name": "kserve", "version": "0.21.0", "extensions": ["model_repository_extension"]})
            }
            (_, "/v2/models/linear") => {
                json!({"name": "linear", "inputs": tensors("inputs"), "outputs": tensors("outputs")})
            }
            (_, "/v1/models/linear/metadata") => {
                json!({"metadata": {"signature_def": {"signature_def": {"serving_default": {
                    "inputs": {"rows": info(&["-1", "3"])}, "outputs": {"score": info(&["-1"])},
                }}}}})
            }
            (Like::KserveV1, "/v1/models/linear") => json!({"name": "linear", "ready": true}),
            (_, "/v1/models/linear") => json!({"model_version_status": [{"version": "3", "state": "AVAILABLE"}]}),
            (Like::Torchserve, "/ping") => json!({"status": "Healthy"}),
            (_, "/ping" | "/" | "/v2/health/live" | "/v2/models/linear/ready") => return ResponseTemplate::new(200),
            _ => return error(404, &json!({"error": format!("no {path}")})),
        };
        ResponseTemplate::new(200).set_body_json(body)
    }

    fn score(&self, request: &Request) -> ResponseTemplate {
        let length = request.headers.get("inference-header-content-length");
        let length = length.map_or(request.body.len(), |length| length.to_str().unwrap().parse().unwrap());
        let (head, raw) = request.body.split_at(length);
        let head = String::from_utf8(head.to_vec()).unwrap();
        if matches!(self.0, Like::MlServer | Like::KserveV1) && (head.contains("NaN") || head.contains("Infinity")) {
            return error(422, &json!({"detail": [{"type": "json_invalid"}]}));
        }
        let head = head.replace("-Infinity", "1e999").replace("Infinity", "1e999").replace("NaN", "null");
        // No number is as large as this one, which stands for an infinity.
        let body: Value = serde_json::from_str(&head.replace("1e999", "1.7e308")).unwrap();
        let (width, numbers) = self.numbers(&body, raw);
        if width != 3 {
            let words = format!("ValueError : X has {width} features, but Linear is expecting 3 features as input.");
            return match self.0 {
                Like::MlServer => {
                    ResponseTemplate::new(500).set_body_string(format!("Traceback (most recent call last):\n{words}"))
                }
                Like::Triton | Like::TritonJson => error(
                    400,
                    &json!({"error": format!("unexpected shape for input 'rows' for model 'linear'. Expected [-1,3], got [1,{width}].")}),
                ),
                Like::Mlflow => {
                    error(400, &json!({"error_code": "BAD_REQUEST", "message": "Model is missing inputs ['c']."}))
                }
                _ => error(500, &json!({"error": words})),
            };
        }
        if numbers.iter().any(|number| *number >= 1.7e308) {
            return match self.0 {
                Like::Mlflow => error(
                    400,
                    &json!({"message": "cannot evaluate", "stack_trace": "ValueError: Input X contains infinity\n"}),
                ),
                _ => error(500, &json!({"error": "ValueError : Input X contains infinity"})),
            };
        }
        let scores: Vec<f64> = numbers.chunks(3).map(score_of).collect();
        self.answer(&body, &scores)
    }

    /// The rows of a request as one list, and their width.
    fn numbers(&self, body: &Value, raw: &[u8]) -> (usize, Vec<f64>) {
        fn flat(value: &Value, numbers: &mut Vec<f64>) {
            match value {
                Value::Array(list) => list.iter().for_each(|one| flat(one, numbers)),
                number => numbers.push(number.as_f64().unwrap_or(f64::NAN)),
            }
        }
        let rows = match self.0 {
            Like::MlServer | Like::Triton | Like::TritonJson | Like::Kserve | Like::KserveBinary => {
                let input = &body["inputs"][0];
                let width = usize::try_from(input["shape"][1].as_u64().unwrap()).unwrap();
                let mut numbers = Vec::new();
                match raw {
                    [] => flat(&input["data"], &mut numbers),
                    raw => {
                        let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap());
                        numbers = raw.chunks(8).map(number).map(|number| number.min(1.7e308)).collect();
                        // The least of NaN and a number is the number.
                        let missing = raw.chunks(8).map(|bytes| number(bytes).is_nan());
                        numbers
                            .iter_mut()
                            .zip(missing)
                            .filter(|(_, missing)| *missing)
                            .for_each(|(one, _)| *one = f64::NAN);
                    }
                }
                return (width, numbers);
            }
            Like::KserveV1 | Like::TfRows | Like::Torchserve => &body["instances"],
            Like::TfColumns => &body["inputs"]["rows"],
            Like::Mlflow => &body["dataframe_split"]["data"],
        };
        let mut numbers = Vec::new();
        flat(rows, &mut numbers);
        let width = numbers.len() / rows.as_array().unwrap().len();
        if self.0 == Like::Mlflow && width == 3 {
            // Columns by name.
            let columns = body["dataframe_split"]["columns"].as_array().unwrap();
            let place = |name: &str| columns.iter().position(|column| column == name).unwrap();
            let order = [place("a"), place("b"), place("c")];
            numbers = numbers.chunks(3).flat_map(|row| order.map(|place| row[place])).collect();
        }
        (width, numbers)
    }

    fn answer(&self, body: &Value, scores: &[f64]) -> ResponseTemplate {
        let words = !matches!(self.0, Like::MlServer | Like::Kserve | Like::KserveBinary | Like::KserveV1);
        let written: Vec<String> = scores
            .iter()
            .map(|score| match score.is_finite() {
                true => json!(score).to_string(),
                false if words => "Infinity".to_owned(),
                false => "null".to_owned(),
            })
            .collect();
        let list = format!("[{}]", written.join(","));
        let text = match self.0 {
            Like::MlServer | Like::Triton | Like::TritonJson | Like::Kserve | Like::KserveBinary => {
                let binary = body["outputs"][0]["parameters"]["binary_data"] == json!(true);
                let name = body["outputs"][0]["name"].as_str().unwrap();
                let id = &body["id"];
                let rows = scores.len();
                let data = match binary {
                    true => format!(r#""parameters":{{"binary_data_size":{}}}"#, rows * 8),
                    false => format!(r#""data":{list}"#),
                };
                let head = format!(
                    r#"{{"model_name":"linear","id":{id},"outputs":[{{"name":"{name}","datatype":"FP64","shape":[{rows},1],{data}}}]}}"#
                );
                if binary {
                    let raw: Vec<u8> = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
                    return ResponseTemplate::new(200)
                        .insert_header("inference-header-content-length", head.len().to_string().as_str())
                        .set_body_raw([head.as_bytes(), &raw].concat(), "application/octet-stream");
                }
                head
            }
            Like::TfColumns => format!(r#"{{"outputs":{list}}}"#),
            _ => format!(r#"{{"predictions":{list}}}"#),
        };
        ResponseTemplate::new(200).set_body_raw(text, "application/json")
    }
}
