//! Reading out of Elasticsearch: frames, files, splits, manifests.
//!
//! An [`IndexReader`] reads rows as a stream of frames whose schema is known before the first
//! row: the documents that a query matches, from one point in time in slices side by side or
//! through a scroll, or the result of a query in ES|QL or SQL. An [`Export`] writes such a stream
//! as files, in parts by a [`Split`] and in folders by the values of columns, with a [`Manifest`]
//! that says what the files hold and where it came from. They appear complete or not at all, and
//! an export that was killed is carried on. [`StreamExport`] writes to a pipe instead.
//!
//! [`mod@write`] has the formats, as files ([`write::create`]) and as streams ([`StreamWriter`]);
//! [`encode`] makes numbers of columns, as they were in the training rows.
//!
//! How answers become columns is `es-frame`'s.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = es_core::Client::connect(es_core::ClusterConfig::from_env()?).await?;
//! let flights = es_export::read(&client, "flights").await?;
//! println!("{flights}");
//! # Ok(())
//! # }
//! ```
//!
//! What does not fit into memory is read frame by frame, and any part of it may be asked for:
//!
//! ```no_run
//! use es_export::{IndexReader, Search};
//! use futures::TryStreamExt as _;
//! use serde_json::json;
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_export::Error> {
//! let search = Search {
//!     query: json!({"term": {"carrier": "UA"}}),
//!     sort: vec![json!({"dep_delay": "desc"})],
//!     limit: Some(100_000),
//!     ..Search::new("flights")
//! };
//! let reader = IndexReader::open(&client, search.into()).await?;
//! let mut frames = std::pin::pin!(reader.frames());
//! while let Some(frame) = frames.try_next().await? {
//!     println!("{} rows", frame.height());
//! }
//! reader.close().await?;
//! # Ok(())
//! # }
//! ```

mod cancel;
mod commit;
pub mod encode;
mod error;
mod export;
mod manifest;
mod options;
mod progress;
mod read;
mod schemas;
mod split;
pub mod write;

pub use commit::Destination;
pub use encode::Encoding;
pub use error::{Error, ErrorKind};
pub use es_frame::{CellPolicy, ColumnRequest, FieldSource, Malformed, Missing, Values};
pub use export::{AddedColumn, Export, Spool, Spooled, StreamExport, Streamed, Transform};
pub use manifest::{
    MANIFEST_FILE, Manifest, ManifestColumn, ManifestFile, ManifestFormat, ManifestKeys, ManifestPart, ManifestProof,
    ManifestVersions,
};
pub use options::{ExportOptions, FieldOptions, InvalidOption, Output, PathPart, ReadOptions, SplitOptions, TimePart, WriteOptions};
pub use progress::{Phase, Progress};
pub use read::{
    Esql, EsqlFormat, IndexReader, Origin, ReadBy, ReadFrom, ReadRequest, Sample, SavedRead, Search, Sql, Through, read,
};
pub use split::proof::KeySum;
pub use split::{MOST_STRATA, MissingTimes, Split, Stratum};
pub use write::{Compression, FileOptions, Format, ParquetOptions, StreamSummary, StreamWriter};
