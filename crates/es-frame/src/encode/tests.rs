//! The documents and ids of whole frames.

use super::*;
use polars::prelude::*;
use proptest::prelude::{prop, prop_assert_eq, proptest};

fn documents(frame: &DataFrame) -> Vec<String> {
    let writer = DocumentWriter::new(frame, &[] as &[&str]).unwrap();
    (0..writer.rows())
        .map(|row| {
            let mut out = Vec::new();
            writer.write_document(row, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        })
        .collect()
}

fn id(frame: &DataFrame, columns: &[&str], row: usize) -> Result<String, Error> {
    let mut out = Vec::new();
    DocumentWriter::new(frame, columns)?.write_id(row, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn every_scalar_type_is_written() {
    let frame = df!(
        "b" => [Some(true), None],
        "i8" => [i8::MIN, 0],
        "u64" => [u64::MAX, 0],
        "f32" => [0.1_f32, f32::NAN],
        "f64" => [0.1, f64::INFINITY],
        "s" => ["a \"quoted\"\n\\ \u{1} é", ""],
    )
    .unwrap();
    let dates = df!(
        "d" => [0_i32, -1],
        "ms" => [1_357_034_400_000_i64, -1],
        "ns" => [1_i64, 0],
        "t" => [3_600_000_000_001_i64, 0],
    )
    .unwrap();
    let cast = |name: &str, dtype: &DataType| dates.column(name).unwrap().cast(dtype).unwrap();
    let dates = DataFrame::new_infer_height(vec![
        cast("d", &DataType::Date),
        cast("ms", &DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC))),
        cast("ns", &DataType::Datetime(TimeUnit::Nanoseconds, None)),
        cast("t", &DataType::Time),
    ])
    .unwrap();
    assert_eq!(
        documents(&frame),
        [
            r#"{"b":true,"i8":-128,"u64":18446744073709551615,"f32":0.1,"f64":0.1,"s":"a \"quoted\"\n\\ \u0001 é"}"#,
            r#"{"i8":0,"u64":0,"s":""}"#,
        ]
    );
    assert_eq!(
        documents(&dates),
        [
            r#"{"d":"1970-01-01","ms":"2013-01-01T10:00:00.000Z","ns":"1970-01-01T00:00:00.000000001Z","t":"01:00:00.000000001"}"#,
            r#"{"d":"1969-12-31","ms":"1969-12-31T23:59:59.999Z","ns":"1970-01-01T00:00:00.000000000Z","t":"00:00:00.000000000"}"#,
        ]
    );
}

#[test]
fn nested_values_are_written() {
    let list =
        Series::new("l".into(), [Series::new("".into(), [Some(1_i64), None]), Series::new("".into(), [2_i64])]);
    let inner = df!("x" => [Some(1.5), None], "y" => ["a", "b"]).unwrap().into_struct("o".into()).into_series();
    let frame = DataFrame::new_infer_height(vec![list.into(), inner.into()]).unwrap();
    assert_eq!(documents(&frame), [r#"{"l":[1,null],"o":{"x":1.5,"y":"a"}}"#, r#"{"l":[2],"o":{"y":"b"}}"#]);
}

#[test]
fn ids_are_readable_and_never_ambiguous() {
    let frame = df!("a" => ["x|y", "x"], "b" => ["z", "y|z"], "n" => [Some(7), None]).unwrap();
    assert_eq!(id(&frame, &["a", "b"], 0).unwrap(), r#""x\\|y|z""#);
    assert_eq!(id(&frame, &["a", "b"], 1).unwrap(), r#""x|y\\|z""#);
    assert_eq!(id(&frame, &["n"], 0).unwrap(), r#""7""#);
    let error = id(&frame, &["a", "n"], 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Row);
    assert!(error.to_string().contains("column n"), "{error}");
    assert_eq!(id(&frame, &["nope"], 0).unwrap_err().kind(), ErrorKind::UnknownColumn);
    let long = df!("a" => ["x".repeat(600)]).unwrap();
    assert_eq!(id(&long, &["a"], 0).unwrap().len(), 34);
}

proptest! {
    #[test]
    fn documents_are_json_that_reads_back(
        names in prop::collection::btree_set("\\PC{1,6}", 2),
        texts in prop::collection::vec(prop::option::of("\\PC*"), 3),
        numbers in prop::collection::vec(prop::option::of(prop::num::f64::NORMAL | prop::num::f64::ZERO), 3),
    ) {
        let names: Vec<_> = names.into_iter().collect();
        let frame = df!(names[0].as_str() => &texts, names[1].as_str() => &numbers).unwrap();
        for (row, line) in documents(&frame).iter().enumerate() {
            let read: serde_json::Value = serde_json::from_str(line).unwrap();
            prop_assert_eq!(read.get(&names[0]).and_then(|value| value.as_str()), texts[row].as_deref());
            prop_assert_eq!(read.get(&names[1]).and_then(serde_json::Value::as_f64), numbers[row]);
        }
    }
}
