//! The answers of a cluster that lacks an API, as opposed to one that refuses to serve it.

use crate::error::{Error, ErrorKind};

/// The reason why the API is absent, if that is the error.
pub(super) fn reason(error: &Error) -> Option<String> {
    let said = || error.server().map(|server| server.reason.clone()).filter(|reason| !reason.is_empty());
    (error.kind() == ErrorKind::FeatureMissing).then(|| said().unwrap_or_else(|| error.to_string()))
}

/// Returns `true` if the server has the API and refuses it to this user. Authorization comes after
/// the lookup of the API, so a refusal proves that it exists.
pub(super) fn is_unauthorized(error: &Error) -> bool {
    error.missing_privilege().is_some()
}
