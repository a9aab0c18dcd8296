//! Findings in the loaded data: the numbers that the demo ends with, asked of Elasticsearch.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::chart::{Bar, bars, trend};
use crate::http::Client;

/// The zone in which the flights leave.
const ZONE: &str = "America/New_York";

/// The delays of a year of departures.
pub(super) struct Delays {
    /// Each month, as `2013-01`.
    months: Vec<Group>,
    /// Each hour of the day in which flights left.
    hours: Vec<Group>,
}

/// The departures of a month or an hour of the day.
struct Group {
    key: String,
    departures: u64,
    mean_delay: f64,
}

/// The number of documents behind an alias.
pub(super) fn documents(client: &Client, alias: &str) -> Result<u64> {
    client.get_ok(&format!("/{alias}/_count"))?["count"].as_u64().context("a count has no number")
}

/// Asks for the delays of the departures behind an alias.
pub(super) fn delays(client: &Client, alias: &str) -> Result<Delays> {
    let script = format!("emit(doc['time_hour'].value.withZoneSameInstant(ZoneId.of('{ZONE}')).getHour())");
    let mean = json!({"mean": {"avg": {"field": "dep_delay"}}});
    let body = json!({
        "size": 0,
        "runtime_mappings": {"hour": {"type": "long", "script": script}},
        "aggs": {
            "months": {
                "date_histogram": {
                    "field": "time_hour", "calendar_interval": "month", "time_zone": ZONE, "format": "yyyy-MM"
                },
                "aggs": mean
            },
            "hours": {"terms": {"field": "hour", "size": 24, "order": {"_key": "asc"}}, "aggs": mean}
        }
    });
    let answer = client.post_ok(&format!("/{alias}/_search"), Some(&body))?;
    Ok(Delays { months: groups(&answer, "months"), hours: groups(&answer, "hours") })
}

/// The buckets of an aggregation that have a mean; an hour in which every flight was cancelled has none.
fn groups(answer: &Value, name: &str) -> Vec<Group> {
    let buckets = answer["aggregations"][name]["buckets"].as_array();
    let group = |bucket: &Value| {
        let key = bucket["key_as_string"].as_str().map_or_else(|| bucket["key"].to_string(), str::to_owned);
        let (departures, mean_delay) = (bucket["doc_count"].as_u64()?, bucket["mean"]["value"].as_f64()?);
        Some(Group { key, departures, mean_delay })
    };
    buckets.into_iter().flatten().filter_map(group).collect()
}

impl Delays {
    /// A picture of at most so many columns: bars for the months, and a trend through the day.
    pub(super) fn picture(&self, columns: usize, unicode: bool) -> String {
        let bar = |month: &Group| Bar {
            label: month.key.clone(),
            value: month.mean_delay,
            text: format!("{:.1} min of {} departures", month.mean_delay, with_commas(month.departures)),
        };
        let months: Vec<Bar> = self.months.iter().map(bar).collect();
        let mut picture = format!("mean delay a month\n{}", bars(&months, columns, unicode));
        if let ([first, .., last], values) = (&self.hours[..], self.hours.iter().map(|hour| hour.mean_delay)) {
            let trend = trend(&values.collect::<Vec<_>>(), unicode);
            let (from, to) = (first.mean_delay, last.mean_delay);
            picture.push_str(&format!(
                "\nmean delay through the day\n{:>2}:00  {from:.1} min  {trend}  {to:.1} min  {:>2}:00\n",
                first.key, last.key
            ));
        }
        picture
    }
}

/// A number with commas: 336,776.
pub(super) fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_fits_a_terminal() {
        let answer = json!({"aggregations": {
            "months": {"buckets": [
                {"key_as_string": "2013-01", "doc_count": 27_004, "mean": {"value": 10.04}},
                {"key_as_string": "2013-02", "doc_count": 24_951, "mean": {"value": 20.08}},
            ]},
            "hours": {"buckets": [
                {"key": 1, "doc_count": 1, "mean": {"value": null}},
                {"key": 5, "doc_count": 1_953, "mean": {"value": 0.69}},
                {"key": 6, "doc_count": 25_951, "mean": {"value": 1.64}},
                {"key": 23, "doc_count": 1_061, "mean": {"value": 14.0}},
            ]}
        }});
        let delays = Delays { months: groups(&answer, "months"), hours: groups(&answer, "hours") };
        let picture = delays.picture(60, true);
        assert_eq!(
            picture,
            "\
mean delay a month
2013-01  ██████████            10.0 min of 27,004 departures
2013-02  ████████████████████  20.1 min of 24,951 departures

mean delay through the day
 5:00  0.7 min  ▁▁█  14.0 min  23:00
"
        );
        assert!(picture.lines().all(|line| line.chars().count() <= 60), "{picture}");
        assert!(delays.picture(60, false).is_ascii());
    }

    #[test]
    fn numbers_have_commas() {
        assert_eq!([0, 999, 26_115, 336_776].map(with_commas), ["0", "999", "26,115", "336,776"]);
    }
}
