//! Headers that a caller adds to requests.

use std::fmt;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::connection::credentials::Secret;
use crate::error::{Error, ErrorKind};

/// Headers that the client sets itself, with the setting that they come from.
const RESERVED: &[(&str, &str)] = &[
    ("authorization", "the credentials"),
    ("proxy-authorization", "the user and password in the proxy's address"),
    ("content-type", "the request's body"),
    ("accept", "the server's version"),
    ("accept-encoding", "the setting for compression"),
    ("content-encoding", "the setting for compression"),
    ("content-length", "the request's body"),
    ("transfer-encoding", "the request's body"),
    ("host", "the node's address"),
    ("connection", "the connection itself"),
    ("upgrade", "the connection itself"),
    ("te", "the connection itself"),
    ("trailer", "the connection itself"),
    ("expect", "the connection itself"),
];

/// Headers to send with every request, for a gateway before the cluster or as `X-Opaque-Id`.
/// Their values count as secrets: only the names are printed.
///
/// ```
/// use es_core::{ExtraHeaders, Secret};
/// let headers = ExtraHeaders::default().with("X-Gateway-Token", Secret::new("hush"))?;
/// assert_eq!(format!("{headers:?}"), r#"{"x-gateway-token": [redacted]}"#);
/// # Ok::<(), es_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ExtraHeaders(Vec<(HeaderName, Secret)>);

impl ExtraHeaders {
    /// Returns these headers and one more.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an invalid name, one that is given already or that the client sets
    /// itself, and for a value that a header cannot have.
    pub fn with(mut self, name: &str, value: Secret) -> Result<Self, Error> {
        let (known, _) = header(name, &value)?;
        if self.0.iter().any(|(other, _)| *other == known) {
            return Err(Error::new(ErrorKind::Config, format!("the extra header {known} is given twice")));
        }
        self.0.push((known, value));
        Ok(self)
    }

    /// Reads `name=value` pairs with commas between them, as OpenTelemetry writes headers in an
    /// environment variable.
    ///
    /// # Errors
    /// As [`ExtraHeaders::with`], and for a part without `=`.
    pub fn parse(list: &str) -> Result<Self, Error> {
        list.split(',').map(str::trim).filter(|pair| !pair.is_empty()).try_fold(Self::default(), |headers, pair| {
            // Without `=`, the whole part may be a secret value.
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Error::new(ErrorKind::Config, "a part of the extra headers has no =")
                    .with_help("write them as name=value,name=value")
            })?;
            headers.with(name, Secret::new(value.trim()))
        })
    }

    /// Returns `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The headers as they are sent, marked as sensitive.
    pub(crate) fn to_map(&self) -> Result<HeaderMap, Error> {
        self.0.iter().map(|(name, value)| Ok((name.clone(), header_value(name, value)?))).collect()
    }
}

/// Checks a header that a caller adds to requests, and marks its value as sensitive.
pub(crate) fn header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), Error> {
    let wrong = |why: String| Error::new(ErrorKind::Config, why);
    let Ok(known) = HeaderName::from_bytes(name.trim().as_bytes()) else {
        return Err(wrong(format!("{name:?} is not a name of an HTTP header")));
    };
    if let Some((_, by)) = RESERVED.iter().find(|(reserved, _)| *reserved == known.as_str()) {
        return Err(wrong(format!("the header {known} cannot be added: it is set by {by}"))
            .with_help("remove it from the extra headers"));
    }
    let value = header_value(&known, value)?;
    Ok((known, value))
}

fn header_value(name: &HeaderName, value: &Secret) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            format!("the value of the header {name} has characters that a header cannot have"),
        )
        .with_help("check it for a line break or another control character")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for ExtraHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name.as_str(), value))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read() {
        let headers = ExtraHeaders::parse("X-One=a=b, x-two = canary ,").unwrap();
        let map = headers.to_map().unwrap();
        assert_eq!((map["x-one"].as_bytes(), map["x-two"].as_bytes()), (&b"a=b"[..], &b"canary"[..]));
        assert_eq!(map.len(), 2);
        assert!(!format!("{headers:?} {map:?}").contains("canary"), "{headers:?} {map:?}");
        assert!(ExtraHeaders::parse(" ").unwrap().is_empty());
    }

    #[test]
    fn what_the_client_sets_itself_is_not_overridden() {
        let table = [
            ("Authorization=canary", "the header authorization cannot be added: it is set by the credentials"),
            ("content-type=canary", "the header content-type cannot be added: it is set by the request's body"),
            ("ACCEPT=canary", "the header accept cannot be added: it is set by the server's version"),
            ("a=1,A=canary", "the extra header a is given twice"),
            ("canary", "a part of the extra headers has no ="),
            ("two words=canary", "\"two words\" is not a name of an HTTP header"),
            ("a=can\nary", "the value of the header a has characters that a header cannot have"),
        ];
        for (list, message) in table {
            let error = ExtraHeaders::parse(list).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Config, message));
            assert!(!format!("{error:?}").contains("ary"), "{error:?}");
        }
    }
}
