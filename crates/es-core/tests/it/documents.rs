//! Single documents with compare-and-set.

use es_core::{Document, ErrorKind, Precondition};
use serde_json::{Value, json};

use crate::support::live;

#[tokio::test]
async fn a_document_changes_only_as_the_one_that_was_read() {
    let Some((client, scope)) = live("compare_and_set").await else { return };
    let index = format!("{}a", scope.prefix());
    let documents = client.documents(&index);
    assert_eq!(documents.get::<Value>("x").await.unwrap(), None, "the index does not exist");

    documents.put("x", &json!({"n": 1}), Precondition::Absent).await.unwrap();
    let taken = documents.put("x", &json!({"n": 2}), Precondition::Absent).await.unwrap_err();
    assert_eq!((taken.kind(), taken.status()), (ErrorKind::Conflict, Some(409)));
    assert!(taken.to_string().contains("document already exists"), "{taken}");

    let read: Document<Value> = documents.get("x").await.unwrap().unwrap();
    assert_eq!((read.id.as_str(), &read.source), ("x", &json!({"n": 1})));
    let unchanged = Precondition::Unchanged { seq_no: read.seq_no, primary_term: read.primary_term };
    documents.put("x", &json!({"n": 3}), unchanged).await.unwrap();
    let late = documents.put("x", &json!({"n": 4}), unchanged).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
    assert!(!late.is_retryable());
    assert_eq!(documents.get::<Value>("x").await.unwrap().unwrap().source, json!({"n": 3}));

    documents.put("x", &json!({"n": 5}), Precondition::None).await.unwrap();
    assert_eq!(documents.get::<Value>("x").await.unwrap().unwrap().source, json!({"n": 5}));
    for _ in 0..2 {
        documents.delete("x").await.unwrap();
        assert_eq!(documents.get::<Value>("x").await.unwrap(), None);
    }
}

#[tokio::test]
async fn one_of_many_at_once_creates() {
    let Some((client, scope)) = live("race").await else { return };
    let index = format!("{}a", scope.prefix());
    client.indices().create(&index, &es_core::NewIndex::default()).await.unwrap();
    let attempts = (0..8).map(|n| {
        let (client, index) = (client.clone(), index.clone());
        async move { client.documents(&index).put("lease", &json!({"owner": n}), Precondition::Absent).await }
    });
    let outcomes = futures::future::join_all(attempts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
}

#[tokio::test]
async fn ids_and_names_may_have_any_characters() {
    let Some((client, scope)) = live("ids").await else { return };
    let index = format!("{}a", scope.prefix());
    for id in ["a/b", "a b", "ü", "a?b&c=d", "a%2Fb", "#", "\"", "a|b\\c", "...", ".a"] {
        client.documents(&index).put(id, &json!({"id": id}), Precondition::Absent).await.unwrap();
        let found: Document<Value> = client.documents(&index).get(id).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), &found.source), (id, &json!({"id": id})));
    }
    assert_eq!(client.indices().count(&index).await.unwrap(), 10);
}

#[tokio::test]
async fn a_name_of_dots_reaches_nothing_else() {
    let Some((client, scope)) = live("dots").await else { return };
    let index = format!("{}a", scope.prefix());
    client.indices().create(&index, &es_core::NewIndex::default()).await.unwrap();
    // In a URL `/index/_doc/..` is `/index/`: deleting that document would delete the index.
    for id in [".", "..", "%2e.", "%2E%2E"] {
        let outcomes = [
            client.documents(&index).delete(id).await,
            client.documents(&index).put(id, &json!({}), Precondition::None).await,
            client.documents(&index).get::<Value>(id).await.map(|_| ()),
        ];
        // An encoded dot in an id is encoded once more, and so is an id like any other.
        let is_plain = id.starts_with('%');
        for outcome in outcomes {
            match outcome {
                Ok(()) => assert!(is_plain, "{id}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::BadRequest, "{error}");
                    assert!(error.to_string().ends_with("has a name in it that is only dots"), "{error}");
                }
            }
        }
        assert!(client.indices().exists(&index).await.unwrap(), "{id} reached the index");
    }
}

#[tokio::test]
async fn a_search_finds_what_was_just_written() {
    let Some((client, scope)) = live("search").await else { return };
    let index = format!("{}a", scope.prefix());
    let documents = client.documents(&index);
    let none: Vec<Document<Value>> = documents.search(&json!({"match_all": {}}), &json!(["_doc"]), 10).await.unwrap();
    assert_eq!(none, [], "the index does not exist");
    for n in 0..4 {
        documents.put(&n.to_string(), &json!({"n": n}), Precondition::None).await.unwrap();
    }
    let newest = documents.search(&json!({"range": {"n": {"lt": 3}}}), &json!([{"n": "desc"}]), 2).await.unwrap();
    let found: Vec<(&str, &Value)> =
        newest.iter().map(|document: &Document<Value>| (document.id.as_str(), &document.source)).collect();
    assert_eq!(found, [("2", &json!({"n": 2})), ("1", &json!({"n": 1}))]);
    let first = &newest[0];
    let unchanged = Precondition::Unchanged { seq_no: first.seq_no, primary_term: first.primary_term };
    documents.put("2", &json!({"n": 20}), unchanged).await.unwrap();
}

#[tokio::test]
async fn the_first_of_each_is_found() {
    let Some((client, scope)) = live("first_of_each").await else { return };
    let index = format!("{}a", scope.prefix());
    let properties = json!({"asset": {"type": "keyword"}, "n": {"type": "integer"}}).as_object().unwrap().clone();
    let new = es_core::NewIndex { mapping: es_core::Mapping::new(properties), ..Default::default() };
    client.indices().create(&index, &new).await.unwrap();
    let documents = client.documents(&index);
    for (id, asset, n) in [("1", "a", 1), ("2", "b", 2), ("3", "a", 3), ("4", "b", 4), ("5", "c", 0)] {
        documents.put(id, &json!({"asset": asset, "n": n}), Precondition::Absent).await.unwrap();
    }
    let newest: Vec<Document<Value>> = documents
        .search_first_of_each("asset", &json!({"range": {"n": {"gt": 0}}}), &json!([{"n": "desc"}]), 10)
        .await
        .unwrap();
    assert_eq!(newest.iter().map(|document| document.id.as_str()).collect::<Vec<_>>(), ["4", "3"]);
}
