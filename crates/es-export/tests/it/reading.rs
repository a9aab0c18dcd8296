//! The rows that come out are those that went in.

use es_core::AliasAction;
use es_export::{ErrorKind, IndexReader, ReadOptions, ReadRequest};
use es_frame::{CellPolicy, FieldSource, Values};
use futures::TryStreamExt as _;
use polars::prelude::*;
use serde_json::json;

use crate::support::{bulk, fields, index_of, live, named, open_contexts, rows, small_pages, sorted, until_closed};

/// A frame with every type that a plain field has, its extremes and nulls.
fn every_type() -> DataFrame {
    let mut frame = df!(
        "k" => ["a", "b", "c", "d"],
        "boolean" => [Some(true), None, Some(false), None],
        "byte" => [Some(i8::MIN), Some(i8::MAX), None, Some(0)],
        "short" => [Some(i16::MIN), None, Some(i16::MAX), Some(0)],
        "integer" => [Some(i32::MIN), Some(i32::MAX), None, Some(0)],
        "long" => [Some(i64::MIN), Some(i64::MAX), Some(9_007_199_254_740_993), None],
        "float" => [Some(f32::MIN), Some(f32::MAX), Some(0.1), None],
        "double" => [Some(f64::MIN), Some(0.1), None, Some(f64::MIN_POSITIVE)],
        "keyword" => [Some(""), Some("line\nbreak \"quoted\" \\ é 𝄞 \u{0} \u{7f}"), None, Some(" ")],
        "date" => [Some(-1_i64), Some(1_357_034_400_123), None, Some(253_402_300_799_999)],
        "date_nanos" => [Some(0_i64), Some(1_357_034_400_123_456_789), None, Some(4_102_444_800_000_000_001)],
        "ip" => [Some("127.0.0.1"), Some("2001:db8::1"), None, Some("::1")],
        "o.x" => [Some(1_i64), None, Some(-3), None],
    )
    .unwrap();
    for (name, unit) in [("date", TimeUnit::Milliseconds), ("date_nanos", TimeUnit::Nanoseconds)] {
        let instants = frame.column(name).unwrap().cast(&DataType::Datetime(unit, Some(TimeZone::UTC))).unwrap();
        frame.with_column(instants).unwrap();
    }
    frame
}

fn fields_of_every_type() -> serde_json::Value {
    let mut fields = serde_json::Map::new();
    for name in
        ["boolean", "byte", "short", "integer", "long", "float", "double", "keyword", "date", "date_nanos", "ip"]
    {
        fields.insert(name.to_owned(), json!({"type": name}));
    }
    // Without it, the documents may hold more digits than a Float32 has.
    fields.insert("float".to_owned(), json!({"type": "float", "meta": {"value_type": "float32"}}));
    fields.insert("k".to_owned(), json!({"type": "keyword"}));
    fields.insert("o".to_owned(), json!({"properties": {"x": {"type": "long"}}}));
    fields.into()
}

#[tokio::test]
async fn every_type_survives_the_round_trip_either_way() {
    let Some((client, scope)) = live("every_type").await else { return };
    let frame = every_type();
    let names: Vec<String> = frame.get_column_names().iter().map(|name| name.to_string()).collect();
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields_of_every_type(), &frame, &["k"]).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (source, retrieval) in [(FieldSource::DocValues, "doc_values"), (FieldSource::Source, "_source: ")] {
        let mut request = named(ReadRequest::new(&index), &names);
        request.search_mut().unwrap().source = source;
        let reader = IndexReader::open(&client, request).await.unwrap();
        assert!(reader.origin().retrieval.as_ref().unwrap().starts_with(retrieval), "{:?}", reader.origin());
        assert_eq!(&reader.schema(), frame.schema().as_ref());
        let found = sorted(&reader.collect().await.unwrap(), "k");
        assert!(found.equals_missing(&frame), "{retrieval:?}\n{found:?}\n{frame:?}");
    }
}

#[tokio::test]
async fn text_and_rounded_floats_come_from_the_source_as_written() {
    let Some((client, scope)) = live("text").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = df!(
        "k" => ["a", "b", "c"],
        "t" => [Some("Some Words, in order"), None, Some("")],
        "h" => [Some(0.1_f64), Some(2049.0), None],
    )
    .unwrap();
    let fields = json!({"k": {"type": "keyword"}, "t": {"type": "text"}, "h": {"type": "half_float"}});
    index_of(&client, &index, 1, fields, &frame, &["k"]).await;
    let reader = IndexReader::open(&client, ReadRequest::new(&index)).await.unwrap();
    assert!(reader.origin().retrieval.as_ref().unwrap().starts_with("_source: "));
    let found = sorted(&reader.collect().await.unwrap(), "k").select(["k", "t", "h"]).unwrap();
    assert!(found.equals_missing(&frame), "{found}");
    // Without them doc values do.
    let reader = IndexReader::open(&client, named(ReadRequest::new(&index), &["k"])).await.unwrap();
    assert_eq!(reader.origin().retrieval.as_deref(), Some("doc_values"));
    assert_eq!(reader.collect().await.unwrap().height(), 3);
}

#[tokio::test]
async fn slices_and_pages_lose_and_repeat_nothing() {
    let Some((client, scope)) = live("slices").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(250);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let columns = ["k", "n", "g", "x"];
    for (slices, concurrency) in [(Some(1), 1), (Some(3), 3), (Some(7), 2), (None, 3), (None, 1)] {
        let mut request = named(small_pages(&index), &columns);
        request.options = ReadOptions { slices, concurrency, ..request.options };
        let reader = IndexReader::open(&client, request).await.unwrap();
        assert_eq!(reader.count(), Some(250));
        // Without a number: as many as are read at once, and the same number of each shard.
        assert_eq!(reader.slices(), slices.unwrap_or(concurrency.next_multiple_of(2)) as usize);
        let pages: Vec<DataFrame> = reader.frames().try_collect().await.unwrap();
        assert!(pages.iter().all(|page| (1..=7).contains(&page.height())));
        assert!(pages.len() >= 36);
        let whole = reader.collect().await.unwrap();
        assert!(sorted(&whole, "k").equals_missing(&frame), "{slices:?}");
        assert_eq!(open_contexts(&client, &index).await, 0, "collect closes what it read");
    }
}

#[tokio::test]
async fn a_query_decides_which_rows_are_read() {
    let Some((client, scope)) = live("query").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(60);
    index_of(&client, &index, 1, fields(), &frame, &["k"]).await;
    let mut request = named(small_pages(&index), &["n", "_id", "k"]);
    request.search_mut().unwrap().query =
        json!({"bool": {"filter": [{"term": {"g": "JFK"}}, {"range": {"n": {"lt": 30}}}]}});
    let reader = IndexReader::open(&client, request.clone()).await.unwrap();
    assert_eq!(reader.count(), Some(10));
    let found = sorted(&reader.collect().await.unwrap(), "n");
    assert_eq!(found.get_column_names(), ["n", "_id", "k"]);
    let numbers: Vec<i64> = found.column("n").unwrap().i64().unwrap().into_no_null_iter().collect();
    assert_eq!(numbers, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
    assert!(found.column("_id").unwrap().equals(&found.column("k").unwrap().clone().with_name("_id".into())));

    request.search_mut().unwrap().query = json!({"term": {"g": "nowhere"}});
    let none = IndexReader::open(&client, request.clone()).await.unwrap().collect().await.unwrap();
    assert_eq!((none.height(), none.width()), (0, 3));

    request.search_mut().unwrap().query = json!({"trem": {"g": "JFK"}});
    let error = IndexReader::open(&client, request).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    assert!(error.to_string().contains("unknown field [trem]"), "{error}");
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn an_alias_is_read_over_all_its_indices() {
    let Some((client, scope)) = live("alias").await else { return };
    let [one, two, hidden, alias] = ["one", "two", "hidden", "alias"].map(|name| format!("{}{name}", scope.prefix()));
    let frame = rows(40);
    index_of(&client, &one, 1, fields(), &frame.head(Some(25)), &["k"]).await;
    // The second index has a field less, and one more.
    let mut other = fields();
    other.as_object_mut().unwrap().remove("x");
    other["y"] = json!({"type": "integer"});
    let mut rest = frame.tail(Some(15)).drop("x").unwrap();
    rest.with_column(Column::new("y".into(), (0..15).collect::<Vec<i32>>())).unwrap();
    rest.rechunk_mut();
    index_of(&client, &two, 2, other, &rest, &["k"]).await;
    let add = |index: &String| AliasAction::Add { index: index.clone(), alias: alias.clone() };
    client.indices().update_aliases(&[add(&one), add(&two)]).await.unwrap();
    let settings = json!({"index.hidden": true}).as_object().unwrap().clone();
    client.indices().create(&hidden, &es_core::NewIndex { settings, ..Default::default() }).await.unwrap();

    // An alias, a pattern (which leaves the hidden index out) and a list mean the same here.
    for index in [alias.clone(), format!("{}*", scope.prefix()), format!("{one},{two}")] {
        let request = named(small_pages(&index), &["k", "n", "x", "y", "_index"]);
        let reader = IndexReader::open(&client, request).await.unwrap();
        assert_eq!(reader.origin().indices, [one.as_str(), two.as_str()], "{index}");
        assert_eq!((reader.count(), reader.slices()), (Some(40), 4));
        let found = sorted(&reader.collect().await.unwrap(), "k");
        assert!(found.column("n").unwrap().equals(frame.column("n").unwrap()));
        let x = frame.column("x").unwrap().head(Some(25));
        assert!(found.column("x").unwrap().head(Some(25)).equals_missing(&x));
        assert_eq!(found.column("x").unwrap().tail(Some(15)).null_count(), 15);
        assert_eq!(
            (found.column("y").unwrap().null_count(), found.column("y").unwrap().dtype()),
            (25, &DataType::Int32)
        );
        let of_index: Vec<_> = found.column("_index").unwrap().str().unwrap().iter().flatten().collect();
        assert_eq!((of_index[24], of_index[25]), (one.as_str(), two.as_str()));
    }
}

#[tokio::test]
async fn what_is_written_later_is_not_read() {
    let Some((client, scope)) = live("later").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(20), &["k"]).await;
    let reader = IndexReader::open(&client, small_pages(&index)).await.unwrap();
    bulk(&client, &index, b"{\"index\":{}}\n{\"k\":\"late\",\"n\":1}\n".to_vec()).await;
    assert_eq!(client.indices().count(&index).await.unwrap(), 21);
    assert_eq!(reader.collect().await.unwrap().height(), 20);
}

#[tokio::test]
async fn several_values_in_one_field_are_an_error_that_names_the_document() {
    let Some((client, scope)) = live("several").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(20), &["k"]).await;
    bulk(&client, &index, b"{\"index\":{\"_id\":\"odd\"}}\n{\"k\":\"odd\",\"n\":[1,2]}\n".to_vec()).await;
    let reader = IndexReader::open(&client, small_pages(&index)).await.unwrap();
    assert_eq!(open_contexts(&client, &index).await, 1);
    let error = reader.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert_eq!(error.to_string(), "field n of document odd holds more than one value");
    until_closed(&client, &index).await;
    // Whoever knows may say which of them, for this column alone.
    let mut request = small_pages(&index);
    let last = CellPolicy { values: Some(Values::Last), ..CellPolicy::default() };
    request.search_mut().unwrap().policies.insert("n".to_owned(), last);
    let found = IndexReader::open(&client, request).await.unwrap().collect().await.unwrap();
    let odd = found.filter(&found.column("k").unwrap().str().unwrap().iter().map(|k| k == Some("odd")).collect());
    assert_eq!(odd.unwrap().column("n").unwrap().i64().unwrap().get(0), Some(2));
    // Where the field is not asked for it does no harm.
    let reader = IndexReader::open(&client, named(small_pages(&index), &["k"])).await.unwrap();
    assert_eq!(reader.collect().await.unwrap().height(), 21);
}

#[tokio::test]
async fn a_stream_that_is_dropped_halfway_closes_what_it_read() {
    let Some((client, scope)) = live("halfway").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(100), &["k"]).await;
    let reader = IndexReader::open(&client, small_pages(&index)).await.unwrap();
    let mut frames = Box::pin(reader.frames());
    assert!(frames.try_next().await.unwrap().is_some());
    assert_eq!(open_contexts(&client, &index).await, 1);
    drop(reader);
    assert!(frames.try_next().await.unwrap().is_some(), "the stream reads on without its reader");
    drop(frames);
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn an_index_that_is_removed_meanwhile_is_reported() {
    let Some((client, scope)) = live("removed").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(50), &["k"]).await;
    let reader = IndexReader::open(&client, small_pages(&index)).await.unwrap();
    client.indices().delete(&index).await.unwrap();
    let error = reader.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PointInTimeLost, "{error}");
    assert!(error.help().unwrap().starts_with("the point in time is gone"), "{error} {:?}", error.help());
}
