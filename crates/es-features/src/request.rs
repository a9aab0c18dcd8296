//! The bodies of the searches. Pure.
//!
//! Aggregations have short names (`w0`, `m3`), as each is repeated for every entity.

use es_values::Query;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::key::KeyValue;
use crate::options::{FeatureSet, ValueSource};
use crate::plan::{Aggregation, MetricKind, Plan, RangeEnd};

/// The format of the times that are sent, whatever format the field has.
const TIME_FORMAT: &str = "strict_date_optional_time";

/// A grid time and the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GridTime {
    pub(crate) time: Timestamp,
    pub(crate) previous: Timestamp,
}

impl GridTime {
    fn end(&self, ends_at: RangeEnd) -> Timestamp {
        match ends_at {
            RangeEnd::GridTime => self.time,
            RangeEnd::PreviousGridTime => self.previous,
        }
    }
}

/// One page of the entities of one grid time.
pub(crate) fn page(set: &FeatureSet, plan: &Plan, at: GridTime, after: Option<&[KeyValue]>, size: usize) -> Value {
    let sources: Vec<Value> = set
        .entity
        .iter()
        .enumerate()
        .map(|(index, field)| json!({entity_name(index): {"terms": {"field": field}}}))
        .collect();
    let mut composite = json!({"size": size, "sources": sources});
    if let Some(after) = after {
        let after: Map<String, Value> =
            after.iter().enumerate().map(|(index, value)| (entity_name(index), value.to_json())).collect();
        composite["after"] = Value::Object(after);
    }
    let ranges: Map<String, Value> = plan
        .ranges
        .iter()
        .enumerate()
        .map(|(index, range)| {
            let end = at.end(range.ends_at);
            let metrics: Map<String, Value> = range
                .metrics
                .iter()
                .map(|(metric, _)| (metric_name(*metric), aggregation(&plan.aggregations[*metric])))
                .collect();
            let filter = time_range(&set.time, before(end, range.length), end);
            let mut body = json!({"filter": filter});
            if !metrics.is_empty() {
                body["aggs"] = Value::Object(metrics);
            }
            (range_name(index), body)
        })
        .collect();
    json!({
        "size": 0,
        "track_total_hits": false,
        "query": query(set, plan, at),
        "aggs": {"rows": {"composite": composite, "aggs": ranges}},
    })
}

/// The documents that a grid time needs to see.
pub(crate) fn query(set: &FeatureSet, plan: &Plan, at: GridTime) -> Value {
    let oldest_end = if plan.needs_previous { at.previous } else { at.time };
    let range = time_range(&set.time, before(oldest_end, plan.longest_window), at.time);
    let mut filter = vec![range];
    filter.extend(set.filter.as_ref().map(Query::to_value));
    json!({"bool": {"filter": filter}})
}

/// The range of the times of documents, and the number that lack a field and are in no row.
pub(crate) fn extent(set: &FeatureSet) -> Value {
    let exists = |field: &String| json!({"exists": {"field": field}});
    let entity: Vec<Value> = set.entity.iter().map(exists).collect();
    json!({
        "size": 0,
        "track_total_hits": true,
        "query": set.filter.as_ref().map_or_else(|| json!({"match_all": {}}), Query::to_value),
        "aggs": {
            "oldest": {"min": {"field": set.time}},
            "newest": {"max": {"field": set.time}},
            "without_entity": {"filter": {"bool": {"must_not": {"bool": {"filter": entity}}}}},
            "without_time": {"filter": {"bool": {"must_not": exists(&set.time)}}},
        },
    })
}

/// The header and body lines that run one aggregation of each script over a query.
pub(crate) fn script_probes(index: &str, query: &Value, scripts: &[(&str, &ValueSource)]) -> Vec<u8> {
    let indices: Vec<&str> = index.split(',').collect();
    let header = json!({"index": indices, "allow_partial_search_results": false});
    let mut lines = Vec::new();
    for (_, values) in scripts {
        let aggregation = aggregation(&Aggregation::Metric(MetricKind::Avg, (*values).clone()));
        let body = json!({"size": 0, "track_total_hits": false, "query": query, "aggs": {"probe": aggregation}});
        lines.extend_from_slice(format!("{header}\n{body}\n").as_bytes());
    }
    lines
}

pub(crate) fn entity_name(index: usize) -> String {
    format!("e{index}")
}

pub(crate) fn range_name(index: usize) -> String {
    format!("w{index}")
}

pub(crate) fn metric_name(index: usize) -> String {
    format!("m{index}")
}

fn before(end: Timestamp, length: std::time::Duration) -> Timestamp {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    end.checked_sub(length).unwrap_or(Timestamp::MIN)
}

fn time_range(field: &str, from: Timestamp, to: Timestamp) -> Value {
    json!({"range": {field: {"gte": from.to_string(), "lt": to.to_string(), "format": TIME_FORMAT}}})
}

fn aggregation(aggregation: &Aggregation) -> Value {
    match aggregation {
        Aggregation::Metric(metric, of) => {
            let name = match metric {
                MetricKind::Sum => "sum",
                MetricKind::Avg => "avg",
                MetricKind::Min => "min",
                MetricKind::Max => "max",
                MetricKind::ValueCount => "value_count",
            };
            json!({name: values(of)})
        }
        Aggregation::ExtendedStats(of) => json!({"extended_stats": values(of)}),
        Aggregation::Percentiles { of, percents, compression } => {
            let mut body = values(of);
            body["percents"] = json!(percents);
            body["keyed"] = json!(false);
            body["tdigest"] = json!({"compression": compression});
            json!({"percentiles": body})
        }
        Aggregation::Cardinality { field, precision_threshold } => {
            let mut body = json!({"field": field});
            if let Some(threshold) = precision_threshold {
                body["precision_threshold"] = json!(threshold);
            }
            json!({"cardinality": body})
        }
        Aggregation::Filter(query) => json!({"filter": query}),
    }
}

fn values(values: &ValueSource) -> Value {
    match values {
        ValueSource::Field(field) => json!({"field": field}),
        ValueSource::Script(source) => json!({"script": {"source": source, "lang": "painless"}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Feature;
    use crate::reference::{COMPRESSION, query, route_delays};

    fn field(name: &str) -> ValueSource {
        ValueSource::Field(name.to_owned())
    }

    fn plan(set: &FeatureSet) -> Plan {
        Plan::new(set, COMPRESSION).unwrap()
    }

    fn at(time: &str, previous: &str) -> GridTime {
        GridTime { time: time.parse().unwrap(), previous: previous.parse().unwrap() }
    }

    #[test]
    fn a_page_asks_for_every_window_and_its_metrics() {
        let mut set = route_delays();
        set.filter = Some(query(json!({"term": {"origin": "JFK"}})));
        let plan = plan(&set);
        let after = [KeyValue::Text("EWR".to_owned()), KeyValue::Text("UA".to_owned())];
        // The day before this grid time has 23 hours.
        let at = at("2013-03-11T04:00:00Z", "2013-03-10T05:00:00Z");
        insta::assert_json_snapshot!(page(&set, &plan, at, Some(&after), 1000));
    }

    #[test]
    fn without_derivatives_nothing_before_the_longest_window_is_read() {
        let mut set = route_delays();
        set.features.clear();
        let set = set.with_feature("flights", Feature::count());
        let plan = plan(&set);
        let page = page(&set, &plan, at("2013-03-11T04:00:00Z", "2013-03-10T05:00:00Z"), None, 10);
        let day = |from: &str| {
            json!({"range": {"time_hour": {
                "gte": from, "lt": "2013-03-11T04:00:00Z", "format": "strict_date_optional_time"
            }}})
        };
        let expected = json!({
            "size": 0,
            "track_total_hits": false,
            "query": {"bool": {"filter": [day("2013-02-11T04:00:00Z")]}},
            "aggs": {"rows": {
                "composite": {"size": 10, "sources": [
                    {"e0": {"terms": {"field": "origin"}}}, {"e1": {"terms": {"field": "carrier"}}}
                ]},
                "aggs": {
                    "w0": {"filter": day("2013-03-04T04:00:00Z")},
                    "w1": {"filter": day("2013-02-11T04:00:00Z")},
                },
            }},
        });
        assert_eq!(page, expected);
    }

    #[test]
    fn each_aggregation_is_written_as_elasticsearch_reads_it() {
        for (asked, expected) in [
            (Aggregation::Metric(MetricKind::Sum, field("x")), json!({"sum": {"field": "x"}})),
            (Aggregation::Metric(MetricKind::Min, field("x")), json!({"min": {"field": "x"}})),
            (Aggregation::Metric(MetricKind::Max, field("x")), json!({"max": {"field": "x"}})),
            (Aggregation::Metric(MetricKind::ValueCount, field("x")), json!({"value_count": {"field": "x"}})),
            (
                Aggregation::Metric(MetricKind::Avg, ValueSource::Script("6".to_owned())),
                json!({"avg": {"script": {"source": "6", "lang": "painless"}}}),
            ),
            (Aggregation::ExtendedStats(field("x")), json!({"extended_stats": {"field": "x"}})),
            (
                Aggregation::Percentiles { of: field("x"), percents: vec![50.0, 99.9], compression: 200.0 },
                json!({"percentiles": {
                    "field": "x", "percents": [50.0, 99.9], "keyed": false, "tdigest": {"compression": 200.0}
                }}),
            ),
            (
                Aggregation::Cardinality { field: "x".to_owned(), precision_threshold: Some(100) },
                json!({"cardinality": {"field": "x", "precision_threshold": 100}}),
            ),
            (Aggregation::Filter(json!({"match_all": {}})), json!({"filter": {"match_all": {}}})),
        ] {
            assert_eq!(aggregation(&asked), expected);
        }
    }

    #[test]
    fn the_extent_counts_what_belongs_to_no_row() {
        let expected = json!({
            "size": 0,
            "track_total_hits": true,
            "query": {"match_all": {}},
            "aggs": {
                "oldest": {"min": {"field": "time_hour"}},
                "newest": {"max": {"field": "time_hour"}},
                "without_entity": {"filter": {"bool": {"must_not": {"bool": {"filter": [
                    {"exists": {"field": "origin"}}, {"exists": {"field": "carrier"}}
                ]}}}}},
                "without_time": {"filter": {"bool": {"must_not": {"exists": {"field": "time_hour"}}}}},
            },
        });
        assert_eq!(extent(&route_delays()), expected);
    }

    #[test]
    fn script_probes_are_lines_of_a_multi_search() {
        let script = ValueSource::Script("1\n+ 1".to_owned());
        let lines = script_probes("a,b", &json!({"match_none": {}}), &[("x", &script)]);
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            concat!(
                r#"{"index":["a","b"],"allow_partial_search_results":false}"#,
                "\n",
                r#"{"size":0,"track_total_hits":false,"query":{"match_none":{}},"#,
                r#""aggs":{"probe":{"avg":{"script":{"source":"1\n+ 1","lang":"painless"}}}}}"#,
                "\n"
            )
        );
    }
}
