//! A window as instants.

use es_values::Query;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A window as instants: `from` belongs to it, `to` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The first instant that belongs to it.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

impl Interval {
    /// Returns true when an instant belongs to both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// The query for the documents with a time in it that `filter` matches.
    pub(crate) fn query(&self, time_field: &str, filter: Option<&Query>) -> Value {
        let within = json!({"range": {time_field: {
            "gte": self.from.to_string(), "lt": self.to.to_string(), "format": "strict_date_optional_time_nanos",
        }}});
        let filters: Vec<Value> = [within].into_iter().chain(filter.map(Query::to_value)).collect();
        json!({"bool": {"filter": filters}})
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn touching_windows_do_not_overlap() {
        let days = |from: &str, to: &str| Interval { from: instant(from), to: instant(to) };
        let june = days("2013-06-01T00:00:00Z", "2013-07-01T00:00:00Z");
        let july = days("2013-07-01T00:00:00Z", "2013-08-01T00:00:00Z");
        assert!(!june.overlaps(&july) && !july.overlaps(&june));
        assert!(june.overlaps(&days("2013-06-30T23:59:59Z", "2013-07-02T00:00:00Z")));
    }

    #[test]
    fn the_query_excludes_the_end_and_includes_the_filter() {
        let interval = Interval { from: instant("2013-06-01T00:00:00Z"), to: instant("2013-07-01T00:00:00Z") };
        let filter: Query = serde_json::from_value(json!({"term": {"origin": "JFK"}})).unwrap();
        let found = interval.query("time_hour", Some(&filter));
        let expected = json!({"bool": {"filter": [
            {"range": {"time_hour": {"gte": "2013-06-01T00:00:00Z", "lt": "2013-07-01T00:00:00Z",
                "format": "strict_date_optional_time_nanos"}}},
            {"term": {"origin": "JFK"}},
        ]}});
        assert_eq!(found, expected);
    }
}
