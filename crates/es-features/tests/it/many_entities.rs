//! More entities than a page holds, of every type that Elasticsearch groups by.

use es_features::{ComputeOptions, Feature, FeatureSet, FeatureStream};
use es_testing::Scope;
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use crate::cluster::{client, compute, create, numbers, texts, write};

const TYPES: [(&str, &str); 6] = [
    ("text", "keyword"),
    ("whole", "long"),
    ("real", "double"),
    ("half", "float"),
    ("flag", "boolean"),
    ("day", "date"),
];

/// Entity `n` has `n % 3 + 1` documents on the first day, and all but every fifth one on
/// the third day too.
fn documents() -> Vec<Value> {
    let mut documents = Vec::new();
    for n in 0..250_i64 {
        let document = |at: &str| {
            json!({
                "text": format!("\"{}\" é\\{n}", n % 10),
                "whole": 9_007_199_254_740_993_i64 + n % 4,
                // Neighbouring floats: a start of the next page that is off by one digit
                // would skip an entity or repeat one.
                "real": 0.1 + (n as f64) * f64::EPSILON / 16.0,
                "half": (n as f32) / 3.0,
                "flag": n % 2 == 0,
                "day": 1_704_067_200_123_i64 + n % 5,
                "at": at, "x": n,
            })
        };
        documents.extend((0..=n % 3).map(|_| document("2024-01-01T06:00:00Z")));
        if n % 5 != 0 {
            documents.push(document("2024-01-03T06:00:00Z"));
        }
    }
    documents
}

fn set() -> FeatureSet {
    FeatureSet::new(TYPES.map(|(name, _)| name), "at", "1d".parse().unwrap())
        .with_window("1d".parse().unwrap())
        .with_feature("n", Feature::count())
        .with_feature("x", Feature::min("x"))
        .with_feature("change", Feature::derivative("n"))
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_an_entity() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features paging");
    let mut properties = json!({"at": {"type": "date"}, "x": {"type": "long"}});
    for (name, field_type) in TYPES {
        properties[name] = json!({"type": field_type});
    }
    let index = create(&node, &scope, "many", 3, properties).await;
    write(&node, &index, documents()).await;
    let client = client(&node).await;

    let (whole, summary) = compute(&client, &index, &set(), ComputeOptions::default()).await.unwrap();
    // 250 entities on 2 January, none on 3 January (their documents are older than a day),
    // and 200 on 4 January.
    assert_eq!((whole.height(), summary.grid_instants), (450, 3));
    let mut first_day: Vec<Option<f64>> = numbers(&whole, "x_1d")[..250].to_vec();
    first_day.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(first_day, (0..250).map(|n| Some(f64::from(n))).collect::<Vec<_>>());
    for ((x, n), text) in
        numbers(&whole, "x_1d").iter().zip(numbers(&whole, "n_1d")).zip(texts(&whole, "text")).take(250)
    {
        let x = x.unwrap() as i64;
        assert_eq!(n, Some((x % 3 + 1) as f64));
        assert_eq!(text, format!("\"{}\" é\\{x}", x % 10));
    }

    for (page_size, frame_rows, searches_in_flight) in [(7, 20, 2), (250, 1, 1), (249, 1_000, 5), (1, 100, 3)] {
        let options = ComputeOptions::default()
            .with_page_size(page_size)
            .with_frame_rows(frame_rows)
            .with_searches_in_flight(searches_in_flight);
        let mut stream = FeatureStream::builder(&client, &index, &set()).with_options(options).open().await.unwrap();
        let mut paged = whole.clear();
        let mut largest = 0;
        while let Some(frame) = stream.try_next().await.unwrap() {
            largest = largest.max(frame.height());
            paged.vstack_mut(&frame).unwrap();
        }
        assert!(paged.equals_missing(&whole), "pages of {page_size}");
        assert!(largest < frame_rows + page_size, "a frame of {largest} rows for {options:?}");
    }

    let mut by_number = set();
    by_number.entity = vec!["real".to_owned()];
    let options = ComputeOptions::default().with_page_size(1);
    let (rows, _) = compute(&client, &index, &by_number, options).await.unwrap();
    let expected: Vec<Option<f64>> = (0..250).map(|n| Some(0.1 + f64::from(n) * f64::EPSILON / 16.0)).collect();
    assert_eq!(numbers(&rows, "real")[..250], expected);
}
