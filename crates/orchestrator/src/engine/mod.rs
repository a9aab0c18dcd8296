//! The engine: plans and runs the assets of one project. A process holds one, and runs as many
//! plans at once as it likes; the limits on steps hold for all of them together.
//!
//! It reports through a channel of events ([`bus`]) and returns typed errors; what a terminal or an
//! exit code makes of either is left to the commands.

pub mod bus;
pub mod event;
mod in_place;
pub mod known;
pub mod plan;
pub mod progress;
mod run;
pub mod standing;
mod step;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use es_bulk::MemoryBudget;
use es_core::Client;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::kinds::{Kinds, Prepared};
use crate::project::Project;
use crate::store::history::History;
use crate::store::lease::Leases;

pub use crate::kinds::{Built, Verdict};
pub use bus::{Bus, Sink};
pub use event::{RunEvent, StepName};
pub use plan::{Planned, Scope};
pub use run::{Finished, RunEnd, StepEnd};

/// Plans and runs the assets of one project.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    project: Arc<Project>,
    client: Client,
    history: History,
    leases: Leases,
    limits: Limits,
    memory: MemoryBudget,
}

/// The limits on steps at once, in all runs of the engine.
struct Limits {
    all: Arc<Semaphore>,
    by_kind: HashMap<&'static str, Arc<Semaphore>>,
}

/// The ways to stop and to observe a run.
pub struct RunOptions {
    /// Stops the run, after what is under way is settled.
    pub cancel: CancellationToken,
    /// The consumers of its events.
    pub sinks: Vec<Box<dyn Sink>>,
}

impl Engine {
    /// Connects to the cluster of a project.
    ///
    /// # Errors
    /// When the address, a certificate or the credentials are wrong, or nothing answers.
    pub async fn connect(project: Arc<Project>) -> Result<Self> {
        let client = project.connect().await?;
        Ok(Self::new(project, client))
    }

    /// An engine with a connection that is there already.
    pub fn new(project: Arc<Project>, client: Client) -> Self {
        let (prefix, pipeline) = (project.prefix.clone(), project.pipeline.name().to_owned());
        let length: Duration = project.settings.run.lease.to_duration();
        let by_kind = project.kinds.iter().filter_map(|kind| {
            let steps = kind.limits().steps?;
            Some((kind.name(), Arc::new(Semaphore::new(steps.max(1)))))
        });
        let limits = Limits {
            all: Arc::new(Semaphore::new(project.settings.run.concurrency.max(1) as usize)),
            by_kind: by_kind.collect(),
        };
        let inner = Inner {
            history: History::new(client.clone(), &prefix, &pipeline),
            leases: Leases::new(client.clone(), &prefix, &pipeline, length),
            memory: MemoryBudget::new(project.settings.bulk.in_flight_bytes),
            project,
            client,
            limits,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The project.
    pub fn project(&self) -> &Arc<Project> {
        &self.inner.project
    }

    /// The connection.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The history of runs.
    pub fn history(&self) -> &History {
        &self.inner.history
    }

    /// The kinds of assets.
    pub fn kinds(&self) -> &Kinds {
        &self.inner.project.kinds
    }
}

/// The findings of the kinds about each asset.
pub type PreparedAssets = HashMap<String, Prepared>;
