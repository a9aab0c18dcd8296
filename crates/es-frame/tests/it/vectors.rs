//! A vector is the same vector in every form that the server takes.

use es_frame::{MappingOptions, VectorForm, WriterOptions, infer_mapping_of};
use polars::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{create, live, send, source};

const DIMENSIONS: usize = 384;

#[tokio::test]
async fn base64_and_numbers_are_the_same_vector() {
    let Some((node, version, scope)) = live("base64_and_numbers_are_the_same_vector").await else { return };
    let values: Vec<f32> = (0..DIMENSIONS).map(|place| (place as f32 * 0.37 - 50.0) / 7.0).collect();
    let lists = Series::new("v".into(), [Series::new("".into(), &values)]);
    let vector = lists.cast(&DataType::Array(Box::new(DataType::Float32), DIMENSIONS)).unwrap();
    let form_of = |form: &str| {
        DataFrame::new_infer_height(vec![Column::new("form".into(), [form]), vector.clone().into()]).unwrap()
    };
    let index = format!("{}vectors", scope.prefix());
    let mut mapping = infer_mapping_of(&form_of("any"), &MappingOptions::default()).unwrap();
    assert_eq!(mapping.properties["v"], json!({"type": "dense_vector", "dims": DIMENSIONS}));
    // By default vectors are kept normalised, and their source is computed from that, rounded.
    mapping.properties["v"]["similarity"] = json!("l2_norm");
    create(&node, &index, mapping).await;

    for (id, vectors) in [("numbers", VectorForm::Numbers), ("best", VectorForm::best_for(version))] {
        let options = WriterOptions { id: vec!["form".into()], vectors, ..WriterOptions::default() };
        assert_eq!(send(&node, &index, &form_of(id), &options).await, [201]);
        // From 9.2 on vectors are left out of the source unless asked for.
        let asked = if (version.major, version.minor) >= (9, 2) { "?_source_exclude_vectors=false" } else { "" };
        let found: Value = serde_json::from_str(&source(&node, &index, &format!("{id}{asked}")).await).unwrap();
        let found: Vec<f32> = serde_json::from_value(found["v"].clone()).unwrap();
        assert_eq!(found, values, "{id}");
    }
    // The index, and not only the source, has the same: both are as near as can be.
    let body = json!({"knn": {"field": "v", "query_vector": values, "k": 2, "num_candidates": 10}});
    let answer = node.json(Method::POST, &format!("/{index}/_search"), body.to_string()).await;
    let scores: Vec<f64> =
        answer["hits"]["hits"].as_array().unwrap().iter().map(|hit| hit["_score"].as_f64().unwrap()).collect();
    assert_eq!(scores.len(), 2, "{answer}");
    assert_eq!(scores[0], scores[1]);
    assert!(scores[0] > 0.999, "{answer}");
}
