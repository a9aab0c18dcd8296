//! An embedding server in this process, which answers as OpenAI's interface says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

/// The length of its vectors.
pub(crate) const DIMS: usize = 3;

/// The vector of a text: no other text of the tests has it.
pub(crate) fn vector_of(text: &str) -> [f32; DIMS] {
    let sum = text.bytes().zip(1_u8..).map(|(byte, place)| f32::from(byte) * f32::from(place)).sum::<f32>();
    [f32::from(u8::try_from(text.len() % 256).unwrap()), sum, 0.1]
}

/// The texts of a request.
pub(crate) fn texts_of(request: &Request) -> Vec<String> {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    serde_json::from_value(body["input"].clone()).unwrap()
}

/// The vectors of texts, as the list `data` of an answer.
pub(crate) fn data(texts: &[String], base64: bool) -> Vec<Value> {
    let one = |(index, text): (usize, &String)| {
        let vector = vector_of(text);
        let embedding = match base64 {
            true => json!(STANDARD.encode(vector.map(f32::to_le_bytes).concat())),
            false => json!(vector.map(f64::from)),
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    texts.iter().enumerate().map(one).collect()
}

pub(crate) fn answer(data: &[Value]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}
    }))
}

pub(crate) fn refusal(status: u16, words: &str) -> ResponseTemplate {
    let error = json!({"error": {"message": words, "type": "invalid_request_error", "code": null}});
    ResponseTemplate::new(status).set_body_json(error)
}

/// Starts a server whose answers are made by `respond`, from their number (from 0), the request and its texts.
pub(crate) async fn start(
    respond: impl Fn(usize, &Request, &[String]) -> ResponseTemplate + Send + Sync + 'static,
) -> (MockServer, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = MockServer::start().await;
    let respond = move |request: &Request| respond(counted.fetch_add(1, Ordering::SeqCst), request, &texts_of(request));
    Mock::given(matchers::path("/v1/embeddings")).respond_with(respond).mount(&server).await;
    (server, count)
}
