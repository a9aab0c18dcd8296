//! The credentials and headers that a client sends with every request. Clients of one pool of
//! connections may differ in them.

use reqwest::header::{AUTHORIZATION, HeaderMap};

use crate::connection::credentials::Credentials;
use crate::connection::headers::ExtraHeaders;
use crate::error::Error;

/// Credentials, and all headers as they are sent.
#[derive(Clone)]
pub(crate) struct Access {
    credentials: Credentials,
    headers: HeaderMap,
}

impl Access {
    pub(crate) fn new(credentials: Credentials, headers: &ExtraHeaders) -> Result<Self, Error> {
        Self { credentials: Credentials::None, headers: headers.to_map()? }.with_credentials(credentials)
    }

    /// The same headers with other credentials.
    pub(crate) fn with_credentials(&self, credentials: Credentials) -> Result<Self, Error> {
        let mut headers = self.headers.clone();
        match credentials.header()? {
            Some(value) => headers.insert(AUTHORIZATION, value),
            None => headers.remove(AUTHORIZATION),
        };
        Ok(Self { credentials, headers })
    }

    /// The same credentials with more headers, which replace those of the same name.
    pub(crate) fn with_headers(&self, extra: &ExtraHeaders) -> Result<Self, Error> {
        let mut headers = self.headers.clone();
        for (name, value) in &extra.to_map()? {
            headers.insert(name, value.clone());
        }
        Ok(Self { credentials: self.credentials.clone(), headers })
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}
