//! A version of a model: its file or place, its signature, and its origin.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::checksum::Checksum;
use super::folder::StoredFile;
use super::names::check_name;
use crate::embedding::TextEncoder;
use crate::error::{Error, ErrorKind};
use crate::signature::Signature;

/// Numbers that say how good a version is: by metric, then by the part of the data that it was
/// measured on, such as `auc` on `test`.
pub type Metrics = BTreeMap<String, BTreeMap<String, f64>>;

/// The format of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelFormat {
    /// A file in the format ONNX.
    Onnx,
    /// No file: the model lives at a server.
    Served,
}

/// The place of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// A file of the [`ModelFolder`](super::ModelFolder), as a path relative to it.
    File(String),
    /// Anything else, such as an object in a bucket, or the address of a server.
    Uri(String),
}

/// The training set of a version, by the manifest of its export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingSet {
    /// The path of the manifest, as it was given.
    pub manifest: String,
    /// The checksum of the manifest, which has those of all its files.
    pub sha256: Checksum,
}

/// A registered version. Nothing of it changes but its retirement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The model's name.
    pub model: String,
    /// The number: 1, 2, 3 and so on, without gaps.
    pub number: u32,
    /// The format.
    pub format: ModelFormat,
    /// The place.
    pub location: Location,
    /// The checksum of the file. None where a place was given without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Checksum>,
    /// The size of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The columns that it takes, and the tensors.
    pub signature: Signature,
    /// The encoders of the training manifest, as they stand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoders: Option<Value>,
    /// The way from a text to its vector, of a model of texts. Its tokenizer is a file of the
    /// [`ModelFolder`](super::ModelFolder).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextEncoder>,
    /// The training set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingSet>,
    /// The numbers that say how good it is.
    #[serde(default)]
    pub metrics: Metrics,
    /// Names with texts.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// A text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who registered it, as they say.
    pub by: String,
    /// When it was registered, in UTC.
    pub at: Timestamp,
    /// The run that registered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Its retirement, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retirement: Option<Retirement>,
}

/// The note that a version is not to be used any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retirement {
    /// A name that no other retirement has.
    pub id: String,
    /// Who retired it, as they say.
    pub by: String,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When, in UTC.
    pub at: Timestamp,
    /// False from when it was begun until it is sure that no alias points to the version. No alias
    /// moves there meanwhile. It stays false if the process is killed in between; retiring again
    /// finishes it.
    pub is_complete: bool,
}

/// A version to be registered.
///
/// ```
/// use es_serving::Signature;
/// use es_serving::registry::NewVersion;
///
/// let version = NewVersion::served("late", "https://models.example.org/v2/models/late", Signature::default())
///     .by("ana")
///     .with_metric("auc", "test", 0.91)
///     .with_tag("algorithm", "gradient boosting");
/// assert_eq!(version.metrics["auc"]["test"], 0.91);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewVersion {
    /// See [`Version::model`].
    pub model: String,
    /// See [`Version::format`].
    pub format: ModelFormat,
    /// See [`Version::location`].
    pub location: Location,
    /// See [`Version::sha256`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Checksum>,
    /// See [`Version::bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// See [`Version::signature`].
    pub signature: Signature,
    /// See [`Version::encoders`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoders: Option<Value>,
    /// See [`Version::text`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextEncoder>,
    /// See [`Version::training`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingSet>,
    /// See [`Version::metrics`].
    #[serde(default)]
    pub metrics: Metrics,
    /// See [`Version::tags`].
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// See [`Version::description`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`Version::by`].
    pub by: String,
    /// See [`Version::run`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// The outcome of a registration.
#[derive(Clone, Debug, PartialEq)]
pub enum Registered {
    /// The version is new.
    New(Version),
    /// There was a version of the same file or place, signature and encoders, of columns and of texts.
    Existing {
        /// The version, as it was registered first.
        version: Version,
        /// The fields of the new one that are not as they are there, and that were not taken.
        not_taken: Vec<&'static str>,
    },
}

impl Registered {
    /// The version.
    pub fn version(&self) -> &Version {
        match self {
            Self::New(version) | Self::Existing { version, .. } => version,
        }
    }
}

impl NewVersion {
    /// A model in a file of the folder.
    pub fn onnx(model: impl Into<String>, file: &StoredFile, signature: Signature) -> Self {
        let new = Self::at(model.into(), ModelFormat::Onnx, Location::File(file.path.clone()), signature);
        Self { sha256: Some(file.sha256), bytes: Some(file.bytes), ..new }
    }

    /// A model in a file elsewhere.
    pub fn onnx_at(model: impl Into<String>, uri: impl Into<String>, signature: Signature) -> Self {
        Self::at(model.into(), ModelFormat::Onnx, Location::Uri(uri.into()), signature)
    }

    /// A model at a server.
    pub fn served(model: impl Into<String>, uri: impl Into<String>, signature: Signature) -> Self {
        Self::at(model.into(), ModelFormat::Served, Location::Uri(uri.into()), signature)
    }

    fn at(model: String, format: ModelFormat, location: Location, signature: Signature) -> Self {
        Self {
            model,
            format,
            location,
            sha256: None,
            bytes: None,
            signature,
            encoders: None,
            text: None,
            training: None,
            metrics: Metrics::new(),
            tags: BTreeMap::new(),
            description: None,
            by: String::new(),
            run: None,
        }
    }

    /// Sets who registers it.
    #[must_use]
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = who.into();
        self
    }

    /// Sets the run that registers it.
    #[must_use]
    pub fn in_run(mut self, run: impl Into<String>) -> Self {
        self.run = Some(run.into());
        self
    }

    /// Sets the encoders.
    #[must_use]
    pub fn with_encoders(mut self, encoders: Value) -> Self {
        self.encoders = Some(encoders).filter(|encoders| !encoders.is_null());
        self
    }

    /// Sets the way from a text to its vector, with a tokenizer of the folder
    /// ([`ModelFolder::put_tokenizer`](super::ModelFolder::put_tokenizer)).
    #[must_use]
    pub fn with_text(mut self, encoder: TextEncoder) -> Self {
        self.text = Some(encoder);
        self
    }

    /// Sets the training set.
    #[must_use]
    pub fn with_training(mut self, manifest: impl Into<String>, sha256: Checksum) -> Self {
        self.training = Some(TrainingSet { manifest: manifest.into(), sha256 });
        self
    }

    /// Adds a metric, measured on a part of the data.
    #[must_use]
    pub fn with_metric(mut self, metric: impl Into<String>, part: impl Into<String>, value: f64) -> Self {
        self.metrics.entry(metric.into()).or_default().insert(part.into(), value);
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.tags.insert(name.into(), text.into());
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn with_description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Checks all that can be checked without the registry.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |message: String| Error::new(ErrorKind::Invalid, message);
        check_name("model", &self.model)?;
        if self.by.trim().is_empty() {
            return Err(invalid(format!("it is not said who registers a version of {}", self.model))
                .with_help("set NewVersion::by"));
        }
        for (metric, parts) in &self.metrics {
            if let Some((part, value)) = parts.iter().find(|(_, value)| !value.is_finite()) {
                return Err(invalid(format!("the metric {metric} on {part} is {value}, and not a finite number"))
                    .with_help("leave out a metric that could not be measured"));
            }
        }
        match (&self.location, self.format) {
            (Location::File(path), ModelFormat::Onnx) => {
                let Some(sha256) = self.sha256 else {
                    return Err(invalid(format!("the file {path} has no checksum"))
                        .with_help("put the file into the folder with ModelFolder::put"));
                };
                let expected = StoredFile::path_of(sha256);
                if *path != expected {
                    return Err(invalid(format!(
                        "a file of the checksum {sha256} is at {expected}, and not at {path}"
                    )));
                }
            }
            (Location::File(path), ModelFormat::Served) => {
                return Err(invalid(format!("a model at a server has an address, and not the file {path}"))
                    .with_help("use NewVersion::served"));
            }
            (Location::Uri(uri), _) => check_uri(uri)?,
        }
        if let Some(text) = &self.text {
            text.check()?;
            let (found, expected) = (&text.tokenizer.path, StoredFile::tokenizer_path_of(text.tokenizer.sha256));
            if *found != expected {
                return Err(invalid(format!("the tokenizer of this checksum is at {expected}, and not at {found}"))
                    .with_help("put the file into the folder with ModelFolder::put_tokenizer"));
            }
            if self.format == ModelFormat::Served {
                return Err(invalid("a model at a server has its own tokenizer, and no text encoder".to_owned())
                    .with_help("use NewVersion::onnx"));
            }
        }
        Ok(())
    }

    /// The checksum of what makes two registrations the same version.
    pub(crate) fn content(&self) -> Checksum {
        // A file is known by its bytes, wherever it is.
        let model = match self.sha256 {
            Some(sha256) => json!(sha256),
            None => json!(self.location),
        };
        let mut content = json!({
            "format": self.format, "model": model, "signature": self.signature, "encoders": self.encoders
        });
        // Versions without one have the checksums that they had before there were any.
        if let Some(text) = &self.text {
            content["text"] = json!(text);
        }
        Checksum::of_json(&content)
    }

    pub(crate) fn into_version(self, number: u32, at: Timestamp) -> Version {
        let Self { model, format, location, sha256, bytes, signature, encoders, text, .. } = self;
        let Self { training, metrics, tags, description, by, run, .. } = self;
        Version {
            model,
            number,
            format,
            location,
            sha256,
            bytes,
            signature,
            encoders,
            text,
            training,
            metrics,
            tags,
            description,
            by,
            at,
            run,
            retirement: None,
        }
    }

    /// The fields beyond its content in which it differs from a registered version.
    pub(crate) fn differences(&self, version: &Version) -> Vec<&'static str> {
        let fields = [
            ("location", self.location == version.location),
            ("training", self.training == version.training),
            ("metrics", self.metrics == version.metrics),
            ("tags", self.tags == version.tags),
            ("description", self.description == version.description),
        ];
        fields.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
    }
}

impl From<Version> for NewVersion {
    /// The version, to be registered elsewhere.
    fn from(version: Version) -> Self {
        let Version { model, format, location, sha256, bytes, signature, encoders, text, .. } = version;
        let Version { training, metrics, tags, description, by, run, .. } = version;
        Self {
            model,
            format,
            location,
            sha256,
            bytes,
            signature,
            encoders,
            text,
            training,
            metrics,
            tags,
            description,
            by,
            run,
        }
    }
}

impl Version {
    /// Returns whether it was retired, and the retirement is complete.
    pub fn is_retired(&self) -> bool {
        self.retirement.as_ref().is_some_and(|retirement| retirement.is_complete)
    }
}

/// Refuses what is no URI, and one with a password, which every reader of the registry would see.
fn check_uri(uri: &str) -> Result<(), Error> {
    let Ok(parsed) = reqwest::Url::parse(uri) else {
        return Err(Error::new(ErrorKind::Invalid, format!("`{uri}` is not a URI"))
            .with_help("write it with its scheme, such as s3://bucket/model.onnx"));
    };
    if parsed.password().is_some() {
        let host = parsed.host_str().unwrap_or_default();
        return Err(Error::new(ErrorKind::Invalid, format!("the URI of a model at {host} contains a password"))
            .with_help("leave it out: everybody who may read the registry would see it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::Pooling;

    fn file(content: &[u8]) -> StoredFile {
        let sha256 = Checksum::of(content);
        StoredFile { path: StoredFile::path_of(sha256), sha256, bytes: content.len() as u64 }
    }

    fn version() -> NewVersion {
        NewVersion::onnx("late", &file(b"a"), Signature::default()).by("ana")
    }

    #[test]
    fn each_contradiction_is_named() {
        let sum = Checksum::of(b"a");
        let table: Vec<(NewVersion, String)> = vec![
            (NewVersion { model: "Late".into(), ..version() }, "the model name `Late` contains 'L'".into()),
            (version().by(" "), "it is not said who registers a version of late".into()),
            (
                version().with_metric("auc", "test", f64::NAN),
                "the metric auc on test is NaN, and not a finite number".into(),
            ),
            (NewVersion { sha256: None, ..version() }, format!("the file {} has no checksum", file(b"a").path)),
            (
                NewVersion { location: Location::File("a.onnx".into()), ..version() },
                format!("a file of the checksum {sum} is at {}, and not at a.onnx", file(b"a").path),
            ),
            (
                NewVersion { format: ModelFormat::Served, ..version() },
                format!("a model at a server has an address, and not the file {}", file(b"a").path),
            ),
            (NewVersion::served("late", "models", Signature::default()).by("ana"), "`models` is not a URI".into()),
            (
                NewVersion::served("late", "https://ana:secret@models.example.org/late", Signature::default())
                    .by("ana"),
                "the URI of a model at models.example.org contains a password".into(),
            ),
        ];
        for (version, message) in table {
            let error = version.check().unwrap_err();
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Invalid, message));
        }
        version().with_metric("auc", "test", 0.9).check().unwrap();
        NewVersion::onnx_at("late", "s3://models/late.onnx", Signature::default()).by("ana").check().unwrap();
    }

    #[test]
    fn file_signature_and_encoders_make_the_content_and_nothing_else_does() {
        let base = version().with_encoders(json!({"a": 1, "b": 2}));
        let same = [
            base.clone().with_metric("auc", "test", 0.5).with_tag("a", "b").by("ben").in_run("r").with_description("d"),
            NewVersion { location: Location::Uri("s3://models/late.onnx".into()), ..base.clone() },
            base.clone().with_encoders(json!({"b": 2, "a": 1})),
        ];
        for same in same {
            assert_eq!(same.content(), base.content());
        }
        let column =
            crate::InputColumn { name: "a".into(), datatype: crate::open_inference::Datatype::Fp32, nullable: false };
        let different = [
            NewVersion { sha256: Some(Checksum::of(b"b")), ..base.clone() },
            NewVersion { signature: Signature { columns: vec![column], ..Signature::default() }, ..base.clone() },
            base.clone().with_encoders(json!({"a": 1})),
            version(),
        ];
        for different in different {
            assert_ne!(different.content(), base.content());
        }
        let served = |uri: &str| NewVersion::served("late", uri, Signature::default()).content();
        assert_ne!(served("http://a/late"), served("http://b/late"));
    }

    #[test]
    fn a_text_encoder_is_content_and_versions_without_one_are_as_before() {
        let base = version().with_encoders(json!({"a": 1}));
        let before = json!({
            "format": "onnx", "model": file(b"a").sha256, "signature": Signature::default(), "encoders": {"a": 1}
        });
        assert_eq!(base.content(), Checksum::of_json(&before));
        let sha256 = Checksum::of(b"t");
        let tokenizer = StoredFile { path: StoredFile::tokenizer_path_of(sha256), sha256, bytes: 1 };
        let encoder = TextEncoder::new(tokenizer, Pooling::Mean, 64.try_into().unwrap());
        let with = base.clone().with_text(encoder.clone());
        with.check().unwrap();
        assert_ne!(with.content(), base.content());
        let other = base.clone().with_text(TextEncoder { pooling: Pooling::Cls, ..encoder });
        assert_ne!(other.content(), with.content());
        let written = |new: NewVersion| serde_json::to_value(new.into_version(1, Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(written(base).get("text"), None);
        let read: Version = serde_json::from_value(written(with.clone())).unwrap();
        assert_eq!(NewVersion::from(read), with);
    }

    #[test]
    fn what_an_existing_version_does_not_take_is_named() {
        let registered = version().with_metric("auc", "test", 0.5).into_version(1, Timestamp::UNIX_EPOCH);
        assert!(version().with_metric("auc", "test", 0.5).by("ben").differences(&registered).is_empty());
        let other = version().with_tag("a", "b").with_training("out/_manifest.json", Checksum::of(b"m"));
        assert_eq!(other.differences(&registered), ["training", "metrics", "tags"]);
    }

    #[test]
    fn a_version_is_read_as_it_is_written() {
        let new = version().with_metric("auc", "test", 0.1 + 0.2).with_encoders(json!({"big": u64::MAX, "f": 1e-7}));
        let version = new.into_version(3, "2026-11-27T10:00:00.123456789Z".parse().unwrap());
        let text = serde_json::to_string(&version).unwrap();
        assert_eq!(serde_json::from_str::<Version>(&text).unwrap(), version);
    }
}
