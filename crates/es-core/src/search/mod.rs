//! Searches: one answer, consistent pages of a point in time, and scrolls.
//!
//! Every answer to a search passes through [`SearchAnswer`], which refuses one that lacks a shard
//! or timed out, so that nothing is counted or exported from a part of the documents. What the
//! hits and aggregations mean is left to the caller.

mod breaker;
mod head;
mod keep_open;
mod page_size;
mod point_in_time;
mod scroll;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::head::Head;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::paths;
use crate::request::{Method, Request};

pub use self::keep_open::KeepOpen;
pub use self::page_size::PageSize;
pub use self::point_in_time::{NextPage, PointInTime, SizedPage};
pub use self::scroll::Scroll;

/// The answer to a search, complete: all shards answered, and none ran out of time.
#[derive(Clone, Debug)]
pub struct SearchAnswer {
    body: Bytes,
}

impl SearchAnswer {
    /// Takes the body of a search's answer and checks that the answer is complete. Only the
    /// beginning of the body is parsed: Elasticsearch writes `timed_out` and `_shards` before the
    /// hits.
    ///
    /// # Errors
    /// [`ErrorKind::PartialResult`] when a shard failed or the search timed out;
    /// [`ErrorKind::Decode`] when the body does not say so.
    pub fn new(body: Bytes) -> Result<Self, Error> {
        Head::read(&body, false).check()?;
        Ok(Self { body })
    }

    /// Checks an answer, and returns the id of its search context as well, where it has one.
    fn with_id(body: Bytes) -> Result<(Self, Option<String>), Error> {
        let head = Head::read(&body, true).check()?;
        Ok((Self { body }, head.id))
    }

    /// The body as it came, for a decoder of one's own.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as it came, taken out.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// Reads the body as JSON. `T` may borrow from the body.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] when it is not valid JSON, or lacks what `T` needs.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|source| {
            Error::new(ErrorKind::Decode, format!("the answer to a search cannot be read: {source}"))
                .with_source(source)
        })
    }

    /// Reads the hits as JSON, each with `_id`, `_score`, `_source` and the like.
    ///
    /// # Errors
    /// As [`SearchAnswer::json`].
    pub fn hits<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        #[derive(Deserialize)]
        struct Answer<T> {
            hits: Hits<T>,
        }
        #[derive(Deserialize)]
        struct Hits<T> {
            hits: Vec<T>,
        }
        Ok(self.json::<Answer<T>>()?.hits.hits)
    }
}

/// Sends a search that accepts no partial answer, and checks what comes.
pub(crate) async fn send(client: &Client, request: Request) -> Result<SearchAnswer, Error> {
    SearchAnswer::new(client.send(&complete(request)).await?.into_body())
}

/// A search that the server fails rather than to answer it in part. A search may be sent twice.
fn complete(request: Request) -> Request {
    request.query("allow_partial_search_results", false).repeatable()
}

impl Client {
    /// Searches an index, an alias, a pattern or a list of them, and refuses a partial answer. Use
    /// a [`PointInTime`] for several searches that must see the same documents.
    ///
    /// ```no_run
    /// # async fn example(client: &es_core::Client) -> Result<(), es_core::Error> {
    /// use serde_json::{Value, json};
    ///
    /// let body = json!({"size": 0, "aggs": {"longest": {"max": {"field": "delay"}}}});
    /// let answer: Value = client.search("flights", &body).await?.json()?;
    /// println!("{}", answer["aggregations"]["longest"]["value"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::PartialResult`] when a shard failed or the search timed out;
    /// [`ErrorKind::NotFound`] for a missing index; else as [`Client::send`].
    pub async fn search(&self, index: &str, body: &Value) -> Result<SearchAnswer, Error> {
        send(self, Request::new(Method::Post, paths::search(index)).json(body)).await
    }
}
