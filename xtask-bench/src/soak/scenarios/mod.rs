//! What is done to the loads and exports, a kind of harm each.

pub(super) mod export;
pub(super) mod kills;
pub(super) mod lost_replies;
pub(super) mod poison;
pub(super) mod refused_items;
pub(super) mod restarts;
