//! Help for an unknown name: the nearest known one, or a list of those that exist.

/// Names that a message lists; an index may have thousands of fields.
const MOST_LISTED: usize = 20;

/// The candidate nearest to `text`, if one is near enough to be a typo of it: at most a third
/// of its characters changed, inserted, removed or swapped.
///
/// ```
/// assert_eq!(es_values::nearest("carier", ["carrier", "origin"]), Some("carrier"));
/// assert_eq!(es_values::nearest("weight", ["carrier", "origin"]), None);
/// ```
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = text.to_lowercase();
    let near = candidates.into_iter().filter_map(|candidate| {
        let distance = strsim::damerau_levenshtein(&typed, &candidate.to_lowercase());
        let length = candidate.chars().count().max(typed.chars().count());
        (distance <= (length / 3).max(1) && distance < length).then_some((distance, candidate))
    });
    near.min().map(|(_, candidate)| candidate)
}

/// The help for an unknown name: the nearest known one, else a list of those that exist.
///
/// ```
/// let columns = ["carrier", "origin"];
/// assert_eq!(es_values::suggestion("carier", "columns", columns), "did you mean `carrier`?");
/// assert_eq!(es_values::suggestion("weight", "columns", columns), "the columns are carrier, origin");
/// ```
pub fn suggestion<'a>(text: &str, what: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(near) = nearest(text, candidates.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    let listed = candidates.iter().take(MOST_LISTED).copied().collect::<Vec<_>>().join(", ");
    match candidates.len() {
        0 => format!("there are no {what}"),
        all if all > MOST_LISTED => format!("the {what} are {listed} and {} more", all - MOST_LISTED),
        _ => format!("the {what} are {listed}"),
    }
}

/// `` `a`, `b`, `c` ``
pub fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// `` `a`, `b` or `c` ``
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        None => String::new(),
        Some(only) if names.is_empty() => only,
        Some(last) => format!("{} or {last}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_else_some_are_listed() {
        let many: Vec<String> = (0..45).map(|n| format!("field_{n:02}")).collect();
        let few = ["geo.lat", "geo.lon", "_id"];
        let table: [(&str, Vec<&str>, &str); 6] = [
            ("geo.lta", few.to_vec(), "did you mean `geo.lat`?"),
            ("Geo.Lon", few.to_vec(), "did you mean `geo.lon`?"),
            ("id", few.to_vec(), "did you mean `_id`?"),
            ("é", few.to_vec(), "the fields are geo.lat, geo.lon, _id"),
            ("x", vec![], "there are no fields"),
            ("carrier", many.iter().map(String::as_str).collect(), "field_19 and 25 more"),
        ];
        for (text, names, expected) in table {
            let help = suggestion(text, "fields", names);
            assert!(help.ends_with(expected), "{text}: {help}");
        }
    }
}
