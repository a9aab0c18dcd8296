//! Bulk indexing that accounts for every document.
//!
//! [`files`] reads files as frames of bounded size, [`BatchBuilder`] turns their rows into
//! request bodies, and [`BulkLoader`] sends them: several at once, failed items again, and
//! with a [`Summary`] in which every document that was read is acknowledged, rejected with
//! its reason in a [`DeadLetter`], or unknown.
//!
//! A load takes as many requests at once as the cluster gains by and one budget of bytes
//! ([`BulkOptions`]). It tells how far it is ([`BulkLoader::with_checkpoints`]), so that it can
//! be carried on; [`replay`] sends a dead letter again; [`batched`] makes batches of streams of
//! values; [`InitialLoad`] takes refreshes and replicas off an index while it is filled.
//!
//! Indices, aliases and mappings are `es-core`'s; how a cell becomes JSON is `es-frame`'s.
//!
//! ```no_run
//! use es_bulk::{BatchBuilder, BatchLimits, BulkLoader, BulkOptions};
//! use es_core::{Client, ClusterConfig};
//! use es_frame::DocumentWriter;
//! use polars::prelude::*;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(ClusterConfig::from_env()?).await?;
//! let frame = df!("carrier" => ["UA", "B6"], "flight" => [1545, 725])?;
//! let writer = DocumentWriter::new(&frame, &["carrier", "flight"])?;
//! let mut batches = BatchBuilder::new(BatchLimits::default());
//! let mut full = batches.push_frame(&writer)?;
//! full.extend(batches.finish());
//!
//! let loader = BulkLoader::new(client, "departures", BulkOptions::default());
//! let summary = loader.load(futures::stream::iter(full.into_iter().map(Ok))).await?;
//! assert!(summary.adds_up());
//! println!("{summary}");
//! # Ok(())
//! # }
//! ```

mod batch;
mod dead_letter;
mod delivery;
mod error;
pub mod files;
mod flow;
pub mod ingest;
mod initial_load;
mod load;
mod summary;

pub use batch::{Action, Batch, BatchBuilder, BatchLimits, Checkpoint, Origin, RefusedRow, batched};
pub use dead_letter::{DeadLetter, LetterLength, Replay, replay};
#[doc(hidden)]
pub use delivery::{Answer, read_answer};
pub use error::{Error, ErrorKind};
pub use es_frame::Operation;
pub use ingest::{LoadOptions, load_files, load_frame};
pub use initial_load::{Finish, InitialLoad, InitialLoadOptions, OriginalSettings};
pub use load::{BulkLoader, BulkOptions, Concurrency, MaxRejected, Progress, Settled};
pub use summary::{RowRange, Summary};
