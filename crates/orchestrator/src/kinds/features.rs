//! `features`: entity × time features, computed by Elasticsearch, into an index.

use std::num::NonZeroU32;

use es_assets::{Feature, Features, Fingerprint, Metric, RatioTerm, TimeUnit, ValueSource};
use es_bulk::{Batch, BatchBuilder, BatchLimits};
use es_core::Mapping;
use es_features::{FeatureSet, FeatureStream, Grid, Script, Settings, Step, Values, Window};
use es_frame::DocumentWriter;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use polars::prelude::DataFrame;
use serde_json::{Value, json};

use super::Done;
use super::generation::{NewGeneration, write};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::settings::batch_limits;
use crate::terminal::reporter::StepProgress;
use crate::terminal::table::counted;

/// Computes all rows anew.
///
/// # Errors
/// When the definition does not fit the source, or Elasticsearch fails; and as [`write()`].
pub async fn build(
    context: &Context,
    asset: &str,
    features: &Features,
    fingerprint: Fingerprint,
    progress: StepProgress,
) -> Result<Done, Failure> {
    let set = feature_set(features)?;
    let source = context.project.alias(&features.from);
    let inputs = context.inputs(asset, None);
    let stream = FeatureStream::open(&context.client, &source, &set, Settings::default()).await?;
    let described = context.client.indices().describe(&source).await?;
    let source_mapping = described.first().map(|index| index.mapping.clone()).unwrap_or_default();
    let declared: Mapping = serde_json::from_value(Value::Object(features.index.mappings.clone()))
        .map_err(|error| Failure::usage(format!("the mappings of {asset} cannot be read: {error}")))?;
    let mut mapping = set.mapping(&source_mapping)?;
    mapping.parameters.insert("dynamic".to_owned(), json!("strict"));
    let id: Vec<String> = set.id_fields().into_iter().map(str::to_owned).collect();
    let new = NewGeneration {
        asset,
        partition: None,
        fingerprint,
        mapping: mapping.overridden_by(&declared),
        settings: features.index.flat_settings(),
        id: &id,
        checks: &[],
        files: Vec::new(),
    };
    let instants = stream.grid_instants();
    let limits = batch_limits(&context.project.settings.bulk);
    let batches = batches(stream.map_err(Failure::from), id.clone(), limits);
    let mut done = write(context, new, |_| batches.boxed(), |_| inputs, progress).await?;
    done.detail = format!("{}, {}", counted(instants as u64, "grid time"), done.detail);
    done.summary["grid_instants"] = json!(instants);
    Ok(done)
}

/// Rows as batches, encoded off the asynchronous threads.
fn batches(
    frames: impl Stream<Item = Result<DataFrame, Failure>> + Send,
    id: Vec<String>,
    limits: BatchLimits,
) -> impl Stream<Item = Result<Batch, Failure>> + Send {
    frames
        .then(move |frame| {
            let id = id.clone();
            async move {
                let frame = frame?;
                tokio::task::spawn_blocking(move || encode(frame, &id, limits))
                    .await
                    .map_err(|error| Failure::new(Exit::Failed, format!("writing feature rows failed: {error}")))?
            }
        })
        .map_ok(|batches| futures::stream::iter(batches.into_iter().map(Ok)))
        .try_flatten()
}

fn encode(mut frame: DataFrame, id: &[String], limits: BatchLimits) -> Result<Vec<Batch>, Failure> {
    frame.rechunk_mut();
    let writer = DocumentWriter::new(&frame, id)?;
    let mut builder = BatchBuilder::new(limits);
    let mut batches = builder.push_frame(&writer)?;
    batches.extend(builder.finish());
    Ok(batches)
}

/// The definition in the terms of the crate that computes.
fn feature_set(features: &Features) -> Result<FeatureSet, Failure> {
    let zone = features.timezone.time_zone();
    let instant = |point: Option<es_assets::TimePoint>| {
        point
            .map(|point| point.to_timestamp(zone))
            .transpose()
            .map_err(|error| Failure::usage(format!("a grid time is out of range: {error}")))
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
        query: features.filter.as_ref().map(es_assets::Query::to_value),
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
