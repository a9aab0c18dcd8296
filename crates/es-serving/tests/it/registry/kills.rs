//! Kills between any two requests of a change, played by a proxy that cuts the connection from a
//! request on, and documents as a kill leaves them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use es_core::Client;
use es_serving::ErrorKind;
use es_serving::registry::{Move, Registry, Terms};
use es_testing::{Fault, FaultProxy, Node, Scope};

use super::{chain_of, connect_to, promote, promote_to, register, registry, resolve};

/// A registry whose process is gone after `allowed` requests: see [`mortal_client`].
async fn mortal(node: &Node, scope: &Scope, allowed: usize, last_is_lost: bool) -> (Registry, FaultProxy) {
    let (client, proxy) = mortal_client(node, allowed, last_is_lost).await;
    (Registry::new(client, scope.prefix()), proxy)
}

/// A client whose process is gone after `allowed` requests; with `last_is_lost` the node still does the
/// last one.
pub(crate) async fn mortal_client(node: &Node, allowed: usize, last_is_lost: bool) -> (Client, FaultProxy) {
    let proxy = FaultProxy::before(&node.url).await;
    let client = connect_to(node, &proxy.url()).await;
    let seen = Arc::new(AtomicUsize::new(0));
    proxy.decide_with(move |_| match seen.fetch_add(1, Ordering::Relaxed) + 1 {
        number if number > allowed => Fault::Reset,
        number if number == allowed && last_is_lost => Fault::DropReply,
        _ => Fault::Pass,
    });
    (client, proxy)
}

#[tokio::test]
async fn a_kill_at_any_request_of_a_move_leaves_a_history_that_agrees_with_the_alias() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_kill");
    let direct = registry(&node, &scope).await;
    register(&direct, 3).await;
    let by = Move::by("ben");
    let mut requests = usize::MAX;
    for last_is_lost in [false, true] {
        for allowed in 0..=requests {
            let alias = format!("{}_{allowed}", if last_is_lost { "lost" } else { "cut" });
            promote_to(&direct, &alias, &[1]).await;
            // As after a kill before the newest move got a document of its own.
            remove(&node, &direct, &format!("move|late|{alias}|1")).await;
            let (mortal, _proxy) = mortal(&node, &scope, allowed, last_is_lost).await;
            let outcome = mortal.promote("late", &alias, 2, &by, &Terms::default()).await;
            let after = chain_of(&direct, &alias).await;
            let is_moved = after == [(None, 1), (Some(1), 2)];
            assert!(is_moved || after == [(None, 1)], "{after:?} after {allowed} requests");
            assert!(is_moved || outcome.is_err());
            // Whoever moves it next goes on from there.
            promote_to(&direct, &alias, &[3]).await;
            let last = direct.rollback("late", &alias, &by).await.unwrap();
            assert_eq!(last.to, if is_moved { 2 } else { 1 });
            assert_eq!(chain_of(&direct, &alias).await.len(), after.len() + 2);
            if outcome.is_ok() && !last_is_lost {
                assert!(allowed > 4, "only {allowed} requests were tried");
                requests = allowed;
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_kill_at_any_request_of_a_first_promotion_leaves_an_alias_or_none() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_kill_first");
    let direct = registry(&node, &scope).await;
    register(&direct, 1).await;
    for allowed in 0.. {
        let alias = format!("alias_{allowed}");
        let (mortal, _proxy) = mortal(&node, &scope, allowed, false).await;
        let outcome = mortal.promote("late", &alias, 1, &Move::by("ben"), &Terms::default()).await;
        if let Err(error) = direct.history("late", &alias).await {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(outcome.is_err());
            assert!(!direct.models().await.unwrap()[0].aliases.contains_key(&alias));
        }
        promote_to(&direct, &alias, &[1]).await;
        assert_eq!(chain_of(&direct, &alias).await, [(None, 1)]);
        if outcome.is_ok() {
            assert!(allowed > 4, "only {allowed} requests were tried");
            return;
        }
    }
}

#[tokio::test]
async fn a_kill_at_any_request_of_a_retirement_leaves_the_version_usable_or_retired() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_kill_retire");
    let direct = registry(&node, &scope).await;
    register(&direct, 2).await;
    promote(&direct, &[1]).await;
    let by = Move::by("ben");
    for allowed in 0.. {
        let (mortal, _proxy) = mortal(&node, &scope, allowed, false).await;
        let outcome = mortal.retire("late", 2, &by).await;
        let found = direct.version(&"models:/late/2".parse().unwrap()).await.unwrap();
        assert!(found.is_retired() || outcome.is_err());
        if found.retirement.is_some() {
            let error = direct.promote("late", "champion", 2, &by, &Terms::default()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
        }
        // Retiring again finishes it.
        assert!(direct.retire("late", 2, &by).await.unwrap().is_retired());
        assert_eq!(resolve(&direct, "models:/late@champion").await, 1);
        direct.unretire("late", 2).await.unwrap();
        if outcome.is_ok() {
            assert!(allowed > 4, "only {allowed} requests were tried");
            return;
        }
    }
}

#[tokio::test]
async fn a_move_that_is_gone_is_named() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_gone");
    let registry = registry(&node, &scope).await;
    register(&registry, 3).await;
    promote(&registry, &[1, 2, 3]).await;
    remove(&node, &registry, "move|late|champion|2").await;
    let error = registry.history("late", "champion").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Damaged, "the history of late@champion lacks move 2 of 3")
    );
    assert_eq!(resolve(&registry, "models:/late@champion").await, 3);
}

async fn remove(node: &Node, registry: &Registry, id: &str) {
    let client = connect_to(node, &node.url).await;
    client.documents(registry.index()).delete(id).await.unwrap();
}
