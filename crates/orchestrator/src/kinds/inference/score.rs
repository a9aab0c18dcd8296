//! Rows as they pass: features are joined, values encoded, the model is run, and what is kept is put beside
//! its outputs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use es_assets::SecretRef;
use es_bulk::{FrameInput, RefusedRow};
use es_export::encode::Encoders;
use es_export::{AddedColumn, Transform};
use es_serving::Outputs;
use es_serving::onnx::{OnnxModel, OnnxOptions};
use es_serving::open_inference::Tensor;
use es_serving::server::{ModelServer, ServerOptions};
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use polars::prelude::{AnyValue, Column, DataFrame, DataType, PlSmallStr, Scalar, Schema, TimeUnit, TimeZone};
use tokio_util::sync::CancellationToken;

use super::definition::{BatchSize, Inference, ModelRunner, Nulls, OnnxRunner};
use super::earlier::{self, Earlier, INPUTS_HASH};
use super::model::Chosen;
use super::page::Page;
use super::rows::{Misfit, RowPlan};
use crate::error::{Error, ErrorKind, Result};
use crate::kinds::{Subject, Work};
use crate::{models, settings};

/// The columns that say what wrote a prediction.
const MODEL: &str = "model";
const MODEL_VERSION: &str = "model_version";
const RUN: &str = "run";
const SCORED_AT: &str = "scored_at";

/// The columns that rows have, that the model is given, and that are written.
#[derive(Clone, Debug)]
pub(super) struct Scoring {
    rows: RowPlan,
    encoders: Option<Encoders>,
    /// The columns of the rows that are written.
    kept: Vec<PlSmallStr>,
    /// The columns that answer a row, which an earlier prediction can give as well.
    answers: Schema,
    /// The columns that are written, with their types.
    written: Schema,
}

impl Scoring {
    /// Fits the model to rows of the columns `read`, to which features are added.
    pub(super) fn plan(
        asset: &Subject<'_, Inference>,
        chosen: &Chosen,
        read: &Schema,
        added: &[AddedColumn],
    ) -> Result<Self> {
        let inference = asset.definition;
        let mut schema = read.clone();
        for column in added {
            schema.insert(column.name.as_str().into(), column.dtype.clone());
        }
        let misfit = |key: &str, misfit: Misfit| asset.error_at(key, &misfit.message, misfit.help.as_deref());
        let encoded = match &chosen.encoders {
            Some(encoders) => encoders.schema(&schema).map_err(|error| Error::from(error).within(asset.name))?,
            None => schema.clone(),
        };
        let outputs = match &inference.outputs {
            Some(outputs) => outputs.check(&chosen.signature).map(|()| outputs.clone()),
            None => Outputs::of(&chosen.signature, !chosen.classes.is_empty()),
        };
        let outputs = outputs.map_err(|error| asset.error_at("outputs", &error.to_string(), error.help()))?;
        let rows = RowPlan::new(chosen.signature.clone(), outputs, chosen.classes.clone(), inference.nulls, &encoded)
            .map_err(|error| misfit("model", error))?;

        let mut kept: Vec<PlSmallStr> = Vec::new();
        let of_model: Vec<String> = chosen.columns().into_iter().map(str::to_owned).collect();
        let columns = inference.write.keep.as_ref().unwrap_or(&of_model);
        for name in inference.write.id.iter().chain(&inference.time).chain(columns) {
            if schema.get(name).is_none() {
                let names = schema.iter_names().map(|name| name.as_str());
                let near = es_values::nearest(name, names).map(|near| format!("did you mean `{near}`?"));
                return Err(asset.error_at("write", &format!("the rows have no column `{name}`"), near.as_deref()));
            }
            if !kept.iter().any(|one| one == name) {
                kept.push(name.as_str().into());
            }
        }
        let of_outputs = rows.added().into_iter().map(|field| (field.name, field.dtype));
        let answers: Schema = of_outputs.chain(provenance_types()).collect();
        let own = |name: &&PlSmallStr| answers.contains(name) || **name == INPUTS_HASH;
        if let Some(twice) = kept.iter().find(own) {
            let message = format!("the rows have a column `{twice}`, and predictions have a field of that name");
            return Err(asset.error_at(
                "write",
                &message,
                Some("rename the column in an asset of kind `sql`, or leave it out of `keep`"),
            ));
        }
        let mut written: Schema =
            kept.iter().filter_map(|name| Some((name.clone(), schema.get(name)?.clone()))).collect();
        written.insert(INPUTS_HASH.into(), DataType::Int64);
        written.extend(answers.iter().map(|(name, dtype)| (name.clone(), dtype.clone())));
        Ok(Self { rows, encoders: chosen.encoders.clone(), kept, answers, written })
    }

    /// The columns that are written, with their types.
    pub(super) fn schema(&self) -> &Schema {
        &self.written
    }
}

fn provenance_types() -> [(PlSmallStr, DataType); 4] {
    [
        (MODEL.into(), DataType::String),
        (MODEL_VERSION.into(), DataType::Int32),
        (RUN.into(), DataType::String),
        (SCORED_AT.into(), instant_type()),
    ]
}

fn instant_type() -> DataType {
    DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC))
}

/// The origin of a prediction.
#[derive(Clone, Debug)]
struct Provenance {
    model: String,
    version: i32,
    run: String,
    at: Timestamp,
}

/// The place where the model is run.
enum Runner {
    Here(Arc<OnnxModel>),
    Server(Box<ModelServer>),
}

/// A model with what it needs to score rows.
pub(super) struct Scorer {
    scoring: Scoring,
    joins: Option<Arc<dyn Transform>>,
    earlier: Option<Earlier>,
    runner: Runner,
    nulls: Option<Nulls>,
    batch: BatchSize,
    provenance: Provenance,
    skipped: AtomicU64,
    unchanged: AtomicU64,
    cancel: CancellationToken,
}

impl Scorer {
    /// Loads the model.
    pub(super) async fn open(
        scoring: Scoring,
        joins: Option<Arc<dyn Transform>>,
        chosen: &Chosen,
        inference: &Inference,
        work: &Work<'_>,
    ) -> Result<Arc<Self>> {
        let runner = match &inference.server {
            ModelRunner::Here(OnnxRunner { threads, .. }) => {
                Runner::Here(Arc::new(open_here(chosen, *threads, work).await?))
            }
            ModelRunner::Server(options) => Runner::Server(Box::new(connect(options, chosen, work).await?)),
        };
        let provenance = Provenance {
            model: chosen.name.clone(),
            version: i32::try_from(chosen.number).unwrap_or(i32::MAX),
            run: work.run.to_owned(),
            at: work.now,
        };
        let earlier = Earlier::of(inference, chosen, &scoring.answers, work).await?;
        Ok(Arc::new(Self {
            scoring,
            joins,
            earlier,
            runner,
            nulls: inference.nulls,
            batch: inference.batch,
            provenance,
            skipped: AtomicU64::new(0),
            unchanged: AtomicU64::new(0),
            cancel: work.cancel.clone(),
        }))
    }

    /// The rows that got no prediction because the asset says so.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// The rows that kept an earlier prediction.
    pub(super) fn unchanged(&self) -> u64 {
        self.unchanged.load(Ordering::Relaxed)
    }

    /// Scores frames, several at a time and in their order, off the threads of the runtime.
    pub(super) fn stream(
        self: Arc<Self>,
        frames: impl Stream<Item = Result<DataFrame>> + Send,
    ) -> impl Stream<Item = Result<FrameInput>> + Send {
        let in_flight = self.batch.in_flight.get() as usize;
        let scored = frames.enumerate().map(move |(number, frame)| {
            let scorer = self.clone();
            async move { scorer.page(frame?, number).await }
        });
        scored.buffered(in_flight)
    }

    /// The rows of a page with their predictions, and those that are rejected.
    async fn page(self: Arc<Self>, frame: DataFrame, number: usize) -> Result<FrameInput> {
        let scorer = self.clone();
        let (mut page, mut batches) = blocking(move || {
            let mut page = scorer.prepare(&frame)?;
            let batches = scorer.tensors(&page.encoded)?;
            let hashes = batches.iter().flat_map(|(_, tensors)| earlier::row_hashes(tensors)).collect();
            page.joined.with_column(earlier::column(hashes)).map_err(unscorable)?;
            Ok((page, batches))
        })
        .await?;
        if let Some(earlier) = &self.earlier {
            let unchanged = earlier.answer(&mut page).await?;
            self.unchanged.fetch_add(unchanged, Ordering::Relaxed);
            if unchanged > 0 {
                let scorer = self.clone();
                (page, batches) = blocking(move || {
                    let batches = scorer.tensors(&page.unanswered().map_err(unscorable)?)?;
                    Ok((page, batches))
                })
                .await?;
            }
        }
        let answers = match &self.runner {
            Runner::Here(model) => {
                let model = model.clone();
                blocking(move || batches.into_iter().map(|batch| score_here(&model, batch)).collect()).await?
            }
            Runner::Server(server) => self.ask(server, batches, number).await?,
        };
        blocking(move || self.assemble(page, answers)).await
    }

    /// Joins features to rows, encodes them, and takes out those without a value that the model needs.
    fn prepare(&self, frame: &DataFrame) -> Result<Page> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted while rows were scored"));
        }
        let joined = match &self.joins {
            Some(joins) => joins.apply(frame).map_err(|error| Error::failed(error.to_string()))?,
            None => frame.clone(),
        };
        let encoded = match &self.scoring.encoders {
            Some(encoders) => encoders.apply(&joined)?,
            None => joined.clone(),
        };
        let given = self.scoring.rows.given(&encoded).map_err(unscorable)?;
        let mut page = Page::new(joined, encoded);
        if !given.without_value.is_empty() {
            if self.nulls == Some(Nulls::SkipRow) {
                self.skipped.fetch_add(given.without_value.len() as u64, Ordering::Relaxed);
            } else {
                let reason = |(row, column): (usize, String)| (row, format!("the model needs a value of {column}"));
                page.refused = self.refused(&page.joined, given.without_value.into_iter().map(reason));
            }
            page.keep(&given.is_scored).map_err(unscorable)?;
        }
        Ok(page)
    }

    /// The inputs of the model, a batch after the other, each with its first row.
    fn tensors(&self, frame: &DataFrame) -> Result<Vec<Batch>> {
        let (rows, size) = (frame.height(), self.batch.rows.get() as usize);
        let batch = |from: usize| {
            let batch = frame.slice(from as i64, size.min(rows - from));
            Ok((from, self.scoring.rows.tensors(&batch).map_err(unscorable)?))
        };
        (0..rows).step_by(size).map(batch).collect()
    }

    /// The answers of the model server to the batches of a page.
    async fn ask(&self, server: &ModelServer, batches: Vec<Batch>, page: usize) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(batches.len());
        for (from, tensors) in batches {
            let id = format!("{}/{page}-{from}", self.provenance.run);
            let scored = tokio::select! {
                scored = server.score(&id, &tensors, self.scoring.rows.signature()) => scored?,
                () = self.cancel.cancelled() => {
                    return Err(Error::new(ErrorKind::Interrupted, "interrupted while a model server scored rows"));
                }
            };
            if let Some(first) = scored.unknown.first() {
                let message =
                    format!("{} rows have no answer of the model server: {}", scored.unknown.len(), first.reason);
                return Err(Error::failed(message).retryable(true));
            }
            let rejected = scored.rejected.into_iter().map(|row| (from + row.row, row.reason.to_string()));
            let outputs = if scored.scored.is_empty() { Vec::new() } else { scored.outputs };
            answers.push(Answer { outputs, rejected: rejected.collect() });
        }
        Ok(answers)
    }

    /// Puts what is kept of the rows, their answers and their provenance beside each other, without the rows that
    /// were rejected.
    fn assemble(&self, mut page: Page, answers: Vec<Answer>) -> Result<FrameInput> {
        let mut rejected = Vec::new();
        let mut scored: Option<DataFrame> = None;
        for answer in answers {
            rejected.extend(answer.rejected);
            if answer.outputs.is_empty() {
                continue;
            }
            let mut columns =
                self.scoring.rows.columns(answer.outputs).map_err(|misfit| Error::failed(misfit.message))?;
            let rows = columns.first().map_or(0, Column::len);
            columns.extend(self.provenance.columns(rows));
            let batch = DataFrame::new(rows, columns).map_err(unscorable)?;
            match &mut scored {
                None => scored = Some(batch),
                Some(scored) => {
                    scored.vstack_mut(&batch).map_err(unscorable)?;
                }
            }
        }
        // Without rows, the columns are there all the same.
        let scored = scored.unwrap_or_else(|| DataFrame::empty_with_schema(&self.scoring.answers));
        if !rejected.is_empty() {
            let waiting = page.waiting();
            let rejected = rejected.into_iter().map(|(row, reason)| (waiting[row], reason)).collect::<Vec<_>>();
            let mut is_scored = vec![true; page.joined.height()];
            rejected.iter().for_each(|(row, _)| is_scored[*row] = false);
            let refused = self.refused(&page.joined, rejected.into_iter());
            page.refused.extend(refused);
            page.refused.sort_by_key(|row| row.row);
            page.keep(&is_scored).map_err(unscorable)?;
        }
        let rows = page.joined.height();
        let mut columns = Vec::with_capacity(self.scoring.written.len());
        for name in self.scoring.kept.iter().map(PlSmallStr::as_str).chain([INPUTS_HASH]) {
            columns.push(page.joined.column(name).map_err(unscorable)?.clone());
        }
        columns.extend(page.answers(scored, &self.scoring.answers).map_err(unscorable)?.into_columns());
        let frame = DataFrame::new(rows, columns).map_err(unscorable)?;
        Ok(FrameInput { frame, refused: page.refused })
    }

    /// The rows that lack a value, with the text of their ids.
    fn refused(&self, frame: &DataFrame, rows: impl Iterator<Item = (usize, String)>) -> Vec<RefusedRow> {
        let text = |row: usize| {
            let of = |name: &PlSmallStr| {
                let value = frame.column(name).ok()?.get(row).ok()?;
                Some(format!("{name}: {value}"))
            };
            self.scoring.kept.iter().filter_map(of).collect::<Vec<_>>().join(", ")
        };
        rows.map(|(row, reason)| RefusedRow { row: row as u64 + 1, text: text(row), reason }).collect()
    }
}

/// The inputs of some rows of a page, with the number of the first.
type Batch = (usize, Vec<Tensor>);

/// The answer of a model to a batch.
struct Answer {
    /// The outputs of the rows that were scored; none if no row was.
    outputs: Vec<Tensor>,
    /// The rows of the page that were not, with the reason.
    rejected: Vec<(usize, String)>,
}

fn score_here(model: &OnnxModel, (_, tensors): Batch) -> Result<Answer> {
    Ok(Answer { outputs: model.score(tensors)?, rejected: Vec::new() })
}

/// Works off the threads of the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::defect("scoring rows", &error))?
}

pub(super) fn unscorable(error: polars::error::PolarsError) -> Error {
    Error::failed(format!("a page of rows cannot be scored: {error}"))
}

/// Loads the model into this process.
async fn open_here(chosen: &Chosen, threads: NonZeroUsize, work: &Work<'_>) -> Result<OnnxModel> {
    let Some(path) = chosen.path.clone() else {
        return Err(Error::failed(format!("version {} of {} has no file", chosen.number, chosen.name)));
    };
    models::open(work.project, &path, OnnxOptions { threads }).await
}

/// Connects to the model server, and compares its model with the signature.
async fn connect(options: &ServerOptions<SecretRef>, chosen: &Chosen, work: &Work<'_>) -> Result<ModelServer> {
    let (environment, folder) = (&work.project.environment, &work.project.folder);
    let options = options.clone().resolve(|secret| settings::resolve(&secret, environment, folder))?;
    let server = ModelServer::connect(&options.for_model(&chosen.name))?;
    let checking = async {
        server.ready().await?;
        server.check(&chosen.signature).await
    };
    tokio::select! {
        checked = checking => checked.map(drop)?,
        () = work.cancel.cancelled() => {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted while a model server was waited for"));
        }
    }
    Ok(server)
}

impl Provenance {
    fn columns(&self, rows: usize) -> [Column; 4] {
        let instant = AnyValue::Datetime(self.at.as_millisecond(), TimeUnit::Milliseconds, Some(&TimeZone::UTC));
        let instant = Scalar::new(instant_type(), instant.into_static());
        let text = |name: &str, value: &str| Column::new_scalar(name.into(), PlSmallStr::from_str(value).into(), rows);
        [
            text(MODEL, &self.model),
            Column::new_scalar(MODEL_VERSION.into(), self.version.into(), rows),
            text(RUN, &self.run),
            Column::new_scalar(SCORED_AT.into(), instant, rows),
        ]
    }
}
