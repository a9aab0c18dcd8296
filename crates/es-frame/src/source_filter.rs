//! The fields that a mapping keeps out of `_source`, by its `includes` and `excludes`.
//!
//! A document that is read from `_source` lacks them without a sign, although the server indexed them.
//! Source: [the `_source` field](https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/mapping-source-field#include-exclude).

use std::collections::BTreeSet;

use es_core::Mapping;
use serde_json::{Value, json};

/// The patterns of a mapping. `*` stands for any characters, dots among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SourceFilter {
    includes: Vec<String>,
    excludes: Vec<String>,
}

/// The part of a field that `_source` lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeftOut {
    Nothing,
    /// Some of what may be inside it.
    Parts,
    All,
}

impl SourceFilter {
    pub(crate) fn of(mapping: &Mapping) -> Self {
        let patterns = |name: &str| match mapping.parameters.get("_source").and_then(|source| source.get(name)) {
            Some(Value::Array(patterns)) => patterns.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(pattern)) => vec![pattern.clone()],
            _ => Vec::new(),
        };
        Self { includes: patterns("includes"), excludes: patterns("excludes") }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.includes.is_empty() && self.excludes.is_empty()
    }

    /// The part of a field that is left out. A pattern for an object is one for all that is in it.
    pub(crate) fn of_path(&self, path: &str) -> LeftOut {
        let covers = |pattern: &String| {
            let ends = path.match_indices('.').map(|(dot, _)| dot).chain([path.len()]);
            ends.into_iter().any(|end| matches(pattern, &path[..end]))
        };
        if self.excludes.iter().any(covers) {
            return LeftOut::All;
        }
        let is_included = self.includes.is_empty() || self.includes.iter().any(covers);
        let reaches_into = |pattern: &String| may_be_inside(pattern, path);
        if !is_included {
            let is_partial = self.includes.iter().any(reaches_into);
            return if is_partial { LeftOut::Parts } else { LeftOut::All };
        }
        if self.excludes.iter().any(reaches_into) { LeftOut::Parts } else { LeftOut::Nothing }
    }
}

/// The filter of several indices that are read together: what one of them leaves out counts as left
/// out. `None` if none leaves anything out.
pub(crate) fn common_excludes<'a>(mappings: impl IntoIterator<Item = &'a Mapping>) -> Option<Value> {
    let mut excludes = BTreeSet::new();
    for mapping in mappings {
        let filter = SourceFilter::of(mapping);
        if !filter.includes.is_empty() {
            for (path, _) in mapping.fields() {
                match filter.of_path(&path) {
                    LeftOut::Nothing => {}
                    LeftOut::Parts => drop(excludes.insert(format!("{path}.*"))),
                    LeftOut::All => drop(excludes.insert(path)),
                }
            }
        }
        excludes.extend(filter.excludes);
    }
    (!excludes.is_empty()).then(|| json!(excludes))
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(tail, &rest[at..]))
}

/// True if a pattern can match something inside a field, as far as its text before a `*` tells.
fn may_be_inside(pattern: &str, path: &str) -> bool {
    let inside = format!("{path}.");
    match pattern.split_once('*') {
        Some((head, _)) => head.starts_with(&inside) || inside.starts_with(head),
        None => pattern.starts_with(&inside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(source: Value) -> SourceFilter {
        let mapping = serde_json::from_value(json!({"_source": source, "properties": {}})).unwrap();
        SourceFilter::of(&mapping)
    }

    #[test]
    fn patterns_cover_fields_and_what_is_inside_them() {
        use LeftOut::{All, Nothing, Parts};
        let table = [
            (json!({}), "a", Nothing),
            (json!({"excludes": ["a"]}), "a", All),
            (json!({"excludes": "a"}), "a.b", All),
            (json!({"excludes": ["a"]}), "ab", Nothing),
            (json!({"excludes": ["a.b"]}), "a", Parts),
            (json!({"excludes": ["a.*"]}), "a.b", All),
            (json!({"excludes": ["a.*"]}), "a", Parts),
            (json!({"excludes": ["*.b"]}), "x.y.b.c", All),
            (json!({"excludes": ["s*t"]}), "secret", All),
            (json!({"excludes": ["s*t"]}), "secrets", Parts),
            (json!({"excludes": ["*"]}), "a", All),
            (json!({"includes": ["a"]}), "a.b", Nothing),
            (json!({"includes": ["a"]}), "b", All),
            (json!({"includes": ["a.b"]}), "a", Parts),
            (json!({"includes": ["a.*"], "excludes": ["*.c"]}), "a.c", All),
            (json!({"includes": ["a.*"], "excludes": ["a.c"]}), "a.b", Nothing),
        ];
        for (source, path, expected) in table {
            assert_eq!(filter(source.clone()).of_path(path), expected, "{source} {path}");
        }
    }

    #[test]
    fn what_one_index_leaves_out_counts_for_all() {
        let mapping = |source: Value| -> Mapping {
            let properties = json!({"a": {"type": "keyword"}, "b": {"type": "long"}, "o": {"type": "flattened"}});
            serde_json::from_value(json!({"_source": source, "properties": properties})).unwrap()
        };
        let mappings = [json!({"excludes": ["x*"]}), json!({"includes": ["a", "o.k"]}), json!({})].map(mapping);
        assert_eq!(common_excludes(&mappings), Some(json!(["b", "o.*", "x*"])));
        assert_eq!(common_excludes([&mapping(json!({"enabled": true}))]), None);
    }
}
