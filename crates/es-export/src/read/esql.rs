//! The result of a query in ES|QL, which comes in one answer.

use es_core::{Client, TableFormat, Wait};
use es_frame::Table;
use futures::stream::{self, Stream};
use polars::prelude::DataFrame;
use serde_json::{Value, json};
use tracing::debug;

use super::cut_off::limit_that_cut;
use super::request::{Esql, EsqlFormat};
use crate::error::{Error, ErrorKind};

/// Runs the query and reads its result, all of it or none.
pub(crate) async fn run(client: &Client, query: &Esql) -> Result<Table, Error> {
    let body = body(query);
    let table = match query.format {
        EsqlFormat::Json => answer(client, query, &body, TableFormat::Json).await?,
        EsqlFormat::Auto => match answer(client, query, &body, TableFormat::Arrow).await {
            Err(error) if arrow_is_refused(&error) => {
                debug!(%error, "reading the result of an ES|QL query as JSON instead of Arrow");
                answer(client, query, &body, TableFormat::Json).await?
            }
            table => table?,
        },
    };
    Ok(table)
}

/// The rows in frames of about so many.
pub(crate) fn frames(
    frame: &DataFrame,
    page_rows: usize,
) -> impl Stream<Item = Result<DataFrame, Error>> + Send + use<> {
    let frame = frame.clone();
    let pages = (0..frame.height()).step_by(page_rows.max(1));
    stream::iter(pages.map(move |from| Ok(frame.slice(from as i64, page_rows.max(1)))))
}

fn body(query: &Esql) -> Value {
    let mut body = json!({"query": query.query});
    if !query.params.is_empty() {
        body["params"] = json!(query.params);
    }
    if let Some(filter) = &query.filter {
        body["filter"] = filter.clone();
    }
    body
}

async fn answer(client: &Client, query: &Esql, body: &Value, format: TableFormat) -> Result<Table, Error> {
    let answer = client.esql().run(body, format, &Wait::at_most(query.wait)).await?;
    // Parsing takes milliseconds, which the asynchronous threads must not spend.
    let read = tokio::task::spawn_blocking(move || {
        let table = match answer.format {
            TableFormat::Arrow => Table::from_esql_arrow(&answer.body),
            TableFormat::Json => Table::from_esql_json(&answer.body),
        };
        (table, answer.warnings)
    });
    let (table, warnings) = read.await.map_err(|source| {
        Error::new(ErrorKind::Incomplete, "reading the result of a query failed").with_source(source)
    })?;
    let table = table?;
    let rows = table.frame.height() as u64;
    match limit_that_cut(&query.query, rows, &warnings) {
        Some(limit) => Err(cut_off(limit)),
        None => Ok(table),
    }
}

fn cut_off(limit: u64) -> Error {
    let message = format!("the query has as many rows as ES|QL gives at most, {limit}: there may be more");
    Error::new(ErrorKind::Truncated, message).with_help(
        "set a LIMIT of your own, narrow the query with WHERE or STATS, or read all documents with a search instead \
         of ES|QL",
    )
}

/// Returns `true` if the same query may succeed in JSON: the server does not know Arrow, or one of the two sides
/// cannot write or read a column's type in it.
fn arrow_is_refused(error: &Error) -> bool {
    let by_server = error.elasticsearch().is_some_and(|error| {
        error.kind() == es_core::ErrorKind::BadRequest
            && error.server().is_some_and(|server| {
                let reason = server.reason.to_ascii_lowercase();
                reason.contains("arrow")
            })
    });
    let frame = error.beneath::<es_frame::Error>();
    by_server || frame.is_some_and(|error| error.kind() == es_frame::ErrorKind::UnsupportedType)
}
