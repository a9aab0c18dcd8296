//! Scrolls: what is read where no point in time may be opened.

use es_core::{Client, ClusterConfig, Credentials, Method, Request, Secret};
use es_export::{ErrorKind, IndexReader, ReadBy, Search, Through};
use es_testing::{Fault, FaultProxy, Node, Scope};
use futures::TryStreamExt as _;
use polars::prelude::DataFrame;
use serde_json::{Value, json};

use crate::support::{at, fields, in_small_pages, index_of, live, of_node, open_contexts, rows, sorted, until_closed};

fn scrolled(index: &str) -> Search {
    Search { through: Through::Scroll, ..Search::new(index) }
}

#[tokio::test]
async fn a_scroll_reads_what_a_point_in_time_reads() {
    let Some((client, scope)) = live("scroll").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(100);
    index_of(&client, &index, 3, fields(), &frame, &["k"]).await;
    let reader = IndexReader::open(&client, in_small_pages(scrolled(&index))).await.unwrap();
    assert_eq!((reader.count(), reader.slices(), reader.origin().read_by), (Some(100), 1, ReadBy::Scroll));
    assert!(reader.saved().is_none());
    let pages: Vec<DataFrame> = reader.frames().try_collect().await.unwrap();
    assert!(pages.iter().all(|page| page.height() <= 7));
    assert_eq!(open_contexts(&client, &index).await, 0, "the end frees it");
    let error = reader.frames().try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Request, "the rows of this reader were taken already")
    );

    let whole = IndexReader::open(&client, in_small_pages(scrolled(&index))).await.unwrap().collect().await.unwrap();
    assert!(sorted(&whole, "k").select(["k", "n", "g", "x"]).unwrap().equals_missing(&frame));
    for limit in [0, 6, 7, 8, 100, 200] {
        let search = Search { limit: Some(limit), sort: vec![json!({"n": "desc"})], ..scrolled(&index) };
        let found = IndexReader::open(&client, in_small_pages(search)).await.unwrap().collect().await.unwrap();
        let numbers: Vec<i64> = found.column("n").unwrap().i64().unwrap().into_no_null_iter().collect();
        assert_eq!(numbers, (0..100).rev().take(limit as usize).collect::<Vec<i64>>(), "{limit}");
    }
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_scroll_is_freed_on_every_way_out() {
    let Some((client, scope)) = live("scroll_freed").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(100), &["k"]).await;
    let open = || async { IndexReader::open(&client, in_small_pages(scrolled(&index))).await.unwrap() };
    let reader = open().await;
    assert_eq!(open_contexts(&client, &index).await, 1);
    reader.close().await.unwrap();
    assert_eq!(open_contexts(&client, &index).await, 0);
    drop(open().await);
    until_closed(&client, &index).await;
    let reader = open().await;
    let mut frames = Box::pin(reader.frames());
    frames.try_next().await.unwrap().unwrap();
    drop(frames);
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_page_that_is_lost_is_not_asked_for_again() {
    let Some((client, scope)) = live("scroll_lost").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(100), &["k"]).await;
    let proxy = FaultProxy::before(client.nodes()[0].trim_end_matches('/')).await;
    let through = Client::connect(at(&proxy.url())).await.unwrap();
    for fault in [Fault::DropReply, Fault::Truncate(200), Fault::Answer(429), Fault::Answer(503), Fault::Reset] {
        let before = proxy.seen("/_search/scroll");
        // The third page of the scroll: the first comes with its opening.
        proxy.script_for("/_search/scroll", [Fault::Pass, fault]);
        let reader = IndexReader::open(&through, in_small_pages(scrolled(&index))).await.unwrap();
        let mut frames = Box::pin(reader.frames());
        let mut rows = 0;
        let error = loop {
            match frames.try_next().await {
                Ok(Some(page)) => rows += page.height(),
                Ok(None) => panic!("{fault:?} was not noticed"),
                Err(error) => break error,
            }
        };
        let message = error.to_string();
        assert!(
            rows == 14 && message.starts_with("a page of the scroll is lost after 14 rows: "),
            "{fault:?} {message}"
        );
        assert!(error.help().unwrap().starts_with("a scroll cannot be asked for the same page twice"));
        drop(frames);
        until_closed(&client, &index).await;
        let asked =
            proxy.requests("/_search/scroll")[before..].iter().filter(|request| request.method == "POST").count();
        assert_eq!(asked, 2, "{fault:?}");
        assert_eq!(proxy.unused(), 0);
    }
}

/// A user with one role, which both go with the test.
struct User {
    node: Node,
    name: String,
}

impl User {
    async fn new(client: &Client, node: &Node, name: &str, role: &Value) -> Self {
        let user = json!({"password": "a-password-for-this-test", "roles": [name]});
        for (kind, body) in [("role", role), ("user", &user)] {
            let request = Request::new(Method::Put, format!("/_security/{kind}/{name}")).json(body);
            client.send(&request).await.unwrap();
        }
        Self { node: node.clone(), name: name.to_owned() }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let (config, name) = (of_node(&self.node), self.name.clone());
        // A failure of the test is told rather than one of this.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = Client::connect(config).await.unwrap();
                for kind in ["user", "role"] {
                    let request = Request::new(Method::Delete, format!("/_security/{kind}/{name}"));
                    client.exists(&request).await.unwrap();
                }
            });
        })
        .join();
    }
}

#[tokio::test]
async fn who_may_not_open_a_point_in_time_scrolls() {
    let Some(node) = es_testing::secure().await else { return };
    let scope = Scope::new(&node, "scroll_refused");
    let index = format!("{}a", scope.prefix());
    let all = Client::connect(of_node(&node)).await.unwrap();
    let frame = rows(50);
    index_of(&all, &index, 2, fields(), &frame, &["k"]).await;
    let name = scope.prefix().trim_end_matches('-').to_owned();
    let privileges = ["indices:data/read/search", "indices:data/read/scroll*", "view_index_metadata"];
    let role = json!({"cluster": ["monitor"], "indices": [{"names": [format!("{}*", scope.prefix())], "privileges": privileges}]});
    let user = User::new(&all, &node, &name, &role).await;
    let credentials = Credentials::Basic { user: user.name.clone(), password: Secret::new("a-password-for-this-test") };
    let client = Client::connect(ClusterConfig { credentials, ..of_node(&node) }).await.unwrap();

    let reader = IndexReader::open(&client, in_small_pages(Search::new(&index))).await.unwrap();
    assert_eq!(reader.origin().read_by, ReadBy::Scroll);
    let whole = reader.collect().await.unwrap();
    assert!(sorted(&whole, "k").select(["k", "n", "g", "x"]).unwrap().equals_missing(&frame));

    let only = Search { through: Through::PointInTime, ..Search::new(&index) };
    let error = IndexReader::open(&client, in_small_pages(only)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    assert!(error.to_string().contains("open_point_in_time"), "{error}");
    // Another privilege that is missing is not made up for.
    let foreign = IndexReader::open(&client, Search::new(".security").into()).await.err().unwrap();
    assert!(matches!(foreign.kind(), ErrorKind::NotFound | ErrorKind::Elasticsearch), "{foreign}");
}
