//! A load that is stopped settles what is in flight.

use std::time::Duration;

use es_bulk::{BulkLoader, BulkOptions};
use tokio_util::sync::CancellationToken;

use crate::support::{INDEX, batches, items, mock_node, numbered, options, received, stream_of};

#[tokio::test]
async fn requests_in_flight_are_settled_and_the_rest_is_not_read() {
    let (server, client) = mock_node(|request| items(request, |_| 201).set_delay(Duration::from_millis(200))).await;
    let cancel = CancellationToken::new();
    let two_at_once = BulkOptions { concurrency: Some(2), ..options() };
    let loader = BulkLoader::new(client, INDEX, two_at_once).with_cancellation(cancel.clone());
    let stop = async {
        while received(&server).await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(loader.load(stream_of(batches(&numbered(1_000), &["k"], 10))), stop);
    let summary = outcome.unwrap();
    assert!(summary.interrupted);
    assert!(summary.adds_up());
    assert!((20..1_000).contains(&summary.read), "{summary}");
    assert_eq!((summary.created, summary.unknown), (summary.read, 0));
    let arrived: usize = received(&server).await.iter().map(Vec::len).sum();
    assert_eq!(arrived as u64, summary.created);
}

#[tokio::test]
async fn a_load_that_is_stopped_before_it_starts_sends_nothing() {
    let (server, client) = mock_node(|request| items(request, |_| 201)).await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let loader = BulkLoader::new(client, INDEX, options()).with_cancellation(cancel);
    let summary = loader.load(stream_of(batches(&numbered(10), &["k"], 5))).await.unwrap();
    assert!(summary.interrupted && summary.adds_up());
    assert_eq!((summary.read, received(&server).await.len()), (0, 0));
}
