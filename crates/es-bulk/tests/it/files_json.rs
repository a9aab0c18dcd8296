//! JSON in its other forms: arrays, bulk bodies, output of elasticdump, and metadata among the fields.

use std::io::Cursor;
use std::path::PathBuf;

use es_bulk::files::{DocumentOptions, FileFormat, RawLines, RawOptions, ReadOptions, Source, Undeclared};
use es_bulk::{Error, ErrorKind, Operation, Remedy};
use es_core::Mapping;
use es_frame::WriterOptions;
use polars::prelude::df;
use serde_json::{Value, json};
use tempfile::TempDir;

fn raw(format: FileFormat) -> RawOptions {
    RawOptions { read: ReadOptions { format: Some(format), ..ReadOptions::default() }, ..RawOptions::default() }
}

fn small(options: RawOptions, piece_bytes: usize) -> RawOptions {
    RawOptions { read: ReadOptions { piece_bytes, ..options.read.clone() }, ..options }
}

/// A document as it is read: its row, id, routing, version, operation and text.
type Read = (u64, Option<String>, Option<String>, Option<u64>, Option<Operation>, String);

fn read(reader: &mut RawLines) -> (Vec<Read>, Vec<(u64, String)>) {
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    while let Some(piece) = reader.next_piece().unwrap() {
        found.extend(piece.lines().map(|line| {
            let source = String::from_utf8(line.source.to_vec()).unwrap();
            let own = |text: Option<&str>| text.map(str::to_owned);
            (line.row, own(line.id), own(line.routing), line.version, line.operation, source)
        }));
        refused.extend(piece.refused.into_iter().map(|line| (line.row, line.reason)));
    }
    (found, refused)
}

fn of(text: &str, options: &RawOptions) -> Result<RawLines, Error> {
    RawLines::from_reader("input", Cursor::new(text.to_owned()), options)
}

fn sources(found: &[Read]) -> Vec<&str> {
    found.iter().map(|read| read.5.as_str()).collect()
}

#[test]
fn an_array_is_read_a_document_at_a_time_and_entered_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    let text = "[\n  {\"n\": 1,\n   \"v\": 1.50},\n  7, {\"n\":2}, {\"n\":3,\"n\":3}, {\"n\":\"x\"}\n]\n";
    std::fs::write(&path, text).unwrap();
    for piece_bytes in [1, 20, 1 << 20] {
        let options = small(RawOptions { id: vec!["n".to_owned()], ..raw(FileFormat::Json) }, piece_bytes);
        let mut reader = RawLines::open(&path, &options).unwrap();
        let mut places = Vec::new();
        while let Some(piece) = reader.next_piece().unwrap() {
            places.extend(piece.lines().map(|line| line.place));
        }
        assert_eq!(places.iter().map(|place| place.rows).collect::<Vec<_>>(), [0, 2, 4]);
        reader.seek(places[0]).unwrap();
        let (all, refused) = read(&mut reader);
        assert_eq!(sources(&all), ["{\"n\": 1,    \"v\": 1.50}", "{\"n\":2}", "{\"n\":\"x\"}"]);
        assert_eq!(
            all.iter().map(|read| (read.0, read.1.as_deref().unwrap())).collect::<Vec<_>>(),
            [(1, "1"), (3, "2"), (5, "x")]
        );
        let expected = [(2, "it is not a JSON object"), (4, "the field n stands twice in one object")];
        assert_eq!(refused, expected.map(|(row, reason)| (row, reason.to_owned())));
        for (number, place) in places.into_iter().enumerate() {
            reader.seek(place).unwrap();
            assert_eq!(read(&mut reader).0, all[number..], "{place:?} by {piece_bytes}");
        }
    }
    let compressed = folder.path().join("b.json.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    std::fs::write(&compressed, gzip.finish().unwrap()).unwrap();
    assert_eq!(read(&mut RawLines::open(&compressed, &raw(FileFormat::Json)).unwrap()).0.len(), 3);
}

#[test]
fn metadata_is_taken_from_documents_and_left_out_of_them() {
    let text = concat!(
        "{\"_id\":\"a|b\\u0041\",\"x\": 1.50,\"_routing\":\"r\", \"_version\" : 7}\n",
        "{\"x\":{\"_id\":2} , \"_id\": 5}\n",
        "{\"_version\":3,\"_routing\":null,\"_id\":\"c\"}\n",
        "{\"x\":1,\"_version\":3}\n",
        "{\"_id\":\"\",\"_version\":3}\n",
        "{\"_id\":\"d\",\"_version\":-3}\n",
        "{\"_id\":\"e\",\"_index\":\"i\",\"_version\":3}\n",
    );
    let options = RawOptions {
        id: vec!["_id".to_owned()],
        routing: Some("_routing".to_owned()),
        version: Some("_version".to_owned()),
        ..RawOptions::default()
    };
    for piece_bytes in [1, 1 << 20] {
        let (found, refused) = read(&mut of(text, &small(options.clone(), piece_bytes)).unwrap());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                (1, some("a|bA"), some("r"), Some(7), None, "{\"x\": 1.50}".to_owned()),
                (3, some("c"), None, Some(3), None, "{}".to_owned()),
            ]
        );
        let reasons = [
            (2, "field _version is the version of the document and has no value"),
            (4, "field _id is part of the document id and has no value"),
            (5, "field _id is empty, which is no id of a document"),
            (6, "field _version is -3, which is not a version: versions are integers of at least 0"),
            (7, "field _index is metadata, which is kept outside of documents"),
        ];
        assert_eq!(refused, reasons.map(|(row, reason)| (row, reason.to_owned())));
    }
    // Fields of other names stay, and several columns make an id as ever.
    let joined = RawOptions { id: vec!["_id".to_owned(), "x".to_owned()], ..RawOptions::default() };
    let (found, _) = read(&mut of("{\"_id\":\"a|b\",\"x\":1}", &joined).unwrap());
    assert_eq!((found[0].1.as_deref(), found[0].5.as_str()), (Some("a\\|b|1"), "{\"x\":1}"));
}

#[test]
fn hits_and_bulk_bodies_are_documents_with_their_metadata() {
    let hits = concat!(
        "{\"_index\":\"i\",\"_id\":\"a|\",\"_score\":1,\"_source\":{\"n\": 1.50}}\n",
        "{\"_index\":\"i\",\"_id\":\"b\",\"_routing\":\"r\",\"_source\":{\"n\":2,\"n\":2}}\n",
        "{\"_index\":\"i\",\"_id\":\"c\",\"_routing\":\"r\",\"_source\":{\"n\":3}}\n",
        "{\"_index\":\"i\",\"_id\":\"d\"}\n",
    );
    let (found, refused) = read(&mut of(hits, &raw(FileFormat::Elasticdump)).unwrap());
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        found,
        [
            (1, some("a|"), None, None, None, "{\"n\": 1.50}".to_owned()),
            (3, some("c"), some("r"), None, None, "{\"n\":3}".to_owned())
        ]
    );
    assert_eq!(refused[0], (2, "the field n stands twice in one object".to_owned()));
    assert_eq!(refused[1], (4, "it has no _source".to_owned()));
    // Other fields are those of the document.
    let by_field =
        RawOptions { id: vec!["n".to_owned()], fields: vec!["n".to_owned()], ..raw(FileFormat::Elasticdump) };
    let mut reader = of(hits, &by_field).unwrap();
    let piece = reader.next_piece().unwrap().unwrap();
    assert_eq!((piece.line(0).id, piece.line(0).field(0)), (Some("1.50"), Some("1.50")));

    let body = concat!(
        "{\"index\":{\"_id\":\"a\",\"routing\":\"r\"}}\n{\"n\": 1.50}\n",
        "{\"create\":{\"_id\":\"b\"}}\n{\"n\":2}\n",
        "{\"delete\":{\"_id\":\"c\"}}\n",
        "{\"delete\":{}}\n",
        "{\"index\":{\"version\":7,\"version_type\":\"external\"}}\n{\"n\":3}\n",
        "{\"index\":{\"_id\":\"d\",\"version\":7,\"version_type\":\"external\"}}\n{\"n\":4}\n",
        "{\"index\":{}}\n{\"n\":5}\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("body.ndjson");
    std::fs::write(&path, body).unwrap();
    for piece_bytes in [1, 1 << 20] {
        let mut reader = RawLines::open(&path, &small(raw(FileFormat::Bulk), piece_bytes)).unwrap();
        let (found, refused) = read(&mut reader);
        let expected = [
            (2, some("a"), some("r"), None, None, "{\"n\": 1.50}".to_owned()),
            (4, some("b"), None, None, Some(Operation::Create), "{\"n\":2}".to_owned()),
            (5, some("c"), None, None, Some(Operation::Delete), String::new()),
            (10, some("d"), None, Some(7), None, "{\"n\":4}".to_owned()),
            (12, None, None, None, None, "{\"n\":5}".to_owned()),
        ];
        assert_eq!(found, expected);
        let reasons =
            [(6, "a delete action needs the _id of a document"), (8, "a document without an _id takes no version")];
        assert_eq!(refused, reasons.map(|(row, reason)| (row, reason.to_owned())));
        let mut reader = RawLines::open(&path, &small(raw(FileFormat::Bulk), piece_bytes)).unwrap();
        reader.seek(es_bulk::files::FilePlace { rows: 3, bytes: None }).unwrap();
        assert_eq!(read(&mut reader).0, expected[1..], "by {piece_bytes}");
    }
}

#[test]
fn what_comes_in_another_form_is_recognized() {
    let table = [
        ("{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\n", FileFormat::Ndjson, FileFormat::Bulk),
        ("{\"_index\":\"i\",\"_id\":\"1\",\"_source\":{}}\n", FileFormat::Ndjson, FileFormat::Elasticdump),
    ];
    for (text, format, right) in table {
        let error = of(text, &raw(format)).err().unwrap();
        assert_eq!((error.kind(), error.remedy()), (ErrorKind::Format, Some(&Remedy::Format(right))), "{error}");
        assert!(of(text, &raw(right)).is_ok());
    }
    for (text, format, message) in [
        ("{\"a\":1}\n", FileFormat::Bulk, "line 1: it is not the action line of a bulk body"),
        ("{\"a\":1}\n", FileFormat::Elasticdump, "it has no _source"),
        ("1 2", FileFormat::Json, "none of its first values is a JSON object (it is not a JSON object)"),
        ("[]", FileFormat::Json, "it holds no document"),
        ("[{\"a\":}]", FileFormat::Json, "expected value at line 1, column 7"),
    ] {
        let error = of(text, &raw(format)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().ends_with(message), "{error}");
    }
}

fn documents(folder: &TempDir, files: &[(&str, &str)], read: ReadOptions) -> Source {
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect();
    Source::open(paths, &read).unwrap()
}

#[test]
fn every_file_has_a_say_in_the_mapping() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("a.ndjson", "{\"v\":1,\"t\":\"x\",\"o\":{\"p\":1}}\n{\"v\":3,\"o\":{\"p\":2},\".x\":1}\n"),
        ("b.ndjson", "{\"v\":1.75,\"t\":300,\"o\":7,\"late\":true}\n"),
    ];
    let source = documents(&folder, &files, ReadOptions::default());
    let (mapping, notes) = DocumentOptions::default().inferred(&source).unwrap();
    let type_of = |name: &str| mapping.properties[name]["type"].clone();
    assert_eq!([type_of("v"), type_of("t"), type_of("late")], ["double", "keyword", "boolean"].map(Value::from));
    assert!(!mapping.properties.contains_key(""), "a line with a bad name has no say");
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with("t holds numbers and texts"), "{notes:?}");
    assert!(notes[1].starts_with("o is an object 1 times and a value 1 times"), "{notes:?}");
    // Later numbers keep their digits too.
    let templates = serde_json::to_string(&mapping.parameters["dynamic_templates"]).unwrap();
    assert!(templates.contains("\"coerce\":false") && templates.contains("\"type\":\"double\""), "{templates}");
    // A field that is declared is nobody's concern.
    let declared: Mapping = serde_json::from_value(json!({"properties": {
        "t": {"type": "text"}, "o": {"type": "flattened"},
    }}))
    .unwrap();
    let options = DocumentOptions { mapping: declared, ..DocumentOptions::default() };
    let (mapping, notes) = options.inferred(&source).unwrap();
    assert_eq!((notes.len(), &mapping.properties["o"]["type"]), (0, &json!("flattened")));
    // One that is declared by its path is not inferred beside it.
    let declared: Mapping = serde_json::from_value(json!({"properties": {"o.p": {"type": "byte"}}})).unwrap();
    let options = DocumentOptions { mapping: declared, undeclared: Undeclared::Infer, ..DocumentOptions::default() };
    let (mapping, _) = options.inferred(&source).unwrap();
    assert_eq!(mapping.properties["o"], json!({"properties": {}}));
    assert_eq!(mapping.properties["o.p"], json!({"type": "byte"}));
}

#[test]
fn metadata_among_the_fields_is_refused_with_the_option_that_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("a.ndjson", "{\"_id\":\"a\",\"x\":1}\n{\"_id\":\"b\",\"x\":2}\n")];
    let source = documents(&folder, &files, ReadOptions::default());
    let error = DocumentOptions::default().inferred(&source).unwrap_err();
    assert_eq!((error.kind(), error.remedy()), (ErrorKind::Request, Some(&Remedy::Metadata("_id".to_owned()))));
    assert!(error.to_string().contains("a.ndjson, line 1: field _id is metadata"), "{error}");
    let writer = WriterOptions { id: vec!["_id".to_owned()], ..WriterOptions::default() };
    let options = DocumentOptions { writer, ..DocumentOptions::default() };
    let mapping = options.mapping(&source).unwrap();
    assert_eq!(mapping.properties.keys().collect::<Vec<_>>(), ["x"]);
    // The same for columns of tables.
    let table = df!("_id" => ["a|b"], "x" => [1]).unwrap();
    let error = Error::from(DocumentOptions::default().columns(table.schema()).unwrap_err());
    assert_eq!(error.remedy(), Some(&Remedy::Metadata("_id".to_owned())));
    assert_eq!(options.columns(table.schema()).unwrap(), ["_id", "x"]);
    let mut lines = Vec::new();
    es_frame::DocumentWriter::with_options(&table, &options.writer).unwrap().write_lines(0, &mut lines).unwrap();
    assert_eq!(String::from_utf8(lines).unwrap(), "{\"index\":{\"_id\":\"a|b\"}}\n{\"x\":1}\n");
    let other = df!("_source" => ["a"]).unwrap();
    let error = Error::from(DocumentOptions::default().columns(other.schema()).unwrap_err());
    assert_eq!(error.to_string(), "column `_source` is metadata, which Elasticsearch keeps outside of documents");
    assert_eq!(error.remedy(), None);
}

#[test]
fn an_array_inside_is_named_by_a_pointer() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{"name":"x"}},
        {"type":"Feature","geometry":null,"properties":{"name":7}}]}"#;
    let read = ReadOptions { records: Some("/features".parse().unwrap()), ..ReadOptions::default() };
    let source = documents(&folder, &[("a.geojson", text)], read.clone());
    let (mapping, notes) = DocumentOptions::default().inferred(&source).unwrap();
    assert_eq!(mapping.properties["geometry"], json!({"type": "geo_shape"}));
    assert_eq!(notes, ["properties.name holds numbers and texts, and is mapped as keyword"]);
    let path = folder.path().join("b.ndjson");
    std::fs::write(&path, "{}").unwrap();
    let error = Source::open(path, &read).err().unwrap();
    assert_eq!(error.to_string(), "NDJSON has no array of documents inside at /features");
}
