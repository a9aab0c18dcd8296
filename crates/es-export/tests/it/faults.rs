//! Servers that lose rows, points in time and connections.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use es_core::Client;
use es_export::{ErrorKind, IndexReader, ReadOptions, ReadRequest, Search};
use es_values::TimeSpan;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{at, export, run};

const INDEX: &str = "flights";

fn answer(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("X-Elastic-Product", "Elasticsearch").set_body_json(body)
}

/// A node with one index, whose pages `page` makes. A count says `matched`.
async fn mock_node(
    matched: u64,
    page: impl Fn(&Value) -> ResponseTemplate + Send + Sync + 'static,
) -> (MockServer, Client) {
    let server = MockServer::builder().start().await;
    let hello =
        json!({"name": "m", "cluster_name": "m", "cluster_uuid": "vSxLkM3uQ0mJ", "version": {"number": "9.4.3"}});
    Mock::given(method("GET")).and(path("/")).respond_with(answer(200, &hello)).mount(&server).await;
    let described = json!({INDEX: {
        "aliases": {}, "mappings": {"properties": {"n": {"type": "long"}}},
        "settings": {"index": {"number_of_shards": "1"}},
    }});
    Mock::given(path(format!("/{INDEX}"))).respond_with(answer(200, &described)).mount(&server).await;
    let opened = answer(200, &json!({"id": "first", "_shards": {"failed": 0}}));
    Mock::given(path(format!("/{INDEX}/_pit"))).respond_with(opened).mount(&server).await;
    let closed = answer(200, &json!({"succeeded": true, "num_freed": 1}));
    Mock::given(method("DELETE")).and(path("/_pit")).respond_with(closed).mount(&server).await;
    let search = move |request: &Request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if body["size"] == 0 {
            let total = json!({"timed_out": false, "_shards": {"failed": 0}, "hits": {"total": {"value": matched}}});
            return answer(200, &total);
        }
        page(&body)
    };
    Mock::given(path("/_search")).respond_with(search).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    (server, client)
}

/// Three pages: two rows, one row, none. Each comes with another id of the point in time.
fn three_pages(body: &Value) -> ResponseTemplate {
    let hit = |n: i64| json!({"_index": INDEX, "_id": n.to_string(), "fields": {"n": [n]}, "sort": [n]});
    let (id, hits) = match body["search_after"][0].as_i64() {
        None => ("second", vec![hit(0), hit(1)]),
        Some(1) => ("third", vec![hit(2)]),
        _ => ("fourth", vec![]),
    };
    answer(200, &json!({"pit_id": id, "timed_out": false, "_shards": {"failed": 0}, "hits": {"hits": hits}}))
}

fn one_slice() -> ReadRequest {
    ReadRequest { options: ReadOptions { slices: Some(1), ..ReadOptions::default() }, ..ReadRequest::new(INDEX) }
}

/// The bodies of the requests of one kind.
async fn bodies(server: &MockServer, path: &str) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    let of_path = requests.iter().filter(|request| request.url.path() == path);
    of_path.map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[tokio::test]
async fn the_newest_id_is_sent_and_closed() {
    let (server, client) = mock_node(3, three_pages).await;
    let found = IndexReader::open(&client, one_slice()).await.unwrap().collect().await.unwrap();
    assert_eq!(found.column("n").unwrap().i64().unwrap().into_no_null_iter().collect::<Vec<_>>(), [0, 1, 2]);
    let searches = bodies(&server, "/_search").await;
    let ids: Vec<_> = searches.iter().map(|body| body["pit"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["first", "first", "second", "third"]);
    assert!(searches.iter().all(|body| body["pit"]["keep_alive"] == "120000ms"));
    // A short page is not the end; an empty one is.
    assert_eq!(searches[3]["search_after"], json!([2]));
    assert_eq!(bodies(&server, "/_pit").await, [json!({"id": "fourth"})]);
}

#[tokio::test]
async fn a_page_that_fails_once_is_read_again_and_not_twice() {
    let turn = AtomicUsize::new(0);
    let (_server, client) = mock_node(3, move |body| match turn.fetch_add(1, Ordering::SeqCst) {
        1 => answer(503, &json!({"error": {"type": "x", "reason": "away"}})),
        3 => answer(429, &json!({"error": {"type": "es_rejected_execution_exception", "reason": "full"}})),
        _ => three_pages(body),
    })
    .await;
    let found = IndexReader::open(&client, one_slice()).await.unwrap().collect().await.unwrap();
    assert_eq!(found.column("n").unwrap().i64().unwrap().into_no_null_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

/// A refusal of a circuit breaker: of the node, or of a shard that the search asked.
fn no_memory(of_shard: bool) -> ResponseTemplate {
    let breaker = json!({
        "type": "circuit_breaking_exception", "reason": "[parent] Data too large", "bytes_wanted": 9, "bytes_limit": 8,
        "durability": "TRANSIENT",
    });
    let error = match of_shard {
        false => breaker,
        true => {
            json!({"type": "search_phase_execution_exception", "reason": "all shards failed", "root_cause": [breaker]})
        }
    };
    answer(429, &json!({"error": error, "status": 429}))
}

#[tokio::test]
async fn pages_that_the_server_has_no_memory_for_become_smaller_and_stay_so() {
    for of_shard in [false, true] {
        let (server, client) = mock_node(3, move |body| match body["size"].as_u64().unwrap() {
            ..=125 => three_pages(body),
            _ => no_memory(of_shard),
        })
        .await;
        let found = IndexReader::open(&client, one_slice()).await.unwrap().collect().await.unwrap();
        assert_eq!(found.column("n").unwrap().i64().unwrap().into_no_null_iter().collect::<Vec<_>>(), [0, 1, 2]);
        let searches = bodies(&server, "/_search").await;
        // The first one counts.
        let sizes: Vec<_> = searches.iter().skip(1).map(|body| body["size"].as_u64().unwrap()).collect();
        assert_eq!(sizes, [1_000, 500, 250, 125, 125, 125]);
    }
}

#[tokio::test]
async fn a_server_that_never_has_the_memory_fails_the_read_in_the_end() {
    let (server, client) = mock_node(3, |_| no_memory(false)).await;
    let mut request = one_slice();
    request.options.keep_alive = TimeSpan::seconds(2);
    let error = IndexReader::open(&client, request).await.unwrap().collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    assert!(error.is_retryable() && error.to_string().contains("Data too large"), "{error}");
    let searches = bodies(&server, "/_search").await;
    // What keeps the point in time alive asks for no rows.
    let sizes: Vec<_> = searches.iter().map(|body| body["size"].as_u64().unwrap()).filter(|size| *size > 0).collect();
    assert!(sizes.len() > 1 && sizes.is_sorted_by(|one, next| one >= next), "{sizes:?}");
    assert!(sizes.iter().all(|size| *size >= 100), "{sizes:?}");
}

#[tokio::test]
async fn rows_that_are_missing_fail_the_read_and_the_export() {
    let (server, client) = mock_node(4, three_pages).await;
    let error = IndexReader::open(&client, one_slice()).await.unwrap().collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert_eq!(error.to_string(), "3 rows were read, and the query matches 4 documents");
    assert!(error.is_retryable());

    let scratch = tempfile::tempdir().unwrap();
    let error = run(export(one_slice(), &scratch.path().join("set"), None), &client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    // The export closes what it opened before it returns.
    assert!(bodies(&server, "/_pit").await.contains(&json!({"id": "fourth"})));
}

#[tokio::test]
async fn a_page_without_all_shards_fails_the_read() {
    for (failed, timed_out, why) in [(1, false, "some shards failed"), (0, true, "the search timed out")] {
        let thinned = json!({"timed_out": timed_out, "_shards": {"failed": failed}, "hits": {"hits": []}});
        let (_server, client) = mock_node(3, move |_| answer(200, &thinned)).await;
        let error = IndexReader::open(&client, one_slice()).await.unwrap().collect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete);
        assert_eq!(error.to_string(), format!("{why}, so rows would be missing"));
    }
}

#[tokio::test]
async fn a_page_that_is_cut_off_fails_the_read() {
    let (_server, client) = mock_node(3, |_| {
        ResponseTemplate::new(200)
            .insert_header("X-Elastic-Product", "Elasticsearch")
            .set_body_string("{\"timed_out\":false,\"hits\":{\"hits\":[{\"_id\":\"0\",\"fields\":{\"n\":[0")
    })
    .await;
    let error = IndexReader::open(&client, one_slice()).await.unwrap().collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.to_string().starts_with("the answer to a search cannot be read: "), "{error}");
}

#[tokio::test]
async fn a_point_in_time_that_expired_is_no_missing_index() {
    let gone = json!({"error": {
        "type": "search_phase_execution_exception", "reason": "all shards failed",
        "root_cause": [{"type": "search_context_missing_exception", "reason": "No search context found for id [1]"}],
    }});
    let (_server, client) = mock_node(3, move |_| answer(404, &gone)).await;
    let error = IndexReader::open(&client, one_slice()).await.unwrap().collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    assert!(error.to_string().ends_with("No search context found for id [1]"), "{error}");
    assert!(error.help().unwrap().starts_with("the point in time is gone"), "{:?}", error.help());
}

/// An answer whose body is text as it is.
fn raw(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).insert_header("X-Elastic-Product", "Elasticsearch").set_body_string(body)
}

#[tokio::test]
async fn sort_values_are_sent_back_as_they_came() {
    // Numbers among them that no float holds, nothing, and text that looks like the end of a page.
    const SORT: &str = r#"[18446744073709551615,null,1.10,-0.0,"Infinity","\"sort\":[1]}]}}"]"#;
    let page = |pretty: bool| {
        let hit = format!(r#"{{"_index":"flights","_id":"1","fields":{{"n":[7]}},"sort":{SORT}}}"#);
        let (space, end) = if pretty { ("\n  ", "\n") } else { ("", "") };
        format!(
            r#"{{{space}"pit_id":"p","timed_out":false,"_shards":{{"failed":0}},"hits":{{"hits":[{hit}]{space}}}}}{end}"#
        )
    };
    // With spaces in it a page is only understood once it is decoded.
    for pretty in [false, true] {
        let body = page(pretty);
        let (server, client) = mock_node(1, move |request| {
            if request.get("search_after").is_none() { raw(&body) } else { three_pages(&json!({"search_after": [2]})) }
        })
        .await;
        let sorted = Search { sort: vec![json!("a"), json!("b")], ..Search::new(INDEX) };
        let found = IndexReader::open(&client, sorted.into()).await.unwrap().collect().await.unwrap();
        assert_eq!(found.height(), 1);
        let requests = server.received_requests().await.unwrap();
        let sent = requests.iter().rfind(|request| request.url.path() == "/_search").unwrap();
        let sent = std::str::from_utf8(&sent.body).unwrap();
        assert!(sent.contains(&format!(r#""search_after":{SORT}"#)), "{sent}");
    }
}
