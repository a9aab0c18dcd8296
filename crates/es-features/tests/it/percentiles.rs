//! The accuracy of percentiles, on both sides of the size that a digest keeps exactly.

use es_features::{ComputeOptions, Feature, FeatureSet};
use es_testing::Scope;
use polars::prelude::{NamedFrom as _, QuantileMethod, Series};
use serde_json::json;

use crate::cluster::{client, compute, create, numbers, write};

const PERCENTS: [f64; 7] = [0.1, 5.0, 25.0, 50.0, 90.0, 99.0, 99.9];

/// Skewed values in an order without pattern.
fn values(count: u64) -> Vec<f64> {
    let mut state = 7_u64;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = (state >> 11) as f64 / (1_u64 << 53) as f64;
            (1.0 - uniform).recip().powi(2)
        })
        .collect()
}

#[tokio::test]
async fn percentiles_are_exact_below_the_digests_size_and_near_above_it() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features percentiles");
    let properties = json!({"group": {"type": "keyword"}, "at": {"type": "date"}, "x": {"type": "double"}});
    let index = create(&node, &scope, "values", 2, properties).await;
    let groups = [("exact", 9_999), ("near", 30_000)];
    for (group, count) in groups {
        let at = "2024-01-01T12:00:00Z";
        write(&node, &index, values(count).into_iter().map(|x| json!({"group": group, "at": at, "x": x}))).await;
    }
    let set = FeatureSet::new(["group"], "at", "1d".parse().unwrap())
        .with_window("1d".parse().unwrap())
        .with_feature("p", Feature::percentiles("x", PERCENTS));
    let (rows, _) = compute(&client(&node).await, &index, &set, ComputeOptions::default()).await.unwrap();
    assert_eq!(rows.height(), 2);
    for (row, (group, count)) in groups.into_iter().enumerate() {
        let series = Series::new("x".into(), values(count));
        let series = series.f64().unwrap();
        let exact = |q: f64| {
            use polars::prelude::ChunkQuantile as _;
            series.quantile(q.clamp(0.0, 1.0), QuantileMethod::Linear).unwrap().unwrap()
        };
        for percent in PERCENTS {
            let column = format!("p_p{percent}_1d").replace('.', "_");
            let found = numbers(&rows, &column)[row].unwrap();
            let q = percent / 100.0;
            let error = if group == "exact" { 0.0 } else { 0.02 * q * (1.0 - q) };
            let (low, high) = (exact(q - error) * (1.0 - 1e-12), exact(q + error) * (1.0 + 1e-12));
            assert!(low <= found && found <= high, "{group} p{percent}: {found} is not in {low}..{high}");
        }
    }
}
