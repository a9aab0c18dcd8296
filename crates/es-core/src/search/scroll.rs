//! Scrolls: one search read page by page, where the credentials do not allow a point in time.
//!
//! The server advances with each request for a page, so a page is requested only once: if its
//! answer is lost, so is the page.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use elasticsearch::{ClearScrollParts, ScrollParts};
use serde_json::{Value, json};
use tracing::debug;

use super::head::Head;
use super::{SearchAnswer, complete};
use crate::client::Client;
use crate::connection::retry::{Backoff, RetryPolicy};
use crate::error::{Error, ErrorKind};
use crate::paths;
use crate::request::{Method, Request};
use crate::units;

/// The number of retries of a page when no connection could be made, in which case nothing was
/// sent.
const CONNECTS: u32 = 4;

/// An open scroll. [`Scroll::close`] frees what it holds on the server. A dropped one is closed in
/// the background: [`Client::settle`] waits for that.
#[derive(Debug)]
pub struct Scroll {
    client: Client,
    keep_alive: Duration,
    id: Option<Arc<str>>,
}

impl Scroll {
    pub(crate) async fn open(
        client: Client,
        index: &str,
        body: &Value,
        keep_alive: Duration,
    ) -> Result<(Self, SearchAnswer), Error> {
        // Of two scrolls that are opened, the server closes the unused one after keep_alive.
        let request = Request::new(Method::Post, paths::search(index))
            .query("scroll", units::milliseconds(keep_alive))
            .json(body);
        let body = client.send(&complete(request)).await?.into_body();
        let mut scroll = Self { client, keep_alive, id: None };
        let answer = scroll.read(body)?;
        Ok((scroll, answer))
    }

    /// The next page. It is requested only once: after an error the scroll cannot be used any more.
    ///
    /// # Errors
    /// [`ErrorKind::PartialResult`] when a shard failed or the search timed out;
    /// [`ErrorKind::NotFound`] when the scroll expired; else as [`Client::send`].
    pub async fn next_page(&mut self) -> Result<SearchAnswer, Error> {
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
        self.read(response.into_body())
    }

    /// Takes the id of a page and checks the page. The id is kept also where the page is refused,
    /// so that the scroll can be closed.
    fn read(&mut self, body: Bytes) -> Result<SearchAnswer, Error> {
        let mut head = Head::read(&body, true);
        match head.id.take() {
            Some(id) if self.id.as_deref() != Some(&*id) => self.id = Some(id.into()),
            Some(_) => {}
            None => {
                let message = "the page of a scroll cannot be read: expected `_scroll_id`, found none";
                return Err(Error::new(ErrorKind::Decode, message));
            }
        }
        head.check()?;
        Ok(SearchAnswer { body })
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
        self.client.finish_later(async move {
            if let Err(error) = close(&client, &id).await {
                debug!(%error, "a scroll was left to expire");
            }
        });
    }
}
