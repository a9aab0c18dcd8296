//! The ingest pipeline of an index: created before the index that it is attached to, and removed after the last one.

use es_core::{Client, IndexSettings};
use es_serving::ingest_pipeline::{ATTACHED_BY, IngestPipeline, IngestPipelines, PipelineName, Removal};
use serde_json::{Map, Value, json};
use tracing::{info, warn};

use crate::error::Result;
use crate::kinds::Work;
use crate::store::generation::{self, Generation};

/// Creates the pipeline of the asset, unless it is there, and adds it to the settings of a new index.
pub(super) async fn attach(
    work: &Work<'_>,
    pipeline: &IngestPipeline,
    settings: &mut Map<String, Value>,
) -> Result<()> {
    let pipelines = IngestPipelines::new(work.client.clone(), &work.project.prefix);
    let name = pipelines.ensure(work.asset, pipeline).await?;
    settings.insert(ATTACHED_BY.to_owned(), json!(name.as_str()));
    Ok(())
}

/// Removes the pipelines of an asset that no generation has any more, if a generation of the part, before or
/// after it was cleaned up, had one. A pipeline that stays is removed by a later run.
pub async fn remove_pipelines(client: &Client, prefix: &str, of_part: &[Generation]) {
    let Some(meta) = of_part.iter().find(|one| attached(one).is_some()).map(|one| &one.meta) else { return };
    match remove_unused(client, prefix, &meta.pipeline, &meta.asset).await {
        Ok(removal) => removal.removed.iter().for_each(|name| info!(pipeline = name.as_str(), "removed")),
        Err(error) => warn!(asset = meta.asset, %error, "ingest pipelines that nothing uses are left"),
    }
}

async fn remove_unused(client: &Client, prefix: &str, pipeline: &str, asset: &str) -> Result<Removal> {
    let existing = generation::list_asset(client, prefix, pipeline, asset).await?;
    let used: Vec<PipelineName> = existing.iter().filter_map(attached).collect();
    Ok(IngestPipelines::new(client.clone(), prefix).remove_unused(asset, &used).await?)
}

fn attached(generation: &Generation) -> Option<PipelineName> {
    PipelineName::attached_to(&IndexSettings::from_map(&generation.settings))
}
