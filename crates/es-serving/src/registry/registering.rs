//! Registration of versions.
//!
//! The number of a version is taken by creating its document: of two that want the same number one
//! gets it, and the other looks whether that was its own content before it takes the next. A number
//! is only tried once the one before is taken, so there are no gaps.

use es_core::Precondition;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tracing::info;

use super::Registry;
use super::reading::versions_of;
use super::store::{Stored, VersionBody, version_document, version_id};
use super::version::{NewVersion, Registered, Version};
use crate::error::{Error, ErrorKind};

/// Numbers that one registration tries. Each is taken by another registration at the same time.
const MOST_TRIED: u32 = 1000;

/// The newest number, and the version of a content.
#[derive(Deserialize)]
struct Found {
    hits: Hits,
    aggregations: Aggregations,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_source")]
    source: Stored<VersionBody>,
}

#[derive(Deserialize)]
struct Aggregations {
    newest: Newest,
}

#[derive(Deserialize)]
struct Newest {
    value: Option<f64>,
}

impl Registry {
    /// Registers a version, unless there is one of the same model, file or place, signature and
    /// encoders, of columns and of texts. The model is there with its first version.
    ///
    /// The file of the model should be in its place before: see [`ModelFolder`](super::ModelFolder).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the version contradicts itself; [`ErrorKind::Conflict`] when a
    /// thousand others were registered at the same time; [`ErrorKind::Elasticsearch`] when it cannot be
    /// asked. After a lost answer the version may be there; registering again says so.
    pub async fn register(&self, new: NewVersion) -> Result<Registered, Error> {
        new.check()?;
        self.store.prepare().await?;
        let content = new.content();
        let id = uuid::Uuid::now_v7().to_string();
        // One search sees both: of two, the second could miss what the first has seen.
        let body = json!({
            "size": 1, "track_total_hits": false, "sort": [{"number": "asc"}],
            "query": {"bool": {"filter": versions_of(&new.model)}},
            "post_filter": {"term": {"content": content}},
            "aggs": {"newest": {"max": {"field": "number"}}}
        });
        let found: Found = self.store.client.search(&self.store.index, &body).await?.json()?;
        if let Some(hit) = found.hits.hits.into_iter().next() {
            return Ok(existing(&new, hit.source.body.version));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is the number of a version")]
        let newest = found.aggregations.newest.value.unwrap_or(0.0) as u32;
        let mut body = VersionBody { id, content, version: new.clone().into_version(newest, Timestamp::now()) };
        for _ in 0..MOST_TRIED {
            body.version.number += 1;
            let key = version_id(&new.model, body.version.number);
            if self.store.put(&key, &version_document(&body), Precondition::Absent).await? {
                info!(model = new.model, version = body.version.number, "registered a version");
                return Ok(Registered::New(body.version));
            }
            let there = self.store.get_conflicting::<VersionBody>(&key).await?.source;
            if there.id == body.id {
                return Ok(Registered::New(there.version));
            }
            if there.content == content {
                return Ok(existing(&new, there.version));
            }
        }
        let message = format!("{MOST_TRIED} other versions of {} were registered at the same time", new.model);
        Err(Error::new(ErrorKind::Conflict, message).with_help("register it again"))
    }
}

fn existing(new: &NewVersion, version: Version) -> Registered {
    Registered::Existing { not_taken: new.differences(&version), version }
}
