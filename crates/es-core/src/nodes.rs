//! The pool of nodes: round robin over those that answer, with dead ones set aside for a
//! growing time. Pure but for a lock: the clock is given.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use url::Url;

use crate::retry::Backoff;

/// How long a node that failed is left alone.
const REST: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

#[derive(Debug)]
pub(crate) struct Nodes {
    urls: Vec<Url>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: usize,
    health: Vec<Health>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Health {
    failures: u32,
    rests_until: Option<Instant>,
}

/// A node of the pool, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(usize);

impl Nodes {
    pub(crate) fn new(urls: Vec<Url>) -> Self {
        let health = vec![Health::default(); urls.len()];
        Self { urls, state: Mutex::new(State { next: 0, health }) }
    }

    pub(crate) fn url(&self, node: NodeId) -> &Url {
        &self.urls[node.0]
    }

    /// The next node to ask: the next one that does not rest, or, when all rest, the one
    /// whose rest ends first, since asking it is better than asking nobody.
    pub(crate) fn pick(&self, now: Instant) -> NodeId {
        let mut state = self.lock();
        let count = self.urls.len();
        let start = state.next;
        let awake = (0..count)
            .map(|step| (start + step) % count)
            .find(|node| state.health[*node].rests_until.is_none_or(|until| until <= now));
        let node = awake.unwrap_or_else(|| (0..count).min_by_key(|node| state.health[*node].rests_until).unwrap_or(0));
        state.next = (node + 1) % count;
        NodeId(node)
    }

    pub(crate) fn succeeded(&self, node: NodeId) {
        self.lock().health[node.0] = Health::default();
    }

    pub(crate) fn failed(&self, node: NodeId, now: Instant) {
        let mut state = self.lock();
        let health = &mut state.health[node.0];
        health.rests_until = Some(now + REST.wait(health.failures, 1.0));
        health.failures = health.failures.saturating_add(1);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is whole after every statement, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(count: usize) -> Nodes {
        Nodes::new((0..count).map(|n| Url::parse(&format!("http://node{n}:9200")).unwrap()).collect())
    }

    #[test]
    fn nodes_take_turns_and_dead_ones_rest_longer_each_time() {
        let (nodes, now) = (pool(3), Instant::now());
        assert_eq!([0, 1, 2, 0].map(|_| nodes.pick(now).0), [0, 1, 2, 0]);
        nodes.failed(NodeId(1), now);
        assert_eq!([0, 0, 0].map(|_| nodes.pick(now).0), [2, 0, 2]);
        let rested = now + Duration::from_secs(1);
        assert_eq!([0, 0, 0].map(|_| nodes.pick(rested).0), [0, 1, 2]);
        nodes.failed(NodeId(1), rested);
        let short = rested + Duration::from_millis(1500);
        assert_eq!([0, 0, 0].map(|_| nodes.pick(short).0), [0, 2, 0]);
        nodes.succeeded(NodeId(1));
        assert_eq!(nodes.pick(short).0, 1);
    }

    #[test]
    fn when_all_are_dead_the_one_that_rests_shortest_is_asked() {
        let (nodes, now) = (pool(2), Instant::now());
        nodes.failed(NodeId(0), now);
        nodes.failed(NodeId(0), now);
        nodes.failed(NodeId(1), now);
        assert_eq!(nodes.pick(now).0, 1);
        assert_eq!(nodes.url(NodeId(1)).as_str(), "http://node1:9200/");
    }
}
