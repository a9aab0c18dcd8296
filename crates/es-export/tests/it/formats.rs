//! The files of every format, from frames that are made up.

use std::io::Read as _;
use std::path::Path;

use es_export::encode::{EncoderPlan, Encoders, Encoding};
use es_export::write::{FeatureDescription, FileWriter, NullPolicy, create};
use es_export::{Compression, Error, ErrorKind, FileOptions, Format, ManifestFile, ParquetOptions};
use indexmap::IndexMap;
use polars::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::disk_full::SmallDisk;
use crate::support::{contents, names};

/// A column of each type that every format of tensors holds, and TFRecord.
fn numbers(rows: i64) -> DataFrame {
    df!(
        "n" => (0..rows).collect::<Vec<_>>(),
        "x" => (0..rows).map(|n| (n % 4 != 0).then_some(n as f64 / 3.0)).collect::<Vec<_>>(),
        "y" => (0..rows).map(|n| n as f32 / 8.0).collect::<Vec<_>>(),
        "b" => (0..rows).map(|n| n % 3 == 0).collect::<Vec<_>>(),
    )
    .unwrap()
}

fn begin(options: impl Into<FileOptions>, folder: &Path, frame: &DataFrame) -> Result<Box<dyn FileWriter>, Error> {
    let options = options.into();
    create(options, folder, &format!("part/file.{}", options.extension()), frame.schema(), None)
}

/// Writes a file in pieces, and compares what is said of it with what is on disk.
fn write(
    options: impl Into<FileOptions>,
    folder: &Path,
    frame: &DataFrame,
    piece: usize,
) -> Result<ManifestFile, Error> {
    let options = options.into();
    let format = options.format;
    let mut writer = begin(options, folder, frame)?;
    for start in (0..frame.height()).step_by(piece) {
        writer.push(&frame.slice(start as i64, piece))?;
    }
    let file = writer.finish()?;
    let bytes = std::fs::read(folder.join(&file.path)).unwrap();
    assert_eq!(file.path, format!("part/file.{}", options.extension()));
    assert_eq!((file.rows, file.bytes), (frame.height() as u64, bytes.len() as u64), "{}", format);
    assert_eq!(file.sha256, hex::encode(Sha256::digest(&bytes)), "{}", format);
    Ok(file)
}

fn named(name: &str) -> Format {
    name.parse().unwrap()
}

fn parquet(parquet: ParquetOptions) -> FileOptions {
    FileOptions { parquet, ..FileOptions::default() }
}

#[test]
fn what_is_said_of_a_file_is_true_however_its_rows_came() {
    for format in Format::ALL {
        let name = format.as_str();
        for (rows, piece) in [(0, 1), (1, 1), (1_000, 7), (1_000, 1_000)] {
            let scratch = tempfile::tempdir().unwrap();
            let file = write(format, scratch.path(), &numbers(rows), piece).unwrap();
            let mut expected = vec![format!("file.{}", format.extension())];
            assert_eq!(file.description.is_some(), format.holds_tensors(), "{name}");
            if let Some(description) = &file.description {
                expected.push(format!("{}.features.json", expected[0]));
                let found = FeatureDescription::read(&scratch.path().join(description)).unwrap();
                assert_eq!((found.file.as_str(), found.rows), (expected[0].as_str(), rows as u64));
                let features: Vec<_> = found.features.iter().map(|feature| feature.name.as_str()).collect();
                assert_eq!(features, ["n", "x", "y", "b"], "{name}");
                assert_eq!(found.features[1].nulls, (rows as u64).div_ceil(4), "{name}");
            }
            assert_eq!(names(&scratch.path().join("part")), expected, "{name}");
        }
    }
}

#[test]
fn the_same_rows_are_the_same_bytes() {
    // But for Avro, whose blocks are marked by a random number.
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Avro) {
        let sums = [13, 400].map(|piece| {
            let scratch = tempfile::tempdir().unwrap();
            write(format, scratch.path(), &numbers(1_000), piece).unwrap().sha256
        });
        assert_eq!(sums[0], sums[1], "{format}");
    }
}

#[test]
fn text_is_compressed_as_a_whole_and_the_rest_is_the_same() {
    let frame = numbers(1_000);
    for format in [Format::Csv, Format::Tsv, Format::Ndjson, Format::Json] {
        let texts = [None, Some(Compression::Gzip), Some(Compression::Zstd)].map(|compression| {
            let scratch = tempfile::tempdir().unwrap();
            let options = FileOptions { compression, ..format.into() };
            let file = write(options, scratch.path(), &frame, 300).unwrap();
            let bytes = std::fs::read(scratch.path().join(&file.path)).unwrap();
            let mut text = String::new();
            match compression {
                None => text = String::from_utf8(bytes).unwrap(),
                Some(Compression::Gzip) => {
                    assert!(file.path.ends_with(&format!("{format}.gz")), "{}", file.path);
                    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).map(drop).unwrap();
                }
                Some(_) => {
                    assert!(file.path.ends_with(&format!("{format}.zst")), "{}", file.path);
                    text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
                }
            }
            text
        });
        assert!(texts.iter().all(|text| *text == texts[0]), "{format}");
        let first = texts[0].lines().next().unwrap();
        match format {
            Format::Csv => assert_eq!(first, "n,x,y,b"),
            Format::Tsv => assert_eq!(first, "n\tx\ty\tb"),
            Format::Ndjson => assert_eq!(first, r#"{"n":0,"y":0.0,"b":true}"#),
            _ => {
                let all: Vec<serde_json::Value> = serde_json::from_str(&texts[0]).unwrap();
                assert_eq!((all.len(), &all[999]["n"]), (1_000, &serde_json::json!(999)));
            }
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = write(Format::Json, scratch.path(), &numbers(0), 1).unwrap();
    assert_eq!(std::fs::read_to_string(scratch.path().join(file.path)).unwrap(), "[]\n");
}

#[test]
fn row_groups_are_as_large_as_asked() {
    let frame = numbers(1_000);
    let table = [
        (ParquetOptions { row_group_rows: 300, ..ParquetOptions::default() }, vec![300, 300, 300, 100]),
        (ParquetOptions::default(), vec![1_000]),
    ];
    for (options, expected) in table {
        for compression in Compression::ALL {
            let mut sizes = Vec::new();
            for statistics in [true, false] {
                let scratch = tempfile::tempdir().unwrap();
                let options = ParquetOptions { statistics, ..options };
                let options = FileOptions { compression: Some(compression), ..parquet(options) };
                let file = write(options, scratch.path(), &frame, 70).unwrap();
                let open = std::fs::File::open(scratch.path().join(&file.path)).unwrap();
                let mut reader = ParquetReader::new(open);
                let metadata = reader.get_metadata().unwrap().clone();
                let rows: Vec<_> = metadata.row_groups.iter().map(|group| group.num_rows()).collect();
                assert_eq!(rows, expected);
                assert!(reader.finish().unwrap().equals_missing(&frame));
                sizes.push(file.bytes);
            }
            // What they say is read by PyArrow, among the consumers.
            assert!(sizes[0] > sizes[1], "statistics take room: {sizes:?}");
        }
    }
    // A limit in bytes makes more groups, of about so many bytes.
    let scratch = tempfile::tempdir().unwrap();
    let options = ParquetOptions { row_group_bytes: 2_000, ..ParquetOptions::default() };
    let file = write(parquet(options), scratch.path(), &frame, 70).unwrap();
    let open = std::fs::File::open(scratch.path().join(&file.path)).unwrap();
    let groups = ParquetReader::new(open).get_metadata().unwrap().row_groups.len();
    assert!((8..20).contains(&groups), "{groups}");
}

#[test]
fn vectors_come_back_and_shrink_where_they_can() {
    let width = 200;
    let rows = 3_000;
    let of = |number: fn(usize) -> f32, gap: fn(usize) -> bool| {
        let mut builder =
            ListPrimitiveChunkedBuilder::<Float32Type>::new("v".into(), rows, rows * width, DataType::Float32);
        for row in 0..rows {
            match gap(row) {
                true => builder.append_null(),
                false => builder.append_iter((0..width).map(|at| Some(number(row * width + at)))),
            }
        }
        let vectors = DataType::Array(Box::new(DataType::Float32), width);
        let n: Vec<_> = (0..rows as i64).collect();
        df!("v" => builder.finish().into_series().cast(&vectors).unwrap(), "n" => n).unwrap()
    };
    // What is drawn by chance does not shrink; what repeats itself does.
    let chance: fn(usize) -> f32 = |at| f32::from_bits(fastrand::Rng::with_seed(at as u64).u32(..) & 0xbfff_ffff);
    let alike: fn(usize) -> f32 = |at| (at % 7) as f32;
    let gaps: [fn(usize) -> bool; 4] = [|_| false, |row| row % 3 == 0, |row| row < 2_000, |_| true];
    for (number, shrinks) in [(chance, false), (alike, true)] {
        // Rows that come in a few large pieces are not put together before.
        for (gap, (row_group_rows, at_once)) in
            gaps.into_iter().flat_map(|gap| [(gap, (1_700, 70)), (gap, (3_000, 1_400))])
        {
            let frame = of(number, gap);
            let options = ParquetOptions { row_group_rows, ..ParquetOptions::default() };
            let scratch = tempfile::tempdir().unwrap();
            let file = write(parquet(options), scratch.path(), &frame, at_once).unwrap();
            let open = std::fs::File::open(scratch.path().join(&file.path)).unwrap();
            let mut reader = ParquetReader::new(open);
            let codecs: Vec<_> = reader
                .get_metadata()
                .unwrap()
                .row_groups
                .last()
                .unwrap()
                .parquet_columns()
                .iter()
                .map(|column| format!("{:?}", column.compression()))
                .collect();
            let of_vectors = if shrinks || gap(2_500) { "Zstd" } else { "Uncompressed" };
            assert_eq!(codecs, [of_vectors, "Zstd"]);
            let found = reader.finish().unwrap();
            assert_eq!(found.schema(), frame.schema());
            assert!(found.equals_missing(&frame), "{found:?}\n{frame:?}");
        }
    }
}

#[test]
fn arrow_files_are_compressed_as_asked_and_come_back() {
    let frame = numbers(1_000);
    for name in ["ipc", "ipc-stream"] {
        for compression in named(name).compressions() {
            let scratch = tempfile::tempdir().unwrap();
            let format = FileOptions { compression: Some(*compression), ..named(name).into() };
            let file = write(format, scratch.path(), &frame, 70).unwrap();
            let open = std::fs::File::open(scratch.path().join(&file.path)).unwrap();
            let found = match name {
                "ipc" => IpcReader::new(open).finish().unwrap(),
                _ => IpcStreamReader::new(open).finish().unwrap(),
            };
            assert!(found.equals_missing(&frame), "{name} {compression:?}");
        }
    }
}

#[test]
fn csv_is_as_its_standard_says() {
    let instant = |unit, values: [Option<i64>; 4]| {
        let zone = Some(TimeZone::UTC);
        Series::new("t".into(), values).cast(&DataType::Datetime(unit, zone)).unwrap().into_column()
    };
    let mut frame = df!(
        "a,b" => [Some("plain"), Some(""), None, Some("two\nlines, \"quoted\"")],
        "n" => [Some(i64::MIN), Some(0), None, Some(i64::MAX)],
        "x" => [Some(0.1), Some(1e300), None, Some(-0.0)],
        "b" => [Some(true), Some(false), None, Some(true)],
    )
    .unwrap();
    let milliseconds = instant(TimeUnit::Milliseconds, [Some(0), Some(1_357_017_300_120), None, Some(-1)]);
    frame.with_column(milliseconds).unwrap();
    let nanoseconds = instant(TimeUnit::Nanoseconds, [Some(0), Some(1), None, Some(-1)]);
    frame.with_column(nanoseconds.with_name("u".into())).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let file = write(Format::Csv, scratch.path(), &frame, 3).unwrap();
    let text = std::fs::read_to_string(scratch.path().join(file.path)).unwrap();
    let expected = [
        "\"a,b\",n,x,b,t,u\r\n",
        "plain,-9223372036854775808,0.1,true,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z\r\n",
        "\"\",0,1e+300,false,2013-01-01T05:15:00.120Z,1970-01-01T00:00:00.000000001Z\r\n",
        ",,,,,\r\n",
        "\"two\nlines, \"\"quoted\"\"\",9223372036854775807,-0.0,true,1969-12-31T23:59:59.999Z,\
         1969-12-31T23:59:59.999999999Z\r\n",
    ];
    assert_eq!(text, expected.concat());
}

#[test]
fn json_lines_have_exact_numbers_and_no_nulls() {
    let frame = df!("n" => [Some(u64::MAX), None], "x" => [Some(0.1), Some(5e-324)], "s" => ["\"", "é"]).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let file = write(Format::Ndjson, scratch.path(), &frame, 1).unwrap();
    let text = std::fs::read_to_string(scratch.path().join(file.path)).unwrap();
    assert_eq!(text, "{\"n\":18446744073709551615,\"x\":0.1,\"s\":\"\\\"\"}\n{\"x\":5e-324,\"s\":\"é\"}\n");
    let nan = df!("x" => [f64::NAN]).unwrap();
    let error = write(Format::Ndjson, scratch.path(), &nan, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert!(error.to_string().contains("column x holds NaN"), "{error}");
}

#[test]
fn a_null_that_a_tensor_cannot_hold_names_its_column() {
    let frame = df!("n" => [Some(1_i64), None]).unwrap();
    for name in ["npy", "npz", "safetensors"] {
        let scratch = tempfile::tempdir().unwrap();
        let error = write(named(name), scratch.path(), &frame, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Value);
        assert_eq!(error.to_string(), "column n holds a null, which a tensor of int64 has no form for");
        assert!(error.help().unwrap().contains("the encoding numeric"));
    }
    // As a float it has one.
    let plan = EncoderPlan::new(frame.schema(), &IndexMap::from([("n".to_owned(), Encoding::Numeric)]), false).unwrap();
    assert!(!plan.needs_fitting());
    let encoders = plan.fitter().finish().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    write(Format::Npy, scratch.path(), &encoders.apply(&frame).unwrap(), 1).unwrap();
}

#[test]
fn a_matrix_of_floats_refuses_integers_that_it_would_round() {
    let frame = df!("x" => [0.5], "n" => [(1_i64 << 53) + 1]).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let error = write(Format::Npy, scratch.path(), &frame, 1).unwrap_err();
    assert_eq!(error.to_string(), "column n holds 9007199254740993, which a matrix of float64 cannot hold exactly");
}

#[test]
fn the_description_tells_what_encoders_did() {
    let frame = df!(
        "carrier" => [Some("UA"), Some("B6"), None],
        "origin" => ["JFK", "EWR", "JFK"],
        "delay" => [Some(1_i64), None, Some(3)],
    )
    .unwrap();
    let requested = [("origin", Encoding::OneHot), ("delay", Encoding::Standard)];
    let requested = requested.map(|(name, encoding)| (name.to_owned(), encoding)).into_iter().collect();
    let mut fitter = EncoderPlan::new(frame.schema(), &requested, true).unwrap().fitter();
    fitter.observe(&frame).unwrap();
    let encoders: Encoders = fitter.finish().unwrap();
    let encoded = encoders.apply(&frame).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let mut writer = create(Format::Npy, scratch.path(), "m.npy", encoded.schema(), Some(&encoders)).unwrap();
    writer.push(&encoded).unwrap();
    let file = writer.finish().unwrap();
    let path = scratch.path().join(file.description.unwrap());
    let found = FeatureDescription::read(&path).unwrap();
    let names: Vec<_> = found.features.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["carrier", "origin=EWR", "origin=JFK", "delay"]);
    assert!(found.features.iter().all(|feature| feature.dtype == "float64"));
    assert!(found.features.iter().all(|feature| feature.null_policy == NullPolicy::Nan));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let encoded = |place: usize| json["features"][place]["encoded"].clone();
    assert_eq!(encoded(0), serde_json::json!({"column": "carrier", "encoding": "codes", "vocabulary": ["B6", "UA"]}));
    assert_eq!(encoded(2), serde_json::json!({"column": "origin", "encoding": "one_hot", "value": "JFK"}));
    assert_eq!(encoded(3), serde_json::json!({"column": "delay", "encoding": "standard", "mean": 2.0, "std": 1.0}));
}

#[test]
fn writers_hold_a_bounded_number_of_rows() {
    // 96 bytes a row, and far more rows than any writer may hold.
    let columns = (0..12).map(|n| Series::new(format!("c{n}").into(), vec![n as f64; 50_000]).into_column());
    let frame = DataFrame::new(50_000, columns.collect()).unwrap();
    // The others hold none.
    for name in ["parquet", "ipc", "npz", "safetensors"] {
        let scratch = tempfile::tempdir().unwrap();
        let mut writer = begin(named(name), scratch.path(), &frame).unwrap();
        for _ in 0..8 {
            writer.push(&frame).unwrap();
            assert!(writer.held_bytes() <= 33 * 1024 * 1024, "{name} holds {}", writer.held_bytes());
        }
        writer.release().unwrap();
        assert_eq!(writer.held_bytes(), 0, "{name}");
        assert_eq!(writer.finish().unwrap().rows, 400_000, "{name}");
    }
}

#[test]
fn a_full_disk_is_told_from_other_failures_in_every_format() {
    let Some(disk) = SmallDisk::mount() else { return };
    let frame = numbers(20_000);
    for format in Format::ALL {
        let name = format.as_str();
        let outcome = begin(format, disk.path(), &frame).and_then(|mut writer| {
            for _ in 0..4 {
                writer.push(&frame)?;
            }
            writer.finish()
        });
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DiskFull, "{name}: {error}");
        let path = disk.path().join(format!("part/file.{}", format.extension()));
        assert_eq!(error.path(), Some(path.as_path()), "{name}");
        for path in contents(disk.path()).into_keys() {
            std::fs::remove_file(path).unwrap();
        }
    }
}
