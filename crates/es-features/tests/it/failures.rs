//! Errors for a source or a definition that is wrong.

use std::sync::{Arc, Mutex};

use es_features::{ComputeOptions, ErrorKind, Feature, FeatureSet, FeatureStream, Metric};
use es_testing::Scope;
use futures::TryStreamExt as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::cluster::{client, compute, create, query, write};

fn set() -> FeatureSet {
    FeatureSet::new(["shop"], "at", "1d".parse().unwrap())
        .with_window("1d".parse().unwrap())
        .with_feature("n", Feature::count())
        .with_feature("x", Feature::avg("x"))
}

fn script(source: &str) -> Feature {
    Feature::avg(Metric::script(source))
}

#[tokio::test]
async fn each_mistake_is_found_before_anything_is_computed() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features mistakes");
    let properties = json!({
        "shop": {"type": "keyword"}, "at": {"type": "date"}, "x": {"type": "integer"},
        "city": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
    });
    let index = create(&node, &scope, "sales", 1, properties).await;
    write(&node, &index, [json!({"shop": "A", "at": "2024-01-01T00:00:00Z"})]).await;
    let client = client(&node).await;
    let attempt = async |source: &str, change: &dyn Fn(&mut FeatureSet)| {
        let mut set = set();
        change(&mut set);
        let error = FeatureStream::open(&client, source, &set).await.err().unwrap();
        (error.kind(), error.to_string())
    };

    let (kind, message) = attempt(&format!("{index}-not"), &|_| {}).await;
    assert_eq!((kind, message), (ErrorKind::Source, format!("the source {index}-not of the features does not exist")));

    let (kind, message) = attempt(&index, &|set| set.entity = vec!["city".to_owned()]).await;
    assert_eq!(kind, ErrorKind::Source);
    assert_eq!(
        message,
        format!("the entity field `city` has type text in {index} without doc values, and cannot be aggregated")
    );

    let (kind, message) = attempt(&index, &|set| drop(set.features.insert("n".to_owned(), Feature::sum("y")))).await;
    assert_eq!(
        (kind, message),
        (ErrorKind::Source, format!("field `y` of feature `n` is not in the mapping of {index}"))
    );

    let (kind, _) = attempt(&index, &|set| set.windows.clear()).await;
    assert_eq!(kind, ErrorKind::Definition);

    let broken = "doc['x'].size() == 0 ? null : dox['x'].value";
    let (kind, message) = attempt(&index, &|set| drop(set.features.insert("s".to_owned(), script(broken)))).await;
    assert_eq!(kind, ErrorKind::Script);
    assert!(
        message
            .contains("the script of feature `s` fails: compile error: cannot resolve symbol [dox], at character 30"),
        "{message}"
    );
}

#[tokio::test]
async fn a_script_that_fails_on_a_document_is_named() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features script");
    let properties = json!({"shop": {"type": "keyword"}, "at": {"type": "date"}, "x": {"type": "integer"}});
    let index = create(&node, &scope, "sales", 1, properties).await;
    // The first row has the value that the second lacks.
    let documents = [
        json!({"shop": "A", "at": "2024-01-01T00:00:00Z", "x": 1}),
        json!({"shop": "A", "at": "2024-01-02T00:00:00Z"}),
    ];
    write(&node, &index, documents).await;
    let set = set().with_feature("fine", script("1")).with_feature("s", script("doc['x'].value"));
    let error = compute(&client(&node).await, &index, &set, ComputeOptions::default()).await.unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("the script of feature `s` fails: runtime error: A document doesn't have a value"),
        "{message}"
    );
    assert_eq!(error.kind(), ErrorKind::Script);
    let failed = error.script().unwrap();
    assert_eq!((failed.feature.as_str(), failed.position), ("s", Some(8)));
    assert_eq!(failed.excerpt[0], "doc['x'].value");
}

#[tokio::test]
async fn a_refused_query_keeps_the_words_of_the_server() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features query error");
    let properties = json!({"shop": {"type": "keyword"}, "at": {"type": "date"}, "x": {"type": "integer"}});
    let index = create(&node, &scope, "sales", 1, properties).await;
    let mut set = set();
    set.filter = Some(query(json!({"no_such_query": {}})));
    let error = compute(&client(&node).await, &index, &set, ComputeOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    assert!(!error.is_retryable());
    assert!(error.to_string().contains("no_such_query"), "{error}");
}

#[tokio::test]
async fn one_document_with_a_wrong_year_does_not_make_millions_of_searches() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features wrong year");
    let properties = json!({"shop": {"type": "keyword"}, "at": {"type": "date"}, "x": {"type": "integer"}});
    let index = create(&node, &scope, "sales", 1, properties).await;
    let documents = ["2024-01-01T00:00:00Z", "9024-01-01T00:00:00Z"].map(|at| json!({"shop": "A", "at": at}));
    write(&node, &index, documents).await;
    let error = compute(&client(&node).await, &index, &set(), ComputeOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyInstants);
    assert!(error.to_string().contains("between 2024-01-01T00:00:00Z and 9024-01-01T00:00:00Z"), "{error}");
    assert!(error.help().unwrap().contains("a start and an end"));
}

#[tokio::test]
async fn a_computation_reports_progress_and_can_be_cancelled() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features cancelled");
    let properties = json!({"shop": {"type": "keyword"}, "at": {"type": "date"}, "x": {"type": "integer"}});
    let index = create(&node, &scope, "sales", 1, properties).await;
    let documents = ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"].map(|at| json!({"shop": "A", "at": at}));
    write(&node, &index, documents).await;
    let (client, set) = (client(&node).await, set());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observed = Arc::clone(&seen);
    let rows = FeatureStream::builder(&client, &index, &set)
        .with_observer(move |progress| {
            assert_eq!(progress.grid_instants, 2);
            observed.lock().unwrap().push((progress.grid_instants_read, progress.rows_read));
        })
        .open()
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!((rows.height(), rows.first_col_n_chunks()), (2, 1));
    assert_eq!(*seen.lock().unwrap(), [(1, 1), (2, 2)]);

    let token = CancellationToken::new();
    let options = ComputeOptions::default().with_frame_rows(1).with_searches_in_flight(1);
    let stream = FeatureStream::builder(&client, &index, &set).with_options(options);
    let mut stream = stream.with_cancellation(token.clone()).open().await.unwrap();
    assert_eq!(stream.try_next().await.unwrap().unwrap().height(), 1);
    token.cancel();
    let error = stream.try_next().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Cancelled, false));
    assert!(stream.try_next().await.unwrap().is_none());
    let opened = FeatureStream::builder(&client, &index, &set).with_cancellation(token).open().await;
    assert_eq!(opened.err().unwrap().kind(), ErrorKind::Cancelled);
}
