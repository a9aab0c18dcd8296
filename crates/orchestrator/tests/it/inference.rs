//! Predictions: they equal those of the libraries that trained the models, every row is accounted for, and a new
//! version of the model makes them stale.

use es_testing::trained::{self, COLUMNS, ROWS, floats, folder, lines};
use serde_json::{Value, json};

use crate::bench::Live;

fn model(live: &Live, name: &str) {
    let file = format!("{name}.onnx");
    live.write(&file, std::fs::read(folder().join(&file)).unwrap());
}

/// A node, where there is ONNX Runtime too.
fn live(name: &str) -> Option<Live> {
    es_testing::onnxruntime()?;
    Live::plain(name)
}

/// The rows as documents: whole ones in `r0` to `r6`, and those that may lack values in `c0` to `c6`.
fn documents(rows: usize) -> String {
    let (whole, missing, texts) = (floats("rows.f32"), floats("missing.f32"), lines("texts.txt"));
    let document = |row: usize| {
        let mut document = json!({"n": row, "origin": texts[row]});
        for column in 0..COLUMNS {
            let (whole, missing) = (whole[row * COLUMNS + column], missing[row * COLUMNS + column]);
            document[format!("r{column}")] = json!(f64::from(whole));
            if !missing.is_nan() {
                document[format!("c{column}")] = json!(f64::from(missing));
            }
        }
        document.to_string() + "\n"
    };
    (0..rows).map(document).collect()
}

const ROWS_ASSET: &str =
    "version: 1\nname: scores\nassets:\n  rows: { kind: ingest, from: { path: rows.ndjson }, id: [n] }\n";

/// The pipeline of the rows with one more asset, `scores`, of one model, `m`.
fn one_model(live: &Live, file: &str, inputs: &str, more: &str) {
    model(live, file);
    live.write(
        "pipeline.yaml",
        format!(
            "{ROWS_ASSET}  scores:\n    kind: inference\n    from: rows\n    model: models:/m@champion\n    \
             write: {{ to: predictions, id: [n] }}\n{more}models:\n  m: {{ file: {file}.onnx, alias: champion, inputs: {inputs} }}\n"
        ),
    );
}

const MISSING: &str = "[c0, c1, c2, c3, c4, c5, c6]";
const WHOLE: &str = "[r0, r1, r2, r3, r4, r5, r6]";

/// The predictions in the order of the rows.
fn predictions(live: &Live, asset: &str) -> Vec<Value> {
    let found = live.search(asset, &json!({"size": ROWS, "sort": "n"}));
    let hits = found["hits"]["hits"].as_array().unwrap_or_else(|| panic!("{found}"));
    hits.iter().map(|hit| hit["_source"].clone()).collect()
}

#[test]
fn predictions_equal_those_of_the_libraries_that_trained_the_models() {
    let Some(live) = live("inference_matrix") else { return };
    live.write("rows.ndjson", documents(ROWS));
    let known = trained::models();
    let (mut assets, mut models) = (String::new(), String::new());
    for (name, one) in &known {
        model(&live, name);
        assets.push_str(&format!(
            "  s_{name}: {{ kind: inference, from: rows, model: \"models:/{name}@champion\", write: {{ to: predictions, id: [n] }}{} }}\n",
            // The file of a net does not tell that its output is probabilities.
            if name == "net" { ", outputs: { probabilities: output }" } else { "" }
        ));
        let inputs = match (one.texts, one.rows.as_str()) {
            (true, _) => String::new(),
            (false, "missing") => format!(", inputs: {MISSING}"),
            (false, _) => format!(", inputs: {WHOLE}"),
        };
        models.push_str(&format!("  {name}: {{ file: {name}.onnx, alias: champion{inputs} }}\n"));
    }
    live.write("pipeline.yaml", format!("{ROWS_ASSET}{assets}models:\n{models}"));
    live.expect(0, &["run"]);
    for (name, one) in &known {
        let (found, expected) = (predictions(&live, &format!("s_{name}")), floats(&format!("{name}.f32")));
        assert_eq!(found.len(), ROWS, "{name}");
        let width = expected.len() / ROWS;
        let labels = match name.as_str() {
            "net" => Vec::new(),
            _ if one.classes.is_some() => lines(&format!("{name}.label.txt")),
            _ => Vec::new(),
        };
        for (row, found) in found.iter().enumerate() {
            assert_eq!((&found["n"], &found["model"], &found["model_version"]), (&json!(row), &json!(name), &json!(1)));
            let numbers: Vec<f64> = match &one.classes {
                None => vec![found["prediction"].as_f64().unwrap()],
                Some(_) => {
                    found["probabilities"].as_object().unwrap().values().map(|one| one.as_f64().unwrap()).collect()
                }
            };
            assert_eq!(numbers.len(), width, "{name}: {found}");
            for (number, expected) in numbers.iter().zip(&expected[row * width..]) {
                let scale = if one.classes.is_some() { 1.0 } else { f64::from(expected.abs().max(1.0)) };
                assert!(
                    (number - f64::from(*expected)).abs() / scale <= 1e-5,
                    "{name}, row {row}: {number} {expected}"
                );
            }
            if let Some(label) = labels.get(row) {
                let predicted = &found["prediction"];
                assert_eq!(predicted.as_str().map_or_else(|| predicted.to_string(), str::to_owned), *label, "{name}");
            }
        }
    }
}

#[test]
fn rows_without_a_value_are_what_the_asset_says() {
    let Some(live) = live("inference_nulls") else { return };
    live.write("rows.ndjson", documents(200));
    let lacking =
        floats("missing.f32")[..200 * COLUMNS].chunks(COLUMNS).filter(|row| row.iter().any(|one| one.is_nan())).count();
    assert!(lacking > 10, "{lacking}");
    one_model(&live, "logistic", MISSING, "");
    live.expect(0, &["run", "rows"]);
    let shown = live.run(&["run"]);
    assert!(shown.stderr.contains("the model needs a value of `c1`"), "{}", shown.stderr);

    one_model(&live, "logistic", MISSING, "    nulls: skip_row\n");
    let events = live.events(0, &["run"]);
    let summary = events.iter().find_map(|event| event["summary"]["model"].as_object()).unwrap();
    assert_eq!(summary["skipped"], json!(lacking));
    assert_eq!(live.count("scores"), (200 - lacking) as u64);

    one_model(&live, "logistic", MISSING, "    nulls: zero\n");
    live.expect(0, &["run"]);
    assert_eq!(live.count("scores"), 200);

    let more = format!("    nulls: reject\nbulk: {{ max_rejected: {lacking} }}\n");
    one_model(&live, "logistic", MISSING, &more);
    let events = live.events(0, &["run"]);
    let load = events.iter().map(|event| &event["summary"]["load"]).find(|load| load.is_object()).unwrap();
    assert_eq!((&load["read"], &load["created"]), (&json!(200), &json!(200 - lacking)), "{load}");
    assert_eq!(live.count("scores"), (200 - lacking) as u64);
}

#[test]
fn a_new_champion_makes_predictions_stale() {
    let Some(live) = live("inference_champion") else { return };
    live.write("rows.ndjson", documents(50));
    one_model(&live, "logistic", WHOLE, "");
    live.expect(0, &["run"]);
    assert!(live.expect(0, &["run"]).stdout.starts_with("nothing to do"));
    model(&live, "forest");
    let register = ["models", "register", "m", "forest.onnx", "--inputs", "r0,r1,r2,r3,r4,r5,r6"];
    let more = ["--metric", "auc=0.9", "--alias", "champion", "--why", "better", "--by", "ann"];
    live.expect(0, &[&register[..], &more].concat());
    let planned = live.expect(0, &["plan"]);
    assert!(planned.stdout.contains("scores"), "{}", planned.stdout);
    live.expect(0, &["run"]);
    assert!(predictions(&live, "scores").iter().all(|one| one["model_version"] == 2));
    let shown = live.expect(0, &["models", "scored-by", "m/2"]);
    assert!(shown.stdout.contains("scores") && shown.stdout.contains("50"), "{}", shown.stdout);
    let shown = live.expect(0, &["models", "scored-by", "m/1"]);
    assert!(shown.stdout.contains("has scored nothing"), "{}", shown.stdout);
    let shown = live.expect(0, &["models", "history", "m@champion"]);
    assert!(shown.stdout.contains("ann") && shown.stdout.contains("better"), "{}", shown.stdout);
    live.expect(0, &["models", "rollback", "m@champion", "--by", "ann"]);
    live.expect(0, &["run"]);
    assert!(predictions(&live, "scores").iter().all(|one| one["model_version"] == 1));
}

#[test]
fn mistakes_are_told_before_a_row_is_read() {
    let Some(mut live) = live("inference_mistakes") else { return };
    live.write("rows.ndjson", documents(10));
    let pipeline = |model: &str, write: &str, models: &str| {
        format!(
            "{ROWS_ASSET}  scores: {{ kind: inference, from: rows, model: \"models:/{model}\", write: {write} }}\n{models}"
        )
    };
    let (write, declared) =
        ("{ to: predictions, id: [n] }", "models: { m: { file: logistic.onnx, alias: champion } }\n");
    model(&live, "logistic");
    // The registry has no such model, and no file is declared.
    live.write("pipeline.yaml", pipeline("m@champion", write, ""));
    let shown = live.run(&["run"]);
    assert!(shown.stderr.contains("orchestrator models register m"), "{}", shown.stderr);
    // The columns do not fit.
    live.write(
        "pipeline.yaml",
        pipeline("m@champion", write, &declared.replace("champion }", "champion, inputs: [r0, r1] }")),
    );
    let shown = live.run(&["run"]);
    assert!(shown.stderr.contains("takes 7 values a row, and 2 columns are named"), "{}", shown.stderr);
    // A column is not there.
    let inputs = "champion, inputs: [r0, r1, r2, r3, r4, r5, r7] }";
    live.write("pipeline.yaml", pipeline("m@champion", write, &declared.replace("champion }", inputs)));
    let shown = live.run(&["run"]);
    assert!(shown.stderr.contains("`rows` has no column `r7`, which the model is given"), "{}", shown.stderr);
    assert!(shown.stderr.contains("did you mean `r"), "{}", shown.stderr);
    // There is no library.
    let whole = declared.replace("champion }", &format!("champion, inputs: {WHOLE} }}"));
    live.write("pipeline.yaml", pipeline("m@champion", write, &whole));
    live.set("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so");
    let shown = live.run(&["run"]);
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.stderr.contains("/nowhere/libonnxruntime.so (ORT_DYLIB_PATH) is not there"), "{}", shown.stderr);
}

#[test]
fn only_partitions_whose_rows_changed_are_scored_again() {
    let Some(live) = live("inference_partitions") else { return };
    let rows = |month: u32, count: u32, shift: f64| {
        let row = |n: u32| {
            let mut row = json!({"n": month * 1000 + n, "time": format!("2024-{month:02}-{:02}T00:00:00Z", n + 1)});
            (0..COLUMNS).for_each(|column| row[format!("r{column}")] = json!(f64::from(n) * 0.1 + shift));
            row.to_string() + "\n"
        };
        (0..count).map(row).collect::<String>()
    };
    model(&live, "logistic");
    live.write("january.ndjson", rows(1, 20, 0.0));
    live.write("february.ndjson", rows(2, 10, 0.0));
    let partitions = "time: time, partitions: { every: month, start: 2024-01-01, end: 2024-03-01 }";
    live.write(
        "pipeline.yaml",
        format!(
            "version: 1\nname: scores\nassets:\n  rows: {{ kind: ingest, from: {{ path: \"*.ndjson\" }}, id: [n], {partitions} }}\n  \
             scores: {{ kind: inference, from: rows, model: \"models:/m/1\", write: {{ to: predictions, id: [n] }}, {partitions} }}\n\
             models: {{ m: {{ file: logistic.onnx, inputs: {WHOLE} }} }}\n"
        ),
    );
    live.expect(0, &["run"]);
    assert_eq!((live.count("scores"), live.behind("scores").len()), (30, 2));
    live.write("february.ndjson", rows(2, 12, 0.5));
    let events = live.events(0, &["run"]);
    let made: Vec<&Value> =
        events.iter().filter(|event| event["event"] == "step_finished").map(|event| &event["partition"]).collect();
    assert_eq!(made, [&json!("2024-02"), &json!("2024-02")], "{events:?}");
    assert_eq!(live.count("scores"), 32);
}

#[test]
fn only_new_rows_and_those_whose_inputs_changed_are_scored_again() {
    let Some(live) = live("inference_increments") else { return };
    let row = |n: u32, value: f64| {
        let mut row = json!({"n": n, "note": value});
        (0..COLUMNS).for_each(|column| row[format!("r{column}")] = json!(f64::from(n) * 0.1));
        row
    };
    let write =
        |rows: &[Value]| live.write("rows.ndjson", rows.iter().map(|row| row.to_string() + "\n").collect::<String>());
    let of = |predictions: &[Value], field: &str| predictions.iter().map(|one| one[field].clone()).collect::<Vec<_>>();
    let mut rows: Vec<Value> = (0..30).map(|n| row(n, 0.0)).collect();
    write(&rows);
    one_model(&live, "logistic", WHOLE, "");
    live.expect(0, &["run"]);
    let first = predictions(&live, "scores");

    // One row more, one with another input, one less, and a value that the model is not given.
    rows.push(row(30, 0.0));
    rows[7]["r3"] = json!(9.5);
    rows[8]["note"] = json!(1.0);
    rows.remove(20);
    write(&rows);
    let planned = live.expect(0, &["plan"]);
    assert!(planned.stdout.contains("keep their predictions"), "{}", planned.stdout);
    let events = live.events(0, &["run"]);
    let summary = events.iter().filter_map(|event| event["summary"]["model"].as_object()).next_back().unwrap();
    assert_eq!(summary["unchanged"], json!(28), "{summary:?}");
    let second = predictions(&live, "scores");
    let (earlier, run) = (&first[0]["run"], &second[7]["run"]);
    assert!(earlier != run);
    for one in &second {
        let n = one["n"].as_u64().unwrap();
        match n {
            7 | 30 => assert_eq!(&one["run"], run, "{one}"),
            _ => assert_eq!(Some(one), first.iter().find(|earlier| earlier["n"] == n)),
        }
    }
    one_model(&live, "logistic", WHOLE, "    rescore: all\n");
    live.expect(0, &["run", "scores", "--full-refresh"]);
    let all = predictions(&live, "scores");
    for field in ["n", "prediction", "inputs_hash"] {
        assert_eq!(of(&all, field), of(&second, field));
    }
    assert!(all.iter().all(|one| one["run"] != *earlier && one["run"] != *run));

    // Another version scores every row.
    one_model(&live, "logistic", WHOLE, "");
    model(&live, "forest");
    let register =
        ["models", "register", "m", "forest.onnx", "--inputs", "r0,r1,r2,r3,r4,r5,r6", "--alias", "champion"];
    live.expect(0, &register);
    let planned = live.expect(0, &["plan"]);
    assert!(planned.stdout.contains("all rows are scored again: the model was m/1"), "{}", planned.stdout);
    let events = live.events(0, &["run"]);
    let summary = events.iter().filter_map(|event| event["summary"]["model"].as_object()).next_back().unwrap();
    assert_eq!((&summary["unchanged"], &summary["version"]), (&json!(0), &json!(2)));
}

/// A server of the Open Inference Protocol whose model adds up the values of a row, and refuses a batch with
/// the row that starts with 0.7.
struct Sums;

impl wiremock::Respond for Sums {
    fn respond(&self, request: &wiremock::Request) -> wiremock::ResponseTemplate {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        let input = &asked["inputs"][0];
        let values: Vec<f64> = input["data"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        let rows: Vec<&[f64]> = values.chunks(COLUMNS).collect();
        if rows.iter().any(|row| (row[0] - 0.7).abs() < 1e-6) {
            return wiremock::ResponseTemplate::new(400).set_body_json(json!({"error": "0.7 is out of range"}));
        }
        let sums: Vec<f64> = rows.iter().map(|row| row.iter().sum()).collect();
        let output = json!({"name": "y", "datatype": "FP32", "shape": [sums.len()], "data": sums});
        wiremock::ResponseTemplate::new(200)
            .set_body_json(json!({"model_name": "m", "id": asked["id"], "outputs": [output]}))
    }
}

#[test]
fn a_model_server_scores_rows_and_rejects_the_one_that_it_refuses() {
    use wiremock::matchers::{header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    let Some(mut live) = Live::plain("inference_server") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        let described = json!({"name": "m", "platform": "test",
            "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 7]}],
            "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}]});
        let get = |place: &'static str, body: Value| {
            Mock::given(method("GET")).and(path(place)).respond_with(ResponseTemplate::new(200).set_body_json(body))
        };
        get("/v2", json!({"name": "test", "version": "1", "extensions": []})).mount(&server).await;
        get("/v2/health/live", json!({})).mount(&server).await;
        get("/v2/health/ready", json!({})).mount(&server).await;
        get("/v2/models/m/ready", json!({})).mount(&server).await;
        get("/v2/models/m", described).mount(&server).await;
        let scoring = Mock::given(method("POST")).and(path("/v2/models/m/infer"));
        scoring.and(header("authorization", "Bearer hush")).respond_with(Sums).mount(&server).await;
        server
    });
    let row = |n: u32| {
        let mut row = json!({"n": n});
        (0..COLUMNS).for_each(|column| row[format!("r{column}")] = json!(f64::from(n) / 10.0));
        row.to_string() + "\n"
    };
    live.write("rows.ndjson", (0..40).map(row).collect::<String>());
    let columns: Vec<Value> = (0..COLUMNS).map(|n| json!({"name": format!("r{n}"), "datatype": "FP32"})).collect();
    let tensor = |name: &str, shape: &[i64]| json!([{"name": name, "datatype": "FP32", "shape": shape}]);
    let signature = json!({"columns": columns, "inputs": tensor("X", &[-1, 7]), "outputs": tensor("y", &[-1])});
    live.write("signature.json", signature.to_string());
    let pipeline = |url: &str, more: &str| {
        format!(
            "{ROWS_ASSET}  scores:\n    kind: inference\n    from: rows\n    model: models:/m/1\n    batch: {{ rows: 16 }}\n    \
             server: {{ protocol: kserve_v2, url: \"{url}\", token: {{ env: MODELS_TOKEN }}{more} }}\n    \
             write: {{ to: predictions, id: [n] }}\nbulk: {{ max_rejected: 1 }}\n"
        )
    };
    live.write("pipeline.yaml", pipeline(&server.uri(), ""));
    let served = ["models", "register", "m", "--served-at", "http://models/m", "--signature", "signature.json"];
    live.expect(0, &served);
    live.set("MODELS_TOKEN", "hush");
    let events = live.events(0, &["run"]);
    let load = events.iter().map(|event| &event["summary"]["load"]).rfind(|load| load.is_object()).unwrap();
    assert_eq!((&load["read"], &load["created"]), (&json!(40), &json!(39)), "{load}");
    for one in predictions(&live, "scores") {
        let (n, sum) = (one["n"].as_f64().unwrap(), one["prediction"].as_f64().unwrap());
        assert!((sum - n / 10.0 * COLUMNS as f64).abs() < 1e-4 && n != 7.0, "{one}");
    }
    let letter = std::fs::read_dir(live.path(".orchestrator/rejected")).unwrap().map(|entry| entry.unwrap().path());
    let text: String = letter.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(text.contains("0.7 is out of range") && !text.contains("hush"), "{text}");

    // A key that is none, and a server that is not there.
    live.write("pipeline.yaml", pipeline(&server.uri(), ", urll: x"));
    assert_eq!(live.run(&["validate"]).code, Some(2));
    live.write("pipeline.yaml", pipeline("http://127.0.0.1:1", ", timeouts: { ready: 1s }"));
    // The place where the same version runs makes nothing stale.
    live.expect(0, &["run"]);
    let shown = live.run(&["run", "scores", "--full-refresh"]);
    assert!(shown.stderr.contains("http://127.0.0.1:1 is not ready after 1 s"), "{}", shown.stderr);
    assert_eq!(live.count("scores"), 39, "readers see what they saw before");
}
