//! Tables of every format, in pieces, and files that do not follow their format.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use es_bulk::ErrorKind;
use es_bulk::files::{FileFormat, FileReader, ReadOptions, Source, same_schema};
use polars::io::prelude::{IpcCompression, IpcWriter, ParquetWriter, SerWriter as _};
use polars::prelude::*;
use tempfile::TempDir;

/// The options of a test: no more rows than that in a piece.
fn options(format: Option<FileFormat>, rows: usize) -> ReadOptions {
    ReadOptions { format, piece_rows: rows, ..ReadOptions::default() }
}

/// All frames of a file, each of which has the reader's schema.
fn frames(path: &Path, format: Option<FileFormat>, rows: usize) -> Result<Vec<DataFrame>, es_bulk::Error> {
    let mut reader = FileReader::open(path, &options(format, rows))?;
    assert_eq!(reader.path(), path);
    let mut all = Vec::new();
    while let Some(piece) = reader.next_piece()? {
        assert_eq!(piece.frame.schema(), reader.schema());
        assert!(piece.frame.columns().iter().all(|column| column.as_materialized_series().n_chunks() <= 1));
        all.push(piece.frame);
    }
    assert!(reader.next_piece()?.is_none(), "the end is the end");
    Ok(all)
}

fn together(frames: Vec<DataFrame>) -> DataFrame {
    let mut frames = frames.into_iter();
    let mut whole = frames.next().unwrap();
    for frame in frames {
        whole.vstack_mut_owned(frame).unwrap();
    }
    whole
}

/// A frame with nulls and the types that files commonly have.
fn sample(rows: i64) -> DataFrame {
    let text: Vec<Option<String>> = (0..rows).map(|n| (n % 3 != 0).then(|| format!("row {n}\n\"é\""))).collect();
    let time: Vec<i64> = (0..rows).map(|n| 1_357_034_400_000 + n * 60_000).collect();
    let mut frame = df!(
        "n" => (0..rows).collect::<Vec<_>>(),
        "f" => (0..rows).map(|n| (n % 4 != 1).then_some(n as f64 / 8.0)).collect::<Vec<_>>(),
        "b" => (0..rows).map(|n| (n % 5 != 2).then_some(n % 2 == 0)).collect::<Vec<_>>(),
        "s" => text,
        "t" => time,
    )
    .unwrap();
    let utc = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
    let time = frame.column("t").unwrap().cast(&utc).unwrap();
    frame.with_column(time).unwrap();
    frame
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn written(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn parquet_comes_in_slices_of_any_size() {
    let folder = folder();
    let path = folder.path().join("a.parquet");
    let mut source = sample(1_000);
    let writer = ParquetWriter::new(File::create(&path).unwrap()).with_row_group_size(Some(64));
    writer.finish(&mut source).unwrap();
    assert_eq!(FileReader::open(&path, &ReadOptions::default()).unwrap().rows(), Some(1_000));
    for rows in [1_000, 333, 64, 7] {
        let found = frames(&path, None, rows).unwrap();
        assert!(found.iter().all(|frame| frame.height() <= rows), "{rows}");
        assert!(together(found).equals_missing(&source), "{rows}");
    }
}

#[test]
fn of_parquet_the_columns_can_be_chosen() {
    let folder = folder();
    let path = folder.path().join("a.parquet");
    let mut source = sample(10);
    ParquetWriter::new(File::create(&path).unwrap()).finish(&mut source).unwrap();
    let columns = Some(["f", "n", "absent"].map(String::from).to_vec());
    let mut reader = FileReader::open(&path, &ReadOptions { columns, ..options(None, 4) }).unwrap();
    let mut found = Vec::new();
    while let Some(piece) = reader.next_piece().unwrap() {
        found.push(piece.frame);
    }
    assert!(together(found).equals_missing(&source.select(["n", "f"]).unwrap()));
}

#[test]
fn arrow_ipc_comes_in_slices_of_any_size() {
    let folder = folder();
    for compression in [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(Default::default()))] {
        let path = folder.path().join("a.arrow");
        let mut source = sample(1_000);
        let mut writer = IpcWriter::new(File::create(&path).unwrap())
            .with_compression(compression)
            .with_record_batch_size(Some(150));
        writer.finish(&mut source).unwrap();
        for rows in [5_000, 150, 64, 7] {
            let found = frames(&path, None, rows).unwrap();
            assert!(found.iter().all(|frame| frame.height() <= rows), "{rows}");
            assert!(together(found).equals_missing(&source), "{rows}");
        }
    }
}

#[test]
fn csv_keeps_line_breaks_quotes_and_nulls() {
    let folder = folder();
    let text = "n,s,f\n1,\"a\nb\",0.5\n2,\"say \"\"hi\"\"\",\n3,,1.5\n4,\"x,y\",2\n";
    for text in [text.to_owned(), text.replace('\n', "\r\n"), text.trim_end().to_owned()] {
        let path = written(&folder, "a.csv", &text);
        let found = together(frames(&path, None, 10).unwrap());
        let line_break = if text.contains('\r') { "a\r\nb" } else { "a\nb" };
        let expected = df!(
            "n" => [1_i64, 2, 3, 4],
            "s" => [Some(line_break), Some("say \"hi\""), None, Some("x,y")],
            "f" => [Some(0.5), None, Some(1.5), Some(2.0)],
        );
        assert!(found.equals_missing(&expected.unwrap()), "{found}");
    }
}

/// A CSV file of more than two pieces, with line breaks inside of values everywhere.
fn large_csv(folder: &TempDir, last: &str) -> (PathBuf, usize) {
    let path = folder.path().join("large.csv");
    let mut file = std::io::BufWriter::new(File::create(&path).unwrap());
    writeln!(file, "n,s").unwrap();
    let rows = 6_000;
    for n in 0..rows {
        writeln!(file, "{n},\"{}\n\n,\"\"{n}\"\"\n{}\"", "x".repeat(n % 6_000), "é".repeat(n % 30)).unwrap();
    }
    write!(file, "{last}").unwrap();
    file.into_inner().unwrap().sync_all().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > 17 << 20);
    (path, rows)
}

#[test]
fn a_large_csv_is_cut_between_records() {
    let folder = folder();
    let (path, rows) = large_csv(&folder, "");
    let found = frames(&path, None, 10).unwrap();
    assert!(found.len() > 2);
    let whole = together(found);
    assert_eq!(whole.height(), rows);
    let (numbers, texts) = (whole.column("n").unwrap().i64().unwrap(), whole.column("s").unwrap().str().unwrap());
    for (n, (number, text)) in numbers.iter().zip(texts.iter()).enumerate() {
        assert_eq!(number, Some(n as i64));
        assert_eq!(text, Some(&*format!("{}\n\n,\"{n}\"\n{}", "x".repeat(n % 6_000), "é".repeat(n % 30))));
    }
}

#[test]
fn a_late_value_of_another_type_is_refused_alone_and_not_a_null() {
    let folder = folder();
    let (path, _) = large_csv(&folder, "many,x\n");
    let mut reader = FileReader::open(&path, &options(None, 1_000)).unwrap();
    let (mut rows, mut nulls, mut refused) = (0, 0, Vec::new());
    while let Some(piece) = reader.next_piece().unwrap() {
        rows += piece.frame.height();
        nulls += piece.frame.column("n").unwrap().null_count();
        refused.extend(piece.refused);
    }
    assert_eq!((nulls, refused.len()), (0, 1));
    assert_eq!(refused[0].row, rows as u64 + 1, "it is the last");
    assert!(refused[0].text == "many,x" && refused[0].reason.contains("many"), "{:?}", refused[0]);
}

#[test]
fn lines_of_json_are_not_a_table() {
    let folder = folder();
    let path = written(&folder, "a.ndjson", "{\"n\":1}\n");
    for format in [None, Some(FileFormat::Ndjson)] {
        let error = FileReader::open(&path, &options(format, 10)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Format);
        let expected = format!("{} is NDJSON, which holds documents without columns", path.display());
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.help(), Some("load it with `files::batches` or `load_files`, or read it with `RawLines`"));
    }
}

#[test]
fn a_file_of_another_format_is_refused() {
    let folder = folder();
    let table = [
        ("a.parquet", "n,s\n1,a\n", "Parquet"),
        ("a.parquet", "", "Parquet"),
        ("a.arrow", "n,s\n1,a\n", "Arrow IPC"),
        ("a.feather", "", "Arrow IPC"),
        ("a.csv", "", "CSV"),
        ("a.ndjson", "n,s\n1,a\n", "NDJSON"),
        ("a.ndjson", "", "NDJSON"),
        ("a.jsonl", "PAR1\u{0}\u{1}", "NDJSON"),
    ];
    for (name, text, format) in table {
        let path = written(&folder, name, text);
        let error = Source::open(path.clone(), &ReadOptions::default()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Format, "{name} {text}");
        let article = if matches!(format, "Arrow IPC" | "NDJSON") { "an" } else { "a" };
        let expected = format!("{} is not {article} {format} file: ", path.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
        assert_eq!(error.help(), Some("check the file, or set its format if its extension is misleading"));
        assert_eq!(error.path(), Some(path.as_path()));
    }
}

#[test]
fn a_truncated_parquet_file_is_an_error() {
    let folder = folder();
    let path = folder.path().join("a.parquet");
    ParquetWriter::new(File::create(&path).unwrap()).finish(&mut sample(1_000)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(FileReader::open(&path, &ReadOptions::default()).err().unwrap().kind(), ErrorKind::Format);
    // The footer is whole, a page is not.
    let mut spoilt = whole.clone();
    spoilt[4..whole.len() / 2].fill(0xff);
    std::fs::write(&path, &spoilt).unwrap();
    let error = frames(&path, None, 100).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.to_string().starts_with(&format!("{} is damaged: ", path.display())), "{error}");
}

#[test]
fn paths_without_a_file_are_errors() {
    let folder = folder();
    let absent = folder.path().join("absent.parquet");
    let error = FileReader::open(&absent, &ReadOptions::default()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::File);
    assert!(error.to_string().starts_with(&format!("{} cannot be opened: ", absent.display())), "{error}");
    assert_eq!(error.help(), Some("check the path; a relative path starts at the working folder"));

    let error = FileReader::open(folder.path(), &options(Some(FileFormat::Csv), 1)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::File);
    assert_eq!(error.to_string(), format!("{} is a folder", folder.path().display()));
    assert_eq!(error.help(), Some("name the files in it, for instance with *.parquet"));
}

#[test]
fn the_format_comes_from_the_extension_unless_it_is_set() {
    let folder = folder();
    let path = written(&folder, "flights.dat", "n\n1\n");
    let error = FileReader::open(&path, &ReadOptions::default()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert_eq!(error.to_string(), format!("the name of {} has no extension of a known file format", path.display()));
    assert_eq!(
        error.help(),
        Some("rename the file, or set the format to parquet, csv, ndjson, json, ipc or ipc_stream")
    );
    let found = together(frames(&path, Some(FileFormat::Csv), 10).unwrap());
    assert!(found.equals(&df!("n" => [1_i64]).unwrap()));
    for (name, format) in [("A.PARQUET", FileFormat::Parquet), ("b.Csv", FileFormat::Csv), ("c.ipc", FileFormat::Ipc)] {
        assert_eq!(FileFormat::of_path(name), Some(format));
    }
}

#[test]
fn a_header_alone_is_no_rows() {
    let folder = folder();
    let found = together(frames(&written(&folder, "a.csv", "n,s\n"), None, 10).unwrap());
    assert_eq!(found.height(), 0);
    assert_eq!(found.get_column_names(), ["n", "s"]);
    for name in ["a.parquet", "a.arrow"] {
        let path = folder.path().join(name);
        let mut empty = sample(3).head(Some(0));
        match name {
            "a.parquet" => {
                ParquetWriter::new(File::create(&path).unwrap()).finish(&mut empty).unwrap();
            }
            _ => IpcWriter::new(File::create(&path).unwrap()).finish(&mut empty).unwrap(),
        }
        assert_eq!(FileReader::open(&path, &ReadOptions::default()).unwrap().schema(), empty.schema());
        let rows: usize = frames(&path, None, 10).unwrap().iter().map(DataFrame::height).sum();
        assert_eq!(rows, 0);
    }
}

#[test]
fn files_that_differ_name_the_column() {
    let one = df!("a" => [1_i64], "b" => ["x"]).unwrap();
    let table = [
        (df!("a" => [1_i64]).unwrap(), "the second lacks column b"),
        (df!("a" => [1.0], "b" => ["x"]).unwrap(), "column a is i64 in the first and f64 in the second"),
        (df!("a" => [1_i64], "b" => ["x"], "c" => [1]).unwrap(), "the first lacks column c"),
    ];
    let (first, second) = (Path::new("1.csv"), Path::new("2.csv"));
    for (other, why) in table {
        let error = same_schema((first, one.schema()), (second, other.schema())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert_eq!(error.to_string(), format!("1.csv and 2.csv differ: {why}"));
        assert_eq!(error.path(), Some(second));
    }
    let reordered = df!("b" => ["y"], "a" => [2_i64]).unwrap();
    same_schema((first, one.schema()), (second, reordered.schema())).unwrap();
}
