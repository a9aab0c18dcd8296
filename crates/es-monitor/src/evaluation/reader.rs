//! The searches of an evaluation, all in one point in time.

use std::ops::Range;

use es_core::{NextPage, PageSize, PointInTime};
use jiff::Timestamp;
use serde_json::Value;

use super::groups::group;
use super::{EvaluationProgress, Observer};
use crate::answer::{Answer, Counted};
use crate::distribution::BinEdges;
use crate::error::Error;
use crate::field::{Field, FieldKind};
use crate::options::{FieldMonitor, Monitor};
use crate::request::{self, Layout, MAX_BUCKETS};

/// Reads in one point in time and counts its searches.
pub(super) struct Reader<'a> {
    pub(super) point_in_time: PointInTime,
    /// True when the server has the digest of percentiles that is slower and more exact.
    pub(super) high_accuracy: bool,
    pub(super) progress: EvaluationProgress,
    pub(super) observer: Option<&'a Observer>,
    /// The largest number of buckets of one search, lower after a circuit breaker refused one.
    pub(super) max_buckets: usize,
}

/// The counts of fields in one window, with the number of its documents.
pub(super) struct WindowCounts {
    pub(super) documents: u64,
    pub(super) fields: Vec<Counted>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        point_in_time: PointInTime,
        high_accuracy: bool,
        fields: usize,
        observer: Option<&'a Observer>,
    ) -> Self {
        let progress = EvaluationProgress { fields, ..EvaluationProgress::default() };
        Self { point_in_time, high_accuracy, progress, observer, max_buckets: MAX_BUCKETS }
    }

    /// The time of the newest document, where there is one.
    pub(super) async fn latest(&mut self, monitor: &Monitor) -> Result<Option<Timestamp>, Error> {
        let body = request::latest(&monitor.time, monitor.filter.as_ref());
        let answer: Answer = self.point_in_time.search(&body).await?.json()?;
        self.searched();
        Ok(answer.latest()?.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
    }

    /// Bins of the fields, from the reference, and categories, from both windows.
    pub(super) async fn layouts(
        &mut self,
        reference: &Value,
        current: &Value,
        fields: &[(Field, FieldMonitor)],
    ) -> Result<Vec<Layout>, Error> {
        let mut layouts = vec![Layout::Boolean; fields.len()];
        let of_kind = |is_wanted: fn(FieldKind) -> bool, numeric: bool| -> Vec<(usize, u32)> {
            let all = fields.iter().enumerate().filter(|(_, (field, _))| is_wanted(field.kind));
            all.map(|(index, (_, monitor))| (index, monitor.bins_for(numeric))).collect()
        };
        let asked = |(index, count): &(usize, u32)| (fields[*index].0.name.as_str(), name(*index), *count);

        let high_accuracy = self.high_accuracy;
        let numbers = of_kind(|kind| matches!(kind, FieldKind::Numeric(_)), true);
        let buckets: Vec<usize> = numbers.iter().map(|(_, bins)| *bins as usize).collect();
        let body = |group: Range<usize>| request::quantiles(reference, numbers[group].iter().map(asked), high_accuracy);
        for (group, answer) in self.search_groups(&buckets, body).await? {
            for (index, _) in &numbers[group] {
                let FieldKind::Numeric(resolution) = fields[*index].0.kind else { continue };
                let edges = BinEdges::from_quantiles(&answer.quantiles(&name(*index))?, resolution);
                layouts[*index] = Layout::Bins(edges);
            }
        }

        let words = of_kind(|kind| kind == FieldKind::Categorical, false);
        // The categories of both windows together, and those of each.
        let buckets: Vec<usize> = words.iter().map(|(_, count)| 3 * *count as usize).collect();
        let body = |group: Range<usize>| request::categories(reference, current, words[group].iter().map(asked));
        for (group, answer) in self.search_groups(&buckets, body).await? {
            for (index, _) in &words[group] {
                layouts[*index] = Layout::Categories(answer.categories(&name(*index))?);
            }
        }
        Ok(layouts)
    }

    /// Counts fields in the window of a query.
    pub(super) async fn count(&mut self, query: &Value, fields: &[(&Field, &Layout)]) -> Result<WindowCounts, Error> {
        let buckets: Vec<usize> = fields.iter().map(|(_, layout)| layout.buckets()).collect();
        let body = |group: Range<usize>| {
            let asked = group.map(|index| (fields[index].0.name.as_str(), name(index), fields[index].1));
            request::counts(query, asked)
        };
        let mut counts = WindowCounts { documents: 0, fields: Vec::with_capacity(fields.len()) };
        for (group, answer) in self.search_groups(&buckets, body).await? {
            counts.documents = answer.documents()?;
            for index in group {
                counts.fields.push(answer.counted(&name(index), fields[index].1)?);
            }
        }
        Ok(counts)
    }

    /// Searches for fields in groups that fit into one answer. Where a circuit breaker refuses a
    /// search, it is sent again for fewer fields.
    async fn search_groups(
        &mut self,
        buckets: &[usize],
        body: impl Fn(Range<usize>) -> Value + Send + Sync,
    ) -> Result<Vec<(Range<usize>, Answer)>, Error> {
        let size = PageSize::of_rows(MAX_BUCKETS);
        let mut answers = Vec::new();
        let mut start = 0;
        while start < buckets.len() {
            let next = NextPage { after: None, max_rows: self.max_buckets };
            let page = self.point_in_time.search_sized(&size, next, |max| body(group(buckets, start, max))).await?;
            self.max_buckets = page.refused_to.unwrap_or(self.max_buckets);
            let group = group(buckets, start, page.rows);
            start = group.end;
            answers.push((group, page.answer.json()?));
            self.searched();
        }
        Ok(answers)
    }

    fn searched(&mut self) {
        self.progress.searches += 1;
        self.report();
    }

    pub(super) fn field_done(&mut self) {
        self.progress.fields_done += 1;
        self.report();
    }

    fn report(&self) {
        if let Some(observer) = self.observer {
            observer(self.progress);
        }
    }
}

/// The name of the aggregations of a field.
fn name(index: usize) -> String {
    format!("f{index}")
}
