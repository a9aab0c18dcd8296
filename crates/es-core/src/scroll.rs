//! Scrolls: one search read page by page, for whoever may not open a point in time.
//!
//! The server moves on with each page that it is asked for, so a page is asked for once: where
//! its answer is lost, so is the page.

use std::sync::Arc;
use std::time::Duration;

use elasticsearch::{ClearScrollParts, ScrollParts};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::debug;

use crate::client::Client;
use crate::connection::retry::{Backoff, RetryPolicy};
use crate::error::{Error, ErrorKind};
use crate::paths;
use crate::point_in_time::SearchPage;
use crate::request::{Method, Request};
use crate::units;

/// How often a page is asked for again when no connection could be made, in which case nothing
/// was sent.
const CONNECTS: u32 = 4;

/// An open scroll. [`Scroll::close`] frees what it holds on the server; when it is dropped
/// without that, a close is sent in the background.
pub struct Scroll {
    client: Client,
    keep_alive: Duration,
    id: Option<Arc<str>>,
}

#[derive(Deserialize)]
struct Identified {
    #[serde(rename = "_scroll_id")]
    id: String,
}

impl Scroll {
    pub(crate) async fn open(
        client: Client,
        index: &str,
        body: &Value,
        keep_alive: Duration,
    ) -> Result<(Self, SearchPage), Error> {
        let request = Request::new(Method::Post, paths::search(index))
            .query("scroll", units::milliseconds(keep_alive))
            .query("allow_partial_search_results", false)
            .json(body)
            // A scroll that is opened twice is closed by the server after keep_alive, and
            // nothing has been read from either.
            .repeatable();
        let response = client.send(&request).await?;
        let id = response.json::<Identified>()?.id.into();
        Ok((Self { client, keep_alive, id: Some(id) }, SearchPage { body: response.into_body() }))
    }

    /// The next page. It is never asked for twice: after an error the scroll is of no more use.
    ///
    /// # Errors
    /// As [`Client::send`]; [`ErrorKind::NotFound`] when the scroll expired.
    pub async fn next_page(&mut self) -> Result<SearchPage, Error> {
        let id = self.id.as_deref().ok_or_else(|| Error::new(ErrorKind::BadRequest, "the scroll is closed already"))?;
        let request = Request::new(Method::Post, ScrollParts::None.url())
            .json(&json!({"scroll_id": id, "scroll": units::milliseconds(self.keep_alive)}))
            .retry(RetryPolicy::NEVER);
        let mut attempt = 0;
        let response = loop {
            match self.client.send(&request).await {
                Err(error) if error.kind() == ErrorKind::Connect && attempt < CONNECTS => {
                    tokio::time::sleep(BACKOFF.wait(attempt, fastrand::f64())).await;
                    attempt += 1;
                }
                answer => break answer?,
            }
        };
        let id = response.json::<Identified>()?.id;
        if self.id.as_deref() != Some(&*id) {
            self.id = Some(id.into());
        }
        Ok(SearchPage { body: response.into_body() })
    }

    /// Frees it on the server.
    ///
    /// # Errors
    /// As [`Client::send`]; a scroll that is gone already is no error.
    pub async fn close(mut self) -> Result<(), Error> {
        match self.id.take() {
            Some(id) => close(&self.client, &id).await,
            None => Ok(()),
        }
    }
}

/// The waits between attempts to connect.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(5) };

async fn close(client: &Client, id: &str) -> Result<(), Error> {
    let request =
        Request::new(Method::Delete, ClearScrollParts::None.url()).json(&json!({"scroll_id": id})).repeatable();
    client.exists(&request).await.map(|_| ())
}

impl Drop for Scroll {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let client = self.client.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = close(&client, &id).await {
                    debug!(%error, "a scroll was left to expire");
                }
            });
        }
    }
}
