//! The scenarios: one kind of fault each.

pub(super) mod export;
pub(super) mod kills;
pub(super) mod lost_replies;
pub(super) mod pairs;
pub(super) mod poison;
pub(super) mod refused_items;
pub(super) mod restarts;
pub(super) mod scoring;
