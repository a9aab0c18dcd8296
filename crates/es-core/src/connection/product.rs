//! The product check, the version of the server, and the media types for it.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::request::BodyFormat;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterInfo {
    /// The cluster's name.
    pub cluster_name: String,
    /// The cluster's unique id.
    pub cluster_uuid: String,
    /// The version of the node that answered.
    pub version: Version,
}

#[derive(Deserialize)]
struct InfoBody {
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
        if product_header != Some("Elasticsearch") {
            return Err(Error::new(
                ErrorKind::NotElasticsearch,
                format!("{node} answers, but it is not Elasticsearch"),
            )
            .with_help("another service listens on this port: check the address"));
        }
        let body: InfoBody = serde_json::from_slice(body).map_err(|source| {
            Error::new(ErrorKind::Decode, format!("{node} does not say which version it is: {source}"))
                .with_source(source)
        })?;
        let version: Version = body.version.number.parse()?;
        if !(8..=9).contains(&version.major) {
            return Err(Error::new(
                ErrorKind::UnsupportedVersion,
                format!("{node} is Elasticsearch {version}, and versions 8 and 9 are supported"),
            ));
        }
        Ok(Self { cluster_name: body.cluster_name, cluster_uuid: body.cluster_uuid, version })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(version: &str) -> Vec<u8> {
        format!(r#"{{"name":"n","cluster_name":"c","cluster_uuid":"u","version":{{"number":"{version}"}}}}"#).into()
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
