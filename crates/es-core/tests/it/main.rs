//! The client against real nodes, and against servers that misbehave on purpose.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod cluster;
mod cluster_mocks;
mod documents;
mod faults;
mod faulty;
mod golden;
mod index_settings;
mod indices;
mod logs;
mod lost_answers;
mod mapping_changes;
mod point_in_time;
mod policies;
mod pool;
mod probing;
mod proxied;
mod refusals;
mod reindexing;
mod retries;
mod searching;
mod secrets;
mod security;
mod snapshotting;
mod sniffing;
mod strangers;
mod support;
mod templating;
mod tls_server;
mod trust;
mod upkeep;
