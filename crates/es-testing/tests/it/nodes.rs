//! The nodes that other crates' tests get.

use es_testing::Scope;
use reqwest::Method;

#[tokio::test]
async fn a_scope_removes_its_indices_and_no_others() {
    let Some(node) = es_testing::plain().await else {
        return;
    };
    let kept = Scope::new(&node, "kept");
    let kept_index = format!("{}a", kept.prefix());
    node.json(Method::PUT, &format!("/{kept_index}"), "{}").await;
    let scope = Scope::new(&node, "removed");
    let prefix = scope.prefix().to_owned();
    for index in ["a", "b"] {
        node.json(Method::PUT, &format!("/{prefix}{index}"), "{}").await;
    }
    let hidden = r#"{"settings":{"index.hidden":true}}"#;
    node.json(Method::PUT, &format!("/{prefix}hidden"), hidden).await;
    node.json(Method::POST, &format!("/{prefix}b/_close"), "").await;
    drop(scope);
    let status = |index: String| {
        let request = node.request(Method::HEAD, &format!("/{index}"));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    for index in ["a", "b", "hidden"] {
        assert_eq!(status(format!("{prefix}{index}")).await, 404, "{index}");
    }
    assert_eq!(status(kept_index).await, 200);
}

#[tokio::test]
async fn the_secure_node_refuses_strangers() {
    let Some(node) = es_testing::secure().await else {
        return;
    };
    assert!(node.url.starts_with("https://"));
    let known = node.get("/_security/_authenticate").await;
    assert_eq!(known["username"], "elastic");
    let mut stranger = node.clone();
    (stranger.username, stranger.password, stranger.api_key) = (None, None, None);
    let answer = stranger.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(answer.status(), 401);
}
