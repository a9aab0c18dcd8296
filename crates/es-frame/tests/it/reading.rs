//! Indexed values come back: through `_source` and through doc values.

use base64::Engine as _;
use es_core::{Mapping, Version};
use es_frame::{
    CellPolicy, ColumnRequest, DecodeOptions, FieldSource, HitDecoder, Retrieval, Values, VectorForm, WriterOptions,
    infer_mapping,
};
use es_testing::Node;
use polars::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{create, live, send};

/// All documents of an index, in the order of their field `row`.
async fn read(node: &Node, index: &str, mapping: &Mapping, options: &DecodeOptions) -> DataFrame {
    let decoder = HitDecoder::with_options(mapping, options).unwrap();
    let mut body = json!({"size": 10_000, "sort": ["row"]});
    decoder.ask(&mut body);
    let request = node.request(Method::POST, &format!("/{index}/_search"));
    let response = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
    let bytes = response.bytes().await.unwrap();
    let decode = |bytes: &[u8]| match decoder.decode(bytes) {
        Ok(page) => page.frame,
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(bytes)),
    };
    // Values near the end of an answer are read in another way than those before.
    let (frame, longer) = (decode(&bytes), decode(&[&bytes, &[b' '; 200][..]].concat()));
    assert!(frame.equals_missing(&longer), "{frame} {longer}");
    frame
}

fn options(version: Version, retrieval: FieldSource) -> DecodeOptions {
    DecodeOptions { version: Some(version), retrieval, ..DecodeOptions::default() }
}

/// The documents of every type that the node has, with the values as they are to be read.
#[tokio::test]
async fn every_type_is_read_in_either_way() {
    let Some((node, version, scope)) = live("every_type_is_read_in_either_way").await else { return };
    let index = format!("{}types", scope.prefix());
    let properties = json!({
        "row": {"type": "long"}, "boolean": {"type": "boolean"}, "byte": {"type": "byte"}, "short": {"type": "short"},
        "integer": {"type": "integer"}, "long": {"type": "long"}, "float": {"type": "float", "meta": {"value_type": "float32"}},
        "double": {"type": "double"},
        "keyword": {"type": "keyword"}, "ip": {"type": "ip"}, "date": {"type": "date", "format": "dd/MM/yyyy||epoch_second"},
        "date_nanos": {"type": "date_nanos"}, "binary": {"type": "binary", "doc_values": true},
        "o": {"properties": {"x": {"type": "integer"}}}
    });
    let mapping = Mapping::new(properties.as_object().unwrap().clone());
    create(&node, &index, mapping.clone()).await;
    let documents = [
        json!({"row": 0, "boolean": "true", "byte": "-128", "short": 7.0, "integer": i32::MIN, "long": i64::MIN,
            "float": 0.1, "double": "1e-300", "keyword": "é\"\n", "ip": "2001:0DB8::1", "date": "03/02/2013",
            "date_nanos": "2013-02-03T04:05:06.123456789Z", "binary": "AAEC", "o.x": 1}),
        json!({"row": 1, "boolean": false, "byte": 127, "short": 0, "integer": i32::MAX, "long": i64::MAX,
            "float": f32::MAX, "double": -0.0, "keyword": 1.50, "ip": "127.0.0.1", "date": 1_359_864_306,
            "date_nanos": 1_359_864_306_789_i64, "binary": "", "o": {"x": "2"}}),
        json!({"row": 2, "boolean": [], "keyword": null, "o": {}}),
    ];
    let lines: String = documents.iter().map(|document| format!("{{\"index\":{{}}}}\n{document}\n")).collect();
    let answer = node.json(Method::POST, &format!("/{index}/_bulk?refresh=true"), lines).await;
    assert_eq!(answer["errors"], false, "{answer}");
    let utc = Some(TimeZone::UTC);
    let mut expected = df!(
        "row" => [0_i64, 1, 2], "boolean" => [Some(true), Some(false), None], "byte" => [Some(i8::MIN), Some(i8::MAX), None],
        "short" => [Some(7_i16), Some(0), None], "integer" => [Some(i32::MIN), Some(i32::MAX), None],
        "long" => [Some(i64::MIN), Some(i64::MAX), None], "float" => [Some(0.1_f32), Some(f32::MAX), None],
        "double" => [Some(1e-300), Some(-0.0), None], "keyword" => [Some("é\"\n"), Some("1.5"), None],
        "ip" => [Some("2001:db8::1"), Some("127.0.0.1"), None],
        "date" => [Some(1_359_849_600_000_i64), Some(1_359_864_306_000), None],
        "date_nanos" => [Some(1_359_864_306_123_456_789_i64), Some(1_359_864_306_789_000_000), None],
        "binary" => [Some(&b"\x00\x01\x02"[..]), Some(b""), None], "o.x" => [Some(1), Some(2), None],
    )
    .unwrap();
    for (name, unit) in [("date", TimeUnit::Milliseconds), ("date_nanos", TimeUnit::Nanoseconds)] {
        let times = expected.column(name).unwrap().cast(&DataType::Datetime(unit, utc.clone())).unwrap();
        expected.with_column(times).unwrap();
    }
    for retrieval in [FieldSource::Source, FieldSource::DocValues, FieldSource::Auto] {
        let found = read(&node, &index, &mapping, &options(version, retrieval)).await;
        assert!(found.equals_missing(&expected), "{retrieval:?} {found:?}\n{expected:?}");
    }
}

/// Dynamic mapping makes a `float` of any number with a fraction, and the document keeps its digits.
#[tokio::test]
async fn numbers_of_dynamic_fields_keep_their_digits() {
    let Some((node, version, scope)) = live("numbers_of_dynamic_fields_keep_their_digits").await else { return };
    let index = format!("{}dynamic", scope.prefix());
    let settings = json!({"settings": {"number_of_shards": 1, "number_of_replicas": 0}});
    node.json(Method::PUT, &format!("/{index}"), settings.to_string()).await;
    for (row, value) in [0.333_333_333_333_333_3, 0.1, 16_777_217.5].into_iter().enumerate() {
        let document = json!({"row": row, "value": value, "o": {"value": value}}).to_string();
        node.json(Method::PUT, &format!("/{index}/_doc/{row}?refresh=true"), document).await;
    }
    let described = node.get(&format!("/{index}")).await;
    let mapping: Mapping = serde_json::from_value(described[&index]["mappings"].clone()).unwrap();
    assert_eq!(mapping.properties["value"], json!({"type": "float"}));

    let found = read(&node, &index, &mapping, &options(version, FieldSource::Auto)).await;
    for name in ["value", "o.value"] {
        let numbers = found.column(name).unwrap().f64().unwrap().to_vec();
        assert_eq!(numbers, [0.333_333_333_333_333_3, 0.1, 16_777_217.5].map(Some), "{name}");
    }
    // Doc values have what searches see.
    let found = read(&node, &index, &mapping, &options(version, FieldSource::DocValues)).await;
    let numbers = found.column("value").unwrap().f32().unwrap().to_vec();
    assert_eq!(numbers, [0.333_333_34_f32, 0.1, 16_777_218.0].map(Some));
}

/// A `Float32` column is one again, from doc values, with every bit.
#[tokio::test]
async fn single_precision_columns_come_back() {
    let Some((node, version, scope)) = live("single_precision_columns_come_back").await else { return };
    let index = format!("{}single", scope.prefix());
    let values = [0.1_f32, f32::MIN_POSITIVE, f32::MAX, -0.0, 16_777_216.0, 1.0 / 3.0];
    let mut frame = df!("row" => [0_i64, 1, 2, 3, 4, 5], "value" => values).unwrap();
    frame.rechunk_mut();
    create(&node, &index, infer_mapping(frame.schema()).unwrap()).await;
    let options_of_writer = WriterOptions { id: vec!["row".into()], ..WriterOptions::default() };
    send(&node, &index, &frame, &options_of_writer).await;
    let described = node.get(&format!("/{index}")).await;
    let mapping: Mapping = serde_json::from_value(described[&index]["mappings"].clone()).unwrap();
    for retrieval in [FieldSource::Auto, FieldSource::DocValues, FieldSource::Source] {
        let options = options(version, retrieval);
        let found = read(&node, &index, &mapping, &options).await;
        let bits: Vec<u32> = found.column("value").unwrap().f32().unwrap().iter().flatten().map(f32::to_bits).collect();
        assert_eq!(bits, values.map(f32::to_bits), "{retrieval}");
        let decoder = HitDecoder::with_options(&mapping, &options).unwrap();
        // Inferred integers do not coerce, so that doc values lack no fraction.
        assert_eq!(*decoder.retrieval() == Retrieval::DocValues, retrieval != FieldSource::Source);
    }
}

/// A limit on keywords, and leniency with malformed values, can be settings of an index, which its
/// mapping does not show.
#[tokio::test]
async fn values_that_a_setting_keeps_out_are_an_error() {
    let Some((node, version, scope)) = live("values_that_a_setting_keeps_out_are_an_error").await else { return };
    let index = format!("{}lenient", scope.prefix());
    let mapping = Mapping::new(
        json!({"row": {"type": "long"}, "n": {"type": "integer", "coerce": false}, "a": {"type": "alias", "path": "n"}})
            .as_object()
            .unwrap()
            .clone(),
    );
    let settings = json!({"number_of_replicas": 0, "index.mapping.ignore_malformed": true});
    let body = json!({"settings": settings, "mappings": mapping});
    node.json(Method::PUT, &format!("/{index}"), body.to_string()).await;
    let document = json!({"row": 0, "n": "many"}).to_string();
    node.json(Method::PUT, &format!("/{index}/_doc/one?refresh=true"), document).await;
    for name in ["n", "a"] {
        let columns = ColumnRequest::Named(vec![name.to_owned()]);
        let decoder =
            HitDecoder::with_options(&mapping, &DecodeOptions { columns, ..options(version, FieldSource::Auto) })
                .unwrap();
        let mut body = json!({});
        decoder.ask(&mut body);
        let answer = node.json(Method::POST, &format!("/{index}/_search"), body.to_string()).await;
        let error = decoder.decode(answer.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("field {name} of document one holds a value that doc values leave out"));
    }
}

/// The number of the last instant is what the server keeps for documents without a value, where
/// it sorts them, and doc values tell it as null.
#[tokio::test]
async fn the_last_instant_is_told_from_no_value() {
    let Some((node, version, scope)) = live("the_last_instant_is_told_from_no_value").await else { return };
    let index = format!("{}instants", scope.prefix());
    let properties = json!({"row": {"type": "long"}, "date": {"type": "date"}, "date_nanos": {"type": "date_nanos"}});
    let mapping = Mapping::new(properties.as_object().unwrap().clone());
    create(&node, &index, mapping.clone()).await;
    let last = "2262-04-11T23:47:16.854775807Z";
    let documents = [
        json!({"row": 0, "date": i64::MAX, "date_nanos": last}),
        json!({"row": 1, "date": null, "date_nanos": null}),
        json!({"row": 2, "date": [0, i64::MAX], "date_nanos": [0, last, last]}),
        json!({"row": 3}),
    ];
    let lines: String = documents.iter().map(|document| format!("{{\"index\":{{}}}}\n{document}\n")).collect();
    let answer = node.json(Method::POST, &format!("/{index}/_bulk?refresh=true"), lines).await;
    assert_eq!(answer["errors"], false, "{answer}");

    for retrieval in [FieldSource::Source, FieldSource::DocValues] {
        for (values, several) in [(Values::First, 0), (Values::Last, i64::MAX)] {
            let policy = CellPolicy { values: Some(values), ..CellPolicy::default() };
            let options = DecodeOptions { policy, ..options(version, retrieval) };
            let found = read(&node, &index, &mapping, &options).await;
            for name in ["date", "date_nanos"] {
                let instants = found.column(name).unwrap().to_physical_repr();
                let expected = [Some(i64::MAX), None, Some(several), None];
                assert_eq!(instants.i64().unwrap().to_vec(), expected, "{retrieval:?} {values:?} {name}");
            }
        }
    }
}

/// The formats that dates can be declared in, as the server writes and reads them itself.
#[tokio::test]
async fn dates_are_read_as_the_server_reads_them() {
    const FORMATS: [&str; 71] = [
        "strict_date_optional_time",
        "strict_date_optional_time_nanos",
        "date_optional_time",
        "iso8601",
        "epoch_millis",
        "epoch_second",
        "basic_date",
        "basic_date_time",
        "basic_date_time_no_millis",
        "basic_ordinal_date",
        "basic_ordinal_date_time",
        "basic_ordinal_date_time_no_millis",
        "basic_time",
        "basic_time_no_millis",
        "basic_t_time",
        "basic_t_time_no_millis",
        "basic_week_date",
        "strict_basic_week_date",
        "basic_week_date_time",
        "strict_basic_week_date_time",
        "basic_week_date_time_no_millis",
        "date",
        "strict_date",
        "date_hour",
        "strict_date_hour",
        "date_hour_minute",
        "strict_date_hour_minute",
        "date_hour_minute_second",
        "strict_date_hour_minute_second",
        "date_hour_minute_second_fraction",
        "strict_date_hour_minute_second_millis",
        "date_time",
        "strict_date_time",
        "date_time_no_millis",
        "strict_date_time_no_millis",
        "hour",
        "strict_hour",
        "hour_minute",
        "strict_hour_minute",
        "hour_minute_second",
        "strict_hour_minute_second",
        "hour_minute_second_fraction",
        "strict_hour_minute_second_millis",
        "ordinal_date",
        "strict_ordinal_date",
        "ordinal_date_time",
        "strict_ordinal_date_time",
        "ordinal_date_time_no_millis",
        "time",
        "strict_time",
        "time_no_millis",
        "strict_time_no_millis",
        "t_time",
        "strict_t_time",
        "t_time_no_millis",
        "strict_t_time_no_millis",
        "week_date",
        "strict_week_date",
        "week_date_time",
        "strict_week_date_time",
        "week_date_time_no_millis",
        "year",
        "strict_year",
        "year_month",
        "strict_year_month",
        "yyyy-MM-dd HH:mm:ss",
        "dd/MMM/yyyy:HH:mm:ss Z",
        "EEEE, d MMMM uuuu",
        "yyyyMMddHHmmssSSS",
        "MM/dd/yyyy hh:mm:ss a",
        "yyyy-MM-dd'T'HH:mm:ss.SSSXXX||epoch_second",
    ];
    let Some((node, version, scope)) = live("dates_are_read_as_the_server_reads_them").await else { return };
    let [instants, texts] = ["instants", "texts"].map(|name| format!("{}{name}", scope.prefix()));
    let mapping = json!({"row": {"type": "long"}, "t": {"type": "date"}});
    create(&node, &instants, Mapping::new(mapping.as_object().unwrap().clone())).await;
    let values = [
        0_i64,
        1,
        999,
        1_359_864_306_789,
        951_782_400_000,
        1_451_779_199_999,
        1_230_768_000_000,
        1_735_603_200_000,
        253_402_300_799_999,
        315_532_799_999,
        1_000_000_000_123,
    ];
    let lines = values.iter().enumerate();
    let lines: String = lines.map(|(row, t)| format!("{{\"index\":{{}}}}\n{{\"row\":{row},\"t\":{t}}}\n")).collect();
    node.json(Method::POST, &format!("/{instants}/_bulk?refresh=true"), lines).await;

    // A field for each format, with the texts that the server writes in it.
    let name = |place: usize| format!("f{place}");
    let mut documents = vec![serde_json::Map::new(); values.len()];
    let mut properties = serde_json::Map::from_iter([("row".to_owned(), json!({"type": "long"}))]);
    for (place, format) in FORMATS.iter().enumerate() {
        properties.insert(name(place), json!({"type": "date", "format": format}));
        let body = json!({"size": 100, "sort": ["row"], "_source": false, "docvalue_fields": [{"field": "t", "format": format}]});
        let answer = node.json(Method::POST, &format!("/{instants}/_search"), body.to_string()).await;
        for (document, hit) in documents.iter_mut().zip(answer["hits"]["hits"].as_array().unwrap()) {
            document.insert(name(place), hit["fields"]["t"][0].clone());
        }
    }
    let mapping = Mapping::new(properties);
    let body = json!({"settings": {"number_of_replicas": 0}, "mappings": mapping});
    node.json(Method::PUT, &format!("/{texts}"), body.to_string()).await;
    let mut lines = String::new();
    for (row, document) in documents.iter_mut().enumerate() {
        document.insert("row".to_owned(), json!(row));
        lines.push_str(&format!("{{\"index\":{{}}}}\n{}\n", Value::from(document.clone())));
    }
    let answer = node.json(Method::POST, &format!("/{texts}/_bulk?refresh=true"), lines).await;
    assert_eq!(answer["errors"], false, "{answer}");
    let of_source = read(&node, &texts, &mapping, &options(version, FieldSource::Source)).await;
    let of_doc_values = read(&node, &texts, &mapping, &options(version, FieldSource::DocValues)).await;
    for (place, format) in FORMATS.iter().enumerate() {
        let (source, doc_values) =
            (of_source.column(&name(place)).unwrap(), of_doc_values.column(&name(place)).unwrap());
        assert!(source.equals_missing(doc_values), "{format} {source:?} {doc_values:?}");
        assert_eq!(source.null_count(), 0);
    }
}

#[tokio::test]
async fn values_that_doc_values_leave_out_are_an_error() {
    let Some((node, version, scope)) = live("values_that_doc_values_leave_out_are_an_error").await else { return };
    let index = format!("{}long", scope.prefix());
    let properties = json!({
        "row": {"type": "long"}, "k": {"type": "keyword", "ignore_above": 3}, "v": {"type": "dense_vector", "dims": 2},
        "a": {"type": "alias", "path": "k"}, "g": {"type": "geo_point"}, "l": {"type": "flattened"}
    });
    let mut mapping = Mapping::new(properties.as_object().unwrap().clone());
    create(&node, &index, mapping.clone()).await;
    let vector =
        base64::engine::general_purpose::STANDARD.encode([0.6_f32.to_be_bytes(), 0.8_f32.to_be_bytes()].concat());
    let vector = if VectorForm::best_for(version) == VectorForm::Base64 { json!(vector) } else { json!([0.6, 0.8]) };
    let document = json!({"row": 0, "k": "longer", "v": vector, "g": "41.12,-71.34", "l": {"k": "v"}});
    node.json(Method::PUT, &format!("/{index}/_doc/one?refresh=true"), document.to_string()).await;

    let all = options(version, FieldSource::Auto);
    let found = read(&node, &index, &mapping, &all).await;
    assert_eq!(found.column("k").unwrap().str().unwrap().get(0), Some("longer"));
    let vector = found.column("v").unwrap().array().unwrap().get_as_series(0).unwrap();
    assert_eq!(vector, Series::new("".into(), [0.6_f32, 0.8]));
    // Without a version the vector comes all the same.
    let unknown = DecodeOptions { version: None, ..all.clone() };
    let again = read(&node, &index, &mapping, &unknown).await;
    assert!(again.equals_missing(&found), "{again} {found}");

    let named = |names: &[&str]| ColumnRequest::Named(names.iter().map(|name| (*name).to_owned()).collect());
    let by_doc_values = DecodeOptions { columns: named(&["k"]), ..options(version, FieldSource::DocValues) };
    let decoder = HitDecoder::with_options(&mapping, &by_doc_values).unwrap();
    let mut body = json!({});
    decoder.ask(&mut body);
    let answer = node.json(Method::POST, &format!("/{index}/_search"), body.to_string()).await;
    let error = decoder.decode(answer.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "field k of document one holds a value that doc values leave out");

    mapping.parameters.insert("runtime".into(), json!({}));
    let mut computed = DecodeOptions { columns: named(&["r", "l.k", "a", "_id"]), ..all };
    computed.runtime.insert("r".into(), json!({"type": "date", "script": "emit(1359864306789L)"}));
    let found = read(&node, &index, &mapping, &computed).await;
    assert_eq!(found.column("r").unwrap().datetime().unwrap().physical().get(0), Some(1_359_864_306_789));
    for (name, expected) in [("l.k", "v"), ("a", "longer"), ("_id", "one")] {
        assert_eq!(found.column(name).unwrap().str().unwrap().get(0), Some(expected));
    }
}
