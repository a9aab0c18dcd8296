//! NDJSON that is loaded as it is.

use std::io::Cursor;

use es_bulk::ErrorKind;
use es_bulk::files::{RawLines, RawOptions, ReadOptions};
use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use serde_json::json;

fn options(id: &[&str], routing: Option<&str>, piece_bytes: usize) -> RawOptions {
    RawOptions {
        id: id.iter().copied().map(String::from).collect(),
        routing: routing.map(str::to_owned),
        version: None,
        fields: Vec::new(),
        read: ReadOptions { piece_bytes, ..ReadOptions::default() },
    }
}

/// Row, id, routing and source of each line; row and reason of each refused one.
type Read = (Vec<(u64, Option<String>, Option<String>, String)>, Vec<(u64, String)>);

fn read(reader: &mut RawLines) -> Read {
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    while let Some(piece) = reader.next_piece().unwrap() {
        found.extend(piece.lines().map(|line| {
            let source = String::from_utf8(line.source.to_vec()).unwrap();
            (line.row, line.id.map(str::to_owned), line.routing.map(str::to_owned), source)
        }));
        refused.extend(piece.refused.into_iter().map(|line| (line.row, line.reason)));
    }
    (found, refused)
}

fn of(text: &str, options: &RawOptions) -> Result<RawLines, es_bulk::Error> {
    RawLines::from_reader("input", Cursor::new(text.to_owned()), options)
}

#[test]
fn lines_are_kept_byte_by_byte_and_ids_taken_out() {
    let text = concat!(
        "\u{feff}{\"id\":1.50,\"o\":{\"k\":\"a|b\\\\c\"}, \"big\":123456789012345678901234567890.000}\r\n",
        "\r\n",
        "  {\"o\":{\"k\":\"\\u00e9\"},\"id\":true,\"r\":\"x\"}\t\r\n",
        "{\"id\":null,\"o\":{\"k\":\"z\"}}\n",
        "{\"id\":1,\"o\":[]}\n",
        "{\"id\":{},\"o\":{\"k\":\"z\"}}\n",
        "{\"id\":\"\\ud800\",\"o\":{\"k\":\"z\"}}\n",
        "[]\n",
        "{\"id\":7,\"o.k\":\"dotted\",\"r\":12}",
    );
    for piece_bytes in [1, 60, 1 << 20] {
        let (found, refused) = read(&mut of(text, &options(&["id", "o.k"], Some("r"), piece_bytes)).unwrap());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                (
                    1,
                    some("1.50|a\\|b\\\\c"),
                    None,
                    "{\"id\":1.50,\"o\":{\"k\":\"a|b\\\\c\"}, \"big\":123456789012345678901234567890.000}".to_owned()
                ),
                (3, some("true|é"), some("x"), "{\"o\":{\"k\":\"\\u00e9\"},\"id\":true,\"r\":\"x\"}".to_owned()),
                (9, some("7|dotted"), some("12"), "{\"id\":7,\"o.k\":\"dotted\",\"r\":12}".to_owned()),
            ]
        );
        let expected = [
            (4, "field id is part of the document id and has no value"),
            (5, "field o.k is part of the document id and has no value"),
            (6, "field id is an object, which cannot be part of an id or routing"),
            (7, "field id has an escape that is no character"),
            (8, "it is not a JSON object"),
        ];
        assert_eq!(refused, expected.map(|(row, reason)| (row, reason.to_owned())));
    }
    let (found, refused) = read(&mut of(text, &options(&[], None, 1 << 20)).unwrap());
    assert_eq!((found.len(), refused.len()), (7, 1));
    assert!(found.iter().all(|(_, id, routing, _)| id.is_none() && routing.is_none()));
}

#[test]
fn a_long_id_is_a_hash() {
    let text = format!("{{\"id\":\"{}\"}}", "x".repeat(600));
    let (found, _) = read(&mut of(&text, &options(&["id"], None, 1 << 20)).unwrap());
    assert_eq!(found[0].1.as_ref().map(String::len), Some(32));
}

#[test]
fn the_sample_is_the_documents_of_the_first_piece() {
    let text = "broken\n{\"n\":1}\n[1]\n{\"n\":[2.5],\"s\":\"x\"}\n";
    let mut reader = of(text, &options(&[], None, 1 << 20)).unwrap();
    assert_eq!(reader.sample(), [json!({"n": 1}), json!({"n": [2.5], "s": "x"})]);
    assert_eq!(read(&mut reader).0.len(), 2);
    assert!(reader.sample().is_empty());
}

#[test]
fn values_of_further_fields_are_found_and_every_place_is_exact() {
    let text = "\u{feff}{\"t\":\"2013\",\"o\":{\"k\":[1, 2]}}\n  {\"id\":1,\"t\": 5 }\n\n{\"id\":\"x\"}\nbroken\n{\"id\":2,\"t\":null}\r\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndjson");
    std::fs::write(&path, text).unwrap();
    let fields = ["t", "o.k"].map(String::from).to_vec();
    let all = RawOptions { fields: fields.clone(), ..options(&[], None, 1 << 20) };
    type Found = Vec<(u64, Option<String>, Option<String>)>;
    let found = |reader: &mut RawLines| -> Found {
        let mut found = Vec::new();
        while let Some(piece) = reader.next_piece().unwrap() {
            let own = |value: Option<&str>| value.map(str::to_owned);
            found.extend(piece.lines().map(|line| (line.row, own(line.field(0)), own(line.field(1)))));
            assert!(piece.lines().all(|line| line.field(2).is_none()));
        }
        found
    };
    let some = |text: &str| Some(text.to_owned());
    let expected: Found =
        vec![(1, some("\"2013\""), some("[1, 2]")), (2, some("5"), None), (4, None, None), (6, some("null"), None)];
    assert_eq!(found(&mut RawLines::open(&path, &all).unwrap()), expected);
    // With an id, lines without one are refused, and the values stay with their lines.
    let with_id = RawOptions { fields, ..options(&["id"], None, 1 << 20) };
    assert_eq!(found(&mut RawLines::open(&path, &with_id).unwrap()), expected[1..]);
    let mut reader = RawLines::open(&path, &all).unwrap();
    let places: Vec<_> = reader.next_piece().unwrap().unwrap().lines().map(|line| line.place).collect();
    for (number, place) in places.into_iter().enumerate() {
        reader.seek(place).unwrap();
        assert_eq!(found(&mut reader), expected[number..], "{place:?}");
    }
}

#[test]
fn files_without_json_objects_are_refused() {
    for text in ["", "\n\n", "n,s\n1,a\n", "[\n  1\n]", "PAR1\u{0}"] {
        let error = of(text, &options(&[], None, 1 << 20)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Format, "{text:?}");
        assert!(error.to_string().starts_with("input is not an NDJSON file: "), "{error}");
    }
}

proptest! {
    #[test]
    fn pieces_and_places_do_not_change_what_is_read(
        lines in prop::collection::vec("[ ]{0,2}|\\{\"n\":[0-9]{1,3}\\}|\\{\"n\":\"[a|é]{0,9}\"\\}|x{1,20}", 0..40),
        ending in "\n|\r\n",
        piece_bytes in 1..200_usize,
    ) {
        let text = format!("{{\"n\":0}}{ending}{}", lines.join(&ending));
        let whole = read(&mut of(&text, &options(&["n"], None, 1 << 20)).unwrap());
        prop_assert_eq!(&read(&mut of(&text, &options(&["n"], None, piece_bytes)).unwrap()), &whole);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ndjson");
        std::fs::write(&path, &text).unwrap();
        let mut reader = RawLines::open(&path, &options(&["n"], None, piece_bytes)).unwrap();
        let mut places = vec![reader.place()];
        while reader.next_piece().unwrap().is_some() {
            places.push(reader.place());
        }
        prop_assert!(places.windows(2).all(|pair| pair[0].rows < pair[1].rows));
        for place in places {
            reader.seek(place).unwrap();
            let rest = read(&mut reader);
            let after = |row: &u64| *row > place.rows;
            let expected: Read = (
                whole.0.iter().filter(|line| after(&line.0)).cloned().collect(),
                whole.1.iter().filter(|line| after(&line.0)).cloned().collect(),
            );
            prop_assert_eq!(rest, expected, "{:?}", place);
        }
    }
}
