//! `features`: entity × time features, computed by Elasticsearch, into an index.

use async_trait::async_trait;
use es_assets::{Definition, KeyPath, Output, Parts, Reference, Report, Siblings};
use es_bulk::batched_frames;
use es_core::cluster::Capability;
use es_features::{Feature, FeatureSet, FeatureStream, ValueSource};
use futures::StreamExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::index::{self, IndexRequest, IndexSpec};
use super::{Built, Kind, Subject, Work, problems};
use crate::doctor::needs::Needs;
use crate::error::{Error, Result};
use crate::terminal::table::counted;

/// Features into an index.
pub struct FeaturesKind;

/// An index with one row for each entity and grid time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Features {
    /// The asset whose documents are aggregated.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub from: String,
    /// The features.
    #[serde(flatten)]
    pub set: FeatureSet,
    /// The settings and mappings of the index.
    #[serde(default)]
    pub index: IndexSpec,
}

impl Definition for Features {
    fn reads(&self) -> Vec<Reference> {
        vec![Reference::documents("from", &self.from)]
    }

    fn output(&self) -> Output {
        Output::Documents
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        problems::report_all(self.set.problems(), path, report);
    }

    fn fingerprint(&self, parts: &mut Parts) {
        let set = &self.set;
        parts.add("from", &self.from);
        parts.add("entity", &set.entity);
        parts.add("time", &set.time);
        let grid = json!({ "every": set.every, "timezone": set.timezone, "start": set.start, "end": set.end });
        parts.add("grid", grid);
        parts.add("windows", &set.windows);
        parts.add("where", &set.filter);
        for (name, feature) in &set.features {
            parts.add(format!("features.{name}"), feature);
        }
        self.index.fingerprint(parts);
    }
}

/// The documents that the features would count if each of them had every field of the entity.
fn without_entity(set: &FeatureSet) -> Value {
    let lacks = |field: &String| json!({"bool": {"must_not": [{"exists": {"field": field}}]}});
    let lacking: Vec<Value> = set.entity.iter().map(lacks).collect();
    let lacks_one = json!({"bool": {"should": lacking, "minimum_should_match": 1}});
    let mut filter = vec![lacks_one, json!({"exists": {"field": set.time}})];
    filter.extend(set.filter.as_ref().map(es_values::Query::to_value));
    json!({"bool": {"filter": filter}})
}

#[async_trait]
impl Kind for FeaturesKind {
    type Definition = Features;
    const NAME: &'static str = "features";

    async fn build(&self, asset: &Subject<'_, Features>, work: &Work<'_>) -> Result<Built> {
        let Features { from, set, index } = asset.definition;
        let source = work.index_of(from)?;
        let inputs = work.inputs();
        let stream =
            FeatureStream::builder(work.client, &source, set).with_cancellation(work.cancel.clone()).open().await?;
        let described = work.client.indices().describe(&source).await?;
        let source_mapping = described.first().map(|index| index.mapping.clone()).unwrap_or_default();
        let declared = index
            .mapping()
            .map_err(|error| Error::config(format!("the mappings of {} cannot be read: {error}", asset.name)))?;
        let mut mapping = set.mapping(&source_mapping)?;
        mapping.parameters.insert("dynamic".to_owned(), json!("strict"));
        let id: Vec<String> = set.id_fields().into_iter().map(str::to_owned).collect();
        let new = IndexRequest {
            mapping: mapping.overridden_by(&declared),
            spec: index,
            id: &id,
            checks: &[],
            files: Vec::new(),
            inputs: Some(inputs),
        };
        let instants = stream.grid_instants();
        let limits = work.project.settings.bulk.batch_limits();
        let batches = batched_frames(stream, &id, limits);
        let mut built = index::write(work, new, |_| batches.boxed()).await?;
        built.detail = format!("{}, {}", counted(instants as u64, "grid time"), built.detail);
        built.summary["grid_instants"] = json!(instants);
        let without = work.client.indices().count_matching(&source, &without_entity(set)).await?;
        if without > 0 {
            built.summary["without_entity"] = json!(without);
            let (documents, fields) = (counted(without, "document"), set.entity.join(" or "));
            built.warnings.push(format!("{documents} of `{from}` without {fields}: they are in no feature"));
        }
        Ok(built)
    }

    fn index_spec<'a>(&self, definition: &'a Features) -> Option<&'a IndexSpec> {
        Some(&definition.index)
    }

    fn needs(&self, asset: &Subject<'_, Features>, needs: &mut Needs) {
        let set = &asset.definition.set;
        let mut fields = vec![set.time.clone()];
        fields.extend(set.entity.iter().cloned());
        let mut has_script = false;
        for feature in set.features.values() {
            // Whether a field has a value is known without its values.
            if let Feature::Cardinality(cardinality) = feature {
                fields.push(cardinality.field.clone());
            }
            for source in feature.value_sources() {
                match source {
                    ValueSource::Field(field) => fields.push(field.clone()),
                    ValueSource::Script(_) => has_script = true,
                }
            }
        }
        if has_script {
            needs.capability(Capability::Scripting, asset.name);
        }
        needs.aggregates(asset.name, asset.project.index_of(&asset.definition.from), fields);
    }
}
