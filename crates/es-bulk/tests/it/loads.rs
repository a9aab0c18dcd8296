//! Frames into an index of a real node.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use es_bulk::{BatchBuilder, BatchLimits, BulkLoader, ErrorKind, MaxRejected, Progress, RefusedRow};
use es_core::{Document, NewIndex};
use es_frame::infer_mapping;
use serde_json::{Value, json};

use crate::support::{INDEX, batches, items, live, mock_node, numbered, options, stream_of};

#[tokio::test]
async fn loading_twice_leaves_each_document_once() {
    let Some((client, scope)) = live("twice").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = numbered(1_000);
    let mapping = infer_mapping(frame.schema()).unwrap();
    client.indices().create(&index, &NewIndex { mapping, ..NewIndex::default() }).await.unwrap();
    let seen = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    for round in 0..2 {
        let counter = seen.clone();
        let loader = BulkLoader::new(client.clone(), &index, options()).with_observer(move |progress| {
            counter[round].fetch_add(progress.acknowledged, Ordering::SeqCst);
        });
        let summary = loader.load(stream_of(batches(&frame, &["k"], 70))).await.unwrap();
        assert!(summary.adds_up());
        let expected = if round == 0 { (1_000, 0) } else { (0, 1_000) };
        assert_eq!((summary.created, summary.updated), expected);
        assert_eq!((summary.read, summary.acknowledged(), summary.requests), (1_000, 1_000, 15));
        assert_eq!((summary.rejections(), summary.unknown, summary.sent_again), (0, 0, 0));
        assert_eq!(summary.to_string(), "1000 read = 1000 acknowledged + 0 rejected + 0 unknown");
        assert_eq!(seen[round].load(Ordering::SeqCst), 1_000);
        assert!(!summary.interrupted && summary.bytes > 30_000 && summary.rate() > 0.0);
        client.indices().refresh(&index).await.unwrap();
        assert_eq!(client.indices().count(&index).await.unwrap(), 1_000);
    }
    let one: Document<Value> = client.documents(&index).get("key-7").await.unwrap().unwrap();
    assert_eq!(one.source, json!({"k": "key-7", "n": 7}));
}

/// A bar that is as long as what was read ends also when documents are rejected.
#[tokio::test]
async fn progress_ends_where_the_load_does() {
    let (_server, client) = mock_node(|request| items(request, |n| if n % 10 == 3 { 400 } else { 201 })).await;
    let total = Arc::new(Mutex::new(Progress::default()));
    let seen = total.clone();
    let mut all = batches(&numbered(100), &["k"], 20);
    let mut builder = BatchBuilder::new(BatchLimits::default());
    builder.refuse(RefusedRow { row: 1, text: "{".to_owned(), reason: "cut off".to_owned() });
    all.extend(builder.finish());
    let loader = BulkLoader::new(client, INDEX, options().with_max_rejected(MaxRejected::Share(0.2)))
        .with_observer(move |step| *seen.lock().unwrap() += step);
    let summary = loader.load_batches(all).await.unwrap();
    let total = *total.lock().unwrap();
    let bytes = summary.bytes;
    assert_eq!(total, Progress { read: 101, acknowledged: 90, rejected: 11, unknown: 0, bytes });
    assert_eq!((total.settled(), summary.read, summary.rejections()), (101, 101, 11));
}

#[tokio::test]
async fn the_error_of_the_input_is_given_back() {
    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("the database went away")]
    struct Gone(u8);
    let (_server, client) = mock_node(|request| items(request, |_| 201)).await;
    let mut all: Vec<Result<_, Gone>> = batches(&numbered(30), &["k"], 10).into_iter().map(Ok).collect();
    all.push(Err(Gone(7)));
    let error = BulkLoader::new(client, INDEX, options()).load(futures::stream::iter(all)).await.unwrap_err();
    assert_eq!((error.kind(), error.summary().unwrap().created), (ErrorKind::Input, 30));
    assert_eq!(error.downcast_source::<Gone>().unwrap(), Gone(7));
}

#[tokio::test]
async fn ids_of_several_columns_with_any_characters_are_the_documents_ids() {
    let Some((client, scope)) = live("ids").await else { return };
    let index = format!("{}a", scope.prefix());
    let keys = ["a|b", "a\\", "\"ä\"\n", &"long".repeat(200)];
    let frame = polars::prelude::df!("k" => keys, "n" => [1, 2, 3, 4]).unwrap();
    let loader = BulkLoader::new(client.clone(), &index, options());
    for _ in 0..2 {
        let summary = loader.load(stream_of(batches(&frame, &["k", "n"], 10))).await.unwrap();
        assert_eq!(summary.acknowledged(), 4);
    }
    client.indices().refresh(&index).await.unwrap();
    assert_eq!(client.indices().count(&index).await.unwrap(), 4);
    for (id, n) in [("a\\|b|1", 1), ("a\\\\|2", 2), ("\"ä\"\n|3", 3)] {
        let found: Document<Value> = client.documents(&index).get(id).await.unwrap().unwrap();
        assert_eq!(found.source["n"], n);
    }
}

#[tokio::test]
async fn without_ids_each_load_adds() {
    let Some((client, scope)) = live("no_ids").await else { return };
    let index = format!("{}a", scope.prefix());
    for round in 1..=2 {
        let loader = BulkLoader::new(client.clone(), &index, options());
        let summary = loader.load(stream_of(batches(&numbered(50), &[], 20))).await.unwrap();
        assert_eq!((summary.created, summary.updated), (50, 0));
        client.indices().refresh(&index).await.unwrap();
        assert_eq!(client.indices().count(&index).await.unwrap(), 50 * round);
    }
}

#[tokio::test]
async fn an_empty_load_succeeds() {
    let Some((client, _scope)) = live("nothing").await else { return };
    let summary = BulkLoader::new(client, "absent", options()).load(stream_of(Vec::new())).await.unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.read, summary.requests), (0, 0));
}

#[tokio::test]
async fn an_input_that_fails_ends_the_load_with_its_account() {
    let Some((client, scope)) = live("input").await else { return };
    let index = format!("{}a", scope.prefix());
    let mut all: Vec<Result<_, _>> = batches(&numbered(30), &["k"], 10).into_iter().map(Ok).collect();
    all.insert(2, Err(es_bulk::Error::new(ErrorKind::Input, "the disk went away")));
    let error = BulkLoader::new(client.clone(), &index, options()).load(futures::stream::iter(all)).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Input, "the disk went away"));
    let summary = error.summary().unwrap();
    assert!(summary.adds_up() && summary.acknowledged() >= 20, "{summary}");
    client.indices().refresh(&index).await.unwrap();
    assert_eq!(client.indices().count(&index).await.unwrap(), summary.acknowledged());
}
