//! Waiting that a cancellation ends.

use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind};

/// The error of a read or an export that was cancelled.
pub(crate) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "the export was cancelled").with_help("nothing was changed; run it again")
}

/// Waits for a future unless the token is cancelled.
pub(crate) async fn unless<T>(token: &CancellationToken, awaited: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        biased;
        () = token.cancelled() => Err(interrupted()),
        outcome = awaited => Ok(outcome),
    }
}
