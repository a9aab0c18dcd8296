//! The pages of a scroll, one after the other, for whoever may not open a point in time.

use std::sync::{Arc, Mutex, PoisonError};

use es_core::{Client, PageSize, Scroll, SearchAnswer};
use es_frame::HitDecoder;
use futures::stream::{self, Stream};
use polars::prelude::DataFrame;
use serde::Deserialize;
use serde_json::{Value, json};

use super::last_hit::last_sort;
use super::request::Search;
use super::unread;
use crate::error::{Error, ErrorKind};
use crate::options::{ReadOptions, bytes};

/// A scroll whose first page has come.
pub(crate) struct ScrollRead {
    decoder: Arc<HitDecoder>,
    opened: Mutex<Option<(Scroll, SearchAnswer)>>,
    page_rows: usize,
    limit: u64,
    /// The number of documents that match.
    pub(crate) matched: u64,
}

#[derive(Deserialize)]
struct FirstPage {
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    total: Total,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
}

impl ScrollRead {
    /// Opens the scroll. `body` is that of pages, and `max_rows` the limit of a page.
    pub(crate) async fn open(
        client: &Client,
        search: &Search,
        mut body: Value,
        decoder: HitDecoder,
        options: &ReadOptions,
        max_rows: usize,
    ) -> Result<Self, Error> {
        let size = PageSize::new(max_rows, bytes(options.page_bytes));
        let page_rows = page_rows(client, &search.index, body.clone(), &decoder, &size, max_rows).await?;
        body["track_total_hits"] = json!(true);
        body["size"] = json!(page_rows);
        let (scroll, page) =
            client.scroll(&search.index, &body, options.keep_alive.to_duration()).await.map_err(|error| {
                let is_too_large = error.kind() == es_core::ErrorKind::AnswerTooLarge;
                let error = Error::from(error);
                if is_too_large {
                    error.with_help("read fewer rows a page, or raise `max_response_size`")
                } else {
                    error
                }
            })?;
        let first: FirstPage = page.json()?;
        Ok(Self {
            matched: first.hits.total.value,
            decoder: Arc::new(decoder),
            opened: Mutex::new(Some((scroll, page))),
            page_rows,
            limit: search.limit.unwrap_or(u64::MAX),
        })
    }

    /// The rows, once.
    pub(crate) fn frames(&self) -> impl Stream<Item = Result<DataFrame, Error>> + Send + use<> {
        let (scroll, first) = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take().unzip();
        let reader = ScrollReader {
            decoder: self.decoder.clone(),
            page_rows: self.page_rows as u64,
            wanted: self.limit,
            rows: 0,
            scroll,
            ready: first.map(Ok),
        };
        stream::try_unfold(Some(reader), |reader| async move {
            let Some(mut reader) = reader else { return Ok(None) };
            match reader.next_frame().await? {
                Some(frame) => Ok(Some((frame, Some(reader)))),
                None => {
                    if let Some(scroll) = reader.scroll {
                        // A scroll that cannot be closed expires.
                        let _ = scroll.close().await;
                    }
                    Ok(None)
                }
            }
        })
    }

    /// Frees it on the server, if no stream has taken it.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        match opened {
            Some((scroll, _)) => Ok(scroll.close().await?),
            None => Ok(()),
        }
    }
}

/// The number of rows of a page of about so many bytes. All pages of a scroll have the same number
/// of rows, and one that is too large is lost, so a few rows are read beforehand.
async fn page_rows(
    client: &Client,
    index: &str,
    mut body: Value,
    decoder: &HitDecoder,
    size: &PageSize,
    max_rows: usize,
) -> Result<usize, Error> {
    let mut rows = SAMPLED_ROWS.min(max_rows.max(1));
    loop {
        body["size"] = json!(rows);
        match client.search(index, &body).await {
            Ok(answer) => {
                let page = decoder.decode(answer.body())?;
                size.learn(answer.body().len(), page.frame.height());
                return Ok(if page.frame.height() == 0 { rows } else { size.rows() });
            }
            Err(error) if error.kind() == es_core::ErrorKind::AnswerTooLarge && rows > 1 => rows /= 2,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The number of rows that are read to find their size before a scroll is opened.
const SAMPLED_ROWS: usize = 100;

/// The error of a second reading of what can be read once.
pub(crate) fn read_already() -> Error {
    Error::new(ErrorKind::Request, "the rows of this reader were taken already")
        .with_help("open another reader: only a point in time can be read more than once")
}

struct ScrollReader {
    decoder: Arc<HitDecoder>,
    page_rows: u64,
    /// Rows that are still wanted.
    wanted: u64,
    /// Rows that were handed over.
    rows: u64,
    scroll: Option<Scroll>,
    /// A page that was requested already.
    ready: Option<Result<SearchAnswer, es_core::Error>>,
}

impl ScrollReader {
    async fn next_frame(&mut self) -> Result<Option<DataFrame>, Error> {
        let Some(scroll) = &mut self.scroll else { return Err(read_already()) };
        if self.wanted == 0 {
            return Ok(None);
        }
        let page = match self.ready.take() {
            Some(page) => page,
            None => scroll.next_page().await,
        };
        let body = page.map_err(|source| lost(source, self.rows))?.into_body();
        // The next page is requested while this one is decoded, if there is one.
        let goes_on = self.wanted > self.page_rows && last_sort(&body).is_some();
        let decoder = self.decoder.clone();
        let decoding = tokio::task::spawn_blocking(move || decoder.decode(&body));
        let next = async { if goes_on { Some(scroll.next_page().await) } else { None } };
        let (decoded, next) = tokio::join!(decoding, next);
        self.ready = next;
        let decoded = decoded.map_err(unread)??;
        // An empty page is the end.
        if decoded.last_sort.is_none() {
            return Ok(None);
        }
        let mut frame = decoded.frame;
        if frame.height() as u64 > self.wanted {
            frame = frame.head(usize::try_from(self.wanted).ok());
        }
        self.wanted -= frame.height() as u64;
        self.rows += frame.height() as u64;
        Ok(Some(frame))
    }
}

/// The error of a page that did not come.
fn lost(source: es_core::Error, rows: u64) -> Error {
    let message = format!("a page of the scroll is lost after {rows} rows: {source}");
    Error::new(ErrorKind::Elasticsearch, message).quoting(source).with_help(
        "a scroll cannot be asked for the same page twice: read again from the beginning, or be allowed to open a \
         point in time (index privilege read)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_page_says_what_to_do() {
        let error = lost(es_core::Error::new(es_core::ErrorKind::Interrupted, "the connection broke"), 7);
        assert_eq!(error.to_string(), "a page of the scroll is lost after 7 rows: the connection broke");
        assert!(error.is_retryable());
    }
}
