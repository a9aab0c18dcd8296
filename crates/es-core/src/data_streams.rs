//! Data streams, and the retention of their documents.
//!
//! A cluster without the module answers every request here with
//! [`crate::ErrorKind::FeatureMissing`]. A data stream is created from an index template with
//! `data_stream`: see [`crate::templates::IndexTemplate`].
//!
//! ```no_run
//! use es_core::data_streams::DataLifecycle;
//! use std::time::Duration;
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_core::Error> {
//! let streams = client.data_streams();
//! streams.create("flights").await?;
//! let month = Duration::from_secs(30 * 24 * 3600);
//! streams.put_lifecycle("flights", &DataLifecycle::keep(month)).await?;
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

use elasticsearch::indices::{
    IndicesCreateDataStreamParts, IndicesDeleteDataLifecycleParts, IndicesDeleteDataStreamParts,
    IndicesGetDataLifecycleParts, IndicesGetDataStreamParts, IndicesPutDataLifecycleParts,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::Client;
use crate::error::absent::Optional;
use crate::error::{Error, ErrorKind};
use crate::indices::{Rollover, RolloverConditions, RolloverMode, require_exact_name};
use crate::request::{Method, Request};
use crate::units::optional_age;

/// The retention of a data stream. Unknown keys are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataLifecycle {
    /// Enables the lifecycle of the data stream. The server's default: yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The minimum time that each document is kept. Default: no limit.
    #[serde(default, with = "optional_age", skip_serializing_if = "Option::is_none")]
    pub data_retention: Option<Duration>,
    /// The retention in force after the limits of the cluster; set by the server.
    #[serde(default, with = "optional_age", skip_serializing)]
    pub effective_retention: Option<Duration>,
    /// The source of that retention; set by the server.
    #[serde(default, skip_serializing)]
    pub retention_determined_by: Option<String>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl DataLifecycle {
    /// Keeps documents for at least this time.
    pub fn keep(retention: Duration) -> Self {
        Self { data_retention: Some(retention), ..Self::default() }
    }
}

/// A data stream of the cluster.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DataStream {
    /// Its name.
    pub name: String,
    /// The field that holds each document's time.
    pub timestamp_field: TimestampField,
    /// Its indices, the oldest first; the last one is written to.
    pub indices: Vec<BackingIndex>,
    /// The number of indices it has had.
    pub generation: u64,
    /// The health of its worst index: `GREEN`, `YELLOW`, `RED`.
    pub status: String,
    /// The index template that it was created from.
    #[serde(default)]
    pub template: Option<String>,
    /// The lifecycle policy of new indices.
    #[serde(default)]
    pub ilm_policy: Option<String>,
    /// Its lifecycle, if it has one.
    #[serde(default)]
    pub lifecycle: Option<DataLifecycle>,
    /// `true` if patterns do not match it.
    #[serde(default)]
    pub hidden: bool,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The time field of a data stream.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TimestampField {
    /// Its name.
    pub name: String,
}

/// One index of a data stream.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BackingIndex {
    /// Its name.
    pub index_name: String,
    /// Its unique id.
    pub index_uuid: String,
    /// Its lifecycle policy.
    #[serde(default)]
    pub ilm_policy: Option<String>,
    /// The feature that manages it, in the server's words.
    #[serde(default)]
    pub managed_by: Option<String>,
}

/// The data streams of a cluster.
pub struct DataStreams<'a> {
    api: Optional<'a>,
}

impl Client {
    /// Data streams.
    pub fn data_streams(&self) -> DataStreams<'_> {
        DataStreams { api: Optional { client: self, feature: "data streams" } }
    }
}

#[derive(Deserialize)]
struct Found {
    data_streams: Vec<DataStream>,
}

#[derive(Deserialize)]
struct Lifecycles {
    data_streams: Vec<NamedLifecycle>,
}

#[derive(Deserialize)]
struct NamedLifecycle {
    name: String,
    lifecycle: Option<DataLifecycle>,
}

impl DataStreams<'_> {
    /// Creates a data stream from the index template that matches its name.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when it exists; [`ErrorKind::BadRequest`] when no template with
    /// `data_stream` matches.
    pub async fn create(&self, name: &str) -> Result<(), Error> {
        let request = Request::new(Method::Put, IndicesCreateDataStreamParts::Name(name).url());
        self.api.send(&request).await.map(|_| ())
    }

    /// Lists the data streams whose names match a pattern, hidden ones included.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn list(&self, pattern: &str) -> Result<Vec<DataStream>, Error> {
        let request = Request::new(Method::Get, IndicesGetDataStreamParts::Name(&[pattern]).url())
            .query("expand_wildcards", "all");
        match self.api.send(&request).await {
            Ok(answer) => Ok(answer.json::<Found>()?.data_streams),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Returns a data stream by its name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn get(&self, name: &str) -> Result<Option<DataStream>, Error> {
        Ok(self.list(name).await?.into_iter().find(|stream| stream.name == name))
    }

    /// Removes a data stream with all its documents, by its exact name. Returns `true` if there was one.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a pattern or a list; else as [`Client::send`].
    pub async fn delete(&self, name: &str) -> Result<bool, Error> {
        require_exact_name(name, "a data stream")?;
        let request = Request::new(Method::Delete, IndicesDeleteDataStreamParts::Name(&[name]).url())
            .query("expand_wildcards", "none")
            .repeatable();
        self.api.exists(&request).await
    }

    /// Continues in a new index if the conditions hold: see [`crate::Indices::rollover`].
    ///
    /// # Errors
    /// As [`crate::Indices::rollover`].
    pub async fn rollover(&self, name: &str, conditions: &RolloverConditions) -> Result<Rollover, Error> {
        self.api.client.indices().rollover(name, None, conditions, RolloverMode::Make).await
    }

    /// Sets the retention of a data stream.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such data stream.
    pub async fn put_lifecycle(&self, name: &str, lifecycle: &DataLifecycle) -> Result<(), Error> {
        let parts = IndicesPutDataLifecycleParts::Name(&[name]);
        let request = Request::new(Method::Put, parts.url()).json(lifecycle).repeatable();
        self.api.send(&request).await.map(|_| ())
    }

    /// Returns the retention of a data stream; `None` if it has no lifecycle.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such data stream.
    pub async fn lifecycle(&self, name: &str) -> Result<Option<DataLifecycle>, Error> {
        let request = Request::new(Method::Get, IndicesGetDataLifecycleParts::Name(&[name]).url());
        let found: Lifecycles = self.api.send(&request).await?.json()?;
        Ok(found.data_streams.into_iter().find(|stream| stream.name == name).and_then(|stream| stream.lifecycle))
    }

    /// Removes the lifecycle of a data stream, which then keeps everything.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such data stream.
    pub async fn delete_lifecycle(&self, name: &str) -> Result<(), Error> {
        let parts = IndicesDeleteDataLifecycleParts::Name(&[name]);
        self.api.send(&Request::new(Method::Delete, parts.url()).repeatable()).await.map(|_| ())
    }
}
