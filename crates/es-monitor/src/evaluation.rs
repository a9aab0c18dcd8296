//! The evaluation of a monitor: a few searches in one point in time, then the verdicts.

use std::time::Duration;

use es_core::{Client, PointInTime, Version};
use jiff::Timestamp;
use serde_json::Value;
use tracing::debug;

use crate::answer::{Answer, Counted, Distribution};
use crate::distribution::{BinEdges, Numeric, Resolution};
use crate::error::{Error, ErrorKind};
use crate::field::{self, Field, FieldKind};
use crate::judgement::judge;
use crate::kolmogorov_smirnov;
use crate::monitor::{FieldMonitor, Method, Monitor};
use crate::report::{FieldReport, Report, WindowReport};
use crate::request::{self, Layout, MAX_BUCKETS, Survey};
use crate::verdict::{Reason, Verdict};
use crate::wasserstein;

/// How long the server keeps the state of the index between two searches.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// Since when percentiles take `execution_hint`.
const HIGH_ACCURACY_SINCE: Version = Version { major: 8, minor: 9, patch: 0 };

/// How often the bins of a field are refined when they leave the verdict open.
const REFINEMENTS: u32 = 3;

/// How many bins are refined at once, and into how many each.
const REFINED_BINS: usize = 64;
const PIECES: u32 = 16;

/// Evaluates a monitor. `now` is the time of the evaluation.
///
/// All searches see the index as it was when the evaluation started. A field that cannot be
/// measured, for want of documents or because it is constant, is part of the report.
///
/// # Errors
/// [`ErrorKind::Spec`], [`ErrorKind::IndexNotFound`], [`ErrorKind::FieldNotFound`] and
/// [`ErrorKind::FieldType`] for a monitor that cannot be evaluated as it is;
/// [`ErrorKind::Elasticsearch`] when a request failed or a shard did not answer.
pub async fn evaluate(client: &Client, monitor: &Monitor, now: Timestamp) -> Result<Report, Error> {
    monitor.check()?;
    let indices = client.indices().describe(&monitor.index).await?;
    if indices.is_empty() {
        return Err(Error::new(ErrorKind::IndexNotFound, format!("there is no index or alias {}", monitor.index)));
    }
    field::check_time(&indices, &monitor.time_field)?;
    let mut fields = Vec::with_capacity(monitor.fields.len());
    for (name, field_monitor) in &monitor.fields {
        fields.push((field::resolve(&indices, name, field_monitor.method)?, *field_monitor));
    }
    let point_in_time = client.open_point_in_time(&monitor.index, KEEP_ALIVE).await?;
    let mut reader = Reader { point_in_time, searches: 0, high_accuracy: client.info().version >= HIGH_ACCURACY_SINCE };
    let outcome = reader.evaluate(monitor, &fields, now).await;
    if let Err(error) = reader.point_in_time.close().await {
        // What was read is right all the same, and the server frees it after a while.
        debug!(%error, "a point in time was left to expire");
    }
    outcome
}

/// Reads in one point in time and counts its searches.
struct Reader {
    point_in_time: PointInTime,
    searches: u32,
    high_accuracy: bool,
}

/// A query for each window.
struct Queries {
    reference: Value,
    current: Value,
}

/// A field in both windows, with the number of documents of each window.
struct Measured {
    reference: Counted,
    current: Counted,
    documents: (u64, u64),
}

impl Reader {
    async fn evaluate(
        &mut self,
        monitor: &Monitor,
        fields: &[(Field, FieldMonitor)],
        now: Timestamp,
    ) -> Result<Report, Error> {
        let latest = if monitor.reference.needs_latest() || monitor.current.needs_latest() {
            let answer = self.search(request::latest(&monitor.time_field, monitor.query.as_ref())).await?;
            answer.latest()?.and_then(|millis| Timestamp::from_millisecond(millis).ok())
        } else {
            None
        };
        let (reference, current) = (monitor.reference.resolve(now, latest)?, monitor.current.resolve(now, latest)?);
        let queries = Queries {
            reference: reference.query(&monitor.time_field, monitor.query.as_ref()),
            current: current.query(&monitor.time_field, monitor.query.as_ref()),
        };
        let layouts = self.layouts(&queries.reference, fields).await?;
        let asked: Vec<(&Field, Layout)> = fields.iter().map(|(field, _)| field).zip(layouts).collect();
        let mut reports = Vec::with_capacity(fields.len());
        let mut documents = (0, 0);
        let mut place = 0;
        for chunk in chunks(&asked) {
            for measured in self.measure(&queries, chunk).await? {
                documents = measured.documents;
                let (field, field_monitor) = &fields[place];
                let layout = &asked[place].1;
                reports.push(self.decide(&queries, monitor, field, field_monitor, layout, measured).await?);
                place += 1;
            }
        }
        Ok(Report {
            verdict: Verdict::of_all(reports.iter().map(|report| report.verdict)),
            severity: monitor.severity,
            index: monitor.index.clone(),
            time_field: monitor.time_field.clone(),
            query: monitor.query.clone(),
            reference: WindowReport { interval: reference, documents: documents.0 },
            current: WindowReport { interval: current, documents: documents.1 },
            windows_overlap: reference.overlaps(&current),
            fields: reports,
            evaluated_at: now,
            computed_by: concat!("es-monitor ", env!("CARGO_PKG_VERSION")).to_owned(),
            searches: self.searches,
        })
    }

    async fn search(&mut self, body: Value) -> Result<Answer, Error> {
        let page = self.point_in_time.search(&body).await?;
        self.searches += 1;
        let answer = Answer::read(&page.body)?;
        if let Some(id) = &answer.pit_id {
            self.point_in_time.renew(id);
        }
        Ok(answer)
    }

    /// Bins and categories of all fields, from the reference.
    async fn layouts(&mut self, reference: &Value, fields: &[(Field, FieldMonitor)]) -> Result<Vec<Layout>, Error> {
        let surveys: Vec<(&Field, String, Survey)> = fields
            .iter()
            .enumerate()
            .filter_map(|(place, (field, monitor))| {
                Some((field, aggregation_name(place), survey(field.kind, monitor, self.high_accuracy)?))
            })
            .collect();
        let answer = if surveys.is_empty() {
            None
        } else {
            let asked = surveys.iter().map(|(field, name, survey)| (field.name.as_str(), name.clone(), *survey));
            Some(self.search(request::survey(reference, asked)).await?)
        };
        let layout = |(place, (field, _)): (usize, &(Field, FieldMonitor))| {
            let name = aggregation_name(place);
            Ok(match (field.kind, &answer) {
                (FieldKind::Numeric(resolution), Some(answer)) => {
                    Layout::Bins(BinEdges::from_quantiles(&answer.quantiles(&name)?, resolution))
                }
                (FieldKind::Categorical, Some(answer)) => Layout::Categories(answer.categories(&name)?),
                _ => Layout::Boolean,
            })
        };
        fields.iter().enumerate().map(layout).collect()
    }

    /// Counts fields in both windows.
    async fn measure(&mut self, queries: &Queries, fields: &[(&Field, Layout)]) -> Result<Vec<Measured>, Error> {
        let body = |query| {
            let asked = fields.iter().enumerate();
            request::counts(
                query,
                asked.map(|(place, (field, layout))| (field.name.as_str(), aggregation_name(place), layout)),
            )
        };
        let reference = self.search(body(&queries.reference)).await?;
        let current = self.search(body(&queries.current)).await?;
        let documents = (reference.documents()?, current.documents()?);
        let read = |(place, (_, layout)): (usize, &(&Field, Layout))| {
            let name = aggregation_name(place);
            Ok(Measured {
                reference: reference.counted(&name, layout)?,
                current: current.counted(&name, layout)?,
                documents,
            })
        };
        fields.iter().enumerate().map(read).collect()
    }

    /// The verdict on a field. Where the bins leave it open, those that do are refined.
    async fn decide(
        &mut self,
        queries: &Queries,
        monitor: &Monitor,
        field: &Field,
        field_monitor: &FieldMonitor,
        layout: &Layout,
        mut measured: Measured,
    ) -> Result<FieldReport, Error> {
        let mut layout = layout.clone();
        for _ in 0..REFINEMENTS {
            let report = judge(field, field_monitor, monitor.min_values, &measured.reference, &measured.current);
            let Some(Reason::Undecided { .. }) = report.values.reason else { return Ok(report) };
            let Some(refined) = refine(field, field_monitor.method, &layout, &measured) else { return Ok(report) };
            layout = refined;
            let Some(finer) = self.measure(queries, &[(field, layout.clone())]).await?.pop() else {
                return Ok(report);
            };
            measured = finer;
        }
        Ok(judge(field, field_monitor, monitor.min_values, &measured.reference, &measured.current))
    }
}

fn aggregation_name(place: usize) -> String {
    format!("f{place}")
}

fn survey(kind: FieldKind, monitor: &FieldMonitor, high_accuracy: bool) -> Option<Survey> {
    match kind {
        FieldKind::Numeric(_) => Some(Survey::Quantiles { bins: monitor.bins_for(true), high_accuracy }),
        FieldKind::Categorical => Some(Survey::TopCategories { count: monitor.bins_for(false) }),
        FieldKind::Boolean => None,
    }
}

/// Groups of fields, in order, whose buckets fit in one answer.
fn chunks<'a, 'b>(fields: &'a [(&'b Field, Layout)]) -> Vec<&'a [(&'b Field, Layout)]> {
    let mut chunks = Vec::new();
    let (mut start, mut buckets) = (0, 0);
    for (place, (_, layout)) in fields.iter().enumerate() {
        if place > start && buckets + layout.buckets() > MAX_BUCKETS {
            chunks.push(&fields[start..place]);
            (start, buckets) = (place, 0);
        }
        buckets += layout.buckets();
    }
    chunks.push(&fields[start..]);
    chunks
}

/// The layout with the bins that leave the verdict open cut into pieces; none when there is
/// nothing to cut.
fn refine(field: &Field, method: Method, layout: &Layout, measured: &Measured) -> Option<Layout> {
    let (Layout::Bins(edges), FieldKind::Numeric(resolution)) = (layout, field.kind) else { return None };
    let (Distribution::Numeric(reference), Distribution::Numeric(current)) =
        (&measured.reference.distribution, &measured.current.distribution)
    else {
        return None;
    };
    let open = match method {
        Method::KolmogorovSmirnov { .. } => kolmogorov_smirnov::undecided_bins(reference, current),
        Method::Wasserstein { .. } => wasserstein::undecided_bins(reference, current),
        _ => Vec::new(),
    };
    let cuts = open.into_iter().take(REFINED_BINS).flat_map(|place| cuts(reference, current, place, resolution));
    let finer = edges.with(cuts);
    (finer.bins() > edges.bins()).then_some(Layout::Bins(finer))
}

/// Edges that cut a bin, between the smallest and the largest value in it, into pieces of
/// equal width.
fn cuts(reference: &Numeric, current: &Numeric, place: usize, resolution: Resolution) -> Vec<f64> {
    let contents = || [reference, current].into_iter().filter_map(|window| window.bins.get(place)?.content);
    let low = contents().map(|content| content.min).fold(f64::INFINITY, f64::min);
    let high = contents().map(|content| content.max).fold(f64::NEG_INFINITY, f64::max);
    if low >= high {
        return Vec::new();
    }
    let at = |piece: u32| resolution.snap(low + (high - low) * f64::from(piece) / f64::from(PIECES));
    (1..PIECES).map(at).filter(|edge| low < *edge && *edge <= high).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_asked_for_in_groups_that_fit_one_answer() {
        let field = Field { name: "f".to_owned(), field_type: "double".to_owned(), kind: FieldKind::Boolean };
        let bins = |count: u32| (&field, Layout::Bins(BinEdges::new((1..count).map(f64::from).collect())));
        let fields = [bins(6000), bins(4000), bins(1), bins(20_000), bins(2)];
        let sizes: Vec<usize> = chunks(&fields).iter().map(|chunk| chunk.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
    }

    #[test]
    fn bins_are_cut_between_the_values_they_hold() {
        let edges = BinEdges::new(vec![10.0]);
        let (r, c) = (Numeric::of_values(&[1.0, 3.0, 12.0], &edges, 0), Numeric::of_values(&[2.0, 12.0], &edges, 0));
        assert_eq!(cuts(&r, &c, 0, Resolution::Double)[..2], [1.125, 1.25]);
        let mut whole = cuts(&r, &c, 0, Resolution::Whole);
        whole.dedup();
        assert_eq!(whole, [2.0, 3.0]);
        assert!(cuts(&r, &c, 1, Resolution::Double).is_empty(), "all of its values are 12");
    }
}
