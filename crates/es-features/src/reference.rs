//! The feature set that unit tests share: delays of routes, as in the flights example.

use std::num::NonZeroU32;

use jiff::tz::TimeZone;
use serde_json::json;

use crate::definition::{Cardinality, Feature, FeatureSet, Percentiles, RatioTerm, Script, Values, Window};
use crate::grid::{Grid, Step};

pub(crate) fn field(name: &str) -> Values {
    Values::Field(name.to_owned())
}

pub(crate) fn route_delays() -> FeatureSet {
    FeatureSet {
        entity: vec!["origin".to_owned(), "carrier".to_owned()],
        time: "time_hour".to_owned(),
        grid: Grid::new(Step::Days(NonZeroU32::MIN), TimeZone::UTC),
        windows: vec![Window::days(7), Window::days(28)],
        query: None,
        features: [
            ("flights", Feature::Count),
            ("delay_mean", Feature::Avg(field("dep_delay"))),
            (
                "delay",
                Feature::Percentiles(Percentiles {
                    of: field("dep_delay"),
                    percents: vec![50.0, 90.0],
                    compression: None,
                }),
            ),
            ("destinations", Feature::Cardinality(Cardinality { field: "dest".to_owned(), precision_threshold: None })),
            (
                "cancelled",
                Feature::Ratio { of: RatioTerm::Missing { field: "dep_delay".to_owned() }, to: RatioTerm::Count },
            ),
            (
                "speed",
                Feature::Avg(Values::Script(Script::new(
                    "doc['air_time'].size() == 0 ? null : 60.0 * doc['distance'].value / doc['air_time'].value",
                ))),
            ),
            ("delay_change", Feature::Derivative { of: "delay_mean".to_owned() }),
        ]
        .map(|(name, feature)| (name.to_owned(), feature))
        .to_vec(),
    }
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
