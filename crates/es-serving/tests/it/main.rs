//! Tests of this crate beyond one module. Those that need a server or a library return where there
//! is none, and fail without it where `CI=true`; real model servers are tested where the environment
//! names them.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod conformance;
mod embedding;
mod ingest_pipelines;
mod matrix;
mod mock;
mod onnx;
mod predictions;
mod registry;
mod server_faults;
