//! Small data: readings of two sensors, twice a day, and a pipeline over them.

use polars::prelude::{DataFrame, ParquetWriter};

use crate::bench::Bench;

/// The readings of a month of 2024 as CSV. Half the values of `shift` are added to the
/// sensors' own, so that another `shift` means other content.
pub(crate) fn month(month: u32, shift: f64) -> String {
    let days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
    let mut text = String::from("sensor,time,value,count\n");
    for day in 1..=days {
        for (hour, sensor) in [(0, "attic"), (6, "cellar"), (12, "attic"), (18, "cellar")] {
            let wave = f64::from(day * 7 % 11) + f64::from(hour) / 8.0;
            let value = if sensor == "attic" { 20.0 + wave } else { 10.0 + wave } + shift;
            text.push_str(&format!("{sensor},2024-{month:02}-{day:02}T{hour:02}:00:00Z,{value:.3},{day}\n"));
        }
    }
    text
}

/// The readings of January to March, a file a month: 364 rows.
pub(crate) fn write_months(bench: &Bench) {
    for number in 1..=3 {
        bench.write(&format!("data/2024-{number:02}.csv"), month(number, 0.0));
    }
}

/// The readings from January to March into an index a month, features a day, a training
/// set and a monitor.
pub(crate) const PIPELINE: &str = r#"version: 1
name: small

assets:
  readings:
    kind: ingest
    from: { path: "data/*.csv" }
    id: [sensor, time]
    time: time
    partitions: { every: month, start: 2024-01-01, end: 2024-04-01 }
    index:
      settings: { number_of_shards: 1, number_of_replicas: 0 }
      mappings:
        properties:
          sensor: { type: keyword }
    checks:
      - { rows: { min: 1 } }
      - { not_null: [sensor, time] }

  daily:
    kind: features
    from: readings
    entity: [sensor]
    time: time
    every: 1d
    windows: [7d]
    index: { settings: { number_of_replicas: 0 } }
    features:
      measured: { count: {} }
      value_mean: { avg: { field: value } }

  training_set:
    kind: export
    from: readings
    columns: [sensor, time, value]
    to: { path: out/training_set }
    split: { by: hash, key: [sensor, time], seed: 1, parts: { train: 0.8, test: 0.2 } }

  drift:
    kind: monitor
    of: readings
    time: time
    reference: { from: 2024-01-01, to: 2024-02-01 }
    current: { from: 2024-02-01, to: 2024-03-01 }
    fields:
      value: { method: ks, p: 0.001 }
"#;

/// The rows of [`write_months`].
pub(crate) const ROWS: u64 = 364;

/// Writes the months and the pipeline.
pub(crate) fn write_small(bench: &Bench) {
    write_months(bench);
    bench.write("pipeline.yaml", PIPELINE);
}

/// Replaces a text of the pipeline file, which must be there once.
#[track_caller]
pub(crate) fn change(bench: &Bench, from: &str, to: &str) {
    let text = bench.read("pipeline.yaml");
    assert_eq!(text.matches(from).count(), 1, "{from:?} in\n{text}");
    bench.write("pipeline.yaml", text.replace(from, to));
}

/// A pipeline of one asset `a` of a file, with more lines of its definition.
pub(crate) fn one_ingest(file: &str, more: &[&str]) -> String {
    let mut text = format!("version: 1\nname: one\nassets:\n  a:\n    kind: ingest\n    from: {{ path: {file} }}\n");
    for line in more {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

/// Writes a frame as a Parquet file.
pub(crate) fn write_parquet(bench: &Bench, path: &str, mut frame: DataFrame) {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bench.write(path, bytes);
}
