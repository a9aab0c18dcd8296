//! Parts of the format that this version does not have: a user who knows them from the
//! documentation should learn that, and not be told that the name is unknown.

use crate::key_path::KeyPath;
use crate::spec::AssetKind;
use es_values::quoted_list;

/// Message and help for the key `name` of the mapping at `place`, if a later version
/// will have it there.
pub(super) fn key(place: &KeyPath, name: &str) -> Option<(String, String)> {
    if *place == KeyPath::root() && matches!(name, "models" | "triggers") {
        return Some((format!("`{name}` is not supported by this version"), "remove the section".to_owned()));
    }
    None
}

/// Message and help for the text `value` of the definition or key `name`.
pub(super) fn value(name: &str, value: &str) -> Option<(String, String)> {
    match (name, value) {
        ("kind", kind) if AssetKind::UNSUPPORTED.contains(&kind) => Some((
            format!("kind `{kind}` is not supported by this version"),
            format!("the kinds are: {}", quoted_list(AssetKind::ALL.map(AssetKind::as_str))),
        )),
        ("IngestMode", "append") => Some((
            "mode `append` is not supported by this version".to_owned(),
            "write `replace`, which is the default".to_owned(),
        )),
        _ => None,
    }
}
