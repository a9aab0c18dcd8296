//! Both forms of ES|QL's answers and SQL's pages, as real servers of the versions 8.19.21 and
//! 6.8.23 wrote them.

use std::path::PathBuf;

use polars::prelude::*;
use proptest::prelude::*;

use super::*;

fn recorded(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    std::fs::read(folder.join(name)).unwrap()
}

fn json(name: &str) -> Result<Table, Error> {
    Table::from_esql_json(&recorded(&format!("esql/{name}.response.json")))
}

fn arrow(name: &str) -> Result<Table, Error> {
    Table::from_esql_arrow(&recorded(&format!("esql/{name}.response.arrow")))
}

fn texts<'a>(frame: &'a DataFrame, column: &str) -> Vec<Option<&'a str>> {
    frame.column(column).unwrap().str().unwrap().iter().collect()
}

#[test]
fn both_forms_make_the_same_frame() {
    let pairs = [
        ("011-small-arrow", "012-small-json"),
        ("038-row-mv-arrow", "039-row-mv-json"),
        ("041-stats-by-arrow", "042-stats-by-json"),
        ("044-stats-by-mv-bucket-arrow", "045-stats-by-mv-bucket-json"),
        ("049-empty-result-arrow", "050-empty-result-json"),
        ("052-empty-index-arrow", "053-empty-index-json"),
    ];
    for (of_arrow, of_json) in pairs {
        let (of_arrow, of_json) = (arrow(of_arrow).unwrap(), json(of_json).unwrap());
        // The recording in JSON has a column more, which Arrow could not have.
        let frame = of_json.frame.drop("dn").unwrap_or_else(|_| of_json.frame.clone());
        assert_eq!(of_arrow.frame.schema(), frame.schema());
        assert!(of_arrow.frame.equals_missing(&frame), "{:?}\n{frame:?}", of_arrow.frame);
        let types: Vec<_> = of_json.types.iter().filter(|(name, _)| name != "dn").cloned().collect();
        assert_eq!(of_arrow.types, types);
    }
}

#[test]
fn every_type_has_its_column() {
    let table = json("037-row-types-json").unwrap();
    let utc = Some(TimeZone::UTC);
    let point =
        |names: [&str; 2]| DataType::Struct(names.map(|name| Field::new(name.into(), DataType::Float64)).to_vec());
    let expected = [
        ("i", DataType::Int32),
        ("l", DataType::Int64),
        ("d", DataType::Float64),
        ("s", DataType::String),
        ("b", DataType::Boolean),
        ("nul", DataType::String),
        ("dt", DataType::Datetime(TimeUnit::Milliseconds, utc.clone())),
        ("dn", DataType::Datetime(TimeUnit::Nanoseconds, utc)),
        ("ip", DataType::String),
        ("ip6", DataType::String),
        ("v", DataType::String),
        ("ul", DataType::UInt64),
        ("p", point(["lat", "lon"])),
        ("sh", DataType::String),
        ("cp", point(["x", "y"])),
        ("per", DataType::String),
    ];
    let found: Vec<_> = table.frame.schema().iter().map(|(name, dtype)| (name.as_str(), dtype.clone())).collect();
    assert_eq!(found, expected);
    let number = |name: &str| table.frame.column(name).unwrap().to_physical_repr().i64().unwrap().get(0);
    assert_eq!(number("dt"), Some(1_704_164_645_678));
    assert_eq!(number("dn"), Some(1_704_164_645_123_456_789));
    assert_eq!(table.frame.column("ul").unwrap().u64().unwrap().get(0), Some(u64::MAX));
    let coordinate = |name: &str, field: &str| {
        let column = table.frame.column(name).unwrap().struct_().unwrap().field_by_name(field).unwrap();
        column.f64().unwrap().get(0)
    };
    assert_eq!((coordinate("p", "lon"), coordinate("p", "lat")), (Some(1.0), Some(2.0)));
    assert_eq!((coordinate("cp", "x"), coordinate("cp", "y")), (Some(3.0), Some(4.0)));
    assert_eq!(texts(&table.frame, "sh"), [Some("POLYGON ((0.0 0.0, 1.0 0.0, 1.0 1.0, 0.0 0.0))")]);
    assert_eq!(texts(&table.frame, "ip6"), [Some("2001:db8::1")]);
    assert_eq!(table.types[11], ("ul".to_owned(), "unsigned_long".to_owned()));
}

#[test]
fn extremes_and_escapes_are_exact() {
    let frame = json("017-long-extremes").unwrap().frame;
    let long = |name: &str| frame.column(name).unwrap().i64().unwrap().get(0).unwrap();
    assert_eq!((long("a"), long("b")), (i64::MAX, i64::MIN));
    let double = |name: &str| frame.column(name).unwrap().f64().unwrap().get(0).unwrap();
    assert_eq!((double("c"), double("d"), double("e"), double("f")), (1e308, 0.1, 1e-7, 1e8));
    assert!(double("g").is_sign_negative() && double("g") == 0.0);
    let frame = json("019-strings-escape").unwrap().frame;
    assert_eq!(texts(&frame, "a"), [Some("tab\t nl\n q\" bs\\ é 😀")]);
}

#[test]
fn lists_are_where_the_data_has_them() {
    let frame = arrow("014-multi-page-nulls-mv-arrow").unwrap().frame;
    assert!(frame.height() > 1_000, "{frame:?}");
    let lists: Vec<_> = frame.columns().iter().filter(|column| column.dtype().is_list()).collect();
    assert!(!lists.is_empty(), "{frame:?}");
    assert!(lists.iter().all(|column| column.null_count() > 0 && column.len() == frame.height()), "{frame:?}");
}

#[test]
fn columns_that_the_server_does_not_return_are_named() {
    for (table, names) in [
        (arrow("004-all-arrow"), "vec"),
        (json("005-all-json"), "vec"),
        (arrow("058-unsupported-vec-arrow"), "vec"),
        (json("059-conflict-types-json"), "kw"),
    ] {
        let error = table.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedType);
        assert_eq!(error.to_string(), format!("the server returns no values of {names}"));
        assert!(error.help().unwrap().starts_with(&format!("add | DROP {names} ")), "{:?}", error.help());
    }
    // What only JSON tells in words is asked for there.
    let error = arrow("036-row-types-arrow").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedType);
    assert_eq!(error.to_string(), "column sh is of type geo_shape, which is read from JSON only");
}

#[test]
fn what_is_no_whole_result_is_refused() {
    assert_eq!(json("005-partial-rows").unwrap_err().kind(), ErrorKind::Partial);
    let running = json("092-async-start-nowait").unwrap_err();
    assert!(running.to_string().contains("has not ended"), "{running}");
    assert_eq!(json("098-err-syntax").unwrap_err().kind(), ErrorKind::Malformed);
    for name in ["012-small-json", "045-stats-by-mv-bucket-json"] {
        let whole = recorded(&format!("esql/{name}.response.json"));
        for end in 0..whole.len() {
            assert_eq!(Table::from_esql_json(&whole[..end]).unwrap_err().kind(), ErrorKind::Malformed, "{end}");
        }
    }
    for name in ["011-small-arrow", "038-row-mv-arrow"] {
        let whole = recorded(&format!("esql/{name}.response.arrow"));
        for end in 0..whole.len() {
            assert_eq!(Table::from_esql_arrow(&whole[..end]).unwrap_err().kind(), ErrorKind::Malformed, "{end}");
        }
    }
}

#[test]
fn pages_of_sql_have_the_schema_of_the_first() {
    let page = |name: &str| recorded(&format!("sql/{name}.response.json"));
    let (decoder, first) = SqlDecoder::of_first_page(&page("017-sql-cursor-json-p1")).unwrap();
    let mut whole = first;
    for name in ["018-sql-cursor-json-p2", "019-sql-cursor-json-p3", "020-sql-cursor-json-p4"] {
        let page = decoder.page(&page(name), whole.height()).unwrap();
        assert_eq!(**page.schema(), decoder.schema());
        whole.vstack_mut(&page).unwrap();
    }
    assert_eq!(whole.height(), 300);
    let ids = texts(&whole, "id");
    assert_eq!((ids[0], ids[120], ids[299]), (Some("d000"), Some("d120"), Some("d299")));
    assert_eq!(whole.column("n").unwrap().i64().unwrap().get(120), Some(120_000_355));

    let (decoder, empty) = SqlDecoder::of_first_page(&page("049-sql-empty")).unwrap();
    assert_eq!((empty.height(), decoder.schema().len()), (0, 1));
    let (_, zoned) = SqlDecoder::of_first_page(&page("041-sql-timezone")).unwrap();
    let instant = zoned.column("ts").unwrap().to_physical_repr().i64().unwrap().get(0);
    assert_eq!(instant, Some(1_704_067_200_000));
}

#[test]
fn literals_of_sql_have_their_types() {
    let body = recorded("sql/048-sql-types-literals.response.json");
    let (decoder, frame) = SqlDecoder::of_first_page(&body).unwrap();
    let found: Vec<String> = frame.schema().iter_values().map(ToString::to_string).collect();
    let expected = ["i32", "i64", "f64", "str", "bool", "str", "datetime[ms, UTC]", "str", "f64", "i8"];
    assert_eq!(found, expected);
    assert_eq!(texts(&frame, "iv"), [Some("PT24H")]);
    assert_eq!(decoder.field_types()[9], ("t".to_owned(), "byte".to_owned()));
    let (_, frame) = SqlDecoder::of_first_page(&recorded("sql/002-sql-json.response.json")).unwrap();
    assert_eq!((frame.height(), frame.column("sf").unwrap().dtype()), (12, &DataType::Float64));
}

#[test]
fn a_value_that_does_not_fit_is_named_with_its_row() {
    let page = |es_type: &str, value: &str| {
        let body = format!(r#"{{"columns":[{{"name":"c","type":"{es_type}"}}],"rows":[[null],[{value}]]}}"#);
        SqlDecoder::of_first_page(body.as_bytes()).unwrap_err().to_string()
    };
    assert_eq!(page("long", "\"x\""), "column c (long) of row 2 holds \"x\", which does not fit its type");
    assert_eq!(
        page("keyword", "[\"a\",\"b\"]"),
        "column c (keyword) of row 2 holds [\"a\",\"b\"], which is more than one value"
    );
    assert_eq!(
        page("datetime", "\"2024-01-01T00:00:00.000000001Z\""),
        "column c (datetime) of row 2 holds \"2024-01-01T00:00:00.000000001Z\", which has more digits than the \
         milliseconds of its type"
    );
    let columns = r#""columns":[{"name":"c","type":"long"}]"#;
    for (body, why) in [
        (format!(r#"{{{columns},"rows":[[1,2]]}}"#), "row 1 has not as many values"),
        (format!(r#"{{{columns},"rows":[[]]}}"#), "row 1 has not as many values"),
        (format!(r#"{{"rows":[[1]],{columns}}}"#), "the rows stand before the columns"),
        (format!(r#"{{{columns}}}"#), "missing field `rows`"),
        (format!(r#"{{{columns},"rows":[],{columns}}}"#), "the columns stand there twice"),
        (format!(r#"{{{columns},"rows":[],"rows":[]}}"#), "the rows stand there twice"),
    ] {
        let error = SqlDecoder::of_first_page(body.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().contains(why), "{error}");
    }
    let (decoder, _) = SqlDecoder::of_first_page(format!(r#"{{{columns},"rows":[[1]]}}"#).as_bytes()).unwrap();
    let error = decoder.page(br#"{"columns":[{"name":"c","type":"text"}],"rows":[]}"#, 1).unwrap_err();
    assert!(error.to_string().contains("the columns are not those of the first page"), "{error}");
    let unknown = r#"{"columns":[{"name":"c","type":"of_tomorrow"}],"values":[[{"a":[1]}],[7],["x"],[[1,2]]]}"#;
    let frame = Table::from_esql_json(unknown.as_bytes()).unwrap().frame;
    assert_eq!(texts(&frame, "c"), [Some(r#"{"a":[1]}"#), Some("7"), Some("x"), Some("[1,2]")]);
}

#[test]
fn an_arrow_stream_with_a_changed_byte_is_a_result_or_an_error() {
    let mut body = recorded("esql/038-row-mv-arrow.response.arrow");
    for at in 0..body.len() {
        let byte = body[at];
        for changed in [byte ^ 1, byte ^ 0x80, !byte] {
            body[at] = changed;
            let _ = Table::from_esql_arrow(&body);
        }
        body[at] = byte;
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_result_or_an_error(bytes: Vec<u8>) {
        let _ = (Table::from_esql_json(&bytes), SqlDecoder::of_first_page(&bytes));
        let _ = Table::from_esql_arrow(&[&bytes[..], &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]].concat());
    }

    #[test]
    fn a_changed_result_is_one_or_an_error(at in 0_usize..4_000, bits in 1_u8..) {
        let mut body = recorded("esql/039-row-mv-json.response.json");
        let at = at % body.len();
        body[at] ^= bits;
        let _ = Table::from_esql_json(&body);
    }
}
