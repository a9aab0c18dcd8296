//! The result of a query in SQL, page by page.

use std::sync::{Arc, Mutex, PoisonError};

use es_core::{Client, SqlCursor};
use es_frame::SqlDecoder;
use futures::stream::{self, Stream};
use polars::prelude::DataFrame;
use serde_json::{Value, json};

use super::request::Sql;
use super::scroll::read_already;
use super::unread;
use crate::error::{Error, ErrorKind};
use crate::options::ReadOptions;

/// A query whose first page has come.
pub(crate) struct SqlRead {
    pub(crate) decoder: Arc<SqlDecoder>,
    opened: Mutex<Option<(SqlCursor, DataFrame)>>,
}

impl SqlRead {
    pub(crate) async fn open(client: &Client, query: &Sql, options: &ReadOptions) -> Result<Self, Error> {
        let mut cursor = client.sql(&body(query, options)).await?;
        let Some(first) = cursor.next_page().await? else {
            return Err(Error::new(ErrorKind::Incomplete, "the answer to a query in SQL has no page"));
        };
        let (decoder, frame) = SqlDecoder::of_first_page(&first)?;
        Ok(Self { decoder: Arc::new(decoder), opened: Mutex::new(Some((cursor, frame))) })
    }

    /// The rows, once.
    pub(crate) fn frames(&self) -> impl Stream<Item = Result<DataFrame, Error>> + Send + use<> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reader = SqlReader { decoder: self.decoder.clone(), rows: 0, opened };
        stream::try_unfold(
            reader,
            |mut reader| async move { Ok(reader.next_frame().await?.map(|frame| (frame, reader))) },
        )
    }

    /// Frees the cursor on the server, if no stream has taken it.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        match opened {
            Some((cursor, _)) => Ok(cursor.close().await?),
            None => Ok(()),
        }
    }
}

fn body(query: &Sql, options: &ReadOptions) -> Value {
    let mut body = json!({
        "query": query.query,
        "fetch_size": options.page_size.max(1),
        // One value of several would be a wrong one.
        "field_multi_value_leniency": false,
    });
    if !query.params.is_empty() {
        body["params"] = json!(query.params);
    }
    if let Some(filter) = &query.filter {
        body["filter"] = filter.clone();
    }
    if let Some(zone) = &query.time_zone {
        body["time_zone"] = json!(zone);
    }
    body
}

struct SqlReader {
    decoder: Arc<SqlDecoder>,
    /// Rows that were handed over.
    rows: usize,
    /// The cursor and the page that came first.
    opened: Option<(SqlCursor, DataFrame)>,
}

impl SqlReader {
    async fn next_frame(&mut self) -> Result<Option<DataFrame>, Error> {
        let Some((cursor, first)) = &mut self.opened else { return Err(read_already()) };
        let first = std::mem::take(first);
        if first.height() > 0 {
            self.rows += first.height();
            return Ok(Some(first));
        }
        // An empty page may have others after it, as the last one has none.
        while let Some(body) = cursor.next_page().await.map_err(|source| lost(source, self.rows))? {
            let decoder = self.decoder.clone();
            let rows = self.rows;
            let page = tokio::task::spawn_blocking(move || decoder.page(&body, rows)).await.map_err(unread)??;
            if page.height() > 0 {
                self.rows += page.height();
                return Ok(Some(page));
            }
        }
        Ok(None)
    }
}

/// The error of a page that did not come.
fn lost(source: es_core::Error, rows: usize) -> Error {
    let message = format!("a page of the query in SQL is lost after {rows} rows: {source}");
    Error::new(ErrorKind::Elasticsearch, message)
        .quoting(source)
        .with_help("a cursor cannot be asked for the same page twice: run the query again from the beginning")
}
