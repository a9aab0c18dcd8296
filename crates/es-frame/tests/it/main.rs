//! Documents and inferred mappings, given to a real node.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod reading;
mod support;
mod types;
mod vectors;
