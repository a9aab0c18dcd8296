//! Points in time: what they see, and that nothing of them is left on the server.

use std::time::Duration;

use es_core::{Client, ErrorKind, Method, NextPage, PageSize, PointInTime, Request};
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
    let page: Value = point.search(&body).await.unwrap().json().unwrap();
    assert_eq!(point.id().as_deref(), page["pit_id"].as_str(), "it follows the id of the answer");
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
async fn one_that_is_gone_is_reported_and_closing_it_is_no_error() {
    let Some((client, scope)) = live("gone").await else { return };
    let index = format!("{}a", scope.prefix());
    write(&client, &index, 0..1).await;
    let point = client.open_point_in_time(&index, KEEP).await.unwrap();
    point.search(&json!({"size": 1})).await.unwrap();
    let close = Request::new(Method::Delete, "/_pit").json(&json!({"id": point.id().as_deref()}));
    client.send(&close).await.unwrap();
    let error = point.search(&json!({"size": 1})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("No search context found"), "{error}");
    point.close().await.unwrap();
}

/// Runs `work` in a runtime of its own that ends right after it, as one does after `main`.
fn in_a_runtime_that_ends<T: Send + 'static>(
    mut builder: tokio::runtime::Builder,
    work: impl FnOnce(tokio::runtime::Runtime) -> T + Send + 'static,
) -> T {
    std::thread::spawn(move || work(builder.enable_all().build().unwrap())).join().unwrap()
}

#[tokio::test]
async fn one_dropped_at_the_end_of_main_is_gone_once_it_settled() {
    let Some((client, scope)) = live("settled").await else { return };
    let index = format!("{}a", scope.prefix());
    write(&client, &index, 0..1).await;
    for builder in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let of_index = index.clone();
        let left = in_a_runtime_that_ends(builder, move |runtime| {
            runtime.block_on(async {
                let (client, _scope) = live("settled_main").await.unwrap();
                let point = client.open_point_in_time(&of_index, KEEP).await.unwrap();
                drop(point);
                client.settle(KEEP).await
            })
        });
        assert_eq!(left, 0);
        assert_eq!(open_contexts(&client, &index).await, 0);
    }
}

#[tokio::test]
async fn one_dropped_outside_of_any_runtime_is_gone_once_it_settled() {
    let Some((client, scope)) = live("settled_outside").await else { return };
    let index = format!("{}a", scope.prefix());
    write(&client, &index, 0..1).await;
    for builder in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let of_index = index.clone();
        let left = in_a_runtime_that_ends(builder, move |runtime| {
            let (client, point) = runtime.block_on(async {
                let (client, _scope) = live("settled_outside_main").await.unwrap();
                let point = client.open_point_in_time(&of_index, KEEP).await.unwrap();
                (client, point)
            });
            assert!(tokio::runtime::Handle::try_current().is_err());
            drop(point);
            runtime.block_on(client.settle(KEEP))
        });
        assert_eq!(left, 0);
        assert_eq!(open_contexts(&client, &index).await, 0);
    }
}

#[tokio::test]
async fn pages_of_hits_and_of_buckets_are_all_there() {
    let Some((client, scope)) = live("pages").await else { return };
    let index = format!("{}a", scope.prefix());
    write(&client, &index, 0..25).await;
    let point = client.open_point_in_time(&index, KEEP).await.unwrap();
    write(&client, &index, 25..30).await;

    let size = PageSize::of_rows(10);
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let next = NextPage { after: after.as_deref(), ..NextPage::default() };
        let body = |rows| json!({"size": rows, "sort": [{"n": "asc"}], "_source": ["n"]});
        let page = point.search_sized(&size, next, body).await.unwrap();
        assert_eq!((page.rows, page.refused_to), (10, None));
        let read: Value = page.answer.json().unwrap();
        let hits = read["hits"]["hits"].as_array().unwrap();
        size.learn(page.answer.body().len(), hits.len());
        numbers.extend(hits.iter().map(|hit| hit["_source"]["n"].as_u64().unwrap()));
        let Some(last) = hits.last() else { break };
        after = Some(serde_json::value::to_raw_value(&last["sort"]).unwrap());
    }
    assert_eq!(numbers, (0..25).collect::<Vec<u64>>());

    let (mut keys, mut after) = (Vec::new(), None::<Value>);
    loop {
        let body = |rows| {
            let mut composite = json!({"size": rows, "sources": [{"n": {"terms": {"field": "n"}}}]});
            if let Some(after) = &after {
                composite["after"] = after.clone();
            }
            json!({"size": 0, "aggs": {"groups": {"composite": composite}}})
        };
        let page = point.search_sized(&size, NextPage::default(), body).await.unwrap();
        let read: Value = page.answer.json().unwrap();
        let groups = &read["aggregations"]["groups"];
        keys.extend(groups["buckets"].as_array().unwrap().iter().map(|bucket| bucket["key"]["n"].as_u64().unwrap()));
        match groups.get("after_key") {
            Some(key) => after = Some(key.clone()),
            None => break,
        }
    }
    assert_eq!(keys, (0..25).collect::<Vec<u64>>());
    point.close().await.unwrap();
}

#[tokio::test]
async fn one_is_taken_over_by_its_id() {
    let Some((client, scope)) = live("taken_over").await else { return };
    let index = format!("{}a", scope.prefix());
    write(&client, &index, 0..3).await;
    let id = client.open_point_in_time(&index, KEEP).await.unwrap().detach().unwrap();
    write(&client, &index, 3..5).await;
    let point = client.point_in_time(&id, KEEP);
    assert_eq!(point.count(&json!({"match_all": {}})).await.unwrap(), 3);
    point.close().await.unwrap();
    assert_eq!(point.id(), None);
    assert_eq!(open_contexts(&client, &index).await, 0);
    let error = point.search(&json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "the point in time is closed already");
}

#[tokio::test]
async fn a_missing_index_has_none() {
    let Some((client, scope)) = live("missing").await else { return };
    let error = client.open_point_in_time(&format!("{}absent", scope.prefix()), KEEP).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("index_not_found_exception"), "{error}");
}
