//! Text in other encodings than UTF-8, decoded on the way.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use encoding_rs::{Decoder, DecoderResult};
use es_values::InvalidValue;
use serde::{Deserialize, Serialize};

use super::byte_source::Bytes;

const BLOCK: usize = 64 << 10;

/// An encoding of text, by a name of the WHATWG Encoding Standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Encoding {
    /// The encoding that a byte order mark of UTF-16 shows. No text in UTF-8 begins with these bytes.
    pub(crate) fn of_mark(start: &[u8]) -> Option<Self> {
        match start {
            [0xff, 0xfe, ..] => Some(Self(encoding_rs::UTF_16LE)),
            [0xfe, 0xff, ..] => Some(Self(encoding_rs::UTF_16BE)),
            _ => None,
        }
    }

    pub(crate) fn is_utf8(self) -> bool {
        self.0 == encoding_rs::UTF_8
    }

    /// The text of the bytes in UTF-8, without a byte order mark.
    pub(crate) fn decode(self, bytes: Bytes) -> Bytes {
        Box::new(Decoded {
            bytes,
            encoding: self,
            decoder: self.0.new_decoder_with_bom_removal(),
            read: Vec::new(),
            decoded: Vec::new(),
            passed: 0,
            has_ended: false,
        })
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name().to_ascii_lowercase())
    }
}

impl FromStr for Encoding {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        encoding_rs::Encoding::for_label(text.as_bytes()).map(Self).ok_or_else(|| {
            let usual = ["utf-8", "utf-16le", "utf-16be", "windows-1252", "iso-8859-15", "shift_jis", "gb18030"];
            let help = es_values::suggestion(text, "encodings", usual);
            InvalidValue::new(format!("`{text}` is not the name of an encoding"), help)
        })
    }
}

impl TryFrom<String> for Encoding {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Encoding> for String {
    fn from(encoding: Encoding) -> Self {
        encoding.to_string()
    }
}

struct Decoded {
    bytes: Bytes,
    encoding: Encoding,
    decoder: Decoder,
    /// Bytes that were read and not decoded.
    read: Vec<u8>,
    /// Text from `passed` on was not returned.
    decoded: Vec<u8>,
    passed: usize,
    has_ended: bool,
}

impl Decoded {
    fn decode_more(&mut self) -> io::Result<()> {
        let mut block = [0; 8 << 10];
        let length = self.bytes.read(&mut block)?;
        self.has_ended = length == 0;
        self.read.extend_from_slice(&block[..length]);
        self.decoded.resize(BLOCK, 0);
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.read, &mut self.decoded, self.has_ended);
        self.read.drain(..read);
        (self.passed, self.has_ended) = (0, self.has_ended && self.read.is_empty());
        self.decoded.truncate(written);
        match result {
            DecoderResult::Malformed(..) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is not text in {}", self.encoding)))
            }
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl Read for Decoded {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.passed == self.decoded.len() && !self.has_ended {
            self.decode_more()?;
        }
        let length = to.len().min(self.decoded.len() - self.passed);
        to[..length].copy_from_slice(&self.decoded[self.passed..self.passed + length]);
        self.passed += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn text_is_decoded_whole_or_refused() {
        let long = "größe €;".repeat(30_000);
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(long.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let decoded = |name: &str, bytes: Vec<u8>| {
            let mut text = String::new();
            let encoding: Encoding = name.parse().unwrap();
            encoding.decode(Box::new(Cursor::new(bytes))).read_to_string(&mut text).map(|_| text)
        };
        assert_eq!(decoded("utf-16le", utf16).unwrap(), long);
        assert_eq!(decoded("latin1", b"gr\xf6\xdfe \x80".to_vec()).unwrap(), "größe €");
        assert!(decoded("utf-16le", vec![0, 0xd8, 0x41, 0]).is_err());
        assert_eq!(Encoding::of_mark(b"\xfe\xffx").unwrap().to_string(), "utf-16be");
        assert_eq!("utf-17".parse::<Encoding>().unwrap_err().to_string(), "`utf-17` is not the name of an encoding");
    }
}
