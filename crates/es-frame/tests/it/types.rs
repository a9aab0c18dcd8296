//! Every type with its inferred mapping, and every operation.

use es_frame::{DocumentWriter, DottedNames, MappingOptions, Operation, WriterOptions, infer_mapping_of};
use polars::prelude::*;
use serde_json::{Value, json};

use crate::support::{create, live, send, source};

/// Two rows of every type but vectors: one of extremes, one with nothing but its key.
fn every_type() -> DataFrame {
    let cast = |name: &str, series: Series, dtype: &DataType| series.with_name(name.into()).cast(dtype).unwrap();
    let with_null = |value: i64| Series::new("".into(), [Some(value), None]);
    let decimal =
        Int128Chunked::from_slice_options("decimal".into(), &[Some(-1_234_567_890_123_456_789_012_345), None]);
    let list = Series::new("list".into(), [Some(Series::new("".into(), [Some(1_i32), None, Some(-3)])), None]);
    let legs = df!("carrier" => ["UA", "é\"\\\n"], "stops" => [Some(2_i8), None]).unwrap();
    let legs = Series::new("legs".into(), [Some(legs.into_struct("".into()).into_series()), None]);
    let place = df!("lat" => [Some(40.64), None], "lon" => [Some(-73.78), None]).unwrap();
    let zone = Some(TimeZone::opt_try_new(Some("Europe/Rome")).unwrap().unwrap());
    let series = vec![
        Series::new("key".into(), ["full", "empty"]),
        Series::new("boolean".into(), [Some(true), None]),
        Series::new("i8".into(), [Some(i8::MIN), None]),
        Series::new("i16".into(), [Some(i16::MIN), None]),
        Series::new("i32".into(), [Some(i32::MIN), None]),
        Series::new("i64".into(), [Some(i64::MIN), None]),
        Series::new("u8".into(), [Some(u8::MAX), None]),
        Series::new("u16".into(), [Some(u16::MAX), None]),
        Series::new("u32".into(), [Some(u32::MAX), None]),
        Series::new("u64".into(), [Some(u64::MAX), None]),
        Series::new("f32".into(), [Some(0.1_f32), None]),
        Series::new("f64".into(), [Some(f64::MAX), Some(f64::NAN)]),
        decimal.into_decimal_unchecked(38, 9).into_series(),
        Series::new("short".into(), [Some("\u{1F6EB} \"\\\u{1}"), None]),
        Series::new("long".into(), [Some("é".repeat(20_000)), None]),
        cast("category", Series::new("".into(), [Some("UA"), None]), &DataType::from_categories(Categories::global())),
        Series::new("binary".into(), [Some(&b"\x00\xff\x7f"[..]), None]),
        cast("date", with_null(-719_528), &DataType::Date),
        cast("milli", with_null(-1), &DataType::Datetime(TimeUnit::Milliseconds, None)),
        cast("micro", with_null(1_357_034_400_000_001), &DataType::Datetime(TimeUnit::Microseconds, zone)),
        cast("nano", with_null(i64::MAX), &DataType::Datetime(TimeUnit::Nanoseconds, None)),
        cast("early", with_null(-1), &DataType::Datetime(TimeUnit::Nanoseconds, None)),
        cast("far", with_null(253_402_300_800_000), &DataType::Datetime(TimeUnit::Milliseconds, None)),
        cast("time", with_null(86_399_999_999_999), &DataType::Time),
        cast("duration", with_null(-5), &DataType::Duration(TimeUnit::Microseconds)),
        list,
        legs.clone(),
        legs.with_name("pieces".into()),
        place.into_struct("place".into()).into_series(),
        Series::new("dotted.a".into(), [Some(1), None]),
        Series::new("nothing".into(), [None::<i32>, None]).cast(&DataType::Null).unwrap(),
        Series::new("dotted.b".into(), [Some("x"), None]),
    ];
    let mut frame = DataFrame::new_infer_height(series.into_iter().map(Column::from).collect()).unwrap();
    frame.rechunk_mut();
    frame
}

#[tokio::test]
async fn every_type_fits_its_mapping_and_comes_back() {
    let Some((node, _, scope)) = live("every_type_fits_its_mapping_and_comes_back").await else { return };
    let frame = every_type();
    for dotted_names in [DottedNames::Flat, DottedNames::Objects] {
        let options = MappingOptions { dotted_names, nested: vec!["pieces".into()], ..MappingOptions::default() };
        let mut mapping = infer_mapping_of(&frame, &options).unwrap();
        assert_eq!(mapping.properties["u64"], json!({"type": "unsigned_long"}));
        assert_eq!(mapping.properties["long"]["type"], "text");
        assert_eq!(
            [&mapping.properties["nano"], &mapping.properties["early"]].map(|field| &field["type"]),
            ["date_nanos", "date"]
        );
        // A module that the test node may lack.
        mapping.properties["u64"] = json!({"type": "keyword"});
        let index = format!("{}{}", scope.prefix(), dotted_names);
        create(&node, &index, mapping).await;
        let options = WriterOptions { id: vec!["key".into()], dotted_names, ..WriterOptions::default() };
        assert_eq!(send(&node, &index, &frame, &options).await, [201, 201]);

        let writer = DocumentWriter::with_options(&frame, &options).unwrap();
        for (row, id) in ["full", "empty"].into_iter().enumerate() {
            let mut sent = Vec::new();
            writer.write_document(row, &mut sent).unwrap();
            // Byte by byte: no digit is lost.
            assert_eq!(source(&node, &index, id).await, String::from_utf8(sent.clone()).unwrap());
            let sent: Value = serde_json::from_slice(&sent).unwrap();
            if id == "full" {
                assert_eq!(sent.as_object().unwrap().len(), if dotted_names == DottedNames::Flat { 31 } else { 30 });
            } else {
                assert_eq!(sent, json!({"key": "empty", "place": {}}));
            }
        }
        let hits = |query: Value| {
            let path = format!("/{index}/_count");
            let node = &node;
            async move {
                node.json(reqwest::Method::POST, &path, json!({"query": query}).to_string()).await["count"].clone()
            }
        };
        for query in [
            json!({"term": {"short": "\u{1F6EB} \"\\\u{1}"}}),
            json!({"term": {"decimal": -1_234_567_890_123_456.8}}),
            json!({"term": {"dotted.b": "x"}}),
            json!({"range": {"date": {"lt": "0001-01-01"}}}),
            json!({"nested": {"path": "pieces", "query": {"term": {"pieces.stops": 2}}}}),
        ] {
            assert_eq!(hits(query.clone()).await, 1, "{query}");
        }
    }
}

#[tokio::test]
async fn a_column_decides_what_is_done() {
    let Some((node, _, scope)) = live("a_column_decides_what_is_done").await else { return };
    let frame = df!(
        "k" => ["a", "b", "c", "d", "b", "a"], "n" => [Some(1), Some(2), Some(3), Some(4), Some(5), None],
        "op" => ["index", "create", "upsert", "index", "update", "delete"], "route" => ["r|\"", "x", "x", "y", "x", "r|\""],
    )
    .unwrap();
    let mapping = infer_mapping_of(&frame.drop("op").unwrap(), &MappingOptions::default()).unwrap();
    let index = format!("{}operations", scope.prefix());
    create(&node, &index, mapping).await;
    let options = WriterOptions {
        id: vec!["k".into()],
        operation_column: Some("op".into()),
        routing: Some("route".into()),
        ..WriterOptions::default()
    };
    assert_eq!(send(&node, &index, &frame, &options).await, [201, 201, 201, 201, 200, 200]);
    let found = source(&node, &index, "b?routing=x").await;
    assert_eq!(serde_json::from_str::<Value>(&found).unwrap(), json!({"k": "b", "n": 5, "route": "x"}));
    let count = node.get(&format!("/{index}/_count")).await;
    assert_eq!(count["count"], 3);

    let versions = df!("k" => ["d", "d", "e"], "v" => [7_u32, 7, 0]).unwrap();
    let mapping = infer_mapping_of(&versions, &MappingOptions::default()).unwrap();
    let index = format!("{}versions", scope.prefix());
    create(&node, &index, mapping).await;
    let options = WriterOptions { id: vec!["k".into()], version: Some("v".into()), ..WriterOptions::default() };
    assert_eq!(send(&node, &index, &versions, &options).await, [201, 200, 201]);
    assert_eq!(node.get(&format!("/{index}/_doc/d")).await["_version"], 7);
    let remove = WriterOptions { operation: Operation::Delete, ..options };
    assert_eq!(send(&node, &index, &versions.slice(0, 1), &remove).await, [200]);
}
