//! The first contact: finds a node that answers, and identifies it as Elasticsearch.

use bytes::Bytes;
use url::Url;

use crate::connection::access::Access;
use crate::connection::diagnosis::printable;
use crate::connection::product::ClusterInfo;
use crate::connection::transport::{Answer, Transport};
use crate::error::server_error::ServerError;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};

/// Finds a node that answers. A person waits for the first answer, so every node is tried once, without
/// retries.
pub(super) async fn first_answer(transport: &Transport, urls: &[Url], access: &Access) -> Result<ClusterInfo, Error> {
    let hello = Request::new(Method::Get, "/");
    let mut first: Option<(Error, &Url)> = None;
    for url in urls {
        let error = match transport.attempt(&hello, &Bytes::new(), url, access, None).await {
            Ok(answer) => match identify(transport, &hello, &answer, url, access) {
                Err(error) if error.kind() == ErrorKind::Forbidden => {
                    return match by_its_versions(transport, &hello, url, access).await {
                        Ok(Some(info)) => Ok(info),
                        Err(other) if other.kind() == ErrorKind::UnsupportedVersion => Err(other),
                        _ => Err(error),
                    };
                }
                Err(error) if error.is_retryable() => error,
                decided => return explained(transport, decided, url).await,
            },
            Err(error) => error,
        };
        first.get_or_insert((error, url));
    }
    match first {
        Some((error, url)) => Err(transport.explain(error, url).await),
        None => Err(Error::new(ErrorKind::Config, "the list of Elasticsearch hosts is empty")),
    }
}

async fn explained(transport: &Transport, found: Result<ClusterInfo, Error>, url: &Url) -> Result<ClusterInfo, Error> {
    match found {
        Ok(info) => Ok(info),
        Err(error) => Err(transport.explain(error, url).await),
    }
}

/// Identifies a server that does not let the user read its version.
async fn by_its_versions(
    transport: &Transport,
    hello: &Request,
    url: &Url,
    access: &Access,
) -> Result<Option<ClusterInfo>, Error> {
    let no_version = ClusterInfo::of_no_version();
    let answer = transport.attempt(hello, &Bytes::new(), url, access, Some(&no_version)).await?;
    ClusterInfo::of_refusal(&printable(url), answer.product(), &answer.body)
}

/// Identifies the server that answered.
pub(super) fn identify(
    transport: &Transport,
    hello: &Request,
    answer: &Answer,
    url: &Url,
    access: &Access,
) -> Result<ClusterInfo, Error> {
    let product = answer.product();
    // A proxy that requires credentials, or finds no node behind it, sends no product header; neither
    // does Elasticsearch where the user may not even read its version. Redirects have their own error.
    let is_refused = || ServerError::parse(&answer.body).is_some_and(|error| error.error_type == "security_exception");
    let is_known = product.is_some()
        || answer.location().is_some()
        || matches!(answer.status, 401 | 407 | 429 | 502..=504)
        || (answer.status == 403 && is_refused());
    if !answer.is_success() && is_known {
        return Err(transport.failure(hello, answer, url, access));
    }
    ClusterInfo::check(&printable(url), product, &answer.body)
}
