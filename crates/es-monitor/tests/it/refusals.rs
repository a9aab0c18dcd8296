//! Monitors that cannot be evaluated as they are.

use es_monitor::{ErrorKind, FieldMonitor, Method, Monitor, Window, evaluate};
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
    let window = Window::Between { from: Timestamp::UNIX_EPOCH, to: "2024-01-01T00:00:00Z".parse().unwrap() };
    let monitor = |index: &str, time: &str, field: &str, method: Method| {
        Monitor::new(index, time, window, window).field(field, FieldMonitor::new(method))
    };
    let (js, ks) = (Method::JensenShannon { max: 0.1 }, Method::KolmogorovSmirnov { p: 0.01 });
    let gone = format!("{index}-gone");
    let query = |query| Monitor { query: Some(query), ..monitor(&index, "time", "city", js) };
    let table = [
        (monitor(&gone, "time", "city", js), ErrorKind::IndexNotFound, "there is no index or alias", ""),
        (monitor(&index, "tme", "city", js), ErrorKind::FieldNotFound, "has no field tme", "did you mean time?"),
        (monitor(&index, "city", "city", js), ErrorKind::FieldType, "city of", ""),
        (monitor(&index, "time", "cty", js), ErrorKind::FieldNotFound, "has no field cty", "did you mean city?"),
        (monitor(&index, "time", "note", js), ErrorKind::FieldType, "is text", "note.raw"),
        (monitor(&index, "time", "city", ks), ErrorKind::FieldType, "ks needs numbers", "use js"),
        (query(json!({"trem": {"city": "a"}})), ErrorKind::Elasticsearch, "trem", ""),
    ];
    for (monitor, kind, message, help) in table {
        let error = evaluate(&client, &monitor, Timestamp::now()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.help().unwrap_or_default().contains(help), "{:?}", error.help());
        assert!(!error.is_retryable());
    }
}
