//! Gathers what the checks look at. Each request has a time limit, those that need nothing of
//! each other are sent side by side, and one that fails takes nothing with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use es_core::cluster::{
    AllocationExplanation, Capabilities, HealthFacts, Identity, LicenceAnswer, Security, ShardList, UngrantedPrivilege,
};
use es_core::probe::{NodeProbe, probe};
use es_core::{Client, ClusterConfig, ClusterInfo, Endpoint, Error, ErrorKind, IndexDescription, RetryPolicy};

use super::checks::Asked;
use super::checks::indices::Examined;
use super::needs::Needs;
use crate::store::generation::Generation;

/// Each stage of the gathering takes no longer than this, whatever a node does: see
/// [`super::examine`].
pub const STAGE_LIMIT: Duration = Duration::from_secs(10);

/// So many shards are looked at; the rest is counted.
const MOST_SHARDS: usize = 20_000;

/// The cluster to look at, and the needs to look for.
pub struct Target {
    /// The way to the cluster.
    pub config: ClusterConfig,
    /// The prefix of the names of the pipeline's indices.
    pub prefix: Option<String>,
    /// Indices of others that are read.
    pub sources: Vec<String>,
    /// The needs of the pipeline.
    pub needs: Needs,
}

/// The findings on the way to the cluster.
pub struct Reached {
    /// Each node's probe.
    pub probes: Asked<Vec<NodeProbe>>,
    /// The client, or why there is none.
    pub client: Result<(Client, Duration), Error>,
}

/// The answers of the cluster.
pub struct Gathered {
    /// Its first answer, about itself.
    pub info: ClusterInfo,
    /// Its health, nodes and settings, and why a shard has no node.
    pub facts: HealthFacts,
    /// Its licence.
    pub licence: Asked<LicenceAnswer>,
    /// Its features.
    pub capabilities: Asked<Capabilities>,
    /// Who the client is.
    pub identity: Asked<Security<Identity>>,
    /// The privileges that the user lacks.
    pub missing: Asked<Security<Vec<UngrantedPrivilege>>>,
    /// The shards under the prefix and of the sources.
    pub shards: Asked<ShardList>,
    /// The indices under the prefix and of the sources.
    pub indices: Asked<Vec<IndexDescription>>,
}

impl Gathered {
    /// The indices, with what the shards and the prefix tell of them.
    pub fn examined(&self, prefix: Option<&str>) -> Asked<Vec<Examined>> {
        let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
        for shard in self.shards.iter().flat_map(|list| &list.shards).filter(|shard| shard.primary) {
            *bytes.entry(shard.index.as_str()).or_default() += shard.bytes.unwrap_or(0);
        }
        let examine = |index: &IndexDescription| Examined {
            is_generation: Generation::of(index.clone(), prefix.unwrap_or_default()).is_some(),
            bytes: bytes.get(index.name.as_str()).copied(),
            index: index.clone(),
        };
        self.indices.as_ref().map(|indices| indices.iter().map(examine).collect()).map_err(Clone::clone)
    }
}

/// The configuration, made impatient: a person waits, and a failure is a result here.
fn impatient(config: &ClusterConfig) -> ClusterConfig {
    ClusterConfig {
        connect_timeout: config.connect_timeout.min(STAGE_LIMIT / 2),
        request_timeout: config.request_timeout.min(STAGE_LIMIT),
        retry: RetryPolicy::NEVER,
        ..config.clone()
    }
}

/// Looks at the way to each node, and connects.
///
/// # Errors
/// When the configuration itself cannot be used.
pub async fn reach(target: &Target) -> Result<Reached, Error> {
    let config = impatient(&target.config);
    let limit = config.request_timeout;
    let probes = async {
        match tokio::time::timeout(STAGE_LIMIT, probe(&config)).await {
            Ok(probed) => probed.map(Ok),
            Err(_) => Ok(Err(late(STAGE_LIMIT))),
        }
    };
    let connected = async {
        let started = Instant::now();
        match tokio::time::timeout(STAGE_LIMIT, Client::connect(config.clone())).await {
            Ok(client) => client.map(|client| (client, started.elapsed())),
            Err(_) => Err(Error::new(ErrorKind::TimedOut, format!("no node {}", late(limit)))
                .with_help("check that the address is right and that no firewall drops the connection")),
        }
    };
    let (probes, client) = tokio::join!(probes, connected);
    let probes = probes?;
    match client {
        Err(error) if error.kind() == ErrorKind::Config => Err(error),
        client => Ok(Reached { probes, client }),
    }
}

fn late(limit: Duration) -> String {
    format!("did not answer within {}", crate::terminal::table::took(limit))
}

async fn asked<T>(limit: Duration, answer: impl Future<Output = Result<T, Error>>) -> Asked<T> {
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if error.kind() == ErrorKind::Forbidden => {
            Err(format!("{} is not allowed: see access", error.request().unwrap_or("the request")))
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(late(limit)),
    }
}

/// Asks the cluster everything that the checks want to know.
pub async fn gather(target: &Target, client: &Client) -> Gathered {
    let limit = impatient(&target.config).request_timeout;
    let cluster = client.cluster().limited_to(limit);
    let privileges = target.needs.request();
    let patterns = patterns(target);
    let (health, nodes, settings, licence, capabilities, identity, missing, shards, indices) = tokio::join!(
        asked(limit, cluster.health()),
        asked(limit, cluster.nodes()),
        asked(limit, cluster.settings()),
        asked(limit, cluster.licence()),
        asked(limit, async { Ok(cluster.capabilities().await) }),
        asked(limit, cluster.who_am_i()),
        asked(limit, cluster.missing_privileges(&privileges)),
        shards(limit, &cluster, &patterns),
        indices(limit, client, &patterns),
    );
    let explanation = match &health {
        Ok(health) if health.unassigned_shards > 0 => asked(limit, explain(&cluster, &shards)).await,
        _ => Ok(None),
    };
    let info = client.info().clone();
    let facts = HealthFacts { health, explanation, nodes, settings };
    Gathered { info, facts, licence, capabilities, identity, missing, shards, indices }
}

/// The names that stand for every index that matters.
fn patterns(target: &Target) -> Vec<String> {
    target.prefix.iter().map(|prefix| format!("{prefix}*")).chain(target.sources.iter().cloned()).collect()
}

/// Explains a shard of the pipeline rather than of somebody else.
async fn explain(
    cluster: &es_core::Cluster<'_>,
    shards: &Asked<ShardList>,
) -> Result<Option<AllocationExplanation>, Error> {
    let is_lost = |shard: &&es_core::cluster::Shard| shard.state == "UNASSIGNED";
    let ours = shards.iter().flat_map(|list| &list.shards).filter(is_lost).max_by_key(|shard| shard.primary);
    match ours {
        Some(shard) => cluster.explain_shard(&shard.index, shard.number, shard.primary).await,
        None => cluster.explain_any_unassigned().await,
    }
}

const NOTHING_NAMED: &str = "no pipeline, no prefix and no --source says which indices to look at";

async fn shards(limit: Duration, cluster: &es_core::Cluster<'_>, patterns: &[String]) -> Asked<ShardList> {
    if patterns.is_empty() {
        return Err(NOTHING_NAMED.to_owned());
    }
    let lists = patterns.iter().map(|pattern| asked(limit, cluster.shards(pattern, MOST_SHARDS)));
    let mut all = ShardList::default();
    for list in futures::future::join_all(lists).await {
        let list = list?;
        all.total += list.total;
        all.shards.extend(list.shards);
    }
    // A source may lie under the prefix.
    all.shards.sort_by(|one, other| {
        (&one.index, one.number, one.primary, &one.state).cmp(&(
            &other.index,
            other.number,
            other.primary,
            &other.state,
        ))
    });
    Ok(all)
}

async fn indices(limit: Duration, client: &Client, patterns: &[String]) -> Asked<Vec<IndexDescription>> {
    if patterns.is_empty() {
        return Err(NOTHING_NAMED.to_owned());
    }
    let indices = client.indices();
    let described = patterns.iter().map(|pattern| asked(limit, indices.describe(pattern)));
    let mut all: BTreeMap<String, IndexDescription> = BTreeMap::new();
    for described in futures::future::join_all(described).await {
        all.extend(described?.into_iter().map(|index| (index.name.clone(), index)));
    }
    Ok(all.into_values().collect())
}

/// Each address, whether it is HTTPS, and whether it is this machine.
pub fn addresses(config: &ClusterConfig) -> Vec<(String, bool, bool)> {
    let Endpoint::Hosts(hosts) = &config.endpoint else { return Vec::new() };
    let told = hosts.iter().map(|host| {
        let name = host.host_str().unwrap_or_default();
        let is_local = name == "localhost"
            || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let port = host.port_or_known_default().unwrap_or(9200);
        (format!("{}://{name}:{port}", host.scheme()), host.scheme() == "https", is_local)
    });
    told.collect()
}

/// The present, once for all checks.
pub fn now() -> SystemTime {
    SystemTime::now()
}
