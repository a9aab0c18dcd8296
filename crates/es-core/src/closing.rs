//! Work that dropped values leave to the runtime: what they opened on the server must be closed
//! although `Drop` cannot wait.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

/// The time that tasks which were aborted get to drop what they held.
const ABORTED_TASKS: Duration = Duration::from_millis(5);

/// The closings of one client and its clones.
#[derive(Debug)]
pub(crate) struct Closings {
    /// The runtime that the client was connected in: a value may be dropped outside of any.
    runtime: Handle,
    unfinished: Arc<watch::Sender<usize>>,
}

/// A closing that has not ended.
struct Unfinished(Arc<watch::Sender<usize>>);

impl Closings {
    /// # Panics
    /// Outside of a Tokio runtime.
    pub(crate) fn new() -> Self {
        Self { runtime: Handle::current(), unfinished: Arc::new(watch::Sender::new(0)) }
    }

    /// Runs `work` in the background. Work that the end of the runtime cuts off stays unfinished.
    pub(crate) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.unfinished.send_modify(|count| *count += 1);
        let unfinished = Unfinished(Arc::clone(&self.unfinished));
        self.runtime.spawn(async move {
            work.await;
            unfinished.done();
        });
    }

    /// Waits until no work is left, `limit` at most. Returns how much is.
    pub(crate) async fn settle(&self, limit: Duration) -> usize {
        let mut unfinished = self.unfinished.subscribe();
        let wait = async {
            tokio::time::sleep(ABORTED_TASKS).await;
            // The sender lives as long as `self`.
            let _ = unfinished.wait_for(|count| *count == 0).await;
        };
        let _ = tokio::time::timeout(limit, wait).await;
        *self.unfinished.borrow()
    }
}

impl Unfinished {
    fn done(self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
