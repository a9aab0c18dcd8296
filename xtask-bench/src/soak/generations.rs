//! The generations of a partitioned asset, as the cluster has them.
//!
//! A generation is an index `{prefix}{asset}-{partition}-{number}`. It is published if the alias
//! `{prefix}{asset}` points to it; its mapping's `_meta` says if it is complete.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Map, Value};
use xtask::http::Client;

/// The names of the indices of an asset, by their state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Generations {
    /// The published ones of each partition.
    published: BTreeMap<String, Vec<String>>,
    /// The complete ones of each partition that are not published.
    superseded: BTreeMap<String, Vec<String>>,
    /// The incomplete ones.
    unfinished: Vec<String>,
}

impl Generations {
    /// Reads the generations of the asset with this alias.
    pub(super) fn read(client: &Client, alias: &str) -> Result<Self> {
        Ok(Self::parse(alias, &client.get_ok(&format!("/{alias}-*?expand_wildcards=all"))?))
    }

    fn parse(alias: &str, indices: &Value) -> Self {
        let mut generations = Self::default();
        for (name, index) in indices.as_object().into_iter().flat_map(Map::iter) {
            let part = name.strip_prefix(alias).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name);
            let partition = part.rsplit_once('-').map_or(part, |(partition, _)| partition).to_owned();
            let is_complete = !index["mappings"]["_meta"]["orchestrator"]["complete"].is_null();
            if !index["aliases"][alias].is_null() {
                generations.published.entry(partition).or_default().push(name.clone());
            } else if is_complete {
                generations.superseded.entry(partition).or_default().push(name.clone());
            } else {
                generations.unfinished.push(name.clone());
            }
        }
        generations
    }

    /// The number of published, superseded and unfinished generations.
    pub(super) fn counts(&self) -> [usize; 3] {
        let sum = |of: &BTreeMap<String, Vec<String>>| of.values().map(Vec::len).sum();
        [sum(&self.published), sum(&self.superseded), self.unfinished.len()]
    }

    /// The deviations from one published generation for each of `partitions`, at most `keep` superseded
    /// ones, and none that is unfinished.
    pub(super) fn problems(&self, partitions: usize, keep: usize) -> Vec<String> {
        let mut problems = Vec::new();
        if self.published.len() != partitions {
            problems.push(format!("{} of {partitions} partitions are published", self.published.len()));
        }
        for (partition, names) in self.published.iter().filter(|(_, names)| names.len() > 1) {
            problems.push(format!("{partition} is published {} times: {}", names.len(), names.join(", ")));
        }
        for (partition, names) in self.superseded.iter().filter(|(_, names)| names.len() > keep) {
            problems.push(format!("{partition} has more than {keep} superseded generations: {}", names.join(", ")));
        }
        if !self.unfinished.is_empty() {
            problems.push(format!("unfinished generations remain: {}", self.unfinished.join(", ")));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn index(published: bool, complete: bool) -> Value {
        let complete = if complete { json!({ "rows": 1 }) } else { Value::Null };
        json!({
            "aliases": if published { json!({ "p-a": {} }) } else { json!({}) },
            "mappings": { "_meta": { "orchestrator": { "complete": complete } } },
        })
    }

    #[test]
    fn one_published_generation_of_each_partition_is_no_problem() {
        let indices = json!({
            "p-a-2013-01-000001": index(true, true),
            "p-a-2013-02-000001": index(false, true),
            "p-a-2013-02-000002": index(true, true),
        });
        let generations = Generations::parse("p-a", &indices);
        assert_eq!(generations.counts(), [2, 1, 0]);
        assert_eq!(generations.problems(2, 1), Vec::<String>::new());
    }

    #[test]
    fn every_deviation_is_named() {
        let indices = json!({
            "p-a-2013-01-000001": index(true, true),
            "p-a-2013-01-000002": index(true, true),
            "p-a-2013-02-000001": index(false, true),
            "p-a-2013-02-000002": index(false, true),
            "p-a-2013-03-000001": index(false, false),
        });
        let generations = Generations::parse("p-a", &indices);
        assert_eq!(generations.counts(), [2, 2, 1]);
        assert_eq!(
            generations.problems(3, 1),
            [
                "1 of 3 partitions are published",
                "2013-01 is published 2 times: p-a-2013-01-000001, p-a-2013-01-000002",
                "2013-02 has more than 1 superseded generations: p-a-2013-02-000001, p-a-2013-02-000002",
                "unfinished generations remain: p-a-2013-03-000001"
            ]
        );
    }
}
