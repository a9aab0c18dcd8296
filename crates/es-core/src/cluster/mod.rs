//! The cluster itself: its health, nodes, disks, shards, licence and features, and the privileges
//! of the client. Everything here reads; nothing is changed.
//!
//! Two verdicts are made here, as every program needs them: [`Cluster::health_report`] on the
//! health, and [`DiskWatermarks::gate`] on the room for a load. Others are left to the caller.

mod absence;
mod allocation;
mod capabilities;
mod clock;
mod health;
mod licence;
mod node;
mod privileges;
mod report;
mod settings;
mod shards;
mod watermarks;
mod words;

use std::time::Duration;

pub use allocation::{AllocationExplanation, Decider};
pub(crate) use capabilities::CapabilityCache;
pub use capabilities::{Availability, Capabilities, Capability};
pub use clock::ClockSkew;
pub use health::{Health, HealthStatus, HealthWait};
pub use licence::{Licence, LicenceAnswer};
pub use node::{Breaker, NodeStatistics};
pub use privileges::{Identity, IndexPrivileges, PrivilegeRequest, Security, UngrantedPrivilege};
pub use report::{
    HealthCheck, HealthFacts, HealthFinding, HealthReport, MAX_CLOCK_SKEW, MAX_HEAP_PERCENT, MAX_SHARDS_PERCENT,
    MAX_TASK_WAIT, Verdict,
};
pub use settings::ClusterSettings;
pub use shards::{Shard, ShardList};
pub use watermarks::{DiskGate, DiskShortage, DiskWatermarks, NodeDisk, Stage, Watermark};

use crate::client::Client;
use crate::error::Error;
use crate::request::Request;

/// The cluster APIs.
///
/// ```no_run
/// # async fn example(client: &es_core::Client) -> Result<(), es_core::Error> {
/// use std::time::Duration;
/// use es_core::{HealthStatus, HealthWait};
///
/// let cluster = client.cluster();
/// match cluster.wait_for_health(Some("flights-departures"), HealthStatus::Yellow, Duration::from_secs(30)).await? {
///     HealthWait::Reached(_) => {}
///     HealthWait::TimedOut(health) => println!("still {}", health.status),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Cluster<'a> {
    client: &'a Client,
    limit: Option<Duration>,
}

impl<'a> Cluster<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client, limit: None }
    }

    /// Limits each attempt of a request to this time, instead of the configuration's.
    pub fn limited_to(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    fn limited(&self, request: Request) -> Request {
        match self.limit {
            Some(limit) => request.timeout(limit),
            None => request,
        }
    }

    async fn get(&self, request: Request) -> Result<crate::request::Response, Error> {
        self.client.send(&self.limited(request)).await
    }
}
