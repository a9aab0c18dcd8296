//! Parquet and Arrow IPC in pieces that rows and bytes limit, and places in them.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use es_bulk::files::{FileFormat, FilePlace, FileReader, ReadOptions};
use polars::io::prelude::{IpcStreamWriter, IpcWriter, ParquetWriter, SerWriter as _};
use polars::prelude::*;

/// Rows with lists, objects, vectors and texts of very different lengths.
fn nested(rows: i64) -> DataFrame {
    let text: Vec<String> = (0..rows).map(|n| "é".repeat(if n % 50 == 7 { 3_000 } else { n as usize % 9 })).collect();
    let list: Vec<Option<Series>> =
        (0..rows).map(|n| (n % 5 != 1).then(|| Series::new("".into(), (0..n % 7).collect::<Vec<i64>>()))).collect();
    let vector = Series::new("v".into(), (0..rows * 8).map(|n| n as f32 / 4.0).collect::<Vec<_>>());
    let shape = [ReshapeDimension::Infer, ReshapeDimension::new(8)];
    let inner = df!(
        "x" => (0..rows).map(|n| (n % 3 != 0).then_some(n)).collect::<Vec<_>>(),
        "y" => (0..rows).map(|n| format!("y{n}")).collect::<Vec<_>>(),
    );
    let category = Series::new("c".into(), (0..rows).map(|n| format!("c{}", n % 4)).collect::<Vec<_>>());
    DataFrame::new_infer_height(vec![
        Series::new("n".into(), (0..rows).collect::<Vec<_>>()).into(),
        Series::new("s".into(), text).into(),
        Series::new("l".into(), list).into(),
        vector.reshape_array(&shape).unwrap().with_name("v".into()).into(),
        inner.unwrap().into_struct("o".into()).into_series().into(),
        category.into(),
    ])
    .unwrap()
}

fn write(frame: &mut DataFrame, path: &Path) {
    let file = File::create(path).unwrap();
    match FileFormat::of_path(path).unwrap() {
        FileFormat::Parquet => {
            ParquetWriter::new(file)
                .with_row_group_size(Some(400))
                .with_data_page_size(Some(2_000))
                .finish(frame)
                .unwrap();
        }
        FileFormat::Ipc => IpcWriter::new(file).with_record_batch_size(Some(150)).finish(frame).unwrap(),
        _ => IpcStreamWriter::new(file).finish(frame).unwrap(),
    }
}

fn read(reader: &mut FileReader) -> (Vec<usize>, Option<DataFrame>) {
    let (mut heights, mut whole) = (Vec::new(), None::<DataFrame>);
    while let Some(piece) = reader.next_piece().unwrap() {
        heights.push(piece.frame.height());
        assert_eq!(piece.number(0), piece.place.rows + 1);
        whole = Some(match whole {
            None => piece.frame,
            Some(before) => before.vstack(&piece.frame).unwrap(),
        });
    }
    (heights, whole)
}

const NAMES: [&str; 3] = ["a.parquet", "a.arrow", "a.arrows"];

#[test]
fn pieces_are_limited_by_rows_and_bytes_and_are_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = nested(1_000);
    for name in NAMES {
        let path = folder.path().join(name);
        write(&mut source, &path);
        for (piece_rows, piece_bytes) in [(1_000, 1 << 30), (77, 1 << 30), (1_000, 20_000), (1, 1)] {
            let options = ReadOptions { piece_rows, piece_bytes, ..ReadOptions::default() };
            let (heights, whole) = read(&mut FileReader::open(&path, &options).unwrap());
            assert!(heights.iter().all(|height| *height <= piece_rows), "{name} {heights:?}");
            if piece_bytes == 20_000 {
                assert!(heights.len() > 5, "{name} {heights:?}");
            }
            assert!(whole.unwrap().equals_missing(&source), "{name} by {piece_rows}, {piece_bytes}");
        }
    }
}

#[test]
fn reading_goes_on_at_any_row() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = nested(1_000);
    let options = ReadOptions { piece_rows: 90, ..ReadOptions::default() };
    for name in NAMES {
        let path = folder.path().join(name);
        write(&mut source, &path);
        let mut reader = FileReader::open(&path, &options).unwrap();
        for rows in [0, 1, 90, 149, 150, 399, 400, 401, 800, 999, 1_000, 5] {
            reader.seek(FilePlace { rows, bytes: None }).unwrap();
            assert_eq!(reader.place().rows, rows);
            let expected = source.slice(rows as i64, 1_000);
            match read(&mut reader).1 {
                Some(rest) => assert!(rest.equals_missing(&expected), "{name} from {rows}"),
                None => assert_eq!(rows, 1_000, "{name}"),
            }
        }
        let error = reader.seek(FilePlace { rows: 1_001, bytes: None }).unwrap_err();
        assert!(error.to_string().ends_with("it has 1000 rows, not 1001"), "{error}");
    }
}

#[test]
fn a_stream_comes_compressed_from_elsewhere_and_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = nested(300);
    let mut stream = Vec::new();
    IpcStreamWriter::new(&mut stream).finish(&mut source).unwrap();
    let packed = zstd::encode_all(&stream[..], 1).unwrap();
    for bytes in [stream.clone(), packed] {
        let format = FileFormat::IpcStream;
        let mut reader = FileReader::from_reader("x", Cursor::new(bytes), format, &ReadOptions::default()).unwrap();
        assert!(read(&mut reader).1.unwrap().equals_missing(&source));
    }
    let path = folder.path().join("a.arrow");
    std::fs::write(&path, &stream).unwrap();
    assert!(read(&mut FileReader::open(&path, &ReadOptions::default()).unwrap()).1.unwrap().equals_missing(&source));
    std::fs::write(folder.path().join("b.arrows"), &stream[..stream.len() / 2]).unwrap();
    let mut cut = FileReader::open(&folder.path().join("b.arrows"), &ReadOptions::default()).unwrap();
    let error = cut.next_piece().unwrap_err();
    assert!(error.to_string().contains("b.arrows is damaged: "), "{error}");
}

#[test]
fn categories_and_rare_types_of_parquet_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let text = Series::new("c".into(), ["a", "b", "a"]);
    let category = text.cast(&DataType::from_categories(Categories::global())).unwrap();
    let mut source = DataFrame::new_infer_height(vec![
        category.into(),
        Series::new("u".into(), [u64::MAX, 0, 1]).into(),
        Series::new("d".into(), [1_i64, 2, 3]).cast(&DataType::Duration(TimeUnit::Milliseconds)).unwrap().into(),
        Series::new("t".into(), [1_i64, 2, 3]).cast(&DataType::Time).unwrap().into(),
        Series::new("b".into(), [b"x".as_slice(), b"\xff", b""]).into(),
        Series::new_null("z".into(), 3).into(),
        Series::new("f".into(), [f32::NAN, f32::INFINITY, 0.5]).into(),
        Series::new("m".into(), [1.25, -3.5, 0.0]).cast(&DataType::Decimal(10, 2)).unwrap().into(),
    ])
    .unwrap();
    ParquetWriter::new(File::create(&path).unwrap()).finish(&mut source).unwrap();
    let mut reader = FileReader::open(&path, &ReadOptions::default()).unwrap();
    let schema = reader.schema().clone();
    let found = read(&mut reader).1.unwrap();
    assert_eq!(found.schema(), &schema);
    for column in source.columns() {
        let read = found.column(column.name()).unwrap();
        if column.name() == "c" {
            assert!(read.cast(&DataType::String).unwrap().equals_missing(&text.clone().into()));
        } else {
            assert_eq!(read.dtype(), column.dtype());
            assert!(read.equals_missing(column), "{read:?}");
        }
    }
}
