//! The pool of nodes: round robin over those that answer, without failed ones for a growing time. Pure
//! but for a lock: the clock is a parameter, and finding nodes is left to `sniff`.
//!
//! The pool holds the nodes that were found last and the addresses of the configuration, and nothing
//! else, so it neither grows nor keeps a node that has left the cluster. Once nodes are found, the
//! configured addresses are a reserve: they are used when every found node is resting, so that a client
//! recovers when all addresses of the cluster have changed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use url::Url;

use crate::connection::retry::Backoff;

/// The rest of a node that failed.
const REST: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

#[derive(Debug)]
pub(crate) struct Nodes {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    members: Vec<Member>,
    /// The position of the next node.
    next: usize,
}

#[derive(Clone, Debug)]
struct Member {
    url: Url,
    /// `true` if it is in the configuration, and therefore never dropped.
    configured: bool,
    /// `true` if it is used only when all others are resting.
    reserve: bool,
    failures: u32,
    rests_until: Option<Instant>,
}

impl Member {
    fn new(url: Url, configured: bool) -> Self {
        Self { url, configured, reserve: false, failures: 0, rests_until: None }
    }

    fn is_awake(&self, now: Instant) -> bool {
        self.rests_until.is_none_or(|until| until <= now)
    }
}

impl Nodes {
    /// Creates a pool of the configured addresses, of which there is at least one. Duplicates count once.
    pub(crate) fn new(urls: Vec<Url>) -> Self {
        let mut members: Vec<Member> = Vec::with_capacity(urls.len());
        for url in urls {
            if members.iter().all(|member| member.url != url) {
                members.push(Member::new(url, true));
            }
        }
        Self { state: Mutex::new(State { members, next: 0 }) }
    }

    /// Returns the next node: of those that are not resting, the next one that was not tried yet; else the
    /// next one; else, if all are resting, the one whose rest ends first.
    pub(crate) fn pick(&self, now: Instant, tried: &[Url]) -> Url {
        let mut state = self.lock();
        let count = state.members.len();
        let turn: Vec<usize> = (0..count).map(|step| (state.next + step) % count).collect();
        let members = &state.members;
        let find = |accepts: &dyn Fn(&Member) -> bool| turn.iter().copied().find(|place| accepts(&members[*place]));
        let place = find(&|member| member.is_awake(now) && !member.reserve && !tried.contains(&member.url))
            .or_else(|| find(&|member| member.is_awake(now) && !tried.contains(&member.url)))
            .or_else(|| find(&|member| member.is_awake(now) && !member.reserve))
            .or_else(|| find(&|member| member.is_awake(now)))
            .or_else(|| turn.iter().copied().min_by_key(|place| members[*place].rests_until))
            .unwrap_or(0);
        let url = state.members[place].url.clone();
        state.next = (place + 1) % count;
        url
    }

    /// Returns `true` if a node is not resting and was not tried yet.
    pub(crate) fn has_untried(&self, now: Instant, tried: &[Url]) -> bool {
        let state = self.lock();
        state.members.iter().any(|member| member.is_awake(now) && !tried.contains(&member.url))
    }

    /// Returns the addresses in use.
    pub(crate) fn urls(&self) -> Vec<Url> {
        self.lock().members.iter().filter(|member| !member.reserve).map(|member| member.url.clone()).collect()
    }

    pub(crate) fn succeeded(&self, url: &Url) {
        if let Some(member) = self.lock().members.iter_mut().find(|member| member.url == *url) {
            (member.failures, member.rests_until) = (0, None);
        }
    }

    pub(crate) fn failed(&self, url: &Url, now: Instant) {
        // A node that was dropped in the meantime is ignored.
        if let Some(member) = self.lock().members.iter_mut().find(|member| member.url == *url) {
            // Requests in flight together fail together, and count as one failure.
            if member.is_awake(now) {
                member.rests_until = Some(now + REST.wait(member.failures, 1.0));
                member.failures = member.failures.saturating_add(1);
            }
        }
    }

    /// Adopts the nodes that were found. Known nodes keep their health; others are dropped, except for
    /// the configured ones, which become the reserve. An empty list changes nothing.
    pub(crate) fn replace(&self, found: Vec<Url>) {
        if found.is_empty() {
            return;
        }
        let mut state = self.lock();
        let mut members: Vec<Member> = Vec::with_capacity(found.len());
        for url in found {
            if members.iter().any(|member| member.url == url) {
                continue;
            }
            let known = state.members.iter().find(|member| member.url == url);
            let member =
                known.map_or_else(|| Member::new(url, false), |known| Member { reserve: false, ..known.clone() });
            members.push(member);
        }
        for member in &state.members {
            if member.configured && members.iter().all(|other| other.url != member.url) {
                members.push(Member { reserve: true, ..member.clone() });
            }
        }
        state.next %= members.len();
        state.members = members;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent after every statement, so a poisoned lock is harmless.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(name: &str) -> Url {
        Url::parse(&format!("http://{name}:9200")).unwrap()
    }

    fn urls(names: &str) -> Vec<Url> {
        names.split_whitespace().map(url).collect()
    }

    fn picks<const N: usize>(nodes: &Nodes, now: Instant, tried: &str) -> [String; N] {
        std::array::from_fn(|_| nodes.pick(now, &urls(tried)).host_str().unwrap().to_owned())
    }

    #[test]
    fn nodes_take_turns_and_dead_ones_rest_longer_each_time() {
        let (nodes, now) = (Nodes::new(urls("a b c")), Instant::now());
        assert_eq!(picks(&nodes, now, ""), ["a", "b", "c", "a"]);
        nodes.failed(&url("b"), now);
        assert_eq!(picks(&nodes, now, ""), ["c", "a", "c"]);
        let rested = now + Duration::from_secs(1);
        assert_eq!(picks(&nodes, rested, ""), ["a", "b", "c"]);
        nodes.failed(&url("b"), rested);
        let short = rested + Duration::from_millis(1500);
        assert_eq!(picks(&nodes, short, ""), ["a", "c", "a"]);
        nodes.succeeded(&url("b"));
        assert_eq!(picks(&nodes, short, ""), ["b"]);
    }

    #[test]
    fn requests_that_fail_together_count_as_one_failure() {
        let (nodes, now) = (Nodes::new(urls("a b")), Instant::now());
        for _ in 0..20 {
            nodes.failed(&url("a"), now);
        }
        assert_eq!(picks(&nodes, now + Duration::from_secs(1), ""), ["a", "b"]);
    }

    #[test]
    fn when_all_nodes_rest_the_shortest_rest_is_next() {
        let (nodes, now) = (Nodes::new(urls("a b")), Instant::now());
        nodes.failed(&url("b"), now);
        nodes.failed(&url("a"), now + Duration::from_millis(10));
        assert_eq!(picks(&nodes, now + Duration::from_millis(20), ""), ["b", "b"]);
    }

    #[test]
    fn a_request_moves_on_to_nodes_it_was_not_sent_to() {
        let (nodes, now) = (Nodes::new(urls("a b c a")), Instant::now());
        assert_eq!(nodes.urls(), urls("a b c"));
        assert_eq!(picks(&nodes, now, "a b"), ["c", "c"]);
        assert!(nodes.has_untried(now, &urls("a b")));
        nodes.failed(&url("c"), now);
        assert!(!nodes.has_untried(now, &urls("a b")));
        assert_eq!(picks(&nodes, now, "a b"), ["a", "b", "a"]);
    }

    #[test]
    fn found_nodes_take_over_and_configured_ones_are_the_reserve() {
        let (nodes, now) = (Nodes::new(urls("seed")), Instant::now());
        nodes.replace(vec![]);
        assert_eq!(nodes.urls(), urls("seed"));
        nodes.replace(urls("a b"));
        assert_eq!(picks(&nodes, now, ""), ["a", "b", "a"]);
        nodes.failed(&url("a"), now);
        nodes.failed(&url("b"), now);
        assert_eq!(picks(&nodes, now, ""), ["seed", "seed"]);
        assert!(nodes.has_untried(now, &urls("a b")));
        // A node that stays keeps its health, one that left is forgotten.
        nodes.replace(urls("b c b"));
        assert_eq!(nodes.urls(), urls("b c"));
        assert_eq!(picks(&nodes, now, ""), ["c", "c"]);
        nodes.failed(&url("a"), now);
        nodes.replace(urls("seed"));
        assert_eq!(nodes.urls(), urls("seed"));
    }

    proptest! {
        /// Whatever happens, the pool holds the nodes found last and the configured ones alone.
        #[test]
        fn the_pool_does_not_grow(found in proptest::collection::vec("[a-f]( [a-f]){0,4}", 0..8), failing in "[a-f]{0,9}") {
            let (nodes, now) = (Nodes::new(urls("a b")), Instant::now());
            for list in &found {
                nodes.replace(urls(list));
                for name in failing.chars() {
                    nodes.failed(&url(&name.to_string()), now);
                }
                let mut known = urls(list);
                known.extend(urls("a b"));
                prop_assert!(known.contains(&nodes.pick(now, &known)));
                prop_assert!(nodes.lock().members.len() <= known.len());
                prop_assert!(nodes.urls().iter().all(|url| urls(list).contains(url)));
            }
        }
    }
}
