//! Generations: the physical indices of an asset, and how one of them becomes what readers
//! see.
//!
//! A generation is written under a name of its own, checked, and only then published: one
//! alias update points readers to it and away from the one before. What it was made of
//! stands in its mapping's `_meta`.

use std::collections::BTreeMap;

use es_assets::{Fingerprint, Inputs, PartitionKey, Published};
use es_core::{AliasAction, ChangeKind, Client, ErrorKind, IndexDescription, Mapping, NewIndex};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tracing::{debug, info};

use crate::error::{Error, Result};

/// The key of what this program notes in `_meta`.
const META: &str = "orchestrator";

/// The maximum number of retries of publishing when another run changes the same part meanwhile.
const PUBLISH_TRIES: u32 = 5;

/// The identity and the origin of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationMeta {
    /// The pipeline.
    pub pipeline: String,
    /// The asset.
    pub asset: String,
    /// The partition, of an asset that has partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionKey>,
    /// The definition.
    pub fingerprint: Fingerprint,
    /// The run that wrote it.
    pub run: String,
    /// The fencing number of the lease that it was written under.
    #[serde(default)]
    pub fence: u64,
    /// The facts that are known once everything is written and checked; only then may it be published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<Completion>,
}

/// The facts about a generation that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The versions of what it was made of.
    pub inputs: Inputs,
    /// The version of its content.
    pub version: String,
    /// Its documents.
    pub rows: u64,
    /// The files that it was made of, as they looked from outside, so that they need not
    /// be read again while they look the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<es_bulk::files::FileIdentity>,
}

/// A generation that exists.
#[derive(Clone, Debug)]
pub struct Generation {
    /// The index.
    pub index: String,
    /// The notes in its mapping.
    pub meta: GenerationMeta,
    /// Readers see it.
    pub is_published: bool,
    /// Its mapping, without what is noted in it.
    pub mapping: Mapping,
    /// Its settings.
    pub settings: Map<String, Value>,
}

impl Generation {
    /// The generation that an index is; `None` for one that this program did not make.
    pub fn of(index: IndexDescription, prefix: &str) -> Option<Self> {
        let meta: GenerationMeta = serde_json::from_value(index.mapping.meta.get(META)?.clone()).ok()?;
        let alias = format!("{prefix}{}", meta.asset);
        let is_published = meta.complete.is_some() && index.aliases.contains(&alias);
        Some(Self { index: index.name, meta, is_published, mapping: index.mapping, settings: index.settings })
    }

    /// The generation as the plan knows it, once it is complete.
    pub fn published(&self) -> Option<Published> {
        let complete = self.meta.complete.as_ref()?;
        Some(Published {
            fingerprint: self.meta.fingerprint.clone(),
            inputs: complete.inputs.clone(),
            version: complete.version.clone(),
            generation: Some(self.index.clone()),
            rows: Some(complete.rows),
        })
    }

    /// The number at the end of its name.
    fn number(&self) -> u32 {
        self.index.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

/// All generations of a pipeline.
///
/// # Errors
/// When Elasticsearch cannot be asked.
pub async fn list(client: &Client, prefix: &str, pipeline: &str) -> Result<Vec<Generation>> {
    describe(client, prefix, &format!("{prefix}*"), pipeline).await
}

/// The generations of one asset.
///
/// # Errors
/// When Elasticsearch cannot be asked.
pub async fn list_asset(client: &Client, prefix: &str, pipeline: &str, asset: &str) -> Result<Vec<Generation>> {
    let mut found = describe(client, prefix, &format!("{prefix}{asset}-*"), pipeline).await?;
    found.retain(|generation| generation.meta.asset == asset);
    Ok(found)
}

async fn describe(client: &Client, prefix: &str, pattern: &str, pipeline: &str) -> Result<Vec<Generation>> {
    let indices = client.indices().describe(pattern).await?;
    Ok(indices
        .into_iter()
        .filter_map(|index| Generation::of(index, prefix))
        .filter(|generation| generation.meta.pipeline == pipeline)
        .collect())
}

/// The name without its number: `flights-departures-2013-01`.
fn base_name(prefix: &str, asset: &str, partition: Option<&PartitionKey>) -> String {
    match partition {
        Some(partition) => format!("{prefix}{asset}-{}", partition.index_name_part()),
        None => format!("{prefix}{asset}"),
    }
}

/// Creates the index of a new generation. The server gives a name to one writer alone, so
/// two runs never write to the same index.
///
/// # Errors
/// When the mapping or a setting is refused, or Elasticsearch cannot be asked.
pub async fn create(
    client: &Client,
    prefix: &str,
    meta: &GenerationMeta,
    mut index: NewIndex,
    existing: &[Generation],
) -> Result<String, Error> {
    let base = base_name(prefix, &meta.asset, meta.partition.as_ref());
    index.mapping.meta.insert(META.to_owned(), json!(meta));
    let newest =
        existing.iter().filter(|generation| is_same_part(&generation.meta, meta)).map(Generation::number).max();
    let mut number = newest.unwrap_or(0) + 1;
    loop {
        let name = format!("{base}-{number:06}");
        match client.indices().create(&name, &index).await {
            Ok(()) => {
                debug!(index = name, "created");
                return Ok(name);
            }
            Err(error) if error.kind() == ErrorKind::Conflict => number += 1,
            Err(error) => {
                let failure = Error::from(error).within(&format!("the index {name} cannot be created"));
                return Err(failure.with_help(Some("check `index.mappings` and `index.settings` of the asset")));
            }
        }
    }
}

fn is_same_part(one: &GenerationMeta, other: &GenerationMeta) -> bool {
    one.asset == other.asset && one.partition == other.partition
}

/// The unfinished generations of a part, the newest first. Whoever holds the lease of the part knows
/// that nobody writes them any more.
pub fn unfinished<'a>(existing: &'a [Generation], part: &GenerationMeta) -> Vec<&'a Generation> {
    let is_left = |generation: &&Generation| is_same_part(&generation.meta, part) && generation.meta.complete.is_none();
    let mut left: Vec<&Generation> = existing.iter().filter(is_left).collect();
    left.sort_by_key(|generation| std::cmp::Reverse(generation.number()));
    left
}

/// Notes what a generation is, and when it is whole, what it was made of.
///
/// # Errors
/// When Elasticsearch cannot be asked.
pub async fn complete(client: &Client, index: &str, meta: &GenerationMeta) -> Result<(), Error> {
    let mut mapping = Mapping::default();
    mapping.meta.insert(META.to_owned(), json!(meta));
    Ok(client.indices().put_mapping(index, &mapping).await?)
}

/// Points readers to a generation and away from the others of its part, in one step. Of two
/// runs that publish the same part at the same moment, the newer generation stays.
///
/// # Errors
/// When an index that is not this pipeline's has the alias' name or bears the alias.
pub async fn publish(client: &Client, prefix: &str, index: &str, meta: &GenerationMeta) -> Result<(), Error> {
    let alias = format!("{prefix}{}", meta.asset);
    let mut tries = 0;
    loop {
        let mut actions = vec![AliasAction::Add { index: index.to_owned(), alias: alias.clone() }];
        for other in list_part(client, prefix, meta).await? {
            if other.index != index {
                actions.push(AliasAction::Remove { index: other.index, alias: alias.clone() });
            }
        }
        match client.indices().update_aliases(&actions).await {
            Ok(()) => break,
            // A run beside this one has removed a superseded generation since the list.
            Err(error) if error.kind() == ErrorKind::NotFound && tries < PUBLISH_TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
    // A run beside this one may have published the same part between the list and the
    // update. Each run looks again after its own update, so that the last one sees both, and
    // all come to the same end: the newest stays.
    let now = list_part(client, prefix, meta).await?;
    let rivals: Vec<&Generation> = now.iter().filter(|other| other.is_published).collect();
    let newest = rivals.iter().map(|rival| rival.number()).max();
    let older: Vec<AliasAction> = rivals
        .iter()
        .filter(|rival| Some(rival.number()) < newest)
        .map(|rival| AliasAction::Remove { index: rival.index.clone(), alias: alias.clone() })
        .collect();
    if !older.is_empty() {
        match client.indices().update_aliases(&older).await {
            // The other run has removed it already.
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    info!(index, alias, "published");
    Ok(())
}

/// Takes a part of an asset away from readers.
///
/// # Errors
/// When Elasticsearch cannot be asked.
pub async fn retire(client: &Client, prefix: &str, generation: &Generation) -> Result<(), Error> {
    let alias = format!("{prefix}{}", generation.meta.asset);
    let action = AliasAction::Remove { index: generation.index.clone(), alias };
    Ok(client.indices().update_aliases(&[action]).await?)
}

/// Removes, by exact name, what nobody needs of a part: superseded generations beyond the newest
/// `keep`, and unfinished ones, except those that `is_wanted` keeps. Only the holder of the part's
/// lease may call it.
///
/// # Errors
/// When Elasticsearch cannot be asked.
pub async fn clean_up(
    client: &Client,
    of_part: &[Generation],
    keep: usize,
    is_wanted: impl Fn(&Generation) -> bool,
) -> Result<Vec<String>> {
    let needless = needless(of_part, keep, is_wanted);
    remove(client, &needless).await?;
    Ok(needless)
}

/// The generations of the part that `meta` is of.
///
/// # Errors
/// When Elasticsearch cannot be asked.
pub async fn list_part(client: &Client, prefix: &str, meta: &GenerationMeta) -> Result<Vec<Generation>> {
    let base = base_name(prefix, &meta.asset, meta.partition.as_ref());
    let found = describe(client, prefix, &format!("{base}-*"), &meta.pipeline).await?;
    Ok(found.into_iter().filter(|generation| is_same_part(&generation.meta, meta)).collect())
}

/// The generations by part, of those parts that hold something nobody needs.
pub fn parts_to_clean(
    generations: &[Generation],
    keep: usize,
    is_wanted: impl Fn(&Generation) -> bool + Copy,
) -> Vec<GenerationMeta> {
    let mut parts: BTreeMap<(&str, Option<&PartitionKey>), Vec<Generation>> = BTreeMap::new();
    for generation in generations {
        let part = (generation.meta.asset.as_str(), generation.meta.partition.as_ref());
        parts.entry(part).or_default().push(generation.clone());
    }
    let has_needless = |of_part: &Vec<Generation>| !needless(of_part, keep, is_wanted).is_empty();
    parts.into_values().filter(has_needless).filter_map(|of_part| Some(of_part.first()?.meta.clone())).collect()
}

async fn remove(client: &Client, indices: &[String]) -> Result<(), Error> {
    for index in indices {
        match client.indices().delete(index).await {
            Ok(()) => debug!(index, "removed"),
            // Another run was quicker.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The generations of one part that can go.
fn needless(of_part: &[Generation], keep: usize, is_wanted: impl Fn(&Generation) -> bool) -> Vec<String> {
    let is_superseded = |generation: &&Generation| generation.meta.complete.is_some() && !generation.is_published;
    let mut superseded: Vec<&Generation> = of_part.iter().filter(is_superseded).collect();
    superseded.sort_by_key(|generation| std::cmp::Reverse(generation.number()));
    let unfinished = of_part.iter().filter(|generation| generation.meta.complete.is_none() && !is_wanted(generation));
    superseded.into_iter().skip(keep).chain(unfinished).map(|generation| generation.index.clone()).collect()
}

/// Refuses names that are taken by what this program did not make: an index where the alias
/// should be, or foreign indices behind the alias.
///
/// # Errors
/// Names the index, and how its mapping differs from the wanted one where that is known.
pub async fn refuse_foreign(
    client: &Client,
    alias: &str,
    ours: &[Generation],
    wanted: Option<&Mapping>,
) -> Result<(), Error> {
    for index in client.indices().describe(alias).await? {
        if ours.iter().any(|generation| generation.index == index.name) {
            continue;
        }
        let taken = if index.name == alias {
            format!("an index named {alias} exists already, which this pipeline did not make")
        } else {
            format!("the alias {alias} points to {}, which this pipeline did not make", index.name)
        };
        let differs = wanted.and_then(|wanted| {
            let changes = index.mapping.diff(wanted).changes;
            // A field of another type says more than one that is not there yet.
            let telling = changes.iter().find(|change| change.kind == ChangeKind::Reindex);
            telling.or(changes.first()).map(ToString::to_string)
        });
        let message = match differs {
            Some(change) => format!("{taken}, and its mapping is another one: {change}"),
            None => taken,
        };
        return Err(Error::failed(message)
            .with_help(Some("nothing was changed: rename or remove it, or choose another `cluster.index_prefix`")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(number: u32, complete: bool, is_published: bool) -> Generation {
        let completion = Completion { inputs: Inputs::new(), version: String::new(), rows: 0, files: vec![] };
        Generation {
            index: format!("p-a-2013-01-{number:06}"),
            meta: GenerationMeta {
                pipeline: "p".into(),
                asset: "a".into(),
                partition: None,
                fingerprint: Fingerprint::default(),
                run: String::new(),
                fence: 1,
                complete: complete.then_some(completion),
            },
            is_published,
            mapping: Mapping::default(),
            settings: Map::new(),
        }
    }

    #[test]
    fn superseded_and_unfinished_generations_go_and_nothing_else() {
        let all = [
            generation(1, true, false),
            generation(2, true, false),
            generation(3, false, false),
            generation(4, true, true),
            generation(5, false, false),
            generation(10, true, false),
        ];
        let names = |keep, wanted: &[u32]| -> Vec<u32> {
            let gone = needless(&all, keep, |generation| wanted.contains(&generation.number()));
            all.iter().filter(|generation| gone.contains(&generation.index)).map(Generation::number).collect()
        };
        assert_eq!(names(1, &[]), [1, 2, 3, 5]);
        assert_eq!(names(0, &[]), [1, 2, 3, 5, 10]);
        assert_eq!(names(9, &[]), [3, 5]);
        assert_eq!(names(9, &[5]), [3], "a load that can be resumed is kept");
    }
}
