//! Paths of APIs that have no typed method here, with names encoded as the official client does.

use elasticsearch::{BulkParts, SearchParts};

/// The path of bulk requests to an index.
///
/// ```
/// assert_eq!(es_core::paths::bulk("a/b"), "/a%2Fb/_bulk");
/// ```
pub fn bulk(index: &str) -> String {
    BulkParts::Index(index).url().into_owned()
}

/// The path of searches in an index, an alias or a pattern.
pub fn search(index: &str) -> String {
    SearchParts::Index(&[index]).url().into_owned()
}
