//! The cluster itself: its health, nodes, disks, shards, licence and features, and what the
//! client may do in it. Everything here reads; nothing is changed.
//!
//! What follows from the numbers is left to the caller, with one exception: whether the disks
//! have room for a load ([`DiskWatermarks::gate`]) is decided here, as every writer needs it.

mod absence;
mod allocation;
mod capabilities;
mod clock;
mod health;
mod licence;
mod node;
mod privileges;
mod settings;
mod shards;
mod watermarks;

use std::time::Duration;

pub use allocation::{AllocationExplanation, Decider};
pub(crate) use capabilities::CapabilityCache;
pub use capabilities::{Availability, Capabilities, Capability};
pub use clock::ClockSkew;
pub use health::{Health, HealthStatus, HealthWait};
pub use licence::{Licence, LicenceAnswer};
pub use node::{Breaker, NodeStatistics};
pub use privileges::{Identity, IndexPrivileges, PrivilegeRequest, Security, UngrantedPrivilege};
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
