//! Promotions, rollbacks and the history.

use std::sync::Arc;

use es_serving::ErrorKind;
use es_serving::registry::{Expected, Move, MoveKind, Promoted, PromotionRule, Registry, RuleVerdict, Terms};
use es_testing::{Fault, FaultProxy, Scope};
use jiff::{SignedDuration, Timestamp};

use super::{chain, connect_to, late, promote, register, registry, resolve};

const ROUNDS: u32 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_promotions_at_once_one_wins_and_the_other_is_told() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_race");
    let registry = registry(&node, &scope).await;
    register(&registry, 3).await;
    let mut live = None;
    for round in 0..ROUNDS {
        // Each expects the state before the round, so a late one must lose as well.
        let terms = Terms { expected: Expected::From(live), rule: None };
        let start = Arc::new(tokio::sync::Barrier::new(2));
        let candidates: Vec<u32> = (1..=3).filter(|version| Some(*version) != live).take(2).collect();
        let tasks: Vec<_> = candidates
            .into_iter()
            .map(|to| {
                let (registry, terms, start) = (registry.clone(), terms.clone(), start.clone());
                tokio::spawn(async move {
                    start.wait().await;
                    let by = Move::by(format!("writer {to}"));
                    (to, registry.promote("late", "champion", to, &by, &terms).await)
                })
            })
            .collect();
        let mut won = Vec::new();
        let mut lost = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                (to, Ok(Promoted::Moved(step))) => {
                    assert_eq!(step.to, to);
                    won.push(to);
                }
                (_, Ok(other)) => panic!("{other:?}"),
                (_, Err(error)) => lost.push(error),
            }
        }
        assert_eq!((won.len(), lost.len()), (1, 1), "round {round}");
        assert_eq!(lost[0].kind(), ErrorKind::Conflict);
        let message = lost[0].to_string();
        let who = format!("writer {} moved late@champion", won[0]);
        assert!(message.contains(&who) && message.contains(&format!("to {} at ", won[0])), "{message}");
        live = Some(won[0]);
    }
    assert_eq!(chain(&registry).await.len(), ROUNDS as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_history_of_many_writers_is_a_chain_of_what_they_did() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_many");
    let registry = registry(&node, &scope).await;
    register(&registry, 4).await;
    let tasks: Vec<_> = (1..=4_u32)
        .map(|writer| {
            let registry = registry.clone();
            tokio::spawn(async move {
                let by = Move::by(format!("writer {writer}"));
                let mut made = Vec::new();
                for round in 0..15 {
                    let outcome = if round % 5 == 4 {
                        registry.rollback("late", "champion", &by).await.map(Promoted::Moved)
                    } else {
                        registry.promote("late", "champion", writer, &by, &Terms::default()).await
                    };
                    match outcome {
                        Ok(Promoted::Moved(step)) => made.push(step),
                        Ok(Promoted::Already(_)) => {}
                        Err(error) => {
                            let expected = [ErrorKind::Conflict, ErrorKind::Refused, ErrorKind::NotFound];
                            assert!(expected.contains(&error.kind()), "{error:?}");
                        }
                    }
                }
                made
            })
        })
        .collect();
    let mut made = Vec::new();
    for task in tasks {
        made.extend(task.await.unwrap());
    }
    made.sort_by_key(|step| step.number);
    chain(&registry).await;
    assert_eq!(registry.history("late", "champion").await.unwrap(), made);
}

#[tokio::test]
async fn a_promotion_from_another_state_is_refused_and_one_to_the_same_version_moves_nothing() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_expected");
    let registry = registry(&node, &scope).await;
    register(&registry, 2).await;
    let by = Move::by("ben").why("better").in_run("0192").with_evidence("auc 0.93");
    let from = |version| Terms { expected: Expected::From(version), rule: None };
    let error = registry.promote("late", "champion", 1, &by, &from(Some(2))).await.unwrap_err();
    assert_eq!(error.to_string(), "late@champion is expected at version 2, and is not there");
    let outcome = registry.promote("late", "champion", 1, &by, &from(None)).await.unwrap();
    let Promoted::Moved(step) = outcome else { panic!("{outcome:?}") };
    let texts = [step.why.as_deref(), step.run.as_deref(), step.evidence.as_deref()];
    assert_eq!(texts, [Some("better"), Some("0192"), Some("auc 0.93")]);
    let again = registry.promote("late", "champion", 1, &by, &Terms::default()).await.unwrap();
    assert_eq!(again, Promoted::Already(step.clone()));
    let error = registry.promote("late", "champion", 2, &by, &from(None)).await.unwrap_err();
    let message = format!("late@champion is expected at no version, and ben moved late@champion to 1 at {}", step.at);
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Conflict, message));
    assert_eq!(registry.history("late", "champion").await.unwrap(), [step]);
    let error = registry.promote("late", "champion", 2, &Move::by(""), &Terms::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn rollbacks_go_back_one_promotion_after_another() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_rollback");
    let registry = registry(&node, &scope).await;
    register(&registry, 4).await;
    promote(&registry, &[1, 2, 3]).await;
    let by = Move::by("ben").why("late flights are missed");
    let step = registry.rollback("late", "champion", &by).await.unwrap();
    assert_eq!((step.kind, step.from, step.to), (MoveKind::Rollback, Some(3), 2));
    promote(&registry, &[4]).await;
    for to in [2, 1] {
        assert_eq!(registry.rollback("late", "champion", &by).await.unwrap().to, to);
    }
    let error = registry.rollback("late", "champion", &by).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Refused, "there is no version before 1 to roll late@champion back to")
    );
    let expected = [(None, 1), (Some(1), 2), (Some(2), 3), (Some(3), 2), (Some(2), 4), (Some(4), 2), (Some(2), 1)];
    assert_eq!(chain(&registry).await, expected);
    let error = registry.rollback("late", "shadow", &by).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_live_version_changes_at_the_instant_of_each_move() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_live_at");
    let registry = registry(&node, &scope).await;
    register(&registry, 3).await;
    promote(&registry, &[1, 3, 2]).await;
    registry.rollback("late", "champion", &Move::by("ana")).await.unwrap();
    let live = async |time| registry.live_at("late", "champion", time).await.unwrap();
    let moves = registry.history("late", "champion").await.unwrap();
    let before = SignedDuration::from_nanos(1);
    for (step, following) in moves.iter().zip(moves.iter().skip(1).map(Some).chain([None])) {
        assert_eq!(live(step.at).await.as_ref(), Some(step));
        let until = following.map_or(Timestamp::MAX, |following| following.at - before);
        assert_eq!(live(until).await.as_ref(), Some(step));
    }
    assert_eq!(live(moves[0].at - before).await, None);
    assert_eq!(live(Timestamp::UNIX_EPOCH).await, None);
}

#[tokio::test]
async fn a_rule_lets_only_better_versions_replace_the_champion() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_rule");
    let registry = registry(&node, &scope).await;
    for (column, auc) in [("a", 0.75), ("b", 0.755), ("c", 0.8)] {
        registry.register(late(column).with_metric("auc", "test", auc)).await.unwrap();
    }
    registry.register(late("d")).await.unwrap();
    let rule = PromotionRule { min_gain: 0.05, ..PromotionRule::new("auc") };
    let terms = Terms { rule: Some(rule), ..Terms::default() };
    let by = Move::by("ana");
    let first = registry.promote("late", "champion", 1, &by, &terms).await.unwrap();
    assert_eq!(first.newest().verdict, Some(RuleVerdict::First { candidate: 0.75 }));
    let error = registry.promote("late", "champion", 2, &by, &terms).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let message = error.to_string();
    assert!(message.contains("0.755 against 0.75") && message.contains("at least 0.05"), "{message}");
    let error = registry.promote("late", "champion", 4, &by, &terms).await.unwrap_err();
    assert_eq!(error.to_string(), "version 4, which is to be promoted as champion, has no metric auc on test");
    let moved = registry.promote("late", "champion", 3, &by, &terms).await.unwrap();
    let verdict = moved.newest().verdict.clone().unwrap();
    assert!(matches!(verdict, RuleVerdict::Gained { candidate: 0.8, champion: 0.75, .. }), "{verdict:?}");
    assert_eq!(chain(&registry).await, [(None, 1), (Some(1), 3)]);
    // A rollback is not held up by the rule that the better version was promoted by.
    registry.rollback("late", "champion", &by).await.unwrap();
    assert_eq!(resolve(&registry, "models:/late@champion").await, 1);
}

#[tokio::test]
async fn a_promotion_whose_answer_is_lost_is_found_to_be_made() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_lost_move");
    let direct = registry(&node, &scope).await;
    register(&direct, 2).await;
    promote(&direct, &[1]).await;
    let proxy = FaultProxy::before(&node.url).await;
    let registry = Registry::new(connect_to(&node, &proxy.url()).await, scope.prefix());
    proxy.script_for("if_seq_no", [Fault::DropReply]);
    let outcome = registry.promote("late", "champion", 2, &Move::by("ben"), &Terms::default()).await.unwrap();
    assert!(matches!(outcome, Promoted::Moved(step) if step.to == 2));
    proxy.script_for("if_seq_no", [Fault::Reset]);
    let error = registry.promote("late", "champion", 1, &Move::by("ben"), &Terms::default()).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(chain(&direct).await, [(None, 1), (Some(1), 2)]);
}
