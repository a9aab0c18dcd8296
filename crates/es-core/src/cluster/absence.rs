//! What a cluster says when it does not have an API at all, as opposed to refusing to serve it.

use crate::error::{Error, ErrorKind};

/// Why the API is absent, where the error says that it is.
pub(super) fn reason(error: &Error) -> Option<String> {
    let said = || error.server().map(|server| server.reason.clone()).filter(|reason| !reason.is_empty());
    (error.kind() == ErrorKind::FeatureMissing).then(|| said().unwrap_or_else(|| error.to_string()))
}

/// Whether the server has the API and refuses it to this user. Authorization comes after the
/// lookup of the API, so this proves that it exists.
pub(super) fn is_unauthorized(error: &Error) -> bool {
    error.missing_privilege().is_some()
}
