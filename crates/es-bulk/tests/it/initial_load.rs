//! Settings of an index while it is filled.

use std::time::Duration;

use es_bulk::{BulkLoader, Error, ErrorKind, Finish, InitialLoad, InitialLoadOptions, OriginalSettings};
use es_core::{Backoff, Client, NewIndex, RetryPolicy};
use es_testing::Fault;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{batches, behind_a_proxy, live, numbered, options, stream_of};

async fn settings(client: &Client, index: &str) -> (Value, Value) {
    let found = client.indices().describe(index).await.unwrap().remove(0).index_settings();
    let of = |name: &str| found.get(name).cloned().unwrap_or(Value::Null);
    (of("refresh_interval"), of("number_of_replicas"))
}

async fn index_with(client: &Client, index: &str, settings: Value) {
    let settings = settings.as_object().unwrap().clone();
    client.indices().create(index, &NewIndex { settings, ..NewIndex::default() }).await.unwrap();
}

#[tokio::test]
async fn settings_are_restored_after_success_and_the_documents_are_found() {
    let Some((client, scope)) = live("initial").await else { return };
    let index = format!("{}a", scope.prefix());
    index_with(&client, &index, json!({"refresh_interval": "7s", "number_of_replicas": 1})).await;
    let before = settings(&client, &index).await;
    let filling = InitialLoad::new(&client, &index, InitialLoadOptions::default()).await.unwrap();
    assert_eq!(settings(&client, &index).await, before, "nothing is changed yet");
    let work = async {
        assert_eq!(settings(&client, &index).await, (json!("-1"), json!("0")));
        BulkLoader::new(client.clone(), &index, options()).load(stream_of(batches(&numbered(50), &["k"], 10))).await
    };
    let finish = Finish { force_merge: Some(1), ..Finish::default() };
    let summary = filling.during(finish, work).await.unwrap();
    assert_eq!(summary.created, 50);
    assert_eq!(settings(&client, &index).await, before);
    assert_eq!(client.indices().count(&index).await.unwrap(), 50, "refreshed");
}

#[tokio::test]
async fn settings_are_restored_after_a_failure_and_after_work_that_is_dropped() {
    let Some((client, scope)) = live("initial_fails").await else { return };
    let index = format!("{}a", scope.prefix());
    // The defaults are put back as defaults.
    index_with(&client, &index, json!({})).await;
    let before = settings(&client, &index).await;
    let filling = InitialLoad::new(&client, &index, InitialLoadOptions::default()).await.unwrap();
    let fails = async { Err::<(), _>(Error::new(ErrorKind::Input, "the disk went away")) };
    let error = filling.during(Finish::default(), fails).await.unwrap_err();
    assert_eq!(error.to_string(), "the disk went away");
    assert_eq!(settings(&client, &index).await, before);

    let mut filling = InitialLoad::new(&client, &index, InitialLoadOptions::default()).await.unwrap();
    filling.begin().await.unwrap();
    assert_ne!(settings(&client, &index).await, before);
    drop(filling);
    for _ in 0..200 {
        if settings(&client, &index).await == before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the settings were not restored");
}

/// A node that restarts when the last document is in must not fail the load, nor leave it without
/// refreshes: it is away for longer than the few tries that a request usually has.
#[tokio::test]
async fn the_end_of_a_load_waits_for_a_node_that_is_away() {
    let Some((client, proxy, scope)) = behind_a_proxy("initial_away").await else { return };
    let index = format!("{}a", scope.prefix());
    index_with(&client, &index, json!({"refresh_interval": "7s"})).await;
    let before = settings(&client, &index).await;
    let mut filling = InitialLoad::new(&client, &index, InitialLoadOptions::default()).await.unwrap();
    filling.begin().await.unwrap();
    proxy.script_for("/_settings", std::iter::repeat_n(Fault::Reset, 8));
    let backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(1) };
    let retry = RetryPolicy { backoff, ..Finish::default().retry };
    filling.finish(Finish { retry, ..Finish::default() }).await.unwrap();
    assert_eq!((proxy.unused(), settings(&client, &index).await), (0, before));
}

#[tokio::test]
async fn a_later_process_restores_what_an_earlier_one_stored() {
    let Some((client, scope)) = live("initial_later").await else { return };
    let index = format!("{}a", scope.prefix());
    index_with(&client, &index, json!({"refresh_interval": "9s"})).await;
    let only_refresh = InitialLoadOptions { without_replicas: false, ..InitialLoadOptions::default() };
    let mut filling = InitialLoad::new(&client, &index, only_refresh).await.unwrap();
    let stored = serde_json::to_string(filling.original()).unwrap();
    assert_eq!(stored, r#"{"refresh_interval":"9s"}"#);
    filling.begin().await.unwrap();
    // Killed: nothing runs any more, not even its drop.
    std::mem::forget(filling);
    assert_eq!(settings(&client, &index).await, (json!("-1"), json!("1")));
    let original: OriginalSettings = serde_json::from_str(&stored).unwrap();
    InitialLoad::resume(&client, &index, original).restore().await.unwrap();
    assert_eq!(settings(&client, &index).await, (json!("9s"), json!("1")));

    let expanding = format!("{}b", scope.prefix());
    index_with(&client, &expanding, json!({"auto_expand_replicas": "0-1"})).await;
    let filling = InitialLoad::new(&client, &expanding, InitialLoadOptions::default()).await.unwrap();
    assert_eq!(serde_json::to_value(filling.original()).unwrap(), json!({"refresh_interval": null}));
    let error = InitialLoad::new(&client, &format!("{}none", scope.prefix()), only_refresh).await.unwrap_err();
    assert!(error.to_string().contains("stands for 0 indices"), "{error}");
}

#[tokio::test]
async fn a_cancelled_initial_load_settles_and_restores_without_a_merge() {
    let Some((client, scope)) = live("initial_until").await else { return };
    let index = format!("{}a", scope.prefix());
    index_with(&client, &index, json!({"refresh_interval": "7s"})).await;
    let before = settings(&client, &index).await;
    let filling = InitialLoad::new(&client, &index, InitialLoadOptions::default()).await.unwrap();
    let cancel = CancellationToken::new();
    let loader = BulkLoader::new(client.clone(), &index, options()).with_cancellation(cancel.clone());
    let stop = cancel.clone();
    let input = futures::StreamExt::inspect(stream_of(batches(&numbered(500), &["k"], 10)), move |_| stop.cancel());
    let summary = filling.during_until(Finish::default(), &cancel, loader.load(input)).await.unwrap();
    assert!(summary.interrupted && summary.created < 500 && summary.adds_up(), "{summary}");
    assert_eq!(settings(&client, &index).await, before);
}

/// Work that is dropped when `main` ends has its settings restored by `Client::settle`, although
/// the drop itself happens in another thread, outside of any runtime.
#[tokio::test]
async fn settling_restores_the_settings_of_a_load_that_was_dropped() {
    let Some((client, scope)) = live("initial_settle").await else { return };
    let index = format!("{}a", scope.prefix());
    index_with(&client, &index, json!({"refresh_interval": "7s"})).await;
    let before = settings(&client, &index).await;
    let mut filling = InitialLoad::new(&client, &index, InitialLoadOptions::default()).await.unwrap();
    filling.begin().await.unwrap();
    assert_ne!(settings(&client, &index).await, before);
    std::thread::spawn(move || drop(filling)).join().unwrap();
    assert_eq!(client.settle(Duration::from_secs(10)).await, 0);
    assert_eq!(settings(&client, &index).await, before);
}

/// The obvious program: a load against Ctrl-C, then the end of `main`.
#[test]
fn a_runtime_that_ends_right_after_the_drop_leaves_no_setting_behind() {
    let start = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let runtime = start();
    let Some((client, scope, index, before)) = runtime.block_on(async {
        let (client, scope) = live("initial_main").await?;
        let index = format!("{}a", scope.prefix());
        index_with(&client, &index, json!({"refresh_interval": "7s"})).await;
        let before = settings(&client, &index).await;
        let filling = InitialLoad::new(&client, &index, InitialLoadOptions::default()).await.unwrap();
        let endless = std::future::pending::<Result<(), Error>>();
        tokio::select! {
            _ = filling.during(Finish::default(), endless) => {}
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
        client.settle(Duration::from_secs(10)).await;
        Some((client, scope, index, before))
    }) else {
        return;
    };
    drop(client);
    drop(runtime);
    let found = start().block_on(async { settings(&live("initial_main_after").await.unwrap().0, &index).await });
    assert_eq!(found, before);
    drop(scope);
}
