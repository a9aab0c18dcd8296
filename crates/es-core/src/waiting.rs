//! How long work on the server is waited for, and how often it is asked after.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};

/// The limits of waiting for work that the server does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The longest wait in all. Default: 6 hours.
    pub limit: Duration,
    /// The time before the server is asked again the first time; it doubles. Default: 100 ms.
    pub first: Duration,
    /// The longest time between two questions. Default: 10 s.
    pub longest: Duration,
    /// How long questions may fail in a row, as the work goes on without them. Default: 5 minutes.
    pub patience: Duration,
}

impl Default for Wait {
    fn default() -> Self {
        Self {
            limit: Duration::from_secs(6 * 3600),
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            patience: Duration::from_secs(300),
        }
    }
}

impl Wait {
    /// The defaults with another limit.
    pub fn at_most(limit: Duration) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Asks until there is an answer. A question that fails in a way that may pass is asked
    /// again.
    ///
    /// `what` is what is waited for, as in "the reindex to flights-2".
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        mut ask: impl AsyncFnMut() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let mut last_answer = started;
        let mut pause = self.first;
        loop {
            match ask().await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => last_answer = Instant::now(),
                Err(error) if error.is_retryable() && last_answer.elapsed() < self.patience => {
                    tracing::warn!(%error, "cannot ask after {what}, will ask again");
                }
                Err(error) => return Err(error),
            }
            let left = self.limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                let message = format!("{what} was not done within {:?}", self.limit);
                return Err(Error::new(ErrorKind::TimedOut, message)
                    .with_help("the server may still be at it: wait longer, or look at its tasks"));
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = pause.saturating_mul(2).min(self.longest);
        }
    }
}
