//! Indices and columns that cannot be read, and what is said of them.

use es_core::{Client, Mapping, NewIndex};
use es_export::{CellPolicy, ErrorKind, FieldSource, IndexReader, Malformed, ReadRequest};
use polars::prelude::*;
use serde_json::{Value, json};

use crate::support::{bulk, fields, index_of, live, named, rows, sorted};

/// An index of this mapping with these documents.
async fn documents(client: &Client, index: &str, mapping: Value, documents: &[Value]) {
    let mapping: Mapping = serde_json::from_value(mapping).unwrap();
    client.indices().create(index, &NewIndex { mapping, ..NewIndex::default() }).await.unwrap();
    let lines = documents.iter().map(|document| format!("{{\"index\":{{}}}}\n{document}\n"));
    bulk(client, index, lines.collect::<String>().into_bytes()).await;
}

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
        assert!(error.help().unwrap().starts_with("no type holds the values of both exactly"), "{:?}", error.help());
    }
    // Left out, the field is of no concern.
    let list = ["1-long", "2-keyword"].map(|name| format!("{}{name}", scope.prefix())).join(",");
    let found = IndexReader::open(&client, named(ReadRequest::new(list), &["_id"])).await.unwrap().collect().await;
    assert_eq!(found.unwrap().width(), 1);
}

/// `{"excludes": ..}` takes fields out of documents without a sign, and doc values hold them.
#[tokio::test]
async fn what_source_leaves_out_is_not_null() {
    let Some((client, scope)) = live("left_out").await else { return };
    let index = format!("{}a", scope.prefix());
    let mapping = json!({
        "_source": {"excludes": ["secret*", "o.x"]},
        "properties": {
            "k": {"type": "keyword"}, "secret": {"type": "keyword", "ignore_above": 9}, "secret_n": {"type": "integer"},
            "o": {"properties": {"x": {"type": "date"}, "y": {"type": "long"}}}, "t": {"type": "text"}
        }
    });
    let rows = [
        json!({"k": "a", "secret": "s1", "secret_n": 7, "o": {"x": "2013-01-01", "y": 1}, "t": "words"}),
        json!({"k": "b", "o": {"y": 2}}),
    ];
    documents(&client, &index, mapping, &rows).await;
    for source in [FieldSource::Auto, FieldSource::Source] {
        let mut request = ReadRequest::new(&index);
        request.search_mut().unwrap().source = source;
        let reader = IndexReader::open(&client, request).await.unwrap();
        let notes = &reader.origin().notes;
        assert!(notes[0].starts_with("`_source` leaves out o.x, secret, secret_n: read from"), "{notes:?}");
        let found = sorted(&reader.collect().await.unwrap(), "k");
        let expected = df!(
            "k" => ["a", "b"], "o.x" => [Some(1_356_998_400_000_i64), None], "o.y" => [1_i64, 2],
            "secret" => [Some("s1"), None], "secret_n" => [Some(7_i32), None], "t" => [Some("words"), None],
        );
        let instants = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
        let mut expected = expected.unwrap();
        let times = expected.column("o.x").unwrap().cast(&instants).unwrap();
        expected.with_column(times).unwrap();
        assert!(found.equals_missing(&expected), "{found}");
    }
    // A value that doc values do not hold either is reported.
    bulk(&client, &index, b"{\"index\":{}}\n{\"k\":\"c\",\"secret\":\"longer than nine\"}\n".to_vec()).await;
    let error = IndexReader::open(&client, ReadRequest::new(&index)).await.unwrap().collect().await.unwrap_err();
    assert!(error.to_string().contains("holds a value that doc values leave out"), "{error}");
}

/// The server indexes 1.75 as 1.
#[tokio::test]
async fn a_fraction_in_an_integer_field_is_malformed_and_an_empty_text_is_none() {
    let Some((client, scope)) = live("fraction").await else { return };
    let index = format!("{}a", scope.prefix());
    let mapping = json!({"properties": {"k": {"type": "keyword"}, "v": {"type": "integer"}}});
    let rows = [json!({"k": "a", "v": 1}), json!({"k": "b", "v": ""}), json!({"k": "c", "v": "3"})];
    documents(&client, &index, mapping, &rows).await;
    for source in [FieldSource::Auto, FieldSource::Source, FieldSource::DocValues] {
        let mut request = ReadRequest::new(&index);
        request.search_mut().unwrap().source = source;
        let found = IndexReader::open(&client, request).await.unwrap().collect().await.unwrap();
        let expected = df!("k" => ["a", "b", "c"], "v" => [Some(1), None, Some(3)]).unwrap();
        assert!(sorted(&found, "k").equals_missing(&expected), "{source} {found}");
    }
    bulk(&client, &index, b"{\"index\":{\"_id\":\"d\"}}\n{\"k\":\"d\",\"v\":1.75}\n".to_vec()).await;
    for names in [vec!["v"], vec!["k", "v"], vec![]] {
        let mut request = ReadRequest::new(&index);
        if !names.is_empty() {
            request = named(request, &names);
        }
        let error = IndexReader::open(&client, request.clone()).await.unwrap().collect().await.unwrap_err();
        assert!(error.to_string().contains("field v of document d holds 1.75, which is no integer"), "{error}");
        request.search_mut().unwrap().policy = CellPolicy { malformed: Some(Malformed::Null), ..CellPolicy::default() };
        let found = IndexReader::open(&client, request).await.unwrap().collect().await.unwrap();
        assert_eq!(found.column("v").unwrap().null_count(), 2, "{found}");
    }
}

#[tokio::test]
async fn types_that_have_a_common_one_are_read_as_that() {
    let Some((client, scope)) = live("widening").await else { return };
    let index = |name: &str| format!("{}{name}", scope.prefix());
    let properties = |n: &str, k: Value, t: Value| json!({"properties": {"n": {"type": n}, "k": k, "t": t}});
    let text = json!({"type": "text"});
    documents(
        &client,
        &index("a"),
        properties("integer", json!({"type": "keyword"}), json!({"type": "date", "format": "epoch_second"})),
        &[json!({"n": 7, "k": "Some Words", "t": 1_700_000_000})],
    )
    .await;
    documents(
        &client,
        &index("b"),
        properties("long", text, json!({"type": "date"})),
        &[json!({"n": 9_007_199_254_740_993_i64, "k": "Other Words", "t": 1_700_000_000})],
    )
    .await;
    let request = named(ReadRequest::new(format!("{},{}", index("a"), index("b"))), &["n", "k", "t"]);
    let found = IndexReader::open(&client, request).await.unwrap().collect().await.unwrap();
    let found = sorted(&found, "n");
    assert_eq!(
        found.column("n").unwrap().i64().unwrap().iter().collect::<Vec<_>>(),
        [Some(7), Some(9_007_199_254_740_993)]
    );
    let texts: Vec<_> = found.column("k").unwrap().str().unwrap().iter().flatten().map(str::to_owned).collect();
    assert_eq!(texts, ["Some Words", "Other Words"]);
    // One says seconds, the other milliseconds.
    let times: Vec<_> = found.column("t").unwrap().datetime().unwrap().physical().iter().flatten().collect();
    assert_eq!(times, [1_700_000_000_000, 1_700_000_000]);
}

#[tokio::test]
async fn vectors_that_the_server_normalizes_are_told() {
    let Some((client, scope)) = live("cosine").await else { return };
    let index = format!("{}a", scope.prefix());
    let mapping = json!({"properties": {"v": {"type": "dense_vector", "dims": 2}}});
    documents(&client, &index, mapping, &[json!({"v": [1.0, 2.0]})]).await;
    let notes = IndexReader::open(&client, ReadRequest::new(&index)).await.unwrap().origin().notes.clone();
    let is_normalized = client.info().version >= "9.2.0".parse().unwrap();
    assert_eq!(notes.iter().any(|note| note.contains("may differ in the last bit")), is_normalized, "{notes:?}");
}
