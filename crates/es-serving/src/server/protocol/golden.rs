//! Requests as they go out, and answers as they came in: recorded from MLServer 1.7.1, Triton 2.51,
//! KServe 0.21.0 and MLflow 3.17.2 by `tests/servers`, and written from their documents for TensorFlow
//! Serving and TorchServe.

use super::*;
use crate::open_inference::{Datatype, TensorData};
use crate::server::described::Declared;
use crate::signature::{InputColumn, TensorSpec};

fn spec(name: &str, datatype: Datatype, shape: &[i64]) -> TensorSpec {
    TensorSpec { name: name.to_owned(), datatype, shape: shape.to_vec() }
}

/// One matrix of three columns, and the output `score`.
fn signature() -> Signature {
    let column = |name: &str| InputColumn { name: name.to_owned(), datatype: Datatype::Fp64, nullable: true };
    Signature {
        columns: ["a", "b", "c"].map(column).into(),
        inputs: vec![spec("rows", Datatype::Fp64, &[-1, 3])],
        outputs: vec![spec("score", Datatype::Fp64, &[-1])],
    }
}

fn rows(numbers: &[f64]) -> Vec<Tensor> {
    vec![Tensor::new("rows", vec![numbers.len() / 3, 3], TensorData::Fp64(numbers.to_vec())).unwrap()]
}

/// Two inputs of one column each, of which one is text.
fn columns() -> Vec<Tensor> {
    vec![
        Tensor::new("a", vec![2, 1], TensorData::Fp32(vec![0.5, f32::NAN])).unwrap(),
        Tensor::new("b", vec![2], TensorData::Bytes(vec!["x".to_owned(), "\"".to_owned()])).unwrap(),
    ]
}

fn product(name: &str, extensions: &[&str]) -> Product {
    let extensions = extensions.iter().map(|extension| (*extension).to_owned()).collect();
    Product { name: name.to_owned(), version: "1".to_owned(), extensions }
}

fn protocol(text: &str) -> Protocol {
    serde_json::from_str(text).unwrap()
}

fn sent(text: &str, version: Option<&str>, inputs: &[Tensor], product: &Product) -> (String, String) {
    let call = protocol(text).wire("linear", version).request("r:7", inputs, &signature(), product).unwrap();
    assert!(call.headers.contains(&("x-request-id", "r:7".to_owned())));
    (call.path.join("/"), String::from_utf8_lossy(&call.body.unwrap()).into_owned())
}

fn reply(body: &str) -> Reply {
    Reply { status: 200, body: body.as_bytes().to_vec().into(), ..Reply::default() }
}

fn numbers(answer: Result<Vec<Tensor>, Fault>) -> Result<String, Fault> {
    answer.map(|tensors| format!("{:?}", tensors.into_iter().map(Tensor::into_data).collect::<Vec<_>>()))
}

#[test]
fn each_protocol_writes_rows_in_its_own_form() {
    let none = Product::default();
    let missing = rows(&[1.0, f64::NAN, 3.0]);
    let v2 = |data: &str| {
        format!(
            r#"{{"id":"r:7","inputs":[{{"name":"rows","shape":[1,3],"datatype":"FP64","data":{data}}}],"outputs":[{{"name":"score"}}]}}"#
        )
    };
    let table = [
        (r#""kserve_v2""#, None, product("mlserver", &[]), "v2/models/linear/infer", v2("[1.0,null,3.0]")),
        (r#""kserve_v2""#, Some("3"), product("kserve", &[]), "v2/models/linear/versions/3/infer", v2("[1.0,NaN,3.0]")),
        (
            r#"{"kserve_v2": {"binary": "never"}}"#,
            None,
            product("triton", &["binary_tensor_data"]),
            "v2/models/linear/infer",
            v2("[1.0,NaN,3.0]"),
        ),
        (
            r#"{"kserve_v2": {"missing_numbers": "null"}}"#,
            None,
            none.clone(),
            "v2/models/linear/infer",
            v2("[1.0,null,3.0]"),
        ),
        (
            r#""tf_serving""#,
            None,
            none.clone(),
            "v1/models/linear:predict",
            r#"{"instances":[[1.0,NaN,3.0]]}"#.to_owned(),
        ),
        (
            r#"{"tf_serving": {"form": "columns", "signature_name": "late"}}"#,
            Some("3"),
            none.clone(),
            "v1/models/linear/versions/3:predict",
            r#"{"signature_name":"late","inputs":{"rows":[[1.0,NaN,3.0]]}}"#.to_owned(),
        ),
        (
            r#"{"tf_serving": {"label": "stable"}}"#,
            None,
            none.clone(),
            "v1/models/linear/labels/stable:predict",
            r#"{"instances":[[1.0,NaN,3.0]]}"#.to_owned(),
        ),
        (
            r#""kserve_v1""#,
            None,
            none.clone(),
            "v1/models/linear:predict",
            r#"{"instances":[[1.0,null,3.0]]}"#.to_owned(),
        ),
        (
            r#""mlflow""#,
            None,
            none.clone(),
            "invocations",
            r#"{"dataframe_split":{"columns":["a","b","c"],"data":[[1.0,NaN,3.0]]}}"#.to_owned(),
        ),
        (
            r#""torchserve""#,
            Some("2.0"),
            none.clone(),
            "predictions/linear/2.0",
            r#"{"instances":[[1.0,NaN,3.0]]}"#.to_owned(),
        ),
        (r#"{"torchserve": {"envelope": "none"}}"#, None, none, "predictions/linear", "[[1.0,NaN,3.0]]".to_owned()),
    ];
    for (protocol, version, product, path, body) in table {
        assert_eq!(sent(protocol, version, &missing, &product), (path.to_owned(), body), "{protocol}");
    }
}

#[test]
fn several_inputs_are_members_of_a_row_or_columns() {
    let none = Product::default();
    let table = [
        (r#""tf_serving""#, r#"{"instances":[{"a":[0.5],"b":"x"},{"a":[NaN],"b":"\""}]}"#),
        (r#"{"tf_serving": {"form": "columns"}}"#, r#"{"inputs":{"a":[[0.5],[NaN]],"b":["x","\""]}}"#),
        (r#""mlflow""#, r#"{"dataframe_split":{"columns":["a","b"],"data":[[0.5,"x"],[NaN,"\""]]}}"#),
        (r#""kserve_v1""#, r#"{"instances":[{"a":[0.5],"b":"x"},{"a":[null],"b":"\""}]}"#),
    ];
    for (protocol, body) in table {
        assert_eq!(sent(protocol, None, &columns(), &none).1, body);
    }
}

#[test]
fn binary_tensors_stand_after_the_head_whose_length_is_told() {
    let wire = protocol(r#""kserve_v2""#).wire("linear", None);
    let triton = product("triton", &["binary_tensor_data"]);
    let call = wire.request("r:7", &rows(&[1.0, f64::NAN, 3.0]), &signature(), &triton).unwrap();
    let head = concat!(
        r#"{"id":"r:7","inputs":[{"name":"rows","shape":[1,3],"datatype":"FP64","parameters":{"binary_data_size":24}}],"#,
        r#""outputs":[{"name":"score","parameters":{"binary_data":true}}]}"#
    );
    let raw: Vec<u8> = [1.0, f64::NAN, 3.0].iter().flat_map(|number: &f64| number.to_le_bytes()).collect();
    assert_eq!(call.body.as_deref(), Some(&[head.as_bytes(), &raw].concat()[..]));
    assert_eq!(call.content_type, "application/octet-stream");
    assert!(call.headers.contains(&(binary::HEADER, head.len().to_string())));
}

#[test]
fn a_number_that_a_server_does_not_take_is_refused_by_name() {
    let infinite = rows(&[1.0, f64::INFINITY, 3.0]);
    let table = [
        (
            r#""kserve_v2""#,
            product("mlserver", &[]),
            &infinite,
            "an infinite number, which MLServer is not known to take",
        ),
        (
            r#""kserve_v2""#,
            product("", &[]),
            &rows(&[f64::NAN, 1.0, 1.0]),
            "a missing number (NaN), which this server is not known to take",
        ),
        (
            r#""kserve_v1""#,
            Product::default(),
            &infinite,
            "an infinite number, which KServe (version 1) is not known to take",
        ),
    ];
    for (text, product, inputs, message) in table {
        let error = protocol(text).wire("linear", None).request("r", inputs, &signature(), &product).unwrap_err();
        let expected = if message.contains("missing") { ErrorKind::Unsupported } else { ErrorKind::Tensor };
        assert_eq!(error.kind(), expected);
        assert!(error.to_string().ends_with(message), "{error}");
    }
}

#[test]
fn recorded_answers_are_read_by_name() {
    let two = r#"[Fp64([14.5, 32.5])]"#;
    let table = [
        // MLServer
        (
            r#""kserve_v2""#,
            r#"{"model_name":"linear","model_version":"3","id":"r:7","parameters":{},"outputs":[{"name":"score","shape":[2,1],"datatype":"FP64","parameters":{"content_type":"np"},"data":[14.5,32.5]}]}"#,
            two,
        ),
        // Triton
        (
            r#""kserve_v2""#,
            r#"{"id":"r:7","model_name":"linear","model_version":"1","outputs":[{"name":"score","datatype":"FP64","shape":[2,1],"data":[14.5,Infinity]}]}"#,
            "[Fp64([14.5, inf])]",
        ),
        // KServe
        (
            r#""kserve_v2""#,
            r#"{"model_name":"linear","model_version":null,"id":"r:7","parameters":null,"outputs":[{"name":"score","shape":[2,1],"datatype":"FP64","parameters":null,"data":[14.5,null]}]}"#,
            "[Fp64([14.5, NaN])]",
        ),
        (r#""kserve_v1""#, r#"{"predictions":[14.5,32.5]}"#, two),
        (r#""mlflow""#, r#"{"predictions": [14.5, Infinity]}"#, "[Fp64([14.5, inf])]"),
        (r#""mlflow""#, r#"{"predictions": [{"score": 14.5}, {"score": 32.5}]}"#, two),
        (r#""tf_serving""#, "{\n    \"predictions\": [[14.5], [32.5]]\n}", two),
        (r#"{"tf_serving": {"form": "columns"}}"#, r#"{"outputs": [14.5, NaN]}"#, "[Fp64([14.5, NaN])]"),
        (r#"{"tf_serving": {"form": "columns"}}"#, r#"{"outputs": {"score": [14.5, 32.5], "more": [1]}}"#, two),
        (r#""torchserve""#, r#"{"predictions": [14.5, 32.5]}"#, two),
        (r#"{"torchserve": {"envelope": "none"}}"#, "[14.5, 32.5]", two),
    ];
    for (text, body, expected) in table {
        let answer = protocol(text).wire("linear", None).answer("r:7", &reply(body), 2, &signature());
        assert_eq!(numbers(answer).as_deref(), Ok(expected), "{body}");
    }
}

#[test]
fn an_answer_in_binary_is_read_past_its_head() {
    // Triton
    let head = r#"{"id":"r:7","model_name":"linear","model_version":"1","outputs":[{"name":"score","datatype":"FP64","shape":[2,1],"parameters":{"binary_data_size":16}}]}"#;
    let raw = b"\x00\x00\x00\x00\x00\x00%@\x00\x00\x00\x00\x00@@@";
    let whole = [head.as_bytes(), raw].concat();
    let wire = protocol(r#""kserve_v2""#).wire("linear", None);
    let answer = |length: usize, body: &[u8]| {
        let reply = Reply { header_length: Some(length), body: body.to_vec().into(), ..reply("") };
        numbers(wire.answer("r:7", &reply, 2, &signature()))
    };
    assert_eq!(answer(head.len(), &whole).as_deref(), Ok("[Fp64([10.5, 32.5])]"));
    let table = [
        (head.len(), &whole[..whole.len() - 1], "the output score has 15 bytes, expected 16"),
        (whole.len() + 1, &whole[..], "the answer ends before byte 169 of its head"),
        (head.len(), &[&whole[..], b"x"].concat(), "the answer has 1 bytes after its last tensor"),
    ];
    for (length, body, fault) in table {
        assert_eq!(answer(length, body), Err(Fault::rows(fault)));
    }
}

#[test]
fn an_answer_to_something_else_is_a_fault_and_never_a_shift() {
    let v2 = |id: &str, outputs: &str| format!(r#"{{"id":"{id}","model_name":"linear","outputs":[{outputs}]}}"#);
    let score = |shape: &str, datatype: &str, data: &str| {
        format!(r#"{{"name":"score","shape":{shape},"datatype":"{datatype}","data":{data}}}"#)
    };
    let good = score("[2]", "FP64", "[1.0,2.0]");
    let table = [
        (v2("r:8", &good), Fault::rows("the answer has the id \"r:8\", expected \"r:7\"")),
        (v2("r:7", &score("[1]", "FP64", "[1.0]")), Fault::rows("the output score has 1 rows, expected 2")),
        (v2("r:7", &score("[3]", "FP64", "[1.0,2.0,3.0]")), Fault::rows("the output score has 3 rows, expected 2")),
        (
            v2("r:7", &score("[2]", "FP64", "[1.0]")),
            Fault::rows("tensor score has the shape [2], expected 2 elements, found 1"),
        ),
        (
            v2("r:7", &score("[2,2]", "FP64", "[1,2,3,4]")),
            Fault::model("the output score has the shape [2, 2], expected [-1]"),
        ),
        (v2("r:7", &score("[2]", "INT64", "[1,2]")), Fault::model("the output score is INT64, expected FP64")),
        (v2("r:7", &good.replace("score", "label")), Fault::model("the answer has no output score: it has label")),
        (v2("r:7", &format!("{good},{good}")), Fault::model("the answer has two outputs named score")),
        (r#"{"error": "busy"}"#.to_owned(), Fault::rows("the answer has no outputs: busy")),
    ];
    let wire = protocol(r#""kserve_v2""#).wire("linear", None);
    for (body, fault) in table {
        assert_eq!(numbers(wire.answer("r:7", &reply(&body), 2, &signature())), Err(fault), "{body}");
    }
    let html = wire.answer("r:7", &reply("<html>login</html>"), 2, &signature()).unwrap_err();
    assert!(matches!(html, Fault::Rows(reason) if reason.ends_with("`<html>login</html>`")));

    let table = [
        (r#""kserve_v1""#, r#"{"predictions":[1.0]}"#, Fault::rows("the answer has 1 rows, expected 2")),
        (
            r#""mlflow""#,
            r#"{"predictions":[{"p": 1}, {"p": 2}]}"#,
            Fault::model("the answer has no output score: it has p"),
        ),
        (r#""mlflow""#, r#"{"outputs":[1, 2]}"#, Fault::rows(r#"the answer has no predictions: `{"outputs":[1, 2]}`"#)),
        (
            r#"{"tf_serving": {"form": "columns"}}"#,
            r#"{"outputs":[1]}"#,
            Fault::rows("the output score has 1 rows, expected 2"),
        ),
        (r#"{"torchserve": {"envelope": "none"}}"#, r#"{"code": 1}"#, Fault::rows("the answer has no list of rows")),
    ];
    for (text, body, fault) in table {
        let answer = protocol(text).wire("linear", None).answer("r:7", &reply(body), 2, &signature());
        assert_eq!(numbers(answer), Err(fault), "{body}");
    }
}

#[test]
fn metadata_is_read_or_not_declared() {
    let v2 = protocol(r#""kserve_v2""#).wire("linear", None);
    let tensors = |name: &str, shape: &[i64]| Declared::Tensors(vec![spec(name, Datatype::Fp64, shape)]);
    // Triton
    let triton = r#"{"name":"linear","versions":["1"],"platform":"python","inputs":[{"name":"rows","datatype":"FP64","shape":[-1,3]}],"outputs":[{"name":"score","datatype":"FP64","shape":[-1,1]}]}"#;
    let described = v2.read_metadata(&reply(triton)).unwrap();
    assert_eq!(described, Described { inputs: tensors("rows", &[-1, 3]), outputs: tensors("score", &[-1, 1]) });
    // MLServer
    let mlserver = r#"{"name":"linear","versions":[],"platform":"","inputs":[],"outputs":[],"parameters":{}}"#;
    assert_eq!(v2.read_metadata(&reply(mlserver)).unwrap(), Described::NOTHING);

    let tf = r#"{"model_spec":{"name":"linear","signature_name":"","version":"3"},"metadata":{"signature_def":{"signature_def":{"serving_default":{
        "inputs":{"rows":{"dtype":"DT_DOUBLE","tensor_shape":{"dim":[{"size":"-1","name":""},{"size":"3","name":""}],"unknown_rank":false},"name":"x:0"}},
        "outputs":{"score":{"dtype":"DT_DOUBLE","tensor_shape":{"dim":[{"size":"-1","name":""}],"unknown_rank":false},"name":"y:0"}},
        "method_name":"tensorflow/serving/predict"}}}}}"#;
    let wire = protocol(r#""tf_serving""#).wire("linear", None);
    let described = wire.read_metadata(&reply(tf)).unwrap();
    assert_eq!(described, Described { inputs: tensors("rows", &[-1, 3]), outputs: tensors("score", &[-1]) });
    let other = protocol(r#"{"tf_serving": {"signature_name": "late"}}"#).wire("linear", None);
    let error = other.read_metadata(&reply(tf)).unwrap_err();
    assert_eq!(error.to_string(), "the server's model has no serving signature late");
    assert_eq!(error.help(), Some("its serving signatures are serving_default"));
}

#[test]
fn a_model_that_is_not_ready_is_told_by_its_state() {
    let table = [
        (r#""kserve_v2""#, "", None),
        (r#""kserve_v2""#, r#"{"name":"linear","ready":true}"#, None),
        (r#""kserve_v2""#, r#"{"name":"linear","ready":false}"#, Some("it says `\"ready\": false`")),
        (r#""kserve_v1""#, r#"{"name":"linear","ready":true}"#, None),
        (r#""kserve_v1""#, r#"{"name":"linear","ready":"False"}"#, Some("it says `\"ready\": \"False\"`")),
        (
            r#""tf_serving""#,
            r#"{"model_version_status":[{"version":"123","state":"LOADING"}]}"#,
            Some("its versions are LOADING"),
        ),
        (r#""tf_serving""#, r#"{"model_version_status":[{"version":"123","state":"AVAILABLE"}]}"#, None),
        (r#""torchserve""#, r#"{"status": "Healthy"}"#, None),
        (r#""torchserve""#, r#"{"status": "Partial Healthy"}"#, Some("it says `Partial Healthy`")),
    ];
    for (text, body, expected) in table {
        let found = protocol(text).wire("linear", None).not_ready(&reply(body));
        assert_eq!(found.as_deref(), expected, "{text} {body}");
    }
}
