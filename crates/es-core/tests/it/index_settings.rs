//! The rules of changeable settings, compared with the behaviour of a real node.

use es_core::settings::SettingKind;
use es_core::{IndexSettings, Method, NewIndex, Request};
use serde_json::{Map, Value, json};

use crate::support::live;

async fn put(client: &es_core::Client, index: &str, settings: &Map<String, Value>) -> Result<(), es_core::Error> {
    client.indices().put_settings(index, settings).await
}

fn one(name: &str, value: &Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value.clone())])
}

async fn act(client: &es_core::Client, index: &str, action: &str) {
    let request = Request::new(Method::Post, format!("/{index}/{action}"));
    client.send(&request).await.unwrap();
}

#[tokio::test]
async fn each_setting_of_the_server_can_be_changed_when_the_rules_say() {
    let Some((client, scope)) = live("each_setting").await else { return };
    let index = format!("{}a", scope.prefix());
    let settings = json!({"number_of_replicas": 0}).as_object().unwrap().clone();
    client.indices().create(&index, &NewIndex { settings, ..NewIndex::default() }).await.unwrap();
    let request = Request::new(Method::Get, format!("/{index}/_settings")).query("include_defaults", true);
    let answer: Value = client.send(&request).await.unwrap().json().unwrap();
    let mut all = IndexSettings::from_json(&answer[&index]["defaults"]);
    for (name, value) in IndexSettings::from_json(&answer[&index]["settings"]).iter() {
        all = all.with(name, value.clone());
    }
    let of = |kind: SettingKind| all.iter().filter(move |(name, _)| IndexSettings::kind(name) == kind);

    // Elasticsearch 8 takes the end of a time series only for a time series.
    let of_any_index = of(SettingKind::Dynamic).filter(|(name, _)| *name != "time_series.end_time");
    let dynamic: Map<String, Value> = of_any_index.map(|(name, value)| (name.to_owned(), value.clone())).collect();
    assert!(dynamic.len() > 60, "{}", dynamic.len());
    if let Err(together) = put(&client, &index, &dynamic).await {
        for (name, value) in &dynamic {
            if let Err(error) = put(&client, &index, &one(name, value)).await {
                panic!("{name} is said to be dynamic: {error}");
            }
        }
        panic!("{together}");
    }
    let mut refused = 0;
    for kind in [SettingKind::Static, SettingKind::Final, SettingKind::Internal] {
        for (name, value) in of(kind).filter(|(name, _)| *name != "routing.allocation.include._tier_preference") {
            let error = put(&client, &index, &one(name, value)).await.expect_err(name);
            assert!(!error.to_string().is_empty());
            refused += 1;
        }
    }
    assert!(refused > 30, "{refused}");
    // A setting that the rules do not know must not count as changeable.
    let unknown: Vec<_> = of(SettingKind::Unknown).map(|(name, _)| name).collect();
    let diff =
        IndexSettings::default().diff(&unknown.iter().fold(IndexSettings::default(), |all, name| all.with(name, "x")));
    assert_eq!(diff.needs_new_index(), !unknown.is_empty());
    assert!(diff.in_place().is_empty());
}

#[tokio::test]
async fn static_settings_wait_until_the_index_is_closed_and_final_ones_for_ever() {
    let Some((client, scope)) = live("closed").await else { return };
    let index = format!("{}a", scope.prefix());
    let settings = json!({"number_of_replicas": 0}).as_object().unwrap().clone();
    client.indices().create(&index, &NewIndex { settings, ..NewIndex::default() }).await.unwrap();
    let table = [
        ("codec", json!("best_compression"), SettingKind::Static),
        ("mapping.coerce", json!(true), SettingKind::Static),
        ("mapping.ignore_malformed", json!(true), SettingKind::Static),
        ("analysis.analyzer.mine.type", json!("standard"), SettingKind::Static),
        ("similarity.mine.type", json!("boolean"), SettingKind::Static),
        ("shard.check_on_startup", json!("false"), SettingKind::Static),
        ("number_of_shards", json!(3), SettingKind::Final),
        ("sort.field", json!(["a"]), SettingKind::Final),
        ("routing_partition_size", json!(2), SettingKind::Final),
        ("mode", json!("time_series"), SettingKind::Final),
        ("soft_deletes.enabled", json!(false), SettingKind::Final),
    ];
    for (name, value, kind) in &table {
        assert_eq!(IndexSettings::kind(name), *kind);
        assert!(put(&client, &index, &one(name, value)).await.is_err(), "{name} was taken by an open index");
    }
    act(&client, &index, "_close").await;
    for (name, value, kind) in &table {
        let answer = put(&client, &index, &one(name, value)).await;
        assert_eq!(answer.is_ok(), *kind == SettingKind::Static, "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn the_difference_is_put_in_place_and_then_there_is_none() {
    let Some((client, scope)) = live("settings_diff").await else { return };
    let index = format!("{}a", scope.prefix());
    let first = json!({"number_of_replicas": 0, "refresh_interval": "5s", "index": {"mapping": {"total_fields": {"limit": 50}}}});
    let new = NewIndex { settings: first.as_object().unwrap().clone(), ..NewIndex::default() };
    client.indices().create(&index, &new).await.unwrap();
    let read = async || client.indices().describe(&index).await.unwrap().remove(0).index_settings();
    let live = read().await;
    assert!(
        live.diff(&IndexSettings::from_json(&first)).is_empty(),
        "{:?}",
        live.diff(&IndexSettings::from_json(&first))
    );
    assert_eq!((live.number_of_shards(), live.number_of_replicas()), (Some(1), Some(0)));

    let wanted = IndexSettings::default()
        .with("number_of_replicas", 0)
        .with("index.max_result_window", 500)
        .with("blocks.write", true)
        .with("mapping.total_fields.limit", "60")
        .with("translog.flush_threshold_size", "1024mb");
    let diff = live.diff(&wanted);
    assert!(!diff.needs_new_index(), "{diff:?}");
    put(&client, &index, &diff.in_place()).await.unwrap();
    let now = read().await;
    assert!(now.diff(&wanted).is_empty(), "{:?}", now.diff(&wanted));
    assert_eq!(now.refresh_interval(), None);
    assert_eq!(now.get("index.blocks.write"), Some(&json!("true")));
}
