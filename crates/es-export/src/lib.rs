//! Reads rows out of Elasticsearch: frames, files, tensors, splits, manifests.
//!
//! An [`IndexReader`] reads rows as a stream of frames whose schema is known before the first row:
//! the documents that a query matches, from one point in time in slices side by side or through a
//! scroll, or the result of a query in ES|QL or SQL. An [`Export`] writes such a stream as files, in
//! parts by a [`Split`] and in folders by the values of columns, with a [`Manifest`] that describes
//! the files and their source. They appear complete or not at all, and an export that was killed is
//! resumed.
//!
//! Connections and points in time are left to `es-core`, the columns of an answer to `es-frame`.
//!
//! # Read an index
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
//! # Read a part of an index
//!
//! A [`Search`] has the query, columns, order, limit and sample:
//!
//! ```no_run
//! use es_export::{ColumnRequest, IndexReader, Search};
//! use serde_json::json;
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_export::Error> {
//! let search = Search {
//!     query: json!({"term": {"carrier": "UA"}}),
//!     columns: ColumnRequest::Named(vec!["flight".to_owned(), "dep_delay".to_owned()]),
//!     sort: vec![json!({"dep_delay": "desc"})],
//!     limit: Some(100),
//!     ..Search::new("flights")
//! };
//! let latest = IndexReader::open(&client, search.into()).await?.collect().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Stream frames
//!
//! Memory holds a few pages, whatever the size of the index. The stream checks that all rows came
//! and closes the read, so that it can be given away, for example to a load into another index:
//!
//! ```no_run
//! use es_export::{IndexReader, ReadRequest};
//! use futures::TryStreamExt as _;
//!
//! # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let reader = IndexReader::open(&client, ReadRequest::new("flights")).await?;
//! let frames = reader.into_frames().and_then(|frame| async move { Ok(frame.select(["flight", "dep_delay"])?) });
//! // `es_bulk::batched_frames(frames, ..)` makes batches of them that `es_bulk` loads.
//! let mut frames = std::pin::pin!(frames);
//! while let Some(frame) = frames.try_next().await? {
//!     println!("{} rows", frame.height());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Parquet files with a split
//!
//! ```no_run
//! use es_export::{Destination, Export, ReadRequest, Split};
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_export::Error> {
//! let parts = vec![("train".to_owned(), 0.8), ("test".to_owned(), 0.2)];
//! let mut export = Export::new(ReadRequest::new("flights"), Destination::Folder("flights".into()));
//! export.split = Some(Split::by_hash(vec!["_id".to_owned()], 7, parts)?);
//! export.partition_by = vec!["carrier".to_owned()];
//! let manifest = export.run(&client).await?;
//! for part in &manifest.parts {
//!     println!("{}: {} rows in {} files", part.name, part.rows, part.files.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Tensors
//!
//! Texts become numbers by an [`Encoding`], whose vocabulary and statistics come from the training
//! part alone and are in the manifest; [`encode`] applies them to other rows.
//!
//! ```no_run
//! use es_export::{Destination, Encoding, Export, Format, ReadRequest};
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_export::Error> {
//! let mut export = Export::new(ReadRequest::new("flights"), Destination::Folder("tensors".into()));
//! export.files = Format::Safetensors.into();
//! export.encodings.insert("carrier".to_owned(), Encoding::Codes);
//! export.encodings.insert("distance".to_owned(), Encoding::Standard);
//! let encoders = export.run(&client).await?.encoders;
//! # Ok(())
//! # }
//! ```
//!
//! # Resume after a kill
//!
//! An export with the same request and destination resumes after the files that a killed one has
//! finished, as long as the server keeps its point in time:
//!
//! ```no_run
//! use es_export::{Destination, Export, ReadRequest};
//!
//! # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let mut export = Export::new(ReadRequest::new("flights"), Destination::Folder("flights".into()));
//! export.request.options.keep_alive = "30m".parse()?;
//! export.options.rows_per_file = 500_000;
//! let manifest = export.run(&client).await?;
//! println!("resumed {} times", manifest.resumed);
//! # Ok(())
//! # }
//! ```
//!
//! # ES|QL and SQL
//!
//! ```no_run
//! use es_export::{Esql, IndexReader};
//! use serde_json::json;
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_export::Error> {
//! let query = Esql {
//!     params: vec![json!("UA")],
//!     ..Esql::new("FROM flights | WHERE carrier == ? | STATS delay = AVG(dep_delay) BY origin")
//! };
//! let delays = IndexReader::open(&client, query.into()).await?.collect().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A pipe, and a file for another program
//!
//! ```no_run
//! use es_export::{Format, ReadRequest, Spool, StreamExport};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_export::Error> {
//! let token = CancellationToken::new();
//! let stream = StreamExport::new(ReadRequest::new("flights"), Format::IpcStream);
//! stream.with_cancellation(token.clone()).run(&client, std::io::stdout()).await?;
//!
//! let spool = Spool::new(ReadRequest::new("flights"), "/tmp/flights.parquet");
//! let spooled = spool.with_cancellation(token).run(&client).await?;
//! println!("{} rows of {:?}", spooled.rows, spooled.schema);
//! # Ok(())
//! # }
//! ```
//!
//! # Options
//!
//! [`ExportOptions`], [`Output`], [`SplitOptions`], [`FieldOptions`] and [`Sample`] are options as a
//! pipeline file spells them, with `serde` and a JSON Schema:
//!
//! ```
//! use es_export::{Split, SplitOptions};
//!
//! let options: SplitOptions = serde_json::from_str(
//!     r#"{"by": "hash", "key": ["order"], "parts": {"train": 0.8, "test": 0.1}}"#,
//! )?;
//! let invalid = &options.check()[0];
//! assert_eq!(invalid.to_string(), "parts: the shares of the parts sum to 0.9, not to 1");
//! assert_eq!(invalid.help, "every row belongs to one part: adjust the shares");
//! # Ok::<(), serde_json::Error>(())
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

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

pub use commit::{Destination, StagedFolder};
pub use encode::Encoding;
pub use error::{Error, ErrorKind};
pub use es_frame::{CellPolicy, ColumnRequest, FieldSource, Malformed, Missing, Values};
pub use es_values::{PathSegment, Problem};
pub use export::{AddedColumn, Export, ReadyExport, Spool, Spooled, StreamExport, Streamed, Transform};
pub use manifest::{
    MANIFEST_FILE, Manifest, ManifestColumn, ManifestFile, ManifestFormat, ManifestKeys, ManifestPart, ManifestProof,
    ManifestVersions,
};
pub use options::{ExportOptions, FieldOptions, Output, ReadOptions, SplitOptions, TimePart, WriteOptions};
pub use progress::{Phase, Progress};
pub use read::{
    Esql, EsqlFormat, IndexReader, Origin, ReadBy, ReadFrom, ReadRequest, Sample, SavedRead, Search, Sql, Through, read,
};
pub use split::proof::KeySum;
pub use split::{MOST_STRATA, MissingTimes, Split, Stratum};
pub use write::{Compression, FileOptions, Format, ParquetOptions, StreamSummary, StreamWriter};
