//! Loads from start to end: new indices, those that exist, and loads that were cut off.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use es_bulk::files::FileInput;
use es_bulk::ingest::{CheckpointFile, Ingest, IngestRequest, IngestStart};
use es_bulk::{BulkOptions, ErrorKind, LoadOptions, MaxRejected, load_files, load_frame};
use es_core::Client;
use es_frame::Operation;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{live, numbered, options};

async fn field_type(client: &Client, index: &str, field: &str) -> Value {
    let found = client.indices().describe(index).await.unwrap().remove(0);
    assert_ne!(found.index_settings().get("refresh_interval"), Some(&json!("-1")), "settings are put back");
    found.mapping.properties[field]["type"].clone()
}

#[tokio::test]
async fn a_frame_is_an_index_in_one_line() {
    let Some((client, scope)) = live("load_frame").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = numbered(300);
    let summary = load_frame(&client, &index, &frame, &["k"]).await.unwrap();
    assert_eq!((summary.created, summary.rejections()), (300, 0));
    assert_eq!(client.indices().count(&index).await.unwrap(), 300, "refreshed");
    assert_eq!(field_type(&client, &index, "n").await, "long");
    // In chunks, and into the index that exists by now.
    let more = frame.vstack(&numbered(400).slice(300, 100)).unwrap();
    let summary = load_frame(&client, &index, &more, &["k"]).await.unwrap();
    assert_eq!((summary.created, summary.updated), (100, 300));
    assert_eq!(client.indices().count(&index).await.unwrap(), 400);
    let without_ids: &[&str] = &[];
    assert_eq!(load_frame(&client, &index, &numbered(3), without_ids).await.unwrap().created, 3);
    let error = load_frame(&client, &index, &frame, &["key"]).await.unwrap_err();
    assert!(error.to_string().contains("key"), "{error}");
}

#[tokio::test]
async fn files_are_an_index_in_one_line() {
    let Some((client, scope)) = live("load_files").await else { return };
    let index = format!("{}a", scope.prefix());
    let (folder, rejected) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lines =
        |from: u64, to: u64| (from..to).map(|n| format!("{{\"n\":{n},\"at\":\"2013-01-01\"}}\n")).collect::<String>();
    std::fs::write(folder.path().join("a.ndjson"), lines(0, 50)).unwrap();
    std::fs::write(folder.path().join("b.ndjson"), lines(50, 70) + "{\"n\":\n{\"late\":1,\"n\":70}\n").unwrap();
    let pattern = format!("{}/*.ndjson", folder.path().display());
    let seen = Arc::new(AtomicU64::new(0));
    let steps = seen.clone();
    let bulk = BulkOptions { max_rejected: MaxRejected::Count(1), ..options() };
    let options = LoadOptions::default()
        .with_bulk(bulk)
        .with_id(&["n"])
        .with_dead_letter(rejected.path().join("letter"))
        .with_observer(move |_| {
            steps.fetch_add(1, Ordering::Relaxed);
        });
    let summary = load_files(&client, &index, &[&pattern], options.clone()).await.unwrap();
    assert_eq!((summary.read, summary.created, summary.rejections()), (72, 71, 1));
    assert!(seen.load(Ordering::Relaxed) > 0);
    let errors = std::fs::read_to_string(rejected.path().join("letter.errors.ndjson")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&errors).unwrap()["row"], 21);
    assert_eq!(field_type(&client, &index, "at").await, "date");
    assert_eq!(field_type(&client, &index, "late").await, "long");
    assert_eq!(client.indices().count(&index).await.unwrap(), 71);
    let again = load_files(&client, &index, &[&pattern], options.clone()).await.unwrap();
    assert_eq!((again.created, again.updated), (0, 71));

    let cancel = CancellationToken::new();
    cancel.cancel();
    let summary = load_files(&client, &index, &[&pattern], options.with_cancellation(cancel)).await.unwrap();
    assert!(summary.interrupted);
    let error = load_files(&client, &index, &["absent.csv"], LoadOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
}

fn csv(folder: &tempfile::TempDir, rows: u64) -> FileInput {
    let text: String = (0..rows).map(|n| format!("{n},x{n}\n")).collect();
    std::fs::write(folder.path().join("a.csv"), format!("n,k\n{text}")).unwrap();
    folder.path().join("a.csv").into()
}

fn request(index: &str, input: FileInput) -> IngestRequest {
    let mut request = IngestRequest::new(index, input);
    request.documents.writer.id = vec!["n".to_owned()];
    request.bulk = options().with_concurrency(1).with_batch_documents(50);
    request
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let Some((client, scope)) = live("dry_run").await else { return };
    let index = format!("{}a", scope.prefix());
    let folder = tempfile::tempdir().unwrap();
    let input = csv(&folder, 10);
    let dry = Ingest::new(&client, request(&index, input.clone())).dry_run().await.unwrap().unwrap();
    assert_eq!(dry.new_index.unwrap().mapping.properties["n"], json!({"type": "long", "coerce": false}));
    assert_eq!((dry.files, dry.rows), (input.names(), None));
    assert!(client.indices().describe(&index).await.unwrap().is_empty());
    let mut wrong = request(&index, input);
    wrong.documents.writer.id = vec!["m".to_owned()];
    let error = Ingest::new(&client, wrong).dry_run().await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Request, "the files have no column `m`"));
}

#[tokio::test]
async fn a_load_that_was_cut_off_is_resumed() {
    let Some((client, scope)) = live("resumed").await else { return };
    let index = format!("{}a", scope.prefix());
    let folder = tempfile::tempdir().unwrap();
    let input = csv(&folder, 1_000);
    let (state, rejected) = (folder.path().join("loads"), folder.path().join("rejected"));
    let ingest = |request: IngestRequest| {
        Ingest::new(&client, request)
            .with_checkpoints(&state)
            .with_dead_letters(&rejected)
            .with_owner(json!({"pid": 7}))
    };
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let first = ingest(request(&index, input.clone())).with_run("first").with_cancellation(cancel);
    let outcome = first.with_observer(move |_| stop.cancel()).run().await.unwrap();
    assert!(outcome.here.interrupted && outcome.error.is_none());
    assert!(outcome.whole.read > 0 && outcome.whole.read < 1_000, "{}", outcome.whole.read);
    let file = CheckpointFile::new(&state, &request(&index, input.clone()).name());
    let saved = file.read().unwrap().unwrap();
    assert_eq!((&saved.run, &saved.owner), (&"first".to_owned(), &json!({"pid": 7})));
    assert_eq!(saved.reached.summary.read, outcome.whole.read);

    let mut other = request(&index, input.clone());
    other.documents.writer.operation = Operation::Create;
    let error = ingest(other).run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(error.to_string().ends_with("and its options were other ones"), "{error}");

    let start = Arc::new(Mutex::new(None));
    let seen = start.clone();
    let second = ingest(request(&index, input.clone())).with_start_observer(move |start| {
        *seen.lock().unwrap() = Some(start);
    });
    let resumed = second.run().await.unwrap();
    assert!(resumed.error.is_none() && !resumed.here.interrupted);
    let expected = IngestStart { rows: None, resumed_after: outcome.whole.read, notes: Vec::new() };
    assert_eq!(*start.lock().unwrap(), Some(expected));
    assert_eq!((resumed.whole.read, resumed.here.read), (1_000, 1_000 - outcome.whole.read));
    assert_eq!(client.indices().count(&index).await.unwrap(), 1_000);
    assert_eq!(field_type(&client, &index, "n").await, "long");
    assert!(!file.exists() && resumed.dead_letter.is_none());

    // From scratch, into what is there by now.
    let whole = ingest(request(&index, input)).run().await.unwrap();
    assert_eq!((whole.whole.updated, whole.whole.created), (1_000, 0));
}

#[tokio::test]
async fn a_load_without_ids_whose_every_request_was_answered_is_resumed() {
    let Some((client, scope)) = live("resumed_without_ids").await else { return };
    let index = format!("{}a", scope.prefix());
    let folder = tempfile::tempdir().unwrap();
    let input = csv(&folder, 1_000);
    let state = folder.path().join("loads");
    let ingest = |cancel: &CancellationToken| {
        let mut request = request(&index, input.clone());
        request.documents.writer.id.clear();
        Ingest::new(&client, request).with_checkpoints(&state).with_cancellation(cancel.clone())
    };
    // Interrupted: what was in flight is settled first.
    let (cancel, none) = (CancellationToken::new(), CancellationToken::new());
    let stop = cancel.clone();
    let first = ingest(&cancel).with_observer(move |_| stop.cancel()).run().await.unwrap();
    assert!(first.here.interrupted && (1..1_000).contains(&first.whole.read), "{}", first.whole);
    // Refused before anything was written: nothing to resume, and no obstacle later.
    let block = |is_on: bool| json!({"blocks.write": is_on}).as_object().unwrap().clone();
    client.indices().put_settings(&index, &block(true)).await.unwrap();
    let error = ingest(&none).run().await.unwrap().error.unwrap();
    assert!(error.help().unwrap().contains("`index.blocks.write`"), "{:?}", error.help());
    client.indices().put_settings(&index, &block(false)).await.unwrap();

    let rest = ingest(&none).run().await.unwrap();
    assert!(rest.error.is_none(), "{:?}", rest.error);
    assert_eq!((rest.whole.read, rest.here.read), (1_000, 1_000 - first.whole.read));
    assert_eq!(client.indices().count(&index).await.unwrap(), 1_000);
    assert_eq!(std::fs::read_dir(&state).unwrap().count(), 0);
}

#[tokio::test]
async fn an_index_that_does_not_fit_is_refused() {
    let Some((client, scope)) = live("unfit").await else { return };
    let index = format!("{}a", scope.prefix());
    let folder = tempfile::tempdir().unwrap();
    let input = csv(&folder, 3);
    let refusal = async |request: IngestRequest| {
        let error = Ingest::new(&client, request).run().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request);
        error.to_string()
    };
    let mut update = request(&index, input.clone());
    update.documents.writer.operation = Operation::Update;
    assert_eq!(refusal(update).await, format!("there is no index {index} whose documents could be changed"));
    let pattern = format!("{}*", scope.prefix());
    let message = refusal(request(&pattern, input.clone())).await;
    assert_eq!(message, format!("`{pattern}` is a pattern, and documents go into one index"));
    load_frame(&client, &index, &numbered(1), &["k"]).await.unwrap();
    let mut other = request(&index, input);
    other.documents.mapping = serde_json::from_value(json!({"properties": {"k": {"type": "long"}}})).unwrap();
    let message = refusal(other).await;
    assert!(message.starts_with(&format!("{index} exists with another mapping: k")), "{message}");
}
