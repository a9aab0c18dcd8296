//! Loads into real nodes and into servers that misbehave on purpose, and files of every format.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod accounts;
mod cancellation;
mod checkpoints;
mod faults;
mod files;
mod files_documents;
mod files_expand;
mod files_json;
mod files_raw;
mod files_tables;
mod files_text;
mod files_types;
mod ingest;
mod initial_load;
mod inputs;
mod loads;
mod lost_replies;
mod refused_index;
mod rejections;
mod resending;
mod shared_limits;
mod storms;
mod support;
