//! Ctrl-C and SIGTERM: the first one stops a command after what is under way is settled, a second
//! one ends it at once.

use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};
use crate::exit::Exit;
use crate::terminal::reporter::Reporter;

/// Runs a command that a signal can stop.
pub(super) async fn interruptible<F>(reporter: &Reporter, command: impl FnOnce(CancellationToken) -> F) -> Result<Exit>
where
    F: Future<Output = Result<Exit>>,
{
    let cancel = CancellationToken::new();
    let (token, notes) = (cancel.clone(), reporter.clone());
    let twice = async move {
        if interrupt().await {
            notes.note("interrupted: settling what is under way; again to stop at once");
            token.cancel();
        }
        if !interrupt().await {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        outcome = command(cancel) => outcome,
        () = twice => Err(Error::new(ErrorKind::Interrupted, "stopped at once; what was under way is not settled")),
    }
}

#[cfg(unix)]
async fn interrupt() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed.is_ok(),
            received = terminate.recv() => received.is_some(),
        },
        Err(_) => tokio::signal::ctrl_c().await.is_ok(),
    }
}

#[cfg(not(unix))]
async fn interrupt() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}
