//! The recall of an approximate search for vectors: the share of the nearest neighbours that it finds.

use std::collections::HashMap;

use es_core::Client;
use es_values::quoted_list;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::definition::Recall;
use crate::error::{Error, Result};

/// The seed of the sample, which is the same in every run on the same documents.
const SEED: u32 = 7;

/// The queries that are asked at the same time.
const AT_ONCE: usize = 4;

/// The difference of scores up to which two neighbours are as near: scores are 32-bit floats.
const TIE: f64 = 1e-6;

/// Returns the share of the nearest neighbours that the approximate search finds, over sampled documents, and
/// the number of these; none where there are no two vectors.
pub(super) async fn measure(client: &Client, index: &str, recall: &Recall) -> Result<Option<(f64, usize)>> {
    let field = &recall.field;
    let script = exact_script(&similarity(client, index, field).await?)?;
    let body = json!({
        "size": recall.queries, "_source": false, "fields": [field],
        "query": { "function_score": {
            "query": { "exists": { "field": field } }, "boost_mode": "replace",
            "random_score": { "seed": SEED, "field": "_seq_no" },
        } },
    });
    let sampled = hits(client, index, &body).await?;
    let mut asking = Vec::with_capacity(sampled.len());
    for one in &sampled {
        asking.push(of_one(client, index, recall, script, one));
    }
    let shares: Vec<Option<f64>> = stream::iter(asking).buffer_unordered(AT_ONCE).try_collect().await?;
    let shares: Vec<f64> = shares.into_iter().flatten().collect();
    Ok((!shares.is_empty()).then(|| (shares.iter().sum::<f64>() / shares.len() as f64, shares.len())))
}

/// The share of the nearest neighbours of one document, itself left out, that the approximate search finds.
async fn of_one(client: &Client, index: &str, recall: &Recall, script: &str, of: &Hit) -> Result<Option<f64>> {
    let field = &recall.field;
    let Some(vector) = of.fields.get(field) else { return Ok(None) };
    // The document itself is one of both lists.
    let size = u32::from(recall.k) + 1;
    let knn = json!({
        "knn": { "field": field, "query_vector": vector, "k": size, "num_candidates": recall.candidates.max(size) },
        "size": size, "_source": false,
    });
    let exact = |among: Value, size: u32| {
        let script = json!({ "source": script, "params": { "v": vector, "f": field } });
        json!({ "query": { "script_score": { "query": among, "script": script } }, "size": size, "_source": false })
    };
    let others = |found: Vec<Hit>| found.into_iter().filter(|hit| hit.id != of.id).collect::<Vec<Hit>>();
    let nearest = others(hits(client, index, &exact(json!({ "exists": { "field": field } }), size)).await?);
    let found = others(hits(client, index, &knn).await?);
    let ids: Vec<&str> = found.iter().take(usize::from(recall.k)).map(|hit| hit.id.as_str()).collect();
    let found = hits(client, index, &exact(json!({ "ids": { "values": ids } }), size)).await?;
    Ok(share(&scores(&nearest), &scores(&found), usize::from(recall.k)))
}

/// The share of the `k` nearest, by their exact scores in descending order, that are among those found. One that is as
/// near as the last of them counts as one of them.
fn share(nearest: &[f64], found: &[f64], k: usize) -> Option<f64> {
    let wanted = nearest.len().min(k);
    let last = nearest.get(wanted.checked_sub(1)?)?;
    let right = found.iter().filter(|score| **score >= last - TIE).count();
    Some(right.min(wanted) as f64 / wanted as f64)
}

fn scores(hits: &[Hit]) -> Vec<f64> {
    hits.iter().map(|hit| hit.score).collect()
}

/// The similarity by which an index compares the vectors of a field.
async fn similarity(client: &Client, index: &str, field: &str) -> Result<String> {
    let described = client.indices().describe(index).await?;
    let found = described.iter().find_map(|one| one.mapping.field(field));
    match found {
        Some(property) if property.field_type() == "dense_vector" => {
            let named = property.parameter("similarity").and_then(Value::as_str);
            Ok(named.unwrap_or("cosine").to_owned())
        }
        Some(property) => Err(Error::config(format!(
            "the recall of `{field}` cannot be measured: it is a field of type {}, and not dense_vector",
            property.field_type()
        ))),
        None => {
            let fields = described.iter().flat_map(|one| one.mapping.fields());
            let vectors = fields.filter(|(_, property)| property.field_type() == "dense_vector");
            let names: Vec<String> = vectors.map(|(name, _)| name).collect();
            let help = (!names.is_empty())
                .then(|| format!("the vectors are in {}", quoted_list(names.iter().map(String::as_str))));
            Err(Error::config(format!("the recall of `{field}` cannot be measured: there is no such field"))
                .with_help(help))
        }
    }
}

/// A script that scores by the same similarity as the index, without its approximation. Scores may not be negative.
fn exact_script(similarity: &str) -> Result<&'static str> {
    match similarity {
        "cosine" => Ok("cosineSimilarity(params.v, params.f) + 1.0"),
        "dot_product" => Ok("Math.max(0.0, dotProduct(params.v, params.f) + 1.0)"),
        "l2_norm" => Ok("1.0 / (1.0 + l2norm(params.v, params.f))"),
        "max_inner_product" => {
            Ok("double d = dotProduct(params.v, params.f); return d < 0 ? 1.0 / (1.0 - d) : d + 1.0")
        }
        other => Err(Error::config(format!("the recall of vectors of the similarity {other} cannot be measured"))),
    }
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_score")]
    score: f64,
    #[serde(default)]
    fields: HashMap<String, Value>,
}

async fn hits(client: &Client, index: &str, body: &Value) -> Result<Vec<Hit>> {
    Ok(client.search(index, body).await?.hits()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_as_near_as_the_last_count_as_found() {
        assert_eq!(share(&[3.0, 2.0, 1.0], &[3.0, 1.0], 2), Some(0.5));
        assert_eq!(share(&[3.0, 2.0, 2.0], &[3.0, 2.0, 2.0], 2), Some(1.0));
        assert_eq!(share(&[3.0], &[3.0], 10), Some(1.0));
        assert_eq!(share(&[], &[], 10), None);
    }
}
