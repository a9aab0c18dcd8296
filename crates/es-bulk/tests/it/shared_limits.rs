//! Several loads that share a budget of memory and a limit of requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use es_bulk::es_values::ByteSize;
use es_bulk::{BulkLoader, BulkOptions, ConcurrencyLimiter, MemoryBudget};
use futures::StreamExt as _;
use futures::future::join_all;

use crate::support::{INDEX, batches, items, mock_node, numbered, options, received, stream_of};

const LOADS: usize = 6;

#[tokio::test]
async fn several_loads_at_once_stay_inside_one_budget_and_one_limit() {
    let (server, client) = mock_node(|request| items(request, |_| 201).set_delay(Duration::from_millis(30))).await;
    let all = batches(&numbered(400), &["k"], 40);
    let bytes = all.iter().map(|batch| batch.body().len()).max().unwrap();
    // Room for four batches of the sixty, a few of which are read ahead.
    let whole = ByteSize::bytes(5 * bytes as u64);
    let budget = MemoryBudget::new(whole);
    let limiter = ConcurrencyLimiter::new(&BulkOptions::default().with_concurrency(3));
    let (read, settled, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let lowest = AtomicU64::new(u64::MAX);
    let loads = (0..LOADS).map(|_| {
        let input = stream_of(all.clone()).inspect(|_| {
            let held = read.fetch_add(1, Ordering::SeqCst) + 1 - settled.load(Ordering::SeqCst);
            most.fetch_max(held, Ordering::SeqCst);
            lowest.fetch_min(budget.free_bytes(), Ordering::SeqCst);
        });
        let settled = settled.clone();
        let loader = BulkLoader::new(client.clone(), INDEX, options())
            .with_budget(&budget)
            .with_limiter(&limiter)
            .with_observer(move |step| {
                settled.fetch_add((step.acknowledged / 40) as usize, Ordering::SeqCst);
            });
        async move { loader.load(input).await.unwrap() }
    });
    let summaries = join_all(loads).await;
    assert!(summaries.iter().all(|summary| summary.adds_up() && summary.created == 400));
    assert!(limiter.highest() <= 3, "{} requests at once", limiter.highest());
    // The batches that fit, and the one that each load has read and waits for room with.
    let most = most.into_inner();
    assert!(most <= 5 + LOADS, "{most} batches at once");
    assert!(lowest.into_inner() < bytes as u64, "the budget was used");
    assert!(budget.free_bytes() >= whole.as_bytes(), "everything was given back");
    assert_eq!(received(&server).await.len(), LOADS * 10);
}
