//! Names of a test's own, and their removal.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;

use crate::Node;

/// A prefix shorter than this is refused: it could be somebody's index.
const SHORTEST_PREFIX: usize = 8;

/// Names in one delete request; a URL has room for a few thousand characters.
const NAMES_A_REQUEST: usize = 20;

/// A prefix for index names that no other test, process or run uses.
///
/// It is a valid start of an index name, whatever `test` holds.
#[must_use]
pub fn unique_prefix(test: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let name: String =
        test.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).take(60).collect();
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let process = std::process::id();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("test-{name}-{nanos:x}-{process:x}-{count}-")
}

/// Removes each index whose name starts with `prefix`, by its exact name.
///
/// Hidden and closed indices are among them.
///
/// # Panics
/// When the prefix is so short that it could be somebody's index, and when the
/// node refuses.
pub async fn clean(node: &Node, prefix: &str) {
    assert!(
        prefix.len() >= SHORTEST_PREFIX && !prefix.contains(['*', ',', '?']),
        "{prefix:?} is not a prefix of a test"
    );
    let listed = node.get(&format!("/_cat/indices/{prefix}*?format=json&h=index&expand_wildcards=all")).await;
    let names: Vec<&str> = listed
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|row| row["index"].as_str())
        .filter(|name| name.starts_with(prefix))
        .collect();
    for some in names.chunks(NAMES_A_REQUEST) {
        let path = format!("/{}?ignore_unavailable=true", some.join(","));
        node.json(Method::DELETE, &path, "").await;
    }
}

/// A prefix, and the promise to remove what is under it.
///
/// The removal happens on drop, also while a failed test unwinds.
#[derive(Debug)]
pub struct Scope {
    node: Node,
    prefix: String,
}

impl Scope {
    /// A scope for one test; `test` shows in the names of its indices.
    #[must_use]
    pub fn new(node: &Node, test: &str) -> Self {
        Self { node: node.clone(), prefix: unique_prefix(test) }
    }

    /// The prefix of every name of the test.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let (node, prefix) = (self.node.clone(), self.prefix.clone());
        // A thread with a runtime of its own: drop cannot wait, and the test's
        // runtime may be about to end.
        let cleaned = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map(|runtime| runtime.block_on(clean(&node, &prefix)))
        })
        .join();
        // A second panic while the first unwinds would abort the process.
        if !matches!(cleaned, Ok(Ok(()))) && !std::thread::panicking() {
            panic!("cannot remove the indices under {}", self.prefix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::unique_prefix;

    #[test]
    fn prefixes_differ_and_are_valid_names() {
        let (one, other) = (unique_prefix("Bulk: äé/*"), unique_prefix("Bulk: äé/*"));
        assert_ne!(one, other);
        assert!(one.starts_with("test-bulk_____") && one.ends_with('-'), "{one}");
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        assert!(one.chars().all(valid), "{one}");
        assert!(unique_prefix(&"x".repeat(500)).len() < 150);
    }
}
