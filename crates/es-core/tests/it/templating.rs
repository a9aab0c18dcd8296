//! Index templates and component templates of a real node.

use std::collections::BTreeMap;
use std::time::Duration;

use es_core::data_streams::DataLifecycle;
use es_core::templates::{ComponentTemplate, IndexTemplate, TemplateContent};
use es_core::{AliasOptions, Client, ErrorKind, IndexSettings, NewIndex};
use serde_json::{Value, json};

use crate::support::live;

/// Removes templates at the end of a test, also of a failed one.
struct Cleanup(Client, Vec<String>);

impl Cleanup {
    async fn run(self) {
        for name in &self.1 {
            self.0.templates().delete(name).await.unwrap();
        }
        for name in &self.1 {
            self.0.templates().delete_component(name).await.unwrap();
        }
    }
}

fn content(value: Value) -> TemplateContent {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn templates_are_put_found_applied_and_removed() {
    let Some((client, scope)) = live("templates").await else { return };
    let [name, other, part] = ["template", "other", "part"].map(|name| format!("{}{name}", scope.prefix()));
    let cleanup = Cleanup(client.clone(), vec![name.clone(), other.clone(), part.clone()]);
    let outcome = tokio::spawn(used(client, scope.prefix().to_owned(), [name, other, part])).await;
    cleanup.run().await;
    outcome.unwrap();
}

async fn used(client: Client, prefix: String, [name, other, part]: [String; 3]) {
    let templates = client.templates();
    assert_eq!(templates.get(&name).await.unwrap(), None);
    assert!(!templates.exists(&name).await.unwrap());
    assert_eq!(templates.simulate(&format!("{prefix}x")).await.unwrap(), None);

    let component = ComponentTemplate {
        template: content(json!({
            "settings": {"index.refresh_interval": "9s", "number_of_replicas": 0},
            "mappings": {"_meta": {"from": "part"}, "properties": {"a": {"type": "keyword", "ignore_above": 9}}},
        })),
        version: Some(4),
        meta: json!({"owner": "test"}).as_object().unwrap().clone(),
        ..ComponentTemplate::default()
    };
    templates.put_component(&part, &component).await.unwrap();
    let found = templates.get_component(&part).await.unwrap().unwrap();
    assert_eq!((found.version, &found.meta), (Some(4), &component.meta));
    assert_eq!(found.template.mappings, component.template.mappings);
    let settings = found.template.settings.clone().unwrap();
    assert!(settings.diff(component.template.settings.as_ref().unwrap()).is_empty(), "{settings:?}");
    // What was read can be put again, whatever the server added.
    templates.put_component(&part, &found).await.unwrap();
    assert!(templates.component_exists(&part).await.unwrap());
    let listed = templates.list_components(&format!("{prefix}*")).await.unwrap();
    assert_eq!(listed.keys().collect::<Vec<_>>(), [&part]);

    let mut template = IndexTemplate::new([format!("{prefix}x*")]);
    template.composed_of = vec![part.clone()];
    template.priority = Some(500);
    template.other.insert("allow_auto_create".into(), json!(true));
    template.template = TemplateContent {
        settings: Some(IndexSettings::default().with("number_of_shards", 2)),
        mappings: Some(serde_json::from_value(json!({"properties": {"b": {"type": "date"}}})).unwrap()),
        aliases: Some(BTreeMap::from([(
            format!("{prefix}alias"),
            AliasOptions {
                is_hidden: Some(true),
                filter: Some(json!({"term": {"a": "x"}})),
                ..AliasOptions::default()
            },
        )])),
        ..TemplateContent::default()
    };
    templates.put(&name, &template).await.unwrap();
    assert!(templates.exists(&name).await.unwrap());
    let found = templates.get(&name).await.unwrap().unwrap();
    assert_eq!((&found.composed_of, found.priority), (&template.composed_of, Some(500)));
    assert_eq!(found.other["allow_auto_create"], true);
    assert_eq!(found.template.aliases, template.template.aliases);
    templates.put(&name, &found).await.unwrap();
    let same = IndexTemplate { priority: Some(500), ..IndexTemplate::new([format!("{prefix}x1*")]) };
    assert_eq!(templates.put(&other, &same).await.unwrap_err().kind(), ErrorKind::BadRequest);
    templates.put(&other, &IndexTemplate { priority: Some(1), ..same }).await.unwrap();

    let index = format!("{prefix}x1");
    let simulated = templates.simulate(&index).await.unwrap().unwrap();
    let overlapping: Vec<_> = simulated.overlapping.iter().map(|template| template.name.as_str()).collect();
    assert_eq!(overlapping, [other.as_str()]);
    client.indices().create(&index, &NewIndex::default()).await.unwrap();
    let made = client.indices().describe(&index).await.unwrap().remove(0);
    assert_eq!(made.aliases, [format!("{prefix}alias")]);
    assert_eq!(Some(&made.mapping), simulated.template.mappings.as_ref());
    let promised = simulated.template.settings.unwrap();
    assert!(made.index_settings().diff(&promised).is_empty(), "{promised:?}");
    assert_eq!((promised.number_of_shards(), promised.refresh_interval()), (Some(2), Some("9s")));

    assert_eq!(templates.delete_component(&part).await.unwrap_err().kind(), ErrorKind::BadRequest);
    for pattern in [format!("{prefix}*"), "*".into(), "a,b".into()] {
        assert_eq!(templates.delete(&pattern).await.unwrap_err().kind(), ErrorKind::BadRequest);
        assert_eq!(templates.delete_component(&pattern).await.unwrap_err().kind(), ErrorKind::BadRequest);
    }
    assert!(templates.delete(&name).await.unwrap() && !templates.delete(&name).await.unwrap());
    assert!(templates.delete_component(&part).await.unwrap() && !templates.delete_component(&part).await.unwrap());
}

#[tokio::test]
async fn a_template_of_a_data_stream_says_how_long_it_keeps() {
    let Some((client, scope)) = live("stream_template").await else { return };
    let name = format!("{}template", scope.prefix());
    let cleanup = Cleanup(client.clone(), vec![name.clone()]);
    let mut template = IndexTemplate::new([format!("{}s*", scope.prefix())]);
    template.data_stream = Some(serde_json::Map::new());
    template.priority = Some(500);
    template.template.lifecycle = Some(DataLifecycle::keep(Duration::from_secs(7 * 86_400)));
    client.templates().put(&name, &template).await.unwrap();
    let found = client.templates().get(&name).await.unwrap().unwrap();
    cleanup.run().await;
    assert_eq!(found.template.lifecycle.unwrap().data_retention, Some(Duration::from_secs(7 * 86_400)));
    assert!(found.data_stream.is_some());
}

#[test]
fn unknown_keys_of_templates_are_kept() {
    let original = json!({
        "index_patterns": ["a-*"], "composed_of": ["c"], "priority": 1, "version": 2, "_meta": {"m": 1},
        "data_stream": {"hidden": true, "future": 1}, "ignore_missing_component_templates": ["c"], "new_key": [1],
        "template": {
            "settings": {"number_of_shards": "1", "a.reset": null}, "aliases": {"x": {"is_hidden": true, "new": 1}},
            "mappings": {"properties": {"a": {"type": "new_type", "x": 1}}, "new": {"y": 2}},
            "lifecycle": {"enabled": true, "data_retention": "7d", "downsampling": [{"after": "1d"}]},
            "new_part": {"z": 3},
        },
    });
    let read: IndexTemplate = serde_json::from_value(original.clone()).unwrap();
    let settings = json!({"number_of_shards": "1", "a.reset": null});
    assert_eq!(serde_json::to_value(&read).unwrap()["template"]["settings"], settings);
    assert_eq!(serde_json::to_value(&read).unwrap(), original);
    let component = json!({"template": {"new": 1}, "deprecated": true, "version": 1});
    let read: ComponentTemplate = serde_json::from_value(component.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), component);
}
