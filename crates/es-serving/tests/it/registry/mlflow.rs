//! An MLflow tracking server: a mock that answers as MLflow 3.17.2 was seen to, and, where
//! `MLFLOW_TRACKING_URI` names one, a real one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use es_serving::ErrorKind;
use es_serving::embedding::{Pooling, TextEncoder};
use es_serving::registry::mlflow::{Mlflow, MlflowOptions, MlflowRegistry, Pushed};
use es_serving::registry::{
    Checksum, Expected, ModelFolder, Move, MoveKind, NewVersion, Promoted, PromotionRule, StoredFile, Terms,
};
use es_testing::{Scope, unique_prefix};
use jiff::Timestamp;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::kills::mortal_client;
use super::{connect_to, late};

const API: &str = "/api/2.0/mlflow";

fn client(server: &MockServer) -> Mlflow {
    Mlflow::new(MlflowOptions::new(server.uri())).unwrap()
}

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn refused(status: u16, code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"error_code": code, "message": message}))
}

fn version(number: u32) -> Value {
    json!({"name": "late", "version": number.to_string(), "creation_timestamp": 1_795_807_151_300_i64,
        "source": "mlflow-artifacts:/0/ad94/artifacts/model", "run_id": "ad94", "status": "READY"})
}

async fn mount(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(format!("{API}/{at}"))).respond_with(answer).mount(server).await;
}

async fn bodies(server: &MockServer, at: &str) -> Vec<Value> {
    let all = server.received_requests().await.unwrap();
    let body = |request: &Request| serde_json::from_slice(&request.body).unwrap();
    all.iter().filter(|request| request.url.path().ends_with(at)).map(body).collect()
}

async fn stored(place: &std::path::Path) -> (ModelFolder, StoredFile, NewVersion) {
    let folder = ModelFolder::new(place);
    let file = folder.put_bytes(b"a model").await.unwrap();
    let new = NewVersion::onnx("late", &file, late("dep_delay").signature)
        .by("ana")
        .with_encoders(json!({"columns": [{"column": "dep_delay", "mean": 0.1}]}))
        .with_metric("auc", "test", 0.91)
        .with_tag("algorithm", "boosting")
        .with_training("out/_manifest.json", Checksum::of(b"manifest"));
    (folder, file, new)
}

#[tokio::test]
async fn a_push_sends_the_files_before_the_version() {
    let server = MockServer::start().await;
    let place = tempfile::tempdir().unwrap();
    let (folder, _, new) = stored(place.path()).await;
    mount(&server, "GET", "model-versions/search", ok(json!({}))).await;
    mount(
        &server,
        "POST",
        "registered-models/create",
        refused(400, "RESOURCE_ALREADY_EXISTS", "Registered Model (name=late) already exists."),
    )
    .await;
    let run = json!({"run": {"info": {"run_id": "ad94", "artifact_uri": "mlflow-artifacts:/0/ad94/artifacts"}}});
    mount(&server, "POST", "runs/create", ok(run)).await;
    mount(&server, "POST", "runs/log-batch", ok(json!({}))).await;
    mount(&server, "POST", "runs/update", ok(json!({}))).await;
    mount(&server, "POST", "model-versions/create", ok(json!({"model_version": version(7)}))).await;
    Mock::given(method("PUT"))
        .and(header("authorization", "Bearer s3cret"))
        .respond_with(ok(json!({})))
        .mount(&server)
        .await;
    let options = MlflowOptions { token: Some(es_core::Secret::new("s3cret")), ..MlflowOptions::new(server.uri()) };
    let pushed = Mlflow::new(options).unwrap().push(&new, &folder).await.unwrap();
    assert!(matches!(&pushed, Pushed::New(version) if version.number == 7), "{pushed:?}");

    let paths: Vec<String> =
        server.received_requests().await.unwrap().iter().map(|request| request.url.path().to_owned()).collect();
    let artifacts = "/api/2.0/mlflow-artifacts/artifacts/0/ad94/artifacts/model";
    let expected = [
        format!("{API}/model-versions/search"),
        format!("{API}/registered-models/create"),
        format!("{API}/runs/create"),
        format!("{artifacts}/model.onnx"),
        format!("{artifacts}/orchestrator.json"),
        format!("{artifacts}/MLmodel"),
        format!("{API}/runs/log-batch"),
        format!("{API}/runs/log-batch"),
        format!("{API}/runs/update"),
        format!("{API}/model-versions/create"),
    ];
    assert_eq!(paths, expected);
    let created = &bodies(&server, "model-versions/create").await[0];
    assert_eq!((&created["name"], &created["run_id"]), (&json!("late"), &json!("ad94")));
    assert_eq!(created["source"], "mlflow-artifacts:/0/ad94/artifacts/model");
    assert_eq!(bodies(&server, "runs/log-batch").await[0]["metrics"][0]["key"], "test/auc");
}

#[tokio::test]
async fn what_was_pushed_before_is_not_pushed_again() {
    let server = MockServer::start().await;
    let place = tempfile::tempdir().unwrap();
    let (folder, _, new) = stored(place.path()).await;
    mount(&server, "GET", "model-versions/search", ok(json!({"model_versions": [version(3)]}))).await;
    let pushed = client(&server).push(&new, &folder).await.unwrap();
    assert!(matches!(&pushed, Pushed::Existing(version) if version.number == 3), "{pushed:?}");
    let served = late("a");
    let error = client(&server).push(&served, &folder).await.unwrap_err();
    assert_eq!(error.to_string(), "the version of late has no file that could be pushed");
}

#[tokio::test]
async fn a_pull_follows_the_alias_and_checks_the_file() {
    let server = MockServer::start().await;
    let place = tempfile::tempdir().unwrap();
    let (_, file, new) = stored(&place.path().join("ours")).await;
    let folder = ModelFolder::new(place.path().join("pulled"));
    mount(&server, "GET", "registered-models/alias", ok(json!({"model_version": version(2)}))).await;
    let artifact = |name: &str| {
        Mock::given(path("/model-versions/get-artifact"))
            .and(query_param("path", name))
            .and(query_param("name", "late"))
            .and(query_param("version", "2"))
    };
    let description = json!({"layout": 1, "version": new});
    artifact("orchestrator.json").respond_with(ok(description)).up_to_n_times(3).mount(&server).await;
    artifact("model.onnx")
        .respond_with(ResponseTemplate::new(200).set_body_bytes(b"a model"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let reference = "models:/late@champion".parse().unwrap();
    let pulled = client(&server).pull(&reference, &folder).await.unwrap();
    assert_eq!((pulled.version.number, &pulled.file, pulled.described.as_ref()), (2, &file, Some(&new)));
    folder.open(file.sha256).await.unwrap();

    artifact("model.onnx")
        .respond_with(ResponseTemplate::new(200).set_body_bytes(b"a modem"))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    // A file that the folder has is not downloaded again.
    let again = client(&server).pull(&reference, &folder).await.unwrap();
    assert_eq!(again.file, file);
    let other = ModelFolder::new(place.path().join("other"));
    let error = client(&server).pull(&reference, &other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    // A version of another program has no description.
    let absent = refused(404, "RESOURCE_DOES_NOT_EXIST", "No such artifact: 'none'");
    artifact("orchestrator.json").respond_with(absent.clone()).mount(&server).await;
    let pulled = client(&server).pull(&reference, &folder).await.unwrap();
    assert_eq!((pulled.described, pulled.file.sha256), (None, Checksum::of(b"a modem")));
    artifact("model.onnx").respond_with(absent).mount(&server).await;
    let error = client(&server).pull(&reference, &folder).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("has no file model.onnx"), "{error}");
}

#[tokio::test]
async fn a_model_of_texts_is_pushed_and_pulled_with_its_tokenizer() {
    let server = MockServer::start().await;
    let place = tempfile::tempdir().unwrap();
    let (folder, _, new) = stored(&place.path().join("ours")).await;
    let source = place.path().join("tokenizer.json");
    std::fs::write(&source, b"a tokenizer").unwrap();
    let tokenizer = folder.put_tokenizer(&source).await.unwrap();
    let sum = tokenizer.sha256;
    let new = new.with_text(TextEncoder::new(tokenizer, Pooling::Mean, 64.try_into().unwrap()));
    mount(&server, "GET", "model-versions/search", ok(json!({}))).await;
    let run = json!({"run": {"info": {"run_id": "ad94", "artifact_uri": "mlflow-artifacts:/0/ad94/artifacts"}}});
    mount(&server, "POST", "runs/create", ok(run)).await;
    mount(&server, "POST", "model-versions/create", ok(json!({"model_version": version(2)}))).await;
    Mock::given(method("POST")).respond_with(ok(json!({}))).mount(&server).await;
    Mock::given(method("PUT")).respond_with(ok(json!({}))).mount(&server).await;
    client(&server).push(&new, &folder).await.unwrap();

    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for request in server.received_requests().await.unwrap().iter().filter(|request| request.method == "PUT") {
        files.insert(request.url.path_segments().unwrap().next_back().unwrap().to_owned(), request.body.clone());
    }
    assert_eq!(files["tokenizer.json"], b"a tokenizer");
    // A program that knows no text encoders refuses it, and does not lose them.
    assert_eq!(serde_json::from_slice::<Value>(&files["orchestrator.json"]).unwrap()["layout"], 2);

    for (given, kind) in [("a tokenizer", None), ("a modem", Some(ErrorKind::Damaged))] {
        server.reset().await;
        files.insert("tokenizer.json".to_owned(), given.as_bytes().to_vec());
        mount(&server, "GET", "registered-models/alias", ok(json!({"model_version": version(2)}))).await;
        for (name, bytes) in &files {
            let answer = ResponseTemplate::new(200).set_body_bytes(bytes.clone());
            Mock::given(query_param("path", name)).respond_with(answer).mount(&server).await;
        }
        let other = ModelFolder::new(place.path().join(given));
        let pulled = client(&server).pull(&"models:/late@champion".parse().unwrap(), &other).await;
        match kind {
            None => {
                assert_eq!(pulled.unwrap().described.as_ref(), Some(&new));
                other.open_tokenizer(sum).await.unwrap();
            }
            Some(kind) => assert_eq!(pulled.unwrap_err().kind(), kind),
        }
    }
}

#[tokio::test]
async fn an_alias_that_is_not_there_is_no_failed_request() {
    let server = MockServer::start().await;
    let missing = refused(400, "INVALID_PARAMETER_VALUE", "Registered model alias champoin not found.");
    mount(&server, "GET", "registered-models/alias", missing).await;
    let model = json!({"registered_model": {"name": "late", "aliases": [{"alias": "champion", "version": "2"}]}});
    Mock::given(path(format!("{API}/registered-models/get")))
        .and(query_param("name", "late"))
        .respond_with(ok(model))
        .mount(&server)
        .await;
    let absent = refused(404, "RESOURCE_DOES_NOT_EXIST", "Registered Model with name=early not found");
    mount(&server, "GET", "registered-models/get", absent).await;
    let error = client(&server).version(&"models:/late@champoin".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.help(), Some("the aliases of late are champion"));
    let error = client(&server).version(&"models:/early@champion".parse().unwrap()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::NotFound, format!("{}/ has no model early", server.uri()))
    );
}

#[tokio::test]
async fn a_reader_asks_again_and_a_writer_does_not() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503).set_body_string("<html>busy</html>");
    Mock::given(method("GET")).respond_with(busy.clone()).up_to_n_times(2).mount(&server).await;
    mount(&server, "GET", "model-versions/get", ok(json!({"model_version": version(2)}))).await;
    let found = client(&server).version(&"models:/late/2".parse().unwrap()).await.unwrap();
    assert_eq!(found.number, 2);

    let server = MockServer::start().await;
    let place = tempfile::tempdir().unwrap();
    let (folder, _, new) = stored(place.path()).await;
    mount(&server, "GET", "model-versions/search", ok(json!({}))).await;
    Mock::given(method("POST")).respond_with(busy).expect(1).mount(&server).await;
    let error = client(&server).push(&new, &folder).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Mlflow, true));
    assert!(error.to_string().ends_with("was answered 503: <html>busy</html>"), "{error}");
    mount(&server, "GET", "model-versions/get", ResponseTemplate::new(200).set_body_string("<html>")).await;
    let error = client(&server).version(&"models:/late/2".parse().unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Mlflow, false));
}

#[test]
fn an_address_that_is_none_or_has_credentials_is_refused() {
    let table = [
        ("mlflow", "`mlflow` is not the address of a server"),
        ("s3://bucket", "`s3://bucket` is not the address of a server"),
        ("http://ana:s3cret@mlflow.example.org", "the address of the server mlflow.example.org contains credentials"),
    ];
    for (uri, message) in table {
        let error = Mlflow::new(MlflowOptions::new(uri)).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, message));
    }
    let token = Some(es_core::Secret::new("s3cret"));
    let options =
        MlflowOptions { token, user: Some("ana".to_owned()), ..MlflowOptions::new("http://mlflow.example.org") };
    assert!(!format!("{options:?}").contains("s3cret"));
    let error = Mlflow::new(options).unwrap_err();
    assert!(error.to_string().contains("neither a user with a password nor a token"), "{error}");
}

/// The aliases of a mock, with the version of each.
#[derive(Clone, Default)]
struct Aliases(Arc<Mutex<BTreeMap<String, String>>>);

impl Aliases {
    fn set(&self, alias: &str, version: &str) {
        self.0.lock().unwrap().insert(alias.to_owned(), version.to_owned());
    }

    fn get(&self, alias: &str) -> Option<String> {
        self.0.lock().unwrap().get(alias).cloned()
    }
}

fn asked_for(request: &Request, name: &str) -> String {
    request.url.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned()
}

/// A server of any versions of the model late, that fails so many writes at first.
async fn alias_server(fails: u64) -> (MockServer, Aliases) {
    let server = MockServer::start().await;
    let aliases = Aliases::default();
    if fails > 0 {
        let failing = Mock::given(method("POST")).respond_with(ResponseTemplate::new(503));
        failing.up_to_n_times(fails).mount(&server).await;
    }
    let (set, read) = (aliases.clone(), aliases.clone());
    Mock::given(method("POST"))
        .and(path(format!("{API}/registered-models/alias")))
        .and(body_partial_json(json!({"name": "late"})))
        .respond_with(move |request: &Request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            set.set(body["alias"].as_str().unwrap(), body["version"].as_str().unwrap());
            ok(json!({}))
        })
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path(format!("{API}/registered-models/alias")))
        .respond_with(move |request: &Request| match read.get(&asked_for(request, "alias")) {
            Some(number) => ok(json!({"model_version": version(number.parse().unwrap())})),
            None => refused(400, "INVALID_PARAMETER_VALUE", "Registered model alias not found."),
        })
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path(format!("{API}/model-versions/get")))
        .respond_with(|request: &Request| {
            ok(json!({"model_version": version(asked_for(request, "version").parse().unwrap())}))
        })
        .mount(&server)
        .await;
    let metrics = json!([{"key": "test/auc", "value": 0.9}, {"key": "loss", "value": "NaN"}]);
    mount(&server, "GET", "runs/get", ok(json!({"run": {"info": {"run_id": "ad94"}, "data": {"metrics": metrics}}})))
        .await;
    (server, aliases)
}

#[tokio::test]
async fn a_kill_at_any_request_of_a_move_leaves_a_server_that_follows_the_history() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "mlflow_kill");
    let (server, aliases) = alias_server(0).await;
    let direct = MlflowRegistry::new(client(&server), connect_to(&node, &node.url).await, scope.prefix());
    let by = Move::by("ana");
    let mut requests = usize::MAX;
    for last_is_lost in [false, true] {
        for allowed in 0..=requests {
            let alias = format!("{}_{allowed}", if last_is_lost { "lost" } else { "cut" });
            direct.promote("late", &alias, 1, &by, &Terms::default()).await.unwrap();
            let (es, _proxy) = mortal_client(&node, allowed, last_is_lost).await;
            let mortal = MlflowRegistry::new(client(&server), es, scope.prefix());
            let outcome = mortal.promote("late", &alias, 2, &by, &Terms::default()).await;
            let history = direct.history("late", &alias).await.unwrap();
            assert!(history.iter().all(|step| step.kind == MoveKind::Promotion), "{history:?}");
            let newest = history.last().unwrap().to;
            assert_eq!(aliases.get(&alias), Some(newest.to_string()), "after {allowed} requests");
            assert!(newest == 2 || (newest == 1 && outcome.is_err()));
            if outcome.is_ok() && !last_is_lost {
                assert!(allowed > 4, "only {allowed} requests were tried");
                requests = allowed;
                break;
            }
        }
    }
}

#[tokio::test]
async fn moves_are_made_at_the_server_and_kept_in_the_history() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "mlflow_moves");
    let (server, aliases) = alias_server(0).await;
    let es = connect_to(&node, &node.url).await;
    let registry = MlflowRegistry::new(client(&server), es, scope.prefix());
    let by = Move::by("ana");
    for to in [1, 2] {
        registry.promote("late", "champion", to, &by, &Terms::default()).await.unwrap();
    }
    // Somebody else, at the server.
    aliases.set("champion", "5");
    let from = Terms { expected: Expected::From(Some(2)), rule: None };
    let error = registry.promote("late", "champion", 3, &by, &from).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("somebody at the MLflow server moved late@champion from 2 to 5"), "{error}");
    let step = registry.rollback("late", "champion", &by).await.unwrap();
    assert_eq!((step.kind, step.from, step.to), (MoveKind::Rollback, Some(5), 2));
    assert_eq!(aliases.get("champion").as_deref(), Some("2"));
    let terms = Terms { rule: Some(PromotionRule { min_gain: 0.1, ..PromotionRule::new("auc") }), ..Terms::default() };
    let error = registry.promote("late", "champion", 3, &by, &terms).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let history = registry.history("late", "champion").await.unwrap();
    let chain: Vec<_> = history.iter().map(|step| (step.from, step.to)).collect();
    assert_eq!(chain, [(None, 1), (Some(1), 2), (Some(2), 5), (Some(5), 2)]);
    assert_eq!(history[2].kind, MoveKind::Elsewhere);
    let live = registry.live_at("late", "champion", history[1].at).await.unwrap();
    assert_eq!(live.map(|step| step.to), Some(2));
    assert_eq!(registry.live_at("late", "champion", Timestamp::UNIX_EPOCH).await.unwrap(), None);
    assert_eq!(registry.known().await.unwrap(), [("late".to_owned(), "champion".to_owned())]);
}

#[tokio::test]
async fn a_move_that_did_not_reach_the_server_is_made_by_the_next_operation() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "mlflow_pending");
    let (server, aliases) = alias_server(1).await;
    let es = connect_to(&node, &node.url).await;
    let registry = MlflowRegistry::new(client(&server), es, scope.prefix());
    let by = Move::by("ana");
    let error = registry.promote("late", "champion", 1, &by, &Terms::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Mlflow, true));
    assert_eq!(aliases.get("champion"), None);
    let outcome = registry.promote("late", "champion", 1, &by, &Terms::default()).await.unwrap();
    assert!(matches!(outcome, Promoted::Already(_)), "{outcome:?}");
    assert_eq!(aliases.get("champion").as_deref(), Some("1"));
    assert_eq!(registry.history("late", "champion").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_promotions_at_once_the_server_gets_that_which_won() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "mlflow_race");
    let (server, aliases) = alias_server(0).await;
    let es = connect_to(&node, &node.url).await;
    let registry = MlflowRegistry::new(client(&server), es, scope.prefix());
    for round in 0..10_u32 {
        let tasks = [1, 2].map(|writer| {
            let registry = registry.clone();
            let to = round * 2 + writer;
            tokio::spawn(
                async move { registry.promote("late", "champion", to, &Move::by("ana"), &Terms::default()).await },
            )
        });
        let mut moved = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => moved += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
            }
        }
        assert!(moved > 0);
        let history = registry.history("late", "champion").await.unwrap();
        let newest = history.last().unwrap();
        assert_eq!(aliases.get("champion"), Some(newest.to.to_string()));
        assert!(history.iter().all(|step| step.kind == MoveKind::Promotion), "{history:?}");
    }
}

/// With a server such as `mlflow server --port 5000`:
/// `MLFLOW_TRACKING_URI=http://127.0.0.1:5000 cargo test -p es-serving --test it -- --ignored mlflow`
#[tokio::test]
#[ignore = "needs an MLflow tracking server in MLFLOW_TRACKING_URI"]
async fn a_real_server_gives_back_what_it_was_given() {
    let uri = std::env::var("MLFLOW_TRACKING_URI").unwrap();
    let server = Mlflow::new(MlflowOptions::new(uri)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let (folder, _, new) = stored(&place.path().join("ours")).await;
    // Of several pieces, on the way there and back.
    let file = folder.put_bytes(vec![7; 5 * 1024 * 1024]).await.unwrap();
    let onnx = NewVersion::onnx("late", &file, new.signature.clone());
    let new = NewVersion { location: onnx.location, sha256: onnx.sha256, bytes: onnx.bytes, ..new };
    let model: String = unique_prefix("late").chars().map(|c| if c == '-' { '_' } else { c }).collect();
    let new = NewVersion { model: model.clone(), ..new };
    let error = server.version(&format!("models:/{model}@champion").parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(server.versions(&model).await.unwrap_err().kind(), ErrorKind::NotFound);

    let Pushed::New(version) = server.push(&new, &folder).await.unwrap() else { panic!() };
    assert_eq!(version.number, 1);
    assert_eq!(server.push(&new, &folder).await.unwrap().version().number, 1);
    let better = NewVersion { encoders: None, ..new.clone() }.with_metric("auc", "test", 0.95);
    assert_eq!(server.push(&better, &folder).await.unwrap().version().number, 2);
    let numbers: Vec<u32> = server.versions(&model).await.unwrap().iter().map(|version| version.number).collect();
    assert_eq!(numbers, [2, 1]);
    assert_eq!(server.metrics(&version).await.unwrap(), new.metrics);
    assert_eq!(version.tags["algorithm"], "boosting");
    let error = server.version(&format!("models:/{model}/9").parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = server.version(&format!("models:/{model}@champion").parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);

    let other = ModelFolder::new(place.path().join("pulled"));
    let pulled = server.pull(&format!("models:/{model}/1").parse().unwrap(), &other).await.unwrap();
    assert_eq!((pulled.file, pulled.described), (file.clone(), Some(new)));
    other.open(file.sha256).await.unwrap();

    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "mlflow_real");
    let registry = MlflowRegistry::new(server.clone(), connect_to(&node, &node.url).await, scope.prefix());
    let rule = PromotionRule { min_gain: 0.01, ..PromotionRule::new("auc") };
    let terms = Terms { rule: Some(rule), ..Terms::default() };
    let by = Move::by("ana");
    registry.promote(&model, "champion", 1, &by, &terms).await.unwrap();
    registry.promote(&model, "champion", 2, &by, &terms).await.unwrap();
    let champion = format!("models:/{model}@champion").parse().unwrap();
    assert_eq!(server.version(&champion).await.unwrap().number, 2);
    assert_eq!(registry.promote(&model, "champion", 1, &by, &terms).await.unwrap_err().kind(), ErrorKind::Refused);
    registry.rollback(&model, "champion", &by).await.unwrap();
    assert_eq!(server.version(&champion).await.unwrap().number, 1);
    assert_eq!(registry.history(&model, "champion").await.unwrap().len(), 3);
    assert_eq!(server.aliases(&model).await.unwrap()["champion"], 1);
}
