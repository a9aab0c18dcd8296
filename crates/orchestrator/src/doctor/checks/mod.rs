//! The checks: values in, findings out. Pure; the values are gathered by `collect`.

pub mod access;
pub mod cluster;
pub mod health;
pub mod indices;
pub mod nodes;
pub mod reachability;
pub mod shards;

use super::finding::{Finding, Group, Status};

/// A value that was asked for, or why it could not be had.
pub type Asked<T> = Result<T, String>;

/// A check that could not be made.
pub(super) fn skipped(group: Group, check: &'static str, why: &str) -> Finding {
    Finding::new(group, check, Status::Skip, why)
}

/// A few names, and how many more there are.
pub(super) fn named(names: &[&str]) -> String {
    const MOST: usize = 5;
    let shown = names[..names.len().min(MOST)].join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A number with its noun: 1 shard, 2 shards.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", crate::terminal::table::count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_few_and_numbers_have_their_noun() {
        assert_eq!(named(&["a", "b"]), "a, b");
        assert_eq!(named(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e and 2 more");
        assert_eq!([0, 1, 1200].map(|n| counted(n, "shard")), ["0 shards", "1 shard", "1,200 shards"]);
    }
}
