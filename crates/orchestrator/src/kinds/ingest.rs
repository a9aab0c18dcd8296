//! `ingest`: files into an index.

use std::collections::BTreeMap;
use std::sync::Arc;

use es_assets::{Fingerprint, Ingest, Inputs, PartitionKey, PerPartition, Pipeline};
use es_frame::VectorForm;
use futures::StreamExt as _;

use super::Done;
use super::files::{Depth, Files, Survey};
use super::generation::{NewGeneration, write};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::feed;
use crate::project::Project;
use crate::settings::batch_limits;
use crate::store::generation::Generation;
use crate::store::loads::Reached;
use crate::terminal::reporter::StepProgress;

/// The name of the files among the inputs of a part.
const INPUT: &str = "files";

/// The files of every selected `ingest` asset, looked at as closely as the plan needs.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// By asset.
    pub files: BTreeMap<String, Arc<Files>>,
    /// By asset, where files were read.
    pub surveys: BTreeMap<String, Survey>,
    /// The versions of the files, by part.
    pub external: PerPartition<Inputs>,
}

impl Prepared {
    /// How many rows a part will have, where that is known.
    pub fn rows(&self, asset: &str, partition: Option<&PartitionKey>) -> Option<u64> {
        let survey = self.surveys.get(asset)?;
        Some(survey.rows.get(&partition.cloned()).copied().unwrap_or(0))
    }
}

/// Looks at the files of the selected assets. Files that look as they did when they were
/// loaded are not read.
///
/// # Errors
/// When files are missing or damaged, or do not fit the definition.
pub async fn prepare(
    project: Arc<Project>,
    selected: &[&str],
    generations: &[Generation],
    now: jiff::Timestamp,
) -> Result<Prepared, Failure> {
    let mut prepared = Prepared::default();
    for name in selected {
        let Some(ingest) = ingest_of(&project.pipeline, name) else { continue };
        let published: Vec<Generation> = generations
            .iter()
            .filter(|generation| generation.is_published && generation.meta.asset == *name)
            .cloned()
            .collect();
        let (project, ingest, name) = (project.clone(), ingest.clone(), (*name).to_owned());
        let fingerprint = project.pipeline.asset(&name).map(Fingerprint::of).unwrap_or_default();
        let asset = name.clone();
        let looked =
            tokio::task::spawn_blocking(move || look(&project, &asset, &ingest, &fingerprint, &published, now));
        let (files, survey, external) = looked
            .await
            .map_err(|error| Failure::new(Exit::Failed, format!("reading the files of {name} failed: {error}")))??;
        for (partition, inputs) in external {
            prepared.external.insert(&name, partition, inputs);
        }
        prepared.surveys.extend(survey.map(|survey| (name.clone(), survey)));
        prepared.files.insert(name, Arc::new(files));
    }
    Ok(prepared)
}

/// The definition of an asset that is an `ingest`.
pub fn ingest_of<'a>(pipeline: &'a Pipeline, name: &str) -> Option<&'a Ingest> {
    match &pipeline.asset(name)?.spec {
        es_assets::AssetSpec::Ingest(ingest) => Some(ingest),
        _ => None,
    }
}

type Versions = BTreeMap<Option<PartitionKey>, Inputs>;

fn look(
    project: &Project,
    asset: &str,
    ingest: &Ingest,
    fingerprint: &Fingerprint,
    published: &[Generation],
    now: jiff::Timestamp,
) -> Result<(Files, Option<Survey>, Versions), Failure> {
    let files = Files::find(project, asset, ingest, now)?;
    let known = published.iter().filter_map(|generation| {
        let complete = generation.meta.complete.as_ref()?;
        Some((generation.meta.partition.clone(), complete))
    });
    let recorded: Versions = known.clone().map(|(part, complete)| (part, complete.inputs.clone())).collect();
    let declared: Vec<Option<PartitionKey>> = match &ingest.partitions {
        Some(partitions) => partitions.declared(now)?.into_iter().map(|partition| Some(partition.key)).collect(),
        None => vec![None],
    };
    let looks_the_same = known.clone().all(|(_, complete)| complete.files == files.identities);
    let all_published = declared.iter().all(|part| recorded.contains_key(part));
    if all_published && looks_the_same {
        return Ok((files, None, recorded));
    }
    // Where the definition itself has changed, or nothing is published, all is made anew
    // whatever the files hold, and counting the rows is enough.
    let unchanged_definition =
        published.iter().any(|generation| fingerprint.changes_since(&generation.meta.fingerprint).rebuild.is_empty());
    let depth = if looks_the_same || !unchanged_definition { Depth::Rows } else { Depth::Content };
    let survey = files.survey(depth)?;
    files.check_places(project, &survey)?;
    let versions = match depth {
        Depth::Rows => recorded,
        Depth::Content => declared
            .into_iter()
            .map(|part| {
                let content = survey.content.get(&part).copied().unwrap_or_default();
                (part, version(&content.to_string()))
            })
            .collect(),
    };
    Ok((files, Some(survey), versions))
}

fn version(content: &str) -> Inputs {
    Inputs::from([(INPUT.to_owned(), content.to_owned())])
}

/// Makes one part anew.
///
/// # Errors
/// See [`write()`].
pub async fn build(
    context: &Context,
    asset: &str,
    ingest: &Ingest,
    files: Arc<Files>,
    partition: Option<&PartitionKey>,
    fingerprint: Fingerprint,
    progress: StepProgress,
) -> Result<Done, Failure> {
    let new = NewGeneration {
        asset,
        partition,
        fingerprint,
        mapping: files.mapping.clone(),
        settings: ingest.index.flat_settings(),
        id: files.id(),
        checks: &ingest.checks,
        files: files.identities.clone(),
    };
    let limits = batch_limits(&context.project.settings.bulk);
    let (reading, part) = (files.clone(), partition.cloned());
    let spans = context.prepared.surveys.get(asset).and_then(|survey| survey.spans(partition)).cloned();
    let vectors = VectorForm::best_for(context.client.info().version);
    let mut reader = None;
    let batches = |from: &Reached| {
        let from = from.clone();
        let (batches, thread) = feed::in_background(move |outlet| {
            reading.batches(part.as_ref(), spans.as_ref(), vectors, limits, &from, outlet)
        });
        reader = Some(thread);
        batches.boxed()
    };
    let inputs = |content: &str| {
        let inputs = version(content);
        context.known.lock().external.insert(asset, partition.cloned(), inputs);
        context.inputs(asset, partition)
    };
    let done = write(context, new, batches, inputs, progress).await;
    if let Some(reader) = reader {
        feed::ended(reader, asset).await?;
    }
    done
}
