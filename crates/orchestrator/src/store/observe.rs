//! The published state: read from the generations, the history, and wherever a kind keeps its results,
//! in the terms of the plan.

use es_assets::{PartitionState, PerPartition};
use es_core::Client;
use jiff::Timestamp;

use super::generation::{self, Generation};
use super::history::{History, RunStatus, StepRecord};
use crate::error::Result;
use crate::kinds::Observation;
use crate::project::Project;

/// The state of a pipeline's assets, or of one of them.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// In the terms of the plan.
    pub states: PerPartition<PartitionState>,
    /// The generations, published or not.
    pub generations: Vec<Generation>,
    /// The newest success of each part.
    pub successes: Vec<StepRecord>,
}

/// Reads the state of a pipeline, and changes nothing.
pub struct Observer<'a> {
    /// The connection.
    pub client: &'a Client,
    /// The pipeline.
    pub project: &'a Project,
    /// The moment taken for the present.
    pub now: Timestamp,
}

impl Observer<'_> {
    fn history(&self) -> History {
        History::new(self.client.clone(), &self.project.prefix, self.project.pipeline.name())
    }

    /// Observes all assets.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked, or a result is damaged.
    pub async fn all(&self) -> Result<Observed> {
        let (prefix, pipeline) = (&self.project.prefix, &self.project.pipeline);
        let generations = generation::list(self.client, prefix, pipeline.name()).await?;
        let history = self.history();
        let (newest, successes) = (history.newest(None).await?, history.newest_successes(None).await?);
        let mut states = PerPartition::new();
        for (name, asset) in pipeline.assets() {
            let mine: Vec<Generation> =
                generations.iter().filter(|generation| generation.meta.asset == *name).cloned().collect();
            let succeeded: Vec<StepRecord> = of(&successes, name, asset.kind());
            let failures = of(&newest, name, asset.kind());
            self.add(&mut states, name, &mine, &succeeded, &failures).await?;
        }
        // An asset that was taken out of the file, and is still published.
        for generation in generations.iter().filter(|generation| generation.is_published) {
            let (asset, partition) = (&generation.meta.asset, generation.meta.partition.as_ref());
            if pipeline.asset(asset).is_none() || states.get(asset, partition).is_none() {
                let state = PartitionState { published: generation.published(), failure: None };
                states.insert(asset, partition.cloned(), state);
            }
        }
        Ok(Observed { states, generations, successes })
    }

    /// Observes one asset, as it is now.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked, or a result is damaged.
    pub async fn asset(&self, name: &str) -> Result<Observed> {
        let (prefix, pipeline) = (&self.project.prefix, &self.project.pipeline);
        let Some(asset) = pipeline.asset(name) else { return Ok(Observed::default()) };
        let mut states = PerPartition::new();
        let generations = generation::list_asset(self.client, prefix, pipeline.name(), name).await?;
        let history = self.history();
        let successes = of(&history.newest_successes(Some(name)).await?, name, asset.kind());
        let newest = of(&history.newest(Some(name)).await?, name, asset.kind());
        self.add(&mut states, name, &generations, &successes, &newest).await?;
        Ok(Observed { states, generations, successes })
    }

    async fn add(
        &self,
        states: &mut PerPartition<PartitionState>,
        name: &str,
        generations: &[Generation],
        successes: &[StepRecord],
        newest: &[StepRecord],
    ) -> Result<()> {
        let Some(asset) = self.project.pipeline.asset(name) else { return Ok(()) };
        let around = Observation { client: self.client, generations, successes, now: self.now };
        let kind = self.project.kinds.of(asset)?;
        for (partition, published) in kind.observe(self.project, name, asset, &around).await? {
            states.insert(name, partition, PartitionState { published: Some(published), failure: None });
        }
        for record in newest.iter().filter(|record| record.status == RunStatus::Failed) {
            let known = states.get(name, record.partition.as_ref()).cloned().unwrap_or_default();
            let failure = record.error.clone().or_else(|| Some("for an unknown reason".to_owned()));
            states.insert(name, record.partition.clone(), PartitionState { failure, ..known });
        }
        Ok(())
    }
}

/// The records of an asset, as far as they are of its present kind.
fn of(records: &[StepRecord], asset: &str, kind: &str) -> Vec<StepRecord> {
    records.iter().filter(|record| record.asset == asset && record.kind == kind).cloned().collect()
}
