//! The mappings of schemas and of samples.

use polars::prelude::{
    Column, DataFrame, DataType, Field, IntoColumn as _, NamedFrom as _, PlSmallStr, Schema, Series, TimeUnit, df,
};
use serde_json::{Value, json};

use super::*;

fn list(inner: DataType) -> DataType {
    DataType::List(Box::new(inner))
}

fn array(inner: DataType, width: usize) -> DataType {
    DataType::Array(Box::new(inner), width)
}

fn object(fields: &[(&str, DataType)]) -> DataType {
    DataType::Struct(fields.iter().map(|(name, dtype)| Field::new((*name).into(), dtype.clone())).collect())
}

fn schema(fields: &[(&str, DataType)]) -> Schema {
    Schema::from_iter(fields.iter().map(|(name, dtype)| (PlSmallStr::from(*name), dtype.clone())))
}

fn inferred(dtype: DataType, options: &MappingOptions) -> Value {
    infer_mapping_with(&schema(&[("c", dtype)]), options).unwrap().properties["c"].clone()
}

fn of_sample(column: Column, options: &MappingOptions) -> Result<Value, Error> {
    let frame = DataFrame::new_infer_height(vec![column]).unwrap();
    Ok(infer_mapping_of(&frame, options)?.properties["c"].clone())
}

#[test]
fn each_type_has_its_counterpart() {
    let keyword = json!({"type": "keyword", "ignore_above": 8191});
    let single = json!({"type": "float", "meta": {"value_type": "float32"}});
    let vector = array(DataType::Float32, 3);
    let nested = object(&[("x", DataType::UInt64), ("n", DataType::Null), ("v", vector.clone())]);
    let table = [
        (DataType::Int16, json!({"type": "short", "coerce": false})),
        (DataType::UInt32, json!({"type": "long", "coerce": false})),
        (DataType::UInt64, json!({"type": "unsigned_long"})),
        (DataType::Float32, single.clone()),
        (DataType::Decimal(38, 4), json!({"type": "double"})),
        (DataType::Int128, json!({"type": "double"})),
        (DataType::String, keyword.clone()),
        (DataType::Time, json!({"type": "keyword"})),
        (DataType::Datetime(TimeUnit::Milliseconds, None), json!({"type": "date"})),
        (DataType::Datetime(TimeUnit::Nanoseconds, None), json!({"type": "date_nanos"})),
        (list(DataType::Int8), json!({"type": "byte", "coerce": false})),
        (list(DataType::Null), keyword.clone()),
        (list(list(DataType::Null)), keyword.clone()),
        (list(list(DataType::String)), keyword),
        (vector.clone(), json!({"type": "dense_vector", "dims": 3})),
        (array(DataType::Float32, 4097), single.clone()),
        (array(DataType::Float64, 3), json!({"type": "double"})),
        // A document has one vector of a field.
        (list(vector.clone()), single.clone()),
        (array(vector.clone(), 2), single.clone()),
        (
            nested.clone(),
            json!({"properties": {"x": {"type": "unsigned_long"}, "v": {"type": "dense_vector", "dims": 3}}}),
        ),
        (list(nested), json!({"properties": {"x": {"type": "unsigned_long"}, "v": single}})),
    ];
    for (dtype, expected) in table {
        assert_eq!(inferred(dtype.clone(), &MappingOptions::default()), expected, "{dtype}");
    }
    let empty = schema(&[("c", DataType::Null)]);
    assert!(infer_mapping(&empty).unwrap().properties.is_empty());
    let error = infer_mapping(&schema(&[("c", DataType::BinaryOffset)])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedType);
}

#[test]
fn what_is_nested_and_what_is_a_vector_can_be_said() {
    let options = MappingOptions {
        nested: vec!["c".into(), "c.legs".into()],
        vectors: vec!["c.v".into()],
        ..MappingOptions::default()
    };
    let legs = list(object(&[("n", DataType::Int32)]));
    let inside = array(DataType::Float64, 2);
    assert_eq!(
        inferred(list(object(&[("legs", legs), ("v", inside)])), &options),
        json!({"type": "nested", "properties": {
            "legs": {"type": "nested", "properties": {"n": {"type": "integer", "coerce": false}}},
            "v": {"type": "dense_vector", "dims": 2},
        }})
    );
    let refused = |dtype, options: MappingOptions| {
        let error = infer_mapping_with(&schema(&[("c", dtype)]), &options).unwrap_err();
        (error.kind(), error.to_string())
    };
    let vector = MappingOptions { vectors: vec!["c".into()], ..MappingOptions::default() };
    let nested = MappingOptions { nested: vec!["c".into()], ..MappingOptions::default() };
    let unknown = MappingOptions { nested: vec!["c.d".into()], ..MappingOptions::default() };
    assert_eq!(
        refused(DataType::Int8, vector.clone()),
        (ErrorKind::UnsupportedType, "column c of the type i8 cannot be a vector".into())
    );
    assert!(refused(list(DataType::Int8), vector.clone()).1.contains("no value shows its length"));
    assert!(refused(array(DataType::Int8, 4097), vector).1.contains("of 4097 dimensions"));
    assert!(refused(DataType::String, nested).1.contains("cannot be nested"));
    assert_eq!(refused(object(&[("e", DataType::Int8)]), unknown).0, ErrorKind::UnknownColumn);
}

#[test]
fn dotted_names_are_objects_on_request() {
    let columns = schema(&[("a.b", DataType::Int8), ("c", DataType::Boolean), ("a.d.e", DataType::Int16)]);
    let options = MappingOptions { dotted_names: DottedNames::Objects, ..MappingOptions::default() };
    assert_eq!(
        Value::Object(infer_mapping_with(&columns, &options).unwrap().properties),
        json!({
            "a": {"properties": {"b": {"type": "byte", "coerce": false}, "d": {"properties": {"e": {"type": "short", "coerce": false}}}}},
            "c": {"type": "boolean"},
        })
    );
    assert!(infer_mapping(&columns).unwrap().properties.contains_key("a.d.e"));
    let clash = schema(&[("a.b", DataType::Int8), ("a", DataType::Boolean)]);
    let error = infer_mapping_with(&clash, &options).unwrap_err().to_string();
    assert_eq!(error, "column a cannot be both a value and the object that column a.b is a member of");
}

#[test]
fn values_tell_what_types_do_not() {
    let options = MappingOptions { vectors: vec![], longest_keyword: 3, ..MappingOptions::default() };
    let text = json!({"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 8191}}});
    let texts = |values: [&str; 2]| Series::new("c".into(), values);
    // Four bytes and two characters.
    assert_eq!(of_sample(texts(["éé", "abc"]).into_column(), &options).unwrap()["type"], "keyword");
    assert_eq!(of_sample(texts(["", "abcd"]).into_column(), &options).unwrap(), text);
    let lists = Series::new("c".into(), [texts(["a", "abcd"])]).into_column();
    assert_eq!(of_sample(lists, &options).unwrap(), text);
    let structs = df!("s" => ["abcd"]).unwrap().into_struct("c".into()).into_column();
    assert_eq!(of_sample(structs, &options).unwrap()["properties"]["s"], text);

    let instants = |values: [i64; 2]| {
        let dtype = DataType::Datetime(TimeUnit::Nanoseconds, None);
        of_sample(Series::new("c".into(), values).cast(&dtype).unwrap().into_column(), &options).unwrap()
    };
    assert_eq!(instants([0, 1]), json!({"type": "date_nanos"}));
    assert_eq!(instants([0, -1]), json!({"type": "date"}));
}

#[test]
fn lists_of_one_length_can_be_vectors() {
    let options = MappingOptions { vectors: vec!["c".into()], ..MappingOptions::default() };
    let numbers = |lengths: &[Option<usize>]| {
        let lists: Vec<_> =
            lengths.iter().map(|length| length.map(|length| Series::new("".into(), vec![1.5_f64; length]))).collect();
        of_sample(Series::new("c".into(), lists).into_column(), &options)
    };
    assert_eq!(numbers(&[Some(3), None, Some(3)]).unwrap(), json!({"type": "dense_vector", "dims": 3}));
    let error = numbers(&[Some(3), Some(2)]).unwrap_err().to_string();
    assert_eq!(error, "column c cannot be a vector, as it has lists of 3 and of 2 numbers");
}

#[test]
fn text_of_dates_is_a_date_where_that_is_asked_for() {
    let options = MappingOptions { dates_in_text: true, ..MappingOptions::default() };
    let of = |values: &[Option<&str>], options: &MappingOptions| {
        of_sample(Series::new("c".into(), values).into_column(), options).unwrap()["type"].clone()
    };
    let dates = [Some("2013-01-31"), None, Some("2013-01-31T06:00:00Z")];
    assert_eq!((of(&dates, &options), of(&dates, &MappingOptions::default())), (json!("date"), json!("keyword")));
    assert_eq!(of(&[Some("2013-01-31"), Some("soon")], &options), "keyword");
    assert_eq!(of(&[None], &options), "keyword", "nothing says that it is one");
}
