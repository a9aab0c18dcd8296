//! Points in time: what they see, and that nothing of them is left on the server.

use std::time::Duration;

use es_core::{Bytes, Client, ErrorKind, Method, PointInTime, Request};
use serde_json::{Value, json};

use crate::support::live;

const KEEP: Duration = Duration::from_secs(60);

async fn write(client: &Client, index: &str, numbers: std::ops::Range<u32>) {
    let lines: String = numbers.map(|n| format!("{{\"index\":{{}}}}\n{{\"n\":{n}}}\n")).collect();
    let bulk = Request::new(Method::Post, es_core::paths::bulk(index)).query("refresh", true).ndjson(lines);
    client.send(&bulk).await.unwrap();
}

/// The searches that the server keeps open for an index.
async fn open_contexts(client: &Client, index: &str) -> u64 {
    let stats = Request::new(Method::Get, format!("/{index}/_stats/search"));
    let stats: Value = client.send(&stats).await.unwrap().json().unwrap();
    stats["_all"]["total"]["search"]["open_contexts"].as_u64().unwrap()
}

async fn hits(point: &PointInTime, body: Value) -> Vec<Value> {
    let page: Bytes = point.search(&body).await.unwrap().body;
    let page: Value = serde_json::from_slice(&page).unwrap();
    point.renew(page["pit_id"].as_str().unwrap());
    page["hits"]["hits"].as_array().unwrap().clone()
}

#[tokio::test]
async fn it_sees_one_state_and_frees_it() {
    let Some((client, scope)) = live("one_state").await else { return };
    let index = format!("{}a", scope.prefix());
    write(&client, &index, 0..10).await;
    let point = client.open_point_in_time(&index, KEEP).await.unwrap();
    assert_eq!(open_contexts(&client, &index).await, 1);
    write(&client, &index, 10..15).await;
    assert_eq!(client.indices().count(&index).await.unwrap(), 15);
    assert_eq!(point.count(&json!({"match_all": {}})).await.unwrap(), 10);
    assert_eq!(point.count(&json!({"range": {"n": {"gte": 8}}})).await.unwrap(), 2);
    let all = hits(&point, json!({"size": 100, "sort": ["_doc"]})).await;
    assert_eq!(all.len(), 10);
    point.close().await.unwrap();
    assert_eq!(open_contexts(&client, &index).await, 0);
}

#[tokio::test]
async fn dropping_it_frees_it_too() {
    let Some((client, scope)) = live("dropped").await else { return };
    let index = format!("{}a", scope.prefix());
    write(&client, &index, 0..1).await;
    let point = client.open_point_in_time(&index, KEEP).await.unwrap();
    assert_eq!(open_contexts(&client, &index).await, 1);
    drop(point);
    for _ in 0..750 {
        if open_contexts(&client, &index).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the point in time is still open after a quarter of a minute");
}

#[tokio::test]
async fn one_that_is_gone_is_told_and_closing_it_is_no_error() {
    let Some((client, scope)) = live("gone").await else { return };
    let index = format!("{}a", scope.prefix());
    write(&client, &index, 0..1).await;
    let point = client.open_point_in_time(&index, KEEP).await.unwrap();
    let page: Value = serde_json::from_slice(&point.search(&json!({"size": 1})).await.unwrap().body).unwrap();
    let close = Request::new(Method::Delete, "/_pit").json(&json!({"id": page["pit_id"]}));
    client.send(&close).await.unwrap();
    let error = point.search(&json!({"size": 1})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("No search context found"), "{error}");
    point.close().await.unwrap();
}

#[tokio::test]
async fn a_missing_index_has_none() {
    let Some((client, scope)) = live("missing").await else { return };
    let error = client.open_point_in_time(&format!("{}absent", scope.prefix()), KEEP).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("index_not_found_exception"), "{error}");
}
