//! The speed at which rows become NDJSON, in bytes of output a second on one core: beside `serde_json`
//! over structs and over values, and Polars' own NDJSON writer.
//!
//! `cargo bench -p es-frame`. What `serde_json` writes lies ready in memory, so that what it
//! would take to get it out of the columns is not counted.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up stops")]

use std::fs::File;
use std::path::Path;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use es_frame::{DocumentWriter, VectorForm, WriterOptions};
use polars::io::prelude::{JsonFormat, JsonWriter, ParquetReader, SerReader as _, SerWriter as _};
use polars::prelude::*;
use serde::Serialize;
use serde_json::Value;

const ROWS: usize = 10_000;
const DIMENSIONS: usize = 384;

fn main() {
    divan::main();
}

#[derive(Clone, Copy, Debug)]
enum Case {
    Numbers5,
    NumbersAndShortStrings5,
    Flights19,
    Mixed40,
    Vector384,
    Nested,
}

const CASES: [Case; 6] =
    [Case::Numbers5, Case::NumbersAndShortStrings5, Case::Flights19, Case::Mixed40, Case::Vector384, Case::Nested];

/// The encoder's lines of each row, without actions, as the others write none.
#[divan::bench(args = CASES)]
fn ours(bencher: Bencher<'_, '_>, case: Case) {
    encode(bencher, &case.frame(), &WriterOptions::default());
}

#[divan::bench]
fn ours_vector_in_base64(bencher: Bencher<'_, '_>) {
    let options = WriterOptions { vectors: VectorForm::Base64, ..WriterOptions::default() };
    encode(bencher, &Case::Vector384.frame(), &options);
}

/// With action lines and ids, as bulk requests want them.
#[divan::bench(args = CASES)]
fn ours_bulk_lines(bencher: Bencher<'_, '_>, case: Case) {
    let frame = case.frame();
    let options = WriterOptions { id: vec![case.id().to_owned()], ..WriterOptions::default() };
    let writer = DocumentWriter::with_options(&frame, &options).unwrap();
    let write = |out: &mut Vec<u8>| {
        for row in 0..writer.rows() {
            writer.write_lines(row, out).unwrap();
        }
    };
    measure(bencher, write);
}

#[divan::bench(args = CASES)]
fn serde_json_values(bencher: Bencher<'_, '_>, case: Case) {
    let frame = case.frame();
    let mut text = Vec::new();
    documents(&frame, &WriterOptions::default(), &mut text);
    let lines = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
    let rows: Vec<Value> = lines.map(Result::unwrap).collect();
    measure(bencher, |out| lines_of(&rows, out));
}

#[divan::bench(args = CASES)]
fn polars_json_writer(bencher: Bencher<'_, '_>, case: Case) {
    let frame = case.frame();
    let write = |out: &mut Vec<u8>| {
        JsonWriter::new(out).with_json_format(JsonFormat::JsonLines).finish(&mut frame.clone()).unwrap();
    };
    measure(bencher, write);
}

#[divan::bench]
fn serde_json_structs_numbers5(bencher: Bencher<'_, '_>) {
    let mut random = fastrand::Rng::with_seed(1);
    let rows: Vec<Numbers> = (0..ROWS).map(|row| Numbers::new(row, &mut random)).collect();
    measure(bencher, |out| lines_of(&rows, out));
}

#[divan::bench]
fn serde_json_structs_numbers_and_short_strings5(bencher: Bencher<'_, '_>) {
    let mut random = fastrand::Rng::with_seed(1);
    let rows: Vec<Leg> = (0..ROWS).map(|_| Leg::new(&mut random)).collect();
    measure(bencher, |out| lines_of(&rows, out));
}

#[divan::bench]
fn serde_json_structs_vector384(bencher: Bencher<'_, '_>) {
    let mut random = fastrand::Rng::with_seed(1);
    let rows: Vec<Embedded> = (0..ROWS / 10).map(|row| Embedded::new(row, &mut random)).collect();
    measure(bencher, |out| lines_of(&rows, out));
}

fn encode(bencher: Bencher<'_, '_>, frame: &DataFrame, options: &WriterOptions) {
    let writer = DocumentWriter::with_options(frame, options).unwrap();
    measure(bencher, |out| write_all(&writer, out));
}

fn documents(frame: &DataFrame, options: &WriterOptions, out: &mut Vec<u8>) {
    write_all(&DocumentWriter::with_options(frame, options).unwrap(), out);
}

fn write_all(writer: &DocumentWriter<'_>, out: &mut Vec<u8>) {
    for row in 0..writer.rows() {
        writer.write_document(row, out).unwrap();
        out.push(b'\n');
    }
}

fn lines_of(rows: &[impl Serialize], out: &mut Vec<u8>) {
    for row in rows {
        serde_json::to_writer(&mut *out, row).unwrap();
        out.push(b'\n');
    }
}

/// Measures writing into a vector that already has the room, as a batch's body has.
fn measure(bencher: Bencher<'_, '_>, write: impl Fn(&mut Vec<u8>)) {
    let mut out = Vec::new();
    write(&mut out);
    let bytes = out.len();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        out.clear();
        write(&mut out);
        black_box(&out);
    });
}

#[derive(Serialize)]
struct Numbers {
    trip: i64,
    passengers: i32,
    distance: f64,
    fare: f64,
    weight: u32,
}

impl Numbers {
    fn new(row: usize, random: &mut fastrand::Rng) -> Self {
        Self {
            trip: 1_000_000 + row as i64,
            passengers: random.i32(-9..1_000),
            distance: random.f64() * 1_000.0,
            fare: f64::from(random.u32(0..100_000)) / 100.0,
            weight: random.u32(..),
        }
    }
}

#[derive(Serialize)]
struct Leg {
    carrier: &'static str,
    tail_number: String,
    origin: &'static str,
    delay: i32,
    air_time: f64,
}

const CARRIERS: [&str; 5] = ["UA", "B6", "DL", "EV", "9E"];
const AIRPORTS: [&str; 6] = ["JFK", "LGA", "EWR", "SFO", "ATL", "ORD"];

impl Leg {
    fn new(random: &mut fastrand::Rng) -> Self {
        Self {
            carrier: CARRIERS[random.usize(..CARRIERS.len())],
            tail_number: format!("N{}", random.u32(10..100_000)),
            origin: AIRPORTS[random.usize(..AIRPORTS.len())],
            delay: random.i32(-60..600),
            air_time: f64::from(random.u32(20..700)),
        }
    }
}

#[derive(Serialize)]
struct Embedded {
    id: i64,
    vector: Vec<f32>,
}

impl Embedded {
    fn new(row: usize, random: &mut fastrand::Rng) -> Self {
        Self { id: row as i64, vector: (0..DIMENSIONS).map(|_| random.f32() * 2.0 - 1.0).collect() }
    }
}

impl Case {
    /// The column that the documents' ids are made of.
    fn id(self) -> &'static str {
        match self {
            Self::Numbers5 => "trip",
            Self::NumbersAndShortStrings5 => "tail_number",
            Self::Flights19 => "flight",
            Self::Mixed40 => "n0",
            Self::Vector384 | Self::Nested => "id",
        }
    }

    fn frame(self) -> DataFrame {
        let mut random = fastrand::Rng::with_seed(1);
        let mut frame = match self {
            Self::Numbers5 => {
                let rows: Vec<_> = (0..ROWS).map(|row| Numbers::new(row, &mut random)).collect();
                df!(
                    "trip" => column(&rows, |row| row.trip), "passengers" => column(&rows, |row| row.passengers),
                    "distance" => column(&rows, |row| row.distance), "fare" => column(&rows, |row| row.fare),
                    "weight" => column(&rows, |row| row.weight),
                )
                .unwrap()
            }
            Self::NumbersAndShortStrings5 => {
                let rows: Vec<_> = (0..ROWS).map(|_| Leg::new(&mut random)).collect();
                df!(
                    "carrier" => column(&rows, |row| row.carrier),
                    "tail_number" => column(&rows, |row| row.tail_number.clone()),
                    "origin" => column(&rows, |row| row.origin), "delay" => column(&rows, |row| row.delay),
                    "air_time" => column(&rows, |row| row.air_time),
                )
                .unwrap()
            }
            Self::Flights19 => flights(),
            Self::Mixed40 => mixed(&mut random),
            Self::Vector384 => vectors(&mut random),
            Self::Nested => nested(&mut random),
        };
        frame.rechunk_mut();
        frame
    }
}

fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn flights() -> DataFrame {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/flights/data/flights.parquet");
    ParquetReader::new(File::open(path).unwrap()).finish().unwrap().head(Some(ROWS))
}

fn mixed(random: &mut fastrand::Rng) -> DataFrame {
    let mut columns = Vec::new();
    for place in 0..8 {
        let numbers: Vec<_> = (0..ROWS).map(|_| random.i64(0..10_i64.pow(place + 2))).collect();
        let floats: Vec<_> = (0..ROWS).map(|_| f64::from(random.u32(0..1_000_000)) / 1_000.0).collect();
        let texts: Vec<_> = (0..ROWS).map(|_| "abcdefghijklmnopqrstuvwx"[..random.usize(2..24)].to_owned()).collect();
        let gaps: Vec<_> = (0..ROWS).map(|_| (random.u8(..10) > 0).then(|| random.i32(0..10_000))).collect();
        let times: Vec<_> = (0..ROWS).map(|_| random.i64(0..2_000_000_000_000)).collect();
        let series = |name: &str| PlSmallStr::from(format!("{name}{place}"));
        let times = Series::new(series("t"), times);
        columns.push(Series::new(series("n"), numbers).into_column());
        columns.push(Series::new(series("f"), floats).into_column());
        columns.push(Series::new(series("s"), texts).into_column());
        columns.push(Series::new(series("g"), gaps).into_column());
        columns.push(times.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap().into_column());
    }
    DataFrame::new_infer_height(columns).unwrap()
}

fn vectors(random: &mut fastrand::Rng) -> DataFrame {
    let rows: Vec<_> = (0..ROWS / 10).map(|row| Embedded::new(row, random)).collect();
    let lists = Series::new("vector".into(), column(&rows, |row| Series::new("".into(), &row.vector)));
    let vector = lists.cast(&DataType::Array(Box::new(DataType::Float32), DIMENSIONS)).unwrap();
    DataFrame::new_infer_height(vec![Column::new("id".into(), column(&rows, |row| row.id)), vector.into_column()])
        .unwrap()
}

/// A struct, a list of numbers and a list of structs.
fn nested(random: &mut fastrand::Rng) -> DataFrame {
    let mut floats = || (0..ROWS).map(|_| random.f64() * 90.0).collect::<Vec<_>>();
    let place = df!("lat" => floats(), "lon" => floats()).unwrap().into_struct("place".into());
    let numbers: Vec<_> =
        (0..ROWS).map(|_| Series::new("".into(), vec![random.i32(0..1_000); random.usize(0..8)])).collect();
    let stops = df!("at" => vec!["JFK"; ROWS * 2], "n" => (0..ROWS as i64 * 2).collect::<Vec<_>>()).unwrap();
    let stops = stops.into_struct("".into()).into_series();
    let stops: Vec<_> = (0..ROWS).map(|row| stops.slice(row as i64 * 2, 2)).collect();
    DataFrame::new_infer_height(vec![
        Column::new("id".into(), (0..ROWS as i64).collect::<Vec<_>>()),
        place.into_column(),
        Series::new("numbers".into(), numbers).into_column(),
        Series::new("stops".into(), stops).into_column(),
    ])
    .unwrap()
}
