//! The evaluation of a monitor: a few searches in one point in time, then the verdicts.

mod groups;
mod reader;
mod refine;

use std::time::Duration;

use es_core::{Client, Version};
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::answer::Counted;
use crate::decision::decide;
use crate::error::{Error, ErrorKind};
use crate::field::{self, Field};
use crate::interval::Interval;
use crate::options::{FieldMonitor, Monitor};
use crate::report::{FieldReport, Report, WindowReport};
use crate::request::Layout;
use crate::verdict::{Reason, Verdict};
use reader::Reader;
use refine::refine;

/// The default of [`Evaluation::with_min_values`].
pub const DEFAULT_MIN_VALUES: u64 = 30;

/// The time that the server keeps the state of the index between two searches.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// The first version whose percentiles have an `execution_hint`.
const HIGH_ACCURACY_SINCE: Version = Version { major: 8, minor: 9, patch: 0 };

/// The largest number of times that the bins of a field are refined when they leave the verdict
/// open.
const REFINEMENTS: u32 = 3;

/// The evaluation of a monitor over an index or alias, before it runs.
pub struct Evaluation<'a> {
    client: &'a Client,
    index: &'a str,
    monitor: &'a Monitor,
    now: Timestamp,
    min_values: u64,
    cancel: CancellationToken,
    observer: Option<Observer>,
}

/// The progress of an evaluation, for an observer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EvaluationProgress {
    /// The number of fields.
    pub fields: usize,
    /// Fields with a verdict.
    pub fields_done: usize,
    /// Searches that were answered.
    pub searches: u32,
}

/// A function that is called with the progress of an evaluation.
type Observer = Box<dyn Fn(EvaluationProgress) + Send + Sync>;

/// A query for each window.
struct Queries {
    reference: Value,
    current: Value,
}

/// A field in both windows.
struct Measured {
    reference: Counted,
    current: Counted,
}

/// Evaluates a monitor over an index or alias; `now` is the time of the evaluation. See
/// [`Evaluation`] for its options.
///
/// # Errors
/// As [`Evaluation::run`].
pub async fn evaluate(client: &Client, index: &str, monitor: &Monitor, now: Timestamp) -> Result<Report, Error> {
    Evaluation::new(client, index, monitor).at(now).run().await
}

impl<'a> Evaluation<'a> {
    /// An evaluation at the present time.
    pub fn new(client: &'a Client, index: &'a str, monitor: &'a Monitor) -> Self {
        let (now, cancel) = (Timestamp::now(), CancellationToken::new());
        Self { client, index, monitor, now, min_values: DEFAULT_MIN_VALUES, cancel, observer: None }
    }

    /// Sets the time of the evaluation, where a window that ends now ends.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// Sets the number of values of a field that each window needs for a verdict, by default
    /// [`DEFAULT_MIN_VALUES`].
    #[must_use]
    pub fn with_min_values(mut self, values: u64) -> Self {
        self.min_values = values;
        self
    }

    /// Ends the evaluation with [`ErrorKind::Cancelled`] once the token is cancelled, whatever it
    /// waits for.
    #[must_use]
    pub fn with_cancellation(mut self, token: CancellationToken) -> Self {
        self.cancel = token;
        self
    }

    /// Sets a function that is called with the progress, after every search and every field.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(EvaluationProgress) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Evaluates the monitor.
    ///
    /// All searches see the index as it was when the evaluation started. A field that cannot be
    /// measured, because it has too few documents or is constant, is part of the report.
    ///
    /// # Errors
    /// [`ErrorKind::Definition`], [`ErrorKind::IndexNotFound`], [`ErrorKind::FieldNotFound`] and
    /// [`ErrorKind::FieldType`] for a monitor that cannot be evaluated as it is;
    /// [`ErrorKind::Elasticsearch`], [`ErrorKind::PartialResult`] and [`ErrorKind::Decode`] when a
    /// request failed.
    pub async fn run(self) -> Result<Report, Error> {
        let cancel = self.cancel.clone();
        cancel.run_until_cancelled(self.run_uncancelled()).await.unwrap_or_else(|| Err(Error::cancelled()))
    }

    async fn run_uncancelled(&self) -> Result<Report, Error> {
        self.monitor.validate()?;
        let indices = self.client.indices().describe(self.index).await?;
        if indices.is_empty() {
            return Err(Error::new(ErrorKind::IndexNotFound, format!("there is no index or alias {}", self.index))
                .with_help("create the index first, or correct its name"));
        }
        field::check_time(&indices, &self.monitor.time)?;
        let mut fields = Vec::with_capacity(self.monitor.fields.len());
        for (name, field_monitor) in &self.monitor.fields {
            fields.push((field::resolve(&indices, name, field_monitor.method())?, *field_monitor));
        }
        let point_in_time = self.client.open_point_in_time(self.index, KEEP_ALIVE).await?;
        let high_accuracy = self.client.info().version >= HIGH_ACCURACY_SINCE;
        let mut reader = Reader::new(point_in_time, high_accuracy, fields.len(), self.observer.as_ref());
        let outcome = self.measure_all(&mut reader, &fields).await;
        if let Err(error) = reader.point_in_time.close().await {
            // The result is right all the same, and the server frees the point in time later.
            debug!(%error, "a point in time was left to expire");
        }
        outcome
    }

    async fn measure_all(&self, reader: &mut Reader<'_>, fields: &[(Field, FieldMonitor)]) -> Result<Report, Error> {
        let monitor = self.monitor;
        let latest = if monitor.current.needs_latest() { reader.latest(monitor).await? } else { None };
        let reference = monitor.reference.resolve(&monitor.timezone)?;
        let current = monitor.current.resolve(&monitor.timezone, self.now, latest)?;
        let query = |window: &Interval| window.query(&monitor.time, monitor.filter.as_ref());
        let queries = Queries { reference: query(&reference), current: query(&current) };

        let layouts = reader.layouts(&queries.reference, &queries.current, fields).await?;
        let asked: Vec<(&Field, &Layout)> = fields.iter().map(|(field, _)| field).zip(&layouts).collect();
        let reference_counts = reader.count(&queries.reference, &asked).await?;
        let current_counts = reader.count(&queries.current, &asked).await?;
        let documents = (reference_counts.documents, current_counts.documents);

        let mut reports = Vec::with_capacity(fields.len());
        let counts = reference_counts.fields.into_iter().zip(current_counts.fields);
        for (((field, field_monitor), layout), (reference, current)) in fields.iter().zip(layouts).zip(counts) {
            let measured = Measured { reference, current };
            reports.push(self.decide_field(reader, &queries, field, field_monitor, layout, measured).await?);
            reader.field_done();
        }
        Ok(Report {
            verdict: Verdict::combine(reports.iter().map(|report| report.verdict)),
            severity: monitor.severity,
            index: self.index.to_owned(),
            time_field: monitor.time.clone(),
            query: monitor.filter.as_ref().map(es_values::Query::to_value),
            reference: WindowReport { interval: reference, documents: documents.0 },
            current: WindowReport { interval: current, documents: documents.1 },
            windows_overlap: reference.overlaps(&current),
            fields: reports,
            evaluated_at: self.now,
            computed_by: concat!("es-monitor ", env!("CARGO_PKG_VERSION")).to_owned(),
            searches: reader.progress.searches,
        })
    }

    /// Decides on a field. Bins that leave the verdict open are refined.
    async fn decide_field(
        &self,
        reader: &mut Reader<'_>,
        queries: &Queries,
        field: &Field,
        field_monitor: &FieldMonitor,
        mut layout: Layout,
        mut measured: Measured,
    ) -> Result<FieldReport, Error> {
        for _ in 0..REFINEMENTS {
            let report = decide(field, field_monitor, self.min_values, &measured.reference, &measured.current);
            let Some(Reason::Undecided { .. }) = report.values.reason else { return Ok(report) };
            let method = field_monitor.method();
            let Some(refined) = refine(field, method, &layout, &measured.reference, &measured.current) else {
                return Ok(report);
            };
            layout = refined;
            let asked = [(field, &layout)];
            let reference = reader.count(&queries.reference, &asked).await?.fields.pop();
            let current = reader.count(&queries.current, &asked).await?.fields.pop();
            let (Some(reference), Some(current)) = (reference, current) else { return Ok(report) };
            measured = Measured { reference, current };
        }
        Ok(decide(field, field_monitor, self.min_values, &measured.reference, &measured.current))
    }
}
