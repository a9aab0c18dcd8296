//! Feature rows of an export: read once, and joined to its rows as they pass.

use std::sync::Arc;

use es_export::{AddedColumn, IndexReader, Origin, ReadRequest, Search, Transform};
use es_features::{JoinOptions, PointInTimeJoin};
use polars::prelude::DataFrame;
use serde_json::{Value, json};

use super::{Export, FeatureJoin};
use crate::kinds::Work;
use crate::kinds::features::Features;

use crate::error::{Error, Result};
use crate::terminal::table::count;

/// The joined features, one asset after the other.
#[derive(Debug)]
struct Joins(Vec<Joined>);

#[derive(Debug)]
struct Joined {
    join: PointInTimeJoin,
    adds: Vec<AddedColumn>,
    description: Value,
}

/// Reads the features that an export joins; none if it joins none.
///
/// # Errors
/// When they cannot be read, or are more than the settings allow.
pub(super) async fn read(work: &Work<'_>, export: &Export) -> Result<Option<Arc<dyn Transform>>> {
    let mut joins = Vec::new();
    for wanted in &export.features {
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
