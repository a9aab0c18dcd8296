//! The flags that would let a load succeed.

use es_bulk::Remedy;

use crate::error::Error;

/// The error of a load, with the flag that would let it succeed.
pub(super) fn explained(error: es_bulk::Error) -> Error {
    let help = error.remedy().and_then(help);
    Error::from(error).with_help(help)
}

fn help(remedy: &Remedy) -> Option<String> {
    Some(match remedy {
        Remedy::Format(format) => format!("load it with --format {}", format.as_str().replace('_', "-")),
        Remedy::Metadata(field) => match field.as_str() {
            "_routing" => "with --routing _routing it is the routing of the document, and no field".to_owned(),
            "_version" => "with --document-version _version it is the version of the document, and no field".to_owned(),
            _ => format!("with --id {field} it is the id of the document, and no field"),
        },
        _ => return None,
    })
}
