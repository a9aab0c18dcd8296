//! Tests of the program as a user runs it. Those that need Elasticsearch return where there
//! is none, and fail without one where `CI=true`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test fails the test")]

mod bench;
mod command;
mod commands;
mod configuration_errors;
mod connection_errors;
mod csv;
mod data;
mod data_errors;
mod disk_room;
mod doctor;
mod doctor_access;
mod embedding;
mod export;
mod flights;
mod index_pipeline;
mod inference;
mod ingest;
mod interruptions;
mod json;
mod kills;
mod leases;
mod pipeline_file;
mod quality;
mod refresh;
mod schema;
mod source;
mod sql;
mod staleness;
