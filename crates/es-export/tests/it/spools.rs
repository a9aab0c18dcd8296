//! One local file for another program.

use es_export::{ErrorKind, FileOptions, Format, Spool};
use polars::prelude::*;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{
    fields, index_of, live, matching, named, names, parquet, rows, small_pages, sorted, until_closed,
};

#[tokio::test]
async fn a_spool_has_the_columns_and_rows_of_its_search() {
    let Some((client, scope)) = live("spool").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(200);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let request = named(small_pages(&index), &["k", "x"]);
    for format in [Format::Parquet, Format::Ipc, Format::IpcStream] {
        let path = scratch.path().join(format!("rows.{}", format.extension()));
        let open = || std::fs::File::open(&path).unwrap();
        let read = || match format {
            Format::Ipc => IpcReader::new(open()).finish().unwrap(),
            Format::IpcStream => IpcStreamReader::new(open()).finish().unwrap(),
            _ => parquet(&path),
        };
        let spooled = Spool::new(request.clone(), &path).with_format(format).run(&client).await.unwrap();
        let found = read();
        assert!(sorted(&found, "k").equals_missing(&frame.select(["k", "x"]).unwrap()), "{format}");
        assert_eq!((spooled.rows, spooled.bytes), (200, std::fs::metadata(&path).unwrap().len()));
        assert_eq!(&spooled.schema, found.schema().as_ref());

        // Without rows the columns are the same, over the file of before.
        let none = matching(request.clone(), json!({"term": {"g": "none"}}));
        let empty = Spool::new(none, &path).with_format(format).run(&client).await.unwrap();
        assert_eq!((empty.rows, &empty.schema), (0, &spooled.schema));
        assert_eq!((read().height(), read().schema()), (0, found.schema()), "{format}");
    }
    assert_eq!(names(scratch.path()), ["rows.arrow", "rows.arrows", "rows.parquet"], "nothing else is left");
    let error = Spool::new(request, scratch.path().join("a.csv")).with_format(Format::Csv).run(&client).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Format);
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_cancelled_spool_leaves_no_file() {
    let Some((client, scope)) = live("spool_cancelled").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(300), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let token = CancellationToken::new();
    let observer = {
        let token = token.clone();
        move |_| token.cancel()
    };
    let spool = Spool::new(small_pages(&index), scratch.path().join("a.parquet")).with_format(FileOptions::default());
    let error = spool.with_observer(observer).with_cancellation(token).run(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(names(scratch.path()).is_empty());
    until_closed(&client, &index).await;
}
