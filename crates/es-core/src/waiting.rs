//! Waiting for work of the server: the limits, and the pauses between polls.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};

/// The limits of a wait for work of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The limit of the whole wait. Default: 6 hours.
    pub limit: Duration,
    /// The first pause between two polls; it doubles each time. Default: 100 ms.
    pub first: Duration,
    /// The longest pause between two polls. Default: 10 s.
    pub longest: Duration,
    /// The time for which polls may fail in a row, as the work continues without them. Default: 5
    /// minutes.
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
}

/// The pace of one wait: the time of the next poll, and the end. A loop around it polls.
pub(crate) struct Pace<'a> {
    wait: &'a Wait,
    what: String,
    started: Instant,
    last_answer: Instant,
    pause: Duration,
}

impl<'a> Pace<'a> {
    /// Starts a wait. `what` names its subject, as in "the reindex to flights-2".
    pub(crate) fn new(wait: &'a Wait, what: impl Into<String>) -> Self {
        let now = Instant::now();
        Self { wait, what: what.into(), started: now, last_answer: now, pause: wait.first }
    }

    /// Takes the answer to one poll: the result, or `None`, and then returns when it is time to poll
    /// again. A failure that may pass counts as `None`.
    pub(crate) async fn after<T>(&mut self, answer: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
        match answer {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => self.last_answer = Instant::now(),
            Err(error) if error.is_retryable() && self.last_answer.elapsed() < self.wait.patience => {
                tracing::warn!(%error, "cannot poll {}, will poll again", self.what);
            }
            Err(error) => return Err(error),
        }
        let left = self.wait.limit.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            let message = format!("{} was not done within {:?}", self.what, self.wait.limit);
            return Err(Error::new(ErrorKind::TimedOut, message)
                .with_help("the server may still be working: wait longer, or list its tasks"));
        }
        tokio::time::sleep(self.pause.min(left)).await;
        self.pause = self.pause.saturating_mul(2).min(self.wait.longest);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick() -> Wait {
        Wait {
            limit: Duration::from_secs(20),
            first: Duration::from_millis(1),
            longest: Duration::from_millis(4),
            patience: Duration::from_secs(10),
        }
    }

    fn failure(kind: ErrorKind) -> Result<Option<()>, Error> {
        Err(Error::new(kind, "x"))
    }

    #[tokio::test]
    async fn what_may_pass_is_waited_out_and_nothing_else() {
        let wait = quick();
        let mut pace = Pace::new(&wait, "it");
        assert_eq!(pace.after(Ok(None::<()>)).await.unwrap(), None);
        assert_eq!(pace.after(failure(ErrorKind::Interrupted)).await.unwrap(), None);
        assert_eq!(pace.pause, wait.longest);
        assert_eq!(pace.after(Ok(None::<()>)).await.unwrap(), None);
        assert_eq!(pace.pause, wait.longest);
        assert_eq!(pace.after(failure(ErrorKind::Forbidden)).await.unwrap_err().kind(), ErrorKind::Forbidden);
        assert_eq!(pace.after(Ok(Some(7))).await.unwrap(), Some(7));

        let impatient = Wait { patience: Duration::ZERO, ..wait };
        let mut pace = Pace::new(&impatient, "it");
        assert_eq!(pace.after(failure(ErrorKind::TimedOut)).await.unwrap_err().to_string(), "x");
    }

    #[tokio::test]
    async fn the_limit_ends_the_wait() {
        let wait = Wait { limit: Duration::from_millis(10), ..quick() };
        let mut pace = Pace::new(&wait, "the copy");
        let error = loop {
            match pace.after(Ok(None::<()>)).await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::TimedOut, "the copy was not done within 10ms")
        );
        assert!(pace.started.elapsed() >= wait.limit);
    }
}
