//! Queries in ES|QL and SQL, which the node of the tests does not have: against answers that real
//! servers gave (8.19.21, and 6.8.23 for SQL, whose path was another one then).

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use es_core::Client;
use es_export::{ErrorKind, Esql, EsqlFormat, IndexReader, ReadBy, ReadOptions, ReadRequest, Sql};
use futures::TryStreamExt as _;
use polars::prelude::DataFrame;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{at, live};

/// An answer as it was recorded, headers included.
fn recorded(name: &str) -> ResponseTemplate {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    let headers = std::fs::read_to_string(folder.join(format!("{name}.headers.txt"))).unwrap();
    let mut lines = headers.lines();
    let status: u16 = lines.next().unwrap().strip_prefix("HTTP ").unwrap().parse().unwrap();
    let body =
        ["json", "arrow"].iter().find_map(|kind| std::fs::read(folder.join(format!("{name}.response.{kind}"))).ok());
    let mut template = ResponseTemplate::new(status).set_body_bytes(body.unwrap());
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        // How the body is carried is up to the mock server.
        if !matches!(name.to_ascii_lowercase().as_str(), "transfer-encoding" | "content-length") {
            template = template.append_header(name.trim(), value.trim());
        }
    }
    template
}

/// A server that answers queries by turns with what was recorded.
async fn server(at_path: &str, names: &[&str]) -> (MockServer, Client) {
    let server = MockServer::builder().start().await;
    let hello =
        json!({"name": "m", "cluster_name": "m", "cluster_uuid": "vSxLkM3uQ0mJ", "version": {"number": "8.19.21"}});
    let hello = ResponseTemplate::new(200).insert_header("X-Elastic-Product", "Elasticsearch").set_body_json(hello);
    Mock::given(method("GET")).and(path("/")).respond_with(hello).mount(&server).await;
    let answers = Mutex::new(names.iter().rev().map(|name| recorded(name)).collect::<Vec<_>>());
    let turn = move |_: &Request| answers.lock().unwrap().pop().unwrap_or_else(|| ResponseTemplate::new(418));
    Mock::given(method("POST")).and(path(at_path)).respond_with(turn).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    (server, client)
}

const ESQL: &str = "/_query/async";

/// The requests after the first greeting: method, path with query, body.
async fn asked(server: &MockServer) -> Vec<(String, String, Value)> {
    let requests = server.received_requests().await.unwrap();
    let of = |request: &Request| {
        let query = request.url.query().map_or(String::new(), |query| format!("?{query}"));
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        (request.method.to_string(), format!("{}{query}", request.url.path()), body)
    };
    requests.iter().skip(1).map(of).collect()
}

async fn esql(client: &Client, query: &str) -> Result<IndexReader, es_export::Error> {
    IndexReader::open(client, Esql::new(query).into()).await
}

#[tokio::test]
async fn a_query_in_esql_is_read_from_arrow() {
    let (server, client) = server(ESQL, &["esql/011-small-arrow", "esql/012-small-json"]).await;
    let request = ReadRequest::from(Esql::new("FROM ds | SORT id | LIMIT 12"));
    let options = ReadOptions { page_size: 5, ..request.options };
    let reader = IndexReader::open(&client, ReadRequest { options, ..request }).await.unwrap();
    assert_eq!((reader.count(), reader.slices(), reader.origin().read_by), (Some(12), 1, ReadBy::Esql));
    assert_eq!(reader.origin().query, "FROM ds | SORT id | LIMIT 12");
    assert_eq!(reader.field_types()[5], ("ts".to_owned(), "date".to_owned()));
    let pages: Vec<DataFrame> = reader.frames().try_collect().await.unwrap();
    assert_eq!(pages.iter().map(DataFrame::height).collect::<Vec<_>>(), [5, 5, 2]);
    assert!(pages.iter().all(|page| **page.schema() == reader.schema()));
    let of_arrow = reader.collect().await.unwrap();

    let as_json = Esql { format: EsqlFormat::Json, params: vec![json!(7)], ..Esql::new("FROM ds | LIMIT 12") };
    let of_json = IndexReader::open(&client, as_json.into()).await.unwrap().collect().await.unwrap();
    assert!(of_arrow.equals_missing(&of_json));
    let asked = asked(&server).await;
    assert_eq!(
        (asked[0].0.as_str(), asked[0].1.as_str()),
        ("POST", "/_query/async?format=arrow&allow_partial_results=false")
    );
    assert_eq!(asked[0].2["keep_on_completion"], false);
    assert_eq!((asked[1].1.contains("format=json"), &asked[1].2["params"]), (true, &json!([7])));
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn what_arrow_cannot_hold_is_read_from_json() {
    // By the server's word, by the type of a column, and where the server does not know it.
    for first in ["esql/003-all-arrow-datenanos-err", "esql/036-row-types-arrow"] {
        let (server, client) = server(ESQL, &[first, "esql/037-row-types-json"]).await;
        let frame = esql(&client, "ROW a = 1").await.unwrap().collect().await.unwrap();
        assert_eq!((frame.height(), frame.width()), (1, 16));
        assert_eq!(asked(&server).await.len(), 2);
    }
}

#[tokio::test]
async fn a_query_that_runs_on_is_waited_for_and_cleared_away() {
    for (format, start, end) in [
        (EsqlFormat::Json, "esql/092-async-start-nowait", "esql/093-async-poll"),
        (EsqlFormat::Auto, "esql/096-async-start-nowait-arrow", "esql/094-async-poll-arrow"),
    ] {
        let (server, client) = server(ESQL, &[start]).await;
        Mock::given(method("GET")).respond_with(recorded(end)).mount(&server).await;
        Mock::given(method("DELETE")).respond_with(recorded("esql/095-async-poll-delete")).mount(&server).await;
        let query = Esql { format, ..Esql::new("FROM ds_many | STATS MAX(x) BY g") };
        let frame = IndexReader::open(&client, query.into()).await.unwrap().collect().await.unwrap();
        assert_eq!((frame.height(), frame.width()), (7, 3));
        let asked = asked(&server).await;
        assert_eq!(asked.iter().map(|(method, ..)| method.as_str()).collect::<Vec<_>>(), ["POST", "GET", "DELETE"]);
        assert!(asked[1].1.starts_with("/_query/async/F") && asked[1].1.contains("wait_for_completion_timeout="));
        let (path, _) = asked[1].1.split_once('?').unwrap();
        assert_eq!(asked[2].1, path);
    }
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_any_more_is_stopped() {
    let running = || recorded("esql/092-async-start-nowait");
    let of = |wait| Esql { format: EsqlFormat::Json, wait, ..Esql::new("FROM ds_many") };
    let deleted = |asked: &[(String, String, Value)]| asked.iter().filter(|(method, ..)| method == "DELETE").count();
    // The wait ends.
    let (node, client) = server(ESQL, &["esql/092-async-start-nowait"]).await;
    Mock::given(method("GET")).respond_with(running()).mount(&node).await;
    let error = IndexReader::open(&client, of(Duration::from_millis(250)).into()).await.err().unwrap();
    assert_eq!(error.to_string(), "the ES|QL query did not end within 250ms");
    assert_eq!(deleted(&asked(&node).await), 1);

    // The caller goes.
    let (node, client) = server(ESQL, &["esql/092-async-start-nowait"]).await;
    Mock::given(method("GET")).respond_with(running()).mount(&node).await;
    let open = IndexReader::open(&client, of(Duration::from_secs(600)).into());
    assert!(tokio::time::timeout(Duration::from_millis(500), open).await.is_err());
    for _ in 0..500 {
        if deleted(&asked(&node).await) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the query was not stopped");
}

#[tokio::test]
async fn a_result_that_was_cut_off_is_refused() {
    // The server's highest limit, which it does not tell of.
    let (_server, client) = server(ESQL, &["esql/070-limit-20000-arrow", "esql/070-limit-20000-arrow"]).await;
    let error = esql(&client, "FROM ds_many | KEEP k, g | LIMIT 20000").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert_eq!(error.to_string(), "the query has as many rows as ES|QL gives at most, 10000: there may be more");
    assert!(!error.is_retryable());
    assert!(error.help().unwrap().starts_with("set a LIMIT of your own"), "{:?}", error.help());
    // Whoever asks for so many has what was asked for.
    let reader = esql(&client, "FROM ds_many | KEEP k, g | LIMIT 10000").await.unwrap();
    assert_eq!(reader.count(), Some(10_000));

    // The default, of which it warns: with as many rows as that, and with fewer.
    let warned = recorded("esql/093-async-poll");
    let rows: Vec<Value> = (0..1_000).map(|n| json!([n])).collect();
    let full = json!({"is_partial": false, "columns": [{"name": "n", "type": "long"}], "values": rows});
    let (server, client) = server(ESQL, &[]).await;
    server.reset().await;
    Mock::given(method("POST")).respond_with(warned.clone().set_body_json(&full)).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(warned).mount(&server).await;
    let query = || Esql { format: EsqlFormat::Json, ..Esql::new("FROM ds_many") };
    let error = IndexReader::open(&client, query().into()).await.err().unwrap();
    assert_eq!(error.to_string(), "the query has as many rows as ES|QL gives at most, 1000: there may be more");
    assert_eq!(IndexReader::open(&client, query().into()).await.unwrap().count(), Some(7));
}

#[tokio::test]
async fn a_result_without_some_shards_is_refused() {
    // The server refuses where it knows how to, and is then asked again as it may be away only.
    let (_server, client) = server(ESQL, &["esql/002-partial-disallowed"; 9]).await;
    let query = Esql { format: EsqlFormat::Json, ..Esql::new("FROM ds,ds_unassigned | STATS c=COUNT(*)") };
    let error = IndexReader::open(&client, query.clone().into()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    assert!(error.to_string().contains("index [ds_unassigned] has no active shard copy"), "{error}");
    // Where it answers with less it is seen.
    let (_server, client) = server(ESQL, &["esql/001-partial-default"]).await;
    let error = IndexReader::open(&client, query.into()).await.err().unwrap();
    assert_eq!(error.to_string(), "the result of the query lacks some shards, so rows are missing");
}

#[tokio::test]
async fn a_server_that_knows_no_partial_results_is_asked_without() {
    let unknown = json!({"error": {"type": "illegal_argument_exception", "reason":
        "request [/_query/async] contains unrecognized parameter: [allow_partial_results]"}, "status": 400});
    let (server, client) = server(ESQL, &[]).await;
    server.reset().await;
    let refused = ResponseTemplate::new(400).set_body_json(unknown);
    Mock::given(method("POST")).respond_with(refused).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(recorded("esql/011-small-arrow")).mount(&server).await;
    let frame = esql(&client, "FROM ds | LIMIT 12").await.unwrap().collect().await.unwrap();
    assert_eq!(frame.height(), 12);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[1].url.query(), Some("format=arrow"));
}

#[tokio::test]
async fn a_wrong_query_is_told_in_the_servers_words() {
    let (_server, client) = server(ESQL, &["esql/101-err-unknown-index"]).await;
    let error = esql(&client, "FROM nope").await.err().unwrap();
    assert!(error.to_string().contains("Unknown index [nope]"), "{error}");
    let (_server, client) = server("/_sql", &["sql/052-sql-err-unknown-index"]).await;
    let error = IndexReader::open(&client, Sql::new("SELECT a FROM nope").into()).await.err().unwrap();
    assert!(error.to_string().contains("Unknown index [nope]"), "{error}");
}

#[tokio::test]
async fn a_node_without_the_languages_says_so() {
    let Some((client, _scope)) = live("languages").await else { return };
    for (request, language, path) in [
        (ReadRequest::from(Esql::new("ROW a = 1")), "ES|QL", "_query"),
        (ReadRequest::from(Sql::new("SELECT 1")), "SQL", "_sql"),
    ] {
        let error = match IndexReader::open(&client, request).await {
            Err(error) => error,
            // A node of another distribution has them.
            Ok(reader) => {
                assert_eq!(reader.collect().await.unwrap().height(), 1);
                continue;
            }
        };
        assert_eq!(error.kind(), ErrorKind::FeatureMissing);
        assert!(error.to_string().starts_with(&format!("the cluster has no {language}: ")), "{error}");
        assert!(error.to_string().contains(path), "{error}");
        assert_eq!(error.help(), Some(format!("use a distribution of Elasticsearch with {language}").as_str()));
    }
}

const PAGES: [&str; 4] = [
    "sql/017-sql-cursor-json-p1",
    "sql/018-sql-cursor-json-p2",
    "sql/019-sql-cursor-json-p3",
    "sql/020-sql-cursor-json-p4",
];

fn sql() -> ReadRequest {
    let request = ReadRequest::from(Sql::new("SELECT id, n, ts FROM ds ORDER BY id"));
    ReadRequest { options: ReadOptions { page_size: 120, ..request.options }, ..request }
}

#[tokio::test]
async fn a_query_in_sql_is_read_to_its_empty_page() {
    let (server, client) = server("/_sql", &PAGES).await;
    let reader = IndexReader::open(&client, sql()).await.unwrap();
    assert_eq!((reader.count(), reader.origin().read_by), (None, ReadBy::Sql));
    let pages: Vec<DataFrame> = reader.frames().try_collect().await.unwrap();
    assert_eq!(pages.iter().map(DataFrame::height).collect::<Vec<_>>(), [120, 120, 60]);
    assert!(pages.iter().all(|page| **page.schema() == reader.schema()));
    reader.close().await.unwrap();
    let asked = asked(&server).await;
    assert_eq!(asked.iter().map(|(_, path, _)| path.as_str()).collect::<Vec<_>>(), ["/_sql?format=json"; 4]);
    assert_eq!(
        asked[0].2,
        json!({"query": "SELECT id, n, ts FROM ds ORDER BY id", "fetch_size": 120, "field_multi_value_leniency": false})
    );
    // The cursor of the page before, which at the end the server has freed itself.
    let cursor = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
        let page: Value =
            serde_json::from_slice(&std::fs::read(format!("{folder}/{name}.response.json")).unwrap()).unwrap();
        page["cursor"].clone()
    };
    for (page, before) in asked[1..].iter().zip(PAGES) {
        assert_eq!(page.2, json!({"cursor": cursor(before)}));
        assert!(page.2["cursor"].is_string());
    }
}

#[tokio::test]
async fn a_cursor_is_freed_on_every_way_out() {
    let closed =
        |asked: &[(String, String, Value)]| asked.iter().filter(|(_, path, _)| path.starts_with("/_sql/close")).count();
    for pages in 0..3 {
        let (node, client) = server("/_sql", &PAGES).await;
        Mock::given(path("/_sql/close")).respond_with(recorded("sql/029-sql-cursor-close")).mount(&node).await;
        let reader = IndexReader::open(&client, sql()).await.unwrap();
        if pages == 0 {
            reader.close().await.unwrap();
            assert_eq!(closed(&asked(&node).await), 1);
            continue;
        }
        let mut frames = Box::pin(reader.frames());
        for _ in 0..pages {
            frames.try_next().await.unwrap().unwrap();
        }
        drop((frames, reader));
        for turn in 0.. {
            if closed(&asked(&node).await) == 1 {
                break;
            }
            assert!(turn < 500, "the cursor was not freed after {pages} pages");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_page_of_sql_that_is_lost_ends_the_read() {
    for lost in ["sql/030-sql-cursor-after-close", "esql/002-partial-disallowed"] {
        let (server, client) = server("/_sql", &[PAGES[0], PAGES[1], lost, PAGES[3]]).await;
        let reader = IndexReader::open(&client, sql()).await.unwrap();
        let error = reader.collect().await.unwrap_err();
        assert!(error.to_string().starts_with("a page of the query in SQL is lost after 240 rows: "), "{error}");
        let queries = asked(&server).await.iter().filter(|(_, path, _)| path == "/_sql?format=json").count();
        assert_eq!(queries, 3, "it is not asked for again");
    }
}

#[tokio::test]
async fn several_values_and_empty_results_of_sql() {
    let (_server, client) = server("/_sql", &["sql/035-sql-multivalue-err"]).await;
    let error = IndexReader::open(&client, Sql::new("SELECT tags FROM ds").into()).await.err().unwrap();
    assert!(error.to_string().contains("Arrays (returned by [tags]) are not supported"), "{error}");
    let (_server, client) = server("/_sql", &["sql/049-sql-empty"]).await;
    let frame = IndexReader::open(&client, Sql::new("SELECT id").into()).await.unwrap().collect().await.unwrap();
    assert_eq!((frame.height(), frame.width()), (0, 1));
}
