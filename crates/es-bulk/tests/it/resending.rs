//! The documents that are sent again, and no others.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use es_bulk::{BulkLoader, BulkOptions, ErrorKind, MaxRejected};
use serde_json::json;

use crate::support::{INDEX, answer, batches, item, items, mock_node, numbered, numbers, options, received, stream_of};

#[tokio::test]
async fn only_the_documents_without_room_are_sent_again() {
    // Documents 2 and 5 find no room twice, document 7 once; 4 is refused for good.
    let times = Mutex::new(BTreeMap::<i64, u32>::new());
    let (server, client) = mock_node(move |request| {
        items(request, |n| {
            let mut times = times.lock().unwrap();
            let sent = times.entry(n).or_default();
            *sent += 1;
            match (n, *sent) {
                (2 | 5, 1 | 2) => 429,
                (7, 1) => 503,
                (4, _) => 400,
                _ => 201,
            }
        })
    })
    .await;
    let lenient = BulkOptions { max_rejected: MaxRejected::Count(1), ..options() };
    let loader = BulkLoader::new(client, INDEX, lenient);
    let summary = loader.load(stream_of(batches(&numbered(10), &[], 10))).await.unwrap();
    assert_eq!(received(&server).await, [(0..10).collect::<Vec<_>>(), vec![2, 5, 7], vec![2, 5]]);
    assert!(summary.adds_up());
    assert_eq!((summary.read, summary.created, summary.rejections(), summary.unknown), (10, 9, 1, 0));
    assert_eq!((summary.sent_again, summary.requests), (5, 3));
}

#[tokio::test]
async fn documents_that_the_server_never_has_room_for_are_rejected() {
    let (server, client) = mock_node(|request| items(request, |n| if n == 1 { 429 } else { 201 })).await;
    let error =
        BulkLoader::new(client, INDEX, options()).load(stream_of(batches(&numbered(3), &["k"], 3))).await.unwrap_err();
    assert_eq!(received(&server).await, [vec![0, 1, 2], vec![1], vec![1], vec![1], vec![1]]);
    assert_eq!(error.kind(), ErrorKind::TooManyRejected);
    assert!(error.to_string().contains("was number 1: refused_for_the_test: because (sent 5 times)"), "{error}");
    let summary = error.summary().unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.created, summary.rejections(), summary.sent_again), (2, 1, 4));
}

#[tokio::test]
async fn a_whole_request_without_room_waits_and_is_sent_again_even_without_ids() {
    let turn = AtomicUsize::new(0);
    let (server, client) = mock_node(move |request| match turn.fetch_add(1, Ordering::SeqCst) {
        0 => answer(429, &json!({"error": {"type": "es_rejected_execution_exception", "reason": "full"}}))
            .insert_header("Retry-After", "1"),
        _ => items(request, |_| 201),
    })
    .await;
    let started = Instant::now();
    let loader = BulkLoader::new(client, INDEX, options());
    let summary = loader.load(stream_of(batches(&numbered(4), &[], 4))).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(received(&server).await, [vec![0, 1, 2, 3], vec![0, 1, 2, 3]]);
    assert_eq!((summary.created, summary.unknown), (4, 0));
}

#[tokio::test]
async fn an_unavailable_server_gets_documents_again_only_with_their_ids() {
    for (id, requests) in [(&["k"] as &[&str], 2), (&[], 1)] {
        let turn = AtomicUsize::new(0);
        let (server, client) = mock_node(move |request| match turn.fetch_add(1, Ordering::SeqCst) {
            0 => answer(503, &json!({"error": {"type": "cluster_block_exception", "reason": "starting"}})),
            _ => items(request, |_| 201),
        })
        .await;
        let outcome = BulkLoader::new(client, INDEX, options()).load(stream_of(batches(&numbered(3), id, 3))).await;
        assert_eq!(received(&server).await.len(), requests);
        if id.is_empty() {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Elasticsearch);
            assert!(error.is_retryable());
            let summary = error.summary().unwrap();
            assert!(summary.adds_up());
            assert_eq!((summary.read, summary.unknown), (3, 3));
        } else {
            assert_eq!(outcome.unwrap().created, 3);
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_split_until_it_fits() {
    let (server, client) = mock_node(|request| match numbers(request).len() {
        0..=3 => items(request, |_| 201),
        _ => answer(413, &json!({"error": {"type": "content_too_long_exception", "reason": "too large"}})),
    })
    .await;
    let loader = BulkLoader::new(client, INDEX, options());
    let summary = loader.load(stream_of(batches(&numbered(10), &[], 10))).await.unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.created, summary.rejections(), summary.unknown), (10, 0, 0));
    let accepted: Vec<Vec<i64>> = received(&server).await.into_iter().filter(|sent| sent.len() <= 3).collect();
    let mut all: Vec<i64> = accepted.concat();
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>(), "each exactly once");
}

#[tokio::test]
async fn a_document_that_is_too_large_alone_is_rejected_and_the_others_are_not() {
    let (_server, client) = mock_node(|request| {
        if numbers(request).contains(&3) {
            return answer(413, &json!({"error": {"type": "content_too_long_exception", "reason": "too large"}}));
        }
        items(request, |_| 201)
    })
    .await;
    let lenient = BulkOptions { max_rejected: MaxRejected::Count(1), ..options() };
    let summary =
        BulkLoader::new(client, INDEX, lenient).load(stream_of(batches(&numbered(8), &["k"], 8))).await.unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.created, summary.rejected.get("content_too_long_exception")), (7, Some(&1)));
}

#[tokio::test]
async fn an_answer_with_too_few_items_leaves_the_documents_unknown() {
    let short = json!({"items": [item(201), item(201)]});
    let (_server, client) = mock_node(move |_| answer(200, &short)).await;
    let error =
        BulkLoader::new(client, INDEX, options()).load(stream_of(batches(&numbered(3), &["k"], 3))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    assert_eq!(error.to_string(), "a bulk request of 3 documents was answered with 2 items");
    let summary = error.summary().unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.read, summary.acknowledged(), summary.unknown), (3, 0, 3));
}

#[tokio::test]
async fn an_answer_that_is_cut_off_leaves_the_documents_unknown() {
    let (_server, client) = mock_node(|_| {
        wiremock::ResponseTemplate::new(200)
            .insert_header("X-Elastic-Product", "Elasticsearch")
            .set_body_string("{\"items\":[{\"index\":{\"status\":201,\"res")
    })
    .await;
    let error =
        BulkLoader::new(client, INDEX, options()).load(stream_of(batches(&numbered(1), &["k"], 1))).await.unwrap_err();
    assert!(error.to_string().starts_with("the answer to a bulk request cannot be read: EOF"), "{error}");
    assert_eq!(error.summary().unwrap().unknown, 1);
}

#[tokio::test]
async fn one_batch_that_fails_does_not_take_the_others_with_it() {
    let (_server, client) = mock_node(|request| {
        if numbers(request).contains(&25) {
            return answer(500, &json!({"error": {"type": "x", "reason": "broken"}}));
        }
        items(request, |_| 201).set_delay(Duration::from_millis(50))
    })
    .await;
    let error = BulkLoader::new(client, INDEX, options())
        .load(stream_of(batches(&numbered(60), &["k"], 10)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    assert!(!error.is_retryable());
    let summary = error.summary().unwrap();
    assert!(summary.adds_up());
    // Those under way with it are settled.
    assert_eq!((summary.unknown, summary.acknowledged() + 10), (10, summary.read));
    assert!(summary.acknowledged() >= 20, "{summary}");
}
