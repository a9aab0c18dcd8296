//! The server wrote the documents, and its answer never came.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use es_bulk::{BulkLoader, ErrorKind};
use es_core::Client;
use es_testing::{Node, Scope};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{batches, numbered, of_node, options, stream_of};

/// A proxy before a node that hangs up instead of passing on the first answers to bulk
/// requests. Returns its port and the number of bulk requests that went through.
async fn lossy_proxy(upstream: String, lost: usize) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&upstream).await.unwrap();
            tokio::spawn(pass(client, server, counter.clone(), lost));
        }
    });
    (port, seen)
}

async fn pass(mut client: TcpStream, mut server: TcpStream, seen: Arc<AtomicUsize>, lost: usize) {
    let (mut up, mut down) = ([0; 65536], [0; 65536]);
    let mut losing = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(read @ 1..) = read else { return };
                let start = &up[..read.min(200)];
                if start.starts_with(b"POST ") && start.windows(6).any(|window| window == b"/_bulk") {
                    losing = seen.fetch_add(1, Ordering::SeqCst) < lost;
                }
                if server.write_all(&up[..read]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(read @ 1..) = read else { return };
                // The server answers, so it has written the documents.
                if losing || client.write_all(&down[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// A node without TLS, the client through the proxy, and the number of bulk requests.
async fn through_a_lossy_proxy(test: &str, lost: usize) -> Option<(Node, Client, Scope, Arc<AtomicUsize>)> {
    let node = es_testing::plain().await?;
    let upstream = node.url.strip_prefix("http://")?.to_owned();
    let (port, seen) = lossy_proxy(upstream, lost).await;
    let client = Client::connect(of_node(&node, &format!("http://127.0.0.1:{port}"))).await.unwrap();
    let scope = Scope::new(&node, test);
    Some((node, client, scope, seen))
}

#[tokio::test]
async fn documents_with_ids_are_sent_again_and_are_there_once() {
    let Some((_node, client, scope, seen)) = through_a_lossy_proxy("lost_with_ids", 2).await else { return };
    let index = format!("{}a", scope.prefix());
    let loader = BulkLoader::new(client.clone(), &index, options());
    let summary = loader.load(stream_of(batches(&numbered(40), &["k"], 20))).await.unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.acknowledged(), summary.unknown), (40, 0));
    // The first time wrote them, the second found them.
    assert_eq!(seen.load(Ordering::SeqCst), 4);
    assert_eq!((summary.created, summary.updated), (0, 40));
    client.indices().refresh(&index).await.unwrap();
    assert_eq!(client.indices().count(&index).await.unwrap(), 40);
}

#[tokio::test]
async fn documents_without_ids_are_unknown_and_not_sent_again() {
    let Some((_node, client, scope, seen)) = through_a_lossy_proxy("lost_without_ids", 1).await else { return };
    let index = format!("{}a", scope.prefix());
    let loader = BulkLoader::new(client.clone(), &index, options());
    let error = loader.load(stream_of(batches(&numbered(20), &[], 20))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    assert!(error.to_string().contains("broke: "), "{error}");
    let summary = error.summary().unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.read, summary.acknowledged(), summary.unknown), (20, 0, 20));
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    client.indices().refresh(&index).await.unwrap();
    assert_eq!(client.indices().count(&index).await.unwrap(), 20, "they were written, and only once");
}
