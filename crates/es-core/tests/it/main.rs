//! The client against real nodes, and against servers that misbehave on purpose.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod cluster;
mod cluster_mocks;
mod documents;
mod faults;
mod indices;
mod point_in_time;
mod pool;
mod retries;
mod secrets;
mod security;
mod strangers;
mod support;
mod trust;
