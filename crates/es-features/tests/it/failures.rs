//! What a caller is told when the source or the definition is wrong.

use std::num::NonZeroU32;

use es_features::{Error, ErrorKind, Feature, FeatureSet, FeatureStream, Grid, Script, Settings, Step, Values, Window};
use es_testing::Scope;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::cluster::{client, compute, create, field, named, write};

fn set() -> FeatureSet {
    FeatureSet {
        entity: vec!["shop".to_owned()],
        time: "at".to_owned(),
        grid: Grid::new(Step::Days(NonZeroU32::MIN), TimeZone::UTC),
        windows: vec![Window::days(1)],
        query: None,
        features: named([("n", Feature::Count), ("x", Feature::Avg(field("x")))]),
    }
}

fn script(source: &str) -> Feature {
    Feature::Avg(Values::Script(Script::new(source)))
}

#[tokio::test]
async fn each_mistake_is_told_before_anything_is_computed() {
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
        let error = FeatureStream::open(&client, source, &set, Settings::default()).await.err().unwrap();
        (error.kind(), error.to_string())
    };

    let (kind, message) = attempt(&format!("{index}-not"), &|_| {}).await;
    assert_eq!((kind, message), (ErrorKind::Source, format!("the source {index}-not of the features does not exist")));

    let (kind, message) = attempt(&index, &|set| set.entity = vec!["city".to_owned()]).await;
    assert_eq!(kind, ErrorKind::Source);
    assert_eq!(
        message,
        format!(
            "field `city` of {index}, of the entity, of type text, cannot be aggregated; use its sub-field `city.raw`"
        )
    );

    let (kind, message) = attempt(&index, &|set| set.features = named([("n", Feature::Sum(field("y")))])).await;
    assert_eq!(
        (kind, message),
        (ErrorKind::Source, format!("field `y` of {index}, of feature `n`, is not in the mapping"))
    );

    let (kind, _) = attempt(&index, &|set| set.windows.clear()).await;
    assert_eq!(kind, ErrorKind::Definition);

    let broken = "doc['x'].size() == 0 ? null : dox['x'].value";
    let (kind, message) = attempt(&index, &|set| set.features.push(("s".to_owned(), script(broken)))).await;
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
    let mut set = set();
    set.features.push(("fine".to_owned(), script("1")));
    set.features.push(("s".to_owned(), script("doc['x'].value")));
    let error = compute(&client(&node).await, &index, &set, Settings::default()).await.unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("the script of feature `s` fails: runtime error: A document doesn't have a value"),
        "{message}"
    );
    let Error::Script { feature, position, excerpt, .. } = error else { panic!("{message}") };
    assert_eq!((feature.as_str(), position), ("s", Some(8)));
    assert_eq!(excerpt[0], "doc['x'].value");
}

#[tokio::test]
async fn a_query_that_is_refused_is_told_in_the_servers_words() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "features query error");
    let properties = json!({"shop": {"type": "keyword"}, "at": {"type": "date"}, "x": {"type": "integer"}});
    let index = create(&node, &scope, "sales", 1, properties).await;
    let mut set = set();
    set.query = Some(json!({"no_such_query": {}}));
    let error = compute(&client(&node).await, &index, &set, Settings::default()).await.unwrap_err();
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
    let error = compute(&client(&node).await, &index, &set(), Settings::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyInstants);
    assert!(error.to_string().contains("between 2024-01-01T00:00:00Z and 9024-01-01T00:00:00Z"), "{error}");
    assert!(error.help().unwrap().contains("a start and an end"));
}
