//! Queries in SQL, read page by page with a cursor. The meaning of the columns is left to `es-frame`.

use bytes::Bytes;
use elasticsearch::sql::{SqlClearCursorParts, SqlQueryParts};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::debug;

use crate::client::Client;
use crate::connection::retry::RetryPolicy;
use crate::error::Error;
use crate::error::absent::Optional;
use crate::request::{Method, Request};

/// The name of the feature in messages.
const FEATURE: &str = "SQL";

/// A query, and the position up to which it was read. [`SqlCursor::close`] frees what it holds on the
/// server. A dropped one is closed in the background: [`Client::settle`] waits for that.
pub struct SqlCursor {
    client: Client,
    /// The cursor of the next page; `None` when there are no more.
    cursor: Option<String>,
    /// A page that was received and not taken yet.
    ready: Option<Bytes>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    cursor: Option<String>,
}

impl SqlCursor {
    pub(crate) async fn open(client: Client, body: &Value) -> Result<Self, Error> {
        // The server closes a cursor whose answer was lost after a while.
        let first = Self::request(body).repeatable();
        let response = Optional { client: &client, feature: FEATURE }.send(&first).await?;
        let mut opened = Self { client, cursor: None, ready: None };
        opened.cursor = response.json::<Page>()?.cursor;
        opened.ready = Some(response.into_body());
        Ok(opened)
    }

    fn request(body: &Value) -> Request {
        Request::new(Method::Post, SqlQueryParts::None.url()).query("format", "json").json(body)
    }

    /// Returns the body of the next page, or `None` after the last one. A page may be empty, and the
    /// last one often is. Pages after the first are requested only once, as the server may have
    /// advanced when an answer is lost: after an error the cursor cannot be used any more.
    ///
    /// # Errors
    /// [`crate::ErrorKind::FeatureMissing`] where the cluster has no SQL; else as
    /// [`Client::send`].
    pub async fn next_page(&mut self) -> Result<Option<Bytes>, Error> {
        if let Some(first) = self.ready.take() {
            return Ok(Some(first));
        }
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let request = Self::request(&json!({"cursor": cursor})).retry(RetryPolicy::NEVER);
        let response = self.client.send(&request).await?;
        // Without a cursor, the server has freed it.
        self.cursor = response.json::<Page>()?.cursor;
        Ok(Some(response.into_body()))
    }

    /// Frees it on the server, if it is not at its end.
    ///
    /// # Errors
    /// As [`Client::send`]; a cursor that is gone already is no error.
    pub async fn close(mut self) -> Result<(), Error> {
        match self.cursor.take() {
            Some(cursor) => close(&self.client, &cursor).await,
            None => Ok(()),
        }
    }
}

async fn close(client: &Client, cursor: &str) -> Result<(), Error> {
    let request =
        Request::new(Method::Post, SqlClearCursorParts::None.url()).json(&json!({"cursor": cursor})).repeatable();
    client.exists(&request).await.map(|_| ())
}

impl Drop for SqlCursor {
    fn drop(&mut self) {
        let Some(cursor) = self.cursor.take() else { return };
        let client = self.client.clone();
        self.client.finish_later(async move {
            if let Err(error) = close(&client, &cursor).await {
                debug!(%error, "a SQL cursor was left to expire");
            }
        });
    }
}
