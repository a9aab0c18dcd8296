//! The meaning of a JSON scalar for a column of some type: the conversions that Elasticsearch
//! makes of it when it indexes the document.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::decode::number;
use crate::decode::shape::Shape;

/// A JSON scalar.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Boolean(bool),
    /// A number as it is written.
    Number(&'a str),
    Text(&'a str),
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

pub(super) fn boolean(value: Scalar<'_>) -> Option<bool> {
    match value {
        Scalar::Boolean(value) => Some(value),
        // The forms that a `boolean` field takes; the empty string means false to it.
        Scalar::Text("true") => Some(true),
        Scalar::Text("false" | "") => Some(false),
        _ => None,
    }
}

/// `coerce`, on by default, lets an integer field take "7" and 7.9. The server indexes the latter as 7;
/// its fraction is part of the document, so that it is no integer here.
pub(super) fn integer(value: Scalar<'_>) -> Option<i128> {
    match value {
        Scalar::Number(text) => number::whole(text),
        Scalar::Text(text) => number::whole(text.trim()),
        _ => None,
    }
}

pub(super) fn float(value: Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Number(text) | Scalar::Text(text) => number::float(text),
        Scalar::Boolean(_) => None,
    }
}

pub(super) fn float32(value: Scalar<'_>) -> Option<f32> {
    match value {
        Scalar::Number(text) | Scalar::Text(text) => number::float32(text),
        Scalar::Boolean(_) => None,
    }
}

/// An instant in the unit of the shape, by the formats of its field.
pub(super) fn instant(value: Scalar<'_>, shape: &Shape) -> Option<i64> {
    let (formats, per_second) = match shape {
        Shape::Milliseconds(formats) => (formats, 1_000),
        Shape::Nanoseconds(formats) => (formats, 1_000_000_000),
        _ => return None,
    };
    match value {
        Scalar::Text(text) | Scalar::Number(text) => formats.read(text, per_second),
        Scalar::Boolean(_) => None,
    }
}

/// An address as Elasticsearch writes it, whichever way it was written: IPv6 by RFC 5952, and
/// IPv4 in IPv6 as IPv4.
pub(super) fn address(text: &str) -> Option<Cow<'_, str>> {
    match text.parse().ok()? {
        IpAddr::V4(_) => Some(Cow::Borrowed(text)),
        IpAddr::V6(address) => Some(Cow::Owned(plain(address))),
    }
}

fn plain(address: Ipv6Addr) -> String {
    match address.to_ipv4_mapped() {
        Some(address) => address.to_string(),
        // Rust writes `::1.2.3.4` for what is to be `::102:304`.
        None if address.segments()[..6] == [0; 6] && address.segments()[6] != 0 => {
            let [.., high, low] = address.segments();
            format!("::{high:x}:{low:x}")
        }
        None => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form() {
        for (text, expected) in [
            ("127.0.0.1", Some("127.0.0.1")),
            ("2001:0DB8::0001", Some("2001:db8::1")),
            ("::ffff:1.2.3.4", Some("1.2.3.4")),
            ("::1.2.3.4", Some("::102:304")),
            ("::", Some("::")),
            ("::1", Some("::1")),
            ("1.2.3", None),
            ("", None),
        ] {
            assert_eq!(address(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn scalars_become_what_the_server_keeps() {
        assert_eq!(integer(Scalar::Text(" 7 ")), Some(7));
        assert_eq!(integer(Scalar::Number("7.0")), Some(7));
        assert_eq!(integer(Scalar::Number("7.9")), None);
        assert_eq!(integer(Scalar::Text("7.9")), None);
        assert_eq!(integer(Scalar::Text("x")), None);
        assert_eq!(integer(Scalar::Boolean(true)), None);
        assert_eq!(float(Scalar::Text("NaN")), None);
        assert_eq!(float(Scalar::Text("1e3")), Some(1000.0));
        assert_eq!(float32(Scalar::Number("0.1")), Some(0.1));
        assert_eq!(boolean(Scalar::Text("")), Some(false));
        assert_eq!(boolean(Scalar::Number("1")), None);
    }
}
