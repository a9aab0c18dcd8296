//! Vectors, as numbers and in Base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use polars::prelude::*;
use proptest::prelude::{prop, prop_assert_eq, proptest};
use serde_json::Value;

use super::super::{VectorForm, WriterOptions};
use super::{documents, frame};

fn base64() -> WriterOptions {
    WriterOptions { vectors: VectorForm::Base64, ..WriterOptions::default() }
}

fn vectors(rows: &[Vec<Option<f32>>], inner: &DataType) -> Series {
    let lists: Vec<_> = rows.iter().map(|row| Series::new("".into(), row)).collect();
    let width = rows[0].len();
    Series::new("v".into(), lists).cast(&DataType::Array(Box::new(inner.clone()), width)).unwrap()
}

#[test]
fn only_a_whole_vector_of_a_document_is_base64() {
    // 0x3fc00000 and 0xc0100000.
    let rows =
        [vec![Some(1.5), Some(-2.25)], vec![None, Some(1.0)], vec![Some(f32::NAN), Some(1.0)], vec![Some(0.0); 2]];
    let v = vectors(&rows, &DataType::Float32);
    let one = |column: Series| documents(&frame(vec![column.into()]), &base64()).unwrap();
    assert_eq!(
        one(v.clone()),
        [r#"{"v":"P8AAAMAQAAA="}"#, r#"{"v":[null,1.0]}"#, r#"{"v":[null,1.0]}"#, r#"{"v":"AAAAAAAAAAA="}"#]
    );
    let inside = frame(vec![v.clone().into()]).into_struct("o".into()).into_series();
    assert_eq!(one(inside)[0], r#"{"o":{"v":"P8AAAMAQAAA="}}"#);
    let listed = Series::new("l".into(), [v.slice(0, 1)]);
    assert_eq!(one(listed)[0], r#"{"l":[[1.5,-2.25]]}"#);
    assert_eq!(one(vectors(&rows, &DataType::Float64))[0], r#"{"v":[1.5,-2.25]}"#);
    let numbers = documents(&frame(vec![v.into()]), &WriterOptions::default()).unwrap();
    assert_eq!(numbers[0], r#"{"v":[1.5,-2.25]}"#);
}

proptest! {
    #[test]
    fn both_forms_hold_the_same_bits(
        values in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO, 1..300),
    ) {
        let row: Vec<_> = values.iter().copied().map(Some).collect();
        let frame = frame(vec![vectors(&[row], &DataType::Float32).into()]);
        let read = |options: WriterOptions| -> Value {
            serde_json::from_str(&documents(&frame, &options).unwrap()[0]).unwrap()
        };
        let text = read(base64());
        let bytes = STANDARD.decode(text["v"].as_str().unwrap()).unwrap();
        let decoded: Vec<_> = bytes.chunks(4).map(|four| u32::from_be_bytes(four.try_into().unwrap())).collect();
        let bits: Vec<_> = values.iter().map(|value| value.to_bits()).collect();
        prop_assert_eq!(&decoded, &bits);
        let numbers = read(WriterOptions::default());
        let numbers: Vec<f32> = serde_json::from_value(numbers["v"].clone()).unwrap();
        prop_assert_eq!(numbers.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), bits);
    }
}
