//! Names of pipelines, and the setting of an index that attaches one.

use std::fmt;

use es_core::IndexSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::definition::IngestPipeline;
use crate::error::{Error, ErrorKind};

/// The setting that attaches a pipeline to an index.
///
/// It is not `default_pipeline`: a request that names a pipeline of its own (`?pipeline=`, or `pipeline`
/// in an item of a bulk request) replaces the default one, and with `_none` there is none at all, so that
/// such documents would lack the change without a word. Nothing replaces the final one, which runs after
/// the one of the request.
pub const ATTACHED_BY: &str = "final_pipeline";

/// Digits of the fingerprint in a name.
const DIGITS: usize = 8;

/// The longest name, in bytes.
const LONGEST: usize = 255;

/// Characters that the server forbids in names, or takes for a list or a pattern.
const FORBIDDEN: [char; 11] = ['*', ',', '?', '"', '<', '>', '|', '\\', '/', '#', ':'];

/// The name of a pipeline on the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PipelineName(String);

impl PipelineName {
    /// The name of a pipeline of an asset: `{prefix}{asset}-{8 digits of the fingerprint}`.
    pub(super) fn of(prefix: &str, asset: &str, pipeline: &IngestPipeline) -> Result<Self, Error> {
        let digits: String = pipeline.fingerprint().to_string().chars().take(DIGITS).collect();
        Ok(Self(format!("{}{digits}", start(prefix, asset)?)))
    }

    pub(super) fn found(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The pipeline that is attached to an index, if one is.
    #[must_use]
    pub fn attached_to(settings: &IndexSettings) -> Option<Self> {
        let name = settings.get(ATTACHED_BY).and_then(Value::as_str)?;
        // The server's word for none.
        (name != "_none").then(|| Self::found(name))
    }

    /// Adds this pipeline to the settings of a new index.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when they attach another one.
    pub fn attach(&self, settings: IndexSettings) -> Result<IndexSettings, Error> {
        match Self::attached_to(&settings) {
            Some(other) if other != *self => {
                let message = format!("the settings of the index have the {ATTACHED_BY} {other} besides {self}");
                Err(Error::new(ErrorKind::Invalid, message)
                    .with_help("leave one of them out; a processor `pipeline` runs another pipeline inside of one"))
            }
            _ => Ok(settings.with(ATTACHED_BY, self.0.as_str())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PipelineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The start of the names of an asset's pipelines, without anything that the server takes for a pattern.
pub(super) fn start(prefix: &str, asset: &str) -> Result<String, Error> {
    let start = format!("{prefix}{asset}-");
    let invalid = |message: String| Error::new(ErrorKind::Invalid, message).with_help("use a-z, 0-9, - and _");
    if asset.is_empty() {
        return Err(invalid("the asset of an ingest pipeline has no name".to_owned()));
    }
    if start.len() + DIGITS > LONGEST {
        return Err(invalid(format!("the name {start} of an ingest pipeline has more than {LONGEST} bytes")));
    }
    let wrong = |c: &char| FORBIDDEN.contains(c) || c.is_whitespace() || c.is_control() || c.is_uppercase();
    match start.chars().find(wrong) {
        Some(wrong) => Err(invalid(format!("the name {start} of an ingest pipeline contains {wrong:?}"))),
        None => Ok(start),
    }
}

/// The path of one pipeline, or of those that a pattern matches.
pub(super) fn path(name: &str) -> String {
    use std::fmt::Write as _;
    let mut path = "/_ingest/pipeline/".to_owned();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'*' => path.push(char::from(byte)),
            // Writing to a text does not fail.
            other => drop(write!(path, "%{other:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pipeline() -> IngestPipeline {
        serde_json::from_value(json!({"processors": [{"drop": {}}]})).unwrap()
    }

    #[test]
    fn a_name_has_the_prefix_the_asset_and_eight_digits() {
        let name = PipelineName::of("ml-", "late_scores", &pipeline()).unwrap();
        let digits = name.as_str().strip_prefix("ml-late_scores-").unwrap();
        assert_eq!(digits.len(), 8);
        assert!(pipeline().fingerprint().to_string().starts_with(digits));
    }

    #[test]
    fn names_that_the_server_takes_for_patterns_are_refused() {
        for (prefix, asset, message) in [
            ("a*", "b", "the name a*b- of an ingest pipeline contains '*'"),
            ("a", "b,c", "the name ab,c- of an ingest pipeline contains ','"),
            ("a", "b c", "the name ab c- of an ingest pipeline contains ' '"),
            ("a", "", "the asset of an ingest pipeline has no name"),
        ] {
            assert_eq!(PipelineName::of(prefix, asset, &pipeline()).unwrap_err().to_string(), message);
        }
        assert!(PipelineName::of("a", &"b".repeat(250), &pipeline()).is_err());
        assert_eq!(path("é-1"), "/_ingest/pipeline/%C3%A9-1");
    }

    #[test]
    fn a_second_final_pipeline_is_refused() {
        let name = PipelineName::of("a-", "b", &pipeline()).unwrap();
        let plain = IndexSettings::default().with("number_of_shards", 1);
        let attached = name.attach(plain).unwrap();
        assert_eq!(PipelineName::attached_to(&attached).as_ref(), Some(&name));
        assert_eq!(name.attach(attached.clone()).unwrap(), attached);
        let other = IndexSettings::default().with("index.final_pipeline", "other");
        assert_eq!(name.attach(other).unwrap_err().kind(), ErrorKind::Invalid);
        let none = IndexSettings::default().with("final_pipeline", "_none");
        assert_eq!(PipelineName::attached_to(&none), None);
    }
}
