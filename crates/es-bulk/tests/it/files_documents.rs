//! Files as batches of documents: every line accounted for, parts by time, and mappings.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use es_bulk::files::{
    ColumnRole, DocumentOptions, DocumentReader, FileFormat, FileInput, FileScan, FileSource, MappingBasis,
    PartRequest, RawLines, RawOptions, ReadOptions, ScanMode, Source, StartPoint, TimeDivision, Undeclared, batches,
};
use es_bulk::{Batch, BatchBuilder, BatchLimits, BulkLoader, BulkOptions, Error, ErrorKind, MaxRejected, Operation};
use es_core::Mapping;
use es_frame::{ContentHash, WriterOptions};
use futures::{Stream, StreamExt as _};
use polars::io::prelude::ParquetWriter;
use polars::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{INDEX, items, mock_node, options, stream_of};

fn written(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn with_id(names: &[&str]) -> WriterOptions {
    WriterOptions { id: names.iter().copied().map(String::from).collect(), ..WriterOptions::default() }
}

fn documents(id: &[&str]) -> DocumentOptions {
    DocumentOptions { writer: with_id(id), ..DocumentOptions::default() }
}

const BROKEN: &str = "{\"n\":1}\n{\"n\":2\n{\"n\":3}\n{\"n\":4}\n";

fn one_rejected() -> BulkOptions {
    BulkOptions { max_rejected: MaxRejected::Count(1), ..options() }
}

#[tokio::test]
async fn a_malformed_line_is_rejected_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "a.ndjson", BROKEN);
    let (_server, client) = mock_node(|request| items(request, |_| 201)).await;
    let loader = BulkLoader::new(client, INDEX, one_rejected());
    let read = batches(path.clone(), ReadOptions::default(), with_id(&["n"]), BatchLimits::default());
    let mut expected = BTreeMap::new();
    expected.insert("malformed_document".to_owned(), 1);
    let summary = loader.load(read).await.unwrap();
    assert_eq!((summary.read, summary.acknowledged(), &summary.rejected), (4, 3, &expected));
    assert!(summary.adds_up());

    // The same by hand.
    let mut lines = RawLines::open(&path, &RawOptions { id: vec!["n".to_owned()], ..RawOptions::default() }).unwrap();
    let mut builder = BatchBuilder::new(BatchLimits::default());
    let (file, mut all) = (Arc::from("a.ndjson"), Vec::new());
    while let Some(piece) = lines.next_piece().unwrap() {
        all.extend(builder.push_raw(&file, &piece, Operation::Index).unwrap());
    }
    all.extend(builder.finish());
    let refused: Vec<_> = all.iter().flat_map(Batch::refused).map(|row| (row.row, row.text.as_str())).collect();
    assert_eq!(refused, [(2, "{\"n\":2")]);
    let summary = loader.load(stream_of(all)).await.unwrap();
    assert_eq!((summary.read, summary.acknowledged(), &summary.rejected), (4, 3, &expected));
}

#[tokio::test]
async fn an_error_comes_after_the_batches_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let good = written(&folder, "a.csv", "n\n1\n2\n");
    let bad = written(&folder, "b.csv", "n\n3\n\"never closed\n");
    let limits = BatchLimits { documents: 1, ..BatchLimits::default() };
    let mut stream = batches(vec![good, bad.clone()], ReadOptions::default(), with_id(&["n"]), limits);
    for n in 1..=3 {
        let batch = stream.next().await.unwrap().unwrap();
        assert!(batch.lines(0).ends_with(format!("{{\"n\":{n}}}\n").as_bytes()));
    }
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(error.to_string().starts_with(&format!("{} is damaged: ", bad.display())), "{error}");
    assert!(stream.next().await.is_none());
    // What is wrong at the beginning is an error of the stream, too.
    let absent = folder.path().join("absent.csv");
    let mut stream = batches(absent, ReadOptions::default(), with_id(&[]), BatchLimits::default());
    assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), ErrorKind::File);
}

#[tokio::test]
async fn pieces_by_hand_have_the_rows_of_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "a.csv", "n\n1\n\n2\n3\n");
    let mut reader =
        es_bulk::files::FileReader::open(&path, &ReadOptions { piece_bytes: 4, ..ReadOptions::default() }).unwrap();
    let mut builder = BatchBuilder::new(BatchLimits { documents: 1, ..BatchLimits::default() });
    let (file, mut rows) = (Arc::from("a.csv"), Vec::new());
    while let Some(piece) = reader.next_piece().unwrap() {
        for batch in builder.push_piece(&file, &piece, &with_id(&["n"])).unwrap() {
            rows.push(batch.origin(0).unwrap().row);
            assert_eq!(batch.checkpoint().unwrap().row, batch.origin(0).unwrap().row);
        }
    }
    assert_eq!(rows, [1, 2, 3]);
}

/// Rows `0..rows`, whose time is `n` seconds; every 17th has none.
fn timed(rows: std::ops::Range<i64>) -> Vec<(i64, Option<i64>)> {
    rows.map(|n| (n, (n % 17 != 16).then_some(n * 1_000))).collect()
}

/// The same rows in two files of a format, in ascending order or mixed.
fn files(folder: &TempDir, format: FileFormat, mixed: bool) -> Vec<PathBuf> {
    let order = |mut rows: Vec<(i64, Option<i64>)>| {
        if mixed {
            rows.sort_by_key(|(n, _)| (n * 7_919) % 1_009);
        }
        rows
    };
    let all = timed(0..1_000);
    let parts = [order(all[..600].to_vec()), order(all[600..].to_vec())];
    type Row = (i64, Option<i64>);
    let write = |number: usize, rows: &[Row]| {
        let path = folder.path().join(format!("{mixed}{number}.{format}"));
        let text = |write: &dyn Fn(&Row) -> String| rows.iter().map(write).collect::<String>();
        match format {
            FileFormat::Csv => {
                let line =
                    |(n, t): &(i64, Option<i64>)| format!("{n},{}\n", t.map(|t| t.to_string()).unwrap_or_default());
                std::fs::write(&path, format!("n,t\n{}", text(&line))).unwrap();
            }
            FileFormat::Ndjson => {
                let line = |(n, t): &(i64, Option<i64>)| format!("{{\"n\":{n},\"t\":{}}}\n", json!(t));
                std::fs::write(&path, text(&line)).unwrap();
            }
            _ => {
                let (n, t): (Vec<i64>, Vec<Option<i64>>) = rows.iter().copied().unzip();
                let mut frame = df!("n" => n, "t" => t).unwrap();
                let file = std::fs::File::create(&path).unwrap();
                ParquetWriter::new(file).with_row_group_size(Some(200)).finish(&mut frame).unwrap();
            }
        }
        path
    };
    vec![write(1, &parts[0]), write(2, &parts[1])]
}

fn division() -> TimeDivision {
    // From 0 to 900 seconds; the rest is outside.
    TimeDivision::new("t", vec![0..100_000, 100_000..400_000, 400_000..900_000])
}

fn divided(paths: Vec<PathBuf>, format: FileFormat) -> DocumentReader {
    let read = ReadOptions { format: Some(format), piece_bytes: 700, piece_rows: 90, ..ReadOptions::default() };
    let source = Source::open(paths, &read).unwrap();
    let limits = BatchLimits { documents: 10, ..BatchLimits::default() };
    DocumentReader::new(source, &documents(&["n"])).unwrap().with_division(division()).with_limits(limits)
}

fn scanned(reader: &DocumentReader, mode: ScanMode) -> FileScan {
    reader.scan(mode, &CancellationToken::new()).unwrap().unwrap()
}

/// The sorted numbers of the documents of a stream, and their content.
async fn read(stream: impl Stream<Item = Result<Batch, Error>>) -> (Vec<i64>, ContentHash) {
    let (mut found, mut content) = (Vec::new(), ContentHash::default());
    let mut stream = std::pin::pin!(stream);
    while let Some(batch) = stream.next().await {
        let batch = batch.unwrap();
        content.merge(batch.content());
        for document in 0..batch.len() {
            let lines = batch.lines(document).split(|byte| *byte == b'\n').nth(1).unwrap();
            found.push(serde_json::from_slice::<Value>(lines).unwrap()["n"].as_i64().unwrap());
        }
    }
    found.sort_unstable();
    (found, content)
}

fn expected(part: usize) -> Vec<i64> {
    let range = [0..100, 100..400, 400..900][part].clone();
    range.filter(|n| n % 17 != 16).collect()
}

#[tokio::test]
async fn parts_are_counted_hashed_and_read_alone_or_in_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    for format in [FileFormat::Csv, FileFormat::Ndjson, FileFormat::Parquet] {
        for mixed in [false, true] {
            let reader = divided(files(&folder, format, mixed), format);
            let counted = scanned(&reader, ScanMode::Rows);
            let scan = scanned(&reader, ScanMode::Content);
            assert_eq!((scan.outside, scan.without_time), (94, 58), "{format} {mixed}");
            let mut each = Vec::new();
            for (part, found) in scan.parts.iter().enumerate() {
                let what = format!("{format} {mixed} {part}");
                assert_eq!(found.rows, expected(part).len() as u64, "{what}");
                assert_eq!(counted.parts[part].rows, found.rows, "{what}");
                for spans in [None, found.spans.clone(), counted.parts[part].spans.clone()] {
                    let (numbers, content) =
                        read(reader.stream(PartRequest { part, spans, ..PartRequest::default() })).await;
                    assert_eq!(numbers, expected(part), "{what}");
                    assert_eq!(Some(content), found.content, "{what}");
                }
                each.push(PartRequest { part, spans: found.spans.clone(), ..PartRequest::default() });
            }
            let together = futures::future::join_all(reader.streams(each).into_iter().map(read)).await;
            for (part, (numbers, content)) in together.into_iter().enumerate() {
                assert_eq!(numbers, expected(part), "{format} {mixed} {part}");
                assert_eq!(Some(content), scan.parts[part].content);
            }
        }
    }
}

#[tokio::test]
async fn of_sorted_files_no_more_is_read_for_a_part_than_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    for format in [FileFormat::Csv, FileFormat::Ndjson, FileFormat::Parquet] {
        let reader = divided(files(&folder, format, false), format);
        for (part, found) in scanned(&reader, ScanMode::Rows).parts.into_iter().enumerate() {
            let (rows, between) = (found.spans.unwrap().rows(), expected(part).len() as u64);
            let (first, last) = (expected(part)[0], *expected(part).last().unwrap());
            // Text of CSV is entered at the beginning of a piece, of about 70 rows.
            let before = if format == FileFormat::Csv { 160 } else { 0 };
            assert!(rows >= between && rows <= (last - first + 1) as u64 + before, "{format} {part}: {rows}");
        }
    }
}

#[tokio::test]
async fn a_part_that_was_cut_off_continues_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    for format in [FileFormat::Csv, FileFormat::Ndjson, FileFormat::Parquet] {
        for mixed in [false, true] {
            let reader = divided(files(&folder, format, mixed), format);
            let spans = scanned(&reader, ScanMode::Rows).parts[2].spans.clone();
            // Every point at which the last part can be cut off.
            let mut stream = reader.stream(PartRequest { part: 2, spans: spans.clone(), ..PartRequest::default() });
            let mut points = vec![StartPoint::default()];
            while let Some(batch) = stream.next().await {
                let batch = batch.unwrap();
                let documents = points.last().unwrap().documents;
                assert_eq!(batch.number(0), documents);
                points.push(StartPoint { checkpoint: batch.checkpoint(), documents: documents + batch.len() as u64 });
            }
            for from in points.into_iter().step_by(7) {
                let settled = from.documents as usize;
                let requests = vec![
                    PartRequest { part: 0, ..PartRequest::default() },
                    PartRequest { part: 2, spans: spans.clone(), from },
                ];
                let found = futures::future::join_all(reader.streams(requests).into_iter().map(read)).await;
                assert_eq!(found[0].0, expected(0), "{format} {mixed}");
                assert_eq!(found[1].0.len(), expected(2).len() - settled, "{format} {mixed}");
                if !mixed {
                    assert_eq!(found[1].0, expected(2)[settled..]);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_dropped_part_does_not_hold_up_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let reader = divided(files(&folder, FileFormat::Csv, true), FileFormat::Csv);
    let requests = (0..3).map(|part| PartRequest { part, ..PartRequest::default() }).collect();
    let mut streams = reader.streams(requests);
    drop(streams.remove(1));
    let found = futures::future::join_all(streams.into_iter().map(read)).await;
    assert_eq!((&found[0].0, &found[1].0), (&expected(0), &expected(2)));
}

#[tokio::test]
async fn lines_and_times_that_belong_to_no_part_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..200).map(|n| format!("{n},1970-01-01T00:00:00Z\n")).collect();
    let table = [
        ("a.ndjson", BROKEN.to_owned(), "line 2 is not a document: it is not valid JSON: EOF while parsing"),
        (
            "b.ndjson",
            "{\"n\":1}\n\n{\"n\":2,\"t\":\"soon\"}\n".to_owned(),
            "line 3: t is \"soon\", which is not a time",
        ),
        ("c.csv", format!("n,t\n{rows}7,soon\n"), "row 201: t is \"soon\", which is not a time"),
    ];
    for (name, text, message) in table {
        let path = written(&folder, name, &text);
        let reader = divided(vec![path.clone()], FileFormat::of_path(name).unwrap());
        let expected = format!("{}: {message}", path.display());
        let error = reader.scan(ScanMode::Rows, &CancellationToken::new()).unwrap_err();
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::Row);
        let last = reader.stream(PartRequest::default()).filter_map(async |batch| batch.err());
        let error = std::pin::pin!(last).next().await.unwrap();
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn a_scan_counts_without_reading_where_the_format_has_the_rows_and_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let parquet = Source::open(files(&folder, FileFormat::Parquet, false), &read_as(FileFormat::Parquet)).unwrap();
    assert_eq!(parquet.rows(), Some(1_000));
    let reader = DocumentReader::new(parquet, &documents(&["n"])).unwrap();
    let scan = scanned(&reader, ScanMode::Rows);
    assert_eq!((scan.parts.len(), scan.parts[0].rows, &scan.parts[0].spans), (1, 1_000, &None));
    let whole = scanned(&reader, ScanMode::Content);
    assert_eq!(whole.parts[0].rows, 1_000);
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    assert_eq!(reader.scan(ScanMode::Content, &cancelled).unwrap(), None);
}

fn read_as(format: FileFormat) -> ReadOptions {
    ReadOptions { format: Some(format), ..ReadOptions::default() }
}

#[tokio::test]
async fn an_input_that_comes_once_is_read_once() {
    for (format, text) in [(FileFormat::Ndjson, "{\"n\":1}\n{\"n\":2}\n"), (FileFormat::Csv, "n\n1\n2\n")] {
        let source = Source::from_reader("input", Cursor::new(text), format, &ReadOptions::default()).unwrap();
        let mapping = documents(&["n"]).mapping(&source).unwrap();
        assert_eq!(mapping.properties["n"], json!({"type": "long", "coerce": false}));
        let reader = DocumentReader::new(source, &documents(&["n"])).unwrap();
        assert_eq!(read(reader.stream(PartRequest::default())).await.0, [1, 2], "{format}");
        let error = reader.stream(PartRequest::default()).next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "standard input was read already and cannot be read again");
        let error = reader.scan(ScanMode::Rows, &CancellationToken::new()).unwrap_err();
        assert_eq!(error.to_string(), "standard input cannot be scanned, as it is read once");
    }
}

#[test]
fn inputs_that_do_not_go_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, lines) = (written(&folder, "a.csv", "n\n1\n"), written(&folder, "b.ndjson", "{\"n\":1}\n"));
    let message = |input: FileInput, read: &ReadOptions| Source::open(input, read).err().unwrap().to_string();
    let both = message(vec![csv.clone(), lines.clone()].into(), &ReadOptions::default());
    let names = (csv.display().to_string(), lines.display().to_string());
    assert_eq!(both, format!("{} and {} have different formats: CSV and NDJSON", names.0, names.1));
    assert_eq!(message(Vec::new().into(), &ReadOptions::default()), "there is no file to load");
    let unknown = message(FileInput::StandardInput, &ReadOptions::default());
    assert_eq!(unknown, "the format of standard input is not known");
    assert_eq!(FileInput::expand(&["-"]).unwrap(), FileInput::StandardInput);
    let error = FileInput::expand(&["-".to_owned(), names.0]).unwrap_err();
    assert_eq!(error.to_string(), "standard input cannot be loaded together with files");
}

fn declared(properties: Value) -> Mapping {
    serde_json::from_value(json!({ "properties": properties })).unwrap()
}

#[test]
fn mappings_are_inferred_and_overridden() {
    let folder = tempfile::tempdir().unwrap();
    let lines =
        "{\"k\":\"a\",\"n\":1,\"at\":\"2013-01-31T06:00:00Z\",\"o\":{\"x\":true}}\n{\"k\":\"b\",\"n\":2.5,\"v\":[1]}\n";
    let table = "k,n,at,v\na,1.0,2013-01-31T06:00:00Z,1\nb,2.5,2013-01-31T07:00:00Z,2\n";
    let (lines, table) = (written(&folder, "a.ndjson", lines), written(&folder, "a.csv", table));
    let keyword = json!({"type": "keyword", "ignore_above": 8191});
    for path in [&lines, &table] {
        let is_raw = path == &lines;
        let source = Source::open(path.clone(), &ReadOptions::default()).unwrap();
        let of = |options: DocumentOptions| options.mapping(&source).unwrap();
        let values = of(documents(&["k"]));
        assert_eq!((&values.properties["k"], &values.properties["at"]), (&keyword, &json!({"type": "date"})));
        assert_eq!(
            (&values.properties["n"]["type"], &values.properties["v"]["type"]),
            (&json!("double"), &json!("long"))
        );
        assert_eq!(values.parameters["dynamic"], if is_raw { "true" } else { "strict" });
        let types = of(DocumentOptions { basis: MappingBasis::Types, ..documents(&["k"]) });
        assert_eq!(types.properties["at"]["type"], "keyword");
        let timed = of(DocumentOptions { basis: MappingBasis::Types, time: Some("at".into()), ..documents(&["k"]) });
        assert_eq!(timed.properties["at"], json!({"type": "date"}));
        let mapping = declared(json!({"n": {"type": "float"}}));
        for (undeclared, dynamic) in
            [(Undeclared::Infer, "true"), (Undeclared::Ignore, "false"), (Undeclared::Reject, "strict")]
        {
            let options = DocumentOptions { mapping: mapping.clone(), undeclared, ..documents(&["k"]) };
            if !is_raw && undeclared == Undeclared::Reject {
                let error = options.mapping(&source).unwrap_err();
                assert_eq!(error.to_string(), "column `at` is in the files and not in the declared mapping");
                assert_eq!(error.kind(), ErrorKind::Request);
                continue;
            }
            let found = of(options);
            assert_eq!(found.properties["n"], json!({"type": "float"}));
            assert_eq!(found.properties.contains_key("v"), undeclared == Undeclared::Infer, "{undeclared}");
            assert!(found.properties.contains_key("k"));
            assert_eq!(found.parameters["dynamic"], if is_raw { dynamic } else { "strict" });
        }
    }
    let source = Source::open(lines, &ReadOptions::default()).unwrap();
    let inner = DocumentOptions { time: Some("o.x".into()), ..documents(&["k"]) }.mapping(&source).unwrap();
    assert_eq!(inner.properties["o"]["properties"]["x"], json!({"type": "date"}));
}

#[test]
fn a_missing_column_is_named_with_its_role_and_a_near_one() {
    let schema = df!("carrier" => ["UA"], "flight" => [1]).unwrap().schema().clone();
    let roles: [(DocumentOptions, ColumnRole); 4] = [
        (documents(&["flight", "carier"]), ColumnRole::Id(1)),
        (DocumentOptions { time: Some("carier".into()), ..documents(&[]) }, ColumnRole::Time),
        (
            DocumentOptions {
                writer: WriterOptions { routing: Some("carier".into()), ..with_id(&[]) },
                ..documents(&[])
            },
            ColumnRole::Routing,
        ),
        (
            DocumentOptions {
                writer: WriterOptions { version: Some("carier".into()), ..with_id(&["flight"]) },
                ..documents(&[])
            },
            ColumnRole::Version,
        ),
    ];
    for (options, role) in roles {
        let error = options.columns(&schema).unwrap_err();
        assert_eq!((error.role, error.column.as_str()), (Some(role), "carier"));
        assert_eq!(error.to_string(), "the files have no column `carier`");
        let error = Error::from(error);
        assert_eq!((error.kind(), error.help()), (ErrorKind::Request, Some("did you mean `carrier`?")));
    }
    let ignoring = DocumentOptions { undeclared: Undeclared::Ignore, ..documents(&["flight"]) };
    assert_eq!(ignoring.columns(&schema).unwrap(), ["flight"]);
}

#[test]
fn options_are_spelled_as_in_a_pipeline() {
    let source: FileSource = serde_json::from_value(json!({"path": "a/*.csv"})).unwrap();
    assert_eq!(serde_json::to_string(&source).unwrap(), r#"{"path":"a/*.csv","format":null}"#);
    let stream: FileSource = serde_json::from_value(json!({"path": "a", "format": "ipc_stream"})).unwrap();
    assert_eq!(stream.format, Some(FileFormat::IpcStream));
    assert!(serde_json::from_value::<FileSource>(json!({"path": "a", "paths": []})).is_err());
    for undeclared in Undeclared::ALL {
        assert_eq!(serde_json::to_value(undeclared).unwrap(), undeclared.as_str());
        assert_eq!(undeclared.as_str().parse(), Ok(undeclared));
    }
    let path = Path::new("a.csv");
    assert_eq!(FileInput::from(path), FileInput::Files(vec![path.to_owned()]));
}
