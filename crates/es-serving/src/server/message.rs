//! Requests and answers as bytes, independent of the HTTP client.

use std::time::Duration;

use es_core::Bytes;

use super::quote;

/// A request. The address, the credentials and the limits are the transport's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The segments of the path, unescaped.
    pub(crate) path: Vec<String>,
    /// The body of a POST; a GET has none.
    pub(crate) body: Option<Bytes>,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Call {
    pub(crate) fn get<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path.into_iter().map(str::to_owned).collect();
        Self { path, body: None, content_type: "", headers: Vec::new() }
    }

    /// A request to score rows, with its id for the server's log.
    pub(crate) fn post<'a>(path: impl IntoIterator<Item = &'a str>, id: &str, body: Vec<u8>) -> Self {
        Self {
            path: path.into_iter().map(str::to_owned).collect(),
            body: Some(body.into()),
            content_type: "application/json",
            headers: vec![("x-request-id", id.to_owned())],
        }
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The length of the JSON part of an answer with binary tensors.
    pub(crate) header_length: Option<usize>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The server's words: the message of an error in JSON, or else the body.
    pub(crate) fn words(&self) -> String {
        quote::words(&self.body)
    }
}
