//! Keeps a point in time open while nobody searches in it.

use std::sync::{Arc, Weak};

use serde_json::json;
use tokio::task::JoinHandle;
use tracing::debug;

use super::point_in_time::Shared;

/// Keeps a [`PointInTime`](crate::PointInTime) open for as long as both exist: see
/// [`PointInTime::keep_open`](crate::PointInTime::keep_open).
#[derive(Debug)]
#[must_use = "the point in time expires once this is dropped and nobody searches in it"]
pub struct KeepOpen(JoinHandle<()>);

impl KeepOpen {
    pub(super) fn start(shared: &Arc<Shared>) -> Self {
        let pause = shared.keep_alive() / 3;
        let shared: Weak<Shared> = Arc::downgrade(shared);
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(shared) = shared.upgrade() else { return };
                if shared.idle() < pause {
                    continue;
                }
                let body = json!({"size": 0, "track_total_hits": false, "terminate_after": 1});
                if let Err(error) = shared.search(&body).await {
                    // The next search of its user fails with the same error.
                    debug!(%error, "a point in time was not kept open");
                }
            }
        }))
    }
}

impl Drop for KeepOpen {
    fn drop(&mut self) {
        self.0.abort();
    }
}
