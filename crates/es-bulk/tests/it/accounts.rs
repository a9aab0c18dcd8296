//! Whatever a server answers, every document is in exactly one place and the account adds up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use es_bulk::{BulkLoader, BulkOptions, DeadLetter, MaxRejected, Summary};
use es_core::{Backoff, RetryPolicy};
use proptest::prelude::*;
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::support::{INDEX, answer, batches, item, mock_node, numbered, numbers, options, stream_of};

const DOCUMENTS: i64 = 40;

/// The reaction of the server to a request.
#[derive(Clone, Copy, Debug)]
enum Whole {
    /// It decides about each document.
    Each,
    Busy,
    TooLarge,
    Unavailable,
    Broken,
    /// It writes the documents, and its answer is cut off.
    Garbled,
    /// It writes the documents, and answers for fewer.
    Short,
    /// It writes the documents, and a proxy before it answers that it is not there.
    Lost,
}

#[derive(Clone, Debug)]
struct Plan {
    requests: Vec<Whole>,
    /// For each document the statuses that it gets before it is written.
    documents: Vec<Vec<u16>>,
    has_ids: bool,
    batch: usize,
}

fn plan() -> impl Strategy<Value = Plan> {
    let whole = prop_oneof![
        12 => Just(Whole::Each),
        2 => Just(Whole::Busy),
        2 => Just(Whole::TooLarge),
        1 => Just(Whole::Unavailable),
        1 => Just(Whole::Lost),
        1 => prop::sample::select(vec![Whole::Broken, Whole::Garbled, Whole::Short]),
    ];
    let status = prop_oneof![3 => Just(429), 2 => Just(503), 1 => Just(400), 1 => Just(409)];
    let document = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(status, 1..7)];
    let documents = prop::collection::vec(document, DOCUMENTS as usize);
    (prop::collection::vec(whole, 0..25), documents, any::<bool>(), 1..15_usize)
        .prop_map(|(requests, documents, has_ids, batch)| Plan { requests, documents, has_ids, batch })
}

#[derive(Debug, Default)]
struct Server {
    requests: usize,
    sent: BTreeMap<i64, usize>,
    written: BTreeMap<i64, usize>,
}

impl Server {
    fn answer(&mut self, plan: &Plan, request: &Request) -> ResponseTemplate {
        let documents = numbers(request);
        let whole = plan.requests.get(self.requests).copied().unwrap_or(Whole::Each);
        self.requests += 1;
        let refusal = |status: u16| answer(status, &json!({"error": {"type": "x", "reason": "y"}, "status": status}));
        match whole {
            Whole::Busy => return refusal(429),
            Whole::TooLarge => return refusal(413),
            Whole::Unavailable => return refusal(503),
            Whole::Broken => return refusal(500),
            Whole::Each | Whole::Garbled | Whole::Short | Whole::Lost => {}
        }
        let items: Vec<Value> = documents
            .iter()
            .map(|n| {
                let sent = self.sent.entry(*n).or_default();
                let status = plan.documents[*n as usize].get(*sent).copied().unwrap_or(201);
                *sent += 1;
                if status == 201 {
                    *self.written.entry(*n).or_default() += 1;
                }
                item(status)
            })
            .collect();
        match whole {
            Whole::Lost => refusal(503),
            Whole::Short => answer(200, &json!({"items": items[1..]})),
            Whole::Garbled => {
                let text = json!({"items": items}).to_string();
                ResponseTemplate::new(200)
                    .insert_header("X-Elastic-Product", "Elasticsearch")
                    .set_body_string(text[..text.len() / 2].to_owned())
            }
            _ => answer(200, &json!({"items": items})),
        }
    }
}

async fn load(plan: Plan) -> (Summary, BTreeSet<i64>, Server) {
    let state: Arc<Mutex<Server>> = Arc::default();
    let (server, id) = (state.clone(), if plan.has_ids { vec!["k"] } else { vec![] });
    let all = batches(&numbered(DOCUMENTS), &id, plan.batch);
    let (_server, client) = mock_node(move |request| server.lock().unwrap().answer(&plan, request)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    let backoff = Backoff { first: Duration::from_micros(10), longest: Duration::from_micros(10) };
    let retry = RetryPolicy { max: 3, total: Duration::from_secs(20), backoff };
    let lenient = BulkOptions { max_rejected: MaxRejected::Share(1.0), retry, ..options() };
    let loader = BulkLoader::new(client, INDEX, lenient).with_dead_letter(DeadLetter::new(&path));
    let summary = match loader.load(stream_of(all)).await {
        Ok(summary) => summary,
        Err(error) => error.summary().unwrap().clone(),
    };
    let letter = std::fs::read_to_string(path.with_extension("ndjson")).unwrap_or_default();
    let lines: Vec<Value> = letter.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rejected: BTreeSet<i64> = lines.chunks(2).map(|pair| pair[1]["n"].as_i64().unwrap()).collect();
    assert_eq!(rejected.len(), lines.len() / 2, "no document is in the letter twice");
    drop(loader);
    let server = std::mem::take(&mut *state.lock().unwrap());
    (summary, rejected, server)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_document_is_in_exactly_one_place(plan in plan()) {
        let has_ids = plan.has_ids;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (summary, rejected, server) = runtime.block_on(load(plan));
        prop_assert!(summary.adds_up(), "{summary:?}");
        prop_assert!(summary.read <= DOCUMENTS as u64);
        prop_assert_eq!(rejected.len() as u64, summary.rejections());
        let ranges: u64 = summary.unknown_rows.iter().map(|range| range.documents).sum();
        prop_assert_eq!(ranges, summary.unknown);
        let written: BTreeSet<i64> = server.written.keys().copied().collect();
        // One that was written and then refused, as its first answer was lost, is in both.
        let only_rejected = rejected.difference(&written).count() as u64;
        let in_both = rejected.len() as u64 - only_rejected;
        prop_assert!(has_ids || in_both == 0);
        let there = written.len() as u64 - in_both;
        prop_assert!(summary.acknowledged() <= there && there <= summary.acknowledged() + summary.unknown);
        // Without ids nothing may be written twice.
        prop_assert!(has_ids || server.written.values().all(|times| *times == 1), "{:?}", server.written);
        prop_assert_eq!(summary.requests, server.requests as u64);
    }
}
