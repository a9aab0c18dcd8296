//! Reading out of Elasticsearch: frames, files, splits, manifests.
//!
//! An [`IndexReader`] reads what a query matches as a stream of frames whose schema is known
//! before the first row: from one point in time, in slices read side by side. An [`Export`]
//! writes such a stream as Parquet files, split into parts by the hash of key columns, with
//! a [`Manifest`] that says what the files hold and where it came from. The folder appears
//! complete or not at all.
//!
//! [`write`] has the formats, as files ([`write::create`]) and as streams ([`StreamWriter`]);
//! [`encode`] makes numbers of columns, as they were in the training rows.
//!
//! How hits become columns is `es-frame`'s.
//!
//! ```no_run
//! use es_core::{Client, ClusterConfig};
//! use es_export::{IndexReader, ReadRequest};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(ClusterConfig::from_env()?).await?;
//! let reader = IndexReader::open(&client, ReadRequest::new("flights-departures")).await?;
//! let frame = reader.collect().await?;
//! println!("{frame}");
//! # Ok(())
//! # }
//! ```

mod commit;
pub mod encode;
mod error;
mod export;
mod manifest;
mod read;
mod split;
pub mod write;

pub use error::{Error, ErrorKind};
pub use export::{Export, ExportOptions, Progress};
pub use manifest::{MANIFEST_FILE, Manifest, ManifestColumn, ManifestFile, ManifestPart, ManifestSource};
pub use read::{IndexReader, ReadOptions, ReadRequest};
pub use split::Split;
pub use write::{Compression, Format, ParquetOptions, StreamSummary, StreamWriter};
