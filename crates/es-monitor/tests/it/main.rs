//! Live tests: monitors evaluated by a real Elasticsearch.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod data;
mod refusals;
mod windows;
