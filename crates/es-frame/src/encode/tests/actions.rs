//! Action lines, and what they do to the source line.

use polars::prelude::*;

use super::super::{DocumentWriter, Operation, WriterOptions};
use super::{cast, text};
use crate::error::{Error, ErrorKind};

fn lines(frame: &DataFrame, options: &WriterOptions, row: usize) -> Result<String, Error> {
    let writer = DocumentWriter::with_options(frame, options)?;
    let mut out = b"before".to_vec();
    let source = writer.write_lines(row, &mut out)?;
    let action = out.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    assert_eq!(source, action, "the source line begins where the action line ends");
    text(|out| writer.write_lines(row, out))
}

fn refusal(frame: &DataFrame, options: &WriterOptions, row: usize) -> (ErrorKind, String) {
    let error = lines(frame, options, row).unwrap_err();
    (error.kind(), error.to_string())
}

fn some(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn each_operation_has_its_lines() {
    let frame = df!("k" => ["a"], "n" => [Some(1)]).unwrap();
    let with = |operation| {
        let options = WriterOptions { id: vec!["k".into()], operation, ..WriterOptions::default() };
        lines(&frame, &options, 0).unwrap()
    };
    let document = r#"{"k":"a","n":1}"#;
    assert_eq!(with(Operation::Index), format!("{{\"index\":{{\"_id\":\"a\"}}}}\n{document}\n"));
    assert_eq!(with(Operation::Create), format!("{{\"create\":{{\"_id\":\"a\"}}}}\n{document}\n"));
    assert_eq!(with(Operation::Update), format!("{{\"update\":{{\"_id\":\"a\"}}}}\n{{\"doc\":{document}}}\n"));
    assert_eq!(
        with(Operation::Upsert),
        format!("{{\"update\":{{\"_id\":\"a\"}}}}\n{{\"doc\":{document},\"doc_as_upsert\":true}}\n")
    );
    assert_eq!(with(Operation::Delete), "{\"delete\":{\"_id\":\"a\"}}\n");
    let anonymous = WriterOptions::default();
    assert_eq!(lines(&frame, &anonymous, 0).unwrap(), format!("{{\"index\":{{}}}}\n{document}\n"));
    assert!(!DocumentWriter::with_options(&frame, &anonymous).unwrap().is_repeatable());
    assert!(DocumentWriter::new(&frame, &["k"]).unwrap().is_repeatable());
}

#[test]
fn columns_say_how_a_document_is_sent() {
    let frame = df!(
        "k" => ["a\"b", "c"], "r" => [Some("x\n|"), None], "p" => [None, Some("clean")], "v" => [7_u64, i64::MAX as u64],
    )
    .unwrap();
    let options = WriterOptions {
        id: vec!["k".into()],
        routing: some("r"),
        pipeline: some("p"),
        version: some("v"),
        ..WriterOptions::default()
    };
    assert_eq!(
        lines(&frame, &options, 0).unwrap(),
        concat!(
            r#"{"index":{"_id":"a\"b","routing":"x\n|","version":7,"version_type":"external_gte"}}"#,
            "\n",
            r#"{"k":"a\"b","r":"x\n|","v":7}"#,
            "\n",
        )
    );
    assert_eq!(
        lines(&frame, &options, 1).unwrap().lines().next().unwrap(),
        r#"{"index":{"_id":"c","pipeline":"clean","version":9223372036854775807,"version_type":"external_gte"}}"#
    );
    let numbers = df!("r" => [42]).unwrap();
    let options = WriterOptions { routing: some("r"), ..WriterOptions::default() };
    assert_eq!(lines(&numbers, &options, 0).unwrap(), "{\"index\":{\"routing\":\"42\"}}\n{\"r\":42}\n");
}

#[test]
fn a_column_says_the_operation() {
    let names = ["index", "create", "update", "upsert", "delete", "drop"];
    let operations = cast("op", names, &DataType::from_categories(Categories::global()));
    let frame = df!("k" => [1, 2, 3, 4, 5, 6]).unwrap().hstack(&[operations]).unwrap();
    let options = WriterOptions { id: vec!["k".into()], operation_column: some("op"), ..WriterOptions::default() };
    let action = |row| lines(&frame, &options, row).unwrap();
    assert_eq!(action(0), "{\"index\":{\"_id\":\"1\"}}\n{\"k\":1}\n");
    assert_eq!(action(3), "{\"update\":{\"_id\":\"4\"}}\n{\"doc\":{\"k\":4},\"doc_as_upsert\":true}\n");
    assert_eq!(action(4), "{\"delete\":{\"_id\":\"5\"}}\n");
    assert_eq!(
        refusal(&frame, &options, 5),
        (ErrorKind::Row, "row 5 of the frame: column op holds \"drop\", which is no operation".into())
    );
    let gap = df!("op" => [None::<&str>]).unwrap();
    let anonymous = WriterOptions { operation_column: some("op"), ..WriterOptions::default() };
    assert!(refusal(&gap, &anonymous, 0).1.contains("holds no value"));
    let update = df!("op" => ["index", "update"]).unwrap();
    assert_eq!(lines(&update, &anonymous, 0).unwrap(), "{\"index\":{}}\n{}\n");
    assert_eq!(
        refusal(&update, &anonymous, 1),
        (ErrorKind::Row, "row 1 of the frame: the operation update needs an id".into())
    );
}

/// Elasticsearch answers each of these with a 400 for the whole request.
#[test]
fn what_spoils_a_whole_request_is_refused() {
    let frame = df!("k" => ["a"], "v" => [-7], "p" => ["clean"], "f" => [1.5]).unwrap();
    let keyed = WriterOptions { id: vec!["k".into()], ..WriterOptions::default() };
    let refused = |options: &WriterOptions| refusal(&frame, options, 0).1;
    for operation in [Operation::Update, Operation::Upsert, Operation::Delete] {
        let error = refused(&WriterOptions { operation, ..WriterOptions::default() });
        assert_eq!(error, format!("the operation {} needs an id", operation.as_str()));
    }
    for operation in [Operation::Create, Operation::Update, Operation::Upsert] {
        let error = refused(&WriterOptions { operation, version: some("v"), ..keyed.clone() });
        assert_eq!(error, format!("the operation {} takes no version", operation.as_str()));
    }
    let update = WriterOptions { operation: Operation::Update, pipeline: some("p"), ..keyed.clone() };
    assert_eq!(refused(&update), "the operation update takes no pipeline");
    let delete = WriterOptions { operation: Operation::Delete, pipeline: some("p"), ..keyed.clone() };
    assert_eq!(lines(&frame, &delete, 0).unwrap(), "{\"delete\":{\"_id\":\"a\"}}\n");
    assert_eq!(
        refused(&WriterOptions { version: some("v"), ..WriterOptions::default() }),
        "documents without ids cannot have versions"
    );
    assert_eq!(
        refused(&WriterOptions { version: some("v"), ..keyed.clone() }),
        "row 0 of the frame: column v holds -7, which is no version"
    );
    assert_eq!(
        refused(&WriterOptions { version: some("f"), ..keyed.clone() }),
        "the version column f has the type f64, and must be integers"
    );
    let unknown = WriterOptions { routing: some("nope"), ..keyed };
    assert_eq!(refusal(&frame, &unknown, 0).0, ErrorKind::UnknownColumn);
}

#[test]
fn each_operation_has_a_name() {
    for operation in Operation::ALL {
        assert_eq!(Operation::from_name(operation.as_str()), Some(operation));
    }
    assert_eq!(Operation::from_name("Index"), None);
}

#[test]
fn ids_of_rows_are_those_of_documents() {
    for (text, number) in [("a|b\\c", 1), ("", -7), ("é\n\"", 0), (&"x".repeat(600), 3)] {
        let frame = df!("t" => [text], "n" => [number]).unwrap();
        let mut written = Vec::new();
        DocumentWriter::new(&frame, &["t", "n"]).unwrap().write_id(0, &mut written).unwrap();
        let mut id = es_core::IdText::default();
        id.push_text(text);
        id.push_plain(&number.to_string());
        let expected: String = serde_json::from_slice(&written).unwrap();
        assert_eq!(id.finish(), expected);
        assert_eq!(id.finish(), "", "the next id starts empty");
    }
}
