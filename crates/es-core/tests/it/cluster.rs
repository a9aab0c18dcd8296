//! The cluster APIs against real nodes.

use std::time::Duration;

use es_core::cluster::{
    Availability, Capability, DiskGate, IndexPrivileges, LicenceAnswer, PrivilegeRequest, Security, UngrantedPrivilege,
};
use es_core::{Client, ClusterConfig, Credentials, HealthStatus, HealthWait, NewIndex, Secret};
use es_testing::{Node, Scope};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{live, of_node};

fn new_index(replicas: u32) -> NewIndex {
    let Value::Object(settings) = json!({"number_of_shards": 1, "number_of_replicas": replicas}) else {
        panic!("an object was written")
    };
    NewIndex { settings, ..NewIndex::default() }
}

#[tokio::test]
async fn health_is_awaited_and_a_time_out_is_reported() {
    let Some((client, scope)) = live("health").await else { return };
    let (whole, torn) = (format!("{}whole", scope.prefix()), format!("{}torn", scope.prefix()));
    client.indices().create(&whole, &new_index(0)).await.unwrap();
    // More copies than there are nodes cannot all be assigned.
    client.indices().create(&torn, &new_index(30)).await.unwrap();
    let cluster = client.cluster();
    let limit = Duration::from_secs(30);
    let reached = cluster.wait_for_health(Some(&whole), HealthStatus::Green, limit).await.unwrap();
    let HealthWait::Reached(health) = reached else { panic!("{reached:?}") };
    assert_eq!((health.status, health.active_shards, health.timed_out), (HealthStatus::Green, 1, false));
    let reached = cluster.wait_for_health(Some(&torn), HealthStatus::Yellow, limit).await.unwrap();
    assert!(matches!(reached, HealthWait::Reached(_)), "{reached:?}");
    let short = Duration::from_millis(200);
    let late = cluster.wait_for_health(Some(&torn), HealthStatus::Green, short).await.unwrap();
    let HealthWait::TimedOut(health) = late else { panic!("{late:?}") };
    assert_eq!((health.status, health.timed_out), (HealthStatus::Yellow, true));
    assert!(health.unassigned_shards >= 1);
    let none = format!("{}none", scope.prefix());
    let late = cluster.wait_for_health(Some(&none), HealthStatus::Yellow, short).await.unwrap();
    assert!(matches!(&late, HealthWait::TimedOut(health) if health.status == HealthStatus::Red), "{late:?}");
    let now = cluster.health().await.unwrap();
    assert!(now.nodes >= 1 && now.data_nodes >= 1 && now.active_shards >= 2, "{now:?}");
}

#[tokio::test]
async fn nodes_report_their_memory_disks_and_clock() {
    let Some((client, _scope)) = live("nodes").await else { return };
    let nodes = client.cluster().limited_to(Duration::from_secs(20)).nodes().await.unwrap();
    let node = &nodes[0];
    assert_eq!(node.version, Some(client.info().version));
    assert!(node.holds_data() && !node.name.is_empty());
    assert!(node.heap_used > 0 && node.heap_used <= node.heap_max && node.heap_percent <= 100, "{node:?}");
    let disk = node.disk.as_ref().unwrap();
    assert!(disk.available > 0 && disk.available <= disk.free && disk.free <= disk.total, "{disk:?}");
    assert!(node.breakers.iter().any(|breaker| breaker.name == "parent" && breaker.limit > 0));
    // The node is this machine or one with a synchronized clock, so that a minute is much.
    assert!(node.clock.unwrap().certain() < 60_000, "{:?}", node.clock);
}

#[tokio::test]
async fn watermarks_and_shard_limits_are_read() {
    let Some((client, _scope)) = live("watermarks").await else { return };
    let settings = client.cluster().settings().await.unwrap();
    assert!(settings.max_shards_per_node > 0);
    let terabyte = 1 << 40;
    let [low, high, flood] = [settings.watermarks.low, settings.watermarks.high, settings.watermarks.flood_stage]
        .map(|watermark| watermark.free_bytes(terabyte));
    assert!(low >= high && high >= flood && flood > 0, "{settings:?}");
    let gate = client.cluster().disk_gate().await.unwrap();
    if !settings.watermarks.enabled {
        assert_eq!(gate, DiskGate::Ok);
    }
}

#[tokio::test]
async fn shards_and_why_one_has_no_node() {
    let Some((client, scope)) = live("shards").await else { return };
    let (hidden, torn) = (format!("{}hidden", scope.prefix()), format!("{}torn", scope.prefix()));
    let mut index = new_index(0);
    index.settings.insert("hidden".to_owned(), json!(true));
    client.indices().create(&hidden, &index).await.unwrap();
    client.indices().create(&torn, &new_index(30)).await.unwrap();
    let cluster = client.cluster();
    cluster.wait_for_health(Some(&torn), HealthStatus::Yellow, Duration::from_secs(30)).await.unwrap();
    cluster.wait_for_health(Some(&hidden), HealthStatus::Green, Duration::from_secs(30)).await.unwrap();
    let pattern = format!("{}*", scope.prefix());
    let list = cluster.shards(&pattern, 1000).await.unwrap();
    assert_eq!((list.total, list.shards.len()), (32, 32));
    let primary = list.shards.iter().find(|shard| shard.index == hidden).unwrap();
    assert_eq!((primary.primary, primary.state.as_str(), primary.documents), (true, "STARTED", Some(0)));
    assert!(primary.bytes.is_some());
    let lost = list.shards.iter().find(|shard| shard.state == "UNASSIGNED").unwrap();
    assert_eq!((lost.index.as_str(), lost.primary, lost.bytes), (torn.as_str(), false, None));
    let few = cluster.shards(&pattern, 2).await.unwrap();
    assert_eq!((few.total, few.shards.len()), (32, 2));
    assert_eq!(cluster.shards(&format!("{}none*", scope.prefix()), 10).await.unwrap().total, 0);
    assert_eq!(cluster.shards(&format!("{}none", scope.prefix()), 10).await.unwrap().total, 0);

    let why = cluster.explain_shard(&torn, 0, false).await.unwrap().unwrap();
    assert_eq!((why.index.as_str(), why.shard, why.primary), (torn.as_str(), 0, false));
    assert!(!why.reason.is_empty() && !why.explanation.is_empty());
    assert!(why.deciders.iter().any(|decider| decider.name == "same_shard"), "{why:?}");
    // Other tests' shards may be explained as well; one is certainly unassigned.
    assert!(cluster.explain_any_unassigned().await.unwrap().is_some());
    assert_eq!(cluster.explain_shard(&format!("{torn}x"), 0, true).await.unwrap(), None);
}

#[tokio::test]
async fn licence_and_capabilities_are_reported_without_failing() {
    let Some((client, _scope)) = live("capabilities").await else { return };
    let licence = client.cluster().licence().await.unwrap();
    let LicenceAnswer::Licensed(licence) = licence else { panic!("{licence:?}") };
    assert_eq!(licence.status, "active");
    let found = client.cluster().capabilities().await;
    assert_eq!(found.iter().count(), Capability::ALL.len());
    assert!(found.has(Capability::Scripting), "{found:?}");
    let unknown: Vec<_> = found.iter().filter(|(_, at)| matches!(at, Availability::Unknown { .. })).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(client.clone().cluster().capabilities().await, found);
}

#[tokio::test]
async fn a_node_without_security_says_so() {
    let Some(node) = es_testing::plain().await else { return };
    if node.username.is_some() || node.api_key.is_some() {
        return;
    }
    let client = Client::connect(of_node(&node)).await.unwrap();
    assert_eq!(client.cluster().who_am_i().await.unwrap(), Security::Disabled);
    let wanted = PrivilegeRequest { cluster: vec!["monitor".into()], ..PrivilegeRequest::default() };
    assert_eq!(client.cluster().missing_privileges(&wanted).await.unwrap(), Security::Disabled);
}

/// A user with one role, both removed at the end of the test.
struct User<'a> {
    node: &'a Node,
    name: String,
}

impl<'a> User<'a> {
    const PASSWORD: &'static str = "a-password-for-this-test";

    async fn new(node: &'a Node, name: &str, role: Value) -> Self {
        node.json(Method::PUT, &format!("/_security/role/{name}"), role.to_string()).await;
        let user = json!({"password": Self::PASSWORD, "roles": [name]});
        node.json(Method::PUT, &format!("/_security/user/{name}"), user.to_string()).await;
        Self { node, name: name.to_owned() }
    }

    async fn client(&self) -> Client {
        let credentials = Credentials::Basic { user: self.name.clone(), password: Secret::new(Self::PASSWORD) };
        Client::connect(ClusterConfig { credentials, ..of_node(self.node) }).await.unwrap()
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let (node, name) = (self.node.clone(), self.name.clone());
        // A failure of the test matters more than one of the cleanup.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for kind in ["user", "role"] {
                    node.json(Method::DELETE, &format!("/_security/{kind}/{name}"), "").await;
                }
            });
        })
        .join();
    }
}

#[tokio::test]
async fn the_privileges_of_a_restricted_user_are_reported() {
    let Some(node) = es_testing::secure().await else { return };
    let scope = Scope::new(&node, "privileges");
    let pattern = format!("{}*", scope.prefix());
    let role = json!({
        "cluster": ["monitor"],
        "indices": [{"names": [pattern], "privileges": ["read", "indices:admin/aliases"]}],
    });
    let user = User::new(&node, &format!("{}user", scope.prefix()), role).await;
    let client = user.client().await;
    let Security::Enabled(identity) = client.cluster().who_am_i().await.unwrap() else { panic!("security is on") };
    assert_eq!(
        (identity.user.as_str(), identity.roles.as_slice()),
        (user.name.as_str(), [user.name.clone()].as_slice())
    );
    assert_eq!((identity.authentication.as_str(), identity.api_key), ("realm", None));
    let wanted = PrivilegeRequest {
        cluster: vec!["monitor".into(), "manage_security".into()],
        indices: vec![
            IndexPrivileges {
                names: vec![pattern.clone()],
                privileges: ["read", "view_index_metadata", "indices:admin/aliases"].map(str::to_owned).to_vec(),
            },
            IndexPrivileges { names: vec!["elsewhere".into()], privileges: vec!["read".into()] },
        ],
    };
    let missing = |index: Option<&str>, privilege: &str| UngrantedPrivilege {
        index: index.map(str::to_owned),
        privilege: privilege.to_owned(),
    };
    assert_eq!(
        client.cluster().missing_privileges(&wanted).await.unwrap(),
        Security::Enabled(vec![
            missing(None, "manage_security"),
            missing(Some(&pattern), "view_index_metadata"),
            missing(Some("elsewhere"), "read"),
        ])
    );
    // Scripting is proved by a refusal, as this user may not list the languages.
    let found = client.cluster().capabilities().await;
    assert!(found.has(Capability::Scripting), "{found:?}");
}

#[tokio::test]
async fn an_api_key_is_known_by_its_name() {
    let Some(node) = es_testing::secure().await else { return };
    let name = es_testing::unique_prefix("identity");
    let body = json!({"name": name, "expiration": "5m", "role_descriptors": {"r": {"cluster": ["monitor"]}}});
    // A key cannot create a key, so the password does.
    let mut owner = node.clone();
    owner.api_key = None;
    let key = owner.json(Method::POST, "/_security/api_key", body.to_string()).await;
    let credentials = Credentials::api_key(key["encoded"].as_str().unwrap());
    let client = Client::connect(ClusterConfig { credentials, ..of_node(&node) }).await.unwrap();
    let Security::Enabled(identity) = client.cluster().who_am_i().await.unwrap() else { panic!("security is on") };
    assert_eq!((identity.authentication.as_str(), identity.api_key), ("api_key", Some(name)));
    let remove = json!({"ids": [key["id"]]});
    owner.json(Method::DELETE, "/_security/api_key", remove.to_string()).await;
}
