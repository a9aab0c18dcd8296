//! Writes a file of each format to a folder, from rows that are made up, with no
//! Elasticsearch: `cargo run -p es-export --example write_formats -- FOLDER`.
//!
//! The programs in `tests/consumers` read them with the packages that people use, and compare
//! them with the same rows made up once more.

use std::path::Path;

use es_export::encode::{EncoderPlan, Encoders, Encoding};
use es_export::write::{FileWriter, create};
use es_export::{Error, Format};
use indexmap::IndexMap;
use polars::prelude::*;

/// Rows of every file, and rows that are pushed at once.
const ROWS: usize = 1_000;
const PAGE: usize = 170;
/// Numbers of a vector.
const WIDTH: usize = 48;

const CARRIERS: [&str; 4] = ["UA", "B6", "AA", "ÖS"];

/// Every tenth row is null in columns that have nulls.
fn unless_tenth<T>(row: usize, value: T) -> Option<T> {
    (row % 10 != 9).then_some(value)
}

fn column<T>(name: &str, value: impl Fn(i64) -> T, nulls: bool) -> Column
where
    Series: NamedFrom<Vec<Option<T>>, [Option<T>]>,
{
    let value = |row: usize| if nulls { unless_tenth(row, value(row as i64)) } else { Some(value(row as i64)) };
    Series::new(name.into(), (0..ROWS).map(value).collect::<Vec<_>>()).into_column()
}

fn instants(name: &str, unit: TimeUnit, start: i64, step: i64, nulls: bool) -> PolarsResult<Column> {
    column(name, |row| start + row * step, nulls).cast(&DataType::Datetime(unit, Some(TimeZone::UTC)))
}

fn text(row: i64) -> String {
    match row % 4 {
        0 => String::new(),
        1 => format!("a,{row}"),
        2 => "say \"é\"".to_owned(),
        _ => format!("line\nbreak {row}"),
    }
}

fn scalars(nulls: bool) -> PolarsResult<Vec<Column>> {
    Ok(vec![
        column("flag", |row| row % 3 == 0, nulls),
        column("i8", |row| row % 200 - 100, nulls).cast(&DataType::Int8)?,
        column("i16", |row| row * 31 - 15_000, nulls).cast(&DataType::Int16)?,
        column("i32", |row| row * 100_003 - 50_000_000, nulls).cast(&DataType::Int32)?,
        column("i64", |row| (row - 500) * 9_007_199_254_740_993, nulls),
        column("u64", |row| u64::MAX - row as u64, nulls),
        column("f32", |row| row as f32 / 8.0 - 50.0, true),
        column("f64", |row| row as f64 / 3.0, true),
        instants("when_ms", TimeUnit::Milliseconds, 1_356_998_400_000, 60_001, nulls)?,
    ])
}

/// Vectors of floats, of which most are alike.
fn vectors(nulls: bool) -> PolarsResult<Column> {
    let mut builder =
        ListPrimitiveChunkedBuilder::<Float32Type>::new("vector".into(), ROWS, ROWS * WIDTH, DataType::Float32);
    for row in 0..ROWS {
        let x = row as f32;
        match nulls && row % 10 == 9 {
            true => builder.append_null(),
            false => {
                let mut vector = [0.25; WIDTH];
                vector[..3].copy_from_slice(&[x, x + 0.5, -x]);
                builder.append_slice(&vector);
            }
        }
    }
    builder.finish().into_series().cast(&DataType::Array(Box::new(DataType::Float32), WIDTH)).map(Series::into_column)
}

/// All types, with nulls in every column.
fn everything() -> PolarsResult<DataFrame> {
    let mut columns = scalars(true)?;
    columns.push(instants("when_ns", TimeUnit::Nanoseconds, 1_356_998_400_000_000_000, 1_000_000_007, true)?);
    columns.push(column("text", text, true));
    columns.push(column("geo.lat", |row| row as f64 / 16.0, true));
    let bytes = (0..ROWS).map(|row| unless_tenth(row, vec![row as u8, 0, 255]));
    columns.push(BinaryChunked::from_iter_options("bytes".into(), bytes).into_column());
    let mut tags = ListStringChunkedBuilder::new("tags".into(), ROWS, ROWS);
    let mut numbers = ListPrimitiveChunkedBuilder::<Int64Type>::new("numbers".into(), ROWS, ROWS, DataType::Int64);
    for row in 0..ROWS {
        if row % 10 == 9 {
            tags.append_null();
            numbers.append_null();
        } else {
            let values: Vec<_> = (0..row % 3).map(|tag| format!("t{tag}")).collect();
            tags.append_values_iter(values.iter().map(String::as_str));
            numbers.append_slice(&[row as i64, -(row as i64)][..row % 3]);
        }
    }
    columns.push(tags.finish().into_column());
    columns.push(numbers.finish().into_column());
    columns.push(vectors(true)?);
    let members = [
        column("lat", |row| row as f64 / 4.0, false).take_materialized_series(),
        column("name", |row| format!("p{row}"), false).take_materialized_series(),
    ];
    columns.push(StructChunked::from_series("place".into(), ROWS, members.iter())?.into_column());
    DataFrame::new(ROWS, columns)
}

/// Columns that tensors hold: only the floats have nulls.
fn tensors() -> PolarsResult<DataFrame> {
    let mut columns = scalars(false)?;
    columns.push(vectors(true)?);
    DataFrame::new(ROWS, columns)
}

/// Rows to be encoded: the first 800 are for training.
fn raw() -> PolarsResult<DataFrame> {
    DataFrame::new(
        ROWS,
        vec![
            // One that no training row has comes at the end.
            column("carrier", |row| if row < 900 { CARRIERS[(row % 4) as usize] } else { "XX" }.to_owned(), true),
            column("origin", |row| ["JFK", "EWR", "LGA"][(row % 3) as usize].to_owned(), false),
            column("delay", |row| (row * 7919) % 613 - 60, true),
            column("distance", |row| row as f64 / 3.0 + 1e6, false),
            column("late", |row| row % 7 < 3, true),
        ],
    )
}

fn encoders(raw: &DataFrame) -> Result<Encoders, Error> {
    let requested = IndexMap::from([
        ("carrier".to_owned(), Encoding::Codes),
        ("origin".to_owned(), Encoding::OneHot),
        ("delay".to_owned(), Encoding::Standard),
        ("distance".to_owned(), Encoding::Standard),
        ("late".to_owned(), Encoding::Numeric),
    ]);
    let mut fitter = EncoderPlan::new(raw.schema(), &requested, true)?.fitter();
    let training = raw.head(Some(800));
    for start in (0..training.height()).step_by(PAGE) {
        fitter.observe(&training.slice(start as i64, PAGE))?;
    }
    fitter.finish()
}

fn write(folder: &Path, stem: &str, format: &str, frame: &DataFrame, encoders: Option<&Encoders>) -> Result<(), Error> {
    let format = format.parse().unwrap_or(Format::Ndjson);
    let name = format!("{stem}.{}", format.extension());
    let mut writer: Box<dyn FileWriter> = create(format, folder, &name, frame.schema(), encoders)?;
    for start in (0..frame.height()).step_by(PAGE) {
        writer.push(&frame.slice(start as i64, PAGE))?;
    }
    let file = writer.finish()?;
    println!("{} {} rows, {} bytes, sha256 {}", file.path, file.rows, file.bytes, file.sha256);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: write_formats FOLDER")?;
    let folder = Path::new(&folder);
    let all = everything()?;
    for format in ["parquet", "ipc", "ipc-stream", "ndjson"] {
        write(folder, "all", format, &all, None)?;
    }
    write(folder, "all", "avro", &all.drop("u64")?, None)?;
    write(folder, "flat", "csv", &all.drop_many(["bytes", "tags", "numbers", "vector", "place"]), None)?;
    write(folder, "examples", "tfrecord", &all.drop_many(["u64", "place"]), None)?;
    let tensors = tensors()?;
    write(folder, "tensors", "npz", &tensors, None)?;
    write(folder, "tensors", "safetensors", &tensors, None)?;
    write(folder, "matrix", "npy", &tensors.select(["i32", "f64", "flag", "vector"])?, None)?;
    write(folder, "integers", "npy", &tensors.select(["i64", "i8", "flag"])?, None)?;

    let raw = raw()?;
    let encoders = encoders(&raw)?;
    std::fs::write(folder.join("encoders.json"), serde_json::to_vec_pretty(&encoders)?)?;
    write(folder, "raw", "parquet", &raw, None)?;
    let encoded = encoders.apply(&raw)?;
    for format in ["parquet", "npy", "safetensors", "tfrecord"] {
        write(folder, "encoded", format, &encoded, Some(&encoders))?;
    }
    Ok(())
}
