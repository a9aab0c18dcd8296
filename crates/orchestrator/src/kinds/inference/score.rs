//! Rows as they pass: features are joined, values encoded, the model is run, and what is kept is put beside
//! its outputs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use es_bulk::{FrameInput, RefusedRow};
use es_export::encode::Encoders;
use es_export::{AddedColumn, Transform};
use es_serving::Outputs;
use es_serving::onnx::{OnnxModel, OnnxOptions, OnnxRuntime};
use es_serving::open_inference::Tensor;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use polars::prelude::{
    AnyValue, BooleanChunked, Column, DataFrame, DataType, Field, NewChunkedArray as _, PlSmallStr, Scalar, Schema,
    TimeUnit, TimeZone,
};
use tokio_util::sync::CancellationToken;

use super::definition::{BatchSize, Inference, ModelRunner, Nulls};
use super::model::Chosen;
use super::rows::{Misfit, RowPlan};
use crate::error::{Error, ErrorKind, Result};
use crate::kinds::{Subject, Work};

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
    kept: Vec<PlSmallStr>,
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
        let own = [MODEL, MODEL_VERSION, RUN, SCORED_AT].into_iter().map(PlSmallStr::from_static);
        let of_outputs: Vec<Field> = rows.added();
        let mut names = own.chain(of_outputs.iter().map(|field| field.name.clone()));
        if let Some(twice) = names.find(|name| kept.contains(name)) {
            let message = format!("the rows have a column `{twice}`, and predictions have a field of that name");
            return Err(asset.error_at(
                "write",
                &message,
                Some("rename the column in an asset of kind `sql`, or leave it out of `keep`"),
            ));
        }
        let mut written: Schema =
            kept.iter().filter_map(|name| Some((name.clone(), schema.get(name)?.clone()))).collect();
        for field in of_outputs {
            written.insert(field.name, field.dtype);
        }
        for (name, dtype) in provenance_types() {
            written.insert(name, dtype);
        }
        Ok(Self { rows, encoders: chosen.encoders.clone(), kept, written })
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
        (SCORED_AT.into(), DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC))),
    ]
}

/// What wrote a prediction.
#[derive(Clone, Debug)]
struct Provenance {
    model: String,
    version: i32,
    run: String,
    at: Timestamp,
}

/// A model with what it needs to score rows.
#[derive(Debug)]
pub(super) struct Scorer {
    scoring: Scoring,
    joins: Option<Arc<dyn Transform>>,
    model: OnnxModel,
    nulls: Option<Nulls>,
    batch: BatchSize,
    provenance: Provenance,
    skipped: AtomicU64,
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
        let ModelRunner::Onnx { threads } = inference.server;
        let settings = &work.project.settings.inference;
        let library = settings.library.as_ref().map(|path| work.project.path(path));
        let path = chosen.path.clone();
        let opening = tokio::task::spawn_blocking(move || {
            let runtime = OnnxRuntime::load(library.as_deref())?;
            OnnxModel::open(&runtime, &path, OnnxOptions { threads })
        });
        let model = opening.await.map_err(|error| Error::defect("opening the model", &error))?;
        let model = model.map_err(crate::models::with_remedy)?;
        let provenance = Provenance {
            model: chosen.name.clone(),
            version: i32::try_from(chosen.number).unwrap_or(i32::MAX),
            run: work.run.to_owned(),
            at: work.now,
        };
        let (nulls, batch) = (inference.nulls, inference.batch);
        let (skipped, cancel) = (AtomicU64::new(0), work.cancel.clone());
        Ok(Arc::new(Self { scoring, joins, model, nulls, batch, provenance, skipped, cancel }))
    }

    /// The rows that got no prediction because the asset says so.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Scores frames, several at a time and in their order, off the threads of the runtime.
    pub(super) fn stream(
        self: Arc<Self>,
        frames: impl Stream<Item = Result<DataFrame>> + Send,
    ) -> impl Stream<Item = Result<FrameInput>> + Send {
        let in_flight = self.batch.in_flight.get() as usize;
        let scored = frames.map(move |frame| {
            let scorer = self.clone();
            async move {
                let frame = frame?;
                let scoring = tokio::task::spawn_blocking(move || scorer.rows(&frame)).await;
                scoring.map_err(|error| Error::defect("scoring rows", &error))?
            }
        });
        scored.buffered(in_flight)
    }

    /// The rows of a frame with their predictions, and those that are rejected.
    fn rows(&self, frame: &DataFrame) -> Result<FrameInput> {
        let failed =
            |error: polars::error::PolarsError| Error::failed(format!("a page of rows cannot be scored: {error}"));
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
        let given = self.scoring.rows.given(&encoded).map_err(failed)?;
        let mut refused = Vec::new();
        let (encoded, joined) = match given.without_value.is_empty() {
            true => (encoded, joined),
            false => {
                if self.nulls == Some(Nulls::SkipRow) {
                    self.skipped.fetch_add(given.without_value.len() as u64, Ordering::Relaxed);
                } else {
                    refused = self.refused(&joined, &given.without_value);
                }
                let mask = BooleanChunked::from_slice(PlSmallStr::EMPTY, &given.is_scored);
                (encoded.filter(&mask).map_err(failed)?, joined.filter(&mask).map_err(failed)?)
            }
        };
        let outputs = self.outputs(&encoded).map_err(|error| error.within("scoring"))?;
        let mut columns = Vec::with_capacity(self.scoring.written.len());
        for name in &self.scoring.kept {
            columns.push(joined.column(name).map_err(failed)?.clone());
        }
        columns.extend(outputs);
        columns.extend(self.provenance.columns(joined.height()));
        let frame = DataFrame::new(joined.height(), columns).map_err(failed)?;
        Ok(FrameInput { frame, refused })
    }

    /// The model's answers to rows, a batch after the other, as columns.
    fn outputs(&self, frame: &DataFrame) -> Result<Vec<Column>> {
        let failed = |error: polars::error::PolarsError| Error::failed(error.to_string());
        let size = self.batch.rows.get() as usize;
        let mut whole: Option<DataFrame> = None;
        let mut from = 0;
        // A frame without rows has columns all the same.
        while from < frame.height() || whole.is_none() {
            let rows = size.min(frame.height() - from);
            let batch = frame.slice(from as i64, rows);
            let outputs: Vec<Tensor> = match rows {
                0 => {
                    return Ok(self
                        .scoring
                        .rows
                        .added()
                        .iter()
                        .map(|field| Column::new_empty(field.name.clone(), &field.dtype))
                        .collect());
                }
                _ => self.model.score(self.scoring.rows.tensors(&batch).map_err(failed)?)?,
            };
            let columns = self.scoring.rows.columns(outputs).map_err(|misfit| Error::failed(misfit.message))?;
            let scored = DataFrame::new(rows, columns).map_err(failed)?;
            match &mut whole {
                None => whole = Some(scored),
                Some(whole) => {
                    whole.vstack_mut(&scored).map_err(failed)?;
                }
            }
            from += rows;
        }
        Ok(whole.map(DataFrame::into_columns).unwrap_or_default())
    }

    /// The rows that lack a value, with the text of their ids.
    fn refused(&self, frame: &DataFrame, rows: &[(usize, String)]) -> Vec<RefusedRow> {
        let text = |row: usize| {
            let of = |name: &PlSmallStr| {
                let value = frame.column(name).ok()?.get(row).ok()?;
                Some(format!("{name}: {value}"))
            };
            self.scoring.kept.iter().filter_map(of).collect::<Vec<_>>().join(", ")
        };
        let refused = rows.iter().map(|(row, column)| RefusedRow {
            row: *row as u64 + 1,
            text: text(*row),
            reason: format!("the model needs a value of {column}"),
        });
        refused.collect()
    }
}

impl Provenance {
    fn columns(&self, rows: usize) -> [Column; 4] {
        let instant = AnyValue::Datetime(self.at.as_millisecond(), TimeUnit::Milliseconds, Some(&TimeZone::UTC));
        let instant =
            Scalar::new(DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)), instant.into_static());
        let text = |name: &str, value: &str| Column::new_scalar(name.into(), PlSmallStr::from_str(value).into(), rows);
        [
            text(MODEL, &self.model),
            Column::new_scalar(MODEL_VERSION.into(), self.version.into(), rows),
            text(RUN, &self.run),
            Column::new_scalar(SCORED_AT.into(), instant, rows),
        ]
    }
}
