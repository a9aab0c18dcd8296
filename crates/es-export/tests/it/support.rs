//! Clients, indices with documents in them, and what is in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use es_core::{Client, ClusterConfig, Credentials, Endpoint, Method, NewIndex, Request, Secret};
use es_export::{
    Compression, Destination, Export, FileOptions, Format, Manifest, ParquetOptions, Progress, ReadOptions,
    ReadRequest, Search, Split,
};
use es_frame::{ColumnRequest, DocumentWriter};
use es_testing::{Node, Scope};
use polars::io::prelude::{ParquetReader, SerReader as _};
use polars::prelude::*;
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub(crate) fn at(url: &str) -> ClusterConfig {
    ClusterConfig { endpoint: Endpoint::hosts(url).unwrap(), ..ClusterConfig::default() }
}

/// A client of the plain node and names of the test's own, or nothing where there is no node.
pub(crate) async fn live(test: &str) -> Option<(Client, Scope)> {
    let node = es_testing::plain().await?;
    let client = Client::connect(of_node(&node)).await.unwrap();
    Some((client, Scope::new(&node, test)))
}

/// The configuration of a client of a node.
pub(crate) fn of_node(node: &Node) -> ClusterConfig {
    let mut config = at(&node.url);
    config.tls.ca_cert = node.ca_cert_path.clone();
    config.credentials = match (&node.api_key, &node.username, &node.password) {
        (Some(key), _, _) => Credentials::api_key(key),
        (None, Some(user), Some(password)) => {
            Credentials::Basic { user: user.clone(), password: Secret::new(password.clone()) }
        }
        _ => Credentials::None,
    };
    config
}

/// Makes an index of so many shards with these fields, and puts the documents of a frame in
/// it, under the values of `id` where there is one.
pub(crate) async fn index_of(client: &Client, index: &str, shards: u32, fields: Value, frame: &DataFrame, id: &[&str]) {
    let settings = json!({"number_of_shards": shards, "number_of_replicas": 0});
    let mapping = serde_json::from_value(json!({"dynamic": "strict", "properties": fields})).unwrap();
    let new = NewIndex { settings: settings.as_object().unwrap().clone(), mapping };
    client.indices().create(index, &new).await.unwrap();
    let writer = DocumentWriter::new(frame, id).unwrap();
    let mut body = Vec::new();
    for row in 0..writer.rows() {
        if id.is_empty() {
            body.extend_from_slice(b"{\"index\":{}}\n");
        } else {
            body.extend_from_slice(b"{\"index\":{\"_id\":");
            writer.write_id(row, &mut body).unwrap();
            body.extend_from_slice(b"}}\n");
        }
        writer.write_document(row, &mut body).unwrap();
        body.push(b'\n');
    }
    bulk(client, index, body).await;
}

/// Sends a bulk body and lets searches see it.
pub(crate) async fn bulk(client: &Client, index: &str, body: Vec<u8>) {
    let request = Request::new(Method::Post, es_core::paths::bulk(index)).query("refresh", true).ndjson(body);
    let answer: Value = client.send(&request).await.unwrap().json().unwrap();
    assert_eq!(answer["errors"], false, "{answer}");
}

/// Rows with a key `k` of text, a number `n`, a group `g` and a value `x` with nulls.
pub(crate) fn rows(rows: i64) -> DataFrame {
    df!(
        "k" => (0..rows).map(|n| format!("key-{n:05}")).collect::<Vec<_>>(),
        "n" => (0..rows).collect::<Vec<_>>(),
        "g" => (0..rows).map(|n| ["JFK", "LGA", "EWR"][n as usize % 3]).collect::<Vec<_>>(),
        "x" => (0..rows).map(|n| (n % 4 != 0).then_some(n as f64 / 3.0)).collect::<Vec<_>>(),
    )
    .unwrap()
}

/// The fields of [`rows`].
pub(crate) fn fields() -> Value {
    json!({"k": {"type": "keyword"}, "n": {"type": "long"}, "g": {"type": "keyword"}, "x": {"type": "double"}})
}

pub(crate) fn sorted(frame: &DataFrame, by: &str) -> DataFrame {
    let mut frame = frame.sort([by], SortMultipleOptions::default()).unwrap();
    frame.rechunk_mut();
    frame
}

/// A request for everything, in pages of seven rows.
pub(crate) fn small_pages(index: &str) -> ReadRequest {
    ReadRequest { options: ReadOptions { page_size: 7, ..ReadOptions::default() }, ..ReadRequest::new(index) }
}

pub(crate) fn named(mut request: ReadRequest, columns: &[&str]) -> ReadRequest {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    request.search_mut().unwrap().columns = ColumnRequest::Named(columns);
    request
}

/// The same request for what this query matches.
pub(crate) fn matching(mut request: ReadRequest, query: Value) -> ReadRequest {
    request.search_mut().unwrap().query = query;
    request
}

/// A request for what is searched for, in pages of seven rows.
pub(crate) fn in_small_pages(search: Search) -> ReadRequest {
    ReadRequest { options: ReadOptions { page_size: 7, ..ReadOptions::default() }, ..search.into() }
}

pub(crate) fn export(request: ReadRequest, destination: &Path, split: Option<Split>) -> Export {
    let mut export = Export::new(request, Destination::Folder(destination.to_owned()));
    export.split = split;
    export
}

/// Parquet in row groups of so many rows.
pub(crate) fn row_groups(row_group_rows: usize, compression: Compression) -> FileOptions {
    let parquet = ParquetOptions { row_group_rows, ..ParquetOptions::default() };
    FileOptions { format: Format::Parquet, compression: Some(compression), parquet }
}

pub(crate) fn split(key: &str) -> Split {
    let parts = [("train", 0.6), ("validation", 0.2), ("test", 0.2)].map(|(name, share)| (name.to_owned(), share));
    Split::by_hash(vec![key.to_owned()], 7, parts.to_vec()).unwrap()
}

/// Runs an export to its end. Its manifest is as the schema of manifests has them.
pub(crate) async fn run(export: Export, client: &Client) -> Result<Manifest, es_export::Error> {
    static SCHEMA: LazyLock<jsonschema::Validator> =
        LazyLock::new(|| jsonschema::draft202012::new(&Manifest::schema()).unwrap());
    let manifest = export.run(client).await?;
    let text = json!(manifest);
    assert!(SCHEMA.is_valid(&text), "{:?} {text}", SCHEMA.iter_errors(&text).collect::<Vec<_>>());
    Ok(manifest)
}

/// An observer of an export, and what ends when the export has its first rows.
pub(crate) fn first_rows() -> (impl Fn(Progress) + Send + Sync + 'static, impl Future<Output = ()>) {
    let (begun, has_begun) = oneshot::channel();
    let begun = Mutex::new(Some(begun));
    let observer = move |_: Progress| {
        if let Some(begun) = begun.lock().unwrap().take() {
            begun.send(()).unwrap();
        }
    };
    (observer, async { has_begun.await.unwrap() })
}

pub(crate) fn parquet(path: &Path) -> DataFrame {
    ParquetReader::new(std::fs::File::open(path).unwrap()).finish().unwrap()
}

/// All files under a folder, hidden ones included, with their contents.
pub(crate) fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// The names in a folder, hidden ones included, in order.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The searches that the server keeps open for an index.
pub(crate) async fn open_contexts(client: &Client, index: &str) -> u64 {
    let stats = Request::new(Method::Get, format!("/{index}/_stats/search"));
    let stats: Value = client.send(&stats).await.unwrap().json().unwrap();
    stats["_all"]["total"]["search"]["open_contexts"].as_u64().unwrap()
}

/// Waits until the server keeps no search open for an index: after a failure it is told in
/// the background.
pub(crate) async fn until_closed(client: &Client, index: &str) {
    for _ in 0..750 {
        if open_contexts(client, index).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} searches of {index} are still open after a quarter of a minute", open_contexts(client, index).await);
}
