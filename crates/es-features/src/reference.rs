//! The feature set that unit tests share: delays of routes, as in the flights example.

use es_values::Query;
use serde_json::{Value, json};

use crate::options::{Feature, FeatureSet, Metric, RatioTerm};

/// The compression of the percentiles of tests.
pub(crate) const COMPRESSION: f64 = 500.0;

pub(crate) fn route_delays() -> FeatureSet {
    let speed = "doc['air_time'].size() == 0 ? null : 60.0 * doc['distance'].value / doc['air_time'].value";
    FeatureSet::new(["origin", "carrier"], "time_hour", "1d".parse().unwrap())
        .with_window("7d".parse().unwrap())
        .with_window("28d".parse().unwrap())
        .with_feature("flights", Feature::count())
        .with_feature("delay_mean", Feature::avg("dep_delay"))
        .with_feature("delay", Feature::percentiles("dep_delay", [50.0, 90.0]))
        .with_feature("destinations", Feature::cardinality("dest"))
        .with_feature("cancelled", Feature::ratio(RatioTerm::missing("dep_delay"), RatioTerm::count()))
        .with_feature("speed", Feature::avg(Metric::script(speed)))
        .with_feature("delay_change", Feature::derivative("delay_mean"))
}

pub(crate) fn query(value: Value) -> Query {
    serde_json::from_value(value).unwrap()
}

/// The mapping of the documents.
pub(crate) fn departures() -> es_core::Mapping {
    serde_json::from_value(json!({"properties": {
        "origin": {"type": "keyword"},
        "carrier": {"type": "keyword"},
        "dest": {"type": "keyword", "fields": {"text": {"type": "text"}}},
        "dep_delay": {"type": "integer"},
        "air_time": {"type": "integer"},
        "distance": {"type": "integer"},
        "time_hour": {"type": "date"},
    }}))
    .unwrap()
}
