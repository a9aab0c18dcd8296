//! The checks: values in, findings out. Pure; the values are gathered by `collect`.

pub mod access;
pub mod cluster;
pub mod health;
pub mod indices;
pub mod machine;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_few() {
        assert_eq!(named(&["a", "b"]), "a, b");
        assert_eq!(named(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e and 2 more");
    }
}
