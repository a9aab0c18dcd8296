//! Each type, the ids, and what is done with numbers that JSON has none for.

use polars::prelude::*;
use proptest::prelude::{prop, prop_assert, prop_assert_eq, prop_assert_ne, proptest};

use super::super::{DocumentWriter, NonFinite, WriterOptions};
use super::{cast, frame as frame_of, text};
use crate::error::{Error, ErrorKind};

fn documents(frame: &DataFrame) -> Vec<String> {
    super::documents(frame, &WriterOptions::default()).unwrap()
}

fn id(frame: &DataFrame, columns: &[&str], row: usize) -> Result<String, Error> {
    let writer = DocumentWriter::new(frame, columns)?;
    text(|out| writer.write_id(row, out))
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
    let list = Series::new("l".into(), [Series::new("".into(), [Some(1_i64), None]), Series::new("".into(), [2_i64])]);
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

#[test]
fn ids_are_plain_text_whatever_the_type() {
    let categories = cast("c", ["a|b", "c"], &DataType::from_categories(Categories::global()));
    let bytes = Series::new("b".into(), [&b"\xff\xfe"[..], &b""[..]]).into_column();
    let days = cast("d", [0_i32, 1], &DataType::Date);
    let texts = Series::new("s".into(), ["\"\n", ""]).into_column();
    let frame = frame_of(vec![categories, bytes, days, texts]);
    assert_eq!(id(&frame, &["c"], 0).unwrap(), r#""a\\|b""#);
    assert_eq!(id(&frame, &["b"], 0).unwrap(), r#""//4=""#);
    assert_eq!(id(&frame, &["d", "s"], 0).unwrap(), r#""1970-01-01|\"\n""#);
    // Elasticsearch refuses an empty id; one that is made of empty parts is none.
    assert_eq!(id(&frame, &["b", "s"], 1).unwrap(), r#""|""#);
    let error = id(&frame, &["s"], 1).unwrap_err();
    assert_eq!((error.kind(), error.row()), (ErrorKind::Row, Some(1)));
    assert_eq!(error.to_string(), "row 1 of the frame: the document id is empty, which Elasticsearch refuses");
    let long = df!("s" => ["é".repeat(256), "é".repeat(257)]).unwrap();
    assert_eq!(id(&long, &["s"], 0).unwrap().len(), 514);
    assert_eq!(id(&long, &["s"], 1).unwrap().len(), 34);
}

#[test]
fn decimals_and_wide_integers_keep_all_their_digits() {
    let units = [Some(5_i128), Some(-1_234_567), None, Some(10_i128.pow(38) - 1), Some(0)];
    let integers = Int128Chunked::from_slice_options("i".into(), &units);
    let decimal = |scale| integers.clone().with_name(format!("d{scale}").into()).into_decimal_unchecked(38, scale);
    let frame = frame_of(vec![
        integers.clone().into_series().into(),
        decimal(0).into_series().into(),
        decimal(2).into_series().into(),
        decimal(38).into_series().into(),
    ]);
    let expected = [
        r#"{"i":5,"d0":5,"d2":0.05,"d38":0.00000000000000000000000000000000000005}"#,
        r#"{"i":-1234567,"d0":-1234567,"d2":-12345.67,"d38":-0.00000000000000000000000000000001234567}"#,
        "{}",
        concat!(
            r#"{"i":99999999999999999999999999999999999999,"d0":99999999999999999999999999999999999999,"#,
            r#""d2":999999999999999999999999999999999999.99,"d38":0.99999999999999999999999999999999999999}"#,
        ),
        r#"{"i":0,"d0":0,"d2":0.00,"d38":0.00000000000000000000000000000000000000}"#,
    ];
    assert_eq!(documents(&frame), expected);
}

#[test]
fn logical_types_are_written_inside_lists_too() {
    let categories = DataType::from_categories(Categories::global());
    let levels = DataType::from_frozen_categories(FrozenCategories::new(["low", "high \"!\""]).unwrap());
    let zone = Some(TimeZone::opt_try_new(Some("America/New_York")).unwrap().unwrap());
    let instants = DataType::Datetime(TimeUnit::Microseconds, zone);
    let columns = vec![
        cast("c", ["UA", "B6"], &categories),
        cast("e", [Some("high \"!\""), None], &levels),
        cast("t", [1_357_034_400_000_001_i64, 0], &instants),
        cast("u", [1_500_i64, -1], &DataType::Duration(TimeUnit::Milliseconds)),
        Series::new("b".into(), [Some(&b"\x00\xff"[..]), None]).into_column(),
    ];
    let listed = |column: &Column| {
        let series = column.as_materialized_series();
        Series::new(format!("{}s", column.name()).into(), [series.clone(), series.slice(1, 1)]).into_column()
    };
    let lists = columns.iter().map(listed).collect();
    assert_eq!(
        documents(&frame_of(columns)),
        [
            r#"{"c":"UA","e":"high \"!\"","t":"2013-01-01T10:00:00.000001Z","u":1500,"b":"AP8="}"#,
            r#"{"c":"B6","t":"1970-01-01T00:00:00.000000Z","u":-1}"#,
        ]
    );
    assert_eq!(
        documents(&frame_of(lists)),
        [
            concat!(
                r#"{"cs":["UA","B6"],"es":["high \"!\"",null],"#,
                r#""ts":["2013-01-01T10:00:00.000001Z","1970-01-01T00:00:00.000000Z"],"us":[1500,-1],"bs":["AP8=",null]}"#,
            ),
            r#"{"cs":["B6"],"es":[null],"ts":["1970-01-01T00:00:00.000000Z"],"us":[-1],"bs":[null]}"#,
        ]
    );
}

#[test]
fn a_year_without_four_digits_is_epoch_milliseconds() {
    let far = 253_402_300_800_000_i64;
    let frame = frame_of(vec![
        cast("d", [2_932_897_i32], &DataType::Date),
        cast("t", [far * 1_000 + 1_020], &DataType::Datetime(TimeUnit::Microseconds, None)),
        cast("b", [-62_167_219_200_000_001_i64], &DataType::Datetime(TimeUnit::Microseconds, None)),
        cast("m", [i64::MIN], &DataType::Datetime(TimeUnit::Milliseconds, None)),
    ]);
    let expected =
        r#"{"d":253402300800000,"t":"253402300800001.02","b":"-62167219200000.001","m":-9223372036854775808}"#;
    assert_eq!(documents(&frame), [expected]);
    assert_eq!(id(&frame, &["d", "t"], 0).unwrap(), format!("\"{far}|253402300800001.02\""));
}

#[test]
fn numbers_that_are_not_finite_follow_the_policy() {
    let wide = [Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(1.0), None];
    let list = Series::new("".into(), wide);
    let inner = df!("x" => [f32::NAN], "l" => [list]).unwrap().into_struct("o".into()).into_series();
    let frame = frame_of(vec![Series::new("n".into(), [1_i32]).into(), inner.into()]);
    let with = |non_finite| super::documents(&frame, &WriterOptions { non_finite, ..WriterOptions::default() });
    assert_eq!(with(NonFinite::Null).unwrap(), [r#"{"n":1,"o":{"l":[null,null,null,1.0,null]}}"#]);
    assert_eq!(
        with(NonFinite::String).unwrap(),
        [r#"{"n":1,"o":{"x":"NaN","l":["NaN","Infinity","-Infinity",1.0,null]}}"#]
    );
    let error = with(NonFinite::Reject).unwrap_err();
    assert_eq!((error.kind(), error.row()), (ErrorKind::Row, Some(0)));
    assert_eq!(error.message(), "column o.x holds NaN, which JSON has no number for");
    assert_eq!(error.to_string(), format!("row 0 of the frame: {}", error.message()));
    let last = df!("y" => [0.5, f64::NEG_INFINITY]).unwrap();
    let reject = WriterOptions { non_finite: NonFinite::Reject, ..WriterOptions::default() };
    let error = super::documents(&last, &reject).unwrap_err();
    assert_eq!(error.to_string(), "row 1 of the frame: column y holds -Infinity, which JSON has no number for");
    // An id has no such part, whatever documents do.
    assert_eq!(id(&last, &["y"], 1).unwrap_err().row(), Some(1));
}

#[test]
fn parts_of_frames_are_written_from_their_own_rows() {
    let lists: Vec<_> = (0..20).map(|row| Series::new("".into(), vec![row; row as usize % 4])).collect();
    let inner = df!("x" => (0..20_i64).collect::<Vec<_>>()).unwrap().into_struct("o".into()).into_series();
    let gaps = Series::new("g".into(), (0..20).map(|row| (row % 3 > 0).then_some(row)).collect::<Vec<_>>());
    let pairs = (0..20).map(|row| Series::new("".into(), [row, -row])).collect::<Vec<_>>();
    let pairs = Series::new("p".into(), pairs).cast(&DataType::Array(Box::new(DataType::Int32), 2)).unwrap();
    let whole = frame_of(vec![Series::new("l".into(), lists).into(), inner.into(), gaps.into(), pairs.into()]);
    let all = documents(&whole);
    assert_eq!(documents(&whole.slice(7, 9)), all[7..16]);
    assert_eq!(all[7], r#"{"l":[7,7,7],"o":{"x":7},"g":7,"p":[7,-7]}"#);
    assert_eq!(all[9], r#"{"l":[9],"o":{"x":9},"p":[9,-9]}"#);
}

#[test]
fn columns_in_pieces_are_refused() {
    let mut frame = df!("n" => [1]).unwrap();
    frame.vstack_mut(&frame.clone()).unwrap();
    let error = DocumentWriter::new(&frame, &[] as &[&str]).err().unwrap();
    assert_eq!((error.kind(), error.help()), (ErrorKind::Polars, Some("call rechunk_mut on the frame first")));
}

/// The text of a column of one float, wide and narrow.
fn float(value: f64) -> (String, String) {
    let document = |frame: DataFrame| documents(&frame).remove(0);
    (document(df!("x" => [value]).unwrap()), document(df!("x" => [value as f32]).unwrap()))
}

/// The same, by the library that finds the shortest digits of any float.
fn shortest(value: f64) -> (String, String) {
    let document = |text: &str| format!("{{\"x\":{text}}}");
    (document(zmij::Buffer::new().format(value)), document(zmij::Buffer::new().format(value as f32)))
}

#[test]
fn whole_floats_are_written_as_the_others() {
    let powers = (0..=62).map(|bits| (1_i64 << bits) as f64).chain((0..=18).map(|zeros| 10_f64.powi(zeros)));
    for power in powers {
        for value in [power - 1.0, power - 0.5, power, power + 0.5, power + 1.0] {
            for value in [value, -value] {
                assert_eq!(float(value), shortest(value), "{value}");
            }
        }
    }
}

proptest! {
    #[test]
    fn floats_of_any_size_are_written_shortest(whole in proptest::prelude::any::<i64>(), shift in 0_u32..64) {
        let value = (whole >> shift) as f64;
        prop_assert_eq!(float(value), shortest(value));
    }

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

    #[test]
    fn different_keys_have_different_ids(
        keys in prop::collection::btree_set(("[a|\\\\\"]{0,4}", "[a|\\\\\"]{0,4}", 0..3_i64), 2),
    ) {
        let keys: Vec<_> = keys.into_iter().collect();
        let frame = df!(
            "a" => keys.iter().map(|key| key.0.as_str()).collect::<Vec<_>>(),
            "b" => keys.iter().map(|key| key.1.as_str()).collect::<Vec<_>>(),
            "n" => keys.iter().map(|key| key.2).collect::<Vec<_>>(),
        )
        .unwrap();
        let ids = [0, 1].map(|row| id(&frame, &["a", "b", "n"], row).unwrap());
        prop_assert_ne!(&ids[0], &ids[1]);
        let read: String = serde_json::from_str(&ids[0]).unwrap();
        let end = format!("|{}", keys[0].2);
        prop_assert!(read.ends_with(&end), "{}", read);
    }
}
