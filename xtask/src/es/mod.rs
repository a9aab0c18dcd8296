//! `cargo xtask es`: an Elasticsearch for development, from whatever this
//! machine offers.
//!
//! [`provider`] chooses where the node comes from; [`up`] starts it. What runs
//! is remembered by [`state`], so that the other commands find it.

pub(crate) mod account;
mod artifacts;
pub(crate) mod assemble;
pub(crate) mod commands;
mod docker;
mod image;
pub(crate) mod jdk;
mod node;
pub(crate) mod provider;
mod secure;
pub(crate) mod state;
pub(crate) mod up;

pub(crate) use commands::{Command, run};

/// The Elasticsearch version that the project is developed against.
pub(crate) const DEFAULT_VERSION: &str = "9.4.3";

/// The last version of the major before, which the program works with too.
pub(crate) const PREVIOUS_VERSION: &str = "8.19.13";
