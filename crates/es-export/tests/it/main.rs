//! Reading real nodes, and servers that misbehave on purpose, into frames and files.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod disk_full;
mod faults;
mod files;
mod interruption;
mod mappings;
mod network;
mod queries;
mod reading;
mod resuming;
mod scrolling;
mod searching;
mod support;
