//! Servers that lose rows, points in time and connections.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use es_core::Client;
use es_export::{ErrorKind, IndexReader, Progress, ReadOptions, ReadRequest, Search, Spool};
use es_values::TimeSpan;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
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
        "aliases": {}, "mappings": {"properties": {"n": {"type": "long", "coerce": false}}},
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
    assert!(searches.iter().all(|body| body["pit"]["keep_alive"] == "300000ms"));
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

fn shard_failure(error_type: &str) -> Value {
    json!({"shard": 0, "index": INDEX, "node": "n", "reason": {"type": error_type, "reason": "gone"}})
}

/// The answer of a server whose node with a shard of the point in time is gone.
fn lost(status: u16, error_type: &str) -> ResponseTemplate {
    let error = json!({
        "type": "search_phase_execution_exception", "reason": "all shards failed",
        "root_cause": [{"type": error_type, "reason": "gone"}], "failed_shards": [shard_failure(error_type)],
    });
    answer(status, &json!({"error": error, "status": status}))
}

/// The server of three pages, on which the first points in time are lost after their first page.
async fn losing(
    times: usize,
    page_lost: impl Fn() -> ResponseTemplate + Send + Sync + 'static,
) -> (MockServer, Client) {
    let left = AtomicUsize::new(times);
    mock_node(3, move |body| {
        let is_second = body["search_after"][0] == 1;
        let is_lost =
            is_second && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if is_lost { page_lost() } else { three_pages(body) }
    })
    .await
}

#[tokio::test]
async fn an_export_whose_point_in_time_is_lost_starts_from_scratch() {
    let partial = || {
        let failures = json!([shard_failure("search_context_missing_exception")]);
        let shards = json!({"total": 1, "failed": 1, "failures": failures});
        answer(200, &json!({"timed_out": false, "_shards": shards, "hits": {"hits": []}}))
    };
    let answers: [fn() -> ResponseTemplate; 2] = [|| lost(404, "search_context_missing_exception"), partial];
    for page_lost in answers {
        let (server, client) = losing(2, page_lost).await;
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("set");
        let steps = Arc::new(Mutex::new(Vec::new()));
        let observer = {
            let steps = steps.clone();
            move |step: Progress| steps.lock().unwrap().push((step.restarts, step.rows))
        };
        let mut export = export(one_slice(), &folder, None);
        // A file a page, so that files of the lost points in time are finished.
        export.options.rows_per_file = 1;
        let manifest = run(export.with_observer(observer), &client).await.unwrap();
        assert_eq!((manifest.rows, manifest.restarted, manifest.resumed), (3, 2, 0));
        let found: Vec<i64> = crate::files::parts(&manifest, &folder)
            .iter()
            .flat_map(|(_, part)| part.column("n").unwrap().i64().unwrap().into_no_null_iter().collect::<Vec<_>>())
            .collect();
        assert_eq!(found, [0, 1, 2], "each row once");
        assert_eq!(*steps.lock().unwrap(), [(0, 2), (1, 2), (2, 2), (2, 1)]);
        // Each point in time was closed, and the file of the first page was written once.
        assert_eq!(bodies(&server, "/_pit").await.len(), 3);
        assert_eq!(manifest.files().count(), crate::support::names(&folder.join("data")).len());
        assert_eq!(crate::support::names(scratch.path()), ["set"]);
    }
}

#[tokio::test]
async fn restarts_are_limited() {
    for (max, lost_times) in [(0, 1), (1, 2)] {
        let (server, client) = losing(lost_times, || lost(404, "search_context_missing_exception")).await;
        let scratch = tempfile::tempdir().unwrap();
        let mut export = export(one_slice(), &scratch.path().join("set"), None);
        export.max_restarts = max;
        let error = run(export, &client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PointInTimeLost, "{error}");
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing was published");
        assert_eq!(bodies(&server, "/_pit").await.len(), lost_times);
    }
}

#[tokio::test]
async fn a_wait_for_a_restart_can_be_cancelled() {
    let (_server, client) = losing(9, || lost(404, "search_context_missing_exception")).await;
    let scratch = tempfile::tempdir().unwrap();
    let token = CancellationToken::new();
    let export = export(one_slice(), &scratch.path().join("set"), None).with_cancellation(token.clone());
    let cancelling = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        token.cancel();
    };
    let (outcome, ()) = tokio::join!(run(export, &client), cancelling);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_spool_whose_point_in_time_is_lost_is_read_from_scratch() {
    let (server, client) = losing(1, || lost(404, "search_context_missing_exception")).await;
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("rows.parquet");
    let spooled = Spool::new(one_slice(), &path).run(&client).await.unwrap();
    assert_eq!(spooled.rows, 3);
    let found = crate::support::parquet(&path);
    assert_eq!(found.column("n").unwrap().i64().unwrap().into_no_null_iter().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(bodies(&server, "/_pit").await.len(), 2);

    let (_server, client) = losing(1, || lost(404, "search_context_missing_exception")).await;
    let error = Spool::new(one_slice(), &path).with_max_restarts(0).run(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PointInTimeLost);
    assert!(!path.exists(), "a file that is not complete is removed");
}

#[tokio::test]
async fn a_stream_of_frames_checks_and_closes_itself() {
    let (server, client) = mock_node(3, three_pages).await;
    let reader = IndexReader::open(&client, one_slice()).await.unwrap();
    let frames: Vec<_> = reader.into_frames().try_collect().await.unwrap();
    assert_eq!(frames.iter().map(|frame| frame.height()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(bodies(&server, "/_pit").await, [json!({"id": "fourth"})]);

    let (server, client) = mock_node(4, three_pages).await;
    let reader = IndexReader::open(&client, one_slice()).await.unwrap();
    let mut frames = std::pin::pin!(reader.into_frames());
    let (mut rows, mut error) = (0, None);
    while let Some(next) = frames.next().await {
        match next {
            Ok(frame) => rows += frame.height(),
            Err(failed) => error = Some(failed),
        }
    }
    let error = error.unwrap();
    assert_eq!((rows, error.kind()), (3, ErrorKind::Incomplete));
    assert_eq!(error.to_string(), "3 rows were read, and the query matches 4 documents");
    assert_eq!(bodies(&server, "/_pit").await, [json!({"id": "fourth"})]);

    // A stream that is dropped closes the read as well.
    let (server, client) = mock_node(3, three_pages).await;
    let mut frames = Box::pin(IndexReader::open(&client, one_slice()).await.unwrap().into_frames());
    frames.next().await.unwrap().unwrap();
    drop(frames);
    assert_eq!(client.settle(std::time::Duration::from_secs(10)).await, 0);
    assert_eq!(bodies(&server, "/_pit").await.len(), 1);
}

#[tokio::test]
async fn a_read_can_be_observed_and_cancelled() {
    let (_server, client) = mock_node(3, three_pages).await;
    let token = CancellationToken::new();
    let observer = {
        let token = token.clone();
        move |step: Progress| {
            assert_eq!((step.rows, step.total), (2, Some(3)));
            token.cancel();
        }
    };
    let reader = IndexReader::open(&client, one_slice()).await.unwrap();
    let reader = reader.with_observer(observer).with_cancellation(token);
    let error = reader.into_frames().try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[tokio::test]
async fn a_page_without_all_shards_fails_the_read() {
    let table = [
        (1, false, ErrorKind::PointInTimeLost, "the search failed on 1 of 1 shards"),
        (0, true, ErrorKind::Incomplete, "the search timed out before all documents were seen"),
    ];
    for (failed, timed_out, kind, message) in table {
        let failures = if failed == 1 { json!([shard_failure("node_disconnected_exception")]) } else { json!([]) };
        let thinned =
            json!({"timed_out": timed_out, "_shards": {"failed": failed, "failures": failures}, "hits": {"hits": []}});
        let (_server, client) = mock_node(3, move |_| answer(200, &thinned)).await;
        let error = IndexReader::open(&client, one_slice()).await.unwrap().collect().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(error.is_retryable());
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
    assert_eq!(error.kind(), ErrorKind::PointInTimeLost);
    assert!(error.is_retryable());
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
