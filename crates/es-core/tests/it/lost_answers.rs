//! Requests whose answer is lost on the way back, after the server has done what they ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use es_core::reindex::Reindex;
use es_core::{AliasOptions, Client, NewIndex, Precondition, RetryPolicy, Wait};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{at, has_module, live, of_node};

/// A forwarder to the node that hangs up instead of passing on the answers to requests whose
/// first line holds `what`, `drops` times. Returns its port and how many it has dropped.
async fn losing(node: &str, what: &'static str, drops: usize) -> (u16, Arc<AtomicUsize>) {
    let target = node.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = dropped.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (target, counter) = (target.clone(), counter.clone());
            tokio::spawn(async move {
                let mut far = TcpStream::connect(target).await.unwrap();
                let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
                let mut is_doomed = false;
                loop {
                    tokio::select! {
                        read = near.read(&mut up) => match read {
                            Ok(count) if count > 0 => {
                                let head = String::from_utf8_lossy(&up[..count.min(500)]).into_owned();
                                let line = head.lines().next().unwrap_or_default();
                                is_doomed |= line.contains("HTTP/1.1") && line.contains(what)
                                    && counter.load(Ordering::SeqCst) < drops;
                                far.write_all(&up[..count]).await.unwrap();
                            }
                            _ => return,
                        },
                        read = far.read(&mut down) => match read {
                            Ok(count) if count > 0 && is_doomed => {
                                counter.fetch_add(1, Ordering::SeqCst);
                                return;
                            }
                            Ok(count) if count > 0 => near.write_all(&down[..count]).await.unwrap(),
                            _ => return,
                        },
                    }
                }
            });
        }
    });
    (port, dropped)
}

#[tokio::test]
async fn an_alias_is_moved_once_when_the_answer_is_lost() {
    let Some((client, scope)) = live("lost_swap").await else { return };
    let Some(node) = es_testing::plain().await else { return };
    let [one, two, alias] = ["one", "two", "alias"].map(|name| format!("{}{name}", scope.prefix()));
    for name in [&one, &two] {
        client.indices().create(name, &NewIndex::default()).await.unwrap();
    }
    let options = AliasOptions { is_write_index: Some(true), ..AliasOptions::default() };
    // With retries the request is sent again; without them, what the alias is tells that it was applied.
    for (retry, targets, before) in [(at("x").retry, [&one], None), (RetryPolicy::NEVER, [&two], Some(&one))] {
        let (port, dropped) = losing(&node.url, "POST /_aliases", 1).await;
        let config = es_core::ClusterConfig { retry, ..of_node(&node) };
        let config = es_core::ClusterConfig { endpoint: at(&format!("127.0.0.1:{port}")).endpoint, ..config };
        let losing = Client::connect(config).await.unwrap();
        let pointed = losing.indices().alias_targets(&alias).await.unwrap();
        assert_eq!(pointed.first(), before);
        losing.indices().swap_alias(&alias, &targets, &options).await.unwrap();
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert_eq!(client.indices().alias_targets(&alias).await.unwrap(), [targets[0].as_str()]);
        assert_eq!(client.indices().alias(&alias).await.unwrap()[targets[0]], options);
    }
}

#[tokio::test]
async fn a_reindex_goes_on_when_an_answer_about_it_is_lost() {
    let Some((client, scope)) = live("lost_poll").await else { return };
    let Some(node) = es_testing::plain().await else { return };
    if !has_module(&client, "reindex").await {
        return;
    }
    let [from, to] = ["from", "to"].map(|name| format!("{}{name}", scope.prefix()));
    client.indices().create(&from, &NewIndex::default()).await.unwrap();
    for id in ["1", "2", "3"] {
        client.documents(&from).put(id, &json!({"n": 1}), Precondition::None).await.unwrap();
    }
    let (port, dropped) = losing(&node.url, "GET /_tasks/", 2).await;
    let config = es_core::ClusterConfig { retry: RetryPolicy::NEVER, ..at(&format!("127.0.0.1:{port}")) };
    let losing = Client::connect(config).await.unwrap();
    let mut task = losing.start_reindex(&Reindex::new(&from, &to)).await.unwrap();
    let wait = Wait { first: Duration::from_millis(10), ..Wait::at_most(Duration::from_secs(60)) };
    let summary = task.wait(&wait, |_| ()).await.unwrap();
    summary.check().unwrap();
    assert_eq!((summary.progress.created, dropped.load(Ordering::SeqCst)), (3, 2));
    assert_eq!(client.indices().count(&to).await.unwrap(), 3);
}
