//! The scalar types of a pipeline file that are its own: schedules, secrets, limits on rejected
//! documents, and the formats of names.

mod format;
mod rejection;
mod schedule;
mod secret;

pub(crate) use format::format_named;
pub use rejection::RejectionLimit;
pub use schedule::{Cron, DailyWindow};
pub use secret::SecretRef;
