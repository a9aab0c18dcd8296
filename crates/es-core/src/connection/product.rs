//! The product check, the version of the server, and the media types for it.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::error::server_error::ServerError;
use crate::error::{Error, ErrorKind};
use crate::request::BodyFormat;

/// The value of the header by which Elasticsearch identifies itself.
const PRODUCT: &str = "Elasticsearch";

/// The version of an Elasticsearch node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
    /// The patch number.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = Error;

    /// Reads `9.4.3` or `8.19.0-SNAPSHOT`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let numbers = text.split('-').next().unwrap_or_default();
        let mut parts = numbers.split('.').map(str::parse::<u32>);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Ok(Self { major, minor, patch }),
            _ => Err(Error::new(ErrorKind::Decode, format!("{text:?} is not a version of Elasticsearch"))),
        }
    }
}

/// The name, id and version of a cluster.
///
/// A user without the cluster privilege `monitor` may read none of them: name and id are then empty,
/// and of the version the major number is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterInfo {
    /// The cluster's name.
    pub cluster_name: String,
    /// The cluster's unique id.
    pub cluster_uuid: String,
    /// The version of the node that answered; where only its major number is known, the first of that
    /// major version.
    pub version: Version,
    /// False where of the version the major number alone is known.
    pub is_version_exact: bool,
}

#[derive(Deserialize)]
struct ClusterBody {
    cluster_name: String,
    cluster_uuid: String,
    version: VersionBody,
}

#[derive(Deserialize)]
struct VersionBody {
    number: String,
}

impl ClusterInfo {
    /// Reads the answer to `GET /`, and checks that it is a supported Elasticsearch, which identifies
    /// itself in the `X-Elastic-Product` header since 7.14.
    pub(crate) fn check(node: &str, product_header: Option<&str>, body: &[u8]) -> Result<Self, Error> {
        if product_header != Some(PRODUCT) {
            return Err(Error::new(
                ErrorKind::NotElasticsearch,
                format!("{node} answers, but it is not Elasticsearch"),
            )
            .with_help("another service listens on this port: check the address"));
        }
        let body: ClusterBody = serde_json::from_slice(body).map_err(|source| {
            Error::new(ErrorKind::Decode, format!("{node} does not say which version it is: {source}"))
                .with_source(source)
        })?;
        let version: Version = body.version.number.parse()?;
        check_supported(node, version.major, &version)?;
        let ClusterBody { cluster_name, cluster_uuid, .. } = body;
        Ok(Self { cluster_name, cluster_uuid, version, is_version_exact: true })
    }

    /// Asks for an answer in a version that no server has. Elasticsearch names those that it has before
    /// it looks at the user's privileges.
    pub(crate) fn of_no_version() -> Self {
        Self::of_major(99)
    }

    fn of_major(major: u32) -> Self {
        let version = Version { major, minor: 0, patch: 0 };
        Self { cluster_name: String::new(), cluster_uuid: String::new(), version, is_version_exact: false }
    }

    /// Reads the answer to a request as [`ClusterInfo::of_no_version`], such as `Accept version must be
    /// either version 9 or 8, but found 99`. `None` when it is another one.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedVersion`].
    pub(crate) fn of_refusal(node: &str, product_header: Option<&str>, body: &[u8]) -> Result<Option<Self>, Error> {
        let refusal = ServerError::parse(body)
            .filter(|error| product_header == Some(PRODUCT) && error.error_type == "media_type_header_exception");
        let major = refusal.and_then(|refusal| {
            let summary = refusal.summary();
            let (_, rest) = summary.split_once("must be either version ")?;
            rest.split(' ').next()?.parse().ok()
        });
        let Some(major) = major else { return Ok(None) };
        check_supported(node, major, &major)?;
        Ok(Some(Self::of_major(major)))
    }

    /// The version as far as it is known: `9.4.3`, or `9`.
    #[must_use]
    pub fn known_version(&self) -> String {
        match self.is_version_exact {
            true => self.version.to_string(),
            false => self.version.major.to_string(),
        }
    }

    /// The media type that pins the API to the server's major version.
    pub(crate) fn media_type(&self, format: BodyFormat) -> String {
        let name = match format {
            BodyFormat::Json => "json",
            BodyFormat::NdJson => "x-ndjson",
        };
        format!("application/vnd.elasticsearch+{name}; compatible-with={}", self.version.major)
    }
}

fn check_supported(node: &str, major: u32, version: &impl fmt::Display) -> Result<(), Error> {
    if (8..=9).contains(&major) {
        return Ok(());
    }
    let message = format!("{node} is Elasticsearch {version}, and versions 8 and 9 are supported");
    Err(Error::new(ErrorKind::UnsupportedVersion, message))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(version: &str) -> Vec<u8> {
        format!(r#"{{"name":"n","cluster_name":"c","cluster_uuid":"u","version":{{"number":"{version}"}}}}"#).into()
    }

    #[test]
    fn a_server_that_tells_no_version_is_known_by_those_that_it_answers_in() {
        let refusal = |reason: &str| {
            let cause = serde_json::json!({"type": "status_exception", "reason": reason});
            let error = serde_json::json!({"type": "media_type_header_exception", "reason": "Invalid media-type value",
                "caused_by": cause});
            serde_json::json!({"error": error, "status": 400}).to_string()
        };
        // As Elasticsearch 9.4.3 and 8.19.13 answer.
        for (reason, major) in [
            ("Accept version must be either version 9 or 8, but found 99. Accept=application/json", 9),
            ("Accept version must be either version 8 or 7, but found 99. Accept=application/json", 8),
        ] {
            let info = ClusterInfo::of_refusal("n", Some(PRODUCT), refusal(reason).as_bytes()).unwrap().unwrap();
            assert_eq!((info.version.major, info.known_version()), (major, major.to_string()));
            assert_eq!(ClusterInfo::of_refusal("n", None, refusal(reason).as_bytes()).unwrap(), None);
        }
        let next = refusal("Accept version must be either version 10 or 9, but found 99.");
        let error = ClusterInfo::of_refusal("n", Some(PRODUCT), next.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "n is Elasticsearch 10, and versions 8 and 9 are supported");
        for other in [&b"{}"[..], b"<html>", refusal("something else").as_bytes()] {
            assert_eq!(ClusterInfo::of_refusal("n", Some(PRODUCT), other).unwrap(), None);
        }
    }

    #[test]
    fn the_product_and_its_version_are_checked() {
        let header = Some("Elasticsearch");
        let check = |header, body: &[u8]| ClusterInfo::check("http://h:9200", header, body);
        let info = check(header, &body("9.4.3")).unwrap();
        assert_eq!(info.version, Version { major: 9, minor: 4, patch: 3 });
        assert_eq!(info.media_type(BodyFormat::NdJson), "application/vnd.elasticsearch+x-ndjson; compatible-with=9");
        assert_eq!(check(header, &body("8.19.0-SNAPSHOT")).unwrap().version.minor, 19);
        let table = [
            (None, body("9.4.3"), ErrorKind::NotElasticsearch),
            (Some("OpenSearch"), body("9.4.3"), ErrorKind::NotElasticsearch),
            (header, body("7.17.0"), ErrorKind::UnsupportedVersion),
            (header, body("10.0.0"), ErrorKind::UnsupportedVersion),
            (header, body("nine"), ErrorKind::Decode),
            (header, b"<html>".to_vec(), ErrorKind::Decode),
        ];
        for (header, body, kind) in table {
            assert_eq!(check(header, &body).unwrap_err().kind(), kind);
        }
    }

    proptest! {
            #[test]
            fn any_answer_is_elasticsearch_or_an_error(
                bytes: Vec<u8>,
                header in proptest::option::of("Elasticsearch|\\PC{0,9}"),
                number in "[0-9]{0,12}(\\.[0-9-]{0,12}){0,4}|\\PC{0,9}",
            ) {
                let _ = ClusterInfo::check("n", header.as_deref(), &bytes);
                let body = serde_json::json!({"cluster_name": "c", "cluster_uuid": "u", "version": {"number": number}});
                if let Ok(info) = ClusterInfo::check("n", header.as_deref(), body.to_string().as_bytes()) {
                    prop_assert!(header.as_deref() == Some("Elasticsearch") && (8..=9).contains(&info.version.major));
    prop_assert_eq!(info.version.to_string().parse::<Version>().unwrap(), info.version);
                }
            }
        }
}
