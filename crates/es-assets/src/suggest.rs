//! Finds the valid name that a mistyped one most likely meant.

/// The candidate nearest to `text`, if one is near enough to be a typo of it: at most
/// a third of its characters changed, inserted, removed or swapped.
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = text.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&typed, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| {
            let length = candidate.chars().count().max(typed.chars().count());
            *distance <= (length / 3).max(1) && *distance < length
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?" for the nearest candidate, else the list of them all.
pub(crate) fn suggestion<'a>(text: &str, what: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(text, candidates.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => match quoted_list(candidates) {
            list if list.is_empty() => format!("there are no {what}"),
            list => format!("{what}: {list}"),
        },
    }
}

/// `` `a`, `b`, `c` ``
pub(crate) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// `` `a`, `b` or `c` ``
pub(crate) fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
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

    const NAMES: [&str; 4] = ["partitions", "mappings", "id", "index"];

    #[test]
    fn typos_find_their_name() {
        assert_eq!(nearest("parttions", NAMES), Some("partitions"));
        assert_eq!(nearest("Partitions", NAMES), Some("partitions"));
        assert_eq!(nearest("mapping", NAMES), Some("mappings"));
        assert_eq!(nearest("di", NAMES), Some("id"));
    }

    #[test]
    fn what_is_far_from_all_finds_none() {
        assert_eq!(nearest("x", NAMES), None);
        assert_eq!(nearest("schedule", NAMES), None);
        assert_eq!(suggestion("schedule", "known keys", NAMES), "known keys: `partitions`, `mappings`, `id`, `index`");
    }
}
