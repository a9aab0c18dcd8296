//! The version of a source: a text that changes whenever what searches see of it changes.
//!
//! It is made of documents that searches see, and needs no more than the privileges `read` and
//! `view_index_metadata`. There are two forms:
//!
//! - Of [`MOST_DOCUMENTS`] documents at most, the ids and sources, in no order. It changes when a
//!   document is added, removed or changed. It stays the same when a document is written again with
//!   the same source, and when the same documents come to stand in another index.
//! - Of more, the uuid of each index, and for each shard the number of documents and the largest
//!   sequence number among them. Every write gives a document a larger sequence number, so this form
//!   changes also when a document is written again with the same source. A removal changes the number
//!   of documents, or else a write came with it.
//!
//! Both hold the mappings as well, for they decide what a search finds and which columns are read.
//! Neither sees a document that is not refreshed yet. Copies of a shard refresh on their own, so for as
//! long as one refresh takes, two searches may differ; the next version tells it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use es_core::{
    Client, ContentHash, IndexDescription, Mapping, Method, NextPage, PageSize, PointInTime, Request, SearchAnswer,
    paths,
};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// Documents whose ids and sources are read for the version. Of more, it is made of sequence numbers.
const MOST_DOCUMENTS: u64 = 10_000;

/// The size of a page of documents, as far as it can be chosen.
const PAGE_BYTES: usize = 4 << 20;

/// The time for which the server keeps the documents of one version between two pages.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// A version, and the documents that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The version.
    pub(super) version: String,
    /// The number of documents.
    pub(super) documents: u64,
}

/// The version of a source as it is now.
///
/// # Errors
/// When Elasticsearch cannot be asked, or a large index keeps no sequence numbers.
pub(super) async fn seen(client: &Client, index: &str, matched: &[IndexDescription]) -> Result<Seen> {
    let mappings = of_mappings(matched.iter().map(|one| &one.mapping));
    let point = client.open_point_in_time(index, KEEP_ALIVE).await?;
    let documents = point.count(&json!({"match_all": {}})).await?;
    let content = if documents > MOST_DOCUMENTS { None } else { content(&point).await? };
    // It ends by itself where it cannot be closed.
    let _ = point.close().await;
    match content {
        Some(content) => Ok(Seen { version: format!("content-{content}-{mappings}"), documents: content.documents() }),
        None => {
            let shards = writes(client, index, matched).await?;
            let documents = shards.iter().map(|shard| shard.documents).sum();
            Ok(Seen { version: format!("writes-{}-{mappings}", of_shards(&shards)), documents })
        }
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    hits: Hits<'a>,
}

#[derive(Deserialize)]
struct Hits<'a> {
    #[serde(borrow)]
    hits: Vec<Hit<'a>>,
}

#[derive(Deserialize)]
struct Hit<'a> {
    #[serde(rename = "_id", borrow)]
    id: Cow<'a, str>,
    #[serde(rename = "_source", borrow)]
    source: Option<&'a RawValue>,
    sort: Box<RawValue>,
}

/// The fingerprint of all documents; `None` where an index keeps no sources.
async fn content(point: &PointInTime) -> Result<Option<ContentHash>> {
    let size = PageSize::new(usize::try_from(MOST_DOCUMENTS).unwrap_or(usize::MAX), PAGE_BYTES);
    let mut hash = ContentHash::default();
    let (mut after, mut max_rows): (Option<Box<RawValue>>, usize) = (None, usize::MAX);
    loop {
        let next = NextPage { after: after.as_deref(), max_rows };
        let body = |rows| json!({"size": rows, "sort": "_shard_doc", "track_total_hits": false});
        let page = point.search_sized(&size, next, body).await?;
        let read: Page<'_> = page.answer.json()?;
        size.learn(page.answer.body().len(), read.hits.hits.len());
        for hit in &read.hits.hits {
            let Some(source) = hit.source else { return Ok(None) };
            add_document(&mut hash, &hit.id, source.get());
        }
        let Some(last) = read.hits.hits.into_iter().next_back() else { return Ok(Some(hash)) };
        (after, max_rows) = (Some(last.sort), page.refused_to.unwrap_or(max_rows));
    }
}

/// Adds a document. The length of the id separates it from the source.
fn add_document(hash: &mut ContentHash, id: &str, source: &str) {
    let mut bytes = Vec::with_capacity(8 + id.len() + source.len());
    bytes.extend_from_slice(&(id.len() as u64).to_le_bytes());
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(source.as_bytes());
    hash.add(&bytes);
}

/// The documents of one shard that searches see.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ShardState {
    index: String,
    uuid: String,
    shard: u32,
    documents: u64,
    newest: u64,
}

#[derive(Deserialize)]
struct Grouped {
    aggregations: Option<Aggregations>,
}

#[derive(Deserialize)]
struct Aggregations {
    indices: Buckets,
}

#[derive(Deserialize)]
struct Buckets {
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    key: String,
    doc_count: u64,
    newest: Newest,
}

#[derive(Deserialize)]
struct Newest {
    value: Option<f64>,
}

fn setting<'a>(index: &'a IndexDescription, name: &str) -> Option<&'a str> {
    index.settings.get(name)?.as_str()
}

fn shards(index: &IndexDescription) -> u32 {
    setting(index, "number_of_shards").and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// The state of each shard that has documents: one search for each shard number. A pattern has few
/// indices of many shards, or many of few.
async fn writes(client: &Client, index: &str, matched: &[IndexDescription]) -> Result<BTreeSet<ShardState>> {
    let body = json!({
        "size": 0,
        "track_total_hits": false,
        "aggs": {"indices": {
            "terms": {"field": "_index", "size": matched.len().max(1)},
            "aggs": {"newest": {"max": {"field": "_seq_no"}}}
        }}
    });
    let mut states = BTreeSet::new();
    for shard in 0..matched.iter().map(shards).max().unwrap_or(0) {
        let request = Request::new(Method::Post, paths::search(index))
            .query("preference", format!("_shards:{shard}"))
            .query("allow_partial_search_results", false)
            .json(&body)
            .repeatable();
        let answer = SearchAnswer::new(client.send(&request).await?.into_body())?;
        let grouped: Grouped = answer.json()?;
        for bucket in grouped.aggregations.into_iter().flat_map(|found| found.indices.buckets) {
            let Some(newest) = bucket.newest.value else {
                let message = format!("`{}` keeps no sequence numbers, so changes of it cannot be seen", bucket.key);
                let help = format!("read an index of {MOST_DOCUMENTS} documents at most, or one that keeps them");
                return Err(Error::failed(message).with_help(Some(help)));
            };
            let uuid = matched.iter().find(|one| one.name == bucket.key).and_then(|one| setting(one, "uuid"));
            states.insert(ShardState {
                index: bucket.key,
                uuid: uuid.unwrap_or_default().to_owned(),
                shard,
                documents: bucket.doc_count,
                // Sequence numbers are whole, and not negative.
                newest: newest as u64,
            });
        }
    }
    Ok(states)
}

/// The fingerprint of shards.
fn of_shards(shards: &BTreeSet<ShardState>) -> String {
    let mut hash = ContentHash::default();
    for ShardState { index, uuid, shard, documents, newest } in shards {
        hash.add(json!([index, uuid, shard, documents, newest]).to_string().as_bytes());
    }
    hash.to_string()
}

/// The fingerprint of mappings, without what their owners note in `_meta`. Indices of the same mapping
/// count once, so that the number of indices does not matter.
fn of_mappings<'a>(mappings: impl IntoIterator<Item = &'a Mapping>) -> String {
    let text = |mapping: &Mapping| json!([mapping.properties, mapping.parameters]).to_string();
    let texts: BTreeSet<String> = mappings.into_iter().map(text).collect();
    let mut hash = ContentHash::default();
    for text in &texts {
        hash.add(text.as_bytes());
    }
    hash.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn content_of(documents: &[(&str, &str)]) -> String {
        let mut hash = ContentHash::default();
        for (id, source) in documents {
            add_document(&mut hash, id, source);
        }
        hash.to_string()
    }

    #[test]
    fn content_is_ids_and_sources_in_any_order() {
        let before = content_of(&[("1", "{\"n\":1}"), ("2", "{\"n\":2}")]);
        assert_eq!(content_of(&[("2", "{\"n\":2}"), ("1", "{\"n\":1}")]), before);
        let table: [&[(&str, &str)]; 6] = [
            &[("1", "{\"n\":1}"), ("2", "{\"n\":3}")],
            &[("1", "{\"n\":1}"), ("3", "{\"n\":2}")],
            &[("1", "{\"n\":2}"), ("2", "{\"n\":1}")],
            &[("1", "{\"n\":1}")],
            &[("1", "{\"n\":1}"), ("2", "{\"n\":2}"), ("2", "{\"n\":2}")],
            &[],
        ];
        for changed in table {
            assert_ne!(content_of(changed), before, "{changed:?}");
        }
        assert_ne!(content_of(&[("1", "2{}")]), content_of(&[("12", "{}")]));
    }

    fn shard(index: &str, uuid: &str, shard: u32, documents: u64, newest: u64) -> ShardState {
        ShardState { index: index.to_owned(), uuid: uuid.to_owned(), shard, documents, newest }
    }

    #[test]
    fn writes_and_removals_change_the_state_of_a_shard() {
        let of = |shards: &[ShardState]| of_shards(&shards.iter().cloned().collect());
        let before = of(&[shard("a", "x", 0, 5, 9), shard("a", "x", 1, 4, 3)]);
        assert_eq!(of(&[shard("a", "x", 1, 4, 3), shard("a", "x", 0, 5, 9)]), before);
        let table = [
            vec![shard("a", "x", 0, 5, 10), shard("a", "x", 1, 4, 3)],
            vec![shard("a", "x", 0, 4, 9), shard("a", "x", 1, 4, 3)],
            vec![shard("a", "y", 0, 5, 9), shard("a", "y", 1, 4, 3)],
            vec![shard("b", "x", 0, 5, 9), shard("b", "x", 1, 4, 3)],
            vec![shard("a", "x", 0, 4, 3), shard("a", "x", 1, 5, 9)],
            vec![shard("a", "x", 0, 5, 9)],
        ];
        for changed in table {
            assert_ne!(of(&changed), before, "{changed:?}");
        }
    }

    #[test]
    fn mappings_count_once_and_without_notes() {
        let mapping = |value: Value| serde_json::from_value::<Mapping>(value).unwrap();
        let plain = mapping(json!({"properties": {"n": {"type": "long"}}}));
        let noted = mapping(json!({"_meta": {"by": "x"}, "properties": {"n": {"type": "long"}}}));
        let other = mapping(json!({"runtime": {"m": {"type": "long"}}, "properties": {"n": {"type": "long"}}}));
        let before = of_mappings([&plain]);
        assert_eq!(of_mappings([&noted, &plain]), before);
        assert_ne!(of_mappings([&other]), before);
        assert_ne!(of_mappings([&plain, &other]), before);
    }
}
