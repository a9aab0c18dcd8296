//! The speed of reading answers to bulk requests, beside `serde_json` into values:
//! `cargo bench -p es-bulk`. One answer has no failures, as usual; in the other, one document in a
//! hundred was rejected.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up stops")]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use serde_json::{Value, json};

const DOCUMENTS: usize = 10_000;

fn main() {
    divan::main();
}

/// An answer in which one document of this many was rejected; none for 0.
fn answer(one_refused_of: usize) -> Vec<u8> {
    let item = |document: usize| match document.checked_rem(one_refused_of) {
        Some(0) => json!({"index": {"status": 400, "error": {"type": "document_parsing_exception", "reason": "bad"}}}),
        _ => json!({"index": {"result": "created", "status": 201}}),
    };
    json!({"items": (0..DOCUMENTS).map(item).collect::<Vec<_>>()}).to_string().into_bytes()
}

#[divan::bench(args = [0, 100])]
fn ours(bencher: Bencher<'_, '_>, one_refused_of: usize) {
    let body = answer(one_refused_of);
    bencher
        .counter(ItemsCount::new(DOCUMENTS))
        .bench_local(|| es_bulk::read_answer(black_box(&body), DOCUMENTS).unwrap());
}

#[divan::bench(args = [0, 100])]
fn values(bencher: Bencher<'_, '_>, one_refused_of: usize) {
    let body = answer(one_refused_of);
    bencher
        .counter(ItemsCount::new(DOCUMENTS))
        .bench_local(|| serde_json::from_slice::<Value>(black_box(&body)).unwrap());
}
