//! Documents that the server rejects: counted, kept, and limited.

use std::path::Path;

use es_bulk::{BulkLoader, BulkOptions, DeadLetter, ErrorKind, MaxRejected};
use es_core::{Client, Method, NewIndex, Request};
use polars::prelude::*;
use serde_json::{Value, json};

use crate::support::{INDEX, batches, items, live, mock_node, numbered, options, stream_of};

async fn strict_index(client: &Client, index: &str) {
    let mapping = serde_json::from_value(json!({
        "dynamic": "strict",
        "properties": {"k": {"type": "keyword"}, "n": {"type": "integer"}},
    }));
    let new = NewIndex { mapping: mapping.unwrap(), ..NewIndex::default() };
    client.indices().create(index, &new).await.unwrap();
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn allowing(max_rejected: MaxRejected) -> BulkOptions {
    BulkOptions { max_rejected, ..options() }
}

#[tokio::test]
async fn rejected_documents_are_kept_and_can_be_sent_again() {
    let Some((client, scope)) = live("dead_letter").await else { return };
    let index = format!("{}strict", scope.prefix());
    strict_index(&client, &index).await;
    // Row 1 has a field that the mapping does not know, row 3 a text for a number.
    let frame = df!(
        "k" => ["a", "b", "c", "d", "e"],
        "n" => ["1", "2", "3", "four", "5"],
        "extra" => [None, Some(true), None, None, None],
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("not/there/yet/run.1");
    let loader = BulkLoader::new(client.clone(), &index, allowing(MaxRejected::Count(2)))
        .with_dead_letter(DeadLetter::new(&letter));
    let summary = loader.load(stream_of(batches(&frame, &["k"], 2))).await.unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.created, summary.rejections(), summary.unknown), (3, 2, 0));
    let types: Vec<(&str, u64)> = summary.rejected.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(types, [("document_parsing_exception", 1), ("strict_dynamic_mapping_exception", 1)]);

    let documents = folder.path().join("not/there/yet/run.1.ndjson");
    let reasons = lines(&folder.path().join("not/there/yet/run.1.errors.ndjson"));
    let kept = lines(&documents);
    assert_eq!((kept.len(), reasons.len()), (4, 2));
    let mut pairs: Vec<_> = kept.chunks(2).zip(&reasons).collect();
    pairs.sort_by_key(|(_, reason)| reason["document"].as_u64());
    let [(first, strict), (second, number)] = &pairs[..] else { panic!("two pairs") };
    assert_eq!(first[1], json!({"k": "b", "n": "2", "extra": true}));
    assert_eq!((&strict["document"], &strict["status"]), (&json!(1), &json!(400)));
    assert_eq!(strict["type"], "strict_dynamic_mapping_exception");
    assert!(strict["reason"].as_str().unwrap().contains("extra"), "{strict}");
    assert_eq!(second[..], [json!({"index": {"_id": "d"}}), json!({"k": "d", "n": "four"})]);
    assert_eq!((&number["document"], &number["type"]), (&json!(3), &json!("document_parsing_exception")));
    assert!(number["reason"].as_str().unwrap().contains("For input string: \"four\""), "{number}");

    // Sent as it is to an index that takes such documents.
    let lenient = format!("{}lenient", scope.prefix());
    let again = Request::new(Method::Post, es_core::paths::bulk(&lenient))
        .query("refresh", true)
        .ndjson(std::fs::read(&documents).unwrap());
    let answer: Value = client.send(&again).await.unwrap().json().unwrap();
    assert_eq!(answer["errors"], false, "{answer}");
    assert_eq!(client.indices().count(&lenient).await.unwrap(), 2);
}

#[tokio::test]
async fn without_rejections_there_is_no_dead_letter() {
    let Some((client, scope)) = live("no_letter").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let letter = DeadLetter::new(&folder.path().join("letter"));
    let index = format!("{}a", scope.prefix());
    let loader = BulkLoader::new(client, &index, options()).with_dead_letter(letter);
    loader.load(stream_of(batches(&numbered(5), &["k"], 5))).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_written_fails_the_load() {
    let (_server, client) = mock_node(|request| items(request, |_| 400)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let loader = BulkLoader::new(client, INDEX, allowing(MaxRejected::Count(100)))
        .with_dead_letter(DeadLetter::new(&file.join("letter")));
    let error = loader.load(stream_of(batches(&numbered(4), &["k"], 4))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadLetter);
    assert_eq!(error.path(), Some(file.join("letter.ndjson").as_path()));
    assert!(error.to_string().starts_with("the dead letter "), "{error}");
    assert!(error.summary().unwrap().adds_up(), "{:?}", error.summary());
}

/// Loads a hundred documents of which every tenth is refused.
async fn ten_of_a_hundred(max_rejected: MaxRejected) -> Result<es_bulk::Summary, es_bulk::Error> {
    let (_server, client) = mock_node(|request| items(request, |n| if n % 10 == 3 { 400 } else { 201 })).await;
    let loader = BulkLoader::new(client, INDEX, allowing(max_rejected));
    loader.load(stream_of(batches(&numbered(100), &["k"], 20))).await
}

#[tokio::test]
async fn a_load_fails_when_more_documents_are_rejected_than_allowed() {
    for enough in [MaxRejected::Count(10), MaxRejected::Share(0.1), MaxRejected::Share(1.0)] {
        let summary = ten_of_a_hundred(enough).await.unwrap();
        assert_eq!((summary.created, summary.rejections()), (90, 10));
        assert!(summary.adds_up());
    }
    for too_few in [MaxRejected::Count(9), MaxRejected::Share(0.09), MaxRejected::Share(0.0)] {
        let error = ten_of_a_hundred(too_few).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooManyRejected);
        assert!(error.summary().unwrap().adds_up());
        let message = error.to_string();
        assert!(message.contains("of 100 documents were rejected by flights: the first was number "), "{message}");
        assert!(message.ends_with(": refused_for_the_test: because"), "{message}");
        assert!(error.help().unwrap().starts_with("the document is {\"k\":\"key-"), "{:?}", error.help());
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn by_default_no_document_may_be_rejected_and_the_rest_is_not_read() {
    let (_server, client) = mock_node(|request| items(request, |_| 400)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    let loader = BulkLoader::new(client, INDEX, options()).with_dead_letter(DeadLetter::new(&path));
    let error = loader.load(stream_of(batches(&numbered(1_000), &["k"], 10))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyRejected);
    let summary = error.summary().unwrap();
    assert!(summary.adds_up() && summary.read <= 100, "{summary}");
    let help = error.help().unwrap();
    assert!(help.contains(&path.with_extension("ndjson").display().to_string()), "{help}");
    // What was refused until then is on disk, complete.
    let kept = lines(&path.with_extension("ndjson"));
    assert_eq!(kept.len() as u64, 2 * summary.rejections());
}
