//! The cutting of documents into batches, and what a batch knows about them.

use std::time::Instant;

use futures::StreamExt as _;
use polars::prelude::{DataFrame, df};

use super::*;
use crate::Operation;

fn frame() -> DataFrame {
    df!("k" => ["a", "b", "c", "d", "e"], "n" => [1, 2, 3, 4, 5]).unwrap()
}

fn limits(documents: usize, bytes: usize) -> BatchLimits {
    BatchLimits { documents, bytes, ..BatchLimits::default() }
}

fn batches(limits: BatchLimits) -> Vec<Batch> {
    let frame = frame();
    let writer = es_frame::DocumentWriter::new(&frame, &["k"]).unwrap();
    let mut builder = BatchBuilder::new(limits);
    let mut all = builder.push_frame(&writer).unwrap();
    all.extend(builder.finish());
    assert!(builder.finish().is_none());
    all
}

fn source(batch: &Batch, document: usize) -> &[u8] {
    batch.lines(document)[batch.source_start(document)..].trim_ascii_end()
}

fn refused(row: u64) -> RefusedRow {
    RefusedRow { row, text: format!("text {row}"), reason: "broken".to_owned() }
}

#[test]
fn a_batch_is_old_when_its_first_row_has_waited() {
    let add: [&dyn Fn(&mut BatchBuilder); 2] =
        [&|builder| drop(builder.push_json(&Action::default(), b"{}").unwrap()), &|builder| builder.refuse(refused(1))];
    for add in add {
        let mut patient = BatchBuilder::new(BatchLimits { age: Duration::MAX, ..limits(10, 1 << 20) });
        add(&mut patient);
        assert!(patient.finish_old().is_none());
        assert!(patient.finish().is_some());
        let mut hasty = BatchBuilder::new(BatchLimits { age: Duration::ZERO, ..limits(10, 1 << 20) });
        assert!(hasty.finish_old().is_none(), "nothing is no batch");
        for _ in 0..2 {
            add(&mut hasty);
            assert!(hasty.finish_old().is_some());
            assert!(hasty.finish_old().is_none());
        }
    }
}

#[test]
fn batches_end_at_documents() {
    let by_count = batches(limits(2, 1 << 20));
    assert_eq!(by_count.iter().map(Batch::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(by_count[1].lines(1), b"{\"index\":{\"_id\":\"d\"}}\n{\"k\":\"d\",\"n\":4}\n");
    assert_eq!((by_count[1].number(1), source(&by_count[1], 1)), (3, &b"{\"k\":\"d\",\"n\":4}"[..]));
    assert_eq!(by_count[1].action(1), b"{\"index\":{\"_id\":\"d\"}}");
    let by_bytes = batches(limits(100, 1));
    assert_eq!(by_bytes.len(), 5);
    assert_eq!((by_bytes[0].checkpoint(), by_bytes[0].origin(0)), (None, None));
}

#[test]
fn subsets_keep_the_numbers_of_their_documents() {
    let whole = &batches(BatchLimits::default())[0];
    let some = whole.subset(&[1, 4]);
    assert_eq!(some.body(), &[whole.lines(1), whole.lines(4)].concat());
    assert_eq!([some.number(0), some.number(1)], [1, 4]);
    let [left, right] = some.halves();
    assert_eq!((left.number(0), right.number(0), source(&right, 0)), (1, 4, source(whole, 4)));
    let [left, right] = whole.halves();
    assert_eq!((left.len(), right.len()), (2, 3));
    assert_eq!([left.body().as_ref(), right.body()].concat(), whole.body().as_ref());
    assert_eq!((right.lines(0), right.action(2)), (whole.lines(2), whole.action(4)));
}

#[test]
fn the_content_does_not_depend_on_how_it_was_cut() {
    let one = batches(BatchLimits::default())[0].content();
    let mut many = ContentHash::default();
    for batch in batches(limits(1, 1)) {
        many.merge(batch.content());
    }
    assert_eq!(one, many);
}

#[test]
fn a_row_that_fails_leaves_the_batch_as_it_was() {
    let frame = df!("k" => [Some("a"), None, Some("c")]).unwrap();
    let writer = es_frame::DocumentWriter::new(&frame, &["k"]).unwrap();
    let mut builder = BatchBuilder::new(BatchLimits::default());
    builder.source("f".into(), FilePlace::default());
    builder.push_row(&writer, 0).unwrap();
    builder.push_row(&writer, 1).unwrap_err();
    builder.push_row(&writer, 2).unwrap();
    let batch = builder.finish().unwrap();
    assert_eq!((batch.len(), source(&batch, 1)), (2, &b"{\"k\":\"c\"}"[..]));
    assert_eq!((batch.number(1), batch.origin(1).unwrap().row), (1, 3));
}

#[test]
fn documents_know_their_rows_and_batches_how_far_they_go() {
    let frame = frame();
    let writer = es_frame::DocumentWriter::new(&frame, &["k"]).unwrap();
    let mut builder = BatchBuilder::new(limits(3, 1 << 20)).numbered_from(100);
    let place = FilePlace { rows: 10, bytes: Some(77) };
    builder.source("one".into(), place);
    // Rows 11 to 17, of which 11, 13 and 17 are broken.
    for row in [11, 13, 17] {
        builder.refuse(refused(row));
    }
    let mut all: Vec<Batch> = (0..4).filter_map(|row| builder.push_row(&writer, row).unwrap()).collect();
    builder.source("two".into(), FilePlace::default());
    all.extend(builder.push_numbered_row(&writer, 4, 9).unwrap());
    all.extend(builder.finish());
    let rows = |batch: &Batch| -> Vec<(String, u64)> {
        let origins = (0..batch.len()).map(|document| batch.origin(document).unwrap());
        origins.map(|origin| (origin.file.to_string(), origin.row)).collect()
    };
    let of = |file: &str, rows: &[u64]| rows.iter().map(|row| (file.to_owned(), *row)).collect::<Vec<_>>();
    assert_eq!(all.len(), 2);
    assert_eq!(rows(&all[0]), of("one", &[12, 14]));
    assert_eq!(all[0].refused().map(|row| row.row).collect::<Vec<_>>(), [11, 13]);
    let checkpoint = |file: &str, place, row| Some(Checkpoint { file: file.into(), place, row });
    assert_eq!(all[0].checkpoint(), checkpoint("one", place, 14));
    assert_eq!(rows(&all[1]), [of("one", &[15, 16]), of("two", &[9])].concat());
    assert_eq!((all[1].number(0), all[1].number(2)), (102, 104));
    assert_eq!(all[1].checkpoint(), checkpoint("two", FilePlace::default(), 9));
    let written = serde_json::to_string(&all[0].checkpoint()).unwrap();
    assert_eq!(written, r#"{"file":"one","place":{"rows":10,"bytes":77},"row":14}"#);
    assert_eq!(serde_json::from_str::<Option<Checkpoint>>(&written).unwrap(), all[0].checkpoint());
    let mut last = all[1].clone();
    assert_eq!(last.take_refused()[0].0, Some(Origin { file: "one".into(), row: 17 }));
    assert_eq!(last.refused().len(), 0);
}

#[test]
fn whether_all_have_ids_is_known_of_each_batch() {
    let mut builder = BatchBuilder::new(limits(2, 1 << 20));
    let with = Action::new(Operation::Delete, "1");
    assert!(builder.push_json(&Action::default(), b"{}").unwrap().is_none());
    let mixed = builder.push_json(&with, b"").unwrap().unwrap();
    builder.push_json(&with, b"").unwrap();
    let all =
        builder.push_document(&Action::new(Operation::Update, "2"), &serde_json::json!({"a": 1})).unwrap().unwrap();
    assert_eq!((mixed.has_ids(), all.has_ids()), (false, true));
    let expected = "{\"delete\":{\"_id\":\"1\"}}\n{\"update\":{\"_id\":\"2\"}}\n{\"doc\":{\"a\":1}}\n";
    assert_eq!(all.body().as_ref(), expected.as_bytes());
    assert_eq!((source(&all, 0), all.lines(0)), (&b""[..], &b"{\"delete\":{\"_id\":\"1\"}}\n"[..]));
    let not_json = std::collections::BTreeMap::from([((1, 2), 3)]);
    let error = builder.push_document(&Action::default(), &not_json).unwrap_err();
    assert_eq!(error.to_string(), "a document cannot be written as JSON: key must be a string");
}

fn push(builder: &mut BatchBuilder, n: u32) -> Result<Option<Batch>, crate::Error> {
    builder.push_document(&Action::default(), &serde_json::json!({"n": n}))
}

#[tokio::test]
async fn a_slow_stream_is_cut_by_age() {
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let age = Duration::from_millis(50);
    let mut batches = Box::pin(batched_with(receiver, BatchLimits { age, ..limits(3, 1 << 20) }, push));
    for n in 0..4 {
        sender.unbounded_send(Ok(n)).unwrap();
    }
    assert_eq!(batches.next().await.unwrap().unwrap().len(), 3);
    // The fourth waits for nobody: the stream goes on.
    assert_eq!(batches.next().await.unwrap().unwrap().len(), 1);
    sender.unbounded_send(Ok(4)).unwrap();
    sender.unbounded_send(Err(crate::Error::new(crate::ErrorKind::Input, "the line is dead"))).unwrap();
    sender.unbounded_send(Ok(5)).unwrap();
    drop(sender);
    assert_eq!(batches.next().await.unwrap().unwrap().len(), 1);
    assert_eq!(batches.next().await.unwrap().unwrap_err().to_string(), "the line is dead");
    assert_eq!(batches.next().await.unwrap().unwrap().len(), 1);
    assert!(batches.next().await.is_none());
    assert!(batches.next().await.is_none());
}

#[tokio::test]
async fn errors_of_any_type_end_up_as_sources() {
    #[derive(Debug, thiserror::Error)]
    #[error("the line is dead")]
    struct Dead;
    let items = futures::stream::iter([Ok(1), Err(Dead), Ok(2)]);
    let mut found: Vec<_> = batched(items, limits(10, 1 << 20), |_| Action::default()).collect().await;
    let lengths: Vec<_> = found.iter().map(|found| found.as_ref().map_or(0, Batch::len)).collect();
    assert_eq!(lengths, [1, 0, 1]);
    found.remove(1).unwrap_err().downcast_source::<Dead>().unwrap();
}

/// On one thread, a stream that is always ready must not fill a whole batch in one turn.
#[tokio::test]
async fn other_tasks_get_their_turn_while_a_batch_fills() {
    let items = futures::stream::iter((0..300_000).map(Ok::<u32, crate::Error>));
    let filling = batched(items, limits(300_000, 1 << 30), |_| Action::default()).collect::<Vec<_>>();
    let ticker = tokio::spawn(async {
        let (mut last, mut longest, mut turns) = (Instant::now(), Duration::ZERO, 0);
        loop {
            tokio::task::yield_now().await;
            longest = longest.max(last.elapsed());
            (last, turns) = (Instant::now(), turns + 1);
            if longest > Duration::from_secs(3600) {
                return turns;
            }
            TURNS.with(|cell| cell.set((turns, longest)));
        }
    });
    let started = Instant::now();
    assert_eq!(filling.await.len(), 1);
    let whole = started.elapsed();
    ticker.abort();
    let (turns, longest) = TURNS.with(std::cell::Cell::get);
    assert!(turns >= 10, "{turns} turns in {whole:?}");
    assert!(longest < whole / 4, "{longest:?} of {whole:?}");
}

thread_local! {
    static TURNS: std::cell::Cell<(u32, Duration)> = const { std::cell::Cell::new((0, Duration::ZERO)) };
}
