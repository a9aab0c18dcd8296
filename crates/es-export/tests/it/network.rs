//! A network and a node that fail in the middle of a read, before the real node.

use std::time::Duration;

use es_core::{Client, ClusterConfig, RetryPolicy};
use es_export::{IndexReader, ReadOptions, ReadRequest, Search};
use es_testing::{Fault, FaultProxy};
use es_values::{ByteSize, TimeSpan};
use futures::TryStreamExt as _;
use polars::prelude::*;
use serde_json::json;

use crate::support::{at, bulk, fields, in_small_pages, index_of, live, rows, sorted, until_closed};

async fn through(client: &Client) -> (FaultProxy, Client) {
    let proxy = FaultProxy::before(client.nodes()[0].trim_end_matches('/')).await;
    let config = ClusterConfig { request_timeout: Duration::from_secs(5), ..at(&proxy.url()) };
    let client = Client::connect(config).await.unwrap();
    (proxy, client)
}

fn is_whole(found: &DataFrame, frame: &DataFrame) {
    assert!(sorted(found, "k").select(["k", "n", "g", "x"]).unwrap().equals_missing(frame), "{found}");
}

#[tokio::test]
async fn pages_that_are_lost_are_read_again_and_none_twice() {
    let Some((client, scope)) = live("lost_pages").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(120);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let (proxy, client_through) = through(&client).await;
    let faults = [
        Fault::Pass,
        Fault::DropReply,
        Fault::Truncate(40),
        Fault::Pass,
        Fault::Answer(429),
        Fault::Truncate(400),
        Fault::Answer(503),
        Fault::Reset,
        Fault::Rewrite(502),
        Fault::Pass,
        Fault::DropReply,
    ];
    for slices in [1, 4] {
        proxy.script_for("/_search", faults);
        let request = in_small_pages(Search::new(&index));
        let options = ReadOptions { slices: Some(slices), ..request.options };
        let reader = IndexReader::open(&client_through, ReadRequest { options, ..request }).await.unwrap();
        is_whole(&reader.collect().await.unwrap(), &frame);
        assert_eq!(proxy.unused(), 0);
    }
    // In an order and with a limit as well.
    proxy.script_for("/_search", faults);
    let search = Search { sort: vec![json!("n")], limit: Some(100), ..Search::new(&index) };
    let found = IndexReader::open(&client_through, in_small_pages(search)).await.unwrap().collect().await.unwrap();
    let numbers: Vec<i64> = found.column("n").unwrap().i64().unwrap().into_no_null_iter().collect();
    assert_eq!(numbers, (0..100).collect::<Vec<i64>>());
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_node_that_is_away_for_some_seconds_is_waited_for() {
    let Some((client, scope)) = live("away").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(120);
    index_of(&client, &index, 1, fields(), &frame, &["k"]).await;
    let (proxy, client_through) = through(&client).await;
    let reader = IndexReader::open(&client_through, in_small_pages(Search::new(&index))).await.unwrap();
    let mut frames = Box::pin(reader.frames());
    let mut found = frames.try_next().await.unwrap().unwrap();
    proxy.shut().await;
    // Longer than the retries of any other request take.
    let away = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        proxy.open().await;
    };
    let rest = async {
        while let Some(page) = frames.try_next().await.unwrap() {
            found.vstack_mut(&page).unwrap();
        }
    };
    tokio::join!(away, rest);
    is_whole(&found, &frame);
}

#[tokio::test]
async fn a_page_that_is_too_large_is_requested_again_smaller() {
    let Some((client, scope)) = live("large_page").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(1_500);
    index_of(&client, &index, 1, fields(), &frame, &["k"]).await;
    let small = ClusterConfig { max_response_size: 30_000, ..at(&client.nodes()[0]) };
    let small = Client::connect(small).await.unwrap();
    is_whole(&es_export::read(&small, &index).await.unwrap(), &frame);
    // A page of a scroll cannot be requested again, and so some rows are read beforehand.
    let scrolled = ReadRequest::from(Search { through: es_export::Through::Scroll, ..Search::new(&index) });
    let options = ReadOptions { page_bytes: ByteSize::bytes(15_000), ..scrolled.options };
    is_whole(
        &IndexReader::open(&small, ReadRequest { options, ..scrolled }).await.unwrap().collect().await.unwrap(),
        &frame,
    );

    let line = format!("{{\"index\":{{}}}}\n{{\"k\":\"{}\",\"n\":1}}\n", "x".repeat(31_000));
    bulk(&client, &index, line.into_bytes()).await;
    let error = es_export::read(&small, &index).await.unwrap_err();
    assert!(error.to_string().contains("is larger than 30000 bytes"), "{error}");
    assert!(error.help().unwrap().starts_with("a single row is larger than the client accepts"));
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_node_that_stays_away_ends_the_read() {
    let Some((client, scope)) = live("gone").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(50), &["k"]).await;
    let proxy = FaultProxy::before(client.nodes()[0].trim_end_matches('/')).await;
    let config = ClusterConfig { retry: RetryPolicy::NEVER, ..at(&proxy.url()) };
    let client_through = Client::connect(config).await.unwrap();
    let request = in_small_pages(Search::new(&index));
    let options = ReadOptions { keep_alive: TimeSpan::seconds(2), ..request.options };
    let reader = IndexReader::open(&client_through, ReadRequest { options, ..request }).await.unwrap();
    proxy.shut().await;
    let error = reader.collect().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}
