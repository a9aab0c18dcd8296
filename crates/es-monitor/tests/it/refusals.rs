//! Monitors that cannot be evaluated as they are.

use es_monitor::{ErrorKind, FieldMonitor, Monitor, ReferenceWindow, evaluate};
use es_testing::Scope;
use jiff::Timestamp;
use serde_json::json;

use crate::data;

#[tokio::test]
async fn what_is_wrong_is_named() {
    let Some(node) = es_testing::plain().await else { return };
    let (scope, client) = (Scope::new(&node, "what_is_wrong"), data::connect(&node).await);
    let index = format!("{}empty", scope.prefix());
    data::create(&client, &index).await;
    let window = ReferenceWindow { from: "1970-01-01".parse().unwrap(), to: "2024-01-01".parse().unwrap() };
    let monitor = |time: &str, field: &str, method: FieldMonitor| {
        Monitor::new(time, window, window.into()).with_field(field, method)
    };
    let (js, ks) = (FieldMonitor::jensen_shannon(0.1), FieldMonitor::kolmogorov_smirnov(0.01));
    let gone = format!("{index}-gone");
    let filter = serde_json::from_value(json!({"trem": {"city": "a"}})).unwrap();
    let query = Monitor { filter: Some(filter), ..monitor("time", "city", js) };
    let backward =
        Monitor { reference: ReferenceWindow { from: window.to, to: window.from }, ..monitor("time", "city", js) };
    let table = [
        (
            &gone,
            monitor("time", "city", js),
            ErrorKind::IndexNotFound,
            "there is no index or alias",
            "create the index",
        ),
        (&index, monitor("tme", "city", js), ErrorKind::FieldNotFound, "has no field tme", "did you mean `time`?"),
        (&index, monitor("city", "city", js), ErrorKind::FieldType, "city of", ""),
        (&index, monitor("time", "cty", js), ErrorKind::FieldNotFound, "has no field cty", "did you mean `city`?"),
        (&index, monitor("time", "note", js), ErrorKind::FieldType, "has type text", "note.raw"),
        (&index, monitor("time", "city", ks), ErrorKind::FieldType, "ks needs numbers", "compare it by js"),
        (&index, query, ErrorKind::Elasticsearch, "trem", ""),
        (&index, backward, ErrorKind::Definition, "reference.to: `to` 1970-01-01 is not after", "this one is empty"),
    ];
    for (index, monitor, kind, message, help) in table {
        let error = evaluate(&client, index, &monitor, Timestamp::now()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.help().unwrap_or_default().contains(help), "{:?}", error.help());
        assert!(!error.is_retryable());
    }
}
