//! Refresh, flush, force merge, rollover, and the options of aliases.

use std::time::Duration;

use es_core::indices::{RolloverConditions, RolloverMode};
use es_core::{AliasAction, AliasOptions, ErrorKind, ForceMerge, NewIndex, Precondition, Wait};
use serde_json::{Map, json};
use wiremock::Mock;
use wiremock::matchers::{method, path};

use crate::support::{answer, at, live, mock_node};

#[tokio::test]
async fn segments_are_merged_and_the_answer_waited_for() {
    let Some((client, scope)) = live("merge").await else { return };
    let index = format!("{}a", scope.prefix());
    let indices = client.indices();
    let settings = json!({"number_of_replicas": 0}).as_object().unwrap().clone();
    indices.create(&index, &NewIndex { settings, ..NewIndex::default() }).await.unwrap();
    for id in ["1", "2", "3"] {
        client.documents(&index).put(id, &json!({"n": 1}), Precondition::None).await.unwrap();
    }
    let segments = async || {
        let request = es_core::Request::new(es_core::Method::Get, format!("/{index}/_segments"));
        let body: serde_json::Value = client.send(&request).await.unwrap().json().unwrap();
        let shard = &body["indices"][&index]["shards"]["0"][0]["segments"];
        shard.as_object().unwrap().values().filter(|segment| segment["search"] == true).count()
    };
    assert_eq!(segments().await, 3);
    assert_eq!(indices.flush(&index).await.unwrap().successful, 1);
    let wait = Wait::at_most(Duration::from_secs(60));
    let counts = indices.force_merge(&index, ForceMerge::ToSegments(1), &wait).await.unwrap();
    assert_eq!((counts.total, counts.successful), (1, 1));
    indices.refresh(&index).await.unwrap();
    assert_eq!(segments().await, 1);
    for merge in [ForceMerge::ExpungeDeletes, ForceMerge::IfNeeded] {
        assert_eq!(indices.force_merge(&index, merge, &wait).await.unwrap().successful, 1);
    }
    let missing = format!("{index}-absent");
    assert_eq!(indices.flush(&missing).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(indices.refresh(&missing).await.unwrap_err().kind(), ErrorKind::NotFound);
    let error = indices.force_merge(&missing, ForceMerge::IfNeeded, &wait).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn a_failed_shard_is_an_error() {
    let server = mock_node().await;
    let body = json!({"_shards": {"total": 2, "successful": 1, "failed": 1, "failures": [
        {"index": "a", "shard": 1, "status": "INTERNAL_SERVER_ERROR",
            "reason": {"type": "flush_failed_engine_exception", "reason": "no space left on device"}},
    ]}});
    Mock::given(method("POST"))
        .and(path("/a/_flush"))
        .respond_with(answer(200).set_body_json(&body))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/a/_refresh"))
        .respond_with(answer(200).set_body_json(&body))
        .mount(&server)
        .await;
    let started = json!({"task": "n:1"});
    Mock::given(path("/a/_forcemerge")).respond_with(answer(200).set_body_json(&started)).mount(&server).await;
    let ended = json!({"completed": true, "task": {"node": "n", "id": 1, "action": "indices:admin/forcemerge"}, "response": body});
    Mock::given(path("/_tasks/n%3A1")).respond_with(answer(200).set_body_json(&ended)).mount(&server).await;
    let client = es_core::Client::connect(at(&server.uri())).await.unwrap();
    let indices = client.indices();
    let merged = indices.force_merge("a", ForceMerge::IfNeeded, &Wait::default()).await.unwrap_err();
    for (what, error) in [
        ("flush", indices.flush("a").await.unwrap_err()),
        ("refresh", indices.refresh("a").await.unwrap_err()),
        ("force merge", merged),
    ] {
        assert_eq!(error.kind(), ErrorKind::PartialResult);
        let cause = "shard [a][1]: flush_failed_engine_exception: no space left on device";
        assert_eq!(error.to_string(), format!("the {what} of a failed on 1 of 2 shards: {cause}"));
        assert_eq!(error.failed_shards()[0].reason.error_type, "flush_failed_engine_exception");
    }
}

#[tokio::test]
async fn an_alias_has_the_options_that_were_set() {
    let Some((client, scope)) = live("alias_ways").await else { return };
    let [one, two, alias] = ["one", "two", "alias"].map(|name| format!("{}{name}", scope.prefix()));
    let indices = client.indices();
    for name in [&one, &two] {
        indices.create(name, &NewIndex::default()).await.unwrap();
    }
    let options = AliasOptions {
        filter: Some(json!({"term": {"carrier": "LX"}})),
        index_routing: Some("1".into()),
        search_routing: Some("1,2".into()),
        is_write_index: Some(true),
        is_hidden: Some(true),
        other: Map::new(),
    };
    let add = |index: &str, options: &AliasOptions| AliasAction::AddWith {
        index: index.into(),
        alias: alias.clone(),
        options: options.clone(),
    };
    indices.update_aliases(&[add(&one, &options)]).await.unwrap();
    let found = indices.alias(&alias).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[&one], options);
    // Only one index can be written through an alias.
    let second = AliasOptions { is_write_index: Some(true), is_hidden: Some(true), ..AliasOptions::default() };
    let error = indices.update_aliases(&[add(&two, &second)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    assert_eq!(indices.alias_targets(&alias).await.unwrap(), [one.as_str()]);
    assert!(indices.alias(&format!("{alias}-absent")).await.unwrap().is_empty());

    // The swap applies the new options also where the alias pointed already.
    let plain = AliasOptions::default();
    indices.swap_alias(&alias, &[&one, &two], &plain).await.unwrap();
    assert_eq!(indices.alias_targets(&alias).await.unwrap(), [one.as_str(), two.as_str()]);
    assert_eq!(indices.alias(&alias).await.unwrap()[&one].filter, None);
    indices.swap_alias(&alias, &[&two], &plain).await.unwrap();
    assert_eq!(indices.alias_targets(&alias).await.unwrap(), [two.as_str()]);
    let absent = format!("{one}-absent");
    let error = indices.swap_alias(&alias, &[&absent], &plain).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(indices.alias_targets(&alias).await.unwrap(), [two.as_str()]);
    indices.swap_alias::<&str>(&alias, &[], &plain).await.unwrap();
    assert_eq!(indices.alias_targets(&alias).await.unwrap(), [] as [&str; 0]);
}

#[tokio::test]
async fn an_alias_rolls_over_when_a_condition_holds() {
    let Some((client, scope)) = live("rollover").await else { return };
    let [first, second, alias] = ["a-000001", "a-000002", "alias"].map(|name| format!("{}{name}", scope.prefix()));
    let indices = client.indices();
    indices.create(&first, &NewIndex::default()).await.unwrap();
    let options = AliasOptions { is_write_index: Some(true), ..AliasOptions::default() };
    indices.swap_alias(&alias, &[&first], &options).await.unwrap();
    let conditions = RolloverConditions {
        max_docs: Some(2),
        max_age: Some(Duration::from_secs(30 * 86_400)),
        max_primary_shard_size: Some(50 << 30),
        ..RolloverConditions::default()
    };
    client.documents(&alias).put("1", &json!({}), Precondition::None).await.unwrap();
    let early = indices.rollover(&alias, None, &conditions, RolloverMode::Make).await.unwrap();
    assert!(
        !early.rolled_over && early.conditions.len() == 3 && early.conditions.values().all(|holds| !holds),
        "{early:?}"
    );
    client.documents(&alias).put("2", &json!({}), Precondition::None).await.unwrap();
    let asked = indices.rollover(&alias, None, &conditions, RolloverMode::DryRun).await.unwrap();
    assert!(asked.dry_run && !asked.rolled_over && asked.conditions["[max_docs: 2]"], "{asked:?}");
    assert!(!indices.exists(&second).await.unwrap());
    let made = indices.rollover(&alias, None, &conditions, RolloverMode::Make).await.unwrap();
    assert!(made.rolled_over && made.old_index == first && made.new_index == second, "{made:?}");
    let pointed = indices.alias(&alias).await.unwrap();
    assert_eq!((pointed[&first].is_write_index, pointed[&second].is_write_index), (Some(false), Some(true)));

    let named = format!("{}named", scope.prefix());
    let now = RolloverConditions::default();
    assert_eq!(indices.rollover(&alias, Some(&named), &now, RolloverMode::Make).await.unwrap().new_index, named);
    let error = indices.rollover(&first, None, &now, RolloverMode::Make).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{error}");
}
