//! A model server that fails in each way: a clear outcome, and an account that adds up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use es_serving::open_inference::{Datatype, Tensor, TensorData};
use es_serving::server::{ModelServer, Protocol, Scored, ServerOptions};
use es_serving::{Error, ErrorKind, Signature, TensorSpec};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

use crate::mock::{self, score_of};

/// Fast repetition, and a breaker that stays closed.
fn options(url: &str) -> ServerOptions {
    let mut options = ServerOptions::new(Protocol::kserve_v2(), url).for_model("linear");
    options.retries.first_wait = "1ms".parse().unwrap();
    options.retries.longest_wait = "20ms".parse().unwrap();
    options.breaker.failures = 1_000.try_into().unwrap();
    options
}

fn signature() -> Signature {
    let tensor = |name: &str, shape: &[i64]| TensorSpec {
        name: name.to_owned(),
        datatype: Datatype::Fp64,
        shape: shape.to_vec(),
    };
    Signature { columns: Vec::new(), inputs: vec![tensor("rows", &[-1, 3])], outputs: vec![tensor("score", &[-1])] }
}

fn numbers(rows: u32) -> Vec<f64> {
    (0..rows * 3).map(f64::from).collect()
}

async fn score(options: &ServerOptions, numbers: &[f64]) -> Result<Scored, Error> {
    score_with(&ModelServer::connect(options).unwrap(), numbers).await
}

async fn score_with(server: &ModelServer, numbers: &[f64]) -> Result<Scored, Error> {
    let rows = Tensor::new("rows", vec![numbers.len() / 3, 3], TensorData::Fp64(numbers.to_vec())).unwrap();
    let scored = server.score("batch", &[rows], &signature()).await?;
    assert_eq!(scored.rows(), numbers.len() / 3, "the account adds up");
    let expected: Vec<f64> = scored.scored.iter().map(|row| score_of(&numbers[row * 3..row * 3 + 3])).collect();
    assert_eq!(scored.outputs[0].data(), &TensorData::Fp64(expected), "each score stands beside its row");
    Ok(scored)
}

/// The id of a request, and the first number of each of its rows.
fn asked(request: &Request) -> (String, Vec<f64>) {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let data = body["inputs"][0]["data"].as_array().unwrap();
    let first = data.iter().step_by(3).map(|number| number.as_f64().unwrap()).collect();
    (body["id"].as_str().unwrap().to_owned(), first)
}

/// An answer with these scores.
fn answer(id: &str, scores: &[String]) -> ResponseTemplate {
    let (rows, data) = (scores.len(), scores.join(","));
    ResponseTemplate::new(200).set_body_raw(
        format!(r#"{{"id":"{id}","outputs":[{{"name":"score","datatype":"FP64","shape":[{rows}],"data":[{data}]}}]}}"#),
        "application/json",
    )
}

fn scores(first: &[f64]) -> Vec<String> {
    first.iter().map(|number| score_of(&[*number, number + 1.0, number + 2.0]).to_string()).collect()
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    for status in [408, 429, 502, 503, 504] {
        let (server, count) = mock::start_with(move |number, _, right| match number {
            0 | 1 => ResponseTemplate::new(status).insert_header("retry-after", "3600").set_body_string("busy"),
            _ => right,
        })
        .await;
        // The hour that the server asks for is cut to the longest wait.
        assert!(score(&options(&server.uri()), &numbers(4)).await.unwrap().is_complete(), "{status}");
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test]
async fn rows_of_a_server_that_stays_busy_are_unknown() {
    let (server, count) =
        mock::start_with(|_, _, _| ResponseTemplate::new(502).set_body_string("<html>bad gateway</html>")).await;
    let scored = score(&options(&server.uri()), &numbers(4)).await.unwrap();
    assert_eq!((scored.unknown.len(), count.load(Ordering::SeqCst)), (4, 4));
    assert_eq!(&*scored.unknown[3].reason, "status 502: `<html>bad gateway</html>` (attempt 4 of 4)");
}

#[tokio::test]
async fn a_server_that_stalls_is_asked_again_and_then_unknown() {
    let (server, count) = mock::start_with(|number, _, right| match number {
        0 => right.set_delay(Duration::from_secs(3_600)),
        _ => right,
    })
    .await;
    let mut options = options(&server.uri());
    options.timeouts.request = "1s".parse().unwrap();
    assert!(score(&options, &numbers(4)).await.unwrap().is_complete());
    assert_eq!(count.load(Ordering::SeqCst), 2);

    let (server, _) = mock::start_with(|_, _, right| right.set_delay(Duration::from_secs(3_600))).await;
    options.url = server.uri();
    options.timeouts.request = "100ms".parse().unwrap();
    let scored = score(&options, &numbers(4)).await.unwrap();
    assert_eq!(&*scored.unknown[0].reason, "no answer within the time limit (attempt 4 of 4)");
}

/// A server that breaks off its first `broken` answers, each after a part of it.
async fn breaking_off(broken: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counted = counted.clone();
            tokio::spawn(async move {
                let mut read = Vec::new();
                // Bodies of this test end with a list in an object.
                let is_whole = |read: &[u8]| match read.starts_with(b"GET") {
                    true => read.ends_with(b"\r\n\r\n"),
                    false => read.ends_with(b"]}"),
                };
                while !is_whole(&read) {
                    if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let body = match read.starts_with(b"GET") {
                    true => r#"{"name":"mlserver"}"#.to_owned(),
                    false => r#"{"outputs":[{"name":"score","datatype":"FP64","shape":[1],"data":[8.5]}]}"#.to_owned(),
                };
                let is_broken = read.starts_with(b"POST") && counted.fetch_add(1, Ordering::SeqCst) < broken;
                let sent = if is_broken { &body[..body.len() / 2] } else { &body };
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{sent}").as_bytes()).await;
            });
        }
    });
    (url, count)
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let (url, count) = breaking_off(2).await;
    assert!(score(&options(&url), &numbers(1)).await.unwrap().is_complete());
    assert_eq!(count.load(Ordering::SeqCst), 3);

    let (url, _) = breaking_off(usize::MAX).await;
    let scored = score(&options(&url), &numbers(1)).await.unwrap();
    assert!(scored.unknown[0].reason.starts_with("the answer broke off"), "{}", scored.unknown[0].reason);
}

#[tokio::test]
async fn rows_of_a_server_that_is_not_there_are_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let scored = score(&options(&url), &numbers(3)).await.unwrap();
    assert!(scored.unknown[2].reason.starts_with("no connection"), "{}", scored.unknown[2].reason);

    let mut options = options(&url);
    options.timeouts.ready = "1ms".parse().unwrap();
    let server = ModelServer::connect(&options).unwrap();
    let error = server.ready().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotReady, true));
    let error = server.describe().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unreachable, true));
}

#[tokio::test]
async fn a_server_that_lives_is_asked_until_its_model_is_ready() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = MockServer::start().await;
    let respond = move |request: &Request| match request.url.path() {
        "/v2/models/linear/ready" => match counted.fetch_add(1, Ordering::SeqCst) {
            0 => ResponseTemplate::new(404).set_body_string("not found"),
            1 => ResponseTemplate::new(400).set_body_string("not ready"),
            2 => ResponseTemplate::new(200).set_body_string(r#"{"name": "linear", "ready": false}"#),
            _ => ResponseTemplate::new(200),
        },
        _ => ResponseTemplate::new(200),
    };
    Mock::given(matchers::any()).respond_with(respond).mount(&server).await;
    ModelServer::connect(&options(&server.uri())).unwrap().ready().await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn one_row_too_few_is_never_a_shift() {
    // The last row of every answer with several is lost.
    let (server, _) = mock::start_with(|_, request, right| {
        let (id, first) = asked(request);
        if first.len() == 1 { right } else { answer(&id, &scores(&first[..first.len() - 1])) }
    })
    .await;
    assert!(score(&options(&server.uri()), &numbers(13)).await.unwrap().is_complete());

    // Also of those with one: a model that has never scored is at fault as a whole, others reject rows.
    let (server, _) = mock::start_with(|_, request, _| {
        let (id, first) = asked(request);
        answer(&id, &scores(&first[..first.len() - 1]))
    })
    .await;
    let error = score(&options(&server.uri()), &numbers(13)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    let scored = score(&options(&server.uri()), &numbers(3)).await.unwrap();
    assert_eq!(&*scored.rejected[2].reason, "the output score has 0 rows, expected 1");
}

#[tokio::test]
async fn an_answer_to_another_request_is_not_taken() {
    let (server, count) = mock::start_with(|number, request, right| match number {
        0 => answer("another", &scores(&asked(request).1)),
        _ => right,
    })
    .await;
    assert!(score(&options(&server.uri()), &numbers(4)).await.unwrap().is_complete());
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let (server, _) = mock::start_with(|_, request, _| answer("another", &scores(&asked(request).1))).await;
    let scored = score(&options(&server.uri()), &numbers(2)).await.unwrap();
    assert_eq!(&*scored.rejected[1].reason, "the answer has the id \"another\", expected \"batch:1-2\"");
}

#[tokio::test]
async fn a_score_that_is_no_number_rejects_its_row_alone() {
    for word in ["NaN", "null", "-Infinity"] {
        let (server, count) = mock::start_with(move |_, request, _| {
            let (id, first) = asked(request);
            let mut scores = scores(&first);
            scores[2] = word.to_owned();
            answer(&id, &scores)
        })
        .await;
        let scored = score(&options(&server.uri()), &numbers(6)).await.unwrap();
        assert_eq!((scored.scored, scored.rejected[0].row), (vec![0, 1, 3, 4, 5], 2));
        assert_eq!(count.load(Ordering::SeqCst), 1, "the answer tells which row it is");
    }
}

#[tokio::test]
async fn a_page_with_a_status_of_success_is_no_model_server() {
    let (server, count) =
        mock::start_with(|_, _, _| ResponseTemplate::new(200).set_body_string("<html>please log in</html>")).await;
    let error = score(&options(&server.uri()), &numbers(4)).await.unwrap_err();
    assert_eq!((error.kind(), count.load(Ordering::SeqCst)), (ErrorKind::Server, 2));
    assert!(error.to_string().contains("<html>please log in</html>") && error.help().is_some(), "{error:#}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (other, count) = mock::start_with(|_, _, right| right).await;
    let target = format!("{}/v2/models/linear/infer", other.uri());
    let (server, _) =
        mock::start_with(move |_, _, _| ResponseTemplate::new(307).insert_header("location", target.as_str())).await;
    let error = score(&options(&server.uri()), &numbers(4)).await.unwrap_err();
    assert_eq!((error.kind(), count.load(Ordering::SeqCst)), (ErrorKind::Server, 0));
    assert!(error.to_string().contains("status 307"), "{error}");
}

#[tokio::test]
async fn rows_that_poison_their_batch_are_rejected_alone() {
    let (server, _) = mock::start_with(|_, request, right| {
        // The numbers of the rows 5 and 30.
        match asked(request).1.iter().any(|first| [15.0, 90.0].contains(first)) {
            true => ResponseTemplate::new(500).set_body_string("Traceback\nValueError: no such category"),
            false => right,
        }
    })
    .await;
    let scored = score(&options(&server.uri()), &numbers(40)).await.unwrap();
    let rejected: Vec<usize> = scored.rejected.iter().map(|one| one.row).collect();
    assert_eq!((rejected, scored.scored.len()), (vec![5, 30], 38));
    assert_eq!(&*scored.rejected[0].reason, "status 500: `Traceback\nValueError: no such category`");
}

#[tokio::test]
async fn a_failure_that_passes_rejects_nothing() {
    let (server, count) = mock::start_with(|number, _, right| match number {
        0 => ResponseTemplate::new(500).set_body_string("Internal Server Error"),
        _ => right,
    })
    .await;
    assert!(score(&options(&server.uri()), &numbers(9)).await.unwrap().is_complete());
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn refused_access_is_one_error_without_the_token() {
    let (server, count) = mock::start_with(|_, request, right| {
        match request.headers.get("authorization").map(|value| value.as_bytes()) {
            Some(b"Bearer right") => right,
            _ => ResponseTemplate::new(401).set_body_string("no"),
        }
    })
    .await;
    let mut options = options(&server.uri());
    options.token = Some(es_core::Secret::new("canary"));
    let error = score(&options, &numbers(40)).await.unwrap_err();
    assert_eq!((error.kind(), count.load(Ordering::SeqCst)), (ErrorKind::Unauthorized, 1));
    assert!(!format!("{error:?} {:?}", ModelServer::connect(&options)).contains("canary"));
    options.token = Some(es_core::Secret::new("right"));
    assert!(score(&options, &numbers(4)).await.unwrap().is_complete());
}

#[tokio::test]
async fn batches_and_answers_that_are_too_large_are_halved() {
    let (server, count) = mock::start_with(|_, _, right| right).await;
    let mut options = options(&server.uri());
    options.max_body_bytes = "400b".parse().unwrap();
    assert!(score(&options, &numbers(64)).await.unwrap().is_complete());
    assert!(count.load(Ordering::SeqCst) > 2);

    // An answer of several rows is larger than it has to be.
    let (padded, _) = mock::start_with(|_, request, right| {
        let (id, first) = asked(request);
        match first.len() {
            1 => right,
            _ => answer(&format!("{id}\",\"more\":\"{}", "x".repeat(4_000)), &scores(&first)),
        }
    })
    .await;
    options.url = padded.uri();
    options.max_body_bytes = "2kb".parse().unwrap();
    assert!(score(&options, &numbers(5)).await.unwrap().is_complete());

    options.url = server.uri();
    options.max_body_bytes = "100b".parse().unwrap();
    let scored = score(&options, &numbers(2)).await.unwrap();
    assert!(scored.rejected[0].reason.ends_with("and at most 100 are sent"), "{}", scored.rejected[0].reason);
}

#[tokio::test]
async fn the_breaker_opens_after_failures_and_closes_after_a_trial() {
    let (server, count) = mock::start_with(|number, _, right| match number {
        0..4 => ResponseTemplate::new(503),
        _ => right,
    })
    .await;
    let mut options = options(&server.uri());
    options.breaker.failures = 3.try_into().unwrap();
    options.breaker.pause = "1h".parse().unwrap();
    let open = ModelServer::connect(&options).unwrap();
    for _ in 0..3 {
        let scored = score_with(&open, &numbers(2)).await.unwrap();
        assert!(scored.unknown[0].reason.starts_with("not sent: "), "{}", scored.unknown[0].reason);
    }
    assert_eq!(count.load(Ordering::SeqCst), 3, "nothing is sent during the pause");

    options.breaker.pause = "1ms".parse().unwrap();
    options.breaker.failures = 1.try_into().unwrap();
    let closes = ModelServer::connect(&options).unwrap();
    loop {
        if score_with(&closes, &numbers(2)).await.unwrap().is_complete() {
            break;
        }
    }
    assert_eq!(count.load(Ordering::SeqCst), 5, "one trial failed, and the next was answered");
}

#[tokio::test]
async fn random_faults_leave_an_account_that_adds_up() {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    let mut runner = proptest::test_runner::TestRunner::default();
    let faults = proptest::collection::vec(0..12_u8, 1..12);
    for _ in 0..60 {
        let faults = (faults.new_tree(&mut runner).unwrap().current(), 1..24_u32);
        let rows = faults.1.new_tree(&mut runner).unwrap().current();
        let sequence = faults.0.clone();
        let (server, _) = mock::start_with(move |number, request, right| {
            let (id, first) = asked(request);
            let mut right_scores = scores(&first);
            match sequence[number % sequence.len()] {
                0 => ResponseTemplate::new(503).insert_header("retry-after", "0"),
                1 => ResponseTemplate::new(500).set_body_string("Internal Server Error"),
                2 => answer(&id, &right_scores[1..]),
                3 => answer("another", &right_scores),
                4 => {
                    right_scores[0] = "NaN".to_owned();
                    answer(&id, &right_scores)
                }
                5 => ResponseTemplate::new(502).set_body_string("<html>"),
                6 => ResponseTemplate::new(422).set_body_string("no"),
                7 => ResponseTemplate::new(200).set_body_string("{\"outputs\": [").insert_header("x", "y"),
                _ => right,
            }
        })
        .await;
        // An error that concerns the whole batch is an outcome too: nothing is scored then.
        match score(&options(&server.uri()), &numbers(rows)).await {
            Ok(scored) => assert_eq!(scored.rows(), usize::try_from(rows).unwrap(), "{faults:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Server, "{faults:?} {error}"),
        }
    }
}
