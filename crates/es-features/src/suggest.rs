//! The name that a mistyped one most likely stands for.

/// Names this alike are taken for a typo of each other.
const ALIKE: f64 = 0.85;

/// The candidate that is most like `name`, if one is so alike that a typo is likely.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        // Of two equally alike names the first in the alphabet, so that messages are stable.
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name_and_a_stranger_finds_none() {
        let fields = ["arr_delay", "dep_delay", "carrier", "origin"];
        for (name, expected) in [
            ("dep_dealy", Some("dep_delay")),
            ("carier", Some("carrier")),
            ("delay", None),
            ("orgin", Some("origin")),
            ("passengers", None),
        ] {
            assert_eq!(nearest(name, fields), expected, "{name}");
        }
    }
}
