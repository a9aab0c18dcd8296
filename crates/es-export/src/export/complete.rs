//! The state of an export once all rows are read. Where files still wait to be encoded, a killed
//! export leaves it for the next one, which resumes without the server.
//!
//! It is written beside the files when the last row is read. A list of the encoded files grows
//! there, each once it is on disk; only files in the list are trusted.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use polars::prelude::Schema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tracing::{debug, info};

use super::state::{self, Finished, PartFile};
use super::{Export, plan};
use crate::commit::{self, Staging};
use crate::encode::Encoders;
use crate::error::Error;
use crate::read::Origin;
use crate::split::Split;
use crate::write::{schema_message, schema_of_message};

/// The names of what is known and of the encoded files in the staging folder.
const COMPLETE: &str = "complete.json";
const ENCODED: &str = "encoded.ndjson";

/// The state of an export once all rows are read.
#[derive(Serialize, Deserialize)]
pub(super) struct Complete {
    pub(super) source: Origin,
    /// The Elasticsearch types of the columns that were read.
    pub(super) field_types: Vec<(String, String)>,
    pub(super) split: Option<Split>,
    /// The columns that were written, those that are folders included.
    #[serde(serialize_with = "as_message", deserialize_with = "of_message")]
    pub(super) written: Schema,
    pub(super) finished: Finished,
    pub(super) encoders: Option<Encoders>,
}

/// The form of the state in the staging folder.
#[derive(Serialize, Deserialize)]
struct Left<C> {
    /// See [`plan::fingerprint`].
    fingerprint: String,
    complete: C,
}

fn as_message<S: Serializer>(schema: &Schema, serializer: S) -> Result<S::Ok, S::Error> {
    let message = schema_message(schema).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&BASE64.encode(message))
}

fn of_message<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Schema, D::Error> {
    let text = String::deserialize(deserializer)?;
    let message = BASE64.decode(text).map_err(serde::de::Error::custom)?;
    schema_of_message(&message).map_err(serde::de::Error::custom)
}

impl Complete {
    /// The state that a killed export left after it had read everything, and the files that are
    /// encoded already. `None` where there is none, or it is of another export, or files are missing.
    pub(super) fn left(
        export: &Export,
        cluster: &str,
        staging: &Staging,
    ) -> Result<Option<(Self, Vec<PartFile>)>, Error> {
        let Ok(bytes) = fs::read(staging.aside(COMPLETE)) else { return Ok(None) };
        let not_used = |why: &str| {
            debug!("the state of a killed export that had read all rows is not used: {why}");
            Ok(None)
        };
        let Ok(Left::<Self> { fingerprint, mut complete }) = serde_json::from_slice(&bytes) else {
            return not_used("it cannot be read");
        };
        if export.restart {
            return not_used("a start from scratch was requested");
        }
        if fingerprint != plan::fingerprint(export, cluster) {
            return not_used("it was another export");
        }
        let Some(finished) = complete.finished.with_groups(staging) else {
            return not_used("the groups of the split are missing");
        };
        complete.finished = finished;
        let encoded = encoded(staging);
        let spool = state::spool(staging);
        let Some(waiting) = complete.finished.files.get(encoded.len()..) else {
            return not_used("there are more files than were read");
        };
        let is_whole = encoded.iter().all(|PartFile { file, .. }| file.is_in(staging.files()))
            && waiting.iter().all(|PartFile { file, .. }| file.is_in(&spool));
        if !is_whole {
            return not_used("files are missing");
        }
        staging.keep_only(&spool, &state::paths(waiting))?;
        staging.keep_only(staging.files(), &state::paths(&encoded))?;
        complete.finished.resumed += 1;
        info!(files = encoded.len(), of = complete.finished.files.len(), "resuming an export that was killed");
        Ok(Some((complete, encoded)))
    }

    /// Writes the state atomically, before the first file is encoded.
    pub(super) fn save(&self, export: &Export, cluster: &str, staging: &Staging) -> Result<(), Error> {
        self.finished.save_groups(staging)?;
        let left = Left { fingerprint: plan::fingerprint(export, cluster), complete: self };
        let path = staging.aside(COMPLETE);
        let text = serde_json::to_vec(&left).map_err(io::Error::from);
        text.and_then(|text| commit::replace(&path, &text)).map_err(|source| Error::writing(&path, source))
    }
}

/// The files that are encoded, in the order of those that wait for it. A line that a kill has
/// cut off is no file.
fn encoded(staging: &Staging) -> Vec<PartFile> {
    let lines = fs::read_to_string(staging.aside(ENCODED)).unwrap_or_default();
    lines.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

/// The list of encoded files, a line a file.
pub(super) struct EncodedList {
    path: PathBuf,
    file: File,
}

impl EncodedList {
    /// Begins the list with the files that a killed export has encoded.
    pub(super) fn begin(staging: &Staging, encoded: &[PartFile]) -> Result<Self, Error> {
        let path = staging.aside(ENCODED);
        let text: io::Result<Vec<u8>> = encoded.iter().try_fold(Vec::new(), |mut text, file| {
            text.extend(line(file)?);
            Ok(text)
        });
        let file = text
            .and_then(|text| commit::replace(&path, &text))
            .and_then(|()| File::options().append(true).open(&path))
            .map_err(|source| Error::writing(&path, source))?;
        Ok(Self { path, file })
    }

    /// Adds a file that is on disk.
    pub(super) fn add(&mut self, file: &PartFile) -> Result<(), Error> {
        let added = line(file).and_then(|line| self.file.write_all(&line));
        added.map_err(|source| Error::writing(&self.path, source))
    }
}

fn line(file: &PartFile) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(file)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{DataType, TimeUnit, TimeZone};

    #[test]
    fn columns_come_back_as_they_were() {
        let list = |inner| DataType::List(Box::new(inner));
        let dtypes = [
            DataType::Boolean,
            DataType::Int8,
            DataType::Int64,
            DataType::UInt64,
            DataType::Float32,
            DataType::Float64,
            DataType::String,
            DataType::Binary,
            DataType::Date,
            DataType::Datetime(TimeUnit::Nanoseconds, None),
            DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)),
            DataType::Array(Box::new(DataType::Float32), 3),
            list(DataType::String),
            list(DataType::Struct(vec![polars::prelude::Field::new("a".into(), list(DataType::Int32))])),
        ];
        let named = |(place, dtype): (usize, DataType)| (format!("c{place}").into(), dtype);
        let schema: Schema = dtypes.into_iter().enumerate().map(named).collect();
        assert_eq!(schema_of_message(&schema_message(&schema).unwrap()).unwrap(), schema);
    }
}
