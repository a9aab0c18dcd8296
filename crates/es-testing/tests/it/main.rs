//! Tests against what they are about: a Docker daemon and a node.

mod containers;
mod nodes;
