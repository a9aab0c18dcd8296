//! `cargo xtask es`: an Elasticsearch for development, from a container or assembled on this machine.
//!
//! `provider` chooses between the two, `up` starts the node, and `state` keeps its address for the
//! other commands. [`elasticsearch`] and [`OwnNode`] are for the commands that need a node.

pub(crate) mod account;
pub(crate) mod artifacts;
pub(crate) mod assemble;
pub(crate) mod commands;
mod docker;
mod image;
pub(crate) mod jdk;
mod node;
mod own;
pub(crate) mod provider;
mod secure;
pub(crate) mod state;
pub(crate) mod up;

pub(crate) use commands::{Command, run};
pub use own::OwnNode;
pub use up::elasticsearch;

/// The Elasticsearch version that the project is developed against.
pub(crate) const DEFAULT_VERSION: &str = "9.4.3";

/// The last version of the major before, which the program works with too.
pub(crate) const PREVIOUS_VERSION: &str = "8.19.13";
