//! Credentials, and the type that keeps a secret from being printed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{Error, ErrorKind};

/// A secret value. `Debug` and `Display` print `[redacted]`, and its memory is overwritten when it is
/// dropped.
///
/// ```
/// let secret = es_core::Secret::new("hunter2");
/// assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// Returns the secret itself. Every call of this is a place where it could leak.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

/// The credentials of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// No `Authorization` header is sent.
    #[default]
    None,
    /// User name and password.
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// An API key in its encoded form (base64 of `id:key`).
    ApiKey(Secret),
    /// A bearer token, such as one of OAuth 2.0 or OpenID Connect.
    Bearer(Secret),
    /// The token of a service account. It is sent like a bearer token, but messages name it.
    ServiceToken(Secret),
}

impl Credentials {
    /// An API key as Elasticsearch returns it: either the `encoded` value or `id:key`.
    pub fn api_key(value: &str) -> Self {
        let value = value.trim();
        // Base64 has no colon, which distinguishes the two forms.
        let encoded = if value.contains(':') { BASE64.encode(value) } else { value.to_owned() };
        Self::ApiKey(Secret::new(encoded))
    }

    /// An API key of an id and a secret part.
    pub fn api_key_pair(id: &str, key: &Secret) -> Self {
        Self::ApiKey(Secret::new(BASE64.encode(format!("{}:{}", id.trim(), key.expose().trim()))))
    }

    /// A name for these credentials in messages, without any secret.
    pub fn description(&self) -> String {
        match self {
            Self::None => "no credentials".to_owned(),
            Self::Basic { user, .. } => format!("user {user}"),
            Self::ApiKey(_) => "an API key".to_owned(),
            Self::Bearer(_) => "a bearer token".to_owned(),
            Self::ServiceToken(_) => "a service account token".to_owned(),
        }
    }

    /// The next step when a server does not accept these credentials.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::None => "set ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD",
            Self::Basic { .. } => "correct the user or the password: ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD",
            Self::ApiKey(_) => "the key is wrong, expired or invalidated: set a valid one as ELASTICSEARCH_API_KEY",
            Self::Bearer(_) => "the token is wrong or expired: set a valid one as ELASTICSEARCH_BEARER_TOKEN",
            Self::ServiceToken(_) => {
                "the token is wrong or was deleted: set a valid one as ELASTICSEARCH_SERVICE_TOKEN"
            }
        }
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> Result<Option<reqwest::header::HeaderValue>, Error> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic { user, password } => {
                format!("Basic {}", BASE64.encode(format!("{user}:{}", password.expose())))
            }
            Self::ApiKey(encoded) => format!("ApiKey {}", encoded.expose()),
            Self::Bearer(token) | Self::ServiceToken(token) => format!("Bearer {}", token.expose()),
        };
        let mut value = reqwest::header::HeaderValue::from_str(&text).map_err(|_| {
            Error::new(
                ErrorKind::Config,
                format!("{} cannot be sent: it has characters that a header must not have", self.description()),
            )
            .with_help("check the secret for a line break or another control character")
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_key_is_taken_in_both_forms() {
        assert_eq!(Credentials::api_key("id:key"), Credentials::api_key("aWQ6a2V5"));
        assert_eq!(Credentials::api_key(" aWQ6a2V5\n"), Credentials::api_key("aWQ6a2V5"));
        assert_eq!(Credentials::api_key_pair("id", &Secret::new("key")), Credentials::api_key("aWQ6a2V5"));
    }

    #[test]
    fn a_service_token_is_sent_as_a_bearer_token_and_named_for_what_it_is() {
        let token = Credentials::ServiceToken(Secret::new("AAEAAW"));
        assert_eq!(token.header().unwrap().unwrap(), "Bearer AAEAAW");
        assert_eq!(token.description(), "a service account token");
    }

    #[test]
    fn no_secret_is_printed() {
        let all = [
            Credentials::Basic { user: "elastic".into(), password: Secret::new("canary") },
            Credentials::api_key("canary:canary"),
            Credentials::api_key_pair("id", &Secret::new("canary")),
            Credentials::Bearer(Secret::new("canary")),
            Credentials::ServiceToken(Secret::new("canary")),
        ];
        for credentials in all {
            let header = credentials.header().unwrap().unwrap();
            let printed = format!("{credentials:?} {} {header:?}", credentials.description());
            assert!(!printed.contains("canary"), "{printed}");
            assert!(!printed.contains("Y2FuYXJ5"), "{printed}");
        }
    }

    #[test]
    fn a_secret_with_a_line_break_is_refused_without_printing_it() {
        let error = Credentials::Bearer(Secret::new("can\nary")).header().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!format!("{error:?}").contains("ary\""));
    }
}
