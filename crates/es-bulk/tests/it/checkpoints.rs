//! A load that is interrupted and resumed: nothing twice, nothing missing, one account.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use es_bulk::files::FilePlace;
use es_bulk::{
    Action, Batch, BatchBuilder, BatchLimits, BulkLoader, BulkOptions, DeadLetter, LetterLength, MaxRejected,
    Operation, RefusedRow, Settled, Summary,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{INDEX, items, mock_node, options, stream_of};

const ROWS: u64 = 400;

/// Documents of the rows of a file after the given one. Every seventh row is broken.
fn rows_after(row: u64, number: u64) -> Vec<Batch> {
    let limits = BatchLimits { documents: 10, ..BatchLimits::default() };
    let mut builder = BatchBuilder::new(limits).numbered_from(number);
    builder.source("rows.ndjson".into(), FilePlace { rows: row, bytes: None });
    for broken in (row + 1..=ROWS).filter(|row| row % 7 == 0) {
        builder.refuse(RefusedRow { row: broken, text: format!("{{\"n\":{broken}"), reason: "cut off".to_owned() });
    }
    let mut all = Vec::new();
    for n in (row + 1..=ROWS).filter(|row| row % 7 != 0) {
        let id = n.to_string();
        let action = Action::new(Operation::Index, &id);
        all.extend(builder.push_document(&action, &json!({"n": n})).unwrap());
    }
    all.extend(builder.finish());
    all
}

/// The counts that do not depend on how a load was cut.
fn counts(summary: &Summary) -> (u64, u64, BTreeMap<String, u64>, u64) {
    (summary.read, summary.acknowledged(), summary.rejected.clone(), summary.unknown)
}

#[tokio::test]
async fn a_load_that_resumes_ends_as_one_that_was_not_interrupted() {
    let times = Arc::new(Mutex::new(BTreeMap::<i64, u32>::new()));
    let seen = times.clone();
    let (_server, client) = mock_node(move |request| {
        items(request, |n| {
            *times.lock().unwrap().entry(n).or_default() += 1;
            if n % 31 == 0 { 400 } else { 201 }
        })
        .set_delay(std::time::Duration::from_millis(3))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    let lenient = BulkOptions { max_rejected: MaxRejected::Count(ROWS), concurrency: Some(3), ..options() };
    let (mut row, mut number, mut length) = (0, 0, LetterLength::default());
    let mut whole = Summary::default();
    let mut parts = 0;
    loop {
        parts += 1;
        let cancel = CancellationToken::new();
        let last: Arc<Mutex<Settled>> = Arc::default();
        let (kept, stop) = (last.clone(), cancel.clone());
        let loader = BulkLoader::new(client.clone(), INDEX, lenient.clone())
            .with_dead_letter(DeadLetter::append_to(&path, length))
            .with_cancellation(cancel)
            .with_checkpoints(move |settled| {
                let mut last = kept.lock().unwrap();
                assert!(settled.batches > last.batches && settled.summary.adds_up());
                // What was settled after the stop is forgotten, as if the process had been killed.
                if !stop.is_cancelled() {
                    *last = settled.clone();
                }
                if settled.batches >= 9 {
                    stop.cancel();
                }
            });
        let summary = loader.load(stream_of(rows_after(row, number))).await.unwrap();
        let settled = last.lock().unwrap().clone();
        if !summary.interrupted {
            whole.merge(&summary);
            break;
        }
        whole.merge(&settled.summary);
        let checkpoint = settled.checkpoint.unwrap();
        assert_eq!(&*checkpoint.file, "rows.ndjson");
        assert!(checkpoint.row > row);
        row = checkpoint.row;
        number += settled.documents;
        length = settled.letter;
    }
    assert!(parts > 2, "{parts}");
    let (broken, refused) = (ROWS / 7, (1..=ROWS).filter(|n| n % 31 == 0 && n % 7 != 0).count() as u64);
    let rejected =
        BTreeMap::from([("malformed_document".to_owned(), broken), ("refused_for_the_test".to_owned(), refused)]);
    assert_eq!(counts(&whole), (ROWS, ROWS - broken - refused, rejected, 0));
    assert!(whole.adds_up());
    assert_eq!(seen.lock().unwrap().len() as u64, ROWS - broken, "every document came");
    let errors = std::fs::read_to_string(path.with_extension("errors.ndjson")).unwrap();
    let errors: Vec<Value> = errors.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut rows: Vec<u64> = errors.iter().map(|error| error["row"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (1..=ROWS).filter(|row| row % 7 == 0 || row % 31 == 0).collect();
    rows.sort_unstable();
    assert_eq!(rows, expected, "each refused row is in the letter once");
    let letter = std::fs::read_to_string(path.with_extension("ndjson")).unwrap();
    assert_eq!(letter.lines().count() as u64, 2 * refused);
    for error in &errors {
        let (document, row) = (error["document"].as_u64(), error["row"].as_u64().unwrap());
        match error["letter"].as_u64() {
            Some(line) => {
                let action: Value = serde_json::from_str(letter.lines().nth(line as usize - 1).unwrap()).unwrap();
                assert_eq!(action["index"]["_id"], row.to_string());
                assert_eq!(document, Some(row - 1 - row / 7), "documents are numbered through");
            }
            None => assert_eq!((document, &error["text"]), (None, &json!(format!("{{\"n\":{row}")))),
        }
    }
}
