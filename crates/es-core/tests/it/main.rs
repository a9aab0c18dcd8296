//! The client against real nodes, and against servers that misbehave on purpose.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod documents;
mod faults;
mod faulty;
mod indices;
mod logs;
mod point_in_time;
mod pool;
mod probing;
mod proxied;
mod refusals;
mod retries;
mod secrets;
mod security;
mod sniffing;
mod strangers;
mod support;
mod tls_server;
mod trust;
