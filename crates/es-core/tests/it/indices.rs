//! Indices and aliases of a real node.

use es_core::{AliasAction, ErrorKind, Mapping, NewIndex};
use serde_json::{Value, json};

use crate::support::live;

fn mapping(value: Value) -> Mapping {
    serde_json::from_value(value).unwrap()
}

fn settings(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn an_index_is_described_as_it_was_created() {
    let Some((client, scope)) = live("as_made").await else { return };
    let name = format!("{}a", scope.prefix());
    let wanted = NewIndex {
        settings: settings(json!({"number_of_shards": 2, "number_of_replicas": 0})),
        mapping: mapping(json!({
            "dynamic": "strict", "_meta": {"owner": "test"},
            "properties": {
                "dest": {"type": "keyword", "fields": {"text": {"type": "text"}}},
                "place": {"properties": {"city": {"type": "keyword", "ignore_above": 100}}},
                "at": {"type": "date"},
            },
        })),
    };
    let indices = client.indices();
    assert!(!indices.exists(&name).await.unwrap());
    assert_eq!(indices.describe(&name).await.unwrap(), []);
    indices.create(&name, &wanted).await.unwrap();
    assert!(indices.exists(&name).await.unwrap());

    let [found] = &indices.describe(&name).await.unwrap()[..] else { panic!("one index was made") };
    assert_eq!((found.name.as_str(), found.aliases.as_slice()), (name.as_str(), &[] as &[String]));
    assert_eq!(found.mapping.meta, wanted.mapping.meta);
    assert!(found.mapping.diff(&wanted.mapping).is_empty(), "{:?}", found.mapping.diff(&wanted.mapping));
    assert_eq!(found.settings["number_of_shards"], "2");

    let error = indices.create(&name, &wanted).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.server().unwrap().error_type, "resource_already_exists_exception");
    assert!(error.to_string().contains("already exists"), "{error}");
}

#[tokio::test]
async fn a_mapping_that_makes_no_sense_is_refused_with_its_reason() {
    let Some((client, scope)) = live("refused").await else { return };
    let name = format!("{}a", scope.prefix());
    let wrong = NewIndex { mapping: mapping(json!({"properties": {"a": {"type": "keywrod"}}})), ..NewIndex::default() };
    let error = client.indices().create(&name, &wrong).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::BadRequest, Some(400)));
    assert!(error.to_string().contains("keywrod"), "{error}");
    assert!(!client.indices().exists(&name).await.unwrap());
}

#[tokio::test]
async fn mappings_and_settings_change_in_place() {
    let Some((client, scope)) = live("in_place").await else { return };
    let name = format!("{}a", scope.prefix());
    let indices = client.indices();
    let first = mapping(json!({"properties": {"n": {"type": "integer"}}}));
    indices.create(&name, &NewIndex { mapping: first.clone(), ..NewIndex::default() }).await.unwrap();

    let more = mapping(json!({"properties": {"n": {"type": "integer"}, "s": {"type": "keyword"}}, "_meta": {"v": 2}}));
    assert!(!first.diff(&more).needs_reindex());
    indices.put_mapping(&name, &more).await.unwrap();
    let found = &indices.describe(&name).await.unwrap()[0];
    assert!(found.mapping.diff(&more).is_empty());
    assert_eq!(found.mapping.meta["v"], 2);

    let other = mapping(json!({"properties": {"n": {"type": "keyword"}}}));
    assert!(found.mapping.diff(&other).needs_reindex());
    let error = indices.put_mapping(&name, &other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert!(error.to_string().contains("cannot be changed from type [integer] to [keyword]"), "{error}");

    indices.put_settings(&name, &settings(json!({"refresh_interval": "7s"}))).await.unwrap();
    assert_eq!(indices.describe(&name).await.unwrap()[0].settings["refresh_interval"], "7s");
    indices.put_settings(&name, &settings(json!({"refresh_interval": null}))).await.unwrap();
    assert!(!indices.describe(&name).await.unwrap()[0].settings.contains_key("refresh_interval"));
    let fixed = indices.put_settings(&name, &settings(json!({"number_of_shards": 5}))).await.unwrap_err();
    assert_eq!(fixed.kind(), ErrorKind::BadRequest);
}

#[tokio::test]
async fn what_the_diff_calls_changeable_the_server_changes() {
    let Some((client, scope)) = live("changeable").await else { return };
    let table = [
        (json!({"type": "keyword"}), json!({"type": "keyword", "ignore_above": 10})),
        (json!({"type": "keyword", "ignore_above": 10}), json!({"type": "keyword", "ignore_above": 20})),
        (json!({"type": "keyword"}), json!({"type": "keyword", "doc_values": false})),
        (json!({"type": "keyword"}), json!({"type": "keyword", "index": false})),
        (json!({"type": "keyword"}), json!({"type": "keyword", "null_value": "none"})),
        (json!({"type": "text"}), json!({"type": "text", "search_analyzer": "standard"})),
        (json!({"type": "text"}), json!({"type": "text", "analyzer": "whitespace"})),
        (json!({"type": "integer"}), json!({"type": "integer", "coerce": false})),
        (json!({"type": "integer"}), json!({"type": "integer", "ignore_malformed": true})),
        (json!({"type": "integer"}), json!({"type": "long"})),
        (json!({"type": "integer"}), json!({"type": "integer", "meta": {"unit": "ms"}})),
        (json!({"type": "date"}), json!({"type": "date", "format": "yyyy"})),
        (json!({"type": "boolean"}), json!({"type": "boolean", "boost": 2.0})),
    ];
    let name = format!("{}a", scope.prefix());
    let field = |number: usize, definition: &Value| {
        Mapping::new([(format!("f{number}"), definition.clone())].into_iter().collect())
    };
    let all = table.iter().enumerate();
    let before = all.fold(Mapping::default(), |all, (number, (old, _))| all.overridden_by(&field(number, old)));
    client.indices().create(&name, &NewIndex { mapping: before, ..NewIndex::default() }).await.unwrap();
    let live = client.indices().describe(&name).await.unwrap().remove(0).mapping;
    for (number, (old, new)) in table.iter().enumerate() {
        let wanted = field(number, new);
        let path = format!("f{number}");
        let diff = live.diff(&live.clone().overridden_by(&wanted));
        assert!(diff.changes.iter().all(|change| change.path == path) && !diff.is_empty(), "{diff:?}");
        let done = client.indices().put_mapping(&name, &wanted).await.is_ok();
        // `Reindex` is allowed where the server would accept the change, as documents written
        // before would differ; `InPlace` is not allowed where the server refuses.
        assert!(done || diff.needs_reindex(), "{old} to {new} was promised and refused");
    }
}

#[tokio::test]
async fn aliases_move_in_one_step_or_not_at_all() {
    let Some((client, scope)) = live("aliases").await else { return };
    let [one, two, alias] = ["one", "two", "alias"].map(|name| format!("{}{name}", scope.prefix()));
    let indices = client.indices();
    for name in [&one, &two] {
        indices.create(name, &NewIndex::default()).await.unwrap();
    }
    let add = |index: &str| AliasAction::Add { index: index.into(), alias: alias.clone() };
    let remove = |index: &str| AliasAction::Remove { index: index.into(), alias: alias.clone() };
    assert_eq!(indices.alias_targets(&alias).await.unwrap(), [] as [String; 0]);
    indices.update_aliases(&[add(&one)]).await.unwrap();
    assert_eq!(indices.alias_targets(&alias).await.unwrap(), [one.as_str()]);
    assert_eq!(indices.describe(&one).await.unwrap()[0].aliases, [alias.as_str()]);
    // A repeated addition changes nothing, and removing a missing alias is no error.
    for _ in 0..2 {
        indices.update_aliases(&[remove(&one), add(&two)]).await.unwrap();
        assert_eq!(indices.alias_targets(&alias).await.unwrap(), [two.as_str()]);
    }
    let error = indices.update_aliases(&[remove(&two), add(&format!("{one}-absent"))]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(indices.alias_targets(&alias).await.unwrap(), [two.as_str()], "half of the steps were made");

    let described: Vec<String> = indices.describe(&alias).await.unwrap().into_iter().map(|index| index.name).collect();
    assert_eq!(described, [two.as_str()]);
}

#[tokio::test]
async fn only_one_index_is_removed_and_only_by_its_name() {
    let Some((client, scope)) = live("removed").await else { return };
    let [one, two, alias] = ["one", "two", "alias"].map(|name| format!("{}{name}", scope.prefix()));
    let indices = client.indices();
    for name in [&one, &two] {
        indices.create(name, &NewIndex::default()).await.unwrap();
    }
    indices.update_aliases(&[AliasAction::Add { index: one.clone(), alias: alias.clone() }]).await.unwrap();
    let date_math = format!("<{}{{now/d}}>", scope.prefix());
    let patterns = [
        "",
        "*",
        "_all",
        &format!("{}*", scope.prefix()),
        &format!("{}o?e", scope.prefix()),
        &format!("{one},{two}"),
        &format!("-{one}"),
        &date_math,
        ".",
        "..",
    ];
    for pattern in patterns {
        let error = indices.delete(pattern).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest, "{pattern}");
        assert_eq!(error.to_string(), format!("{pattern:?} is not the exact name of an index"));
    }
    let error = indices.delete(&alias).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert!(error.to_string().contains("matches an alias"), "{error}");
    for name in [&one, &two] {
        assert!(indices.exists(name).await.unwrap());
    }
    // The second time it is gone already, which is the wanted state.
    for _ in 0..2 {
        indices.delete(&one).await.unwrap();
        assert!(!indices.exists(&one).await.unwrap());
    }
    assert!(indices.exists(&two).await.unwrap());
}

#[tokio::test]
async fn documents_are_counted() {
    let Some((client, scope)) = live("counted").await else { return };
    let name = format!("{}a", scope.prefix());
    let lines: String = (0..5).map(|n| format!("{{\"index\":{{}}}}\n{{\"n\":{n}}}\n")).collect();
    let bulk = es_core::Request::new(es_core::Method::Post, es_core::paths::bulk(&name)).ndjson(lines);
    client.send(&bulk).await.unwrap();
    client.indices().refresh(&name).await.unwrap();
    assert_eq!(client.indices().count(&name).await.unwrap(), 5);
    assert_eq!(client.indices().count_matching(&name, &json!({"range": {"n": {"gte": 3}}})).await.unwrap(), 2);
    let missing = client.indices().count(&format!("{name}-absent")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("index_not_found_exception"), "{missing}");
    let wrong = client.indices().count_matching(&name, &json!({"rnage": {}})).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::BadRequest);
    assert!(wrong.to_string().contains("unknown query [rnage]"), "{wrong}");
}
