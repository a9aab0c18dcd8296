//! A handful of documents at the edges of windows, and every feature computed by hand.

use es_features::{Cardinality, ComputeOptions, Feature, FeatureSet, FeatureStream, Metric, RatioTerm};
use es_testing::Scope;
use serde_json::{Value, json};

use crate::cluster::{client, collect, compute, create, numbers, query, texts, write};

fn properties() -> Value {
    json!({
        "shop": {"type": "keyword"}, "till": {"type": "integer"}, "at": {"type": "date"},
        "x": {"type": "integer"}, "kind": {"type": "keyword"},
    })
}

fn sales() -> Vec<Value> {
    vec![
        // Exactly at a grid time: not in the window that ends there, in the one that begins.
        json!({"shop": "A", "till": 1, "at": "2024-01-01T00:00:00Z", "x": 10, "kind": "a"}),
        json!({"shop": "A", "till": 1, "at": "2024-01-01T12:00:00Z", "x": 20, "kind": "b"}),
        json!({"shop": "A", "till": 1, "at": "2024-01-02T00:00:00Z", "x": null, "kind": "a"}),
        json!({"shop": "A", "till": 1, "at": "2024-01-03T23:59:59.999Z", "x": 40, "kind": ["a", "c"]}),
        json!({"shop": "B", "till": 2, "at": "2024-01-04T00:00:00Z", "x": 5}),
        // Of no entity, and of no time.
        json!({"shop": "A", "at": "2024-01-02T00:00:00Z", "x": 1000, "kind": "z"}),
        json!({"shop": "A", "till": 1, "x": 1000, "kind": "z"}),
    ]
}

fn set() -> FeatureSet {
    let doubled = "doc['x'].size() == 0 ? null : doc['x'].value * 2";
    let kinds = Cardinality { field: "kind".to_owned(), precision_threshold: Some(100) };
    let a_share = RatioTerm::Filter(query(json!({"term": {"kind": "a"}})));
    FeatureSet::new(["shop", "till"], "at", "1d".parse().unwrap())
        .with_window("1d".parse().unwrap())
        .with_window("3d".parse().unwrap())
        .with_feature("count", Feature::count())
        .with_feature("sum", Feature::sum("x"))
        .with_feature("avg", Feature::avg("x"))
        .with_feature("min", Feature::min("x"))
        .with_feature("max", Feature::max("x"))
        .with_feature("squares", Feature::sum_of_squares("x"))
        .with_feature("deviation", Feature::std_deviation("x"))
        .with_feature("variance", Feature::variance("x"))
        .with_feature("values", Feature::value_count("x"))
        .with_feature("p", Feature::percentiles("x", [90.0, 50.0]))
        .with_feature("kinds", Feature::Cardinality(kinds))
        .with_feature("missing", Feature::missing("x"))
        .with_feature("missing_share", Feature::ratio(RatioTerm::missing("x"), RatioTerm::count()))
        .with_feature("a_share", Feature::ratio(a_share, RatioTerm::count()))
        .with_feature("mean", Feature::ratio(RatioTerm::sum("x"), RatioTerm::value_count("x")))
        .with_feature("doubled", Feature::avg(Metric::script(doubled)))
        .with_feature("avg_change", Feature::derivative("avg"))
        .with_feature("count_change", Feature::derivative("count"))
        .with_feature("share_change", Feature::derivative("missing_share"))
}

const DAY: f64 = 86_400_000.0;
/// 2024-01-01T00:00:00Z
const NEW_YEAR: f64 = 1_704_067_200_000.0;

fn assert_column(frame: &polars::prelude::DataFrame, column: &str, expected: [Option<f64>; 5]) {
    let found = numbers(frame, column);
    let close = |found: &Option<f64>, expected: &Option<f64>| match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
        (found, expected) => found == expected,
    };
    let all = found.len() == 5 && found.iter().zip(&expected).all(|(found, expected)| close(found, expected));
    assert!(all, "{column}: {found:?} is not {expected:?}");
}

#[tokio::test]
async fn every_feature_equals_the_value_computed_by_hand() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features by hand");
    // Two shards, so that partial results are merged.
    let index = create(&node, &scope, "sales", 2, properties()).await;
    write(&node, &index, sales()).await;
    let client = client(&node).await;
    let (rows, summary) = compute(&client, &index, &set(), ComputeOptions::default()).await.unwrap();

    assert_eq!((summary.documents, summary.documents_without_entity, summary.documents_without_time), (7, 1, 1));
    // The extent and one search for each of 2, 3, 4 and 5 January.
    assert_eq!((summary.grid_instants, summary.requests), (4, 5));

    // The row of B at the time of its only document would know the present: there is none.
    let day = |n: f64| Some(NEW_YEAR + n * DAY);
    assert_column(&rows, "at", [day(1.0), day(2.0), day(3.0), day(4.0), day(4.0)]);
    assert_eq!(texts(&rows, "shop"), ["A", "A", "A", "A", "B"]);
    assert_column(&rows, "till", [1.0, 1.0, 1.0, 1.0, 2.0].map(Some));

    let n = None;
    let s = Some;
    let third = 70.0_f64 / 3.0;
    let variance = 700.0 - third * third;
    for (column, expected) in [
        ("count_1d", [s(2.0), s(1.0), s(1.0), s(0.0), s(1.0)]),
        ("count_3d", [s(2.0), s(3.0), s(4.0), s(2.0), s(1.0)]),
        ("sum_1d", [s(30.0), s(0.0), s(40.0), s(0.0), s(5.0)]),
        ("sum_3d", [s(30.0), s(30.0), s(70.0), s(40.0), s(5.0)]),
        ("avg_1d", [s(15.0), n, s(40.0), n, s(5.0)]),
        ("avg_3d", [s(15.0), s(15.0), s(third), s(40.0), s(5.0)]),
        ("min_1d", [s(10.0), n, s(40.0), n, s(5.0)]),
        ("min_3d", [s(10.0), s(10.0), s(10.0), s(40.0), s(5.0)]),
        ("max_3d", [s(20.0), s(20.0), s(40.0), s(40.0), s(5.0)]),
        ("squares_1d", [s(500.0), s(0.0), s(1600.0), s(0.0), s(25.0)]),
        ("squares_3d", [s(500.0), s(500.0), s(2100.0), s(1600.0), s(25.0)]),
        ("variance_1d", [s(25.0), n, s(0.0), n, s(0.0)]),
        ("variance_3d", [s(25.0), s(25.0), s(variance), s(0.0), s(0.0)]),
        ("deviation_3d", [s(5.0), s(5.0), s(variance.sqrt()), s(0.0), s(0.0)]),
        ("values_1d", [s(2.0), s(0.0), s(1.0), s(0.0), s(1.0)]),
        ("values_3d", [s(2.0), s(2.0), s(3.0), s(1.0), s(1.0)]),
        ("p_p50_1d", [s(15.0), n, s(40.0), n, s(5.0)]),
        ("p_p50_3d", [s(15.0), s(15.0), s(20.0), s(40.0), s(5.0)]),
        ("p_p90_3d", [s(19.0), s(19.0), s(36.0), s(40.0), s(5.0)]),
        ("kinds_1d", [s(2.0), s(1.0), s(2.0), s(0.0), s(0.0)]),
        ("kinds_3d", [s(2.0), s(2.0), s(3.0), s(2.0), s(0.0)]),
        ("missing_1d", [s(0.0), s(1.0), s(0.0), s(0.0), s(0.0)]),
        ("missing_3d", [s(0.0), s(1.0), s(1.0), s(1.0), s(0.0)]),
        ("missing_share_1d", [s(0.0), s(1.0), s(0.0), n, s(0.0)]),
        ("missing_share_3d", [s(0.0), s(1.0 / 3.0), s(0.25), s(0.5), s(0.0)]),
        ("a_share_1d", [s(0.5), s(1.0), s(1.0), n, s(0.0)]),
        ("a_share_3d", [s(0.5), s(2.0 / 3.0), s(0.75), s(1.0), s(0.0)]),
        ("mean_1d", [s(15.0), n, s(40.0), n, s(5.0)]),
        ("mean_3d", [s(15.0), s(15.0), s(third), s(40.0), s(5.0)]),
        ("doubled_1d", [s(30.0), n, s(80.0), n, s(10.0)]),
        ("doubled_3d", [s(30.0), s(30.0), s(2.0 * third), s(80.0), s(10.0)]),
        ("avg_change_1d", [n, n, n, n, n]),
        ("avg_change_3d", [n, s(0.0), s(third - 15.0), s(40.0 - third), n]),
        ("count_change_1d", [s(2.0), s(-1.0), s(0.0), s(-1.0), s(1.0)]),
        ("count_change_3d", [s(2.0), s(1.0), s(1.0), s(-2.0), s(1.0)]),
        ("share_change_1d", [n, s(1.0), s(-1.0), n, n]),
        ("share_change_3d", [n, s(1.0 / 3.0), s(0.25 - 1.0 / 3.0), s(0.25), n]),
    ] {
        assert_column(&rows, column, expected);
    }
}

#[tokio::test]
async fn any_part_of_the_grid_comes_out_the_same_alone() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "part of grid");
    let index = create(&node, &scope, "sales", 1, properties()).await;
    write(&node, &index, sales()).await;
    let client = client(&node).await;
    let (all, _) = compute(&client, &index, &set(), ComputeOptions::default()).await.unwrap();
    let mut part = set();
    part.start = Some("2024-01-04T00:00:00Z".parse().unwrap());
    part.end = Some("2024-01-05T00:00:00Z".parse().unwrap());
    let (alone, summary) = compute(&client, &index, &part, ComputeOptions::default()).await.unwrap();
    assert_eq!((alone.height(), summary.grid_instants), (1, 1));
    assert!(alone.equals_missing(&all.slice(2, 1)), "{alone} is not row 2 of {all}");
    // A grid after all documents ends when the windows are empty.
    part.start = Some("2024-01-06T00:00:00Z".parse().unwrap());
    part.end = Some("2024-01-20T00:00:00Z".parse().unwrap());
    let (after, summary) = compute(&client, &index, &part, ComputeOptions::default()).await.unwrap();
    assert_eq!(texts(&after, "shop"), ["A", "B", "B"]);
    assert_eq!(summary.grid_instants, 14);
}

#[tokio::test]
async fn a_query_selects_the_documents_that_count() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features query");
    let index = create(&node, &scope, "sales", 1, properties()).await;
    write(&node, &index, sales()).await;
    let client = client(&node).await;
    let mut only_a = set();
    only_a.filter = Some(query(json!({"term": {"kind": "a"}})));
    let (rows, summary) = compute(&client, &index, &only_a, ComputeOptions::default()).await.unwrap();
    assert_eq!(summary.documents, 3);
    assert_eq!(numbers(&rows, "count_3d"), [1.0, 2.0, 3.0].map(Some));
    only_a.filter = Some(query(json!({"term": {"kind": "nothing"}})));
    let (rows, summary) = compute(&client, &index, &only_a, ComputeOptions::default()).await.unwrap();
    assert_eq!((rows.height(), summary.documents, summary.grid_instants), (0, 0, 0));
    assert_eq!(rows.width(), 3 + 2 * 20);
}

#[tokio::test]
async fn days_follow_the_calendar_of_the_zone_and_windows_the_clock() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features dst");
    let index = create(&node, &scope, "sales", 1, properties()).await;
    // Half past eleven in the evening in New York, half an hour before a day of 23 hours.
    write(&node, &index, [json!({"shop": "A", "till": 1, "at": "2013-03-10T04:30:00Z", "x": 1})]).await;
    let client = client(&node).await;
    let mut set = set();
    set.timezone = "America/New_York".parse().unwrap();
    set.end = Some("2013-03-13T04:00:00Z".parse().unwrap());
    let (rows, _) = compute(&client, &index, &set, ComputeOptions::default()).await.unwrap();
    let times: Vec<Option<f64>> = ["2013-03-10T05:00:00Z", "2013-03-11T04:00:00Z", "2013-03-12T04:00:00Z"]
        .map(|time| Some(time.parse::<jiff::Timestamp>().unwrap().as_millisecond() as f64))
        .to_vec();
    assert_eq!(numbers(&rows, "at"), times);
    // 24 hours before the second midnight is half past eleven of the day before the short one.
    assert_eq!(numbers(&rows, "count_1d"), [1.0, 1.0, 0.0].map(Some));
    assert_eq!(numbers(&rows, "count_change_1d"), [1.0, 0.0, -1.0].map(Some));
}

#[tokio::test]
async fn rows_see_the_source_as_it_was_when_the_stream_was_opened() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features one state");
    let index = create(&node, &scope, "sales", 1, properties()).await;
    write(&node, &index, sales()).await;
    let client = client(&node).await;
    let stream = FeatureStream::open(&client, &index, &set()).await.unwrap();
    let late = json!({"shop": "A", "till": 1, "at": "2024-01-01T12:00:00Z", "x": 99});
    write(&node, &index, [late]).await;
    let (rows, _) = collect(stream).await.unwrap();
    assert_eq!(numbers(&rows, "count_3d")[0], Some(2.0));
    let (rows, _) = compute(&client, &index, &set(), ComputeOptions::default()).await.unwrap();
    assert_eq!(numbers(&rows, "count_3d")[0], Some(3.0));
}

#[tokio::test]
async fn an_alias_over_indices_is_one_source() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features alias");
    let alias = format!("{}all", scope.prefix());
    for (name, documents) in [("sales-1", &sales()[..2]), ("sales-2", &sales()[2..]), ("empty", &[][..])] {
        let index = create(&node, &scope, name, 1, properties()).await;
        if !documents.is_empty() {
            write(&node, &index, documents.iter().cloned()).await;
        }
        node.json(reqwest::Method::PUT, &format!("/{index}/_alias/{alias}"), "{}").await;
    }
    let client = client(&node).await;
    let (rows, _) = compute(&client, &alias, &set(), ComputeOptions::default()).await.unwrap();
    assert_eq!(numbers(&rows, "count_3d"), [2.0, 3.0, 4.0, 2.0, 1.0].map(Some));
    assert_eq!(numbers(&rows, "kinds_3d"), [2.0, 2.0, 3.0, 2.0, 0.0].map(Some));
}
