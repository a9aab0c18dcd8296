//! What was indexed comes back: through `_source` and through doc values.

use base64::Engine as _;
use es_core::{Mapping, Version};
use es_frame::{
    CellPolicy, ColumnRequest, DecodeOptions, FieldNames, FieldSource, HitDecoder, MappingOptions, Values, VectorForm,
    WriterOptions, infer_mapping_of,
};
use es_testing::Node;
use polars::prelude::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
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
    let page = decoder.decode(&bytes);
    page.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes))).frame
}

fn options(version: Version, retrieval: FieldSource) -> DecodeOptions {
    DecodeOptions { version: Some(version), retrieval, ..DecodeOptions::default() }
}

/// The types that a mapping is inferred of, and what they are read as again. Lists of lists are
/// lists to Elasticsearch, so there are none here.
fn types() -> impl Strategy<Value = DataType> {
    let scalars = prop::sample::select(vec![
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::Float32,
        DataType::Float64,
        DataType::String,
        DataType::Binary,
        DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)),
        DataType::Datetime(TimeUnit::Nanoseconds, Some(TimeZone::UTC)),
    ]);
    let listed = prop_oneof![
        3 => scalars.clone(),
        1 => scalars.prop_map(|inner| DataType::List(Box::new(inner))),
    ];
    let object = prop::collection::vec(listed.clone(), 1..4).prop_map(|fields| {
        let field = |(place, dtype)| Field::new(format!("f{place}").into(), dtype);
        DataType::Struct(fields.into_iter().enumerate().map(field).collect())
    });
    prop_oneof![
        4 => listed,
        1 => object.clone(),
        1 => object.prop_map(|object| DataType::List(Box::new(object))),
        1 => (1..6_usize).prop_map(|width| DataType::Array(Box::new(DataType::Float32), width)),
    ]
}

/// Values of a type, of which about every fifth is null.
fn values(dtype: &DataType) -> BoxedStrategy<AnyValue<'static>> {
    let some = match dtype.clone() {
        DataType::Boolean => any::<bool>().prop_map(AnyValue::Boolean).boxed(),
        DataType::Int8 => any::<i8>().prop_map(AnyValue::Int8).boxed(),
        DataType::Int16 => any::<i16>().prop_map(AnyValue::Int16).boxed(),
        DataType::Int32 => any::<i32>().prop_map(AnyValue::Int32).boxed(),
        DataType::Int64 => prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)].prop_map(AnyValue::Int64).boxed(),
        DataType::Float32 => any::<f32>().prop_filter("finite", |x| x.is_finite()).prop_map(AnyValue::Float32).boxed(),
        DataType::Float64 => any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(AnyValue::Float64).boxed(),
        DataType::String => {
            "(\\PC|[\\x00-\\x7f]){0,30}".prop_map(|text| AnyValue::StringOwned(text.as_str().into())).boxed()
        }
        DataType::Binary => prop::collection::vec(any::<u8>(), 0..40).prop_map(AnyValue::BinaryOwned).boxed(),
        DataType::Datetime(TimeUnit::Milliseconds, _) => (-62_167_219_200_000..253_402_300_800_000_i64)
            .prop_map(|n| AnyValue::Datetime(n, TimeUnit::Milliseconds, None))
            .boxed(),
        // What `date_nanos` holds: from 1970 to 2262.
        DataType::Datetime(unit, _) => (0..i64::MAX).prop_map(move |n| AnyValue::Datetime(n, unit, None)).boxed(),
        DataType::List(inner) => {
            let (inner, dtype) = (values(&inner), *inner);
            prop::collection::vec(inner, 0..4)
                .prop_map(move |values| AnyValue::List(series("", &dtype, &values)))
                .boxed()
        }
        DataType::Array(inner, width) => {
            // Vectors of length zero are refused where they are compared by their cosine.
            let numbers = prop::collection::vec(-1e6_f32..1e6, width..=width);
            numbers
                .prop_map(move |numbers| {
                    let values: Vec<_> = numbers.into_iter().map(AnyValue::Float32).collect();
                    AnyValue::Array(series("", &inner, &values), width)
                })
                .boxed()
        }
        DataType::Struct(fields) => {
            let members: Vec<_> = fields.iter().map(|field| values(field.dtype())).collect();
            members.prop_map(move |values| AnyValue::StructOwned(Box::new((values, fields.clone())))).boxed()
        }
        other => unreachable!("{other} is not among the types"),
    };
    prop_oneof![4 => some, 1 => Just(AnyValue::Null)].boxed()
}

fn series(name: &str, dtype: &DataType, values: &[AnyValue<'static>]) -> Series {
    Series::from_any_values_and_dtype(name.into(), values, dtype, true).unwrap()
}

/// The policies that make columns of the types be read as they are.
fn list_policies(path: &str, dtype: &DataType, options: &mut DecodeOptions) {
    let list = CellPolicy { values: Values::List, ..CellPolicy::default() };
    match dtype {
        DataType::List(inner) => {
            options.policies.insert(path.to_owned(), list);
            list_policies_of_members(path, inner, options);
        }
        other => list_policies_of_members(path, other, options),
    }
}

fn list_policies_of_members(path: &str, dtype: &DataType, options: &mut DecodeOptions) {
    if let DataType::Struct(fields) = dtype {
        for field in fields {
            list_policies(&format!("{path}.{}", field.name()), field.dtype(), options);
        }
    }
}

#[tokio::test]
async fn any_frame_comes_back_as_it_was() {
    let Some((node, version, scope)) = live("any_frame_comes_back_as_it_was").await else { return };
    let mut runner = TestRunner::new(ProptestConfig { cases: 12, ..ProptestConfig::default() });
    for round in 0..12 {
        let frames = prop::collection::vec(types(), 1..7).prop_flat_map(|types| {
            let columns: Vec<_> = types.iter().map(|dtype| prop::collection::vec(values(dtype), 20)).collect();
            (Just(types), columns)
        });
        let (types, columns) = frames.new_tree(&mut runner).unwrap().current();
        let mut all = vec![Column::new("row".into(), (0..20_i64).collect::<Vec<_>>())];
        for (place, (dtype, values)) in types.iter().zip(&columns).enumerate() {
            all.push(series(&format!("c{place}"), dtype, values).into());
        }
        let mut frame = DataFrame::new_infer_height(all).unwrap();
        frame.rechunk_mut();
        // Structs of a column are objects, lists of them nested fields.
        let nested = types
            .iter()
            .enumerate()
            .filter(|(_, dtype)| matches!(dtype, DataType::List(inner) if matches!(**inner, DataType::Struct(_))));
        let nested = nested.map(|(place, _)| format!("c{place}")).collect();
        let names = if round % 2 == 0 { FieldNames::Flat } else { FieldNames::Objects };
        let infer = MappingOptions { names, nested, ..MappingOptions::default() };
        let mut mapping = infer_mapping_of(&frame, &infer).unwrap();
        for (place, dtype) in types.iter().enumerate() {
            if matches!(dtype, DataType::Array(..)) {
                // By default vectors are kept normalised, and their source is computed from that.
                mapping.properties[&format!("c{place}")]["similarity"] = json!("l2_norm");
            }
        }
        let index = format!("{}{round}", scope.prefix());
        create(&node, &index, mapping.clone()).await;
        let vectors = VectorForm::best_for(version);
        let writer = WriterOptions { id: vec!["row".into()], names, vectors, ..WriterOptions::default() };
        assert!(send(&node, &index, &frame, &writer).await.iter().all(|status| *status == 201));

        let mut options = options(version, FieldSource::Auto);
        let columns = frame.get_column_names().iter().map(|name| name.to_string()).collect();
        options.columns = ColumnRequest::Named(columns);
        for column in frame.columns() {
            list_policies(column.name(), column.dtype(), &mut options);
        }
        let found = read(&node, &index, &mapping, &options).await;
        assert_eq!(found.schema(), frame.schema());
        assert!(found.equals_missing(&frame), "{found:?}\n{frame:?}");
    }
}

/// The documents of every type that the node has, with the values as they are to be read.
#[tokio::test]
async fn every_type_is_read_in_either_way() {
    let Some((node, version, scope)) = live("every_type_is_read_in_either_way").await else { return };
    let index = format!("{}types", scope.prefix());
    let properties = json!({
        "row": {"type": "long"}, "boolean": {"type": "boolean"}, "byte": {"type": "byte"}, "short": {"type": "short"},
        "integer": {"type": "integer"}, "long": {"type": "long"}, "float": {"type": "float"}, "double": {"type": "double"},
        "keyword": {"type": "keyword"}, "ip": {"type": "ip"}, "date": {"type": "date", "format": "dd/MM/yyyy||epoch_second"},
        "date_nanos": {"type": "date_nanos"}, "binary": {"type": "binary", "doc_values": true},
        "o": {"properties": {"x": {"type": "integer"}}}
    });
    let mapping = Mapping::new(properties.as_object().unwrap().clone());
    create(&node, &index, mapping.clone()).await;
    let documents = [
        json!({"row": 0, "boolean": "true", "byte": "-128", "short": 7.9, "integer": i32::MIN, "long": i64::MIN,
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
async fn values_that_doc_values_leave_out_are_told() {
    let Some((node, version, scope)) = live("values_that_doc_values_leave_out_are_told").await else { return };
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
