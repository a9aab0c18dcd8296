//! Values and JSON with every operation, into a real node.

use es_bulk::{
    Action, BatchBuilder, BatchLimits, BulkLoader, BulkOptions, Error, MaxRejected, Operation, batched, batched_with,
};
use es_core::Document;
use futures::stream;
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::{live, options, stream_of};

#[derive(Serialize)]
struct Flight {
    carrier: String,
    distance: u64,
}

#[tokio::test]
async fn a_stream_of_values_becomes_documents() {
    let Some((client, scope)) = live("values").await else { return };
    let index = format!("{}a", scope.prefix());
    let flights =
        stream::iter((0..250_u64).map(|distance| Ok::<_, Error>(Flight { carrier: "UA".to_owned(), distance })));
    let limits = BatchLimits { documents: 100, ..BatchLimits::default() };
    let batches = batched_with(flights, limits, |builder, flight| {
        let id = format!("{}\"{}", flight.carrier, flight.distance);
        builder.push_document(&Action::new(Operation::Index, &id), &flight)
    });
    let summary = BulkLoader::new(client.clone(), &index, options()).load(batches).await.unwrap();
    assert_eq!((summary.created, summary.requests), (250, 3));
    let again = stream::iter([Ok::<_, Error>(Flight { carrier: "B6".to_owned(), distance: 1 })]);
    let batches = batched(again, limits, |flight| Action::new(Operation::Index, &flight.carrier));
    let summary = BulkLoader::new(client.clone(), &index, options()).load(batches).await.unwrap();
    assert_eq!(summary.created, 1);
    let one: Document<Value> = client.documents(&index).get("UA\"249").await.unwrap().unwrap();
    assert_eq!(one.source, json!({"carrier": "UA", "distance": 249}));
}

#[tokio::test]
async fn each_operation_does_what_it_says_and_is_counted() {
    let Some((client, scope)) = live("operations").await else { return };
    let index = format!("{}a", scope.prefix());
    let lenient = BulkOptions { max_rejected: MaxRejected::Count(1), ..options() };
    let load = async |steps: &[(Action<'_>, &str)]| {
        let mut builder = BatchBuilder::new(BatchLimits::default());
        for (action, source) in steps {
            assert!(builder.push_json(action, source.as_bytes()).unwrap().is_none());
        }
        let batches = builder.finish().into_iter().collect();
        BulkLoader::new(client.clone(), &index, lenient.clone()).load(stream_of(batches)).await.unwrap()
    };
    let of = Action::new;
    let version = |number| Action { version: Some(number), ..Action::new(Operation::Index, "v") };
    let first = load(&[
        (of(Operation::Create, "1"), "{\"a\":1234567890123456789,\n\"b\":1.10}"),
        (of(Operation::Upsert, "2"), "{\"a\":2}"),
        (version(7), "{\"a\":7}"),
    ])
    .await;
    assert_eq!((first.created, first.acknowledged()), (3, 3), "{first:?}");
    let second = load(&[
        (of(Operation::Create, "1"), "{\"a\":9}"),
        (of(Operation::Update, "2"), "{\"b\":3}"),
        (of(Operation::Update, "2"), "{\"b\":3}"),
        (version(6), "{\"a\":6}"),
        (of(Operation::Delete, "none"), ""),
        (of(Operation::Update, "none"), "{}"),
        (of(Operation::Delete, "1"), ""),
    ])
    .await;
    assert!(second.adds_up());
    assert_eq!((second.created, second.updated, second.unchanged, second.deleted), (0, 1, 4, 1));
    assert_eq!(second.rejected.iter().collect::<Vec<_>>(), [(&"document_missing_exception".to_owned(), &1)]);
    let documents = client.documents(&index);
    assert!(documents.get::<Value>("1").await.unwrap().is_none());
    assert_eq!(documents.get::<Value>("2").await.unwrap().unwrap().source, json!({"a": 2, "b": 3}));
    assert_eq!(documents.get::<Value>("v").await.unwrap().unwrap().source, json!({"a": 7}));
}
