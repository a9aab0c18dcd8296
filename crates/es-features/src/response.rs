//! The answers to the searches, read into typed rows. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::key::{KeyType, KeyValue};
use crate::plan::{Aggregation, Plan};
use crate::request::{entity_name, metric_name, range_name};

/// One page of entities.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    /// The newest id of the point in time.
    pub(crate) pit_id: Option<String>,
    pub(crate) buckets: Vec<Bucket>,
}

/// The numbers of one entity.
#[derive(Debug, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) key: Vec<KeyValue>,
    pub(crate) slots: Vec<Option<f64>>,
}

/// From when to when there are documents, and how many.
#[derive(Debug, PartialEq)]
pub(crate) struct Extent {
    pub(crate) pit_id: Option<String>,
    /// The times of the oldest and the newest document; `None` where there is none.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
    pub(crate) documents: u64,
    pub(crate) without_entity: u64,
    pub(crate) without_time: u64,
}

/// Members of a JSON object, each still unread. The names that are looked up need no
/// escapes, so they can be borrowed.
type Members<'a> = BTreeMap<&'a str, &'a RawValue>;

#[derive(Deserialize)]
struct Envelope<'a, T> {
    pit_id: Option<String>,
    timed_out: bool,
    #[serde(rename = "_shards", borrow)]
    shards: Shards<'a>,
    hits: Hits,
    aggregations: Option<T>,
}

#[derive(Deserialize)]
struct Shards<'a> {
    failed: u32,
    #[serde(borrow)]
    failures: Option<&'a RawValue>,
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

/// Why an answer cannot be used; the caller adds what was asked.
#[derive(Debug)]
pub(crate) enum Unusable {
    Incomplete(String),
    Json(serde_json::Error),
    Form(String),
}

impl Unusable {
    pub(crate) fn into_error(self, action: &str) -> Error {
        let action = action.to_owned();
        match self {
            Self::Incomplete(reason) => Error::PartialResult { action, reason },
            Self::Json(source) => Error::Decode { action, reason: source.to_string(), source: Some(source) },
            Self::Form(reason) => Error::Decode { action, reason, source: None },
        }
    }
}

impl From<serde_json::Error> for Unusable {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// Reads a page of rows.
pub(crate) fn page(body: &[u8], plan: &Plan, entity: &[KeyType]) -> Result<Page, Unusable> {
    let envelope: Envelope<'_, RowAggregations<'_>> = serde_json::from_slice(body)?;
    envelope.check()?;
    let rows = envelope.aggregations.map(|aggregations| aggregations.rows.buckets).unwrap_or_default();
    let buckets = rows.iter().map(|members| bucket(members, plan, entity)).collect::<Result<_, _>>()?;
    Ok(Page { pit_id: envelope.pit_id, buckets })
}

/// Reads the extent of the source.
pub(crate) fn extent(body: &[u8]) -> Result<Extent, Unusable> {
    let envelope: Envelope<'_, BTreeMap<&str, Members<'_>>> = serde_json::from_slice(body)?;
    envelope.check()?;
    let documents = envelope.hits.total.as_ref().map_or(0, |total| total.value);
    let Some(found) = envelope.aggregations else {
        // A pattern that matches no index has no shards, and so no aggregations.
        let pit_id = envelope.pit_id;
        return Ok(Extent { pit_id, times: None, documents, without_entity: 0, without_time: 0 });
    };
    let answer = |name: &str| found.get(name).ok_or_else(|| Unusable::Form(format!("there is no `{name}`")));
    let times = match (time(answer("oldest")?)?, time(answer("newest")?)?) {
        (Some(oldest), Some(newest)) => Some((oldest, newest)),
        _ => None,
    };
    Ok(Extent {
        pit_id: envelope.pit_id,
        times,
        documents,
        without_entity: whole(member(answer("without_entity")?, "doc_count")?)?,
        without_time: whole(member(answer("without_time")?, "doc_count")?)?,
    })
}

impl<T> Envelope<'_, T> {
    fn check(&self) -> Result<(), Unusable> {
        if self.timed_out {
            return Err(Unusable::Incomplete("the search timed out".to_owned()));
        }
        if self.shards.failed > 0 {
            let why = self.shards.failures.map(|failures| format!(": {}", failures.get())).unwrap_or_default();
            return Err(Unusable::Incomplete(format!("{} shards failed{why}", self.shards.failed)));
        }
        Ok(())
    }
}

fn bucket(members: &Members<'_>, plan: &Plan, entity: &[KeyType]) -> Result<Bucket, Unusable> {
    let key: Members<'_> = serde_json::from_str(member(members, "key")?.get())?;
    let key = entity
        .iter()
        .enumerate()
        .map(|(index, key_type)| {
            let value = member(&key, &entity_name(index))?;
            key_type.read(value).ok_or_else(|| Unusable::Form(format!("{value} is no {key_type:?} of an entity")))
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

/// A number, or `None` for null and for what JSON has no number for: Elasticsearch writes
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
    // Whole milliseconds, far below 2^53 for any time there is an instant for.
    Timestamp::from_millisecond(millisecond as i64)
        .map(Some)
        .map_err(|error| Unusable::Form(format!("the time {millisecond} is out of range: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Cardinality, Feature, FeatureSet, Percentiles, RatioTerm, Window};
    use crate::reference::{field, route_delays};
    use serde_json::{Value, json};

    const ENTITY: [KeyType; 2] = [KeyType::Text, KeyType::Text];

    /// One window and one feature of each kind of answer.
    fn set() -> FeatureSet {
        let features = [
            ("flights", Feature::Count),
            ("mean", Feature::Avg(field("x"))),
            ("p", Feature::Percentiles(Percentiles { of: field("x"), percents: vec![90.0, 50.0], compression: None })),
            ("kinds", Feature::Cardinality(Cardinality { field: "x".to_owned(), precision_threshold: None })),
            ("missing", Feature::Ratio { of: RatioTerm::Missing { field: "x".to_owned() }, to: RatioTerm::Count }),
            ("variance", Feature::Variance(field("x"))),
            ("squares", Feature::SumOfSquares(field("x"))),
        ];
        FeatureSet {
            windows: vec![Window::days(7)],
            features: features.map(|(name, feature)| (name.to_owned(), feature)).to_vec(),
            ..route_delays()
        }
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

    fn read(answer: &Value) -> Result<Page, Unusable> {
        page(answer.to_string().as_bytes(), &Plan::new(&set()).unwrap(), &ENTITY)
    }

    #[test]
    fn numbers_go_to_their_slots_and_no_numbers_are_null() {
        let page = read(&answer(buckets())).unwrap();
        assert_eq!(page.pit_id.as_deref(), Some("46ToAwMD"));
        assert_eq!(page.buckets[0].key, [KeyValue::Text("EWR".into()), KeyValue::Text("9\"E".into())]);
        let values = |bucket: usize| -> Vec<Option<f64>> {
            let plan = Plan::new(&set()).unwrap();
            plan.outputs.iter().map(|(_, formula)| formula.value(&page.buckets[bucket].slots)).collect()
        };
        // flights, mean, p90, p50, kinds, missing, variance, squares
        assert_eq!(
            values(0),
            [23.0, -3.347826086956522, 2.0000000000000036, -8.0, 3.0, 4.0 / 23.0, 0.5, 40.25].map(Some)
        );
        assert_eq!(values(1), [Some(0.0), None, None, None, Some(0.0), None, None, Some(0.0)]);
    }

    #[test]
    fn an_answer_that_is_thinned_is_not_used() {
        let mut timed_out = answer(buckets());
        timed_out["timed_out"] = json!(true);
        let mut failed = answer(buckets());
        failed["_shards"] = json!({"total": 2, "failed": 1, "failures": [{"reason": {"type": "oops"}}]});
        for (answer, expected) in [(timed_out, "the search timed out"), (failed, "1 shards failed: [{\"reason\"")] {
            let error = read(&answer).unwrap_err().into_error("computing");
            assert_eq!(error.kind(), crate::ErrorKind::PartialResult);
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.is_retryable());
        }
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
        assert!(error.to_string().contains("7 is no Text of an entity"), "{error}");
    }

    #[test]
    fn what_is_no_answer_is_told_as_such() {
        for body in [&b"<html>"[..], b"{}", b"{\"timed_out\":false", b""] {
            let error = page(body, &Plan::new(&set()).unwrap(), &ENTITY).unwrap_err().into_error("computing x");
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
