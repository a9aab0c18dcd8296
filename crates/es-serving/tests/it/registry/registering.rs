//! Registering, listing and resolving.

use es_core::{Method, Request};
use es_serving::ErrorKind;
use es_serving::registry::{Checksum, Location, ModelFolder, Move, NewVersion, Registered, Registry, Terms};
use es_testing::{FaultProxy, Scope};
use serde_json::{Value, json};

use super::{connect_to, late, promote, register, registry, resolve};

#[tokio::test]
async fn a_version_comes_back_as_it_was_registered() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_roundtrip");
    let registry = registry(&node, &scope).await;
    assert!(registry.models().await.unwrap().is_empty());
    let place = tempfile::tempdir().unwrap();
    let file = ModelFolder::new(place.path()).put_bytes(b"a model").await.unwrap();
    let encoders = json!({"version": 1, "columns": [{"column": "", "": 0.1, "a.b": {"mean": 12.345_678_901_234_567}}],
        "big": u64::MAX, "vocabulary": ["é", "\u{0}"]});
    let new = NewVersion::onnx("late", &file, late("dep_delay").signature)
        .by("ana")
        .in_run("0192")
        .with_encoders(encoders.clone())
        .with_training("out/training_set/_manifest.json", Checksum::of(b"manifest"))
        .with_metric("auc", "test", 0.1 + 0.2)
        .with_metric("", "a.b", -1e-300)
        .with_tag("", "x")
        .with_tag("a.b", "")
        .with_description("gradient boosting");
    let registered = registry.register(new.clone()).await.unwrap();
    let Registered::New(version) = registered else { panic!("{registered:?}") };
    let found = registry.version(&"models:/late/1".parse().unwrap()).await.unwrap();
    assert_eq!(found, version);
    assert_eq!((found.model.as_str(), found.number, &found.encoders), ("late", 1, &Some(encoders)));
    assert_eq!((found.location, found.sha256, found.bytes), (Location::File(file.path), Some(file.sha256), Some(7)));
    assert_eq!((&found.metrics, &found.tags, &found.signature), (&new.metrics, &new.tags, &new.signature));
    assert_eq!((found.by, found.run, found.description), ("ana".into(), Some("0192".into()), new.description.clone()));
    assert_eq!(found.training, new.training);

    let settings = node.get(&format!("/{}", registry.index())).await;
    let index = &settings[registry.index()];
    assert_eq!(index["settings"]["index"]["hidden"], "true");
    assert_eq!(index["mappings"]["_meta"]["version"], 1);
    assert_eq!(index["mappings"]["dynamic"], "false");
}

#[tokio::test]
async fn the_same_content_is_the_same_version() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_same");
    let registry = registry(&node, &scope).await;
    register(&registry, 3).await;
    let again = late("column_2").by("ben").with_metric("auc", "test", 0.5);
    let Registered::Existing { version, not_taken } = registry.register(again).await.unwrap() else { panic!() };
    assert_eq!((version.number, version.by.as_str(), not_taken), (2, "ana", vec!["metrics"]));
    assert!(version.metrics.is_empty());
    let other_model = NewVersion { model: "early".to_owned(), ..late("column_2") };
    assert_eq!(registry.register(other_model).await.unwrap().version().number, 1);
    assert_eq!(registry.versions("late").await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn registrations_at_once_get_numbers_without_gaps_and_no_content_twice() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_at_once");
    let registry = registry(&node, &scope).await;
    for round in 0..5_u32 {
        // Four different contents, each by three at once; also the index is created by all at once.
        let tasks: Vec<_> = (0..12_u32)
            .map(|task| {
                let (registry, content) = (registry.clone(), task % 4);
                let new = late(&format!("column_{round}_{content}"));
                tokio::spawn(async move { (content, registry.register(new).await.unwrap()) })
            })
            .collect();
        let mut numbers = vec![Vec::new(); 4];
        let mut new = Vec::new();
        for task in tasks {
            let (content, registered) = task.await.unwrap();
            numbers[content as usize].push(registered.version().number);
            if let Registered::New(version) = registered {
                new.push(version.number);
            }
        }
        for numbers in &numbers {
            assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
        }
        new.sort_unstable();
        assert_eq!(new, (round * 4 + 1..=round * 4 + 4).collect::<Vec<_>>());
    }
    let versions = registry.versions("late").await.unwrap();
    assert_eq!(versions.iter().map(|version| version.number).collect::<Vec<_>>(), (1..=20).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_is_found_to_be_made() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_lost");
    let direct = registry(&node, &scope).await;
    register(&direct, 1).await;
    let proxy = FaultProxy::before(&node.url).await;
    let registry = Registry::new(connect_to(&node, &proxy.url()).await, scope.prefix());
    proxy.script_for("op_type=create", [es_testing::Fault::DropReply]);
    let Registered::New(version) = registry.register(late("column_2")).await.unwrap() else { panic!() };
    assert_eq!(version.number, 2);
    assert_eq!(direct.versions("late").await.unwrap().len(), 2);

    proxy.script_for("op_type=create", [es_testing::Fault::Reset]);
    let error = registry.register(late("column_3")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Elasticsearch, true));
    assert!(error.elasticsearch().is_some());
    assert_eq!(direct.versions("late").await.unwrap().len(), 2);
}

#[tokio::test]
async fn models_are_listed_with_their_newest_version_and_aliases() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_models");
    let registry = registry(&node, &scope).await;
    register(&registry, 11).await;
    let early = NewVersion { model: "early".to_owned(), ..late("a") };
    registry.register(early).await.unwrap();
    promote(&registry, &[2, 9]).await;
    registry.promote("late", "shadow", 11, &Move::by("ana"), &Terms::default()).await.unwrap();
    let models = registry.models().await.unwrap();
    let found: Vec<_> = models.iter().map(|found| (found.model.as_str(), found.newest.number)).collect();
    assert_eq!(found, [("early", 1), ("late", 11)]);
    assert!(models[0].aliases.is_empty());
    let aliases: Vec<_> = models[1].aliases.iter().map(|(alias, version)| (alias.as_str(), *version)).collect();
    assert_eq!(aliases, [("champion", 9), ("shadow", 11)]);
    let newest: Vec<_> =
        registry.aliases("late").await.unwrap().into_iter().map(|step| (step.alias, step.to)).collect();
    assert_eq!(newest, [("champion".to_owned(), 9), ("shadow".to_owned(), 11)]);
    assert_eq!(resolve(&registry, "models:/late@shadow").await, 11);
    assert_eq!(registry.diff("late", 1, 2).await.unwrap().columns.len(), 2);
}

#[tokio::test]
async fn what_is_not_there_is_answered_with_what_is() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_absent");
    let registry = registry(&node, &scope).await;
    let error = registry.version(&"models:/late@champion".parse().unwrap()).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "there is no model late\nhelp: there are no models");
    register(&registry, 2).await;
    registry.register(NewVersion { model: "early".to_owned(), ..late("a") }).await.unwrap();
    promote(&registry, &[1]).await;
    registry.promote("late", "shadow", 1, &Move::by("ana"), &Terms::default()).await.unwrap();
    let table = [
        ("models:/lates/1", "there is no model lates\nhelp: the models are late, early"),
        ("models:/lates@champion", "there is no model lates\nhelp: the models are late, early"),
        ("models:/late/3", "the model late has no version 3\nhelp: its versions are 1 to 2"),
        ("models:/early/3", "the model early has no version 3\nhelp: its only version is 1"),
        ("models:/late@shadwo", "the model late has no alias shadwo\nhelp: the aliases of late are shadow, champion"),
        ("models:/early@champion", "the model early has no alias champion\nhelp: there are no aliases of early"),
    ];
    for (reference, message) in table {
        let error = registry.version(&reference.parse().unwrap()).await.unwrap_err();
        assert_eq!((error.kind(), format!("{error:#}").as_str()), (ErrorKind::NotFound, message), "{reference}");
    }
    assert_eq!(registry.versions("lates").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(registry.history("late", "shadwo").await.unwrap_err().kind(), ErrorKind::NotFound);
    let error = registry.promote("late", "champion", 3, &Move::by("ana"), &Terms::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "the model late has no version 3");
    let error = registry.promote("late", "Champion", 1, &Move::by("ana"), &Terms::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn versions_and_models_are_read_in_pages() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_pages");
    let registry = registry(&node, &scope).await;
    register(&registry, 1).await;
    let found: Value = node.get(&format!("/{}/_doc/version%7Clate%7C1", registry.index())).await;
    // As many as need a third page, written as the registry writes them.
    let mut body = String::new();
    let mut add = |model: &str, number: u32| {
        let mut document = found["_source"].clone();
        document["number"] = json!(number);
        document["model"] = json!(model);
        document["body"]["version"]["number"] = json!(number);
        document["body"]["version"]["model"] = json!(model);
        body += &format!("{}\n{document}\n", json!({"create": {"_id": format!("version|{model}|{number}")}}));
    };
    (2..=2100).for_each(|number| add("late", number));
    (1000..2100).for_each(|model| add(&format!("model_{model}"), 1));
    let client = connect_to(&node, &node.url).await;
    let request =
        Request::new(Method::Post, format!("/{}/_bulk", registry.index())).query("refresh", true).ndjson(body);
    let answer: Value = client.send(&request).await.unwrap().json().unwrap();
    assert_eq!(answer["errors"], false);
    let versions = registry.versions("late").await.unwrap();
    assert!(versions.iter().map(|version| version.number).eq((1..=2100).rev()));
    assert_eq!(registry.models().await.unwrap().len(), 1101);
    assert_eq!(registry.register(late("new")).await.unwrap().version().number, 2101);

    client.documents(registry.index()).delete("version|late|7").await.unwrap();
    let error = registry.versions("late").await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Damaged, "version 7 of late is gone"));
}

#[tokio::test]
async fn a_registry_of_a_newer_layout_is_read_and_not_written() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "registry_newer");
    let registry = registry(&node, &scope).await;
    register(&registry, 1).await;
    let mapping = r#"{"_meta": {"version": 2}}"#;
    node.json(reqwest::Method::PUT, &format!("/{}/_mapping", registry.index()), mapping).await;
    assert_eq!(resolve(&registry, "models:/late/1").await, 1);
    let error = registry.register(late("new")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("has layout 2, and this version writes layout 1"), "{error}");
}
