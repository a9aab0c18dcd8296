//! Columns whose names have dots.

use polars::prelude::*;
use proptest::prelude::{prop, prop_assert_eq, proptest};
use serde_json::{Map, Value};

use super::super::{DottedNames, NonFinite, WriterOptions};
use super::documents;

fn objects() -> WriterOptions {
    WriterOptions { dotted_names: DottedNames::Objects, ..WriterOptions::default() }
}

#[test]
fn members_meet_in_their_object_wherever_they_stand() {
    let frame = df!(
        "a.b" => [Some(1), None], "x" => [1, 2], "a.c.d" => [Some("y"), None], "e.f" => [Some(1.5), Some(f64::NAN)],
        "a.c.\"" => [Some(true), None],
    )
    .unwrap();
    assert_eq!(
        documents(&frame, &objects()).unwrap(),
        [r#"{"a":{"b":1,"c":{"d":"y","\"":true}},"x":1,"e":{"f":1.5}}"#, r#"{"x":2}"#]
    );
    let flat = documents(&frame, &WriterOptions::default()).unwrap();
    assert_eq!(flat[0], r#"{"a.b":1,"x":1,"a.c.d":"y","e.f":1.5,"a.c.\"":true}"#);
    let reject = WriterOptions { non_finite: NonFinite::Reject, ..objects() };
    assert!(documents(&frame, &reject).unwrap_err().message().starts_with("column e.f holds NaN"));
}

#[test]
fn names_that_clash_are_both_told() {
    let refused = |frame: DataFrame| documents(&frame, &objects()).unwrap_err().to_string();
    let clash = "column a cannot be both a value and the object that column a.b is a member of";
    assert_eq!(refused(df!("a" => [1], "a.b" => [2]).unwrap()), clash);
    assert_eq!(refused(df!("a.b" => [1], "a" => [2]).unwrap()), clash);
    assert!(refused(df!("a.b" => [1], "a.b.c.d" => [2]).unwrap()).contains("column a.b cannot be both"));
    for name in [".a", "a.", "a..b", ""] {
        assert!(refused(df!(name => [1]).unwrap()).contains("has an empty part"));
    }
    assert_eq!(documents(&df!("ab" => [1], "a.b" => [2]).unwrap(), &objects()).unwrap(), [r#"{"ab":1,"a":{"b":2}}"#]);
}

proptest! {
    /// Compared with objects that are put together member by member.
    #[test]
    fn objects_are_those_of_their_paths(
        paths in prop::collection::hash_set("[ab](\\.[cd](\\.[ef])?)?", 1..6),
        values in prop::collection::vec(prop::option::of(0..9_i64), 6),
    ) {
        let is_inside = |path: &&String| paths.iter().any(|other| path.starts_with(&format!("{other}.")));
        let paths: Vec<_> = paths.iter().filter(|path| !is_inside(path)).collect();
        let columns = paths.iter().zip(&values).map(|(path, value)| Column::new(path.as_str().into(), [*value]));
        let frame = super::frame(columns.collect());
        let mut expected = Value::Object(Map::new());
        for (path, value) in paths.iter().zip(&values) {
            if let Some(value) = value {
                let mut place = &mut expected;
                for part in path.split('.') {
                    place = place
                        .as_object_mut()
                        .unwrap()
                        .entry(part)
                        .or_insert_with(|| Value::Object(Map::new()));
                }
                *place = Value::from(*value);
            }
        }
        let written: Value = serde_json::from_str(&documents(&frame, &objects()).unwrap()[0]).unwrap();
        prop_assert_eq!(written, expected);
    }
}
