//! Tensors as raw bytes: little-endian, in row-major order, without padding; a text is its length in four
//! bytes and then its own. Source: `extension_binary_data.md` of Triton.

use crate::open_inference::{Datatype, TensorData};

/// The header that has the length of the JSON part of a message.
pub(in crate::server) const HEADER: &str = "inference-header-content-length";

/// Appends the elements.
pub(super) fn write(out: &mut Vec<u8>, data: &TensorData) {
    macro_rules! numbers {
        ($elements:expr) => {
            $elements.iter().for_each(|element| out.extend_from_slice(&element.to_le_bytes()))
        };
    }
    match data {
        TensorData::Bool(elements) => out.extend(elements.iter().map(|element| u8::from(*element))),
        TensorData::Uint8(elements) => out.extend_from_slice(elements),
        TensorData::Uint16(elements) => numbers!(elements),
        TensorData::Uint32(elements) => numbers!(elements),
        TensorData::Uint64(elements) => numbers!(elements),
        TensorData::Int8(elements) => numbers!(elements),
        TensorData::Int16(elements) => numbers!(elements),
        TensorData::Int32(elements) => numbers!(elements),
        TensorData::Int64(elements) => numbers!(elements),
        TensorData::Fp32(elements) => numbers!(elements),
        TensorData::Fp64(elements) => numbers!(elements),
        TensorData::Bytes(elements) => {
            for element in elements {
                // A body is far shorter than four bytes can count.
                out.extend_from_slice(&u32::try_from(element.len()).unwrap_or(u32::MAX).to_le_bytes());
                out.extend_from_slice(element.as_bytes());
            }
        }
    }
}

/// Reads all elements.
pub(super) fn read(datatype: Datatype, bytes: &[u8]) -> Result<TensorData, String> {
    macro_rules! numbers {
        ($type:ty) => {{
            let (elements, rest) = bytes.as_chunks::<{ size_of::<$type>() }>();
            if !rest.is_empty() {
                return Err(format!("{} bytes are no whole number of elements of {datatype}", bytes.len()));
            }
            elements.iter().map(|element| <$type>::from_le_bytes(*element)).collect()
        }};
    }
    Ok(match datatype {
        Datatype::Bool => TensorData::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
        Datatype::Uint8 => TensorData::Uint8(bytes.to_vec()),
        Datatype::Uint16 => TensorData::Uint16(numbers!(u16)),
        Datatype::Uint32 => TensorData::Uint32(numbers!(u32)),
        Datatype::Uint64 => TensorData::Uint64(numbers!(u64)),
        Datatype::Int8 => TensorData::Int8(numbers!(i8)),
        Datatype::Int16 => TensorData::Int16(numbers!(i16)),
        Datatype::Int32 => TensorData::Int32(numbers!(i32)),
        Datatype::Int64 => TensorData::Int64(numbers!(i64)),
        Datatype::Fp32 => TensorData::Fp32(numbers!(f32)),
        Datatype::Fp64 => TensorData::Fp64(numbers!(f64)),
        Datatype::Bytes => TensorData::Bytes(texts(bytes)?),
    })
}

fn texts(mut bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    while !bytes.is_empty() {
        let number = texts.len();
        let cut = || format!("text {number} is cut off");
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| cut())?;
        let (text, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        texts.push(String::from_utf8(text.to_vec()).map_err(|_| format!("text {number} is not UTF-8"))?);
        bytes = rest;
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_data() -> impl Strategy<Value = TensorData> {
        use prop::collection::vec;
        prop_oneof![
            vec(any::<bool>(), 0..9).prop_map(TensorData::Bool),
            vec(any::<u8>(), 0..9).prop_map(TensorData::Uint8),
            vec(any::<u16>(), 0..9).prop_map(TensorData::Uint16),
            vec(any::<i32>(), 0..9).prop_map(TensorData::Int32),
            vec(any::<i64>(), 0..9).prop_map(TensorData::Int64),
            vec(any::<f32>(), 0..9).prop_map(TensorData::Fp32),
            vec(any::<f64>(), 0..9).prop_map(TensorData::Fp64),
            vec(".{0,4}", 0..9).prop_map(TensorData::Bytes),
        ]
    }

    proptest! {
        #[test]
        fn elements_are_read_as_they_are_written(data in any_data()) {
            let mut bytes = Vec::new();
            write(&mut bytes, &data);
            let read = read(data.datatype(), &bytes).unwrap();
            // NaN is not equal to itself, and its bits are.
            let mut again = Vec::new();
            write(&mut again, &read);
            prop_assert_eq!(read.datatype(), data.datatype());
            prop_assert_eq!(again, bytes);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            for datatype in [Datatype::Bytes, Datatype::Bool, Datatype::Fp64, Datatype::Int16] {
                let _ = read(datatype, &bytes);
            }
        }
    }

    #[test]
    fn bytes_that_end_too_early_are_refused() {
        assert_eq!(read(Datatype::Fp32, &[0; 6]).unwrap_err(), "6 bytes are no whole number of elements of FP32");
        assert_eq!(read(Datatype::Bytes, &[3, 0, 0, 0, b'a']).unwrap_err(), "text 0 is cut off");
        assert_eq!(read(Datatype::Bytes, &[1, 0, 0, 0, 0xff]).unwrap_err(), "text 0 is not UTF-8");
    }
}
