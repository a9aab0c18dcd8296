//! A real node behind a network that breaks: nothing is lost, and a document with an id is there once.

use std::time::{Duration, Instant};

use es_bulk::{BulkLoader, BulkOptions, DeadLetter, ErrorKind, MaxRejected};
use es_core::{Backoff, Client, NewIndex, RetryPolicy};
use es_testing::Fault;
use serde_json::json;

use crate::support::{batches, behind_a_proxy, numbered, options, stream_of};

fn persistent() -> BulkOptions {
    let backoff = Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(100) };
    let retry = RetryPolicy { max: u32::MAX, total: Duration::from_secs(30), backoff };
    BulkOptions { retry, ..options() }
}

async fn count(client: &Client, index: &str) -> u64 {
    client.indices().refresh(index).await.unwrap();
    client.indices().count(index).await.unwrap()
}

#[tokio::test]
async fn replies_that_are_lost_after_the_commit_double_nothing() {
    let Some((client, proxy, scope)) = behind_a_proxy("lost").await else { return };
    let index = format!("{}a", scope.prefix());
    let faults = [Fault::DropReply, Fault::Truncate(60), Fault::Rewrite(503), Fault::DropReply, Fault::Pass];
    proxy.script_for("/_bulk", faults.into_iter().cycle().take(100));
    let loader = BulkLoader::new(client.clone(), &index, persistent());
    let summary = loader.load(stream_of(batches(&numbered(2_000), &["k"], 20))).await.unwrap();
    assert_eq!(proxy.unused(), 0);
    assert!(summary.adds_up());
    assert_eq!((summary.read, summary.acknowledged(), summary.unknown), (2_000, 2_000, 0));
    assert_eq!(summary.requests, 180);
    assert_eq!(summary.sent_again, 80 * 20);
    assert_eq!(count(&client, &index).await, 2_000);
}

#[tokio::test]
async fn connections_that_are_reset_lose_nothing() {
    let Some((client, proxy, scope)) = behind_a_proxy("reset").await else { return };
    let index = format!("{}a", scope.prefix());
    proxy.script_for("/_bulk", [Fault::Reset, Fault::Pass, Fault::Answer(429)].into_iter().cycle().take(60));
    let loader = BulkLoader::new(client.clone(), &index, persistent());
    let summary = loader.load(stream_of(batches(&numbered(1_000), &["k"], 20))).await.unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.created, summary.updated, summary.unknown), (1_000, 0, 0));
    assert_eq!((summary.refused_requests, proxy.unused()), (20, 0));
    assert_eq!(count(&client, &index).await, 1_000);
}

#[tokio::test]
async fn a_lost_reply_without_ids_says_how_many_and_where() {
    let Some((client, proxy, scope)) = behind_a_proxy("where").await else { return };
    let index = format!("{}a", scope.prefix());
    proxy.script_for("/_bulk", [Fault::Pass, Fault::Pass, Fault::DropReply]);
    let frame = numbered(100);
    let writer = es_frame::DocumentWriter::new(&frame, &[] as &[&str]).unwrap();
    let limits = es_bulk::BatchLimits { documents: 20, ..es_bulk::BatchLimits::default() };
    let mut builder = es_bulk::BatchBuilder::new(limits);
    builder.source("flights.csv".into(), es_bulk::files::FilePlace { rows: 1_000, bytes: None });
    let full = builder.push_frame(&writer).unwrap();
    let one_at_once = BulkOptions { concurrency: Some(1), ..persistent() };
    let error = BulkLoader::new(client.clone(), &index, one_at_once).load(stream_of(full)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    let summary = error.summary().unwrap();
    assert!(summary.adds_up());
    assert_eq!(summary.unknown, 20);
    let help = error.help().unwrap();
    let expected = "20 documents may have been written or not: 20 of flights.csv, rows 1041 to 1060";
    assert!(help.ends_with(expected), "{help}");
    assert_eq!(count(&client, &index).await, summary.acknowledged() + 20);
}

/// Longer than any pause between retries.
const HANG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_load_goes_on_when_a_node_comes_back() {
    let Some((client, proxy, scope)) = behind_a_proxy("down").await else { return };
    let index = format!("{}a", scope.prefix());
    // Each request is held for a moment, so that the load lasts for all the outages.
    proxy.script_for("/_bulk", std::iter::repeat_n(Fault::Delay(Duration::from_millis(20)), 10_000));
    let loader = BulkLoader::new(client.clone(), &index, persistent());
    let load = loader.load(stream_of(batches(&numbered(4_000), &["k"], 10)));
    let outages = async {
        let mut resumed = Vec::new();
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            proxy.shut().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let before = proxy.forwarded("/_bulk");
            proxy.open().await;
            let opened = Instant::now();
            while proxy.forwarded("/_bulk") == before && opened.elapsed() < HANG {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            resumed.push(opened.elapsed());
        }
        resumed
    };
    let (summary, resumed) = tokio::join!(load, outages);
    let summary = summary.unwrap();
    assert!(resumed.iter().all(|after| *after < HANG), "{resumed:?}");
    assert!(summary.adds_up());
    assert_eq!((summary.read, summary.acknowledged(), summary.unknown), (4_000, 4_000, 0));
    assert_eq!(count(&client, &index).await, 4_000);
}

#[tokio::test]
async fn every_bad_document_is_in_the_letter_and_every_good_one_in_the_index() {
    let Some((client, _proxy, scope)) = behind_a_proxy("poison").await else { return };
    let index = format!("{}a", scope.prefix());
    let mapping = serde_json::from_value(json!({"properties": {"n": {"type": "integer"}}})).unwrap();
    client.indices().create(&index, &NewIndex { mapping, ..NewIndex::default() }).await.unwrap();
    // Every hundredth value is no integer.
    let values: Vec<String> = (0..5_000).map(|n| if n % 100 == 7 { format!("x{n}") } else { n.to_string() }).collect();
    let keys: Vec<String> = (0..5_000).map(|n| format!("key-{n}")).collect();
    let frame = polars::prelude::df!("k" => keys, "n" => values).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    let lenient = BulkOptions { max_rejected: MaxRejected::Share(0.01), ..persistent() };
    let loader = BulkLoader::new(client.clone(), &index, lenient).with_dead_letter(DeadLetter::new(&path));
    let summary = loader.load(stream_of(batches(&frame, &["k"], 300))).await.unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.created, summary.rejections(), summary.sent_again), (4_950, 50, 0));
    assert_eq!(count(&client, &index).await, 4_950);
    let errors = std::fs::read_to_string(path.with_extension("errors.ndjson")).unwrap();
    let numbers: Vec<u64> = errors
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["document"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (0..50).map(|n| n * 100 + 7).collect::<Vec<_>>(), "in the order of the input");
    // The letter is sent again as it is, to an index that takes anything.
    let lenient = format!("{}b", scope.prefix());
    let letter = es_bulk::replay(&path.with_extension("ndjson"), es_bulk::BatchLimits::default()).unwrap();
    let again = BulkLoader::new(client.clone(), &lenient, options()).load(futures::stream::iter(letter)).await.unwrap();
    assert_eq!((again.created, again.read), (50, 50));
}
