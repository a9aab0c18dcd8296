//! The rows that an asset scores, and its parts, which divide them by their time.

use std::collections::BTreeMap;

use es_assets::{PartitionKey, Partitions};
use es_core::Client;
use es_values::Query;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Inference;
use crate::error::Result;
use crate::kinds::Work;

/// The rows that an asset scores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    filter: Option<&'a Query>,
    time: Option<&'a str>,
    partitions: Option<&'a Partitions>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(inference: &'a Inference) -> Self {
        Self {
            filter: inference.filter.as_ref(),
            time: inference.time.as_deref(),
            partitions: inference.partitions.as_ref(),
        }
    }

    /// The parts of the asset.
    pub(super) fn parts(&self, now: Timestamp) -> Result<Vec<Option<PartitionKey>>> {
        Ok(match self.partitions {
            None => vec![None],
            Some(partitions) => partitions.declared(now)?.into_iter().map(|part| Some(part.key)).collect(),
        })
    }

    /// The query for the rows of the part that a step is about; none for all rows.
    pub(super) fn query(&self, work: &Work<'_>) -> Result<Option<Value>> {
        let mut filters: Vec<Value> = self.filter.iter().map(|filter| filter.to_value()).collect();
        if let (Some(partitions), Some(key), Some(time)) = (self.partitions, work.partition, self.time)
            && let Some(part) = partitions.declared(work.now)?.into_iter().find(|part| part.key == *key)
        {
            let within = json!({ "gte": part.start.to_string(), "lt": part.end.to_string() });
            filters.push(json!({ "range": { time: within } }));
        }
        Ok((!filters.is_empty()).then(|| json!({ "bool": { "filter": filters } })))
    }

    /// The number of rows of an asset without partitions.
    pub(super) async fn count(
        &self,
        client: &Client,
        index: &str,
    ) -> Result<Option<BTreeMap<Option<PartitionKey>, u64>>> {
        if self.partitions.is_some() {
            return Ok(None);
        }
        let query = self.filter.map_or_else(|| json!({ "match_all": {} }), Query::to_value);
        Ok(Some(BTreeMap::from([(None, client.indices().count_matching(index, &query).await?)])))
    }
}
