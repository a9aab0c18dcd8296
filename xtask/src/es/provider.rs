//! Chooses where an Elasticsearch comes from.
//!
//! The order: one that the environment names; a container, where a Docker
//! daemon answers and the image is to be had; else a local node.

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::docker;

/// The requested provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// ELASTICSEARCH_URL if it is set, else Docker, else a local node
    Auto,
    /// A container
    Docker,
    /// A node on this machine, assembled from Maven Central
    Local,
}

/// The source of the Elasticsearch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Provider {
    /// One that somebody else runs.
    External { url: String },
    /// A container of this image.
    Docker { image: String },
    /// A node on this machine.
    Local,
}

/// Why a container is out of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoContainer {
    NoDaemon,
    NoImage(String),
}

impl std::fmt::Display for NoContainer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoDaemon => formatter.write_str("no Docker daemon answers"),
            Self::NoImage(image) => {
                write!(formatter, "the image {image} is not available (`cargo xtask es image` builds one)")
            }
        }
    }
}

/// Chooses for this machine; `url` is the Elasticsearch that the environment names.
pub(crate) fn choose(choice: Choice, es_version: &str, url: Option<String>) -> Result<Provider> {
    decide(choice, url, || docker::usable_image(es_version))
}

/// The provider of a node that belongs to one command, whatever the environment names.
pub(crate) fn own(es_version: &str) -> Choice {
    match docker::usable_image(es_version) {
        Ok(_) => Choice::Docker,
        Err(_) => Choice::Local,
    }
}

/// The decision; `find_image` is asked only where the answer matters.
fn decide(
    choice: Choice,
    url: Option<String>,
    find_image: impl FnOnce() -> Result<String, NoContainer>,
) -> Result<Provider> {
    match (choice, url) {
        (Choice::Auto, Some(url)) => Ok(Provider::External { url }),
        (Choice::Auto, None) => Ok(match find_image() {
            Ok(image) => Provider::Docker { image },
            Err(reason) => {
                eprintln!("using a local node: {reason}");
                Provider::Local
            }
        }),
        (Choice::Docker, _) => match find_image() {
            Ok(image) => Ok(Provider::Docker { image }),
            Err(reason) => bail!("cannot use a container: {reason}"),
        },
        (Choice::Local, _) => Ok(Provider::Local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_environment_container_local() {
        let url = || Some("http://es:9200".to_owned());
        let image = || Ok("img:1".to_owned());
        let none = || Err(NoContainer::NoDaemon);
        let external = Provider::External { url: "http://es:9200".into() };
        let docker = Provider::Docker { image: "img:1".into() };
        assert_eq!(decide(Choice::Auto, url(), image).unwrap(), external);
        assert_eq!(decide(Choice::Auto, None, image).unwrap(), docker);
        assert_eq!(decide(Choice::Auto, None, none).unwrap(), Provider::Local);
        assert_eq!(decide(Choice::Docker, url(), image).unwrap(), docker);
        assert_eq!(decide(Choice::Local, url(), image).unwrap(), Provider::Local);
    }

    #[test]
    fn a_container_that_was_asked_for_by_name_is_not_replaced() {
        let error = decide(Choice::Docker, None, || Err(NoContainer::NoImage("x:1".into())));
        assert_eq!(
            error.unwrap_err().to_string(),
            "cannot use a container: the image x:1 is not available (`cargo xtask es image` builds one)"
        );
    }
}
