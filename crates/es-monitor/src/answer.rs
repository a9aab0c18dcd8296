//! Reading the answers of searches into counts. Pure.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::distribution::{Bin, Categorical, Content, Numeric, Summary};
use crate::error::{Error, ErrorKind};
use crate::request::{Categories, Layout};

/// The answer to one search.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    hits: Hits,
    #[serde(default)]
    aggregations: HashMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Hits {
    total: Option<Total>,
}

#[derive(Debug, Deserialize)]
struct Total {
    value: u64,
}

#[derive(Deserialize)]
struct Latest {
    value: Option<f64>,
}

#[derive(Deserialize)]
struct Percentiles {
    values: Vec<Percentile>,
}

#[derive(Deserialize)]
struct Percentile {
    value: Option<f64>,
}

#[derive(Deserialize)]
struct Buckets<T> {
    buckets: Vec<T>,
    #[serde(default)]
    doc_count_error_upper_bound: i64,
}

#[derive(Deserialize)]
struct Term {
    key: Value,
    key_as_string: Option<String>,
    doc_count: u64,
}

#[derive(Deserialize)]
struct Range {
    key: String,
    doc_count: u64,
    values: Stats,
}

#[derive(Deserialize)]
struct Stats {
    min: Option<f64>,
    max: Option<f64>,
    avg: Option<f64>,
}

#[derive(Deserialize)]
struct ExtendedStats {
    count: u64,
    min: Option<f64>,
    max: Option<f64>,
    avg: Option<f64>,
    std_deviation_population: Option<f64>,
}

#[derive(Deserialize)]
struct Missing {
    doc_count: u64,
}

#[derive(Deserialize)]
struct Top {
    top: Buckets<Term>,
}

#[derive(Deserialize)]
struct ValueCount {
    value: u64,
}

/// The values of a field in one window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counted {
    /// The number of values, which is more than the documents that have one when a
    /// document has several.
    pub(crate) values: u64,
    /// The documents with a value.
    pub(crate) documents: u64,
    pub(crate) distribution: Distribution,
    /// Of categories, the most frequent values of the reference and those of the current window, as
    /// they are met in this one.
    pub(crate) frequent: [Frequent; 2],
}

/// The most frequent values of a window, as they are met in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frequent {
    /// The number of different values.
    pub(crate) values: u64,
    /// The documents with one of them.
    pub(crate) documents: u64,
}

/// The distribution of a field in one window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Distribution {
    Numeric(Numeric),
    Categorical(Categorical),
}

impl Distribution {
    /// Documents without a value.
    pub(crate) fn missing(&self) -> u64 {
        match self {
            Self::Numeric(numeric) => numeric.missing,
            Self::Categorical(categorical) => categorical.missing,
        }
    }
}

impl Answer {
    /// The documents of the window.
    pub(crate) fn documents(&self) -> Result<u64, Error> {
        let total = self.hits.total.as_ref().map(|total| total.value);
        total.ok_or_else(|| Error::new(ErrorKind::Decode, "the answer to a search has no total"))
    }

    /// The newest time, in milliseconds since 1970.
    pub(crate) fn latest(&self) -> Result<Option<i64>, Error> {
        // Milliseconds of any year that a date can hold are whole numbers in a float.
        Ok(self.aggregation::<Latest>("latest")?.value.map(|millis| millis as i64))
    }

    /// The quantiles, in ascending order; none when the window has no values.
    pub(crate) fn quantiles(&self, name: &str) -> Result<Vec<f64>, Error> {
        let found: Percentiles = self.aggregation(name)?;
        Ok(found.values.into_iter().filter_map(|percentile| percentile.value).collect())
    }

    /// The most frequent categories, of both windows together and of each.
    pub(crate) fn categories(&self, name: &str) -> Result<Categories, Error> {
        let names = |found: Buckets<Term>| found.buckets.iter().map(category).collect();
        Ok(Categories {
            groups: names(self.aggregation(name)?),
            of_reference: names(self.aggregation::<Top>(&format!("{name}_reference"))?.top),
            of_current: names(self.aggregation::<Top>(&format!("{name}_current"))?.top),
        })
    }

    /// The counts of a field, in the layout that they were requested in.
    pub(crate) fn counted(&self, name: &str, layout: &Layout) -> Result<Counted, Error> {
        let all = self.documents()?;
        let missing = self.aggregation::<Missing>(&format!("{name}_missing"))?.doc_count;
        let documents = all.saturating_sub(missing);
        let mut frequent = [Frequent::default(); 2];
        let (values, distribution) = match layout {
            Layout::Bins(edges) => {
                let stats: ExtendedStats = self.aggregation(&format!("{name}_all"))?;
                let intervals: Vec<(f64, f64)> = edges.intervals().collect();
                let ranges: Buckets<Range> = self.aggregation(name)?;
                let numeric = numeric(&intervals, ranges.buckets, &stats, missing)?;
                (stats.count, Distribution::Numeric(numeric))
            }
            Layout::Categories(_) | Layout::Boolean => {
                let values = self.aggregation::<ValueCount>(&format!("{name}_all"))?.value;
                let terms = match layout {
                    Layout::Categories(categories) if categories.groups.is_empty() => {
                        Buckets { buckets: Vec::new(), doc_count_error_upper_bound: 0 }
                    }
                    _ => self.aggregation(name)?,
                };
                if let Layout::Categories(Categories { groups, of_reference, of_current }) = layout
                    && !groups.is_empty()
                {
                    let met = |window: &str, listed: &[String]| -> Result<Frequent, Error> {
                        // The answer to a filter has the form of one to `missing`.
                        let documents = self.aggregation::<Missing>(&format!("{name}_{window}"))?.doc_count;
                        Ok(Frequent { values: listed.len() as u64, documents })
                    };
                    frequent = [met("reference", of_reference)?, met("current", of_current)?];
                }
                (values, Distribution::Categorical(categorical(layout, &terms, documents, missing)))
            }
        };
        Ok(Counted { values, documents, distribution, frequent })
    }

    fn aggregation<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let value = self.aggregations.get(name).unwrap_or(&Value::Null);
        T::deserialize(value).map_err(|error| {
            Error::new(ErrorKind::Decode, format!("the answer to an aggregation cannot be read: {error}"))
        })
    }
}

fn category(term: &Term) -> String {
    match (&term.key_as_string, &term.key) {
        (Some(text), _) | (None, Value::String(text)) => text.clone(),
        (None, other) => other.to_string(),
    }
}

fn numeric(
    intervals: &[(f64, f64)],
    ranges: Vec<Range>,
    stats: &ExtendedStats,
    missing: u64,
) -> Result<Numeric, Error> {
    // The server sorts ranges in its own order, so they are found by their key.
    let mut by_place: HashMap<usize, Range> =
        ranges.into_iter().filter_map(|range| Some((range.key.parse().ok()?, range))).collect();
    let bins = intervals.iter().enumerate().map(|(place, (from, to))| {
        let range = by_place.remove(&place).ok_or_else(|| {
            Error::new(ErrorKind::Decode, format!("the answer to an aggregation lacks the range from {from} to {to}"))
        })?;
        let content = match (range.doc_count, range.values) {
            (0, _) => None,
            (count, Stats { min: Some(min), max: Some(max), avg: Some(mean) }) => {
                Some(Content { count, min, max, mean: Some(mean) })
            }
            _ => return Err(Error::new(ErrorKind::Decode, "a range with documents has no mean")),
        };
        Ok(Bin { from: *from, to: *to, content })
    });
    let bins: Vec<Bin> = bins.collect::<Result<_, _>>()?;
    let summary = match (stats.min, stats.max, stats.avg, stats.std_deviation_population) {
        (Some(min), Some(max), Some(mean), Some(deviation)) => {
            Some(Summary { min, max, mean, standard_deviation: deviation_from(deviation, mean, &bins) })
        }
        _ => None,
    };
    Ok(Numeric { bins, missing, summary })
}

/// The standard deviation. The server computes it from the sum of squares, which has no digits
/// left when the deviation is tiny beside the mean; then that of the means of the bins replaces
/// it, which does not include the variation inside the bins.
fn deviation_from(server: f64, mean: f64, bins: &[Bin]) -> f64 {
    if server > 1e-5 * mean.abs() {
        return server;
    }
    let means = || bins.iter().filter_map(|bin| bin.content).filter_map(|content| Some((content.count, content.mean?)));
    let count: u64 = means().map(|(count, _)| count).sum();
    let squares: f64 = means().map(|(count, of_bin)| count as f64 * (of_bin - mean).powi(2)).sum();
    (squares / count.max(1) as f64).sqrt()
}

fn categorical(layout: &Layout, terms: &Buckets<Term>, documents: u64, missing: u64) -> Categorical {
    let names = match layout {
        Layout::Categories(categories) => categories.groups.clone(),
        _ => vec!["false".to_owned(), "true".to_owned()],
    };
    let found: HashMap<String, u64> = terms.buckets.iter().map(|term| (category(term), term.doc_count)).collect();
    let categories: Vec<(String, u64)> = names
        .into_iter()
        .map(|name| (found.get(&name).copied().unwrap_or(0), name))
        .map(|(n, name)| (name, n))
        .collect();
    let known: u64 = categories.iter().map(|(_, count)| *count).sum();
    Categorical {
        other: documents.saturating_sub(known),
        missing,
        // The server writes minus one for an unknown bound.
        count_error: u64::try_from(terms.doc_count_error_upper_bound).unwrap_or(known),
        categories,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::BinEdges;
    use serde_json::json;

    fn answer(aggregations: Value) -> Answer {
        let body = json!({
            "pit_id": "p", "took": 3, "timed_out": false,
            "_shards": {"total": 2, "successful": 2, "skipped": 0, "failed": 0},
            "hits": {"total": {"value": 10, "relation": "eq"}, "max_score": null, "hits": []},
            "aggregations": aggregations,
        });
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn bins_are_read_by_their_key_and_empty_ones_have_no_content() {
        let layout = Layout::Bins(BinEdges::new(vec![0.0, 5.0]));
        let empty = json!({"count": 0, "min": null, "max": null, "avg": null, "sum": 0.0});
        let found = answer(json!({
            "f0_missing": {"doc_count": 1},
            "f0_all": {"count": 9, "min": -4.0, "max": 3.0, "avg": -1.0, "sum": -9.0, "std_deviation_population": 2.0},
            "f0": {"buckets": [
                {"key": "1", "from": 0.0, "to": 5.0, "doc_count": 4,
                    "values": {"count": 4, "min": 0.0, "max": 3.0, "avg": 1.5, "sum": 6.0}},
                {"key": "2", "from": 5.0, "doc_count": 0, "values": empty},
                {"key": "0", "to": 0.0, "doc_count": 5,
                    "values": {"count": 5, "min": -4.0, "max": -1.0, "avg": -3.0, "sum": -15.0}},
            ]},
        }))
        .counted("f0", &layout)
        .unwrap();
        assert_eq!((found.values, found.documents), (9, 9));
        let Distribution::Numeric(numeric) = found.distribution else { panic!("bins were asked for") };
        assert_eq!((numeric.counts(), numeric.missing), (vec![5, 4, 0], 1));
        assert_eq!(numeric.bins[2].content, None);
        assert_eq!(numeric.summary.unwrap().standard_deviation, 2.0);
    }

    #[test]
    fn a_deviation_without_digits_comes_from_the_bins() {
        let bin = |mean: f64| Bin {
            from: mean,
            to: mean + 1.0,
            content: Some(Content { count: 2, min: mean, max: mean, mean: Some(mean) }),
        };
        let bins = [bin(1e12 - 1.0), bin(1e12 + 1.0)];
        assert_eq!(deviation_from(131_072.0, 1e12, &bins), 1.0);
        assert_eq!(deviation_from(3.0, 5.0, &bins), 3.0);
    }

    #[test]
    fn unnamed_categories_count_as_other() {
        let layout = Layout::Categories(Categories {
            groups: vec!["UA".to_owned(), "B6".to_owned()],
            of_reference: vec!["UA".to_owned()],
            of_current: vec!["B6".to_owned(), "9E".to_owned()],
        });
        let found = answer(json!({
            "f0_missing": {"doc_count": 1}, "f0_all": {"value": 9},
            "f0_reference": {"doc_count": 0}, "f0_current": {"doc_count": 8},
            "f0": {"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0,
                "buckets": [{"key": "B6", "doc_count": 6}]},
        }))
        .counted("f0", &layout)
        .unwrap();
        let expected = Categorical {
            categories: vec![("UA".to_owned(), 0), ("B6".to_owned(), 6)],
            other: 3,
            missing: 1,
            count_error: 0,
        };
        assert_eq!(found.distribution, Distribution::Categorical(expected));
        let frequent = [Frequent { values: 1, documents: 0 }, Frequent { values: 2, documents: 8 }];
        assert_eq!(found.frequent, frequent);

        let found = answer(json!({
            "f0_missing": {"doc_count": 2}, "f0_all": {"value": 8},
            "f0": {"doc_count_error_upper_bound": -1,
                "buckets": [{"key": 1, "key_as_string": "true", "doc_count": 8}]},
        }))
        .counted("f0", &Layout::Boolean)
        .unwrap();
        let Distribution::Categorical(booleans) = found.distribution else { panic!("categories were asked for") };
        assert_eq!((booleans.counts(), booleans.count_error), (vec![0, 8, 0], 8));
    }

    #[test]
    fn an_answer_without_a_total_cannot_be_read() {
        let answer: Answer = serde_json::from_value(json!({"hits": {"total": null}})).unwrap();
        assert_eq!(answer.documents().unwrap_err().kind(), ErrorKind::Decode);
        assert_eq!(answer.latest().unwrap_err().kind(), ErrorKind::Decode);
    }
}
