//! Features computed by a real Elasticsearch, against values computed by hand and by Polars.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod cluster;
mod failures;
mod flights;
mod hand_computed;
mod many_entities;
mod percentiles;
