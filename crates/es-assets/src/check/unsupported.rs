//! Parts of the format that this version does not have: a user who knows them from the
//! documentation should learn that, and not be told that the name is unknown.

use crate::format::PipelineFormat;
use crate::key_path::KeyPath;

/// Message and help for the key `name` of the mapping at `place`, if a later version has it there.
pub(super) fn key(format: &PipelineFormat, place: &KeyPath, name: &str) -> Option<(String, String)> {
    let is_planned = *place == KeyPath::root() && format.planned.sections.contains(&name);
    is_planned.then(|| (format!("`{name}` is not supported by this version"), "remove the section".to_owned()))
}

/// Message and help for the text `value` of the key `name`.
pub(super) fn value(format: &PipelineFormat, name: &str, value: &str) -> Option<(String, String)> {
    (name == "kind" && format.planned.kinds.contains(&value)).then(|| {
        let kinds = es_values::quoted_list(format.kinds());
        (format!("kind `{value}` is not supported by this version"), format!("the kinds are: {kinds}"))
    })
}
