//! Text that comes compressed, from standard input, cut off, or with broken lines in it.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use es_bulk::BatchLimits;
use es_bulk::files::{
    ColumnType, Compression, CsvOptions, FileFormat, FileInput, FilePlace, FileReader, Piece, RawLines, RawOptions,
    ReadOptions, Source, batches,
};
use es_bulk::{Error, ErrorKind};
use es_frame::WriterOptions;
use flate2::write::GzEncoder;
use futures::StreamExt as _;
use polars::prelude::DataFrame;

fn small(piece_bytes: usize) -> ReadOptions {
    ReadOptions { piece_bytes, ..ReadOptions::default() }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

/// Numbers in the file and texts.
type Rows = Vec<(u64, String)>;

/// The rows as numbers and texts of the first column.
fn rows_of(piece: &Piece) -> Rows {
    let value = |frame: &DataFrame, row| {
        let value = frame.columns()[0].get(row).unwrap();
        value.get_str().map_or_else(|| value.to_string(), str::to_owned)
    };
    (0..piece.frame.height()).map(|row| (piece.number(row), value(&piece.frame, row))).collect()
}

/// A reader of a table or of lines.
enum Reader {
    Table(FileReader),
    Lines(Box<RawLines>),
}

impl Reader {
    fn open(path: &Path, options: &ReadOptions) -> Self {
        Self::try_open(path, options).unwrap()
    }

    fn try_open(path: &Path, options: &ReadOptions) -> Result<Self, Error> {
        match options.format.or(FileFormat::of_path(path)) {
            Some(FileFormat::Ndjson) => RawLines::open(path, &raw(options)).map(|lines| Self::Lines(Box::new(lines))),
            _ => FileReader::open(path, options).map(Self::Table),
        }
    }

    fn once(bytes: Vec<u8>, format: FileFormat, options: &ReadOptions) -> Self {
        match format {
            FileFormat::Ndjson => {
                Self::Lines(Box::new(RawLines::from_reader("input", Cursor::new(bytes), &raw(options)).unwrap()))
            }
            _ => Self::Table(FileReader::from_reader("input", Cursor::new(bytes), format, options).unwrap()),
        }
    }

    fn seek(&mut self, place: FilePlace) -> Result<(), Error> {
        match self {
            Self::Table(reader) => reader.seek(place),
            Self::Lines(lines) => lines.seek(place),
        }
    }

    fn place(&self) -> FilePlace {
        match self {
            Self::Table(reader) => reader.place(),
            Self::Lines(lines) => lines.place(),
        }
    }

    /// The rows of the next piece, its refused lines and its place.
    fn next(&mut self) -> Result<Option<(Rows, Rows, FilePlace)>, Error> {
        Ok(match self {
            Self::Table(reader) => reader.next_piece()?.map(|piece| (rows_of(&piece), Vec::new(), piece.place)),
            Self::Lines(lines) => lines.next_piece()?.map(|piece| {
                let value = |text: &str| text.trim_matches('"').to_owned();
                let rows = piece.lines().map(|line| (line.row, line.field(0).map(value).unwrap_or_default()));
                let rows = rows.collect();
                let refused = piece.refused.iter().map(|line| (line.row, line.text.clone())).collect();
                (rows, refused, piece.place)
            }),
        })
    }
}

/// The options of lines, with the value of their field `n`.
fn raw(read: &ReadOptions) -> RawOptions {
    RawOptions { fields: vec!["n".to_owned()], read: read.clone(), ..RawOptions::default() }
}

/// All rows, refused lines and the error at the end.
fn read(reader: &mut Reader) -> (Rows, Rows, Option<Error>) {
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    loop {
        match reader.next() {
            Ok(Some((some, others, _))) => {
                rows.extend(some);
                refused.extend(others);
            }
            Ok(None) => return (rows, refused, None),
            Err(error) => return (rows, refused, Some(error)),
        }
    }
}

/// NDJSON of 200 lines with blank lines, and the numbers and values of its rows.
fn ndjson() -> (String, Rows) {
    let (mut text, mut rows) = (String::new(), Vec::new());
    for n in 0..200_u64 {
        if n % 17 == 3 {
            text.push_str("  \r\n");
        }
        rows.push((text.matches('\n').count() as u64 + 1, n.to_string()));
        text.push_str(&format!("{{\"n\":{n},\"s\":\"{}\"}}\r\n", "x".repeat(n as usize % 31)));
    }
    (text, rows)
}

/// CSV of 200 records with line breaks in values and blank lines.
fn csv() -> (String, Rows) {
    let (mut text, mut rows) = ("n,s\n".to_owned(), Vec::new());
    for n in 0..200_u64 {
        if n % 17 == 3 {
            text.push('\n');
        }
        rows.push((n + 1, n.to_string()));
        text.push_str(&format!("{n},\"{}\n,\"\"\"\n", "x".repeat(n as usize % 31)));
    }
    (text, rows)
}

fn written(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn compressed_text_is_read_whatever_its_name_and_pieces() {
    let folder = tempfile::tempdir().unwrap();
    for (extension, (text, rows)) in [("ndjson", ndjson()), ("csv", csv())] {
        let bytes = text.as_bytes();
        let members = [gzip(&bytes[..777]), gzip(b""), gzip(&bytes[777..])].concat();
        let frames = [zstd(&bytes[..777]), zstd(&bytes[777..])].concat();
        let with_mark = [b"\xef\xbb\xbf", bytes].concat();
        let table: [(&str, &[u8]); 8] = [
            ("", bytes),
            ("", &with_mark),
            (".gz", &gzip(bytes)),
            (".GZ", &members),
            (".zst", &zstd(bytes)),
            (".zstd", &frames),
            // The name has no extension of a compression, or another one.
            ("", &gzip(bytes)),
            (".gz", &zstd(&with_mark)),
        ];
        for (suffix, content) in table {
            let path = written(folder.path(), &format!("a.{extension}{suffix}"), content);
            for piece_bytes in [1, 100, 1_000, 1 << 20] {
                let mut reader = Reader::open(&path, &small(piece_bytes));
                let (found, refused, error) = read(&mut reader);
                assert!(error.is_none(), "{error:?}");
                assert_eq!(refused, []);
                assert_eq!(found, rows, "{extension}{suffix} by {piece_bytes}");
            }
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn reading_continues_at_every_place() {
    let folder = tempfile::tempdir().unwrap();
    for (extension, (text, rows)) in [("ndjson", ndjson()), ("csv", csv())] {
        for (suffix, content) in [("", text.as_bytes().to_vec()), (".gz", gzip(text.as_bytes()))] {
            let path = written(folder.path(), &format!("a.{extension}{suffix}"), &content);
            let mut places = vec![FilePlace::default()];
            let mut reader = Reader::open(&path, &small(700));
            while let Some((_, _, place)) = reader.next().unwrap() {
                places.push(place);
                places.push(reader.place());
            }
            assert!(places.len() > 10);
            for place in places {
                let stored: FilePlace = serde_json::from_str(&serde_json::to_string(&place).unwrap()).unwrap();
                assert_eq!(stored, place);
                let rest: Vec<_> = rows.iter().filter(|(row, _)| *row > place.rows).cloned().collect();
                // In a reader that stands at the end, and in new ones with other pieces.
                reader.seek(stored).unwrap();
                assert_eq!(read(&mut reader).0, rest, "{extension}{suffix} {place:?}");
                let mut other = Reader::open(&path, &small(3_000));
                other.seek(stored).unwrap();
                assert_eq!(read(&mut other).0, rest, "{extension}{suffix} {place:?}");
                // Input that comes once is read over, by the same pieces.
                let format = FileFormat::of_path(&path).unwrap();
                let mut once = Reader::once(content.clone(), format, &small(700));
                once.seek(stored).unwrap();
                assert_eq!(read(&mut once).0, rest, "{extension}{suffix} {place:?} from input");
            }
            let far = FilePlace { rows: 10_000, bytes: Some(1 << 30) };
            let error = reader.seek(far).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::File);
            assert_eq!(error.help(), Some("the file has changed; load it from its start"));
        }
    }
}

#[test]
fn whole_records_of_a_damaged_file_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for (extension, (text, rows)) in [("ndjson", ndjson()), ("csv", csv())] {
        let packed = gzip(text.as_bytes());
        let packed_zstd = [zstd(&text.as_bytes()[..3_000]), zstd(&text.as_bytes()[3_000..])].concat();
        let mut spoilt = packed.clone();
        let end = spoilt.len() - 6;
        spoilt[end] ^= 0xff;
        for (suffix, content, what) in [
            (".gz", &packed[..packed.len() * 2 / 3], "it ends too early"),
            (".gz", &packed[..packed.len() - 1], "it ends too early"),
            (".gz", &spoilt, "checksum"),
            (".zst", &packed_zstd[..packed_zstd.len() - 2], ""),
        ] {
            let path = written(folder.path(), &format!("a.{extension}{suffix}"), content);
            let mut reader = Reader::open(&path, &small(300));
            let (found, refused, error) = read(&mut reader);
            let (error, message) = error.map(|error| (error.kind(), error.to_string())).unwrap();
            assert_eq!(error, ErrorKind::Format, "{message}");
            assert!(message.starts_with(&format!("{} is damaged: ", path.display())), "{message}");
            assert!(message.contains(what), "{message}");
            assert!(message.contains(&format!(", after {} rows and ", reader.place().rows)), "{message}");
            assert!(!message.contains('\n'), "{message}");
            assert_eq!(refused, []);
            assert_eq!(found, rows[..found.len()], "{message}");
            // gzip is decoded byte by byte, so that all is there up to the damage.
            if content.len() + 1 >= packed.len() && suffix == ".gz" {
                assert_eq!(found.len(), rows.len(), "{message}");
            }
            assert!(reader.next().unwrap().is_none(), "a failure is the end");
        }
    }
}

#[test]
fn a_broken_line_is_refused_alone_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let good = |n: usize| format!("{{\"n\":{n}}}");
    let broken: [&[u8]; 6] = [b"{\"n\":", b"n,s", b"[1]", b"{\"n\":\"\xff\"}", b"{\"n\":1}{\"n\":2}", b"\x00{\"n\":1}"];
    for at in 0..40 {
        for line in broken {
            let mut lines: Vec<Vec<u8>> = (0..40).map(|n| good(n).into_bytes()).collect();
            lines.insert(at, line.to_vec());
            let path = written(folder.path(), "a.ndjson", &lines.join(&b"\n"[..]));
            for piece_bytes in [40, 1 << 20] {
                let mut reader = Reader::open(&path, &small(piece_bytes));
                let (found, refused, error) = read(&mut reader);
                assert!(error.is_none(), "{error:?}");
                let expected: Vec<_> = (0..40).map(|n| (n + 1 + u64::from(n >= at as u64), n.to_string())).collect();
                assert_eq!(found, expected);
                assert_eq!(refused, [(at as u64 + 1, String::from_utf8_lossy(line).into_owned())]);
            }
        }
    }
}

#[test]
fn a_bad_record_of_csv_is_refused_alone_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let table = [
        ("1,x,3", "line 123: 3 values, and the file has 2 columns"),
        ("many,x", "line 123: `many` in column n is not a number"),
        ("007,x", "line 123: `007` in column n is not a plain number, in a column of numbers"),
        ("1.75,x", "line 123: `1.75` in column n has a fraction, and the column whole numbers"),
        ("99999999999999999999,x", "line 123: `99999999999999999999` in column n is not a whole number"),
    ];
    for (record, expected) in table {
        let rows = |from: u64, to: u64| (from..to).map(|n| format!("{n},\"a\nb\"\n")).collect::<String>();
        let text = format!("n,s\n\n{}{record}\n{}", rows(0, 60), rows(60, 80));
        let path = written(folder.path(), "a.csv", text.as_bytes());
        for piece_bytes in [50, 300] {
            let mut reader = FileReader::open(&path, &small(piece_bytes)).unwrap();
            let (mut rows, mut refused) = (Vec::new(), Vec::new());
            while let Some(piece) = reader.next_piece().unwrap() {
                rows.extend((0..piece.frame.height()).map(|row| piece.number(row)));
                refused.extend(piece.refused);
            }
            assert_eq!(rows, (1..=60).chain(62..=81).collect::<Vec<u64>>(), "{record}");
            let [line] = refused.as_slice() else { panic!("{refused:?}") };
            assert_eq!((line.row, line.text.as_str()), (61, record));
            assert!(line.reason.starts_with(expected), "{}", line.reason);
        }
    }
    let path = written(folder.path(), "a.csv", b"n,s\n1,a\n2,\"never closed\n3,b\n");
    let (found, _, error) = read(&mut Reader::open(&path, &ReadOptions::default()));
    assert_eq!(found, [(1, "1".to_owned())]);
    assert!(error.unwrap().to_string().contains("it ends inside a quoted value, after 1 rows"));
}

/// The values of all rows of files that are read together, as text.
fn table(files: &[(&str, &[u8])], options: ReadOptions) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = files.iter().map(|(name, text)| written(folder.path(), name, text)).collect();
    let source = Source::open(FileInput::Files(paths.clone()), &options).unwrap();
    let schema = source.schema().unwrap().iter().map(|(name, dtype)| format!("{name} {dtype}")).collect();
    let mut rows = Vec::new();
    let mut stream = batches(paths, options, WriterOptions::default(), BatchLimits::default());
    while let Some(batch) = futures::executor::block_on(stream.next()) {
        let body = batch.unwrap().body().clone();
        let text = String::from_utf8(body.to_vec()).unwrap();
        rows.extend(text.lines().skip(1).step_by(2).map(str::to_owned));
    }
    (schema, rows)
}

#[test]
fn csv_is_read_as_people_have_it() {
    let plain = ReadOptions::default;
    let with = |change: fn(&mut CsvOptions)| {
        let mut options = ReadOptions::default();
        change(&mut options.csv);
        options
    };
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("a;b\n1;ö\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    type Case<'a> = (&'a str, &'a [u8], ReadOptions, &'a [&'a str]);
    let cases: Vec<Case<'_>> = vec![
        (
            "zeros.csv",
            b"code,v\n007,a\n7,b\n07,c\n",
            plain(),
            &[r#"{"code":"007","v":"a"}"#, r#"{"code":"7","v":"b"}"#, r#"{"code":"07","v":"c"}"#],
        ),
        ("quoted.csv", b"code\n\"7\"\n", plain(), &[r#"{"code":"7"}"#]),
        ("plus.csv", b"tel\n+49\n", plain(), &[r#"{"tel":"+49"}"#]),
        ("numbers.csv", b"v\n1.50\n1e-05\n2\n", plain(), &[r#"{"v":1.5}"#, r#"{"v":0.00001}"#, r#"{"v":2.0}"#]),
        (
            "large.csv",
            b"u,h\n18446744073709551615,18446744073709551616\n",
            plain(),
            &[r#"{"u":18446744073709551615,"h":"18446744073709551616"}"#],
        ),
        ("semicolon.csv", b"a;b\n1;x\n", plain(), &[r#"{"a":1,"b":"x"}"#]),
        ("tabs.tsv", b"a\tb\n1\tx,y\n", plain(), &[r#"{"a":1,"b":"x,y"}"#]),
        ("carriage.csv", b"a,b\r1,x\r2,y\r", plain(), &[r#"{"a":1,"b":"x"}"#, r#"{"a":2,"b":"y"}"#]),
        ("utf16.csv", &utf16, plain(), &[r#"{"a":1,"b":"ö"}"#]),
        (
            "latin.csv",
            b"a\nr\xf6t\n",
            with(|csv| csv.encoding = Some("windows-1252".parse().unwrap())),
            &[r#"{"a":"röt"}"#],
        ),
        (
            "nulls.csv",
            b"a,b\n1,NA\n-,2\n",
            with(|csv| csv.null_values = vec!["NA".into(), "-".into()]),
            &[r#"{"a":1}"#, r#"{"b":2}"#],
        ),
        ("bare.csv", b"1,x\n", with(|csv| csv.header = false), &[r#"{"column_1":1,"column_2":"x"}"#]),
        ("comma.csv", b"a;b\n1,5;x\n", with(|csv| csv.decimal_comma = true), &[r#"{"a":1.5,"b":"x"}"#]),
        ("single.csv", b"a,b\n'x,y',1\n", with(|csv| csv.quote = "'".parse().unwrap()), &[r#"{"a":"x,y","b":1}"#]),
        ("nameless.csv", b",b\n1,x\n", plain(), &[r#"{"column_1":1,"b":"x"}"#]),
        ("short.csv", b"a,b\n1\n2,x\n", plain(), &[r#"{"a":1}"#, r#"{"a":2,"b":"x"}"#]),
        (
            "declared.csv",
            b"a,b\n007,1\n",
            with(|csv| csv.types = [("a".to_owned(), ColumnType::Long), ("b".to_owned(), ColumnType::Double)].into()),
            &[r#"{"a":7,"b":1.0}"#],
        ),
        (
            "times.csv",
            b"t\n2024-01-02 03:04:05\n2024/01/02\n",
            with(|csv| csv.types = [("t".to_owned(), ColumnType::Date)].into()),
            &[r#"{"t":"2024-01-02T03:04:05"}"#, r#"{"t":"2024-01-02"}"#],
        ),
    ];
    for (name, text, options, expected) in cases {
        assert_eq!(table(&[(name, text)], options).1, expected, "{name}");
    }
}

#[test]
fn files_have_the_type_that_all_of_them_fit() {
    let files: [(&str, &[u8]); 3] =
        [("a.csv", b"v,w,c\n1,,7\n"), ("b.csv", b"v,w,c\n1.75,2,007\n"), ("c.csv", b"c,w,v\n1,,\n")];
    let (schema, rows) = table(&files, ReadOptions::default());
    assert_eq!(schema, ["v f64", "w i64", "c str"]);
    assert_eq!(rows[..2], [r#"{"v":1.0,"c":"7"}"#, r#"{"v":1.75,"w":2,"c":"007"}"#]);
    assert!(rows[2].contains(r#""c":"1""#));
}

#[test]
fn text_of_another_encoding_is_not_csv() {
    let folder = tempfile::tempdir().unwrap();
    let table: [(&[u8], &str); 2] = [
        (
            b"a,b\n1,x\n2,\xff\n3,y\n",
            "row 2 (line 3) is not UTF-8; if it is in another encoding, set it, for instance to windows-1252",
        ),
        (
            b"a\xe9,b\n1,2\n",
            "the header is not UTF-8; if it is in another encoding, set it, for instance to windows-1252",
        ),
    ];
    for (content, expected) in table {
        let path = written(folder.path(), "a.csv", content);
        let opened = FileReader::open(&path, &ReadOptions::default()).and_then(|mut reader| reader.next_piece());
        let error = opened.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_line_may_be_longer_than_a_piece() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(100_000);
    let path = written(folder.path(), "a.ndjson", format!("{{\"n\":\"a\"}}\n{{\"n\":\"{long}\"}}\n").as_bytes());
    let (found, _, error) = read(&mut Reader::open(&path, &small(1_000)));
    assert!(error.is_none());
    assert_eq!(found, [(1, "a".to_owned()), (2, long)]);
}

#[test]
fn columns_of_text_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.csv", "b.csv.gz"] {
        let text = b"a,b,c\n1,2,3\n4,5,6\n";
        let path = written(folder.path(), name, &if name == "a.csv" { text.to_vec() } else { gzip(text) });
        for (columns, expected) in [(vec!["c", "a", "z"], vec!["a", "c"]), (vec![], vec!["a"])] {
            for piece_bytes in [8, 1 << 20] {
                let columns = Some(columns.iter().copied().map(String::from).collect());
                let mut reader = FileReader::open(&path, &ReadOptions { columns, ..small(piece_bytes) }).unwrap();
                let mut rows = 0;
                while let Some(piece) = reader.next_piece().unwrap() {
                    rows += piece.frame.height();
                    assert_eq!(piece.frame.get_column_names(), expected, "{name}");
                }
                assert_eq!(rows, 2);
            }
        }
    }
}

#[test]
fn formats_that_cannot_be_streams_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "a.parquet.gz", &gzip(b"PAR1"));
    let error = FileReader::open(&path, &ReadOptions::default()).err().unwrap();
    assert_eq!(error.to_string(), format!("{} is a Parquet file that is compressed as a whole", path.display()));
    for format in [FileFormat::Parquet, FileFormat::Ipc] {
        let error = FileReader::from_reader("input", Cursor::new(""), format, &ReadOptions::default()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().starts_with("input cannot be a"), "{error}");
    }
    let wrong = ReadOptions { compression: Some(Compression::Gzip), ..ReadOptions::default() };
    let path = written(folder.path(), "a.csv", b"n,s\n1,a text that is no gzip\n");
    let error = FileReader::open(&path, &wrong).err().unwrap();
    assert!(error.to_string().contains("is not a CSV file: invalid gzip header"), "{error}");
}

#[test]
#[cfg(unix)]
fn a_pipe_with_a_path_is_read_once() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let text = gzip(csv().0.as_bytes());
    let thread = std::thread::spawn(move || writer.write_all(&text));
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    let options = ReadOptions { format: Some(FileFormat::Csv), ..small(500) };
    let (found, _, error) = read(&mut Reader::open(Path::new(&path), &options));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(found, csv().1);
    thread.join().unwrap().unwrap();
}
