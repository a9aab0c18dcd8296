//! Order, limits, samples and computed fields.

use es_export::{ErrorKind, IndexReader, ReadOptions, ReadRequest, Sample, Search};
use es_values::ByteSize;
use futures::TryStreamExt as _;
use polars::prelude::*;
use serde_json::{Value, json};

use crate::support::{bulk, fields, in_small_pages, index_of, live, rows, sorted, until_closed};

async fn read(client: &es_core::Client, request: impl Into<ReadRequest>) -> DataFrame {
    IndexReader::open(client, request.into()).await.unwrap().collect().await.unwrap()
}

fn numbers(frame: &DataFrame, column: &str) -> Vec<i64> {
    frame.column(column).unwrap().i64().unwrap().into_no_null_iter().collect()
}

#[tokio::test]
async fn rows_come_in_the_order_that_is_asked_for() {
    let Some((client, scope)) = live("sorted").await else { return };
    let index = format!("{}a", scope.prefix());
    // Instants with all their digits, and places without a value, decide the order.
    let mut frame = rows(100);
    let nanos: Vec<Option<i64>> =
        (0..100_i64).map(|n| (n % 5 != 0).then_some(1_700_000_000_000_000_000 + (n * 37) % 100)).collect();
    let nanos = Column::new("t".into(), nanos).cast(&DataType::Datetime(TimeUnit::Nanoseconds, Some(TimeZone::UTC)));
    frame.with_column(nanos.unwrap()).unwrap();
    let mut with_time = fields();
    with_time["t"] = json!({"type": "date_nanos"});
    index_of(&client, &index, 3, with_time, &frame, &["k"]).await;

    let orders: [(Value, &str, bool); 5] = [
        (json!(["n"]), "n", false),
        (json!([{"n": "desc"}]), "n", true),
        (json!([{"x": {"order": "desc", "missing": "_last"}}, "n"]), "x", true),
        (json!(["t", "n"]), "t", false),
        (json!([{"g": "asc"}, {"n": {"order": "asc"}}]), "g", false),
    ];
    for (sort, by, descending) in orders {
        let search = Search { sort: sort.as_array().unwrap().clone(), ..Search::new(&index) };
        let reader = IndexReader::open(&client, in_small_pages(search)).await.unwrap();
        assert_eq!((reader.slices(), reader.count()), (1, Some(100)));
        let found = reader.collect().await.unwrap();
        let options =
            SortMultipleOptions::default().with_order_descending_multi([descending, false]).with_nulls_last(true);
        let other = if by == "n" { "k" } else { "n" };
        let expected = found.sort([by, other], options).unwrap();
        assert!(found.equals_missing(&expected), "{sort}\n{found}\n{expected}");
        assert!(
            sorted(&found, "k")
                .select(["k", "n", "x", "t"])
                .unwrap()
                .equals_missing(&frame.select(["k", "n", "x", "t"]).unwrap())
        );
    }
}

#[tokio::test]
async fn a_limit_is_exact() {
    let Some((client, scope)) = live("limit").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 2, fields(), &rows(60), &["k"]).await;
    for limit in [0, 1, 6, 7, 8, 14, 59, 60, 61, 1_000] {
        let search = Search { limit: Some(limit), sort: vec![json!({"n": "desc"})], ..Search::new(&index) };
        let reader = IndexReader::open(&client, in_small_pages(search)).await.unwrap();
        assert_eq!((reader.count(), reader.origin().matched), (Some(limit.min(60)), Some(60)));
        let found = numbers(&reader.collect().await.unwrap(), "n");
        let expected: Vec<i64> = (0..60).rev().take(limit as usize).collect();
        assert_eq!(found, expected, "{limit}");
    }
    // Without an order there is still exactly that number.
    let search = Search { limit: Some(33), ..Search::new(&index) };
    assert_eq!(read(&client, in_small_pages(search)).await.height(), 33);
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_sample_is_the_same_each_time_and_about_as_large_as_asked() {
    let Some((client, scope)) = live("sample").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 2, fields(), &rows(2_000), &["k"]).await;
    let sampled = |share, seed, slices| {
        let search = Search { sample: Some(Sample { share, seed }), ..Search::new(&index) };
        let request = ReadRequest::from(search);
        ReadRequest { options: ReadOptions { slices: Some(slices), page_size: 100, ..request.options }, ..request }
    };
    let mut of_seeds = Vec::new();
    for seed in [0, 1, u64::MAX] {
        let first = sorted(&read(&client, sampled(0.25, seed, 1)).await, "k");
        // About 500: the bounds are ten standard deviations away.
        assert!((306..694).contains(&first.height()), "{}", first.height());
        let again = sorted(&read(&client, sampled(0.25, seed, 5)).await, "k");
        assert!(first.equals_missing(&again), "slices do not change a sample");
        of_seeds.push(first);
    }
    assert!(!of_seeds[0].equals_missing(&of_seeds[1]) && !of_seeds[1].equals_missing(&of_seeds[2]));
    // A larger share of the same seed holds the smaller one.
    let larger = read(&client, sampled(0.5, 0, 1)).await;
    let keys = larger.column("k").unwrap().str().unwrap();
    let keys: std::collections::HashSet<&str> = keys.iter().flatten().collect();
    assert!(of_seeds[0].column("k").unwrap().str().unwrap().iter().flatten().all(|key| keys.contains(key)));
    assert_eq!(read(&client, sampled(1.0, 0, 2)).await.height(), 2_000);

    // It is drawn from what the query matches.
    let mut request = sampled(0.25, 0, 1);
    request.search_mut().unwrap().query = json!({"term": {"g": "JFK"}});
    let some = read(&client, request).await;
    assert!(some.height() > 50 && some.column("g").unwrap().str().unwrap().iter().all(|g| g == Some("JFK")));
    for share in [0.0, 1.5] {
        let error = IndexReader::open(&client, sampled(share, 0, 1)).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Request);
        assert_eq!(error.to_string(), format!("a sample of {share} is not a share"));
    }
}

#[tokio::test]
async fn a_computed_field_can_be_searched_and_sorted_by() {
    let Some((client, scope)) = live("runtime").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(50), &["k"]).await;
    let script = json!({"type": "long", "script": {"source": "emit(49 - doc['n'].value)"}});
    let search = Search {
        runtime: json!({"backwards": script}).as_object().unwrap().clone(),
        query: json!({"range": {"backwards": {"lt": 20}}}),
        sort: vec![json!("backwards")],
        ..Search::new(&index)
    };
    let columns = crate::support::named(in_small_pages(search.clone()), &["backwards", "k"]);
    let found = IndexReader::open(&client, columns).await.unwrap().collect().await.unwrap();
    assert_eq!(numbers(&found, "backwards"), (0..20).collect::<Vec<i64>>());
    let reader = IndexReader::open(&client, in_small_pages(search)).await.unwrap();
    assert_eq!(reader.count(), Some(20));
    assert_eq!(reader.origin().parameters["runtime_mappings"]["backwards"]["type"], "long");
    assert_eq!(numbers(&reader.collect().await.unwrap(), "n"), (30..50).rev().collect::<Vec<i64>>());
}

#[tokio::test]
async fn pages_are_no_larger_than_the_index_and_the_client_take() {
    let Some((client, scope)) = live("page_size").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(3_000), &["k"]).await;
    let narrow = json!({"max_result_window": 40}).as_object().unwrap().clone();
    client.indices().put_settings(&index, &narrow).await.unwrap();
    let reader = IndexReader::open(&client, ReadRequest::new(&index)).await.unwrap();
    let pages: Vec<DataFrame> = reader.frames().try_collect().await.unwrap();
    assert!(pages.iter().all(|page| page.height() <= 40));
    assert_eq!(pages.iter().map(DataFrame::height).sum::<usize>(), 3_000);
    reader.close().await.unwrap();
    let wide = json!({"max_result_window": null}).as_object().unwrap().clone();
    client.indices().put_settings(&index, &wide).await.unwrap();

    // A page's bytes decide once a page has shown them.
    let request = ReadRequest::new(&index);
    let options = ReadOptions { slices: Some(1), page_bytes: ByteSize::bytes(10_000), ..request.options };
    let reader = IndexReader::open(&client, ReadRequest { options, ..request }).await.unwrap();
    let pages: Vec<DataFrame> = reader.frames().try_collect().await.unwrap();
    let heights: Vec<usize> = pages.iter().map(DataFrame::height).collect();
    assert_eq!(heights.iter().sum::<usize>(), 3_000);
    // The page after the first may have been asked for before the first was seen.
    assert!(heights[0] == 1_000 && (heights[1] == 1_000 || heights[1] < 200), "{heights:?}");
    assert!(heights[2..].iter().all(|height| *height < 200), "{heights:?}");
    reader.close().await.unwrap();
}

#[tokio::test]
async fn one_list_among_many_documents_is_found_and_named() {
    let Some((client, scope)) = live("needle").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 2, json!({"n": {"type": "long"}}), &df!("n" => [0_i64]).unwrap(), &[]).await;
    const DOCUMENTS: usize = 300_000;
    for from in (0..DOCUMENTS).step_by(50_000) {
        let mut body = Vec::new();
        for n in from..from + 50_000 {
            let (id, value) =
                if n == 271_828 { ("needle".to_owned(), format!("[{n},{n}]")) } else { (n.to_string(), n.to_string()) };
            body.extend_from_slice(format!("{{\"index\":{{\"_id\":\"{id}\"}}}}\n{{\"n\":{value}}}\n").as_bytes());
        }
        bulk(&client, &index, body).await;
    }
    let reader = IndexReader::open(&client, ReadRequest::new(&index)).await.unwrap();
    assert_eq!(reader.count(), Some(DOCUMENTS as u64 + 1));
    let error = reader.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert!(error.to_string().contains("field n of document needle"), "{error}");
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_mapping_that_changes_meanwhile_changes_nothing() {
    let Some((client, scope)) = live("changing").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(100), &["k"]).await;
    let reader = IndexReader::open(&client, in_small_pages(Search::new(&index))).await.unwrap();
    let schema = reader.schema();
    let mut frames = Box::pin(reader.frames());
    let mut rows = frames.try_next().await.unwrap().unwrap().height();
    let mapping = serde_json::from_value(json!({"properties": {"new": {"type": "keyword"}}})).unwrap();
    client.indices().put_mapping(&index, &mapping).await.unwrap();
    bulk(&client, &index, b"{\"index\":{}}\n{\"k\":\"late\",\"new\":\"x\"}\n".to_vec()).await;
    while let Some(page) = frames.try_next().await.unwrap() {
        assert_eq!(**page.schema(), schema);
        rows += page.height();
    }
    reader.reconcile(rows as u64).unwrap();
    drop(frames);
    reader.close().await.unwrap();
    let found = read(&client, Search::new(&index)).await;
    assert_eq!((found.height(), found.width()), (101, 5));
}

#[tokio::test]
async fn an_alias_with_a_filter_gives_what_it_lets_through() {
    let Some((client, scope)) = live("filtered").await else { return };
    let [index, alias] = ["a", "alias"].map(|name| format!("{}{name}", scope.prefix()));
    index_of(&client, &index, 2, fields(), &rows(30), &["k"]).await;
    let add = json!({"actions": [{"add": {"index": index, "alias": alias, "filter": {"term": {"g": "JFK"}}}}]});
    let request = es_core::Request::new(es_core::Method::Post, "/_aliases").json(&add);
    client.send(&request).await.unwrap();
    let reader = IndexReader::open(&client, in_small_pages(Search::new(&alias))).await.unwrap();
    assert_eq!(reader.count(), Some(10));
    assert_eq!(reader.collect().await.unwrap().height(), 10);
}
