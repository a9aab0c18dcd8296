//! Reading the answers of searches into typed rows. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::key::{KeyType, KeyValue};
use crate::plan::{Aggregation, Plan};
use crate::request::{entity_name, metric_name, range_name};

/// The numbers of one entity.
#[derive(Debug, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) key: Vec<KeyValue>,
    pub(crate) slots: Vec<Option<f64>>,
}

/// The range of the times of documents, and their number.
#[derive(Debug, PartialEq)]
pub(crate) struct Extent {
    /// The times of the oldest and the newest document; `None` where there is none.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
    pub(crate) documents: u64,
    pub(crate) without_entity: u64,
    pub(crate) without_time: u64,
}

/// The members of a JSON object, not yet read. The names that are looked up need no escapes, so
/// they can be borrowed.
type Members<'a> = BTreeMap<&'a str, &'a RawValue>;

#[derive(Deserialize)]
struct Answer<T> {
    hits: Hits,
    aggregations: Option<T>,
}

#[derive(Deserialize)]
struct Hits {
    total: Option<Total>,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
}

#[derive(Deserialize)]
struct RowAggregations<'a> {
    #[serde(borrow)]
    rows: Rows<'a>,
}

#[derive(Deserialize)]
struct Rows<'a> {
    #[serde(borrow)]
    buckets: Vec<Members<'a>>,
}

#[derive(Deserialize)]
struct Percentile<'a> {
    key: f64,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// The reason that an answer cannot be used; the caller adds the request.
#[derive(Debug)]
pub(crate) enum Unusable {
    Json(serde_json::Error),
    Form(String),
}

impl Unusable {
    pub(crate) fn into_error(self, action: &str) -> Error {
        match self {
            Self::Json(error) => Error::decode(action, error),
            Self::Form(reason) => Error::decode(action, reason),
        }
    }
}

impl From<serde_json::Error> for Unusable {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// Reads a page of rows.
pub(crate) fn page(body: &[u8], plan: &Plan, entity: &[KeyType]) -> Result<Vec<Bucket>, Unusable> {
    let answer: Answer<RowAggregations<'_>> = serde_json::from_slice(body)?;
    let rows = answer.aggregations.map(|aggregations| aggregations.rows.buckets).unwrap_or_default();
    rows.iter().map(|members| bucket(members, plan, entity)).collect()
}

/// Reads the extent of the source.
pub(crate) fn extent(body: &[u8]) -> Result<Extent, Unusable> {
    let answer: Answer<BTreeMap<&str, Members<'_>>> = serde_json::from_slice(body)?;
    let documents = answer.hits.total.as_ref().map_or(0, |total| total.value);
    let Some(found) = answer.aggregations else {
        // A pattern that matches no index has no shards, and so no aggregations.
        return Ok(Extent { times: None, documents, without_entity: 0, without_time: 0 });
    };
    let answer = |name: &str| found.get(name).ok_or_else(|| Unusable::Form(format!("there is no `{name}`")));
    let times = match (time(answer("oldest")?)?, time(answer("newest")?)?) {
        (Some(oldest), Some(newest)) => Some((oldest, newest)),
        _ => None,
    };
    Ok(Extent {
        times,
        documents,
        without_entity: whole(member(answer("without_entity")?, "doc_count")?)?,
        without_time: whole(member(answer("without_time")?, "doc_count")?)?,
    })
}

fn bucket(members: &Members<'_>, plan: &Plan, entity: &[KeyType]) -> Result<Bucket, Unusable> {
    let key: Members<'_> = serde_json::from_str(member(members, "key")?.get())?;
    let key = entity
        .iter()
        .enumerate()
        .map(|(index, key_type)| {
            let value = member(&key, &entity_name(index))?;
            key_type
                .read(value)
                .ok_or_else(|| Unusable::Form(format!("expected an entity value of type {key_type:?}, found {value}")))
        })
        .collect::<Result<_, _>>()?;
    let mut slots = vec![None; plan.slots];
    for (index, range) in plan.ranges.iter().enumerate() {
        let answers: Members<'_> = serde_json::from_str(member(members, &range_name(index))?.get())?;
        slots[range.count] = number(member(&answers, "doc_count")?)?;
        for (metric, first) in &range.metrics {
            let aggregation = &plan.aggregations[*metric];
            let answer: Members<'_> = serde_json::from_str(member(&answers, &metric_name(*metric))?.get())?;
            read_answer(&answer, aggregation, &mut slots[*first..*first + aggregation.slots()])?;
        }
    }
    Ok(Bucket { key, slots })
}

fn read_answer(answer: &Members<'_>, aggregation: &Aggregation, slots: &mut [Option<f64>]) -> Result<(), Unusable> {
    let single = |name: &str| number(member(answer, name)?);
    match aggregation {
        Aggregation::Metric(..) | Aggregation::Cardinality { .. } => slots[0] = single("value")?,
        Aggregation::Filter(_) => slots[0] = single("doc_count")?,
        Aggregation::ExtendedStats(_) => {
            for (slot, name) in slots.iter_mut().zip(["count", "sum_of_squares", "variance", "std_deviation"]) {
                *slot = single(name)?;
            }
        }
        Aggregation::Percentiles { percents, .. } => {
            let values: Vec<Percentile<'_>> = serde_json::from_str(member(answer, "values")?.get())?;
            for (slot, percent) in slots.iter_mut().zip(percents) {
                let found = values
                    .iter()
                    .find(|value| value.key == *percent)
                    .ok_or_else(|| Unusable::Form(format!("there is no percentile {percent}")))?;
                *slot = number(found.value)?;
            }
        }
    }
    Ok(())
}

fn member<'a>(members: &Members<'a>, name: &str) -> Result<&'a RawValue, Unusable> {
    members.get(name).copied().ok_or_else(|| Unusable::Form(format!("there is no `{name}`")))
}

/// A number, or `None` for null and for values that JSON has no number for: Elasticsearch writes
/// those as `"NaN"`, `"Infinity"` and `"-Infinity"`.
fn number(json: &RawValue) -> Result<Option<f64>, Unusable> {
    match json.get() {
        "null" | "\"NaN\"" | "\"Infinity\"" | "\"-Infinity\"" => Ok(None),
        text => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(Unusable::Form(format!("{text} is not a number"))),
        },
    }
}

fn whole(json: &RawValue) -> Result<u64, Unusable> {
    json.get().parse().map_err(|_| Unusable::Form(format!("{json} is not a count")))
}

fn time(answer: &Members<'_>) -> Result<Option<Timestamp>, Unusable> {
    let Some(millisecond) = number(member(answer, "value")?)? else { return Ok(None) };
    // Whole milliseconds, far below 2^53 for any representable time.
    Timestamp::from_millisecond(millisecond as i64)
        .map(Some)
        .map_err(|error| Unusable::Form(format!("the time {millisecond} is out of range: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Feature, FeatureSet, RatioTerm};
    use crate::reference::{COMPRESSION, route_delays};
    use serde_json::{Value, json};

    const ENTITY: [KeyType; 2] = [KeyType::Text, KeyType::Text];

    /// One window and one feature of each kind of answer.
    fn set() -> FeatureSet {
        let mut set = route_delays();
        set.windows.truncate(1);
        set.features.clear();
        set.with_feature("flights", Feature::count())
            .with_feature("mean", Feature::avg("x"))
            .with_feature("p", Feature::percentiles("x", [90.0, 50.0]))
            .with_feature("kinds", Feature::cardinality("x"))
            .with_feature("missing", Feature::ratio(RatioTerm::missing("x"), RatioTerm::count()))
            .with_feature("variance", Feature::variance("x"))
            .with_feature("squares", Feature::sum_of_squares("x"))
    }

    /// An answer in the form that Elasticsearch 9.4 gives.
    fn answer(buckets: Value) -> Value {
        json!({
            "pit_id": "46ToAwMD", "took": 12, "timed_out": false,
            "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
            "hits": {"max_score": null, "hits": []},
            "aggregations": {"rows": {"after_key": {"e0": "EWR", "e1": "9E"}, "buckets": buckets}},
        })
    }

    fn buckets() -> Value {
        json!([
            {"key": {"e0": "EWR", "e1": "9\"E"}, "doc_count": 86, "w0": {
                "doc_count": 23, "m0": {"value": -3.347826086956522},
                "m1": {"values": [{"key": 50.0, "value": -8.0}, {"key": 90.0, "value": 2.0000000000000036}]},
                "m2": {"value": 3}, "m3": {"doc_count": 4},
                "m4": {"count": 19, "min": 1.0, "max": 2.0, "avg": 1.5, "sum": 28.5, "sum_of_squares": 40.25,
                       "variance": 0.5, "std_deviation": 0.75, "std_deviation_bounds": {"upper": 3.0}},
            }},
            {"key": {"e0": "JFK", "e1": "UA"}, "doc_count": 1, "w0": {
                "doc_count": 0, "m0": {"value": "Infinity"},
                "m1": {"values": [{"key": 50.0, "value": null}, {"key": 90.0, "value": "NaN"}]},
                "m2": {"value": 0}, "m3": {"doc_count": 0},
                "m4": {"count": 0, "min": null, "max": null, "avg": null, "sum": 0.0, "sum_of_squares": null,
                       "variance": null, "std_deviation": null},
            }},
        ])
    }

    fn read(answer: &Value) -> Result<Vec<Bucket>, Unusable> {
        page(answer.to_string().as_bytes(), &Plan::new(&set(), COMPRESSION).unwrap(), &ENTITY)
    }

    #[test]
    fn numbers_go_to_their_slots_and_other_values_are_null() {
        let page = read(&answer(buckets())).unwrap();
        assert_eq!(page[0].key, [KeyValue::Text("EWR".into()), KeyValue::Text("9\"E".into())]);
        let values = |bucket: usize| -> Vec<Option<f64>> {
            let plan = Plan::new(&set(), COMPRESSION).unwrap();
            plan.outputs.iter().map(|(_, formula)| formula.value(&page[bucket].slots)).collect()
        };
        // flights, mean, p90, p50, kinds, missing, variance, squares
        assert_eq!(
            values(0),
            [23.0, -3.347826086956522, 2.0000000000000036, -8.0, 3.0, 4.0 / 23.0, 0.5, 40.25].map(Some)
        );
        assert_eq!(values(1), [Some(0.0), None, None, None, Some(0.0), None, None, Some(0.0)]);
    }

    #[test]
    fn an_answer_that_lacks_a_number_is_not_read_as_null() {
        for (path, expected) in [
            ("/aggregations/rows/buckets/0/w0", "there is no `w0`"),
            ("/aggregations/rows/buckets/0/key", "there is no `key`"),
            ("/aggregations/rows/buckets/0/key/e1", "there is no `e1`"),
            ("/aggregations/rows/buckets/0/w0/doc_count", "there is no `doc_count`"),
            ("/aggregations/rows/buckets/0/w0/m0", "there is no `m0`"),
            ("/aggregations/rows/buckets/0/w0/m0/value", "there is no `value`"),
            ("/aggregations/rows/buckets/0/w0/m4/variance", "there is no `variance`"),
        ] {
            let mut answer = answer(buckets());
            let (parent, name) = path.rsplit_once('/').unwrap();
            answer.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
            let error = read(&answer).unwrap_err().into_error("computing");
            assert_eq!(error.kind(), crate::ErrorKind::Decode);
            assert!(error.to_string().contains(expected), "{error}");
        }
        let mut other_percent = buckets();
        other_percent[0]["w0"]["m1"]["values"][1]["key"] = json!(95.0);
        let error = read(&answer(other_percent)).unwrap_err().into_error("computing");
        assert!(error.to_string().contains("there is no percentile 90"), "{error}");
        let mut number_as_key = buckets();
        number_as_key[0]["key"]["e0"] = json!(7);
        let error = read(&answer(number_as_key)).unwrap_err().into_error("computing");
        assert!(error.to_string().contains("expected an entity value of type Text, found 7"), "{error}");
    }

    #[test]
    fn a_body_of_another_form_cannot_be_read() {
        for body in [&b"<html>"[..], b"{}", b"{\"timed_out\":false", b""] {
            let error =
                page(body, &Plan::new(&set(), COMPRESSION).unwrap(), &ENTITY).unwrap_err().into_error("computing x");
            assert_eq!(error.kind(), crate::ErrorKind::Decode);
            assert!(error.to_string().starts_with("the answer to computing x cannot be read"), "{error}");
        }
    }

    fn extent_of(oldest: Value, newest: Value) -> Result<Extent, Unusable> {
        let answer = json!({
            "pit_id": "a", "took": 1, "timed_out": false,
            "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
            "hits": {"total": {"value": 7, "relation": "eq"}, "max_score": null, "hits": []},
            "aggregations": {
                "oldest": {"value": oldest, "value_as_string": "x"}, "newest": {"value": newest},
                "without_entity": {"doc_count": 2}, "without_time": {"doc_count": 1},
            },
        });
        extent(answer.to_string().as_bytes())
    }

    #[test]
    fn the_extent_is_read() {
        let read = extent_of(json!(1.356_998_400_123e12), json!(1.388_552_400_000e12)).unwrap();
        let times = ("2013-01-01T00:00:00.123Z".parse().unwrap(), "2014-01-01T05:00:00Z".parse().unwrap());
        assert_eq!(read.times, Some(times));
        assert_eq!((read.documents, read.without_entity, read.without_time), (7, 2, 1));
        assert_eq!(extent_of(json!(null), json!(null)).unwrap().times, None);
        assert!(matches!(extent_of(json!(-1e300), json!(0.0)), Err(Unusable::Form(_))));
    }
}
