//! Several values, values that do not fit, and none.

use polars::prelude::*;
use serde_json::json;

use super::super::{CellPolicy, DecodeOptions, Malformed, Missing, Values};
use super::{frame, options};
use crate::error::ErrorKind;

fn with(policy: CellPolicy) -> DecodeOptions {
    DecodeOptions { policy, ..options() }
}

#[test]
fn values_that_do_not_fit_name_field_document_and_value() {
    let properties = json!({
        "n": {"type": "integer"}, "t": {"type": "date"}, "s": {"type": "keyword"},
        "o": {"type": "nested", "properties": {"x": {"type": "byte"}}}
    });
    let long = format!("\"{}\"", "é".repeat(500));
    let shown = format!("field n of document d holds \"{}..., which is no integer", "é".repeat(99));
    let table = [
        (r#"{"n":3000000000}"#.to_owned(), "field n of document d holds 3000000000, which is no integer"),
        (r#"{"n":1.75}"#.to_owned(), "field n of document d holds 1.75, which is no integer"),
        (r#"{"n":[1,2]}"#.to_owned(), "field n of document d holds more than one value"),
        (r#"{"n":1,"n":2}"#.to_owned(), "field n of document d holds more than one value"),
        (r#"{"t":"soon"}"#.to_owned(), "field t of document d holds \"soon\", which is no date"),
        (r#"{"s":{"a":1}}"#.to_owned(), "field s of document d holds an object"),
        (r#"{"o":[{"x":1},{"x":200}]}"#.to_owned(), "field o.x of document d holds 200, which is no byte"),
        (format!(r#"{{"n":{long}}}"#), &shown),
    ];
    for (source, expected) in table {
        let error = frame(properties.clone(), &options(), &["{}", &source]).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Value, expected));
        assert!(error.help().is_some() || expected.contains("object"));
    }
}

#[test]
fn several_values_become_what_the_policy_says() {
    let properties = json!({"n": {"type": "integer"}, "s": {"type": "keyword"}});
    let sources = [
        r#"{"n":[3,null,1,3],"s":"a"}"#,
        r#"{}"#,
        r#"{"n":[],"s":["b","c\n"]}"#,
        r#"{"n":[[7],[8,[9]]],"s":[null]}"#,
        r#"{"n":null,"s":null}"#,
    ];
    for (values, numbers, texts) in [
        (Values::First, [Some(3), None, None, Some(7), None], [Some("a"), None, Some("b"), None, None]),
        (Values::Last, [Some(3), None, None, Some(9), None], [Some("a"), None, Some("c\n"), None, None]),
    ] {
        let found =
            frame(properties.clone(), &with(CellPolicy { values: Some(values), ..CellPolicy::default() }), &sources)
                .unwrap();
        let expected = df!("n" => numbers, "s" => texts).unwrap();
        assert!(found.equals_missing(&expected), "{values:?} {found}");
    }
    let lists = CellPolicy { values: Some(Values::List), ..CellPolicy::default() };
    let found = frame(properties, &with(lists), &sources).unwrap();
    let numbers = found.column("n").unwrap().list().unwrap().clone();
    let of = |values: &[Option<i32>]| Some(Series::new("".into(), values));
    let expected = [of(&[Some(3), None, Some(1), Some(3)]), None, of(&[]), of(&[Some(7), Some(8), Some(9)]), None];
    for (row, expected) in expected.into_iter().enumerate() {
        let found = numbers.get_as_series(row);
        assert_eq!(found.is_some(), expected.is_some(), "{row}");
        assert!(found.zip(expected).is_none_or(|(found, expected)| found.equals_missing(&expected)), "{row}");
    }
    assert_eq!(found.column("s").unwrap().null_count(), 2, "{found}");
}

#[test]
fn values_in_arrays_of_objects_are_several() {
    let properties = json!({"o": {"properties": {"x": {"type": "long"}}}});
    let source = [r#"{"o":[{"x":1},{"y":1},{"x":[2,3]},null]}"#];
    assert!(frame(properties.clone(), &options(), &source).is_err());
    let lists = with(CellPolicy { values: Some(Values::List), ..CellPolicy::default() });
    let found = frame(properties, &lists, &source).unwrap();
    let list = found.column("o.x").unwrap().list().unwrap().get_as_series(0).unwrap();
    assert_eq!(list, Series::new("".into(), [1_i64, 2, 3]));
}

#[test]
fn malformed_values_can_be_nulls() {
    let properties = json!({"n": {"type": "integer"}, "t": {"type": "date"}, "v": {"type": "dense_vector", "dims": 2}});
    let policy = CellPolicy { malformed: Some(Malformed::Null), ..CellPolicy::default() };
    let sources = [r#"{"n":1.75,"t":{"a":1},"v":[1]}"#, r#"{"n":1,"v":[1,2]}"#, r#"{"n":["x",5],"v":"x"}"#];
    let found = frame(properties.clone(), &with(policy), &sources).unwrap();
    let numbers: Vec<_> = found.column("n").unwrap().i32().unwrap().iter().collect();
    assert_eq!(numbers, [None, Some(1), Some(5)]);
    assert_eq!([found.column("t").unwrap().null_count(), found.column("v").unwrap().null_count()], [3, 2]);
    let lists = CellPolicy { values: Some(Values::List), ..policy };
    let found = frame(properties, &with(lists), &sources).unwrap();
    let list = found.column("n").unwrap().list().unwrap().get_as_series(2).unwrap();
    assert!(list.equals_missing(&Series::new("".into(), [None, Some(5)])), "{list}");
}

#[test]
fn a_missing_value_can_be_an_error() {
    let properties = json!({"n": {"type": "integer"}});
    for values in [Values::One, Values::List, Values::First, Values::Last] {
        let policy = CellPolicy { missing: Some(Missing::Error), values: Some(values), ..CellPolicy::default() };
        frame(properties.clone(), &with(policy), &[r#"{"n":1}"#, r#"{"n":[2]}"#]).unwrap();
        for source in ["{}", r#"{"n":null}"#, r#"{"n":[]}"#] {
            let error = frame(properties.clone(), &with(policy), &[r#"{"n":1}"#, source]).unwrap_err();
            assert_eq!(error.to_string(), "field n of document d has no value", "{values:?} {source}");
        }
    }
}

#[test]
fn a_policy_can_be_that_of_one_column() {
    let properties = json!({"n": {"type": "integer"}, "o": {"type": "nested", "properties": {"x": {"type": "byte"}}}});
    let lists = CellPolicy { values: Some(Values::List), ..CellPolicy::default() };
    let mut options = options();
    options.policies.insert("o.x".into(), lists);
    let found = frame(properties.clone(), &options, &[r#"{"n":1,"o":{"x":[1,2]}}"#]).unwrap();
    let inner = DataType::Struct(vec![Field::new("x".into(), DataType::List(Box::new(DataType::Int8)))]);
    assert_eq!(found.column("o").unwrap().dtype(), &DataType::List(Box::new(inner)));
    options.policies.insert("m".into(), lists);
    let error = frame(properties, &options, &[]).unwrap_err();
    assert_eq!(error.to_string(), "a policy is set for m, which is not a column that is read");
}
