//! The bodies of the searches: aggregations only, no documents. Pure.

use es_values::Query;
use serde_json::{Map, Value, json};

use crate::distribution::BinEdges;

/// The largest number of buckets requested in one search; servers allow 65,536 by default.
pub(crate) const MAX_BUCKETS: usize = 10_000;

/// The groups in which the values of a field are counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Layout {
    /// By these bins.
    Bins(BinEdges),
    /// By categories of a field of strings or addresses.
    Categories(Categories),
    /// By false and true.
    Boolean,
}

/// The categories of a field by which its values are counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Categories {
    /// The most frequent ones of both windows together: the groups that are compared.
    ///
    /// Those of one window alone were chosen for counts that are high by chance in that window, and
    /// the other window would always have less of them. What both windows hold together says nothing
    /// about how it is divided between them.
    pub(crate) groups: Vec<String>,
    /// The most frequent ones of the reference, to see whether the windows have values in common.
    pub(crate) of_reference: Vec<String>,
    /// The most frequent ones of the current window.
    pub(crate) of_current: Vec<String>,
}

impl Layout {
    /// The number of its buckets in an answer.
    pub(crate) fn buckets(&self) -> usize {
        match self {
            Self::Bins(edges) => edges.bins(),
            Self::Categories(categories) => categories.groups.len().max(1),
            Self::Boolean => 2,
        }
    }
}

/// The newest time of the documents that a filter matches.
pub(crate) fn latest(time_field: &str, filter: Option<&Query>) -> Value {
    let query = filter.map_or_else(|| json!({"match_all": {}}), Query::to_value);
    json!({
        "size": 0, "track_total_hits": false,
        "query": {"bool": {"filter": [query]}},
        "aggs": {"latest": {"max": {"field": time_field}}},
    })
}

/// The quantiles of fields in the reference, each under its own name.
pub(crate) fn quantiles<'a>(
    query: &Value,
    fields: impl IntoIterator<Item = (&'a str, String, u32)>,
    high_accuracy: bool,
) -> Value {
    let aggregations = fields.into_iter().map(|(field, name, bins)| {
        let percents: Vec<f64> = (1..bins).map(|edge| 100.0 * f64::from(edge) / f64::from(bins)).collect();
        let mut percentiles = json!({"field": field, "percents": percents, "keyed": false});
        percentiles["tdigest"] = json!({"compression": compression(bins)});
        if high_accuracy {
            percentiles["tdigest"]["execution_hint"] = json!("high_accuracy");
        }
        (name, json!({"percentiles": percentiles}))
    });
    search(query, aggregations.collect())
}

/// The most frequent categories of fields: `{name}` of both windows together, `{name}_reference` and
/// `{name}_current` of each. All come of one search, so a document in both windows counts once.
pub(crate) fn categories<'a>(
    reference: &Value,
    current: &Value,
    fields: impl IntoIterator<Item = (&'a str, String, u32)>,
) -> Value {
    let mut aggregations = Map::new();
    for (field, name, count) in fields {
        let top = json!({"terms": {"field": field, "size": count}});
        for (window, query) in [("reference", reference), ("current", current)] {
            aggregations.insert(format!("{name}_{window}"), json!({"filter": query, "aggs": {"top": top}}));
        }
        aggregations.insert(name, top);
    }
    let either = json!({"bool": {"should": [reference, current], "minimum_should_match": 1}});
    search(&json!({"bool": {"filter": [either]}}), aggregations)
}

/// The digest's size. The server's own, 100, is too coarse for as many bins: those of 2000
/// values differ by half. The server keeps 20 nodes of 32 bytes for each unit of it.
fn compression(bins: u32) -> u32 {
    (10 * bins).clamp(100, 5000)
}

/// The counts of fields. A field's aggregations are called `{name}` (by bin or category),
/// `{name}_all` (the number of values, for numbers also size and spread),
/// `{name}_missing` (documents without the field), and of categories `{name}_reference` and
/// `{name}_current` (documents with one of the most frequent values of that window).
pub(crate) fn counts<'a>(query: &Value, fields: impl IntoIterator<Item = (&'a str, String, &'a Layout)>) -> Value {
    let mut aggregations = Map::new();
    for (field, name, layout) in fields {
        aggregations.insert(format!("{name}_missing"), json!({"missing": {"field": field}}));
        let all = match layout {
            Layout::Bins(_) => "extended_stats",
            Layout::Categories(_) | Layout::Boolean => "value_count",
        };
        aggregations.insert(format!("{name}_all"), json!({all: {"field": field}}));
        let by = match layout {
            Layout::Bins(edges) => ranges(field, edges),
            // Every shard answers for categories that are named, so no count is short.
            Layout::Categories(Categories { groups, of_reference, of_current }) if !groups.is_empty() => {
                for (window, frequent) in [("reference", of_reference), ("current", of_current)] {
                    aggregations.insert(format!("{name}_{window}"), json!({"filter": {"terms": {field: frequent}}}));
                }
                json!({"terms": {"field": field, "size": groups.len(), "include": groups}})
            }
            // Without a category in either window every value is one of the others.
            Layout::Categories(_) => continue,
            Layout::Boolean => json!({"terms": {"field": field, "size": 2}}),
        };
        aggregations.insert(name, by);
    }
    search(query, aggregations)
}

fn ranges(field: &str, edges: &BinEdges) -> Value {
    let ranges: Vec<Value> = edges
        .intervals()
        .enumerate()
        .map(|(place, (from, to))| {
            let mut range = json!({"key": place.to_string()});
            if from.is_finite() {
                range["from"] = json!(from);
            }
            if to.is_finite() {
                range["to"] = json!(to);
            }
            range
        })
        .collect();
    json!({
        "range": {"field": field, "ranges": ranges},
        "aggs": {"values": {"stats": {"field": field}}},
    })
}

fn search(query: &Value, aggregations: Map<String, Value>) -> Value {
    json!({"size": 0, "track_total_hits": true, "query": query, "aggs": aggregations})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_leave_out_the_ends() {
        let query = json!({"match_all": {}});
        let twentieths: Vec<f64> = (1..20).map(|edge| f64::from(edge) * 5.0).collect();
        let expected = json!({
            "size": 0, "track_total_hits": true, "query": {"match_all": {}},
            "aggs": {
                "f0": {"percentiles": {"field": "dep_delay", "percents": [25.0, 50.0, 75.0], "keyed": false,
                    "tdigest": {"compression": 100, "execution_hint": "high_accuracy"}}},
                "f1": {"percentiles": {"field": "distance", "percents": twentieths, "keyed": false,
                    "tdigest": {"compression": 200, "execution_hint": "high_accuracy"}}},
            },
        });
        let fields = || [("dep_delay", "f0".to_owned(), 4), ("distance", "f1".to_owned(), 20)];
        assert_eq!(quantiles(&query, fields(), true), expected);
        let plain = quantiles(&query, fields(), false);
        assert_eq!(plain["aggs"]["f0"]["percentiles"]["tdigest"], json!({"compression": 100}));
    }

    #[test]
    fn categories_are_those_of_both_windows_together() {
        let (reference, current) = (json!({"term": {"w": "r"}}), json!({"term": {"w": "c"}}));
        let top = json!({"terms": {"field": "carrier", "size": 20}});
        let expected = json!({
            "size": 0, "track_total_hits": true,
            "query": {"bool": {"filter": [{"bool": {"should": [reference, current], "minimum_should_match": 1}}]}},
            "aggs": {
                "f2": top,
                "f2_reference": {"filter": reference, "aggs": {"top": top}},
                "f2_current": {"filter": current, "aggs": {"top": top}},
            },
        });
        assert_eq!(categories(&reference, &current, [("carrier", "f2".to_owned(), 20)]), expected);
    }

    #[test]
    fn counts_cover_every_value_and_what_is_missing() {
        let query = json!({"match_all": {}});
        let bins = Layout::Bins(BinEdges::new(vec![0.0, 15.0]));
        let (carriers, none) = (
            Layout::Categories(Categories {
                groups: vec!["UA".to_owned()],
                of_reference: vec!["UA".to_owned()],
                of_current: vec!["B6".to_owned()],
            }),
            Layout::Categories(Categories::default()),
        );
        let fields = [
            ("dep_delay", "f0".to_owned(), &bins),
            ("carrier", "f1".to_owned(), &carriers),
            ("dest", "f2".to_owned(), &none),
            ("late", "f3".to_owned(), &Layout::Boolean),
        ];
        let expected = json!({
            "f0_missing": {"missing": {"field": "dep_delay"}},
            "f0_all": {"extended_stats": {"field": "dep_delay"}},
            "f0": {
                "range": {"field": "dep_delay", "ranges": [
                    {"key": "0", "to": 0.0}, {"key": "1", "from": 0.0, "to": 15.0}, {"key": "2", "from": 15.0}]},
                "aggs": {"values": {"stats": {"field": "dep_delay"}}},
            },
            "f1_missing": {"missing": {"field": "carrier"}},
            "f1_all": {"value_count": {"field": "carrier"}},
            "f1": {"terms": {"field": "carrier", "size": 1, "include": ["UA"]}},
            "f1_reference": {"filter": {"terms": {"carrier": ["UA"]}}},
            "f1_current": {"filter": {"terms": {"carrier": ["B6"]}}},
            "f2_missing": {"missing": {"field": "dest"}},
            "f2_all": {"value_count": {"field": "dest"}},
            "f3_missing": {"missing": {"field": "late"}},
            "f3_all": {"value_count": {"field": "late"}},
            "f3": {"terms": {"field": "late", "size": 2}},
        });
        assert_eq!(counts(&query, fields)["aggs"], expected);
        assert_eq!([bins.buckets(), carriers.buckets(), none.buckets()], [3, 1, 1]);
    }
}
