//! An export that is cancelled changes nothing and leaves nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use es_export::{ErrorKind, Progress};
use tokio_util::sync::CancellationToken;

use crate::support::{
    contents, export, fields, first_rows, index_of, live, names, rows, run, small_pages, split, until_closed,
};

#[tokio::test]
async fn the_last_export_stays_when_the_next_is_cancelled() {
    let Some((client, scope)) = live("stopped").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(300), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    run(export(small_pages(&index), &folder, None), &client).await.unwrap();
    let before = contents(scratch.path());

    // Before the first row, and in the middle.
    for limit in [0, 30] {
        let cancel = CancellationToken::new();
        if limit == 0 {
            cancel.cancel();
        }
        let read = Arc::new(AtomicU64::new(0));
        let observer = {
            let (read, cancel) = (read.clone(), cancel.clone());
            move |progress: Progress| {
                assert_eq!(progress.total, Some(300));
                if read.fetch_add(progress.rows, Ordering::SeqCst) + progress.rows >= limit {
                    cancel.cancel();
                }
            }
        };
        let next = export(small_pages(&index), &folder, Some(split("k")));
        let error = next.with_cancellation(cancel).with_observer(observer).run(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(error.to_string(), "the export was cancelled");
        assert_eq!(error.help(), Some("nothing was changed; run it again"));
        assert!(read.load(Ordering::SeqCst) < 300);
        assert_eq!(contents(scratch.path()), before);
        assert_eq!(names(scratch.path()), ["set"]);
        until_closed(&client, &index).await;
    }
}

#[tokio::test]
async fn an_export_whose_task_is_dropped_leaves_nothing() {
    let Some((client, scope)) = live("dropped").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(300), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let (observer, first_rows) = first_rows();
    let exporting = export(small_pages(&index), &folder, None).with_observer(observer).run(&client);
    tokio::select! {
        outcome = exporting => panic!("it ended: {outcome:?}"),
        () = first_rows => {}
    }
    until_closed(&client, &index).await;
    assert!(!folder.exists());
}

#[tokio::test]
async fn what_a_killed_export_left_is_cleared_away() {
    let Some((client, scope)) = live("killed").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(10), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let left = scratch.path().join(".set.staging/files/data");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("part-00007.parquet"), "half").unwrap();
    let folder = scratch.path().join("set");
    run(export(small_pages(&index), &folder, None), &client).await.unwrap();
    assert_eq!(names(scratch.path()), ["set"]);
    assert_eq!(names(&folder.join("data")), ["part-00000.parquet"]);
}

#[tokio::test]
async fn a_second_export_to_one_destination_is_refused() {
    let Some((client, scope)) = live("second").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(300), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let (observer, first_rows) = first_rows();
    let mut first = Box::pin(export(small_pages(&index), &folder, None).with_observer(observer).run(&client));
    tokio::select! {
        outcome = &mut first => panic!("it ended: {outcome:?}"),
        () = first_rows => {}
    }
    let error = run(export(small_pages(&index), &folder, None), &client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert_eq!(error.to_string(), format!("another export to {} is running", folder.display()));
    // The first goes on as if nothing had been.
    assert_eq!(first.await.unwrap().rows, 300);
    assert_eq!(run(export(small_pages(&index), &folder, None), &client).await.unwrap().rows, 300);
}
