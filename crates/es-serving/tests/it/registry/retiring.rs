//! Retirement of versions.

use std::sync::Arc;

use es_serving::ErrorKind;
use es_serving::registry::{Move, Terms};
use es_testing::Scope;

use super::{promote, register, registry, resolve};

const ROUNDS: u32 = 25;

#[tokio::test]
async fn a_retired_version_is_not_promoted_and_one_in_use_is_not_retired() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_retire");
    let registry = registry(&node, &scope).await;
    register(&registry, 3).await;
    promote(&registry, &[1, 2]).await;
    let by = Move::by("ben").why("leaks the label");
    let error = registry.retire("late", 2, &by).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let message = error.to_string();
    assert!(message.starts_with("version 2 of late is in use: ana moved late@champion from 1 to 2 at "), "{message}");
    let found = registry.version(&"models:/late/2".parse().unwrap()).await.unwrap();
    assert_eq!(found.retirement, None);

    let retired = registry.retire("late", 1, &by).await.unwrap();
    let retirement = retired.retirement.clone().unwrap();
    assert_eq!((retirement.by.as_str(), retirement.why.as_deref()), ("ben", Some("leaks the label")));
    assert_eq!(registry.retire("late", 1, &Move::by("ana")).await.unwrap(), retired);
    let error = registry.promote("late", "champion", 1, &by, &Terms::default()).await.unwrap_err();
    let message = format!("version 1 of late was retired by ben at {}, and cannot become champion", retirement.at);
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Refused, message.clone()));
    let error = registry.rollback("late", "champion", &by).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Refused, message));

    assert_eq!(registry.unretire("late", 1).await.unwrap().retirement, None);
    assert_eq!(registry.unretire("late", 1).await.unwrap().retirement, None);
    registry.rollback("late", "champion", &by).await.unwrap();
    assert_eq!(resolve(&registry, "models:/late@champion").await, 1);
    assert_eq!(registry.retire("late", 9, &by).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_promotion_and_a_retirement_at_once_one_is_refused() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_retire_race");
    let registry = registry(&node, &scope).await;
    register(&registry, 2).await;
    for round in 0..ROUNDS {
        // A new alias each second round: its document is not there before.
        let alias = if round % 2 == 0 { "champion".to_owned() } else { format!("alias_{round}") };
        let start = Arc::new(tokio::sync::Barrier::new(2));
        let promotion = tokio::spawn({
            let (registry, start, alias) = (registry.clone(), start.clone(), alias.clone());
            async move {
                start.wait().await;
                registry.promote("late", &alias, 2, &Move::by("ana"), &Terms::default()).await
            }
        });
        let retirement = tokio::spawn({
            let (registry, start) = (registry.clone(), start.clone());
            async move {
                start.wait().await;
                if round % 3 == 0 {
                    tokio::task::yield_now().await;
                }
                registry.retire("late", 2, &Move::by("ben")).await
            }
        });
        let (promoted, retired) = (promotion.await.unwrap(), retirement.await.unwrap());
        let aliased = registry.aliases("late").await.unwrap().iter().any(|step| step.to == 2);
        let version = registry.version(&"models:/late/2".parse().unwrap()).await.unwrap();
        assert!(!(aliased && version.is_retired()), "round {round}");
        assert_eq!((promoted.is_ok(), retired.is_ok()), (aliased, version.is_retired()), "round {round}");
        for error in [promoted.as_ref().err(), retired.as_ref().err()].into_iter().flatten() {
            assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
        }
        registry.unretire("late", 2).await.unwrap();
        if aliased {
            registry.promote("late", &alias, 1, &Move::by("ana"), &Terms::default()).await.unwrap();
        }
    }
}
