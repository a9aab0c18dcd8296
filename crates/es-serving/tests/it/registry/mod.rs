//! The registry on a real Elasticsearch.

mod kills;
mod mlflow;
mod moving;
mod registering;
mod retiring;

use es_core::{Client, ClusterConfig, RetryPolicy};
use es_serving::open_inference::Datatype;
use es_serving::registry::{Move, NewVersion, Registry, Terms};
use es_serving::{InputColumn, ModelReference, Signature};
use es_testing::{Node, Scope};

/// A client for a node at an address, with the node's credentials.
pub(crate) async fn connect_to(node: &Node, url: &str) -> Client {
    let config = ClusterConfig::default().overlaid(|variable| match variable {
        "ELASTICSEARCH_URL" => Some(url.to_owned()),
        "ELASTICSEARCH_API_KEY" => node.api_key.clone(),
        "ELASTICSEARCH_USER" if node.api_key.is_none() => node.username.clone(),
        "ELASTICSEARCH_PASSWORD" if node.api_key.is_none() => node.password.clone(),
        "ELASTICSEARCH_CA_CERT" => node.ca_cert_path.as_ref().map(|path| path.display().to_string()),
        _ => None,
    });
    Client::connect(config.unwrap()).await.unwrap().with_retry(RetryPolicy::NEVER)
}

/// A registry of the test's own.
pub(crate) async fn registry(node: &Node, scope: &Scope) -> Registry {
    Registry::new(connect_to(node, &node.url).await, scope.prefix())
}

/// A version that differs from others in the name of its column alone.
pub(crate) fn late(column: &str) -> NewVersion {
    let column = InputColumn { name: column.to_owned(), datatype: Datatype::Fp32, nullable: false };
    let signature = Signature { columns: vec![column], ..Signature::default() };
    NewVersion::served("late", "https://models.example.org/v2/models/late", signature).by("ana")
}

/// Registers versions 1 to `count` of the model late.
pub(crate) async fn register(registry: &Registry, count: u32) {
    for number in 1..=count {
        let registered = registry.register(late(&format!("column_{number}"))).await.unwrap();
        assert_eq!(registered.version().number, number);
    }
}

/// Points late@champion to versions, one after another.
pub(crate) async fn promote(registry: &Registry, versions: &[u32]) {
    promote_to(registry, "champion", versions).await;
}

/// Points an alias of late to versions, one after another.
pub(crate) async fn promote_to(registry: &Registry, alias: &str, versions: &[u32]) {
    for version in versions {
        registry.promote("late", alias, *version, &Move::by("ana"), &Terms::default()).await.unwrap();
    }
}

/// The version that a reference leads to.
pub(crate) async fn resolve(registry: &Registry, reference: &str) -> u32 {
    let reference: ModelReference = reference.parse().unwrap();
    registry.version(&reference).await.unwrap().number
}

/// The history of late@champion: see [`chain_of`].
pub(crate) async fn chain(registry: &Registry) -> Vec<(Option<u32>, u32)> {
    chain_of(registry, "champion").await
}

/// The history of an alias of late as pairs of versions, after a check that it is a chain which ends
/// where the alias points.
pub(crate) async fn chain_of(registry: &Registry, alias: &str) -> Vec<(Option<u32>, u32)> {
    let history = registry.history("late", alias).await.unwrap();
    let mut before = None;
    for (step, number) in history.iter().zip(1..) {
        assert_eq!((step.number, step.from), (number, before));
        before = Some(step.to);
    }
    assert_eq!(before, Some(resolve(registry, &format!("models:/late@{alias}")).await));
    history.iter().map(|step| (step.from, step.to)).collect()
}
