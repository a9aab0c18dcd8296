//! Servers that have no room for most of what they receive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use es_bulk::{BulkLoader, BulkOptions};
use es_core::{Backoff, RetryPolicy};
use serde_json::json;

use crate::support::{INDEX, answer, batches, items, mock_node, numbered, numbers, options, received, stream_of};

fn patient() -> BulkOptions {
    let backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(20) };
    let retry = RetryPolicy { max: u32::MAX, total: Duration::from_secs(30), backoff };
    BulkOptions { retry, ..options() }
}

#[tokio::test]
async fn only_the_refused_items_of_a_request_are_sent_again() {
    // Of every hundred items 60 find no room, for the first 4,000 that come.
    let state = Arc::new(Mutex::new((0_u64, BTreeMap::<i64, (u32, bool)>::new())));
    let seen = state.clone();
    let (server, client) = mock_node(move |request| {
        items(request, |n| {
            let mut state = state.lock().unwrap();
            state.0 += 1;
            let refuses = state.0 <= 4_000 && (state.0 * 37) % 100 < 60;
            let document = state.1.entry(n).or_default();
            assert!(!document.1, "{n} was written and came again");
            *document = (document.0 + 1, !refuses);
            if refuses { 429 } else { 201 }
        })
    })
    .await;
    let loader = BulkLoader::new(client, INDEX, patient());
    let all = batches(&numbered(2_000), &[], 100);
    let size: usize = all.iter().map(|batch| batch.body().len()).sum();
    let summary = loader.load(stream_of(all)).await.unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.created, summary.rejections(), summary.unknown), (2_000, 0, 0));
    let sent: u64 = seen.lock().unwrap().1.values().map(|(times, _)| u64::from(*times)).sum();
    assert_eq!((summary.sent_again, summary.refused_items), (sent - 2_000, sent - 2_000));
    assert!(summary.bytes as f64 <= 2.5 * size as f64, "{} of {size}", summary.bytes);
    let arrived: usize = received(&server).await.iter().map(Vec::len).sum();
    assert_eq!(arrived as u64, sent);
    assert!(summary.concurrency_last < 4, "{}", summary.concurrency_last);
}

#[tokio::test]
async fn a_batch_that_waits_does_not_hold_up_the_others() {
    // Everything goes one at a time, and the first document is refused until all others are in.
    let written = Arc::new(Mutex::new(0));
    let (server, client) = mock_node(move |request| {
        let mut written = written.lock().unwrap();
        let refuses = numbers(request).contains(&0) && *written < 900;
        *written += if refuses { 0 } else { numbers(request).len() };
        items(request, |_| if refuses { 429 } else { 201 })
    })
    .await;
    let one_at_once = BulkOptions { concurrency: Some(1), ..patient() };
    let summary = BulkLoader::new(client, INDEX, one_at_once)
        .load(stream_of(batches(&numbered(1_000), &["k"], 50)))
        .await
        .unwrap();
    assert_eq!((summary.created, summary.concurrency_highest), (1_000, 1));
    assert!(received(&server).await.iter().filter(|sent| sent.contains(&0)).count() >= 2);
}

#[tokio::test]
async fn a_request_larger_than_the_memory_for_requests_is_split() {
    let (server, client) = mock_node(|request| match numbers(request).len() {
        0..=3 => items(request, |_| 201),
        _ => {
            let reason = "rejected execution of coordinating operation [coordinating_and_primary_bytes=0, \
                replica_bytes=0, all_bytes=0, coordinating_operation_bytes=61790813, \
                max_coordinating_and_primary_bytes=53687091]";
            answer(429, &json!({"error": {"type": "es_rejected_execution_exception", "reason": reason}}))
        }
    })
    .await;
    let summary =
        BulkLoader::new(client, INDEX, patient()).load(stream_of(batches(&numbered(10), &[], 10))).await.unwrap();
    assert_eq!((summary.created, summary.unknown), (10, 0));
    assert_eq!(received(&server).await.iter().map(Vec::len).collect::<Vec<_>>(), [10, 5, 2, 3, 5, 2, 3]);
}

#[tokio::test]
async fn an_open_circuit_breaker_gets_smaller_requests_and_then_the_document_is_rejected() {
    let (_server, client) = mock_node(|request| {
        let breaks = numbers(request).len() > 2 || numbers(request).contains(&4);
        if breaks {
            let error =
                json!({"type": "circuit_breaking_exception", "reason": "Data too large", "durability": "PERMANENT"});
            return answer(429, &json!({"error": error, "status": 429}));
        }
        items(request, |_| 201)
    })
    .await;
    let lenient = BulkOptions { max_rejected: es_bulk::MaxRejected::Count(1), ..patient() };
    let summary =
        BulkLoader::new(client, INDEX, lenient).load(stream_of(batches(&numbered(9), &["k"], 9))).await.unwrap();
    assert_eq!((summary.created, summary.rejected.get("circuit_breaking_exception")), (8, Some(&1)));
}
