//! Reading real nodes, and servers that misbehave on purpose, into frames and files.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod disk_full;
mod encodings;
mod faults;
mod files;
mod formats;
mod interruption;
mod kills;
mod mappings;
mod network;
mod partitions;
mod queries;
mod reading;
mod resuming;
mod round_trip;
mod scrolling;
mod searching;
mod splits;
mod spools;
mod streams;
mod support;
