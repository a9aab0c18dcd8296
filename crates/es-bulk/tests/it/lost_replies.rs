//! The server wrote the documents, and its answer never came.

use es_bulk::{BulkLoader, ErrorKind};
use es_testing::Fault;

use crate::support::{batches, behind_a_proxy, numbered, options, stream_of};

#[tokio::test]
async fn documents_with_ids_are_sent_again_and_are_there_once() {
    let Some((client, proxy, scope)) = behind_a_proxy("lost_with_ids").await else { return };
    proxy.script_for("/_bulk", [Fault::DropReply, Fault::DropReply]);
    let index = format!("{}a", scope.prefix());
    let loader = BulkLoader::new(client.clone(), &index, options());
    let summary = loader.load(stream_of(batches(&numbered(40), &["k"], 20))).await.unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.acknowledged(), summary.unknown), (40, 0));
    // The first time wrote them, the second found them.
    assert_eq!(proxy.forwarded("/_bulk"), 4);
    assert_eq!((summary.created, summary.updated), (0, 40));
    client.indices().refresh(&index).await.unwrap();
    assert_eq!(client.indices().count(&index).await.unwrap(), 40);
}

#[tokio::test]
async fn documents_without_ids_are_unknown_and_not_sent_again() {
    let Some((client, proxy, scope)) = behind_a_proxy("lost_without_ids").await else { return };
    proxy.script_for("/_bulk", [Fault::DropReply]);
    let index = format!("{}a", scope.prefix());
    let loader = BulkLoader::new(client.clone(), &index, options());
    let error = loader.load(stream_of(batches(&numbered(20), &[], 20))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elasticsearch);
    assert!(error.to_string().contains("broke: "), "{error}");
    let summary = error.summary().unwrap();
    assert!(summary.adds_up());
    assert_eq!((summary.read, summary.acknowledged(), summary.unknown), (20, 0, 20));
    assert_eq!(proxy.forwarded("/_bulk"), 1);
    client.indices().refresh(&index).await.unwrap();
    assert_eq!(client.indices().count(&index).await.unwrap(), 20, "they were written, and only once");
}
