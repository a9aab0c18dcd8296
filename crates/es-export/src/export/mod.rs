//! An export: rows of an index as files of parts, committed as a whole.
//!
//! `plan` divides the slices into groups; `forward` reads them, and a thread of its own writes them
//! with `files`. `partition` puts rows into folders, and `encode_files` holds rows that wait for
//! statistics that are known only at the end. `state` is what a killed export leaves for the next
//! one while it reads, and `complete` once it has read everything. `run` joins them, and `ready` commits. `stream`
//! writes to a pipe instead, and `spool` a single file for another program.

mod complete;
mod encode_files;
mod encoding;
mod files;
mod forward;
mod outcome;
mod partition;
mod plan;
mod ready;
mod run;
mod spool;
mod state;
mod stream;
mod transform;

use std::sync::Arc;

use es_core::Client;
use indexmap::IndexMap;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::commit::Destination;
use crate::encode::Encoding;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::options::WriteOptions;
use crate::progress::{Observer, Progress};
use crate::read::ReadRequest;
use crate::split::Split;
use crate::write::FileOptions;

pub use ready::ReadyExport;
pub use spool::{Spool, Spooled};
pub use stream::{StreamExport, Streamed};
pub use transform::{AddedColumn, Transform};

/// An export: the rows to read, and the files to write.
///
/// ```no_run
/// use es_core::{Client, ClusterConfig};
/// use es_export::{Destination, Export, ReadRequest, Split};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect(ClusterConfig::from_env()?).await?;
/// let parts = vec![("train".to_owned(), 0.9), ("test".to_owned(), 0.1)];
/// let mut export = Export::new(ReadRequest::new("flights"), Destination::Folder("flights".into()));
/// export.split = Some(Split::by_hash(vec!["_id".to_owned()], 7, parts)?);
/// let manifest = export.with_observer(|step| println!("{} rows more", step.rows)).run(&client).await?;
/// println!("{} rows", manifest.rows);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Export {
    /// The rows to read. Where columns are named, the files have these columns in this order;
    /// those that the split needs are read as well, but written only if they are named.
    pub request: ReadRequest,
    /// The destination of the files.
    pub destination: Destination,
    /// The format of the files and its options.
    pub files: FileOptions,
    /// A change to the rows before they are divided and written.
    pub transform: Option<Arc<dyn Transform>>,
    /// The division of rows into parts. Without a split there is one part, `data`.
    pub split: Option<Split>,
    /// The columns whose values become folders, `column=value`, as in Hive. They are not in the
    /// files.
    pub partition_by: Vec<String>,
    /// The encodings of columns as numbers. The statistics for them, such as means and
    /// vocabularies, come from the training part alone.
    pub encodings: IndexMap<String, Encoding>,
    /// The limits of writing.
    pub options: WriteOptions,
    /// The part that the statistics of encodings come from. Default: `train`, or the first part if
    /// there is none of this name.
    pub training_part: Option<String>,
    /// Start from scratch even if a killed export could be resumed. Default: false.
    pub restart: bool,
    /// The maximum number of restarts from scratch when the point in time is lost. Default: 3.
    pub max_restarts: u32,
    /// A note of the caller in the manifest. It does not decide whether a killed export can be
    /// resumed.
    pub notes: Value,
    observer: Observer,
    cancellation: CancellationToken,
}

impl Export {
    /// An export of all rows of the request, as Parquet, without a split.
    pub fn new(request: impl Into<ReadRequest>, destination: Destination) -> Self {
        Self {
            request: request.into(),
            destination,
            files: FileOptions::default(),
            transform: None,
            split: None,
            partition_by: Vec::new(),
            encodings: IndexMap::new(),
            options: WriteOptions::default(),
            training_part: None,
            restart: false,
            max_restarts: 3,
            notes: Value::Null,
            observer: Observer::default(),
            cancellation: CancellationToken::new(),
        }
    }

    /// Calls `observer` with each step, from the task that runs the export: it must be fast.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(observer);
        self
    }

    /// Ends the export with [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) once the token
    /// is cancelled, and changes nothing.
    #[must_use]
    pub fn with_cancellation(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// Reads, writes and commits. Whatever happens before the end, the destination stays as it was.
    ///
    /// Memory holds two pages of each slice that is read, eight frames between reading and writing,
    /// and [`WriteOptions::held_bytes`] of rows that wait for their file, with a copy of the row
    /// group that is being written. While writing is slow, no pages are requested.
    ///
    /// An export that was killed leaves its finished files, and the next run with the same request
    /// resumes after them as long as the server keeps the point in time
    /// ([`ReadOptions::keep_alive`](crate::ReadOptions::keep_alive) after the last page); otherwise
    /// it starts from scratch. Once all rows are read and only wait to be encoded, it resumes
    /// without the server, at any time. A failed or cancelled export closes its point in time and
    /// leaves nothing.
    ///
    /// When the point in time is lost, for example with a node that leaves the cluster, the export
    /// drops its files, which hold another state of the index, and starts from scratch with a new
    /// one, [`Export::max_restarts`] times.
    ///
    /// # Errors
    /// Any kind.
    pub async fn run(self, client: &Client) -> Result<Manifest, Error> {
        self.prepare(client).await?.commit().await
    }

    /// Opens the rows and makes every check that [`Export::run`] makes before the first of them, without
    /// writing anything. Close the reader that it returns.
    ///
    /// # Errors
    /// As [`Export::run`], as far as it goes.
    pub async fn preview(&self, client: &Client) -> Result<crate::read::IndexReader, Error> {
        run::preview(self, client).await
    }

    /// Reads and writes like [`Export::run`], and leaves the commit to the caller, who may have to
    /// check something right before it.
    ///
    /// # Errors
    /// As [`Export::run`].
    pub async fn prepare(self, client: &Client) -> Result<ReadyExport, Error> {
        run::Run::begin(&self, client)?.finish().await
    }
}
