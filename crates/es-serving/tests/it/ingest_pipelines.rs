//! Ingest pipelines on a real Elasticsearch.

use es_core::{Client, Credentials, IndexSettings, Method, NewIndex, Request, Secret};
use es_serving::ErrorKind;
use es_serving::ingest_pipeline::{
    IngestPipeline, IngestPipelines, PRIVILEGES, PipelineName, ProcessorFailure, SampleDocument, Simulated,
};
use es_testing::{Node, Scope};
use serde_json::{Value, json};

use crate::registry::connect_to;

/// Pipelines under the prefix of a test. Its indices go first: the cluster keeps the pipelines that they
/// have.
struct World {
    scope: Option<Scope>,
    node: Node,
    client: Client,
    pipelines: IngestPipelines,
}

impl World {
    async fn new(node: Node, test: &str) -> Self {
        let scope = Scope::new(&node, test);
        let client = connect_to(&node, &node.url).await;
        let pipelines = IngestPipelines::new(client.clone(), scope.prefix());
        Self { scope: Some(scope), node, client, pipelines }
    }

    fn prefix(&self) -> &str {
        self.scope.as_ref().unwrap().prefix()
    }

    fn named(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    /// Creates an index with a pipeline attached.
    async fn index(&self, name: &str, pipeline: &PipelineName) -> String {
        let index = self.named(name);
        let settings = IndexSettings::default().with("number_of_replicas", 0);
        let settings = pipeline.attach(settings).unwrap().to_map();
        self.client.indices().create(&index, &NewIndex { settings, ..NewIndex::default() }).await.unwrap();
        let described = self.client.indices().describe(&index).await.unwrap();
        assert_eq!(PipelineName::attached_to(&described[0].index_settings()).as_ref(), Some(pipeline));
        index
    }

    async fn put(&self, name: &str, body: Value) {
        self.node.json(reqwest::Method::PUT, &format!("/_ingest/pipeline/{name}"), body.to_string()).await;
    }

    async fn source(&self, index: &str, id: &str) -> Value {
        self.node.get(&format!("/{index}/_doc/{id}")).await["_source"].clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let (node, prefix) = (self.node.clone(), self.prefix().to_owned());
        self.scope.take();
        let remove = async move {
            let all = node.get("/_ingest/pipeline").await;
            for name in all.as_object().into_iter().flat_map(|all| all.keys()).filter(|name| name.starts_with(&prefix))
            {
                node.json(reqwest::Method::DELETE, &format!("/_ingest/pipeline/{name}"), "").await;
            }
        };
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
        let removed = std::thread::spawn(move || runtime().unwrap().block_on(remove)).join();
        assert!(removed.is_ok() || std::thread::panicking(), "the pipelines of the test are still there");
    }
}

fn pipeline(processors: Value) -> IngestPipeline {
    serde_json::from_value(json!({ "processors": processors })).unwrap()
}

fn sample(source: Value) -> SampleDocument {
    let Value::Object(source) = source else { panic!() };
    SampleDocument::new("departures", "1", source)
}

#[tokio::test]
async fn a_document_carries_the_change_and_one_that_a_processor_fails_on_is_rejected() {
    let Some(node) = es_testing::plain().await else { return };
    let world = World::new(node, "ingest_write").await;
    let definition = pipeline(json!([
        {"uppercase": {"field": "origin"}},
        {"script": {"source": "ctx.speed = ctx.distance / ctx.air_time"}},
        {"fail": {"if": "ctx.distance > 1000", "message": "too far", "tag": "far"}},
        {"drop": {"if": "ctx.distance == 0"}},
    ]));
    let name = world.pipelines.ensure("departures", &definition).await.unwrap();
    let index = world.index("departures-000001", &name).await;
    let other = world.named("other");
    world.put(&other, json!({"processors": [{"set": {"field": "other", "value": 1}}]})).await;

    let flight = json!({"origin": "jfk", "distance": 100, "air_time": 20});
    let changed = json!({"origin": "JFK", "distance": 100, "air_time": 20, "speed": 5});
    for (id, query) in [("1", String::new()), ("2", "?pipeline=_none".to_owned()), ("3", format!("?pipeline={other}"))]
    {
        let path = format!("/{index}/_doc/{id}{query}");
        world.node.json(reqwest::Method::PUT, &path, flight.to_string()).await;
        let mut expected = changed.clone();
        if id == "3" {
            expected["other"] = json!(1);
        }
        assert_eq!(world.source(&index, id).await, expected, "{query}");
    }

    let far = json!({"origin": "jfk", "distance": 1001, "air_time": 20});
    let nowhere = json!({"origin": "jfk", "distance": 0, "air_time": 20});
    let without = json!({"distance": 1, "air_time": 20});
    let lines = [("4", &far), ("5", &flight), ("6", &nowhere), ("7", &without)];
    let lines: String = lines.iter().map(|(id, one)| format!("{{\"index\":{{\"_id\":\"{id}\"}}}}\n{one}\n")).collect();
    let answer = world.node.json(reqwest::Method::POST, &format!("/{index}/_bulk?refresh=true"), lines).await;
    let item = |place: usize| &answer["items"][place]["index"];
    assert_eq!((&item(0)["status"], &item(0)["error"]["reason"]), (&json!(500), &json!("too far")));
    assert_eq!(item(1)["result"], "created");
    // A dropped document is a success to the server, and is not there.
    assert_eq!((&item(2)["status"], &item(2)["result"]), (&json!(200), &json!("noop")));
    assert_eq!(item(3)["status"], 400);
    assert_eq!(item(3)["error"]["reason"], "field [origin] not present as part of path [origin]");
    assert_eq!(world.client.indices().count(&index).await.unwrap(), 4);

    // The cluster runs no pipeline on a partial update in a bulk request, but on one by itself.
    let update = json!({"doc": {"origin": "lga"}});
    let lines = format!("{{\"update\":{{\"_id\":\"1\"}}}}\n{update}\n");
    world.node.json(reqwest::Method::POST, &format!("/{index}/_bulk"), lines).await;
    assert_eq!(world.source(&index, "1").await["origin"], "lga");
    world.node.json(reqwest::Method::POST, &format!("/{index}/_update/2"), update.to_string()).await;
    assert_eq!(world.source(&index, "2").await["origin"], "LGA");
}

#[tokio::test]
async fn a_document_that_the_final_pipeline_sends_elsewhere_is_rejected() {
    let Some(node) = es_testing::plain().await else { return };
    let world = World::new(node, "ingest_elsewhere").await;
    let elsewhere = world.named("elsewhere");
    let definition = pipeline(json!([{"set": {"field": "_index", "value": elsewhere}}]));
    let name = world.pipelines.ensure("departures", &definition).await.unwrap();
    let index = world.index("departures-000001", &name).await;
    let line = format!("{{\"index\":{{\"_index\":\"{index}\",\"_id\":\"1\"}}}}\n{{}}\n");
    let answer = world.node.json(reqwest::Method::POST, "/_bulk", line).await;
    let error = &answer["items"][0]["index"]["error"]["reason"];
    assert!(error.as_str().unwrap().contains("can't change the target index"), "{answer}");
    let outcome = world.pipelines.simulate(&definition, &[sample(json!({}))]).await.unwrap();
    let Simulated::Written { metadata, .. } = &outcome[0] else { panic!("{outcome:?}") };
    assert_eq!(
        json!(metadata),
        json!([{"change": "changed", "field": "_index", "before": "departures", "after": elsewhere}])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pipeline_is_created_once_and_never_overwritten() {
    let Some(node) = es_testing::plain().await else { return };
    let world = World::new(node, "ingest_ensure").await;
    let first = pipeline(json!([{"set": {"field": "a", "value": {"z": 1.50, "b": [1, null, "é"]}}}]));
    let described = IngestPipeline { description: Some("for people".to_owned()), ..first.clone() };
    let tasks = [(); 8].map(|()| {
        let (pipelines, described) = (world.pipelines.clone(), described.clone());
        tokio::spawn(async move { pipelines.ensure("late", &described).await.unwrap() })
    });
    let mut names = Vec::new();
    for task in tasks {
        names.push(task.await.unwrap());
    }
    names.dedup();
    let [name] = names.as_slice() else { panic!("{names:?}") };
    assert_eq!(*name, world.pipelines.name("late", &first).unwrap());
    let path = format!("/_ingest/pipeline/{name}");
    let stored = world.node.get(&path).await;
    let body = &stored[name.as_str()];
    assert_eq!((&body["version"], &body["description"]), (&json!(1), &json!("for people")));
    assert_eq!(
        body["_meta"],
        json!({"managed_by": "orchestrator", "asset": "late", "fingerprint": first.fingerprint()})
    );
    assert_eq!(world.pipelines.ensure("late", &first).await.unwrap(), *name);
    assert_eq!(world.node.get(&path).await, stored);

    let second = pipeline(json!([{"set": {"field": "a", "value": 2}}]));
    let other = world.pipelines.ensure("late", &second).await.unwrap();
    assert_ne!(other, *name);
    assert_eq!(world.node.get(&path).await, stored);

    // By hand.
    let mut changed = body.clone();
    for key in ["created_date_millis", "modified_date_millis"] {
        changed.as_object_mut().unwrap().remove(key);
    }
    changed["processors"][0]["set"]["value"] = json!(3);
    world.put(name.as_str(), changed.clone()).await;
    let error = world.pipelines.ensure("late", &first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
    assert_eq!(world.node.get(&path).await[name.as_str()]["processors"], changed["processors"]);

    // Of somebody else.
    let third = pipeline(json!([{"drop": {}}]));
    let taken = world.pipelines.name("late", &third).unwrap();
    world.put(taken.as_str(), json!({"processors": [{"drop": {}}]})).await;
    let error = world.pipelines.ensure("late", &third).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    assert_eq!(error.to_string(), format!("the pipeline {taken} is there, and belongs to somebody else"));
}

#[tokio::test]
async fn pipelines_that_no_index_uses_are_removed_and_no_others() {
    let Some(node) = es_testing::plain().await else { return };
    let world = World::new(node, "ingest_remove").await;
    let mut names = Vec::new();
    for value in 0..4 {
        let definition = pipeline(json!([{"set": {"field": "a", "value": value}}]));
        names.push(world.pipelines.ensure("late", &definition).await.unwrap());
    }
    let definition = pipeline(json!([{"set": {"field": "a", "value": 0}}]));
    // Another asset; a prefix that ends as the first asset begins; and pipelines of others.
    let scores = world.pipelines.ensure("late_scores", &definition).await.unwrap();
    let nested = IngestPipelines::new(world.client.clone(), &world.named("late-"));
    let nested = nested.ensure("scores", &definition).await.unwrap();
    let theirs = world.named("late-theirs");
    world.put(&theirs, json!({"processors": [], "_meta": {"managed_by": "ana"}})).await;

    let listed = world.pipelines.list("late").await.unwrap();
    let mut expected = names.clone();
    expected.sort();
    assert_eq!(listed.iter().map(|one| one.name.clone()).collect::<Vec<_>>(), expected);
    assert!(world.pipelines.list("early").await.unwrap().is_empty());

    // The second has an index, and the third is said to be in use.
    let index = world.index("late-000001", &names[1]).await;
    let removal = world.pipelines.remove_unused("late", &names[2..3]).await.unwrap();
    let mut expected = vec![names[0].clone(), names[3].clone()];
    expected.sort();
    assert_eq!(removal.removed, expected);
    assert_eq!((removal.in_use.len(), &removal.in_use[0].name), (1, &names[1]));
    assert!(removal.in_use[0].reason.contains(&format!("including [{index}]")), "{removal:?}");

    world.client.indices().delete(&index).await.unwrap();
    let removal = world.pipelines.remove_unused("late", &[]).await.unwrap();
    assert_eq!((removal.removed.len(), removal.in_use.len()), (2, 0));
    let left = world.node.get(&format!("/_ingest/pipeline/{}*", world.prefix())).await;
    let mut left: Vec<&str> = left.as_object().unwrap().keys().map(String::as_str).collect();
    left.sort_unstable();
    let mut expected = [scores.as_str(), nested.as_str(), theirs.as_str()];
    expected.sort_unstable();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn a_simulation_shows_what_changed_was_dropped_or_failed() {
    let Some(node) = es_testing::plain().await else { return };
    let world = World::new(node, "ingest_simulate").await;
    let called = world.named("called");
    world
        .put(&called, json!({"processors": [{"trim": {"field": "text", "ignore_missing": true, "tag": "theirs"}}]}))
        .await;
    let definition: IngestPipeline = serde_json::from_value(json!({
        "processors": [
            {"drop": {"if": "ctx.kind == 'drop'"}},
            {"rename": {"field": "old", "target_field": "new.name", "ignore_missing": true}},
            {"foreach": {"field": "list", "ignore_missing": true,
                "processor": {"convert": {"field": "_ingest._value", "type": "integer"}}}},
            {"pipeline": {"name": called}},
            {"script": {"source": "ctx.half = ctx.number / 2", "if": "ctx.kind == 'script'", "tag": "halves"}},
            {"set": {"field": "_id", "value": "moved", "if": "ctx.kind == 'id'"}},
            {"remove": {"field": "none", "if": "ctx.kind == 'handled'", "on_failure": [
                {"set": {"field": "handled", "value": true}},
                {"fail": {"message": "not even so", "if": "ctx.worse == true"}},
            ]}},
        ],
    }))
    .unwrap();
    let failed = |position: &str, kind: &str, tag: Option<&str>, reason: &str| {
        Simulated::Failed(ProcessorFailure {
            position: Some(position.to_owned()),
            kind: Some(kind.to_owned()),
            tag: tag.map(str::to_owned),
            reason: reason.to_owned(),
        })
    };
    let table = [
        (json!({"kind": "drop"}), Simulated::Dropped),
        (
            json!({"old": {"deep": 1}, "list": ["1", "2"], "text": " x "}),
            Simulated::Written {
                source: serde_json::from_value(json!({"list": [1, 2], "text": "x", "new": {"name": {"deep": 1}}}))
                    .unwrap(),
                changes: Vec::new(),
                metadata: Vec::new(),
            },
        ),
        (
            json!({"list": ["1", "z"]}),
            failed("processors[2]", "foreach", None, "unable to convert [z] to integer: For input string: \"z\""),
        ),
        (
            json!({"text": 7}),
            failed(
                "processors[3]",
                "trim",
                Some("theirs"),
                "field [text] of type [java.lang.Integer] cannot be cast to [java.lang.String]",
            ),
        ),
        (
            json!({"kind": "handled", "worse": true}),
            failed("processors[6].remove.on_failure[1]", "fail", None, "not even so"),
        ),
    ];
    let samples: Vec<SampleDocument> = table.iter().map(|(source, _)| sample(source.clone())).collect();
    let outcomes = world.pipelines.simulate(&definition, &samples).await.unwrap();
    for ((source, expected), outcome) in table.iter().zip(&outcomes) {
        match (outcome, expected) {
            (Simulated::Written { source: found, .. }, Simulated::Written { source, .. }) => assert_eq!(found, source),
            _ => assert_eq!(outcome, expected, "{source}"),
        }
    }
    let Simulated::Written { changes, metadata, .. } = &outcomes[1] else { panic!() };
    assert!(metadata.is_empty());
    assert_eq!(
        json!(changes),
        json!([
            {"change": "removed", "field": "old.deep", "value": 1},
            {"change": "changed", "field": "list", "before": ["1", "2"], "after": [1, 2]},
            {"change": "changed", "field": "text", "before": " x ", "after": "x"},
            {"change": "added", "field": "new.name.deep", "value": 1},
        ])
    );

    let script = sample(json!({"kind": "script"}));
    let outcome = world.pipelines.simulate(&definition, &[script]).await.unwrap().remove(0);
    let Simulated::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!((failure.position.as_deref(), failure.tag.as_deref()), (Some("processors[4]"), Some("halves")));
    assert!(failure.reason.contains("ctx.half = ctx.number / 2"), "{}", failure.reason);

    // More than one request has, with an outcome for each in its order.
    let routed = |number: usize| SampleDocument {
        index: format!("index-{number}"),
        routing: Some("r".to_owned()),
        ..sample(json!({"kind": if number.is_multiple_of(2) { "id" } else { "drop" }}))
    };
    let many: Vec<SampleDocument> = (0..230).map(routed).collect();
    let outcomes = world.pipelines.simulate(&definition, &many).await.unwrap();
    assert_eq!(outcomes.len(), many.len());
    for (number, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Simulated::Written { metadata, changes, .. } if number.is_multiple_of(2) => {
                let id = json!([{"change": "changed", "field": "_id", "before": "1", "after": "moved"}]);
                assert_eq!((json!(metadata), changes.len()), (id, 0));
            }
            Simulated::Dropped if !number.is_multiple_of(2) => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    assert!(world.pipelines.simulate(&definition, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_definition_that_the_cluster_refuses_has_the_position_of_the_processor() {
    let Some(node) = es_testing::plain().await else { return };
    let world = World::new(node, "ingest_refused").await;
    let set = json!({"set": {"field": "a", "value": 1}});
    for (wrong, words) in [
        (json!({"set": {"field": "a"}}), "(`set`): [value] required property is missing"),
        (json!({"script": {"source": "ctx.a ="}}), "(`script`): compile error"),
        (json!({"set": {"field": "a", "value": 1, "valeu": 2}}), "(`set`): processor [set] doesn't support"),
        (json!({"script": {"lang": "nope", "source": "a"}}), "(`script`): "),
    ] {
        let definition = pipeline(json!([set, wrong]));
        let start = format!("the cluster refuses processors[1] {words}");
        let simulated = world.pipelines.simulate(&definition, &[sample(json!({}))]).await.unwrap_err();
        let created = world.pipelines.ensure("late", &definition).await.unwrap_err();
        for error in [simulated, created] {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
            assert!(error.to_string().starts_with(&start), "{error}");
        }
    }
    assert!(world.pipelines.list("late").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_the_cluster_lacks_is_named_before_anything_is_created() {
    let Some(node) = es_testing::plain().await else { return };
    let world = World::new(node, "ingest_features").await;
    let features = world.pipelines.features().await.unwrap();
    let nodes = features.nodes.clone().unwrap();
    assert!(nodes.iter().all(|node| node.processors.contains("set") && !node.node.is_empty()), "{nodes:?}");
    assert!(features.painless);
    let absent = "a_processor_that_nobody_has";
    let mut table = vec![(
        json!([{"foreach": {"field": "l", "processor": {absent: {}}}}]),
        format!("processors[0].foreach.processor is `{absent}`, which the cluster lacks"),
        "install the module",
    )];
    if nodes.iter().all(|node| !node.processors.contains("inference")) {
        let inference = json!([{"inference": {"model_id": "late"}}]);
        table.push((inference, "processors[0] is `inference`, which the cluster lacks".to_owned(), "`OnnxModel`"));
    }
    let template = json!([{"set": {"field": "a", "value": "{{b}}-c"}}]);
    let outcome = world.pipelines.simulate(&pipeline(template.clone()), &[sample(json!({"b": "x"}))]).await.unwrap();
    let Simulated::Written { source, .. } = &outcome[0] else { panic!("{outcome:?}") };
    match features.templates {
        true => assert_eq!(source["a"], "x-c"),
        false => {
            assert_eq!(source["a"], "{{b}}-c");
            let message = "processors[0].set.value is a template, which the cluster would take as it is";
            table.push((template, message.to_owned(), "lang-mustache"));
        }
    }
    for (processors, message, help) in table {
        let error = world.pipelines.ensure("late", &pipeline(processors)).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unavailable, message));
        assert!(error.help().unwrap().contains(help), "{error:?}");
        assert!(!error.is_retryable());
    }
    assert!(world.pipelines.list("late").await.unwrap().is_empty());
}

#[tokio::test]
async fn pipelines_that_a_pipeline_runs_are_looked_into() {
    let Some(node) = es_testing::plain().await else { return };
    let world = World::new(node, "ingest_named").await;
    let (one, other) = (world.named("one"), world.named("other"));
    let calls = |name: &str| json!([{"set": {"field": "a", "value": 1}}, {"pipeline": {"name": name}}]);
    let error = world.pipelines.ensure("late", &pipeline(calls(&one))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.to_string(), format!("processors[1] runs the pipeline {one}, which the cluster does not have"));
    let optional = json!([{"pipeline": {"name": one, "ignore_missing_pipeline": true}}]);
    world.pipelines.ensure("late", &pipeline(optional)).await.unwrap();

    // The two run each other.
    world.put(&other, json!({"processors": calls(&one)})).await;
    world.put(&one, json!({"processors": calls(&other)})).await;
    world.pipelines.check(&pipeline(calls(&one))).await.unwrap();
    // A template that the cluster took as a text.
    world.put(&other, json!({"processors": [{"fail": {"message": "{{a}}"}}]})).await;
    let outcome = world.pipelines.check(&pipeline(calls(&one))).await;
    if world.pipelines.features().await.unwrap().templates {
        outcome.unwrap();
    } else {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let start =
            format!("processors[1] runs {one}, whose processors[1] runs {other}, whose processors[0].fail.message");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

/// A client whose API key has these privileges on the cluster, and the id of the key.
async fn restricted(node: &Node, admin: &Client, cluster: &[&str]) -> (Client, String) {
    let roles = json!({"r": {"cluster": cluster, "indices": []}});
    let name = es_testing::unique_prefix("ingest-key");
    let body = json!({"name": name, "expiration": "10m", "role_descriptors": roles});
    let create = Request::new(Method::Post, "/_security/api_key").json(&body);
    let key: Value = admin.send(&create).await.unwrap().json().unwrap();
    let credentials = Credentials::api_key(key["encoded"].as_str().unwrap());
    let client = connect_to(node, &node.url).await.with_credentials(credentials).unwrap();
    (client, key["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn who_lacks_a_privilege_is_told_which() {
    let Some(node) = es_testing::secure().await else { return };
    let world = World::new(node, "ingest_privileges").await;
    // A key cannot make another one with privileges of its own.
    let credentials = Credentials::Basic {
        user: world.node.username.clone().unwrap(),
        password: Secret::new(world.node.password.clone().unwrap()),
    };
    let admin = world.client.with_credentials(credentials).unwrap();
    let mut keys = Vec::new();
    let definition = pipeline(json!([{"set": {"field": "a", "value": 1}}]));

    let (client, key) = restricted(&world.node, &admin, &["monitor"]).await;
    keys.push(key.clone());
    let pipelines = IngestPipelines::new(client, world.prefix());
    let samples = [sample(json!({}))];
    let errors = [
        (pipelines.ensure("late", &definition).await.unwrap_err(), "get"),
        (pipelines.simulate(&definition, &samples).await.unwrap_err(), "simulate"),
        (pipelines.remove_unused("late", &[]).await.unwrap_err(), "get"),
    ];
    for (error, action) in errors {
        assert_eq!(error.kind(), ErrorKind::Elasticsearch, "{error:?}");
        let missing = error.elasticsearch().unwrap().missing_privilege().unwrap();
        assert_eq!(missing.action, format!("cluster:admin/ingest/pipeline/{action}"));
        assert!(missing.principal.contains(&key), "{missing:?}");
        for privilege in PRIVILEGES {
            assert!(missing.granted_by.iter().any(|granted| granted == privilege), "{missing:?}");
        }
        assert!(error.help().unwrap().contains("the cluster privilege read_pipeline (or manage_ingest_pipelines"));
    }

    let (client, key) = restricted(&world.node, &admin, &["read_pipeline"]).await;
    keys.push(key);
    let pipelines = IngestPipelines::new(client, world.prefix());
    assert_eq!(pipelines.simulate(&definition, &samples).await.unwrap().len(), 1);
    let error = pipelines.ensure("late", &definition).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    let help = error.help().unwrap();
    assert!(help.contains("the cluster privilege manage_ingest_pipelines (or manage_pipeline"), "{help}");

    for privilege in PRIVILEGES {
        let (client, key) = restricted(&world.node, &admin, &[privilege]).await;
        keys.push(key);
        let pipelines = IngestPipelines::new(client, world.prefix());
        assert_eq!(pipelines.features().await.unwrap().nodes, None);
        let name = pipelines.ensure("late", &definition).await.unwrap();
        assert_eq!(pipelines.simulate(&definition, &samples).await.unwrap().len(), 1);
        assert_eq!(pipelines.list("late").await.unwrap()[0].name, name);
        let absent = pipeline(json!([{"a_processor_that_nobody_has": {}}]));
        let error = pipelines.ensure("late", &absent).await.unwrap_err();
        assert!(error.to_string().contains("processors[0] (`a_processor_that_nobody_has`)"), "{error}");
        assert_eq!(pipelines.remove_unused("late", &[]).await.unwrap().removed, [name]);
    }
    let remove = Request::new(Method::Delete, "/_security/api_key").json(&json!({ "ids": keys }));
    admin.send(&remove).await.unwrap();
}
