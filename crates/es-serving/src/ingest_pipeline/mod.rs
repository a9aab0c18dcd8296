//! Ingest pipelines of Elasticsearch, from configuration: what happens to a document at index time.
//!
//! An [`IngestPipeline`] is what a file says. [`IngestPipelines`] tries it on samples, creates it on a
//! cluster, and removes what is no longer used. Indices are made, and documents written, by others.
//!
//! # Try, create, attach
//!
//! ```no_run
//! # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use es_core::{IndexSettings, NewIndex};
//! use es_serving::ingest_pipeline::{IngestPipeline, IngestPipelines, SampleDocument, Simulated};
//! use serde_json::{Map, json};
//!
//! let pipeline: IngestPipeline = serde_json::from_value(json!({
//!     "processors": [
//!         {"uppercase": {"field": "origin"}},
//!         {"script": {"source": "ctx.speed = ctx.distance / ctx.air_time"}},
//!     ],
//! }))?;
//! let pipelines = IngestPipelines::new(client.clone(), "ml-");
//! pipelines.check(&pipeline).await?; // has the cluster what it needs?
//!
//! let flight: Map<_, _> = serde_json::from_value(json!({"origin": "jfk", "distance": 100, "air_time": 20}))?;
//! for outcome in pipelines.simulate(&pipeline, &[SampleDocument::new("ml-departures", "1", flight)]).await? {
//!     match outcome {
//!         Simulated::Written { changes, .. } => println!("{changes:?}"),
//!         Simulated::Dropped => println!("dropped"),
//!         Simulated::Failed(failure) => println!("{:?}: {}", failure.position, failure.reason),
//!     }
//! }
//!
//! let name = pipelines.ensure("departures", &pipeline).await?; // ml-departures-5f8e2a10
//! let settings = name.attach(IndexSettings::default())?.to_map();
//! client.indices().create("ml-departures-000001", &NewIndex { settings, ..NewIndex::default() }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! - A pipeline is never overwritten. Its name has a part of its fingerprint, so another definition is
//!   another pipeline, and an older generation of an index keeps the one that it was made with.
//! - Only pipelines with our `_meta` are listed or removed, each by its exact name.
//! - Every document that is written whole passes the pipeline, also one whose request names a pipeline of
//!   its own: see [`ATTACHED_BY`]. A partial update in a bulk request does not: the cluster runs no pipeline
//!   on one, and with `doc_as_upsert` on the part alone. One by `_update` passes it as the whole document.
//! - A template that the cluster would take as plain text is refused.
//!
//! A pipeline that another one runs by its name is not part of the fingerprint.
//!
//! # Privileges
//!
//! On the cluster: one of [`PRIVILEGES`] for everything here. `read_pipeline` is enough to simulate and to
//! list. `monitor` lets [`IngestPipelines::check`] look up the processors of each node; without it, the
//! cluster itself refuses the processors that it lacks. Writing to an index with a pipeline takes no more
//! than writing to one without.

mod changes;
mod definition;
mod features;
mod name;
mod simulate;
mod steps;
mod store;

use es_core::Client;

pub use changes::FieldChange;
pub use definition::{IngestPipeline, Processor};
pub use features::{IngestFeatures, NodeProcessors};
pub use name::{ATTACHED_BY, PipelineName};
pub use simulate::{ProcessorFailure, SampleDocument, Simulated};

use crate::registry::Checksum;

/// Privileges on the cluster, each of which allows to simulate, create, list and remove pipelines. The
/// narrowest is first.
pub const PRIVILEGES: [&str; 2] = ["manage_ingest_pipelines", "manage_pipeline"];

/// The ingest pipelines under a prefix.
#[derive(Clone, Debug)]
pub struct IngestPipelines {
    client: Client,
    prefix: String,
}

/// A pipeline of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPipeline {
    /// Its name.
    pub name: PipelineName,
    /// The fingerprint of its definition.
    pub fingerprint: Checksum,
}

/// The outcome of [`IngestPipelines::remove_unused`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Those that are gone.
    pub removed: Vec<PipelineName>,
    /// Those that the cluster keeps.
    pub in_use: Vec<InUse>,
}

/// A pipeline that the cluster keeps because an index has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Its name.
    pub name: PipelineName,
    /// The reason, in the server's words.
    pub reason: String,
}

impl IngestPipelines {
    /// The pipelines under a prefix.
    pub fn new(client: Client, prefix: &str) -> Self {
        Self { client, prefix: prefix.to_owned() }
    }
}
