//! A container really starts, answers a search, and is gone afterwards.

use std::io::Write;

use es_testing::Scope;
use es_testing::container::{self, Container, Security};
use reqwest::Method;

/// A container; or none, said so, where Docker or the image is missing.
async fn container(security: Security) -> Option<Container> {
    match container::start(security).await {
        Ok(container) => Some(container),
        Err(reason) => {
            assert!(
                std::env::var("ES_TESTING_REQUIRE_DOCKER").as_deref() != Ok("1"),
                "Docker is required here: {reason}"
            );
            let _ = writeln!(std::io::stderr(), "SKIPPED container test: {reason}");
            None
        }
    }
}

async fn search_finds_what_was_written(container: &Container) {
    let node = container.node();
    let scope = Scope::new(node, "search_in_a_container");
    let index = format!("{}flights", scope.prefix());
    let lines = "{\"index\":{}}\n{\"origin\":\"JFK\"}\n{\"index\":{}}\n{\"origin\":\"LGA\"}\n";
    let bulk = node.json(Method::POST, &format!("/{index}/_bulk?refresh=true"), lines).await;
    assert_eq!(bulk["errors"], false, "{bulk}");
    let found = node.get(&format!("/{index}/_search?q=origin:JFK")).await;
    assert_eq!(found["hits"]["total"]["value"], 1, "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_serves_and_is_removed() {
    let Some(container) = container(Security::Off).await else {
        return;
    };
    search_finds_what_was_written(&container).await;
    let url = container.node().url.clone();
    drop(container);
    let gone = reqwest::get(&url).await;
    assert!(gone.is_err(), "the container still answers: {gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secure_container_asks_for_the_password() {
    let Some(container) = container(Security::On).await else {
        return;
    };
    search_finds_what_was_written(&container).await;
    let mut stranger = container.node().clone();
    stranger.password = Some("wrong".into());
    let answer = stranger.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(answer.status(), 401);
}
