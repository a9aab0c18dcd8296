//! Types of Arrow and Parquet that have no counterpart in Polars: read as what they are stored as, or
//! refused by name, so that no value changes and nothing panics.

use std::collections::HashMap;
use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeBinaryBuilder, FixedSizeListBuilder, Float32Builder, Int32Builder, LargeListViewBuilder,
};
use arrow_array::types::{ArrowDictionaryKeyType, Float16Type, Int32Type, Int64Type};
use arrow_array::{
    ArrayRef, Date32Array, Decimal32Array, Decimal256Array, DictionaryArray, DurationSecondArray, Int8Array,
    Int64Array, IntervalYearMonthArray, PrimitiveArray, RecordBatch, RunArray, StringArray, StructArray,
    Time64MicrosecondArray, TimestampSecondArray, UnionArray,
};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{DataType, Field, Schema};
use es_bulk::files::{FileFormat, FileReader, ReadOptions, Source};
use es_bulk::{Error, ErrorKind};
use es_frame::DocumentWriter;
use parquet::arrow::ArrowWriter;
use parquet::data_type::{FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// A column of a name that is of an extension type, or of none.
type Column = (&'static str, Option<&'static str>, ArrayRef);

fn schema(columns: &[Column]) -> Arc<Schema> {
    let field = |(name, extension, array): &Column| {
        let metadata = extension.map(|of| ("ARROW:extension:name".to_owned(), of.to_owned()));
        Field::new(*name, array.data_type().clone(), true).with_metadata(HashMap::from_iter(metadata))
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn batch(columns: &[Column]) -> RecordBatch {
    let arrays = columns.iter().map(|(_, _, array)| array.clone()).collect();
    RecordBatch::try_new(schema(columns), arrays).unwrap()
}

fn write(folder: &Path, name: &str, batch: &RecordBatch) -> PathBuf {
    let path = folder.join(name);
    let file = File::create(&path).unwrap();
    match FileFormat::of_path(&path).unwrap() {
        FileFormat::Parquet => {
            let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(batch).unwrap();
            writer.close().unwrap();
        }
        FileFormat::Ipc => {
            let mut writer = FileWriter::try_new(file, &batch.schema()).unwrap();
            writer.write(batch).unwrap();
            writer.finish().unwrap();
        }
        _ => {
            let mut writer = StreamWriter::try_new(file, &batch.schema()).unwrap();
            writer.write(batch).unwrap();
            writer.finish().unwrap();
        }
    }
    path
}

/// The documents of a file.
fn documents(path: &Path, options: &ReadOptions) -> Result<Vec<String>, Error> {
    let mut reader = FileReader::open(path, options)?;
    let schema = reader.schema().clone();
    let mut documents = Vec::new();
    while let Some(piece) = reader.next_piece()? {
        assert_eq!(piece.frame.schema(), &schema);
        let none: [&str; 0] = [];
        let writer = DocumentWriter::new(&piece.frame, &none)?;
        for row in 0..writer.rows() {
            let mut text = Vec::new();
            writer.write_document(row, &mut text)?;
            documents.push(String::from_utf8(text).unwrap());
        }
    }
    Ok(documents)
}

fn uuids() -> ArrayRef {
    let mut uuids = FixedSizeBinaryBuilder::new(16);
    uuids.append_value(*b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10").unwrap();
    uuids.append_null();
    Arc::new(uuids.finish())
}

fn halves() -> ArrayRef {
    let float = |text: &str| text.parse::<<Float16Type as arrow_array::ArrowPrimitiveType>::Native>().unwrap();
    Arc::new(PrimitiveArray::<Float16Type>::from(vec![Some(float("1.5")), Some(float("65504"))]))
}

fn tensors() -> ArrayRef {
    let mut tensors = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    for value in [1.0, 2.0, 3.0, 4.5] {
        tensors.values().append_value(value);
    }
    tensors.append(true);
    tensors.append(true);
    Arc::new(tensors.finish())
}

fn views() -> ArrayRef {
    let mut views = LargeListViewBuilder::new(Int32Builder::new());
    views.values().append_value(1);
    views.values().append_value(2);
    views.append(true);
    views.append(false);
    Arc::new(views.finish())
}

fn dictionary<K: ArrowDictionaryKeyType>(keys: PrimitiveArray<K>) -> ArrayRef {
    Arc::new(DictionaryArray::new(keys, Arc::new(Date32Array::from(vec![Some(0), Some(1)]))))
}

fn with_members() -> ArrayRef {
    let members: [(&str, ArrayRef); 2] = [("h", halves()), ("n", Arc::new(Int64Array::from(vec![1, 2])))];
    Arc::new(StructArray::try_from(members.to_vec()).unwrap())
}

fn runs() -> ArrayRef {
    let ends = PrimitiveArray::<Int32Type>::from(vec![1, 2]);
    Arc::new(RunArray::try_new(&ends, &StringArray::from(vec![Some("x"), None])).unwrap())
}

fn union() -> ArrayRef {
    let fields = [(0, Arc::new(Field::new("a", DataType::Int64, true)))].into_iter().collect();
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    Arc::new(UnionArray::try_new(fields, vec![0, 0].into(), None, vec![values]).unwrap())
}

#[test]
fn types_that_polars_lacks_are_read_as_what_they_are_stored_as() {
    let decimals = Decimal256Array::from_iter([Some(arrow_buffer::i256::from_i128(125)), None]);
    let columns: Vec<Column> = vec![
        ("half", None, halves()),
        ("wide", None, Arc::new(decimals.with_precision_and_scale(50, 2).unwrap())),
        ("small", None, Arc::new(Decimal32Array::from(vec![15, -5]).with_precision_and_scale(5, 1).unwrap())),
        ("uuid", Some("arrow.uuid"), uuids()),
        ("json", Some("arrow.json"), Arc::new(StringArray::from(vec![r#"{"a":1}"#, "[]"]))),
        ("tensor", Some("arrow.fixed_shape_tensor"), tensors()),
        ("flag", Some("arrow.bool8"), Arc::new(Int8Array::from(vec![1, 0]))),
        ("other", Some("geo.wkt"), Arc::new(StringArray::from(vec!["POINT (1 2)", "POINT (3 4)"]))),
        ("seconds", None, Arc::new(TimestampSecondArray::from(vec![253_402_300_799, -1]).with_timezone("+02:00"))),
        ("lasts", None, Arc::new(DurationSecondArray::from(vec![2, 3]))),
        ("object", None, with_members()),
        ("dates", None, dictionary(PrimitiveArray::<Int32Type>::from(vec![1, 0]))),
    ];
    let expected = [
        r#"{"half":1.5,"wide":1.25,"small":1.5,"uuid":"01234567-89ab-cdef-fedc-ba9876543210","json":"{\"a\":1}","#,
        r#""tensor":[1.0,2.0],"flag":true,"other":"POINT (1 2)","seconds":"9999-12-31T23:59:59.000Z","lasts":2000,"#,
        r#""object":{"h":1.5,"n":1},"dates":"1970-01-02""#,
    ]
    .concat();
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.parquet", "a.arrow", "a.arrows"] {
        let found = documents(&write(folder.path(), name, &batch(&columns)), &ReadOptions::default()).unwrap();
        assert_eq!(found[0], format!("{expected}}}"), "{name}");
        assert!(found[1].starts_with(r#"{"half":65504.0,"small":-0.5,"json":"[]""#), "{name} {}", found[1]);
    }
    // Parquet has no such types of its own.
    let columns: Vec<Column> = vec![
        ("view", None, views()),
        ("run", None, runs()),
        ("key", None, dictionary(PrimitiveArray::<Int64Type>::from(vec![Some(1), None]))),
    ];
    for name in ["b.arrow", "b.arrows"] {
        let found = documents(&write(folder.path(), name, &batch(&columns)), &ReadOptions::default()).unwrap();
        assert_eq!(found, [r#"{"view":[1,2],"run":"x","key":"1970-01-02"}"#, "{}"], "{name}");
    }
}

#[test]
fn what_no_type_holds_is_refused_by_name_and_can_be_left_out() {
    let numbers = || -> ArrayRef { Arc::new(Int64Array::from(vec![1, 2])) };
    let months: ArrayRef = Arc::new(IntervalYearMonthArray::from(vec![1, 2]));
    let table: [(Option<&'static str>, ArrayRef, &str); 3] = [
        (None, months, "column x holds intervals (YearMonth), for which Elasticsearch has no type"),
        (None, union(), "column x holds values of several types (a union)"),
        (Some("pandas.period"), numbers(), "column x holds periods of pandas"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let leaving_out = ReadOptions { leave_out: vec!["x".to_owned()], ..ReadOptions::default() };
    for (extension, array, why) in table {
        let batch = batch(&[("n", None, numbers()), ("x", extension, array)]);
        for name in ["a.arrow", "a.arrows"] {
            let path = write(folder.path(), name, &batch);
            let error = documents(&path, &ReadOptions::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format);
            assert!(error.to_string().starts_with(&format!("{}: {why}", path.display())), "{error}");
            assert!(error.help().unwrap().contains("--leave-out x"), "{:?}", error.help());
            assert_eq!(documents(&path, &leaving_out).unwrap(), [r#"{"n":1}"#, r#"{"n":2}"#]);
            let source = Source::open(path, &leaving_out).unwrap();
            assert_eq!(source.schema().unwrap().len(), 1);
        }
    }
    // Two columns of one name.
    let twice = batch(&[("x", None, numbers()), ("n", None, numbers()), ("x", None, numbers())]);
    for name in ["d.parquet", "d.arrow", "d.arrows"] {
        let path = write(folder.path(), name, &twice);
        let error = documents(&path, &ReadOptions::default()).unwrap_err().to_string();
        assert!(error.ends_with("column x is there 2 times: names of columns are names of fields"), "{error}");
        assert_eq!(documents(&path, &leaving_out).unwrap(), [r#"{"n":1}"#, r#"{"n":2}"#], "{name}");
    }
    let path = write(folder.path(), "d.parquet", &batch(&[("n", None, numbers())]));
    let error = documents(&path, &ReadOptions { leave_out: vec!["m".to_owned()], ..ReadOptions::default() });
    assert!(error.unwrap_err().to_string().ends_with("has no column `m` that could be left out"));
}

#[test]
fn a_value_that_another_type_does_not_hold_is_an_error() {
    let wide = Decimal256Array::from(vec![arrow_buffer::i256::from_parts(0, 1)]).with_precision_and_scale(60, 0);
    let table: [(ArrayRef, &str); 4] = [
        (Arc::new(TimestampSecondArray::from(vec![1 << 62])), "column x holds a time of 4611686018427387904 seconds"),
        (Arc::new(DurationSecondArray::from(vec![i64::MIN])), "column x holds a duration of -9223372036854775808"),
        (Arc::new(Time64MicrosecondArray::from(vec![86_400_000_000])), "column x holds a time of day of 86400000000"),
        (Arc::new(wide.unwrap()), "column x holds the decimal 340282366920938463463374607431768211456"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (array, why) in table {
        let path = write(folder.path(), "a.arrow", &batch(&[("x", None, array)]));
        let error = documents(&path, &ReadOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().contains(&format!("a.arrow cannot be loaded as it is: {why}")), "{error}");
    }
}

/// A file with one column that Parquet writes by itself, without a schema of Arrow unless one is given.
fn parquet<T: parquet::data_type::DataType>(path: &Path, message: &str, values: &[T::T], arrow: Option<&str>) {
    let message = Arc::new(parse_message_type(message).unwrap());
    let metadata = arrow.map(|text| vec![KeyValue::new("ARROW:schema".to_owned(), text.to_owned())]);
    let properties = WriterProperties::builder().set_key_value_metadata(metadata).build();
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), message, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

/// A time of 96 bits: nanoseconds of a Julian day.
fn int96(seconds: i64, nanoseconds: u64) -> Int96 {
    let day = u32::try_from(2_440_588 + seconds.div_euclid(86_400)).unwrap();
    let of_day = seconds.rem_euclid(86_400).unsigned_abs() * 1_000_000_000 + nanoseconds;
    let mut value = Int96::new();
    value.set_data(of_day as u32, (of_day >> 32) as u32, day);
    value
}

#[test]
fn times_of_96_bits_are_read_in_a_unit_that_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let of = |values: &[Int96]| {
        parquet::<Int96Type>(&path, "message m { required int96 t; }", values, None);
        documents(&path, &ReadOptions::default())
    };
    let (last, first) = (253_402_300_799, -62_135_596_800);
    let found = of(&[int96(last, 999_999_000), int96(first, 0), int96(0, 1_000)]).unwrap();
    let expected = [
        r#"{"t":"9999-12-31T23:59:59.999999Z"}"#,
        r#"{"t":"0001-01-01T00:00:00.000000Z"}"#,
        r#"{"t":"1970-01-01T00:00:00.000001Z"}"#,
    ];
    assert_eq!(found, expected);
    let found = of(&[int96(1_000_000_000, 1)]).unwrap();
    assert_eq!(found, [r#"{"t":"2001-09-09T01:46:40.000000001Z"}"#]);
    let error = of(&[int96(last, 0), int96(0, 1)]).unwrap_err().to_string();
    assert!(error.contains("column t holds times of 96 bits that are too far apart"), "{error}");
}

#[test]
fn what_parquet_alone_knows_of_a_column_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let bytes = FixedLenByteArray::from(b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10".to_vec());
    let uuid = "message m { required fixed_len_byte_array(16) u (UUID); }";
    parquet::<FixedLenByteArrayType>(&path, uuid, std::slice::from_ref(&bytes), None);
    let found = documents(&path, &ReadOptions::default()).unwrap();
    assert_eq!(found, [r#"{"u":"01234567-89ab-cdef-fedc-ba9876543210"}"#]);
    // Polars writes integers of 128 bits as bytes, with a schema of Arrow that only it reads.
    let wide = "message m { required fixed_len_byte_array(16) i; }";
    parquet::<FixedLenByteArrayType>(&path, wide, std::slice::from_ref(&bytes), Some("AAAA"));
    let error = documents(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("column i may hold integers of 128 bits"), "{error}");
}

#[test]
fn a_footer_that_disagrees_with_its_row_groups_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.parquet", &batch(&[("n", None, Arc::new(Int64Array::from(vec![7; 6])))]));
    let bytes = std::fs::read(&path).unwrap();
    // The footer has the number of rows of the file and of the group as zigzag numbers of one byte, in
    // fields of 64-bit integers (0x16); that of the file comes first.
    let tail = bytes.len() - 8;
    let length = u32::from_le_bytes(bytes[tail..tail + 4].try_into().unwrap()) as usize;
    let place = (tail - length..tail).find(|at| bytes[*at..at + 2] == [0x16, 12]).unwrap();
    let mut changed = bytes;
    changed[place + 1] = 0;
    std::fs::write(&path, changed).unwrap();
    let error = documents(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.ends_with("its footer says 0 rows, and its row groups have 6"), "{error}");
}

/// A stream of one schema without columns, with numbers of an order of bytes.
fn stream_of(endianness: arrow_ipc::Endianness) -> Vec<u8> {
    let mut builder = flatbuffers::FlatBufferBuilder::new();
    let none: [flatbuffers::WIPOffset<arrow_ipc::Field<'_>>; 0] = [];
    let fields = builder.create_vector(&none);
    let mut schema = arrow_ipc::SchemaBuilder::new(&mut builder);
    schema.add_endianness(endianness);
    schema.add_fields(fields);
    let schema = schema.finish();
    let mut message = arrow_ipc::MessageBuilder::new(&mut builder);
    message.add_version(arrow_ipc::MetadataVersion::V5);
    message.add_header_type(arrow_ipc::MessageHeader::Schema);
    message.add_header(schema.as_union_value());
    let message = message.finish();
    builder.finish(message, None);
    let mut message = builder.finished_data().to_vec();
    message.resize(message.len().next_multiple_of(8), 0);
    let length = u32::try_from(message.len()).unwrap().to_le_bytes();
    [&[0xff; 4], &length[..], &message[..], &[0xff; 4], &[0; 4]].concat()
}

#[test]
fn big_endian_numbers_are_refused() {
    let open = |endianness| {
        let stream = Cursor::new(stream_of(endianness));
        FileReader::from_reader("x", stream, FileFormat::IpcStream, &ReadOptions::default()).map(|_| ())
    };
    open(arrow_ipc::Endianness::Little).unwrap();
    let error = open(arrow_ipc::Endianness::Big).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.to_string().contains("it was written with big-endian numbers, which are not read"), "{error}");
}
