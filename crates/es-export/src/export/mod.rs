//! An export: rows of an index as files of parts, committed as a whole.
//!
//! `plan` cuts the reading into groups of slices; `forward` reads them, and a thread of its
//! own writes them with `files`: `partition` puts rows in folders, `spool` is where they wait
//! for statistics that are known only at the end. `state` is what a killed export leaves for
//! the next while it reads, and `complete` once it has read everything. `run` puts all of it
//! together. `stream` writes to a pipe instead.

mod complete;
mod encoding;
mod files;
mod forward;
mod outcome;
mod partition;
mod plan;
mod progress;
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
use crate::read::ReadRequest;
use crate::split::Split;
use crate::write::FileOptions;

pub use progress::{Phase, Progress};
pub use stream::{Streamed, stream};
pub use transform::{AddedColumn, Transform};

/// What to export and where to.
///
/// ```no_run
/// use es_core::{Client, ClusterConfig};
/// use es_export::{Destination, Export, ReadRequest, Split};
/// use tokio_util::sync::CancellationToken;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect(ClusterConfig::from_env()?).await?;
/// let mut export = Export::new(ReadRequest::new("flights"), Destination::Folder("flights".into()));
/// let parts = vec![("train".to_owned(), 0.9), ("test".to_owned(), 0.1)];
/// export.split = Some(Split::by_hash(vec!["_id".to_owned()], 7, parts)?);
/// let manifest = export.run(&client, &CancellationToken::new(), |_| {}).await?;
/// println!("{} rows", manifest.rows);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Export {
    /// What to read. Where columns are named, the files have these columns in this order;
    /// those that the split needs are read as well, but not written unless named.
    pub request: ReadRequest,
    /// Where the files go.
    pub destination: Destination,
    /// The format of the files and its options.
    pub files: FileOptions,
    /// What is done to the rows before they are divided and written.
    pub transform: Option<Arc<dyn Transform>>,
    /// How rows are assigned to parts. Without a split there is one part, `data`.
    pub split: Option<Split>,
    /// The columns whose values are folders, `column=value`, as Hive has them. They are left
    /// out of the files.
    pub partition_by: Vec<String>,
    /// How columns are turned into numbers. What that takes, such as means and vocabularies,
    /// is found in the training part alone.
    pub encodings: IndexMap<String, Encoding>,
    /// The limits of writing.
    pub options: WriteOptions,
    /// The part that the statistics of encodings are computed from. Default: `train`, or the
    /// first part if there is none of this name.
    pub training_part: Option<String>,
    /// Whether to start from scratch even if a killed export could be resumed. Default: false.
    pub restart: bool,
    /// What the manifest notes for the caller. It does not count when it is decided whether a
    /// killed export can be carried on.
    pub notes: Value,
}

impl Export {
    /// An export of everything that the request reads, as Parquet, without a split.
    pub fn new(request: ReadRequest, destination: Destination) -> Self {
        Self {
            request,
            destination,
            files: FileOptions::default(),
            transform: None,
            split: None,
            partition_by: Vec::new(),
            encodings: IndexMap::new(),
            options: WriteOptions::default(),
            training_part: None,
            restart: false,
            notes: Value::Null,
        }
    }

    /// Reads, writes and commits. Whatever happens before the end, the destination stays as
    /// it was.
    ///
    /// Memory holds two pages of each slice that is read, eight frames between reading and
    /// writing, and [`WriteOptions::held_bytes`] of rows that wait for their file, with
    /// a copy of the row group that is being written. When writing is slow, no pages are
    /// asked for.
    ///
    /// An export that was killed leaves its finished files, and the next run with the same
    /// request carries on after them as long as the server keeps the point in time
    /// ([`ReadOptions::keep_alive`] after the last page); otherwise it begins anew. Once all
    /// rows are read and only wait to be encoded, it carries on without the server, however
    /// late. A failed or cancelled export closes its point in time and leaves nothing.
    ///
    /// [`ReadOptions::keep_alive`]: crate::ReadOptions::keep_alive
    ///
    /// # Errors
    /// Any kind; [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) when the token was
    /// cancelled.
    pub async fn run(
        self,
        client: &Client,
        cancel: &CancellationToken,
        observer: impl Fn(Progress),
    ) -> Result<Manifest, Error> {
        run::run(self, client, cancel, &observer).await
    }
}
