//! Names of models and aliases, and help for those that are not there.

use es_values::nearest;

use crate::error::{Error, ErrorKind};
use crate::model_reference;

/// The longest name. Ids of documents, which hold a model's and an alias' name, have 512 bytes at
/// most.
const LONGEST: usize = 200;

/// Names that a help lists.
const MOST_LISTED: usize = 20;

/// Refuses a name that no reference could have, and one that is too long for the registry.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Error> {
    let invalid = |message: String| Error::new(ErrorKind::Invalid, message).with_help("use a-z, 0-9 and _");
    if name.len() > LONGEST {
        return Err(invalid(format!("the {what} name has {} bytes, and {LONGEST} are allowed", name.len())));
    }
    match model_reference::wrong_character(name) {
        Some(other) => Err(invalid(format!("the {what} name `{name}` contains {other:?}"))),
        None if name.is_empty() => Err(invalid(format!("the {what} name is empty"))),
        None => Ok(()),
    }
}

/// The help for a name that is not there: those that are, the nearest first.
pub(crate) fn those_there<'a>(name: &str, what: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.into_iter().collect();
    if let Some(near) = nearest(name, names.iter().copied()) {
        names.retain(|name| *name != near);
        names.insert(0, near);
    }
    let listed = names.iter().take(MOST_LISTED).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => format!("there are no {what}"),
        all if all > MOST_LISTED => format!("the {what} are {listed} and {} more", all - MOST_LISTED),
        _ => format!("the {what} are {listed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_name_says_why() {
        let long = "a".repeat(201);
        let table = [
            ("", "the model name is empty"),
            ("late-1", "the model name `late-1` contains '-'"),
            ("a|b", "the model name `a|b` contains '|'"),
            (long.as_str(), "the model name has 201 bytes, and 200 are allowed"),
        ];
        for (name, message) in table {
            assert_eq!(check_name("model", name).unwrap_err().to_string(), message);
        }
        check_name("model", &"a".repeat(200)).unwrap();
        check_name("alias", "champion_2").unwrap();
    }

    #[test]
    fn the_nearest_name_comes_first() {
        let names = ["challenger", "champion", "shadow"];
        assert_eq!(
            those_there("champoin", "aliases of late", names),
            "the aliases of late are champion, challenger, shadow"
        );
        assert_eq!(those_there("x", "models", names), "the models are challenger, champion, shadow");
        assert_eq!(those_there("x", "models", []), "there are no models");
        let many: Vec<String> = (0..25).map(|number| format!("model{number}")).collect();
        let help = those_there("model24", "models", many.iter().map(String::as_str));
        assert!(help.starts_with("the models are model24, model0, ") && help.ends_with(" and 5 more"), "{help}");
    }
}
