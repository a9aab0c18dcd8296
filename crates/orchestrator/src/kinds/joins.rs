//! Feature rows that are joined to the rows of another asset: the key, its validation, and the join,
//! which reads them once and is applied to rows as they pass.
//!
//! Kinds whose rows can have features share this: [`export`](super::export) and [`inference`](super::inference).

use std::sync::Arc;

use es_assets::{DiagnosticKind, KeyPath, Output, Reference, Report, Siblings, Takes};
use es_export::{AddedColumn, IndexReader, Origin, ReadRequest, Search, Transform};
use es_features::{JoinOptions, PointInTimeJoin};
use es_values::{TimeSpan, quoted_list};
use polars::prelude::DataFrame;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Work;
use super::features::Features;
use crate::error::{Error, Result};
use crate::terminal::table::count;

/// Feature rows that are joined to other rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureJoin {
    /// The asset of kind `features`.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub from: String,
    /// The greatest age of a feature row; without it, any age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<TimeSpan>,
    /// The field with the time of the rows that are joined to; without it, the one that is called
    /// like the time of the features.
    #[schemars(extend("format" = "text", "minLength" = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// The assets whose feature rows are joined.
pub fn references(joins: &[FeatureJoin]) -> impl Iterator<Item = Reference> {
    let path = KeyPath::root().key("features");
    joins.iter().enumerate().map(move |(index, join)| Reference {
        path: path.index(index).key("from"),
        asset: join.from.clone(),
        takes: Takes::Documents,
    })
}

/// Reports assets that have no feature rows. `path` is the place of the asset that joins them.
pub fn validate(joins: &[FeatureJoin], path: &KeyPath, siblings: &Siblings<'_>, report: &mut Report<'_>) {
    for (index, join) in joins.iter().enumerate() {
        has_feature_rows(&join.from, &path.key("features").index(index).key("from"), siblings, report);
    }
}

/// Only rows of entities and times can be joined as of a time.
fn has_feature_rows(target: &str, path: &KeyPath, siblings: &Siblings<'_>, report: &mut Report<'_>) {
    let Some(asset) = siblings.get(target).filter(|asset| asset.output() == Output::Documents) else { return };
    if asset.definition_as::<Features>().is_some() {
        return;
    }
    let names = siblings.named_by_definition::<Features>();
    let help = match names.is_empty() {
        true => "add an asset of kind `features`".to_owned(),
        false => format!("refer to one of {}", quoted_list(names)),
    };
    let message = format!("`{target}` is of kind `{}`, and has no rows of entities and times to join", asset.kind());
    report.add(DiagnosticKind::WrongKind, path, message, help);
}

/// The joined features, one asset after the other.
#[derive(Debug)]
struct Joins(Vec<Joined>);

#[derive(Debug)]
struct Joined {
    join: PointInTimeJoin,
    adds: Vec<AddedColumn>,
    description: Value,
}

/// Reads the features that are joined; none if there are no joins.
///
/// # Errors
/// When they cannot be read, or are more than the settings allow.
pub async fn read(work: &Work<'_>, wanted: &[FeatureJoin]) -> Result<Option<Arc<dyn Transform>>> {
    let mut joins = Vec::new();
    for wanted in wanted {
        let asset = work.project.pipeline.asset(&wanted.from);
        // The file was checked: it is an asset of this kind.
        let Some(features) = asset.and_then(|asset| asset.definition_as::<Features>()) else { continue };
        let joined = joined(work, wanted, features).await;
        joins.push(joined.map_err(|failure| failure.within(&format!("features of {}", wanted.from)))?);
    }
    Ok(if joins.is_empty() { None } else { Some(Arc::new(Joins(joins))) })
}

async fn joined(work: &Work<'_>, wanted: &FeatureJoin, features: &Features) -> Result<Joined> {
    let settings = &work.project.settings.export;
    let mut request = ReadRequest::from(Search::new(work.index_of(&wanted.from)?));
    request.options = settings.read;
    let reader = IndexReader::open(work.client, request).await?;
    let (rows, most) = (reader.count().unwrap_or_default(), u64::from(settings.feature_rows));
    if rows > most {
        let message = format!("there are {} rows, and at most {} are held in memory", count(rows), count(most));
        return Err(
            Error::failed(message).with_help(Some("raise `export.feature_rows`, or give the features a shorter grid"))
        );
    }
    let (origin, types) = (reader.origin().clone(), reader.field_types().to_vec());
    let frame = reader.collect().await?;
    let mut options = JoinOptions::from(&features.set).with_prefix(format!("{}__", wanted.from));
    if let Some(time) = &wanted.time {
        options = options.with_row_time(time.clone());
    }
    if let Some(age) = wanted.max_age {
        options = options.with_max_age(age.to_duration());
    }
    let description = describe(wanted, &options, &origin, rows);
    let prefix = options.prefix.clone();
    let join = PointInTimeJoin::new(frame, options)?;
    let added = join.schema();
    let adds = added.iter().map(|(name, dtype)| {
        let field = name.strip_prefix(prefix.as_str()).unwrap_or(name);
        let elasticsearch = types.iter().find(|(of, _)| of == field).map(|(_, kind)| kind.clone()).unwrap_or_default();
        AddedColumn { name: name.to_string(), dtype: dtype.clone(), elasticsearch }
    });
    let adds = adds.collect();
    Ok(Joined { join, adds, description })
}

fn describe(wanted: &FeatureJoin, options: &JoinOptions, origin: &Origin, rows: u64) -> Value {
    json!({
        "from": wanted.from, "indices": origin.indices, "rows": rows, "entity": options.entity,
        "feature_time": options.feature_time, "row_time": options.row_time,
        "max_age": wanted.max_age, "prefix": options.prefix,
    })
}

impl Transform for Joins {
    fn needs(&self) -> Vec<String> {
        self.0.iter().flat_map(|joined| joined.join.row_columns()).map(str::to_owned).collect()
    }

    fn adds(&self) -> Vec<AddedColumn> {
        self.0.iter().flat_map(|joined| joined.adds.clone()).collect()
    }

    fn apply(&self, rows: &DataFrame) -> Result<DataFrame, Box<dyn std::error::Error + Send + Sync>> {
        let mut rows = rows.clone();
        for joined in &self.0 {
            rows = joined.join.join(&rows)?;
        }
        Ok(rows)
    }

    fn describe(&self) -> Value {
        let joined: Vec<&Value> = self.0.iter().map(|joined| &joined.description).collect();
        json!({ "point_in_time_join": joined })
    }
}
