//! Rows to a pipe: handed over once, ended only when all were there.

use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex, mpsc};

use es_core::Client;
use es_export::{ErrorKind, Format, Phase, Progress, ReadRequest, StreamExport, Streamed};
use polars::prelude::*;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{bulk, fields, index_of, live, named, rows, small_pages, sorted, until_closed};

/// A pipe whose other end keeps everything.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

async fn into(client: &Client, request: ReadRequest, format: &str, out: Kept) -> Result<Streamed, es_export::Error> {
    StreamExport::new(request, format.parse::<Format>().unwrap()).run(client, out).await
}

/// The end of a whole Arrow stream.
const END_OF_STREAM: [u8; 8] = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];

#[tokio::test]
async fn a_stream_has_every_row_and_its_end() {
    let Some((client, scope)) = live("stream").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(200);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let request = named(small_pages(&index), &["k", "n", "g", "x"]);

    let out = Kept::default();
    let seen = Arc::new(Mutex::new((0, 0)));
    let observer = {
        let seen = seen.clone();
        move |step: Progress| {
            assert_eq!((step.phase, step.total), (Phase::Reading, Some(200)));
            let mut seen = seen.lock().unwrap();
            *seen = (seen.0 + step.rows, step.bytes);
        }
    };
    let streaming = StreamExport::new(request.clone(), Format::IpcStream).with_observer(observer);
    let streamed = streaming.run(&client, out.clone()).await.unwrap();
    assert_eq!((streamed.rows, streamed.bytes), (200, out.bytes().len() as u64));
    assert_eq!(streamed.source.matched, Some(200));
    let (rows, bytes) = *seen.lock().unwrap();
    assert_eq!(rows, 200);
    assert!(bytes > 1_000 && bytes <= streamed.bytes);
    assert!(out.bytes().ends_with(&END_OF_STREAM));
    let found = IpcStreamReader::new(Cursor::new(out.bytes())).finish().unwrap();
    assert!(sorted(&found, "k").equals_missing(&frame));

    let out = Kept::default();
    into(&client, request.clone(), "ndjson", out.clone()).await.unwrap();
    let lines: Vec<Value> = out
        .bytes()
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 200);
    assert!(lines.contains(&json!({"k": "key-00003", "n": 3, "g": "JFK", "x": 1.0})));

    let mut ordered = request;
    ordered.search_mut().unwrap().sort = vec![json!({"n": "desc"})];
    ordered.search_mut().unwrap().limit = Some(2);
    let out = Kept::default();
    into(&client, ordered, "csv", out.clone()).await.unwrap();
    let text = String::from_utf8(out.bytes()).unwrap();
    let keys: Vec<&str> = text.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(keys, ["k", "key-00199", "key-00198"]);
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_failure_in_the_middle_leaves_the_stream_without_its_end() {
    let Some((client, scope)) = live("broken_stream").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(200), &["k"]).await;
    bulk(&client, &index, b"{\"index\":{\"_id\":\"odd\"}}\n{\"k\":\"odd\",\"n\":[1,2]}\n".to_vec()).await;
    let mut request = small_pages(&index);
    request.options.slices = Some(1);
    let out = Kept::default();
    let error = into(&client, request, "ipc-stream", out.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert!(out.bytes().len() > 1_000, "rows before it were handed over");
    assert!(!out.bytes().ends_with(&END_OF_STREAM));
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_reader_that_closes_the_pipe_and_a_format_that_is_not_a_stream_are_reported() {
    let Some((client, scope)) = live("head").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(200), &["k"]).await;
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let streaming = StreamExport::new(small_pages(&index), Format::Csv);
    let error = streaming.run(&client, writer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    until_closed(&client, &index).await;
    let error = into(&client, small_pages(&index), "parquet", Kept::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
}

/// A pipe that is full until it is told otherwise.
struct Full(mpsc::Receiver<()>);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An end that is dropped is a reader that came back.
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pipe_stops_the_reading_and_can_be_cancelled() {
    let Some((client, scope)) = live("full_pipe").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(200), &["k"]).await;
    let (go_on, full) = mpsc::channel();
    let cancel = CancellationToken::new();
    let mut request = small_pages(&index);
    request.options.slices = Some(1);
    let pages = |client: Client, index: String| async move {
        let stats = es_core::Request::new(es_core::Method::Get, format!("/{index}/_stats/search"));
        let stats: Value = client.send(&stats).await.unwrap().json().unwrap();
        stats["_all"]["total"]["search"]["query_total"].as_u64().unwrap()
    };
    let stopping = {
        let (client, cancel, index) = (client.clone(), cancel.clone(), index.clone());
        tokio::spawn(async move {
            // Until no page was requested for some time.
            let mut before = 0;
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                let now = pages(client.clone(), index.clone()).await;
                if now == before && now > 0 {
                    break;
                }
                before = now;
            }
            cancel.cancel();
            before
        })
    };
    let streaming = StreamExport::new(request, Format::Ndjson).with_cancellation(cancel);
    let error = streaming.run(&client, Full(full)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    // The count, and of 29 pages those that wait: one being written, one in the channel, one
    // at its end, one decoded and one on its way.
    let asked = stopping.await.unwrap();
    assert!(asked <= 8, "{asked} searches although nobody takes rows");
    drop(go_on);
    until_closed(&client, &index).await;
}
