//! How a cluster says that it does not have an API at all, as opposed to that it refuses to
//! serve it.

use crate::error::Error;

/// The server's words when it has no such API, or the API is there and what it calls is not.
const SIGNS: [&str; 4] = [
    "no handler found for uri",
    // A path that is taken for an index name, in a method that indices do not have.
    "Incorrect HTTP method for uri",
    "failed to find action",
    // A module that is there and was switched off by the licence of old or by a setting.
    "must be explicitly enabled",
];

/// Why the API is absent, where the error says that it is.
pub(super) fn reason(error: &Error) -> Option<String> {
    let said = error.server().map(|server| server.reason.as_str()).filter(|reason| !reason.is_empty());
    let reason = said.map_or_else(|| error.to_string(), str::to_owned);
    SIGNS.iter().any(|sign| reason.contains(sign)).then_some(reason)
}

/// Whether the server has the API and refuses it to this user. Authorization comes after the
/// lookup of the API, so this proves that it exists.
pub(super) fn is_unauthorized(error: &Error) -> bool {
    let says = |reason: &str| reason.contains("is unauthorized for");
    error.status() == Some(403) && error.server().is_some_and(|server| says(&server.reason))
}

/// Whether the server has the API and its licence does not cover it.
pub(super) fn is_unlicensed(error: &Error) -> bool {
    error.kind() == crate::ErrorKind::LicenceMissing
        || error.server().is_some_and(|server| server.reason.contains("is non-compliant for ["))
}
