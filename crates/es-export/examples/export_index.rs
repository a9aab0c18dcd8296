//! Exports an index to a folder of Parquet files, in two parts:
//! `export_index INDEX FOLDER [PAGE_SIZE [ROWS_PER_FILE]]`.
//!
//! The connection is taken from the environment (`ELASTICSEARCH_URL` and so on). Ctrl-C
//! cancels it and leaves nothing behind; after a `kill -9` the next run resumes.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use es_core::{Client, ClusterConfig};
use es_export::{Destination, Export, Phase, Progress, ReadRequest, Split};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(index), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: export_index INDEX FOLDER [PAGE_SIZE [ROWS_PER_FILE]]".into());
    };
    let mut export = Export::new(ReadRequest::new(index), Destination::Folder(folder.into()));
    if let Some(rows) = arguments.next() {
        export.request.options.page_size = rows.parse()?;
    }
    if let Some(rows) = arguments.next() {
        export.options.rows_per_file = rows.parse()?;
    }
    let parts = [("train", 0.8), ("test", 0.2)].map(|(name, share)| (name.to_owned(), share));
    export.split = Some(Split::by_hash(vec!["_id".to_owned()], 7, parts.to_vec())?);

    let client = Client::connect(ClusterConfig::from_env()?).await?;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    let read = AtomicU64::new(0);
    let observer = move |step: Progress| {
        if step.phase == Phase::Reading {
            let read = read.fetch_add(step.rows, Ordering::Relaxed) + step.rows;
            let total = step.total.unwrap_or_default();
            // A terminal that is gone is no reason to stop.
            let _ = write!(std::io::stderr(), "\r{read} of {total} rows, {} bytes", step.bytes);
        }
    };
    let manifest = export.with_cancellation(cancel).with_observer(observer).run(&client).await?;
    serde_json::to_writer(std::io::stdout().lock(), &manifest)?;
    Ok(())
}
