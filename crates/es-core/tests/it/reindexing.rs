//! Copies on a real node: whole, changed on the way, in conflict, cancelled, refused.

use std::time::Duration;

use es_core::reindex::{Conflicts, Reindex, ReindexFailure, ReindexTask, Slices};
use es_core::{Client, ErrorKind, NewIndex, Precondition, Request, Wait};
use serde_json::{Value, json};

use crate::support::{self, has_module};

/// A client of a node that can reindex.
async fn live(test: &str) -> Option<(Client, es_testing::Scope)> {
    let (client, scope) = support::live(test).await?;
    if !has_module(&client, "reindex").await {
        let error = client.start_reindex(&Reindex::new("a", "b")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FeatureMissing, "{error}");
        return None;
    }
    Some((client, scope))
}

fn wait() -> Wait {
    Wait {
        first: Duration::from_millis(20),
        longest: Duration::from_millis(200),
        ..Wait::at_most(Duration::from_secs(90))
    }
}

fn index(mapping: Value) -> NewIndex {
    let settings = json!({"number_of_replicas": 0}).as_object().unwrap().clone();
    NewIndex { settings, mapping: serde_json::from_value(mapping).unwrap() }
}

/// An index of `count` documents with the ids and numbers from 0.
async fn filled(client: &Client, name: &str, count: usize) {
    let mapping = json!({"properties": {"n": {"type": "integer"}, "s": {"type": "keyword"}}});
    client.indices().create(name, &index(mapping)).await.unwrap();
    let lines: String =
        (0..count).map(|n| format!("{{\"index\":{{\"_id\":\"{n}\"}}}}\n{{\"n\":{n},\"s\":\"x{n}\"}}\n")).collect();
    let bulk = Request::new(es_core::Method::Post, es_core::paths::bulk(name)).query("refresh", true).ndjson(lines);
    let answer: Value = client.send(&bulk).await.unwrap().json().unwrap();
    assert_eq!(answer["errors"], false);
}

async fn is_running(task: &ReindexTask, client: &Client) -> bool {
    client.tasks().get(task.id()).await.unwrap().outcome.is_none()
}

#[tokio::test]
async fn all_documents_are_copied_and_seen_on_the_way() {
    let Some((client, scope)) = live("copied").await else { return };
    let [from, to] = ["from", "to"].map(|name| format!("{}{name}", scope.prefix()));
    filled(&client, &from, 3000).await;
    let copy = Reindex { batch_size: 250, ..Reindex::new(&from, &to) };
    let mut task = client.start_reindex(&copy).await.unwrap();
    let mut seen = Vec::new();
    let summary = task.wait(&wait(), |now| seen.push(*now)).await.unwrap();
    summary.check().unwrap();
    assert_eq!((summary.progress.total, summary.progress.created, summary.progress.batches), (3000, 3000, 12));
    assert_eq!(seen.last(), Some(&summary.progress));
    assert!(seen.is_sorted_by_key(|now| now.done()), "{seen:?}");
    assert_eq!(client.indices().count(&to).await.unwrap(), 3000);

    // Again over the same, in parts and slowly enough to be watched.
    let parts = Reindex { batch_size: 100, ..Reindex::new(&from, &to) }.slices(2).documents_per_second(1500.0);
    let mut task = client.start_reindex(&parts).await.unwrap();
    let mut seen = Vec::new();
    let summary = task.wait(&wait(), |now| seen.push(*now)).await.unwrap();
    summary.check().unwrap();
    assert_eq!((summary.progress.updated, summary.progress.created), (3000, 0));
    assert!(summary.progress.throttled > Duration::ZERO);
    assert!(seen.iter().any(|now| now.done() > 0 && now.done() < 3000), "the parts were not seen at work: {seen:?}");
    assert!(seen.is_sorted_by_key(|now| now.done()), "{seen:?}");
    assert!(client.tasks().list("*reindex").await.unwrap().iter().all(|other| other.id != *task.id()));
}

#[tokio::test]
async fn documents_are_chosen_and_changed_on_the_way() {
    let Some((client, scope)) = live("changed").await else { return };
    if !has_module(&client, "lang-painless").await {
        return;
    }
    let [from, to] = ["from", "to"].map(|name| format!("{}{name}", scope.prefix()));
    filled(&client, &from, 100).await;
    let copy = Reindex { fields: vec!["n".into()], slices: Slices::Auto, ..Reindex::new(&from, &to) }
        .query(json!({"range": {"n": {"lt": 10}}}))
        .script("if (ctx._source.n == 3) { ctx.op = 'noop' } else { ctx._source.n *= 100 }");
    let mut task = client.start_reindex(&copy).await.unwrap();
    let summary = task.wait(&wait(), |_| ()).await.unwrap();
    summary.check().unwrap();
    assert_eq!((summary.progress.total, summary.progress.created, summary.progress.noops), (10, 9, 1));
    let found = client.documents(&to).get::<Value>("4").await.unwrap().unwrap();
    assert_eq!(found.source, json!({"n": 400}));

    let broken = Reindex::new(&from, &to).script("ctx._source.n = nothing.at_all()");
    let error = match client.start_reindex(&broken).await {
        Ok(mut task) => task.wait(&wait(), |_| ()).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{error}");
    assert!(error.to_string().contains("nothing"), "{error}");
}

#[tokio::test]
async fn a_conflict_stops_the_copy_or_is_counted() {
    let Some((client, scope)) = live("conflict").await else { return };
    let [from, to] = ["from", "to"].map(|name| format!("{}{name}", scope.prefix()));
    filled(&client, &from, 50).await;
    client.indices().create(&to, &index(json!({}))).await.unwrap();
    client.documents(&to).put("7", &json!({"n": -7}), Precondition::None).await.unwrap();
    let copy = Reindex { only_new: true, batch_size: 10, ..Reindex::new(&from, &to) };
    let mut task = client.start_reindex(&copy).await.unwrap();
    let summary = task.wait(&wait(), |_| ()).await.unwrap();
    let error = summary.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(error.server().unwrap().error_type, "version_conflict_engine_exception");
    let [ReindexFailure::Write { index, id, status: 409, .. }] = &summary.failures[..] else {
        panic!("{:?}", summary.failures)
    };
    assert_eq!((index.as_str(), id.as_str()), (to.as_str(), "7"));
    assert!(summary.progress.created < 49);

    let mut task = client.start_reindex(&copy.conflicts(Conflicts::Proceed)).await.unwrap();
    let summary = task.wait(&wait(), |_| ()).await.unwrap();
    summary.check().unwrap();
    assert_eq!(summary.progress.done(), 50);
    assert!(summary.progress.version_conflicts >= 1);
    let kept = client.documents(&to).get::<Value>("7").await.unwrap().unwrap();
    assert_eq!(kept.source, json!({"n": -7}));
}

#[tokio::test]
async fn a_document_that_does_not_fit_is_named() {
    let Some((client, scope)) = live("misfit").await else { return };
    let [from, to] = ["from", "to"].map(|name| format!("{}{name}", scope.prefix()));
    filled(&client, &from, 5).await;
    client.indices().create(&to, &index(json!({"properties": {"s": {"type": "integer"}}}))).await.unwrap();
    let mut task = client.start_reindex(&Reindex::new(&from, &to)).await.unwrap();
    let summary = task.wait(&wait(), |_| ()).await.unwrap();
    assert_eq!((summary.failures.len(), summary.progress.created), (5, 0));
    let error = summary.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PartialResult);
    assert!(error.to_string().contains("with 5 failures, the first: the document"), "{error}");
    assert!(error.to_string().contains("failed to parse field [s] of type [integer]"), "{error}");

    let absent = Reindex::new(format!("{from}-absent"), &to);
    let error = match client.start_reindex(&absent).await {
        Ok(mut task) => task.wait(&wait(), |_| ()).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("no such index"), "{error}");
}

#[tokio::test]
async fn a_copy_is_cancelled_by_request_and_by_being_dropped() {
    let Some((client, scope)) = live("cancelled").await else { return };
    let [from, to] = ["from", "to"].map(|name| format!("{}{name}", scope.prefix()));
    filled(&client, &from, 2000).await;
    // Ten batches, and a pause of more than a minute after each.
    let slow = Reindex { batch_size: 200, ..Reindex::new(&from, &to) }.documents_per_second(3.0);
    let mut task = client.start_reindex(&slow).await.unwrap();
    let short = Wait { limit: Duration::from_millis(300), ..wait() };
    let error = task.wait(&short, |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(error.to_string(), format!("the reindex from {from} to {to} was not done within 300ms"));
    assert!(is_running(&task, &client).await);
    assert!(task.cancel().await.unwrap());
    let summary = task.wait(&wait(), |_| ()).await.unwrap();
    assert!(summary.progress.done() < 2000 && summary.cancelled.is_some(), "{summary:?}");
    let error = summary.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PartialResult);
    assert!(error.to_string().contains("was cancelled (by user request) after"), "{error}");
    assert!(!task.cancel().await.unwrap(), "it had ended");

    let dropped = client.start_reindex(&slow).await.unwrap();
    let id = dropped.id().clone();
    drop(dropped);
    let summary = client.attach_reindex(id).wait(&wait(), |_| ()).await.unwrap();
    assert_eq!(summary.cancelled.as_deref(), Some("by user request"));

    // Detached, it continues, and can be attached again.
    let id = client.start_reindex(&slow).await.unwrap().detach();
    let mut again = client.attach_reindex(id);
    assert!(is_running(&again, &client).await);
    let found = client.tasks().list("*reindex").await.unwrap();
    let found = found.iter().find(|task| task.id == *again.id()).unwrap();
    assert!(found.cancellable && found.description.contains(&from), "{found:?}");
    assert!(again.cancel().await.unwrap());
    assert!(again.wait(&wait(), |_| ()).await.unwrap().cancelled.is_some());
}

#[tokio::test]
async fn an_unknown_task_is_not_found() {
    let Some((client, _scope)) = live("unknown_task").await else { return };
    let id = es_core::tasks::TaskId::new("absent:1");
    assert_eq!(client.tasks().get(&id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!client.tasks().cancel(&id).await.unwrap());
    assert!(client.tasks().list("no:such/action").await.unwrap().is_empty());
}

/// Waiting can be moved to a task of its own.
#[tokio::test]
async fn waiting_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    let Some((client, _scope)) = live("spawned").await else { return };
    let id = es_core::tasks::TaskId::new("absent:1");
    let mut task = client.attach_reindex(id.clone());
    {
        let limits = wait();
        let waiting = task.wait(&limits, |_| ());
        is_send(&waiting);
    }
    let _ = task.detach();
    let spawned = tokio::spawn(async move { client.tasks().wait(&id, &wait(), |_| ()).await.map(|_| ()) });
    assert_eq!(spawned.await.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
}
