//! `features`: entity × time features, computed by Elasticsearch, into an index.

use std::collections::HashMap;
use std::num::NonZeroU32;

use async_trait::async_trait;
use es_assets::{Definition, DiagnosticKind, KeyPath, Output, Parts, Reference, Report, Siblings};
use es_bulk::{Batch, BatchBuilder, BatchLimits};
use es_core::{Capability, Mapping};
use es_features::{FeatureSet, FeatureStream, Grid, Script, Settings, Step, Values, Window};
use es_frame::DocumentWriter;
use es_values::{TimeUnit, nearest, quoted_list};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use polars::prelude::DataFrame;
use serde_json::{Map, Value, json};

use super::index::{self, IndexRequest};
use super::spec::{Feature, Features, Metric, RatioTerm, ValueSource};
use super::{Built, Kind, Subject, Work};
use crate::doctor::needs::Needs;
use crate::error::{Error, Result};
use crate::settings::batch_limits;
use crate::terminal::table::counted;

/// Features into an index.
pub struct FeaturesKind;

impl Definition for Features {
    fn reads(&self) -> Vec<Reference> {
        vec![Reference::documents("from", &self.from)]
    }

    fn output(&self) -> Output {
        Output::Documents
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        validate(self, path, report);
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("from", &self.from);
        parts.add("entity", &self.entity);
        parts.add("time", &self.time);
        let grid = json!({ "every": self.every, "timezone": self.timezone, "start": self.start, "end": self.end });
        parts.add("grid", grid);
        parts.add("windows", &self.windows);
        parts.add("where", &self.filter);
        for (name, feature) in &self.features {
            parts.add(format!("features.{name}"), feature);
        }
        self.index.fingerprint(parts);
    }
}

#[async_trait]
impl Kind for FeaturesKind {
    type Definition = Features;
    const NAME: &'static str = "features";

    async fn build(&self, asset: &Subject<'_, Features>, work: &Work<'_>) -> Result<Built> {
        let features = asset.definition;
        let set = feature_set(features)?;
        let source = work.index_of(&features.from)?;
        let inputs = work.inputs();
        let stream = FeatureStream::open(work.client, &source, &set, Settings::default()).await?;
        let described = work.client.indices().describe(&source).await?;
        let source_mapping = described.first().map(|index| index.mapping.clone()).unwrap_or_default();
        let declared: Mapping = serde_json::from_value(Value::Object(features.index.mappings.clone()))
            .map_err(|error| Error::config(format!("the mappings of {} cannot be read: {error}", asset.name)))?;
        let mut mapping = set.mapping(&source_mapping)?;
        mapping.parameters.insert("dynamic".to_owned(), json!("strict"));
        let id: Vec<String> = set.id_fields().into_iter().map(str::to_owned).collect();
        let new = IndexRequest {
            mapping: mapping.overridden_by(&declared),
            settings: features.index.flat_settings(),
            id: &id,
            checks: &[],
            files: Vec::new(),
            inputs: Some(inputs),
        };
        let instants = stream.grid_instants();
        let limits = batch_limits(&work.project.settings.bulk);
        let batches = batches(stream.map_err(Error::from), id.clone(), limits);
        let mut built = index::write(work, new, |_| batches.boxed()).await?;
        built.detail = format!("{}, {}", counted(instants as u64, "grid time"), built.detail);
        built.summary["grid_instants"] = json!(instants);
        Ok(built)
    }

    fn index_settings(&self, definition: &Features) -> Map<String, Value> {
        definition.index.flat_settings()
    }

    fn needs(&self, asset: &Subject<'_, Features>, needs: &mut Needs) {
        let features = asset.definition;
        let mut fields = vec![features.time.clone()];
        fields.extend(features.entity.iter().cloned());
        let mut has_script = false;
        for feature in features.features.values() {
            match values_of(feature) {
                Aggregated::Fields(found) => fields.extend(found),
                Aggregated::Script => has_script = true,
            }
        }
        if has_script {
            needs.capability(Capability::Scripting, asset.name);
        }
        needs.aggregates(asset.name, asset.project.index_of(&features.from), fields);
    }
}

/// Rows as batches, encoded off the asynchronous threads.
fn batches(
    frames: impl Stream<Item = Result<DataFrame>> + Send,
    id: Vec<String>,
    limits: BatchLimits,
) -> impl Stream<Item = Result<Batch>> + Send {
    frames
        .then(move |frame| {
            let id = id.clone();
            async move {
                let frame = frame?;
                tokio::task::spawn_blocking(move || encode(frame, &id, limits))
                    .await
                    .map_err(|error| Error::failed(format!("writing feature rows failed: {error}")))?
            }
        })
        .map_ok(|batches| futures::stream::iter(batches.into_iter().map(Ok)))
        .try_flatten()
}

fn encode(mut frame: DataFrame, id: &[String], limits: BatchLimits) -> Result<Vec<Batch>> {
    frame.rechunk_mut();
    let writer = DocumentWriter::new(&frame, id)?;
    let mut builder = BatchBuilder::new(limits);
    let mut batches = builder.push_frame(&writer)?;
    batches.extend(builder.finish());
    Ok(batches)
}

/// The definition in the terms of the crate that computes.
fn feature_set(features: &Features) -> Result<FeatureSet> {
    let zone = features.timezone.time_zone();
    let instant = |point: Option<es_values::TimePoint>| {
        point
            .map(|point| point.to_timestamp(zone))
            .transpose()
            .map_err(|error| Error::config(format!("a grid time is out of range: {error}")))
    };
    let count = NonZeroU32::new(features.every.count()).unwrap_or(NonZeroU32::MIN);
    let every = match features.every.unit() {
        TimeUnit::Day => Step::Days(count),
        TimeUnit::Week => Step::Weeks(count),
        _ => Step::Elapsed(features.every.to_duration()),
    };
    Ok(FeatureSet {
        entity: features.entity.clone(),
        time: features.time.clone(),
        grid: Grid { every, time_zone: zone.clone(), start: instant(features.start)?, end: instant(features.end)? },
        windows: features
            .windows
            .iter()
            .map(|window| Window { name: window.to_string(), length: window.to_duration() })
            .collect(),
        query: features.filter.as_ref().map(es_values::Query::to_value),
        features: features.features.iter().map(|(name, feature)| (name.clone(), of(feature))).collect(),
    })
}

fn of(feature: &Feature) -> es_features::Feature {
    use es_features::Feature as To;
    match feature {
        Feature::Count(_) => To::Count,
        Feature::Sum(metric) => To::Sum(values(metric)),
        Feature::Avg(metric) => To::Avg(values(metric)),
        Feature::Min(metric) => To::Min(values(metric)),
        Feature::Max(metric) => To::Max(values(metric)),
        Feature::SumOfSquares(metric) => To::SumOfSquares(values(metric)),
        Feature::StdDeviation(metric) => To::StdDeviation(values(metric)),
        Feature::Variance(metric) => To::Variance(values(metric)),
        Feature::ValueCount(metric) => To::ValueCount(values(metric)),
        Feature::Percentiles(percentiles) => To::Percentiles(es_features::Percentiles {
            of: source(&percentiles.values),
            percents: percentiles.percents.clone(),
            compression: None,
        }),
        Feature::Cardinality(cardinality) => To::Cardinality(es_features::Cardinality {
            field: cardinality.field.clone(),
            precision_threshold: cardinality.precision_threshold,
        }),
        Feature::Missing(field) => To::Missing { field: field.field.clone() },
        Feature::Ratio(ratio) => To::Ratio { of: term(&ratio.of), to: term(&ratio.to) },
        Feature::Derivative(derivative) => To::Derivative { of: derivative.of.clone() },
    }
}

fn term(term: &RatioTerm) -> es_features::RatioTerm {
    use es_features::RatioTerm as To;
    match term {
        RatioTerm::Count(_) => To::Count,
        RatioTerm::Filter(query) => To::Filter(query.to_value()),
        RatioTerm::Missing(field) => To::Missing { field: field.field.clone() },
        RatioTerm::ValueCount(metric) => To::ValueCount(values(metric)),
        RatioTerm::Sum(metric) => To::Sum(values(metric)),
    }
}

fn values(metric: &Metric) -> Values {
    source(&metric.values)
}

fn source(values: &ValueSource) -> Values {
    match values {
        ValueSource::Field(field) => Values::Field(field.clone()),
        ValueSource::Script(script) => Values::Script(Script::new(script.clone())),
    }
}

/// Where a feature's values come from.
enum Aggregated {
    Fields(Vec<String>),
    Script,
}

fn values_of(feature: &Feature) -> Aggregated {
    let of = |source: &ValueSource| match source {
        ValueSource::Field(field) => Aggregated::Fields(vec![field.clone()]),
        ValueSource::Script(_) => Aggregated::Script,
    };
    match feature {
        Feature::Sum(metric)
        | Feature::Avg(metric)
        | Feature::Min(metric)
        | Feature::Max(metric)
        | Feature::SumOfSquares(metric)
        | Feature::StdDeviation(metric)
        | Feature::Variance(metric)
        | Feature::ValueCount(metric) => of(&metric.values),
        Feature::Percentiles(percentiles) => of(&percentiles.values),
        Feature::Cardinality(cardinality) => Aggregated::Fields(vec![cardinality.field.clone()]),
        Feature::Ratio(ratio) => {
            let terms = [&ratio.of, &ratio.to].map(|term| match term {
                RatioTerm::ValueCount(metric) | RatioTerm::Sum(metric) => of(&metric.values),
                RatioTerm::Count(_) | RatioTerm::Filter(_) | RatioTerm::Missing(_) => Aggregated::Fields(Vec::new()),
            });
            let mut fields = Vec::new();
            for term in terms {
                match term {
                    Aggregated::Fields(found) => fields.extend(found),
                    Aggregated::Script => return Aggregated::Script,
                }
            }
            Aggregated::Fields(fields)
        }
        // Whether a field has a value is known without its values.
        Feature::Count(_) | Feature::Missing(_) | Feature::Derivative(_) => Aggregated::Fields(Vec::new()),
    }
}

fn validate(features: &Features, path: &KeyPath, report: &mut Report<'_>) {
    let zone = features.timezone.time_zone();
    report.interval(features.start, features.end, zone, path, ("start", "end"));
    if let Some(index) = features.entity.iter().position(|field| *field == features.time) {
        report.invalid(
            &path.key("entity").index(index),
            format!("`{}` is the time, and cannot name an entity too", features.time),
            "remove it from `entity`",
        );
    }
    for (index, window) in features.windows.iter().enumerate() {
        let earlier = &features.windows[..index];
        if let Some(same) = earlier.iter().find(|other| other.milliseconds() == window.milliseconds()) {
            let message = match same == window {
                true => format!("window `{window}` stands twice"),
                false => format!("window `{window}` is as long as `{same}`"),
            };
            report.invalid(&path.key("windows").index(index), message, "remove one of them");
        }
    }
    let path = path.key("features");
    for (name, feature) in &features.features {
        if let Feature::Derivative(derivative) = feature {
            let path = path.key(name).key("derivative").key("of");
            derivative_of(features, name, &derivative.of, &path, report);
        }
    }
    field_names(features, &path, report);
}

fn derivative_of(features: &Features, name: &str, of: &str, path: &KeyPath, report: &mut Report<'_>) {
    let usable: Vec<&str> = features
        .features
        .iter()
        .filter(|(_, feature)| !matches!(feature, Feature::Percentiles(_) | Feature::Derivative(_)))
        .map(|(name, _)| name.as_str())
        .collect();
    let help = || match nearest(of, usable.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if usable.is_empty() => "add a feature with one value, such as an `avg`".to_owned(),
        None => format!("the features with one value are {}", quoted_list(usable.iter().copied())),
    };
    match features.features.get(of) {
        None => {
            report.add(DiagnosticKind::UnknownReference, path, format!("unknown feature `{of}`"), help());
        }
        Some(_) if of == name => report.invalid(path, format!("`{name}` is derived from itself"), help()),
        Some(Feature::Percentiles(_)) => {
            report.invalid(path, format!("`{of}` has a value a percentile, and a derivative needs one"), help());
        }
        Some(Feature::Derivative(_)) => {
            report.invalid(path, format!("`{of}` is a derivative itself"), help());
        }
        Some(_) => {}
    }
}

/// Every field of a row has a name of its own.
fn field_names(features: &Features, path: &KeyPath, report: &mut Report<'_>) {
    let mut owners: HashMap<String, String> = features
        .entity
        .iter()
        .map(|field| (field.clone(), "the entity".to_owned()))
        .chain([(features.time.clone(), "the time".to_owned())])
        .collect();
    for (name, feature) in &features.features {
        let fields = features.windows.iter().flat_map(|window| feature.fields(name, *window));
        // Equal windows are reported as such, and would repeat every field here.
        let mut mine: Vec<String> = fields.map(|field| field.field).collect();
        mine.sort();
        mine.dedup();
        let taken = mine.iter().find_map(|field| Some((field, owners.get(field)?)));
        if let Some((field, owner)) = taken {
            let message = format!("field `{field}` of `{name}` is also a field of {owner}");
            report.invalid(&path.key(name), message, "rename the feature");
        }
        owners.extend(mine.into_iter().map(|field| (field, format!("`{name}`"))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_crates_name_fields_alike() {
        let features: Features = serde_json::from_value(json!({
            "from": "a", "entity": ["e"], "time": "t", "every": "1d", "windows": ["7d", "36h"],
            "features": {
                "n": {"count": {}}, "d": {"percentiles": {"field": "x", "percents": [50, 99.9]}},
                "m": {"avg": {"script": "1"}}, "c": {"derivative": {"of": "m"}}
            }
        }))
        .unwrap();
        let ours: Vec<String> = features.fields().into_iter().map(|field| field.field).collect();
        let theirs: Vec<String> =
            feature_set(&features).unwrap().outputs().into_iter().map(|output| output.field).collect();
        assert_eq!(ours, theirs);
        assert_eq!(ours[2], "d_p50_7d");
    }
}
