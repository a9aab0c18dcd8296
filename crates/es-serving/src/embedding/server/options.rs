//! The options of an embedding server. The resolution of secrets is left to the caller.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};

use es_core::Secret;
use es_values::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::embedding::encoder::{Prefixes, Purpose};
use crate::error::{Error, ErrorKind};
use crate::server::options::{
    BreakerOptions, Endpoint, Retries, Timeouts, check_url, default_in_flight, default_max_body_bytes,
};

/// A model at an embedding server, and the limits of requests to it.
///
/// `S` is the type of secrets: a reference to one in a file, [`Secret`] once it is resolved, for which
/// [`EmbeddingServerOptions::resolve`] is there.
///
/// ```
/// use es_core::Secret;
/// use es_serving::embedding::EmbeddingServerOptions;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options: EmbeddingServerOptions<String> = serde_json::from_str(
///     r#"{"url": "https://api.example/v1", "model": "e5-small", "token": "EMBEDDING_TOKEN"}"#,
/// )?;
/// let options = options.resolve(|name| match name.as_str() {
///     "EMBEDDING_TOKEN" => Ok(Secret::new("hush")),
///     other => Err(format!("{other} is not set")),
/// })?;
/// assert!(format!("{options:?}").contains("[redacted]"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(serialize = "S: Serialize", deserialize = "S: Deserialize<'de>"))]
pub struct EmbeddingServerOptions<S = Secret> {
    /// The protocol that the server speaks.
    #[serde(default)]
    pub protocol: EmbeddingProtocol,
    /// The address of the server. Without a path, `/v1/embeddings` is asked there; otherwise `/embeddings` after
    /// it, as the clients of OpenAI take their base address.
    #[schemars(extend("pattern" = "^https?://"))]
    pub url: String,
    /// The name of the model at the server.
    pub model: String,
    /// A token that is sent as `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<S>,
    /// Headers to send with every request, such as a token for a gateway.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, S>,
    /// The length of vectors to ask for, of a model that has several. Default: that of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<NonZeroU32>,
    /// Texts that the model is given before each text, where the server does not add them itself.
    #[serde(default, skip_serializing_if = "Prefixes::is_empty")]
    pub prefixes: Prefixes,
    /// Values of the field `input_type` of a request, for servers that tell texts from questions by it.
    /// Default: the field is not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_types: Option<InputTypes>,
    /// The limits of a request.
    #[serde(default)]
    pub batch: RequestBatch,
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

/// A protocol of embedding servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EmbeddingProtocol {
    /// `POST /v1/embeddings` as OpenAI has it, and many other servers.
    #[default]
    Openai,
}

/// Values of the field `input_type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputTypes {
    /// For texts that are found, such as `passage` or `document`.
    pub passage: String,
    /// For texts that are searched for, such as `query`.
    pub query: String,
}

/// The limits of the texts of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RequestBatch {
    /// The greatest number of texts.
    pub texts: NonZeroUsize,
    /// The greatest size of the texts together. A single text may be larger.
    pub bytes: ByteSize,
}

impl Default for RequestBatch {
    /// 32 texts, which is the limit of text-embeddings-inference.
    fn default() -> Self {
        Self { texts: const { NonZeroUsize::new(32).unwrap() }, bytes: ByteSize::bytes(256 << 10) }
    }
}

impl InputTypes {
    pub(super) fn of(&self, purpose: Purpose) -> &str {
        match purpose {
            Purpose::Passage => &self.passage,
            Purpose::Query => &self.query,
        }
    }
}

impl<S> EmbeddingServerOptions<S> {
    /// The model at this address, with default limits.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            protocol: EmbeddingProtocol::default(),
            url: url.into(),
            model: model.into(),
            token: None,
            headers: BTreeMap::new(),
            dimensions: None,
            prefixes: Prefixes::default(),
            input_types: None,
            batch: RequestBatch::default(),
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            breaker: BreakerOptions::default(),
            max_body_bytes: default_max_body_bytes(),
            in_flight: default_in_flight(),
        }
    }

    /// The same options with secrets of another type, such as those that references stand for.
    ///
    /// # Errors
    /// The first of `secret`.
    pub fn resolve<T, E>(self, mut secret: impl FnMut(S) -> Result<T, E>) -> Result<EmbeddingServerOptions<T>, E> {
        let token = self.token.map(&mut secret).transpose()?;
        let headers =
            self.headers.into_iter().map(|(name, value)| Ok((name, secret(value)?))).collect::<Result<_, E>>()?;
        Ok(EmbeddingServerOptions {
            protocol: self.protocol,
            url: self.url,
            model: self.model,
            token,
            headers,
            dimensions: self.dimensions,
            prefixes: self.prefixes,
            input_types: self.input_types,
            batch: self.batch,
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
    /// [`ErrorKind::ServerOptions`] for an address that is none, and without the name of a model.
    pub fn check(&self) -> Result<(), Error> {
        check_url(&self.url)?;
        if self.model.is_empty() {
            return Err(Error::new(ErrorKind::ServerOptions, "the name of the model at the server is empty")
                .with_help("GET /v1/models lists those of most servers"));
        }
        Ok(())
    }

    /// The segments of the path after the address.
    pub(super) fn path(&self) -> &'static [&'static str] {
        let has_path = reqwest::Url::parse(&self.url).is_ok_and(|url| url.path() != "/");
        if has_path { &["embeddings"] } else { &["v1", "embeddings"] }
    }
}

impl EmbeddingServerOptions {
    pub(super) fn endpoint(&self) -> Endpoint<'_> {
        Endpoint {
            options: "EmbeddingServerOptions",
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_read_and_written_with_their_defaults() {
        let value = json!({
            "protocol": "openai", "url": "https://h/openai/v1", "model": "m", "token": "A", "headers": {"x-key": "B"},
            "dimensions": 256, "prefixes": {"query": "query: "}, "batch": {"texts": 8}, "in_flight": 2,
            "timeouts": {"request": "5s"}, "input_types": {"passage": "document", "query": "query"}
        });
        let options: EmbeddingServerOptions<String> = serde_json::from_value(value).unwrap();
        options.check().unwrap();
        assert_eq!(
            (options.batch.bytes, options.timeouts.connect),
            (RequestBatch::default().bytes, Timeouts::default().connect)
        );
        let read = serde_json::from_value::<EmbeddingServerOptions<String>>(serde_json::to_value(&options).unwrap());
        assert_eq!(read.unwrap(), options);
        let resolved = options.clone().resolve(|name| Ok::<_, ()>(Secret::new(format!("canary-{name}")))).unwrap();
        assert_eq!((resolved.headers["x-key"].expose(), resolved.in_flight.get()), ("canary-B", 2));
        assert!(!format!("{resolved:?}").contains("canary"));
        assert_eq!(options.resolve(|name| if name == "B" { Err(name) } else { Ok(()) }).unwrap_err(), "B");
        let unknown = json!({"url": "http://h", "model": "m", "version": "1"});
        assert!(serde_json::from_value::<EmbeddingServerOptions<String>>(unknown).is_err());
    }

    #[test]
    fn each_mistake_is_named_without_the_secret() {
        let table = [
            ("models.example", "m", "`models.example` is not the address of a server"),
            ("http://u:canary@h", "m", "the address of h has a user or a password in it"),
            ("http://h/v1?key=canary", "m", "the address of h has a query or a fragment"),
            ("http://h", "", "the name of the model at the server is empty"),
        ];
        for (url, model, message) in table {
            let error = EmbeddingServerOptions::<String>::new(url, model).check().unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::ServerOptions, message));
        }
    }

    #[test]
    fn the_path_is_that_of_the_clients_of_openai() {
        let path = |url: &str| EmbeddingServerOptions::<String>::new(url, "m").path().join("/");
        for (url, expected) in [
            ("http://h:8000", "v1/embeddings"),
            ("http://h:8000/", "v1/embeddings"),
            ("http://h/v1", "embeddings"),
            ("https://gateway/openai/v1/", "embeddings"),
        ] {
            assert_eq!(path(url), expected, "{url}");
        }
    }
}
