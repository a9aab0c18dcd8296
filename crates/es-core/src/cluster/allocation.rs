//! The reason why a shard has no node.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Cluster;
use crate::error::Error;
use crate::request::{Method, Request};

/// The reason why a shard is not assigned, as the cluster explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocationExplanation {
    /// The index.
    pub index: String,
    /// The number of the shard.
    pub shard: u32,
    /// `true` for the primary.
    pub primary: bool,
    /// The event that made it unassigned: `INDEX_CREATED`, `NODE_LEFT`, ...
    pub reason: String,
    /// The cluster's summary.
    pub explanation: String,
    /// The rules that keep it from every node, each once.
    pub deciders: Vec<Decider>,
}

/// A rule that keeps a shard from a node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Decider {
    /// The rule's name: `same_shard`, `disk_threshold`, `filter`, ...
    #[serde(rename = "decider")]
    pub name: String,
    /// Its explanation.
    #[serde(default)]
    pub explanation: String,
}

#[derive(Deserialize)]
struct Body {
    index: String,
    shard: u32,
    primary: bool,
    #[serde(default)]
    unassigned_info: UnassignedInfo,
    #[serde(default)]
    allocate_explanation: String,
    #[serde(default)]
    node_allocation_decisions: Vec<NodeDecision>,
}

#[derive(Default, Deserialize)]
struct UnassignedInfo {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct NodeDecision {
    #[serde(default)]
    deciders: Vec<Value>,
}

impl From<Body> for AllocationExplanation {
    fn from(body: Body) -> Self {
        let mut deciders: Vec<Decider> = Vec::new();
        let all = body.node_allocation_decisions.iter().flat_map(|node| &node.deciders);
        for decider in all.filter(|decider| decider.get("decision").and_then(Value::as_str) != Some("YES")) {
            let Ok(decider) = Decider::deserialize(decider) else { continue };
            if !deciders.iter().any(|known| known.name == decider.name) {
                deciders.push(decider);
            }
        }
        Self {
            index: body.index,
            shard: body.shard,
            primary: body.primary,
            reason: body.unassigned_info.reason,
            explanation: body.allocate_explanation,
            deciders,
        }
    }
}

impl AllocationExplanation {
    /// The explanation of the first rule that keeps it from a node, without the ids of shards and
    /// nodes; the cluster's summary where no rule does.
    pub fn cause(&self) -> &str {
        let cause = self.deciders.first().map_or(self.explanation.as_str(), |rule| rule.explanation.as_str());
        cause.split(" [[").next().unwrap_or(cause)
    }

    /// The next step for a person.
    pub fn help(&self) -> &'static str {
        match self.deciders.first().map(|rule| rule.name.as_str()) {
            Some("same_shard") => "add a data node, or lower number_of_replicas of the index",
            Some("disk_threshold") => "free disk space on the data nodes, or add one",
            Some("filter" | "data_tier") => "add a node that the allocation filters of the index allow, or change them",
            Some("max_retry") => "find the failure in the server's log, then: POST _cluster/reroute?retry_failed=true",
            Some("enable") => "allow allocation again: cluster.routing.allocation.enable",
            Some("shards_limit") => "add a data node, or raise the limit of shards",
            _ => "read the whole explanation: GET _cluster/allocation/explain",
        }
    }
}

impl Cluster<'_> {
    /// Explains an unassigned shard of the cluster, which the server chooses. `None` when all are
    /// assigned.
    ///
    /// # Errors
    /// As [`crate::Client::send`]; it takes the cluster privilege `monitor`.
    pub async fn explain_any_unassigned(&self) -> Result<Option<AllocationExplanation>, Error> {
        self.explain(Request::new(Method::Get, "/_cluster/allocation/explain")).await
    }

    /// Explains a given shard, unassigned or not. `None` when there is no such shard.
    ///
    /// # Errors
    /// As [`crate::Client::send`]; it takes the cluster privilege `monitor`.
    pub async fn explain_shard(
        &self,
        index: &str,
        shard: u32,
        primary: bool,
    ) -> Result<Option<AllocationExplanation>, Error> {
        let body = json!({"index": index, "shard": shard, "primary": primary});
        self.explain(Request::new(Method::Post, "/_cluster/allocation/explain").json(&body).repeatable()).await
    }

    async fn explain(&self, request: Request) -> Result<Option<AllocationExplanation>, Error> {
        match self.get(request).await {
            Ok(response) => Ok(Some(response.json::<Body>()?.into())),
            // The server answers a bad request where nothing is unassigned.
            Err(error) if matches!(error.status(), Some(400 | 404)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_named_once_and_those_that_agree_are_left_out() {
        let same = json!({"decider": "same_shard", "decision": "NO", "explanation": "a copy is here"});
        let body: Body = serde_json::from_value(json!({
            "index": "a", "shard": 0, "primary": false, "current_state": "unassigned",
            "unassigned_info": {"reason": "INDEX_CREATED"}, "allocate_explanation": "no node",
            "node_allocation_decisions": [
                {"deciders": [same, {"decider": "enable", "decision": "YES", "explanation": "fine"}]},
                {"deciders": [same, {"decider": "disk_threshold", "decision": "THROTTLE", "explanation": "full"}]},
                {},
            ],
        }))
        .unwrap();
        let found = AllocationExplanation::from(body);
        let names: Vec<&str> = found.deciders.iter().map(|decider| decider.name.as_str()).collect();
        assert_eq!(names, ["same_shard", "disk_threshold"]);
        assert_eq!((found.reason.as_str(), found.explanation.as_str()), ("INDEX_CREATED", "no node"));
    }
}
