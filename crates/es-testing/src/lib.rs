//! The Elasticsearch that live tests run against, as a dev-dependency of any crate.
//!
//! A live test asks for a node and returns where there is none; with `CI=true`
//! a missing node is a failure instead. It works under a prefix of its own, and
//! what it made there is removed when its [`Scope`] goes, also after a panic.
//!
//! ```no_run
//! # async fn a_document_is_found() {
//! let Some(node) = es_testing::plain().await else {
//!     return;
//! };
//! let scope = es_testing::Scope::new(&node, "a_document_is_found");
//! let index = format!("{}flights", scope.prefix());
//! node.json(reqwest::Method::PUT, &format!("/{index}/_doc/1?refresh=true"), r#"{"origin":"JFK"}"#)
//!     .await;
//! let found = node.get(&format!("/{index}/_search?q=origin:JFK")).await;
//! assert_eq!(found["hits"]["total"]["value"], 1);
//! # }
//! ```
//!
//! The node comes from, in this order:
//!
//! | node | [`plain`] | [`secure`] |
//! |---|---|---|
//! | environment | `ELASTICSEARCH_URL`, with `ELASTICSEARCH_API_KEY`, `_USER`, `_PASSWORD`, `_CA_CERT` | `ES_TEST_SECURE_URL`, with the same four names after `ES_TEST_SECURE` |
//! | this checkout | the node of `cargo xtask es up` | the node of `cargo xtask es up --secure` |
//! | Docker | a container of `ES_IMAGE`, or the official image | the same, with TLS and a password |
//!
//! Tests of a client on a broken network put a [`FaultProxy`] before the
//! node: it resets, stalls, cuts and loses by a script, and reports what the node has seen.
//!
//! Variables that the crate reads beside these: `CI`; `ORT_DYLIB_PATH`, the library of [`onnxruntime`];
//! `TEXT_MODEL`, the folder of [`text_model`](text_model()); `ES_TESTING_LEDGER`, a
//! file that gets one line for each test that got a node; and
//! `ES_TESTING_REQUIRE_DOCKER=1`, which turns a missing Docker daemon into a
//! failure of the tests that are about containers.

mod certificates;
pub mod container;
mod fault_proxy;
mod ledger;
mod library;
mod node;
mod scope;
mod source;
mod text_model;
pub mod trained;

pub use fault_proxy::{ConnectionFault, Fault, FaultProxy, SeenItems, SeenRequest};
pub use library::{find_onnxruntime, onnxruntime};
pub use node::Node;
pub use scope::{Scope, clean, unique_prefix};
pub use source::{plain, secure};
pub use text_model::{TextModel, text_model};
