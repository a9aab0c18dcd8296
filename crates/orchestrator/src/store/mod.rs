//! Where state lives. What is published, and what it was made of, stands in the indices
//! themselves and in the manifests of exports, so that it can never disagree with them; the
//! history of runs has an index of its own.

pub mod generation;
pub mod loads;
pub mod observe;
pub mod owner;
pub mod runs;
