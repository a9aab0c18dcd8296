//! Refusals that concern the index are one error of the load and reject no document.

use es_bulk::{BulkLoader, DeadLetter, Error, ErrorKind, MaxRejected};
use es_core::{Client, Method, NewIndex, Request};
use serde_json::json;

use crate::support::{answer, batches, live, mock_node, numbered, options, stream_of};

/// Loads into an index that takes nothing, and returns the error.
async fn fail(client: &Client, index: &str) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let loader = BulkLoader::new(client.clone(), index, options().with_max_rejected(MaxRejected::Share(1.0)))
        .with_dead_letter(DeadLetter::new(&folder.path().join("letter")));
    let error = loader.load(stream_of(batches(&numbered(4_000), &["k"], 10))).await.unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is in the dead letter");
    assert_eq!(error.kind(), ErrorKind::Elasticsearch, "{error}");
    assert!(error.help().is_some() && error.elasticsearch().is_some(), "{error:#}");
    if let Some(summary) = error.summary() {
        assert!(summary.adds_up() && summary.rejections() == 0 && summary.unknown == 0, "{summary}");
    }
    error
}

#[tokio::test]
async fn an_index_that_takes_no_documents_fails_the_load_at_once() {
    let Some((client, scope)) = live("refused_index").await else { return };
    let bad = fail(&client, "Not-An-Index").await;
    assert!(bad.to_string().contains("invalid_index_name_exception"), "{bad}");

    let closed = format!("{}closed", scope.prefix());
    client.indices().create(&closed, &NewIndex::default()).await.unwrap();
    client.send(&Request::new(Method::Post, format!("/{closed}/_close"))).await.unwrap();
    let error = fail(&client, &closed).await;
    assert!(error.to_string().contains("index_closed_exception"), "{error}");

    let blocked = format!("{}blocked", scope.prefix());
    client.indices().create(&blocked, &NewIndex::default()).await.unwrap();
    client.send(&Request::new(Method::Put, format!("/{blocked}/_block/write"))).await.unwrap();
    let error = fail(&client, &blocked).await;
    assert!(error.to_string().contains("cluster_block_exception"), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_missing_index_fails_the_load_and_what_was_written_before_is_counted() {
    let (server, client) = mock_node(|request| {
        let missing = json!({"status": 404, "error": {"type": "index_not_found_exception", "reason": "no such index"}});
        let items = crate::support::numbers(request).into_iter().map(|n| match n {
            0..500 => crate::support::item(201),
            _ => json!({"index": missing}),
        });
        answer(200, &json!({"items": items.collect::<Vec<_>>()}))
    })
    .await;
    let loader = BulkLoader::new(client, crate::support::INDEX, options());
    let error = loader.load(stream_of(batches(&numbered(4_000), &["k"], 50))).await.unwrap_err();
    assert_eq!(error.to_string(), "flights takes no documents: index_not_found_exception: no such index");
    let summary = error.summary().unwrap();
    assert_eq!((summary.read, summary.created, summary.rejections(), summary.unknown), (500, 500, 0, 0));
    assert!(crate::support::received(&server).await.len() <= 30, "it stops at once");
}
