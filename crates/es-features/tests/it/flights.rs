//! A year of departures: every row against Polars over the same Parquet file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use es_features::{ComputeOptions, Feature, FeatureSet, Metric, RatioTerm};
use es_testing::{Node, Scope};
use polars::prelude::*;
use serde_json::json;

use crate::cluster::{client, compute, create, numbers, refresh, texts, write_lines};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const WINDOWS: [(&str, i64); 2] = [("7d", 7 * DAY), ("28d", 28 * DAY)];
/// The step in grid times at which all features are compared; at the others counts and means.
const ALL_FEATURES_EVERY: usize = 5;

fn set() -> FeatureSet {
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

fn departures() -> DataFrame {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/flights/data/flights.parquet");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let columns = ["origin", "carrier", "dest", "dep_delay", "air_time", "distance", "time_hour"];
    let mut frame = ParquetReader::new(file).with_columns(Some(columns.map(str::to_owned).to_vec())).finish().unwrap();
    let milliseconds = frame.column("time_hour").unwrap().cast(&DataType::Int64).unwrap();
    frame.with_column(milliseconds).unwrap();
    frame
}

async fn index(node: &Node, scope: &Scope, departures: &DataFrame) -> String {
    let properties = json!({
        "origin": {"type": "keyword"}, "carrier": {"type": "keyword"}, "dest": {"type": "keyword"},
        "dep_delay": {"type": "integer"}, "air_time": {"type": "integer"}, "distance": {"type": "integer"},
        "time_hour": {"type": "date"},
    });
    let index = create(node, scope, "departures", 1, properties).await;
    let text = |name: &str| departures.column(name).unwrap().str().unwrap().clone();
    let number = |name: &str| departures.column(name).unwrap().cast(&DataType::Int64).unwrap().i64().unwrap().clone();
    let (origin, carrier, dest) = (text("origin"), text("carrier"), text("dest"));
    let (delay, air_time, distance, time) =
        (number("dep_delay"), number("air_time"), number("distance"), number("time_hour"));
    let or_null = |value: Option<i64>| value.map_or_else(|| "null".to_owned(), |value| value.to_string());
    let mut lines = String::new();
    for row in 0..departures.height() {
        writeln!(
            lines,
            "{{\"index\":{{}}}}\n{{\"origin\":\"{}\",\"carrier\":\"{}\",\"dest\":\"{}\",\"dep_delay\":{},\"air_time\":{},\
             \"distance\":{},\"time_hour\":{}}}",
            origin.get(row).unwrap(),
            carrier.get(row).unwrap(),
            dest.get(row).unwrap(),
            or_null(delay.get(row)),
            or_null(air_time.get(row)),
            or_null(distance.get(row)),
            time.get(row).unwrap(),
        )
        .unwrap();
        if lines.len() > 8 << 20 {
            write_lines(node, &index, std::mem::take(&mut lines)).await;
        }
    }
    write_lines(node, &index, lines).await;
    refresh(node, &index).await;
    index
}

/// The departures of one entity in the order of time, and their times.
struct Entity {
    departures: DataFrame,
    times: Vec<i64>,
}

impl Entity {
    /// Those of `[end - length, end)`.
    fn window(&self, end: i64, length: i64) -> DataFrame {
        let first = self.times.partition_point(|time| *time < end - length);
        let last = self.times.partition_point(|time| *time < end);
        self.departures.slice(first as i64, last - first)
    }
}

fn entities(departures: &DataFrame) -> BTreeMap<(String, String), Entity> {
    let (origin, carrier) = (departures.column("origin").unwrap(), departures.column("carrier").unwrap());
    let mut entities = BTreeMap::new();
    for one_origin in origin.unique().unwrap().str().unwrap().iter().flatten() {
        for one_carrier in carrier.unique().unwrap().str().unwrap().iter().flatten() {
            let mask = origin.str().unwrap().equal(one_origin) & carrier.str().unwrap().equal(one_carrier);
            let departures =
                departures.filter(&mask).unwrap().sort(["time_hour"], SortMultipleOptions::default()).unwrap();
            let times = departures.column("time_hour").unwrap().i64().unwrap().into_no_null_iter().collect();
            if departures.height() > 0 {
                entities.insert((one_origin.to_owned(), one_carrier.to_owned()), Entity { departures, times });
            }
        }
    }
    entities
}

fn float(window: &DataFrame, column: &str) -> Float64Chunked {
    window.column(column).unwrap().cast(&DataType::Float64).unwrap().f64().unwrap().clone()
}

fn quantile(window: &DataFrame, q: f64) -> Option<f64> {
    float(window, "dep_delay").quantile(q, QuantileMethod::Linear).unwrap()
}

fn cancelled(window: &DataFrame) -> Option<f64> {
    let flights = window.height() as f64;
    (flights > 0.0).then(|| window.column("dep_delay").unwrap().null_count() as f64 / flights)
}

fn speed(window: &DataFrame) -> Option<f64> {
    (&float(window, "distance") / &float(window, "air_time")).mean().map(|mean| 60.0 * mean)
}

fn assert_close(found: Option<f64>, expected: Option<f64>, what: &dyn Fn() -> String) {
    let close = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        (found, expected) => found == expected,
    };
    assert!(close, "{}: Elasticsearch says {found:?}, Polars {expected:?}", what());
}

#[tokio::test]
async fn every_row_of_the_year_equals_polars_over_the_file() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features flights");
    let departures = departures();
    let index = index(&node, &scope, &departures).await;
    let set = set();
    let (rows, summary) = compute(&client(&node).await, &index, &set, ComputeOptions::default()).await.unwrap();
    println!("{summary:?}");

    let entities = entities(&departures);
    assert_eq!(entities.len(), 35);
    assert_eq!(summary.documents, departures.height() as u64);
    let times = numbers(&rows, "time_hour");
    let (origins, carriers) = (texts(&rows, "origin"), texts(&rows, "carrier"));
    let columns: BTreeMap<String, Vec<Option<f64>>> =
        set.fields().into_iter().map(|output| (output.field.clone(), numbers(&rows, &output.field))).collect();

    // The rows that there must be, in their order: those with a departure in 28 days.
    let first = departures.column("time_hour").unwrap().i64().unwrap().min().unwrap().div_euclid(DAY) * DAY + DAY;
    let last = departures.column("time_hour").unwrap().i64().unwrap().max().unwrap().div_euclid(DAY) * DAY + DAY;
    let mut row = 0;
    let mut compared_in_full = 0;
    for (place, time) in (first..=last).step_by(DAY as usize).enumerate() {
        for ((origin, carrier), entity) in &entities {
            if entity.window(time, 28 * DAY).height() == 0 {
                continue;
            }
            assert_eq!(
                (times[row], origins[row].as_str(), carriers[row].as_str()),
                (Some(time as f64), origin.as_str(), carrier.as_str())
            );
            for (window, length) in WINDOWS {
                let check = |feature: &str, expected: Option<f64>| {
                    let name = format!("{feature}_{window}");
                    assert_close(columns[&name][row], expected, &|| format!("{name} of {origin} {carrier} at {time}"));
                };
                let now = entity.window(time, length);
                let mean = float(&now, "dep_delay").mean();
                check("flights", Some(now.height() as f64));
                check("delay_mean", mean);
                if place % ALL_FEATURES_EVERY != 0 {
                    continue;
                }
                // No window has so many departures that a digest would be approximate.
                check("delay_p50", quantile(&now, 0.5));
                check("delay_p90", quantile(&now, 0.9));
                check("destinations", Some(now.column("dest").unwrap().n_unique().unwrap() as f64));
                check("cancelled", cancelled(&now));
                check("speed", speed(&now));
                let before = float(&entity.window(time - DAY, length), "dep_delay").mean();
                check("delay_change", mean.zip(before).map(|(mean, before)| mean - before));
                compared_in_full += 1;
            }
            row += 1;
        }
    }
    assert_eq!(row, rows.height());
    assert_eq!(summary.grid_instants, 366);
    assert!(compared_in_full > 2 * 73 * 30, "{compared_in_full}");
}
