//! The options of a model server. The resolution of secrets is left to the caller.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use es_core::Secret;
use es_values::{ByteSize, TimeSpan, TimeUnit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::protocol::Protocol;
use crate::error::{Error, ErrorKind};

/// A model at a server, and the limits of requests to it.
///
/// `S` is the type of secrets: a reference to one in a file, [`Secret`] once it is resolved, for which
/// [`ServerOptions::resolve`] is there.
///
/// ```
/// use es_core::Secret;
/// use es_serving::server::ServerOptions;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options: ServerOptions<String> = serde_json::from_str(
///     r#"{"protocol": "kserve_v2", "url": "https://models.example:8443", "token": "MODELS_TOKEN"}"#,
/// )?;
/// let options = options.resolve(|name| match name.as_str() {
///     "MODELS_TOKEN" => Ok(Secret::new("hush")),
///     other => Err(format!("{other} is not set")),
/// })?;
/// assert!(format!("{options:?}").contains("[redacted]"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(serialize = "S: Serialize", deserialize = "S: Deserialize<'de>"))]
pub struct ServerOptions<S = Secret> {
    /// The protocol that the server speaks.
    pub protocol: Protocol,
    /// The address of the server, with a path where a gateway has one before the protocol's own.
    #[schemars(extend("pattern" = "^https?://"))]
    pub url: String,
    /// The name of the model at the server. Default: its registered name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The version of the model at the server. Default: the one that the server chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A token that is sent as `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<S>,
    /// Headers to send with every request, such as a token for a gateway.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, S>,
    /// The limits of time.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// The repetition of requests that had no answer.
    #[serde(default)]
    pub retries: Retries,
    /// The pause after requests that failed one after another.
    #[serde(default)]
    pub breaker: BreakerOptions,
    /// The greatest size of the body of a request or an answer. A batch whose request is larger is
    /// halved.
    #[serde(default = "default_max_body_bytes")]
    pub max_body_bytes: ByteSize,
    /// The greatest number of requests at the same time.
    #[serde(default = "default_in_flight")]
    pub in_flight: NonZeroU32,
}

/// The limits of time of requests to a model server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// The time to wait for a connection.
    pub connect: TimeSpan,
    /// The time to wait for a whole answer.
    pub request: TimeSpan,
    /// The time within which the server and its model have to become ready.
    pub ready: TimeSpan,
}

/// The repetition of requests that had no answer of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retries {
    /// The greatest number of times that a request is sent.
    pub attempts: NonZeroU32,
    /// The upper bound of the first wait; that of each further one is twice as long.
    pub first_wait: TimeSpan,
    /// The upper bound of every wait, also of one that the server asks for by `Retry-After`.
    pub longest_wait: TimeSpan,
}

/// The circuit breaker: a pause after requests that failed one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerOptions {
    /// The number of requests without an answer, one after another, after which none is sent for a
    /// while.
    pub failures: NonZeroU32,
    /// The time after which one request is tried.
    pub pause: TimeSpan,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: seconds(10), request: seconds(60), ready: seconds(60) }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: count(4), first_wait: span(200, TimeUnit::Millisecond), longest_wait: seconds(20) }
    }
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self { failures: count(8), pause: seconds(10) }
    }
}

pub(crate) fn default_max_body_bytes() -> ByteSize {
    ByteSize::mebibytes(16)
}

pub(crate) fn default_in_flight() -> NonZeroU32 {
    count(4)
}

fn seconds(number: u32) -> TimeSpan {
    span(number, TimeUnit::Second)
}

fn span(number: u32, unit: TimeUnit) -> TimeSpan {
    // There is none of zero, and `count` gives no zero.
    TimeSpan::new(count(number).get(), unit).unwrap_or_else(|| unreachable!("a number from 1 is a time span"))
}

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

impl<S> ServerOptions<S> {
    /// The server at this address, with default limits.
    pub fn new(protocol: Protocol, url: impl Into<String>) -> Self {
        Self {
            protocol,
            url: url.into(),
            model: None,
            version: None,
            token: None,
            headers: BTreeMap::new(),
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            breaker: BreakerOptions::default(),
            max_body_bytes: default_max_body_bytes(),
            in_flight: default_in_flight(),
        }
    }

    /// The same options, for the model of this name unless they name one.
    #[must_use]
    pub fn for_model(mut self, registered: &str) -> Self {
        self.model.get_or_insert_with(|| registered.to_owned());
        self
    }

    /// The same options with secrets of another type, such as those that references stand for.
    ///
    /// # Errors
    /// The first of `secret`.
    pub fn resolve<T, E>(self, mut secret: impl FnMut(S) -> Result<T, E>) -> Result<ServerOptions<T>, E> {
        let token = self.token.map(&mut secret).transpose()?;
        let headers =
            self.headers.into_iter().map(|(name, value)| Ok((name, secret(value)?))).collect::<Result<_, E>>()?;
        Ok(ServerOptions {
            protocol: self.protocol,
            url: self.url,
            model: self.model,
            version: self.version,
            token,
            headers,
            timeouts: self.timeouts,
            retries: self.retries,
            breaker: self.breaker,
            max_body_bytes: self.max_body_bytes,
            in_flight: self.in_flight,
        })
    }

    /// Checks what can be checked without the server.
    ///
    /// # Errors
    /// [`ErrorKind::ServerOptions`] for an address that is none, an empty name, or a version where the
    /// protocol knows none.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |message: String, help: &str| Err(Error::new(ErrorKind::ServerOptions, message).with_help(help));
        check_url(&self.url)?;
        if self.model.as_deref() == Some("") || self.version.as_deref() == Some("") {
            return wrong("the name or the version of the model is empty".to_owned(), "leave it out for the default");
        }
        if self.version.is_some() && !self.protocol.has_versions() {
            return wrong(
                format!("the protocol {} knows no versions of a model", self.protocol.name()),
                "leave the version out: the server has one",
            );
        }
        self.protocol.check(self.version.as_deref())
    }
}

impl ServerOptions {
    pub(super) fn endpoint(&self) -> Endpoint<'_> {
        Endpoint {
            options: "ServerOptions",
            url: &self.url,
            token: self.token.as_ref(),
            headers: &self.headers,
            timeouts: self.timeouts,
            retries: self.retries,
            breaker: self.breaker,
            max_body_bytes: self.max_body_bytes,
            in_flight: self.in_flight,
        }
    }
}

/// The way to a server, as the options of any kind of server say it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint<'a> {
    /// The type of the options, for help.
    pub(crate) options: &'static str,
    pub(crate) url: &'a str,
    pub(crate) token: Option<&'a Secret>,
    pub(crate) headers: &'a BTreeMap<String, Secret>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retries: Retries,
    pub(crate) breaker: BreakerOptions,
    pub(crate) max_body_bytes: ByteSize,
    pub(crate) in_flight: NonZeroU32,
}

/// Checks the address of a server.
///
/// # Errors
/// [`ErrorKind::ServerOptions`] when it is none, or holds what does not belong there.
pub(crate) fn check_url(address: &str) -> Result<(), Error> {
    let wrong = |message: String, help: &str| Err(Error::new(ErrorKind::ServerOptions, message).with_help(help));
    let url = match reqwest::Url::parse(address) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        _ => {
            return wrong(format!("`{}` is not the address of a server", shown(address)), "write https://HOST:PORT");
        }
    };
    let host = url.host_str().unwrap_or_default();
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(
            format!("the address of {host} has a user or a password in it"),
            "give a token or a header, which are kept as secrets",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong(format!("the address of {host} has a query or a fragment"), "end it with the path");
    }
    Ok(())
}

/// A text that should be an address, without what stands before an `@`.
fn shown(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_of_one_protocol_stand_under_it_alone() {
        let read = |value: serde_json::Value| serde_json::from_value::<ServerOptions<String>>(value);
        let options = read(json!({
            "protocol": {"tf_serving": {"form": "columns"}}, "url": "http://h:8501", "version": "3",
            "timeouts": {"request": "5s"}, "retries": {"attempts": 2}, "max_body_bytes": "4mb",
        }))
        .unwrap();
        assert_eq!(options.timeouts.connect, Timeouts::default().connect);
        options.check().unwrap();
        assert_eq!(read(serde_json::to_value(&options).unwrap()).unwrap(), options);
        let table = [
            (json!({"protocol": "kserve_v2", "url": "http://h", "form": "columns"}), "unknown field `form`"),
            (json!({"protocol": {"kserve_v2": {"form": "rows"}}, "url": "http://h"}), "unknown field `form`"),
            (json!({"protocol": {"mlflow": {"binary": "auto"}}, "url": "http://h"}), "unknown field `binary`"),
            (json!({"protocol": "kserve_v3", "url": "http://h"}), "unknown variant `kserve_v3`"),
            (json!({"protocol": {"kserve_v1": {}, "mlflow": {}}, "url": "http://h"}), "one protocol"),
        ];
        for (value, message) in table {
            let error = read(value).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn each_mistake_is_named_without_the_secret() {
        let options = |protocol: &str, url: &str, version: Option<&str>| {
            let value = json!({"protocol": protocol, "url": url, "version": version});
            serde_json::from_value::<ServerOptions<String>>(value).unwrap()
        };
        let table = [
            (options("mlflow", "models.example", None), "`models.example` is not the address of a server"),
            (options("mlflow", "ftp://u:canary@h", None), "`h` is not the address of a server"),
            (options("mlflow", "http://u:canary@h", None), "the address of h has a user or a password in it"),
            (options("mlflow", "http://h?a=canary", None), "the address of h has a query or a fragment"),
            (options("mlflow", "http://h", Some("3")), "the protocol mlflow knows no versions of a model"),
            (options("kserve_v2", "http://h", Some("")), "the name or the version of the model is empty"),
        ];
        for (options, message) in table {
            let error = options.check().unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::ServerOptions, message));
            assert!(error.help().is_some());
        }
    }

    #[test]
    fn secrets_are_resolved_and_never_printed() {
        let value = json!({"protocol": "mlflow", "url": "http://h", "token": "A", "headers": {"x-key": "B"}});
        let options: ServerOptions<String> = serde_json::from_value(value).unwrap();
        let resolved = options.clone().resolve(|name| Ok::<_, ()>(Secret::new(format!("canary-{name}")))).unwrap();
        assert_eq!(resolved.headers["x-key"].expose(), "canary-B");
        assert!(!format!("{resolved:?}").contains("canary"));
        assert_eq!(options.resolve(|name| if name == "B" { Err(name) } else { Ok(()) }).unwrap_err(), "B");
    }

    #[test]
    fn the_schema_has_every_protocol() {
        let schema = serde_json::to_string(&schemars::schema_for!(ServerOptions<String>)).unwrap();
        for name in ["kserve_v2", "tf_serving", "kserve_v1", "mlflow", "torchserve", "signature_name"] {
            assert!(schema.contains(name), "{name}");
        }
    }
}
