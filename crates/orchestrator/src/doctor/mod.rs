//! `doctor`: what is wrong between this program and the cluster, and what to do about it.
//!
//! [`collect`] asks, [`checks`] judge, [`text`] shows, and [`needs`] says what the pipeline takes:
//! of it [`role`] makes the least-privileged role. Thresholds stand beside their checks, those of the
//! health of a cluster in es-core; what each
//! check is for stands in `docs/doctor.md`.

pub mod checks;
pub mod collect;
pub mod finding;
pub mod needs;
pub mod role;
pub mod text;

use es_core::Credentials;
use jiff::Timestamp;

use crate::error::Error;
use checks::{access, cluster, health, indices, machine, reachability, shards, skipped};
use collect::{Gathered, Reached, Target};
use finding::{Finding, Group, Status};

/// The checks that are skipped when the cluster cannot be asked.
const AFTER_THE_CONNECTION: [(Group, &str); 18] = [
    (Group::Cluster, "version"),
    (Group::Cluster, "licence"),
    (Group::Cluster, "features"),
    (Group::Access, "identity"),
    (Group::Access, "privileges"),
    (Group::Health, "status"),
    (Group::Health, "unassigned shards"),
    (Group::Health, "pending tasks"),
    (Group::Health, "clock"),
    (Group::Nodes, "disk"),
    (Group::Nodes, "heap"),
    (Group::Nodes, "breakers"),
    (Group::Shards, "number"),
    (Group::Shards, "size"),
    (Group::Shards, "replicas"),
    (Group::Indices, "mappings"),
    (Group::Indices, "blocks"),
    (Group::Indices, "lifecycle"),
];

/// Makes every check, on whatever is reachable.
///
/// It ends within three times [`collect::STAGE_LIMIT`], whatever a node does: one for the way
/// there, one for the questions, one to explain what they showed.
///
/// # Errors
/// When the configuration itself cannot be used. What is wrong with the cluster is a finding.
pub async fn examine(target: &Target) -> Result<Vec<Finding>, Error> {
    let reached = collect::reach(target).await?;
    let mut findings = way(target, &reached);
    match &reached.client {
        Ok((client, _)) => {
            let gathered = collect::gather(target, client).await;
            findings.extend(judge(target, &gathered));
        }
        Err(_) => {
            let why = "the connection failed: see above";
            findings.extend(AFTER_THE_CONNECTION.map(|(group, check)| skipped(group, check, why)));
        }
    }
    let (assets, library) = (target.needs.scored_here.clone(), target.needs.library.clone());
    let looking = tokio::task::spawn_blocking(move || machine::onnx_runtime(&assets, library.as_deref()));
    findings.extend(looking.await.map_err(|error| Error::defect("looking for ONNX Runtime", &error))?);
    findings.sort_by_key(|finding| finding.group);
    Ok(findings)
}

/// The way to the cluster.
fn way(target: &Target, reached: &Reached) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &reached.probes {
        Ok(probes) => findings.extend(probes.iter().flat_map(|probe| reachability::node(probe, collect::now()))),
        Err(why) => findings.push(skipped(Group::Connection, "port", why)),
    }
    let addresses = collect::addresses(&target.config);
    findings.extend(reachability::secrecy(&addresses, &target.config.credentials, target.config.tls.verification));
    let answer = reached.client.as_ref().map(|(client, took)| (client.info(), *took));
    let told = reached.probes.as_ref().is_ok_and(|probes| reachability::explains(probes));
    findings.push(reachability::connection(answer, told));
    findings
}

/// The findings about what the cluster told.
fn judge(target: &Target, gathered: &Gathered) -> Vec<Finding> {
    let needs = &target.needs;
    let addresses = collect::addresses(&target.config);
    let is_local = !addresses.is_empty() && addresses.iter().all(|(_, _, is_local)| *is_local);
    let has_lifecycles = gathered.capabilities.as_ref().ok().and_then(|found| {
        match found.of(es_core::cluster::Capability::LifecycleManagement) {
            es_core::cluster::Availability::Available => Some(true),
            es_core::cluster::Availability::Unknown { .. } => None,
            _ => Some(false),
        }
    });
    let examined = gathered.examined(target.prefix.as_deref());
    let mut findings = vec![
        cluster::version(gathered.info.version, &gathered.facts.nodes),
        cluster::licence(&gathered.licence, Timestamp::now()),
    ];
    findings.extend(cluster::capabilities(&gathered.capabilities, &needs.capabilities));
    findings.push(access::identity(&gathered.identity, is_local && target.config.credentials == Credentials::None));
    findings.extend(access::privileges(&gathered.missing, needs));
    findings.extend(health::all(&gathered.facts));
    findings.extend(shards::sizes(&gathered.shards));
    findings.push(shards::replicas(&gathered.indices, &gathered.facts.health));
    findings.extend(indices::all(&examined, &needs.fields, &needs.exports, has_lifecycles));
    findings
}

/// Returns whether anything fails.
pub fn has_failed(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.status == Status::Fail)
}
