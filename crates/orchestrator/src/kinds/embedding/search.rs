//! Trying an asset: the passages nearest to a text, by their vectors and by their words.

use std::collections::HashMap;

use es_core::Client;
use es_serving::embedding::{Purpose, TextVector};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::passages::{PARENT, PASSAGE, TEXT, VECTOR};
use super::{Embedding, model};
use crate::error::{Error, Result};
use crate::kinds::Subject;
use crate::kinds::registered::INPUT;
use crate::store::generation;

/// The constant of reciprocal rank fusion: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms
/// Condorcet and individual Rank Learning Methods", SIGIR 2009.
const RANK_CONSTANT: f64 = 60.0;

/// The hits of each list that are fused, for each one that is shown.
const WINDOW: usize = 5;

/// The candidates of each shard, for each hit.
const CANDIDATES: usize = 10;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// The words.
    pub text: &'a str,
    /// The number of passages to find.
    pub hits: usize,
    /// Passages are found by their words as well, and both lists are fused.
    pub is_hybrid: bool,
}

/// A passage that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// Its place in the result, from 1.
    pub rank: usize,
    /// Its score: that of the search, or of the fusion.
    pub score: f64,
    /// The id of the passage.
    pub id: String,
    /// The id of its document.
    pub parent: String,
    /// Its number in the document.
    pub passage: u64,
    /// Its text.
    pub text: String,
    /// Its place among the nearest vectors.
    pub vector_rank: Option<usize>,
    /// Its place among those with the words.
    pub word_rank: Option<usize>,
}

/// Finds passages. The text is embedded by the version of the model that made what is published.
///
/// # Errors
/// When nothing is published, the model cannot embed the text, or Elasticsearch cannot search.
pub async fn search(asset: &Subject<'_, Embedding>, client: &Client, question: Question<'_>) -> Result<Vec<Hit>> {
    let project = asset.project;
    let generations = generation::list_asset(client, &project.prefix, project.pipeline.name(), asset.name).await?;
    let published = generations.iter().find(|one| one.is_published);
    let complete = published.and_then(|one| one.meta.complete.as_ref());
    let Some(version) = complete.and_then(|complete| complete.inputs.get(INPUT)) else {
        let help = format!("`orchestrator run +{}` makes and publishes its passages", asset.name);
        return Err(Error::failed(format!("nothing is published of `{}`", asset.name)).with_help(Some(help)));
    };
    let chosen = model::of_published(asset, client, version).await?;
    let embedder = chosen.open(project, asset.definition).await?;
    let embedded = embedder.embed(&[question.text], Purpose::Query).await?;
    let vector = match embedded.iter().next() {
        Some(TextVector::Vector(vector)) => vector,
        Some(TextVector::Rejected(reason) | TextVector::Unknown(reason)) => {
            return Err(Error::failed(format!("the text has no vector: {reason}")));
        }
        None => return Err(Error::failed("the text has no vector")),
    };
    let index = project.alias(asset.name);
    let window = if question.is_hybrid { question.hits.saturating_mul(WINDOW) } else { question.hits };
    let nearest = json!({
        "knn": {
            "field": VECTOR, "query_vector": vector, "k": window,
            "num_candidates": window.saturating_mul(CANDIDATES).clamp(100, 10_000),
        },
        "size": window, "_source": [PARENT, PASSAGE, TEXT],
    });
    let nearest = client.search(&index, &nearest).await?.hits()?;
    if !question.is_hybrid {
        return Ok(ranked(nearest, question.hits));
    }
    let words = json!({
        "query": { "match": { TEXT: question.text } }, "size": window, "_source": [PARENT, PASSAGE, TEXT],
    });
    Ok(fused(nearest, client.search(&index, &words).await?.hits()?, question.hits))
}

#[derive(Clone, Debug, Deserialize)]
struct Found {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_score")]
    score: f64,
    #[serde(rename = "_source")]
    source: Source,
}

#[derive(Clone, Debug, Deserialize)]
struct Source {
    parent: String,
    passage: u64,
    text: String,
}

impl Found {
    fn into_hit(self, vector_rank: Option<usize>, word_rank: Option<usize>) -> Hit {
        let Source { parent, passage, text } = self.source;
        Hit { rank: 0, score: self.score, id: self.id, parent, passage, text, vector_rank, word_rank }
    }
}

fn ranked(nearest: Vec<Found>, hits: usize) -> Vec<Hit> {
    let hit = |(rank, found): (usize, Found)| Hit { rank, ..found.into_hit(Some(rank), None) };
    (1..).zip(nearest).take(hits).map(hit).collect()
}

/// Fuses two lists by the sum of the reciprocals of their ranks.
fn fused(nearest: Vec<Found>, by_words: Vec<Found>, most: usize) -> Vec<Hit> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut hits: Vec<Hit> = Vec::new();
    for (rank, found) in (1..).zip(nearest) {
        places.insert(found.id.clone(), hits.len());
        hits.push(found.into_hit(Some(rank), None));
    }
    for (rank, found) in (1..).zip(by_words) {
        match places.get(&found.id) {
            Some(place) => hits[*place].word_rank = Some(rank),
            None => hits.push(found.into_hit(None, Some(rank))),
        }
    }
    for hit in &mut hits {
        let reciprocal = |rank: Option<usize>| rank.map_or(0.0, |rank| 1.0 / (RANK_CONSTANT + rank as f64));
        hit.score = reciprocal(hit.vector_rank) + reciprocal(hit.word_rank);
    }
    hits.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| one.id.cmp(&other.id)));
    hits.truncate(most);
    (1..).zip(&mut hits).for_each(|(rank, hit)| hit.rank = rank);
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(ids: &[&str]) -> Vec<Found> {
        let found = |id: &&str| Found {
            id: (*id).to_owned(),
            score: 9.0,
            source: Source { parent: (*id).to_owned(), passage: 0, text: String::new() },
        };
        ids.iter().map(found).collect()
    }

    #[test]
    fn lists_are_fused_by_reciprocal_ranks() {
        let hits = fused(list(&["a", "b", "c"]), list(&["c", "d", "a"]), 3);
        let found: Vec<(&str, usize, Option<usize>, Option<usize>)> =
            hits.iter().map(|hit| (hit.id.as_str(), hit.rank, hit.vector_rank, hit.word_rank)).collect();
        let expected = [("a", 1, Some(1), Some(3)), ("c", 2, Some(3), Some(1)), ("b", 3, Some(2), None)];
        assert_eq!(found, expected);
        assert!((hits[0].score - (1.0 / 61.0 + 1.0 / 63.0)).abs() < 1e-15);
    }
}
