//! Indices and columns that cannot be read, and what is said of them.

use es_core::NewIndex;
use es_export::{ErrorKind, IndexReader, ReadRequest};
use serde_json::json;

use crate::support::{fields, index_of, live, named, rows};

#[tokio::test]
async fn a_missing_index_is_told() {
    let Some((client, scope)) = live("missing").await else { return };
    for index in [format!("{}absent", scope.prefix()), format!("{}*", scope.prefix())] {
        let error = IndexReader::open(&client, ReadRequest::new(&index)).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), format!("there is no index or alias {index}"));
        assert_eq!(error.help(), Some("check the name and the index prefix, or run what writes it first"));
    }
}

#[tokio::test]
async fn a_missing_column_is_told_with_those_there_are() {
    let Some((client, scope)) = live("column").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(1), &["k"]).await;
    for (name, help) in [("weight", "the fields are g, k, n, x"), ("nn", "did you mean `n`?")] {
        let error = IndexReader::open(&client, named(ReadRequest::new(&index), &["k", name])).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Column);
        assert_eq!(error.to_string(), format!("the index has no field {name}"));
        assert_eq!(error.help(), Some(help));
    }
}

#[tokio::test]
async fn mappings_that_contradict_each_other_are_told_whichever_they_are() {
    let Some((client, scope)) = live("contradiction").await else { return };
    let indices = [
        ("0-none", json!({"n": {"type": "long"}})),
        ("1-long", json!({"f": {"type": "long"}})),
        ("2-keyword", json!({"f": {"type": "keyword"}})),
        ("3-object", json!({"f": {"properties": {"x": {"type": "long"}}}})),
    ];
    for (name, properties) in &indices {
        let mapping = es_core::Mapping::new(properties.as_object().unwrap().clone());
        let name = format!("{}{name}", scope.prefix());
        client.indices().create(&name, &NewIndex { mapping, ..NewIndex::default() }).await.unwrap();
    }
    let table = [
        (vec!["1-long", "2-keyword"], "field f is long in 1-long and keyword in 2-keyword"),
        // The first index says nothing of the field.
        (vec!["0-none", "1-long", "2-keyword"], "field f is long in 1-long and keyword in 2-keyword"),
        (vec!["1-long", "3-object"], "field f is long in 1-long and object in 3-object"),
    ];
    for (names, expected) in table {
        let list: Vec<String> = names.iter().map(|name| format!("{}{name}", scope.prefix())).collect();
        let error = IndexReader::open(&client, ReadRequest::new(list.join(","))).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Column);
        assert_eq!(error.to_string().replace(scope.prefix(), ""), expected);
        assert_eq!(error.help(), Some("rebuild one of the indices, or name the columns to read, without this one"));
    }
    // Left out, the field is of no concern.
    let list = ["1-long", "2-keyword"].map(|name| format!("{}{name}", scope.prefix())).join(",");
    let found = IndexReader::open(&client, named(ReadRequest::new(list), &["_id"])).await.unwrap().collect().await;
    assert_eq!(found.unwrap().width(), 1);
}
