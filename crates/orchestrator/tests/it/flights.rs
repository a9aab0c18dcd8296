//! The reference pipeline on its data: what is stored equals what is computed from the files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use polars::prelude::{
    Column, DataFrame, DataType, IntoLazy as _, JoinArgs, JoinType, ParquetReader, SerReader as _, col, lit,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bench::{Bench, Live, flights_folder};

/// The flights of 2013.
pub(crate) const FLIGHTS: u64 = 336_776;

/// Copies the reference pipeline with its data.
pub(crate) fn write_flights(bench: &Bench) {
    for path in ["pipeline.yaml", "model.onnx", "data/flights.parquet", "data/weather.parquet"] {
        bench.write(path, std::fs::read(flights_folder().join(path)).unwrap());
    }
}

fn parquet(path: &Path) -> DataFrame {
    ParquetReader::new(File::open(path).unwrap()).finish().unwrap()
}

/// The values of a column as numbers; times in milliseconds since 1970.
fn numbers(column: &Column) -> Vec<Option<f64>> {
    let column = match column.dtype() {
        DataType::Datetime(_, zone) => {
            let milliseconds = DataType::Datetime(polars::prelude::TimeUnit::Milliseconds, zone.clone());
            column.cast(&milliseconds).unwrap().cast(&DataType::Int64).unwrap()
        }
        _ => column.clone(),
    };
    column.cast(&DataType::Float64).unwrap().f64().unwrap().iter().collect()
}

/// The values of a column as texts that differ when the values do.
fn texts(frame: &DataFrame, name: &str) -> Vec<String> {
    let column = frame.column(name).unwrap();
    if column.dtype() == &DataType::String {
        return column
            .str()
            .unwrap()
            .iter()
            .map(|text| text.map_or("null".to_owned(), |text| format!("{text:?}")))
            .collect();
    }
    numbers(column).into_iter().map(|number| number.map_or("null".to_owned(), |number| number.to_string())).collect()
}

/// The rows of some columns as texts, in order.
fn sorted_rows(frames: &[DataFrame], columns: &[&str]) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for frame in frames {
        let mut of_frame = vec![String::new(); frame.height()];
        for name in columns {
            for (row, text) in of_frame.iter_mut().zip(texts(frame, name)) {
                row.push_str(&text);
                row.push('|');
            }
        }
        rows.append(&mut of_frame);
    }
    rows.sort_unstable();
    rows
}

/// The combinations of `carrier`, `flight` and `time_hour` behind the alias, each with how
/// many documents have it.
pub(crate) fn keys_behind_the_alias(live: &Live) -> BTreeMap<String, u64> {
    let mut keys = BTreeMap::new();
    let mut after = Value::Null;
    loop {
        let sources: Vec<Value> = ["carrier", "flight", "time_hour"]
            .iter()
            .map(|field| json!({*field: {"terms": {"field": field}}}))
            .collect();
        let mut composite = json!({"size": 10_000, "sources": sources});
        if !after.is_null() {
            composite["after"] = after;
        }
        let body = json!({"size": 0, "track_total_hits": false, "aggs": {"keys": {"composite": composite}}});
        let answer = live.search("departures", &body);
        let found = &answer["aggregations"]["keys"];
        for bucket in found["buckets"].as_array().unwrap() {
            let key = &bucket["key"];
            let text = format!("{}|{}|{}", key["carrier"], key["flight"], key["time_hour"]);
            *keys.entry(text).or_default() += bucket["doc_count"].as_u64().unwrap();
        }
        after = found["after_key"].clone();
        if after.is_null() {
            return keys;
        }
    }
}

/// Fails unless the documents behind the alias are the rows of the file, each once.
pub(crate) fn assert_each_flight_once(live: &Live) {
    assert_eq!(live.count("departures"), FLIGHTS);
    let found = keys_behind_the_alias(live);
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count != 1).take(5).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let source = parquet(&flights_folder().join("data/flights.parquet"));
    let columns = ["carrier", "flight", "time_hour"].map(|name| texts(&source, name));
    let wanted: BTreeSet<String> = (0..source.height())
        .map(|row| format!("{}|{}|{}", columns[0][row], columns[1][row], columns[2][row]))
        .collect();
    assert_eq!(wanted.len() as u64, FLIGHTS, "the key is one");
    assert!(found.keys().eq(wanted.iter()), "the keys in the index are those of the file");
}

const HOUR: f64 = 3_600_000.0;

/// The flights of each origin and carrier in the window before a time: how many, the mean
/// delay of those that have one, and the share of those that have none.
fn expected_features(source: &DataFrame, time: f64, days: f64) -> BTreeMap<(String, String), (u64, Option<f64>, f64)> {
    let (origins, carriers) = (texts(source, "origin"), texts(source, "carrier"));
    let times = numbers(source.column("time_hour").unwrap());
    let delays = numbers(source.column("dep_delay").unwrap());
    let mut groups: BTreeMap<(String, String), Vec<Option<f64>>> = BTreeMap::new();
    for row in 0..source.height() {
        let at = times[row].unwrap();
        if at >= time - days * 24.0 * HOUR && at < time {
            groups.entry((origins[row].clone(), carriers[row].clone())).or_default().push(delays[row]);
        }
    }
    let measure = |delays: Vec<Option<f64>>| {
        let there: Vec<f64> = delays.iter().flatten().copied().collect();
        let mean = (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64);
        (delays.len() as u64, mean, (delays.len() - there.len()) as f64 / delays.len() as f64)
    };
    groups.into_iter().map(|(entity, delays)| (entity, measure(delays))).collect()
}

fn assert_features(live: &Live, source: &DataFrame, day: &str) {
    let answer = live.search("route_delays", &json!({"size": 1000, "query": {"term": {"time_hour": day}}, "fields": [{"field": "time_hour", "format": "epoch_millis"}]}));
    let hits = answer["hits"]["hits"].as_array().unwrap();
    let time: f64 = hits[0]["fields"]["time_hour"][0].as_str().unwrap().parse().unwrap();
    let rows: BTreeMap<(String, String), &Value> = hits
        .iter()
        .map(|hit| &hit["_source"])
        .map(|row| ((row["origin"].to_string(), row["carrier"].to_string()), row))
        .collect();
    assert_eq!(rows.len(), hits.len(), "an entity has one row a day");
    // A row is there when its longest window holds a flight.
    let longest = expected_features(source, time, 28.0);
    assert!(longest.len() > 20 && rows.keys().eq(longest.keys()), "{day}");
    let near = |found: &Value, wanted: f64| (found.as_f64().unwrap() - wanted).abs() <= 1e-9 * wanted.abs().max(1.0);
    for days in [7, 28] {
        let expected = expected_features(source, time, f64::from(days));
        for (entity, row) in &rows {
            let flights = row[format!("flights_{days}d")].as_u64();
            let Some((count, mean, cancelled)) = expected.get(entity) else {
                assert_eq!(flights, Some(0), "{day} {entity:?} {row}");
                continue;
            };
            assert_eq!(flights, Some(*count), "{day} {entity:?}");
            let found = &row[format!("delay_mean_{days}d")];
            assert!(mean.map_or(found.is_null(), |mean| near(found, mean)), "{day} {entity:?} {found} {mean:?}");
            assert!(near(&row[format!("cancelled_{days}d")], *cancelled), "{day} {entity:?} {row}");
        }
    }
}

/// The rows of a day have the features of its beginning, computed here from the file.
fn assert_joined(parts: &[DataFrame], source: &DataFrame, day: f64) {
    let expected = expected_features(source, day, 7.0);
    let mut seen = 0;
    for frame in parts {
        let column = |name: &str| frame.column(name).unwrap();
        let (origins, carriers) = (column("origin").str().unwrap(), column("carrier").str().unwrap());
        let (times, flights) = (numbers(column("time_hour")), numbers(column("route_delays__flights_7d")));
        let means = numbers(column("route_delays__delay_mean_7d"));
        for row in 0..frame.height() {
            let since = times[row].unwrap() - day;
            if !(0.0..86_400_000.0).contains(&since) {
                continue;
            }
            let text = |value: Option<&str>| json!(value).to_string();
            let entity = (text(origins.get(row)), text(carriers.get(row)));
            let Some((count, mean, _)) = expected.get(&entity) else {
                assert!(flights[row].is_none_or(|flights| flights == 0.0), "{entity:?}");
                continue;
            };
            assert_eq!(flights[row], Some(*count as f64), "{entity:?}");
            let near = |(found, wanted): (f64, f64)| (found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0);
            assert!(means[row].zip(*mean).is_none_or(near) && means[row].is_some() == mean.is_some(), "{entity:?}");
            seen += 1;
        }
    }
    assert!(seen > 500, "{seen}");
}

/// The flights with the weather at their origin and hour, joined here from the files.
fn departures_weather(source: &DataFrame) -> DataFrame {
    let weather = parquet(&flights_folder().join("data/weather.parquet"));
    let keys = [col("origin"), col("time_hour")];
    let joined = source.clone().lazy().join(weather.lazy(), &keys, &keys, JoinArgs::new(JoinType::Left));
    joined.with_column(col("dep_delay").gt(lit(15)).alias("late")).collect().unwrap()
}

fn assert_export(live: &Live, source: &DataFrame) {
    let columns =
        ["origin", "carrier", "dest", "distance", "temp", "wind_speed", "precip", "visib", "late", "time_hour"];
    let folder = live.path("out/training_set");
    let manifest: Value = serde_json::from_str(&live.read("out/training_set/_manifest.json")).unwrap();
    let mut parts = Vec::new();
    for (part, share) in manifest["parts"].as_array().unwrap().iter().zip([0.8, 0.1, 0.1]) {
        let mut rows = 0;
        for file in part["files"].as_array().unwrap() {
            let path = folder.join(file["path"].as_str().unwrap());
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(
                (file["bytes"].as_u64(), &file["sha256"]),
                (Some(bytes.len() as u64), &json!(hex::encode(Sha256::digest(&bytes))))
            );
            let frame = parquet(&path);
            let names: Vec<&str> = frame.get_column_names().into_iter().map(|name| name.as_str()).collect();
            assert_eq!(names[..columns.len()], columns);
            assert_eq!(names.len() - columns.len(), 16, "each feature and window is joined: {names:?}");
            assert_eq!(file["rows"].as_u64(), Some(frame.height() as u64));
            rows += frame.height() as u64;
            parts.push(frame);
        }
        assert_eq!(part["rows"].as_u64(), Some(rows));
        let found = rows as f64 / manifest["rows"].as_f64().unwrap();
        assert!((found - share).abs() < 0.005, "{} has {found}", part["name"]);
    }
    for day in ["2013-01-20T00:00:00Z", "2013-07-05T00:00:00Z"] {
        let day: jiff::Timestamp = day.parse().unwrap();
        assert_joined(&parts, source, day.as_millisecond() as f64);
    }
    let october = 1_380_585_600_000.0;
    let times = numbers(source.column("time_hour").unwrap());
    let is_before: polars::prelude::BooleanChunked = times.iter().map(|time| Some(time.unwrap() < october)).collect();
    let wanted = departures_weather(source).filter(&is_before).unwrap();
    assert_eq!(manifest["rows"].as_u64(), Some(wanted.height() as u64));
    assert_eq!(manifest["source"]["matched"], manifest["rows"]);
    let missing = ["late", "temp"].map(|name| wanted.column(name).unwrap().null_count());
    assert!(missing.iter().all(|missing| *missing > 300), "the data have nulls: {missing:?}");
    let (found, wanted) = (sorted_rows(&parts, &columns), sorted_rows(&[wanted], &columns));
    assert_eq!(found.len(), wanted.len());
    let differing = found.iter().zip(&wanted).find(|(one, other)| one != other);
    assert_eq!(differing, None, "every row of the source is in one part, and no other row");
}

#[test]
fn the_reference_pipeline_stores_what_the_files_hold() {
    if es_testing::onnxruntime().is_none() {
        return;
    }
    let Some(mut live) = Live::plain("flights") else { return };
    write_flights(&live);
    // The time of a row shows which features belong to it.
    let pipeline = live.read("pipeline.yaml");
    let with_time = pipeline.replace("visib, late]", "visib, late, time_hour]");
    assert_ne!(with_time, pipeline);
    live.write("pipeline.yaml", with_time);
    live.unset("ORCHESTRATOR_RUN__CONCURRENCY");
    let events = live.events(0, &["run"]);
    let reports: Vec<&Value> = events.iter().map(|event| &event["report"]).filter(|report| !report.is_null()).collect();
    assert_eq!(reports.len(), 2);
    let fields: Vec<&str> =
        reports[0]["fields"].as_array().unwrap().iter().map(|field| field["field"].as_str().unwrap()).collect();
    assert_eq!((&reports[0]["verdict"], fields), (&json!("no_drift"), vec!["dep_delay", "distance", "carrier"]));

    let source = parquet(&flights_folder().join("data/flights.parquet"));
    assert_each_flight_once(&live);
    assert_eq!(live.count("weather"), parquet(&flights_folder().join("data/weather.parquet")).height() as u64);
    assert_eq!(live.behind("departures").len(), 12);
    let mapping = live.get("/PREFIX-departures/_mapping/field/dest*");
    let fields: Vec<&Value> =
        mapping.as_object().unwrap().values().map(|index| &index["mappings"]["dest"]["mapping"]["dest"]).collect();
    let dest = json!({"type": "keyword", "ignore_above": 8191, "fields": {"text": {"type": "text"}}});
    assert!(fields.iter().all(|field| **field == dest), "{fields:?}");
    assert_eq!(live.count("departures_weather"), FLIGHTS);
    for day in ["2013-02-01T00:00:00Z", "2013-07-05T00:00:00Z", "2013-12-25T00:00:00Z"] {
        assert_features(&live, &source, day);
    }
    assert_export(&live, &source);

    let before = live.footprint();
    let again = live.expect(0, &["run"]);
    assert_eq!(again.stdout, "nothing to do: everything is up to date (19 parts)\n");
    assert_eq!(again.stderr, "");
    assert_eq!(live.footprint(), before, "the second run writes nothing");
}
