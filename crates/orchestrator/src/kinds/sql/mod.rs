//! `sql`: a query in Polars' SQL over other assets, into an index or a file.
//!
//! es-export reads of each table the columns that the query needs, and where it is plain only the
//! documents, into a Parquet file. Polars' streaming engine runs the query over these files into
//! another one, which is loaded into the index or put in its folder. So memory holds what es-export
//! and es-bulk hold, and of the query what an operation cannot stream: the smaller side of a join,
//! the groups of a `GROUP BY`, the distinct rows, and all rows of an `ORDER BY`.

mod definition;
mod filter;
mod query;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use es_bulk::files::FileFormat;
use es_export::{ColumnRequest, Format, IndexReader, ReadRequest, Search, StagedFolder};
use polars::prelude::{PolarsResult, SchemaRef};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tracing::debug;

use super::checks::Check;
use super::index::IndexSpec;
use super::rows::{self, Scratch};
use super::{Built, Kind, Observation, Part, Preparation, Prepared, Subject, Work, folder};
use crate::doctor::needs::{ExportNeed, Needs};
use crate::error::{Error, ErrorKind, Result};
use crate::project::Project;
use crate::store::history::StepRecord;

pub use definition::{Sql, SqlFile, SqlFormat};
use query::Problem;

/// A query over other assets.
pub struct SqlKind;

#[async_trait]
impl Kind for SqlKind {
    type Definition = Sql;
    const NAME: &'static str = "sql";

    async fn observe(&self, asset: &Subject<'_, Sql>, around: &Observation<'_>) -> Result<Vec<Part>> {
        match &asset.definition.to {
            Some(to) => folder::observe(asset, &to.path),
            None => Ok(around.published_generations()),
        }
    }

    /// Checks a new query against the tables, as far as they are there.
    async fn prepare(&self, asset: &Subject<'_, Sql>, around: &Preparation<'_>) -> Result<Prepared> {
        let is_same = |record: &StepRecord| around.fingerprint.changes_since(&record.fingerprint).rebuild.is_empty();
        if !around.successes.iter().any(is_same) {
            let indices = around.client.indices();
            for table in tables(asset)? {
                if indices.describe(&asset.project.index_of(&table)?).await?.is_empty() {
                    return Ok(Prepared::default());
                }
            }
            inspect(asset, around.client).await?;
        }
        Ok(Prepared::default())
    }

    async fn build(&self, asset: &Subject<'_, Sql>, work: &Work<'_>) -> Result<Built> {
        let inputs = work.inputs();
        let scratch = Scratch::of(work)?;
        let needed = inspect(asset, work.client).await?;
        let (mut files, mut read) = (BTreeMap::new(), Map::new());
        for (table, needs) in &needed {
            let query = match &needs.predicate {
                Some(predicate) => {
                    let described = work.client.indices().describe(&work.index_of(table)?).await?;
                    filter::to_query(predicate, &filter::comparable(&described))
                }
                None => None,
            };
            debug!(table, columns = ?needs.columns, query = ?query, "reading");
            let file = scratch.file(&format!("{table}.parquet"));
            let columns = ColumnRequest::Named(needs.columns.clone());
            let spooled = rows::spool(work, table, columns, query.as_ref(), &file, Format::Parquet).await?;
            read.insert(
                table.clone(),
                json!({ "rows": spooled.rows, "bytes": spooled.bytes, "columns": needs.columns, "where": query }),
            );
            files.insert(table.clone(), file);
        }
        work.progress.restart("running the query");
        let mut built = match &asset.definition.to {
            Some(to) => {
                let staged = StagedFolder::enter(&work.project.path(&to.path))?;
                let target = staged.path().join(to.format.file_name());
                let rows = execute(asset, work, files, target, to.format).await?;
                folder::ready(work, &to.path, staged, Some(rows), inputs).await?
            }
            None => {
                let result = scratch.file("result.parquet");
                execute(asset, work, files, result.clone(), SqlFormat::Parquet).await?;
                work.progress.restart("loading");
                rows::load(asset, work, &asset.definition.documents, result, FileFormat::Parquet, inputs).await?
            }
        };
        built.summary["read"] = Value::Object(read);
        Ok(built)
    }

    fn checks<'a>(&self, definition: &'a Sql) -> &'a [Check] {
        &definition.documents.checks
    }

    fn id(&self, definition: &Sql) -> Vec<String> {
        definition.documents.id.clone().unwrap_or_default()
    }

    fn index_spec<'a>(&self, definition: &'a Sql) -> Option<&'a IndexSpec> {
        Some(&definition.documents.index)
    }

    fn needs(&self, asset: &Subject<'_, Sql>, needs: &mut Needs) {
        for table in query::tables(&asset.definition.sql).unwrap_or_default() {
            if let Ok(index) = asset.project.index_of(&table) {
                needs.exports.push(ExportNeed { asset: asset.name.to_owned(), index, columns: None });
            }
        }
        let index = asset.project.alias(asset.name);
        needs.aggregates(asset.name, Ok(index), super::checks::aggregated_fields(&asset.definition.documents.checks));
    }
}

fn tables(asset: &Subject<'_, Sql>) -> Result<Vec<String>> {
    query::tables(&asset.definition.sql).map_err(|problem| at_word(asset, problem, None))
}

/// Holds the query against the columns of its tables.
async fn inspect(asset: &Subject<'_, Sql>, client: &es_core::Client) -> Result<query::Needs> {
    let mut schemas: BTreeMap<String, SchemaRef> = BTreeMap::new();
    for table in tables(asset)? {
        schemas.insert(table.clone(), schema(asset.project, client, &table).await?);
    }
    let text = asset.definition.sql.clone();
    let known = schemas.clone();
    let inspecting = tokio::task::spawn_blocking(move || query::inspect(&text, &known)).await;
    let inspected = inspecting.map_err(|error| Error::defect("checking the query", &error))?;
    inspected.map_err(|problem| {
        let columns = || schemas.values().flat_map(|schema| schema.iter_names().map(|name| name.as_str()));
        let nearest = problem.word.as_ref().and_then(|(word, _)| {
            let is_column = columns().any(|column| column == word);
            if is_column { None } else { es_values::nearest(word, columns()) }
        });
        let help = nearest.map(|near| format!("did you mean `{near}`?"));
        at_word(asset, problem, help.as_deref())
    })
}

/// The columns of an asset, as es-export reads them.
async fn schema(project: &Project, client: &es_core::Client, table: &str) -> Result<SchemaRef> {
    let request = ReadRequest::from(Search::new(project.index_of(table)?));
    let reader = IndexReader::open(client, request).await.map_err(|error| Error::from(error).within(table))?;
    let schema = reader.schema();
    // The point in time ends by itself where it cannot be closed.
    let _ = reader.close().await;
    Ok(Arc::new(schema))
}

/// A mistake in the query, at its word in the pipeline file.
fn at_word(asset: &Subject<'_, Sql>, problem: Problem, help: Option<&str>) -> Error {
    let path = format!("assets.{}.sql", asset.name);
    match &problem.word {
        Some((word, number)) => {
            asset.project.pipeline.diagnose_word(&path, word, *number, &problem.message, help).into()
        }
        None => asset.error_at("sql", &problem.message, help),
    }
}

/// Runs the query in a thread of its own, which a stopped run does not wait for: Polars cannot be
/// interrupted.
async fn execute(
    asset: &Subject<'_, Sql>,
    work: &Work<'_>,
    files: BTreeMap<String, std::path::PathBuf>,
    target: std::path::PathBuf,
    format: SqlFormat,
) -> Result<u64> {
    let (sender, done) = oneshot::channel::<PolarsResult<u64>>();
    let text = asset.definition.sql.clone();
    std::thread::Builder::new()
        .name(format!("sql {}", asset.name))
        .spawn(move || {
            // Nobody waits for the result of a step that was stopped.
            let _ = sender.send(query::run(&text, &files, &target, format));
        })
        .map_err(|error| Error::failed("no thread can be started for the query").with_source(error))?;
    tokio::select! {
        result = done => match result {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => Err(Error::failed(format!("the query failed: {error}")).within(asset.name)),
            Err(_) => Err(Error::new(ErrorKind::Defect, "the query ended in a defect of Polars")
                .with_help(Some("please report it, with the log of `-vv`"))),
        },
        () = work.cancel.cancelled() => Err(Error::new(ErrorKind::Interrupted, "interrupted while the query ran")),
    }
}
