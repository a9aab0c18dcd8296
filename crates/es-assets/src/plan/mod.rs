//! The plan: what a run would do, and why. A pure function of the pipeline, of what is
//! published, and of the versions of what it is made of.

mod reason;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::asset::Asset;
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::kind::{Output, Takes};
use crate::parse::Pipeline;
use crate::partition::{Partition, PartitionFilter, PartitionKey};

pub use reason::Reason;
pub use state::{Inputs, PartitionState, PerPartition, Published};

/// The input of a plan.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// The assets to bring up to date. Others are taken as they are.
    pub selected: &'a [&'a str],
    /// Which partitions to bring up to date, of assets that have them.
    pub partitions: &'a PartitionFilter,
    /// Rebuild everything selected, up to date or not.
    pub full_refresh: bool,
    /// The state of each asset and partition.
    pub observed: &'a PerPartition<PartitionState>,
    /// The versions of what lies outside the pipeline, such as files, by the asset and
    /// partition that is made of it.
    pub external: &'a PerPartition<Inputs>,
    /// The present moment.
    pub now: Timestamp,
}

/// The steps that a run would do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The steps for each selected asset and partition, each after those it depends on. A part that is
    /// up to date has a step too, with [`Action::Unchanged`].
    pub steps: Vec<Step>,
    /// Selected assets that need another which is neither published nor part of the plan.
    pub unmet: Vec<Unmet>,
    /// Assets of which something is published, and which the pipeline no longer has.
    pub removed: Vec<String>,
}

/// The work on one asset or partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The asset.
    pub asset: String,
    /// The partition, of an asset that has partitions.
    pub partition: Option<PartitionKey>,
    /// The work.
    pub action: Action,
}

/// The kinds of work on an asset or partition.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Make it anew, check it, and publish it.
    Build {
        /// Why.
        reasons: Vec<Reason>,
    },
    /// Compare the windows of a monitor.
    Evaluate {
        /// Why.
        reasons: Vec<Reason>,
    },
    /// Change settings of the published index.
    UpdateInPlace {
        /// The names of the settings, without `index.`.
        settings: Vec<String>,
    },
    /// Run the checks on what is published.
    Recheck,
    /// Take it away from readers: the pipeline no longer declares it.
    Retire,
    /// Nothing: it is up to date.
    Unchanged,
}

impl Action {
    /// Returns whether readers of the asset may find other documents after it.
    #[must_use]
    pub fn changes_content(&self) -> bool {
        matches!(self, Self::Build { .. } | Self::Retire)
    }
}

/// A selected asset that needs another which is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The selected asset.
    pub asset: String,
    /// The asset that it needs.
    pub needs: String,
}

impl Plan {
    /// Returns whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending().next().is_none()
    }

    /// The steps that do something.
    pub fn pending(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action != Action::Unchanged)
    }

    /// The assets that something is done with, each once, in order.
    #[must_use]
    pub fn changed_assets(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for step in self.pending() {
            if names.last() != Some(&step.asset.as_str()) {
                names.push(&step.asset);
            }
        }
        names
    }
}

/// Plans a run.
///
/// # Errors
/// When the partitions that are asked for do not exist, or are too many.
pub fn plan(request: &PlanRequest<'_>) -> Result<Plan, Error> {
    let graph = request.pipeline.graph();
    let selected: BTreeSet<&str> = request.selected.iter().copied().collect();
    let mut plan = Plan::default();
    let mut changing: BTreeMap<&str, Vec<Option<PartitionKey>>> = BTreeMap::new();
    let order = graph.order();
    check_filter(request, &selected)?;
    for name in order.iter().copied().filter(|name| selected.contains(name)) {
        let Some(asset) = request.pipeline.asset(name) else { continue };
        let upstream: Vec<&str> = data_upstream(request.pipeline, asset).collect();
        for needed in &upstream {
            let is_published = request.observed.of(needed).any(|(_, state)| state.published.is_some());
            // What others write is there once it was evaluated.
            let is_planned = |step: &Step| {
                step.asset == *needed && matches!(step.action, Action::Build { .. } | Action::Evaluate { .. })
            };
            if !is_published && !plan.steps.iter().any(is_planned) {
                plan.unmet.push(Unmet { asset: name.to_owned(), needs: (*needed).to_owned() });
            }
        }
        let will_change = |part: Option<&PartitionKey>| {
            let reads = |needed: &str, other: &Option<PartitionKey>| {
                !is_divided_alike(request.pipeline, asset, needed) || part == other.as_ref()
            };
            let is_changing = |needed: &&str| {
                changing.get(needed).is_some_and(|parts| parts.iter().any(|other| reads(needed, other)))
            };
            upstream.iter().copied().filter(is_changing).map(str::to_owned).collect::<Vec<_>>()
        };
        let steps = asset_steps(request, name, asset, will_change)?;
        let changed = steps.iter().filter(|step| step.action.changes_content()).map(|step| step.partition.clone());
        let changed: Vec<Option<PartitionKey>> = changed.collect();
        if !changed.is_empty() {
            changing.insert(name, changed);
        }
        plan.steps.extend(steps);
    }
    plan.removed = request.observed.assets().filter(|name| !graph.contains(name)).map(str::to_owned).collect();
    Ok(plan)
}

/// A filter that leaves no selected asset with a partition is a mistake; one that leaves
/// some without is not.
fn check_filter(request: &PlanRequest<'_>, selected: &BTreeSet<&str>) -> Result<(), Error> {
    let mut first_error = None;
    for name in selected {
        let Some(partitions) = request.pipeline.asset(name).and_then(Asset::partitions) else { continue };
        match request.partitions.select(partitions, request.now) {
            Ok(_) => return Ok(()),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    first_error.map_or(Ok(()), Err)
}

/// The assets whose content goes into `asset`. One that only gives a verdict has no content: to
/// depend on it is to come after it.
fn data_upstream<'a>(pipeline: &'a Pipeline, asset: &Asset) -> impl Iterator<Item = &'a str> {
    let has_content = |asset: &Asset| asset.output() != Output::Verdict;
    let names = asset.upstream().into_iter();
    names.filter_map(move |name| {
        let (name, asset) = pipeline.assets().get_key_value(&name)?;
        has_content(asset).then_some(name.as_str())
    })
}

/// Returns whether a partition of an asset reads only the partition of the same key of another.
fn is_divided_alike(pipeline: &Pipeline, asset: &Asset, upstream: &str) -> bool {
    let Some(other) = pipeline.asset(upstream) else { return false };
    let mut references = asset.references().into_iter().filter(|reference| reference.asset == upstream).peekable();
    let takes_partition =
        references.peek().is_some() && references.all(|reference| reference.takes == Takes::DocumentsOfPartition);
    let (time, other_time) = (asset.definition().time(), other.definition().time());
    let divided = asset.partitions().zip(other.partitions()).is_some_and(|(one, other)| one.divide_like(other));
    takes_partition && divided && time.is_some() && time == other_time
}

fn asset_steps(
    request: &PlanRequest<'_>,
    name: &str,
    asset: &Asset,
    will_change: impl Fn(Option<&PartitionKey>) -> Vec<String>,
) -> Result<Vec<Step>, Error> {
    let definition = Fingerprint::of(asset);
    let parts = match asset.partitions() {
        None => Parts { declared: vec![None], to_do: vec![None] },
        Some(partitions) => {
            let key = |partition: Partition| Some(partition.key);
            let declared = partitions.declared(request.now)?.into_iter().map(key).collect();
            let to_do = match request.partitions.select(partitions, request.now) {
                Ok(chosen) => chosen.into_iter().map(key).collect(),
                // Another selected asset has such a partition, or `check_filter` had failed.
                Err(_) => Vec::new(),
            };
            Parts { declared, to_do }
        }
    };
    let mut steps = Vec::new();
    for part in &parts.to_do {
        let state = request.observed.get(name, part.as_ref());
        let inputs = inputs(request.pipeline, name, part.as_ref(), request.observed, request.external, request.now);
        let mut reasons = is_stale(state, &definition, &inputs);
        reasons.extend(will_change(part.as_ref()).into_iter().map(|asset| Reason::UpstreamWillChange { asset }));
        if request.full_refresh {
            reasons.push(Reason::Requested);
        }
        let step = |action| Step { asset: name.to_owned(), partition: part.clone(), action };
        if !reasons.is_empty() {
            steps.push(step(match asset.definition().is_evaluated() {
                true => Action::Evaluate { reasons },
                false => Action::Build { reasons },
            }));
            continue;
        }
        let published = state.and_then(|state| state.published.as_ref());
        let changes = published.map(|published| definition.changes_since(&published.fingerprint)).unwrap_or_default();
        let before = steps.len();
        if !changes.in_place.is_empty() {
            steps.push(step(Action::UpdateInPlace { settings: changes.in_place }));
        }
        if changes.recheck {
            steps.push(step(Action::Recheck));
        }
        if steps.len() == before {
            steps.push(step(Action::Unchanged));
        }
    }
    if *request.partitions == PartitionFilter::All {
        let published = request.observed.of(name).filter(|(_, state)| state.published.is_some());
        let undeclared = published.map(|(part, _)| part.cloned()).filter(|part| !parts.declared.contains(part));
        steps.extend(undeclared.map(|partition| Step { asset: name.to_owned(), partition, action: Action::Retire }));
    }
    Ok(steps)
}

/// The parts of an asset: its partitions, or the one part of an asset without any.
struct Parts {
    declared: Vec<Option<PartitionKey>>,
    to_do: Vec<Option<PartitionKey>>,
}

/// The versions of everything that an asset or partition is made of: external inputs
/// under their own names, each published part of another asset that it reads as `asset` or
/// `asset/partition`, and what follows from the present moment alone, as the kind says it.
///
/// This is what a run records when it has built the part, as
/// [`Published::inputs`]; taken at that time, and not when the run was planned.
#[must_use]
pub fn inputs(
    pipeline: &Pipeline,
    asset: &str,
    partition: Option<&PartitionKey>,
    observed: &PerPartition<PartitionState>,
    external: &PerPartition<Inputs>,
    now: Timestamp,
) -> Inputs {
    let mut inputs = external.get(asset, partition).cloned().unwrap_or_default();
    let Some(definition) = pipeline.asset(asset) else { return inputs };
    for upstream in data_upstream(pipeline, definition) {
        let is_divided_alike = is_divided_alike(pipeline, definition, upstream);
        for (part, state) in observed.of(upstream) {
            let Some(published) = &state.published else { continue };
            if is_divided_alike && part != partition {
                continue;
            }
            let name = match part {
                Some(part) => format!("{upstream}/{part}"),
                None => upstream.to_owned(),
            };
            inputs.insert(name, published.version.clone());
        }
    }
    inputs.extend(definition.definition().inputs_at(now));
    inputs
}

/// Why an asset or partition is to be made anew: none, and it is up to date.
///
/// `observed` is what is known of it, `definition` its fingerprint now, and `inputs` the
/// versions now of what it is made of. A run asks again before each step, because an
/// upstream that was built anew may have turned out the same.
#[must_use]
pub fn is_stale(observed: Option<&PartitionState>, definition: &Fingerprint, inputs: &Inputs) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Some(error) = observed.and_then(|state| state.failure.clone()) {
        reasons.push(Reason::LastRunFailed { error });
    }
    let Some(published) = observed.and_then(|state| state.published.as_ref()) else {
        if reasons.is_empty() {
            reasons.push(Reason::New);
        }
        return reasons;
    };
    let parts = definition.changes_since(&published.fingerprint).rebuild;
    if !parts.is_empty() {
        reasons.push(Reason::DefinitionChanged { parts });
    }
    let names: BTreeSet<&String> = inputs.keys().chain(published.inputs.keys()).collect();
    let changed = names.into_iter().filter(|name| inputs.get(*name) != published.inputs.get(*name));
    reasons.extend(changed.map(|name| Reason::InputChanged { name: name.clone() }));
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parse;

    /// The names of the inputs of a month of `b`, which copies `a`.
    fn inputs_of(b: &str) -> Vec<String> {
        let months = |every: &str| format!("partitions: {{ every: {every}, start: 2024-01-01, end: 2024-03-01 }}");
        let a = format!("{{ kind: table, time: t, {} }}", months("month"));
        let b = format!("{{ kind: table, from: a, {b} }}")
            .replace("MONTHS", &months("month"))
            .replace("DAYS", &months("day"));
        let pipeline = parse(&format!("version: 1\nname: p\nassets:\n  a: {a}\n  b: {b}\n")).unwrap();
        let mut observed = PerPartition::default();
        for month in ["2024-01", "2024-02"] {
            let published = Published {
                fingerprint: Fingerprint::of(pipeline.asset("a").unwrap()),
                inputs: Inputs::new(),
                version: month.to_owned(),
                generation: None,
                rows: None,
            };
            let state = PartitionState { published: Some(published), failure: None };
            observed.insert("a", Some(PartitionKey::from_text(month)), state);
        }
        let january = PartitionKey::from_text("2024-01");
        let found = inputs(&pipeline, "b", Some(&january), &observed, &PerPartition::default(), Timestamp::UNIX_EPOCH);
        found.into_keys().collect()
    }

    #[test]
    fn a_partition_is_made_of_the_same_partition_only_where_both_are_divided_alike() {
        let (one, all) = (vec!["a/2024-01".to_owned()], vec!["a/2024-01".to_owned(), "a/2024-02".to_owned()]);
        assert_eq!(inputs_of("time: t, MONTHS"), one);
        for other in ["time: u, MONTHS", "time: t, DAYS", "MONTHS", "time: t", "time: t, MONTHS, deps: [a]"] {
            assert_eq!(inputs_of(other), all, "{other}");
        }
    }
}
