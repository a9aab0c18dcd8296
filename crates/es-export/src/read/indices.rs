//! The indices behind a name: their common mapping, shards, and limits of reading.

use std::collections::HashMap;

use es_core::{Client, IndexDescription, Mapping};
use es_frame::{ColumnRequest, StoredSource};
use serde_json::Value;

use super::slices::DEFAULT_SLICES;
use crate::error::{Error, ErrorKind};

/// The server's default of `index.max_result_window`: the most rows of a page.
const DEFAULT_PAGE_ROWS: usize = 10_000;

/// The indices that a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Indices {
    /// The physical indices, by name.
    pub(crate) names: Vec<String>,
    /// Their common mapping.
    pub(crate) mapping: Mapping,
    /// The number of shards of each.
    pub(crate) shards: Vec<usize>,
    /// The form in which they store documents: the one that keeps least among them.
    pub(crate) stored_source: StoredSource,
    /// True if all of them keep vectors in documents as they were sent, by their settings.
    pub(crate) keep_vectors: bool,
    /// The most rows of a page that all of them give.
    pub(crate) max_page_rows: usize,
    /// The most slices that all of them let be read.
    pub(crate) max_slices: usize,
}

impl Indices {
    /// Describes what an index, an alias, a pattern or a list stands for, to read these columns of
    /// it.
    pub(crate) async fn of(client: &Client, index: &str, columns: &ColumnRequest) -> Result<Self, Error> {
        let mut described = client.indices().describe(index).await?;
        if index.contains('*') {
            // A point in time on a pattern leaves hidden indices out.
            described.retain(|index| index.settings.get("hidden").and_then(Value::as_str) != Some("true"));
        }
        Self::of_descriptions(index, &described, columns)
    }

    fn of_descriptions(index: &str, described: &[IndexDescription], columns: &ColumnRequest) -> Result<Self, Error> {
        let mapping = one_mapping(index, described, columns)?;
        let least = |name, default| described.iter().map(|index| number(index, name, default)).min().unwrap_or(default);
        Ok(Self {
            names: described.iter().map(|index| index.name.clone()).collect(),
            mapping,
            shards: described.iter().map(|index| number(index, "number_of_shards", 1)).collect(),
            stored_source: described.iter().map(stored_source).max_by_key(|stored| loss(*stored)).unwrap_or_default(),
            keep_vectors: described.iter().all(keeps_vectors),
            max_page_rows: least("max_result_window", DEFAULT_PAGE_ROWS).max(1),
            max_slices: least("max_slices_per_pit", DEFAULT_SLICES).max(1),
        })
    }

    /// Returns `true` if a name is that of one index, which cannot come to mean another.
    pub(crate) fn is_exactly(&self, name: &str) -> bool {
        matches!(self.names.as_slice(), [only] if only == name)
    }
}

/// The form in which an index stores documents. The setting defines it, and before 8.17 the mapping;
/// two modes of an index store nothing by default.
fn stored_source(index: &IndexDescription) -> StoredSource {
    let in_mapping = |name: &str| index.mapping.parameters.get("_source").and_then(|source| source.get(name));
    let is_off = in_mapping("enabled").is_some_and(|enabled| *enabled == false || *enabled == "false");
    let setting = index.settings.get("mapping").and_then(|mapping| mapping.pointer("/source/mode"));
    let mode = setting.or(in_mapping("mode")).and_then(Value::as_str);
    let index_mode = index.settings.get("mode").and_then(Value::as_str);
    match (mode, index_mode) {
        _ if is_off => StoredSource::Disabled,
        (Some("disabled"), _) => StoredSource::Disabled,
        (Some("synthetic"), _) | (None, Some("logsdb" | "time_series")) => StoredSource::Synthetic,
        _ => StoredSource::Kept,
    }
}

fn keeps_vectors(index: &IndexDescription) -> bool {
    let mapping = index.settings.get("mapping");
    let setting = mapping.and_then(|mapping| mapping.get("exclude_source_vectors")).and_then(Value::as_str);
    setting == Some("false")
}

fn loss(stored: StoredSource) -> u8 {
    match stored {
        StoredSource::Kept => 0,
        StoredSource::Synthetic => 1,
        StoredSource::Disabled => 2,
    }
}

fn number(index: &IndexDescription, setting: &str, default: usize) -> usize {
    index.settings.get(setting).and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The mapping that all indices share, as far as the types of the columns go.
fn one_mapping(name: &str, indices: &[IndexDescription], columns: &ColumnRequest) -> Result<Mapping, Error> {
    if indices.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no index or alias {name}"))
            .with_help("check the name and the index prefix, or run what writes it first"));
    }
    let mut known = HashMap::new();
    for index in indices {
        for (path, field) in index.mapping.fields().into_iter().filter(|(path, _)| concerns(columns, path)) {
            let found = field.field_type();
            let (field_type, first) = known.entry(path.clone()).or_insert((found, &index.name));
            match es_frame::common_type(field_type, found) {
                Some(common) if common == *field_type => {}
                Some(common) => (*field_type, *first) = (common, &index.name),
                None => {
                    return Err(Error::new(
                        ErrorKind::Column,
                        format!("field {path} is {field_type} in {first} and {found} in {}", index.name),
                    )
                    .with_help(
                        "no type holds the values of both exactly: rebuild one of the indices, export them one by one, \
                         or name the columns to read, without this one",
                    ));
                }
            }
        }
    }
    Ok(es_frame::common_mapping(indices.iter().map(|index| &index.mapping)))
}

/// Returns `true` if a field is one of the columns, in one of them, or above one.
fn concerns(columns: &ColumnRequest, path: &str) -> bool {
    let is_in = |path: &str, other: &str| path.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
    match columns {
        ColumnRequest::All => true,
        ColumnRequest::Named(names) => names.iter().any(|name| name == path || is_in(path, name) || is_in(name, path)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn index(name: &str, settings: Value, properties: Value) -> IndexDescription {
        IndexDescription {
            name: name.to_owned(),
            aliases: vec![],
            mapping: serde_json::from_value(json!({"properties": properties})).unwrap(),
            settings: settings.as_object().unwrap().clone(),
        }
    }

    #[test]
    fn the_narrowest_limits_hold() {
        let one = index("a", json!({"number_of_shards": "3", "max_result_window": "500"}), json!({}));
        let two = index("b", json!({"number_of_shards": "1", "max_slices_per_pit": "7"}), json!({}));
        let found = Indices::of_descriptions("x", &[one.clone(), two], &ColumnRequest::All).unwrap();
        assert_eq!((found.shards.as_slice(), found.max_page_rows, found.max_slices), (&[3, 1][..], 500, 7));
        assert!(!found.is_exactly("x"));
        let alone = Indices::of_descriptions("a", &[one], &ColumnRequest::All).unwrap();
        assert_eq!((alone.max_slices, alone.is_exactly("a")), (DEFAULT_SLICES, true));
    }

    #[test]
    fn the_form_of_stored_documents_is_found() {
        let table = [
            (json!({}), json!({}), StoredSource::Kept),
            (json!({}), json!({"enabled": false}), StoredSource::Disabled),
            (json!({}), json!({"mode": "synthetic"}), StoredSource::Synthetic),
            (json!({"mapping": {"source": {"mode": "synthetic"}}}), json!({}), StoredSource::Synthetic),
            (json!({"mode": "logsdb"}), json!({}), StoredSource::Synthetic),
            (json!({"mode": "logsdb", "mapping": {"source": {"mode": "stored"}}}), json!({}), StoredSource::Kept),
        ];
        for (settings, source, expected) in table {
            let mut index = index("a", settings, json!({}));
            index.mapping.parameters.insert("_source".to_owned(), source);
            assert_eq!(stored_source(&index), expected, "{index:?}");
        }
        let kept = index("a", json!({}), json!({}));
        let not = index("b", json!({"mode": "time_series"}), json!({}));
        assert_eq!(
            Indices::of_descriptions("x", &[not, kept], &ColumnRequest::All).unwrap().stored_source,
            StoredSource::Synthetic
        );
    }

    #[test]
    fn types_that_have_a_common_one_widen() {
        let one = index("a", json!({}), json!({"n": {"type": "integer"}, "k": {"type": "keyword"}}));
        let two = index("b", json!({}), json!({"n": {"type": "long"}, "k": {"type": "text"}}));
        let three = index("c", json!({}), json!({"n": {"type": "byte"}}));
        let found = Indices::of_descriptions("x", &[one.clone(), two, three], &ColumnRequest::All).unwrap();
        let types = ["n", "k"].map(|path| found.mapping.field(path).unwrap().field_type().to_owned());
        assert_eq!(types, ["long", "text"]);
        let four = index("d", json!({}), json!({"n": {"type": "double"}}));
        let five = index("e", json!({}), json!({"n": {"type": "long"}}));
        let error = Indices::of_descriptions("x", &[one, four, five], &ColumnRequest::All).unwrap_err();
        assert_eq!(error.to_string(), "field n is double in d and long in e");
    }

    #[test]
    fn a_field_of_two_types_is_reported_and_no_index_is_not_found() {
        let one = index("a", json!({}), json!({"n": {"type": "long"}}));
        let two = index("b", json!({}), json!({"n": {"type": "keyword"}}));
        let both = [one, two];
        let error = Indices::of_descriptions("x", &both, &ColumnRequest::All).unwrap_err();
        assert_eq!(error.to_string(), "field n is long in a and keyword in b");
        for (name, is_fine) in [("n", false), ("n.x", false), ("nn", true)] {
            let named = ColumnRequest::Named(vec![name.to_owned()]);
            assert_eq!(Indices::of_descriptions("x", &both, &named).is_ok(), is_fine, "{name}");
        }
        assert_eq!(Indices::of_descriptions("x", &[], &ColumnRequest::All).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
