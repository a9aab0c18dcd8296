//! The fields that the server is asked to return.

use es_core::{Mapping, Version};
use serde_json::{Map, Value, json};

use super::field_type::is_vector;
use super::{Place, PlannedColumn};
use crate::decode::hit::Metadata;
use crate::decode::options::DecodeOptions;

/// From this version on `_source` has vectors only if they are asked for.
const LEAVES_VECTORS_OUT: Version = Version { major: 9, minor: 2, patch: 0 };

/// The members of a search body that make the server return the columns.
pub(super) fn request(mapping: &Mapping, options: &DecodeOptions, columns: &[PlannedColumn]) -> Map<String, Value> {
    let mut body = Map::new();
    let (mut doc_values, mut fields, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    let mut paths: Vec<&str> = Vec::new();
    let mut vectors = false;
    for column in columns {
        let in_format = |format: &Option<&str>| match format {
            Some(format) => json!({"field": column.name, "format": format}),
            None => json!({"field": column.name}),
        };
        match &column.place {
            Place::DocValues(format) => doc_values.push(in_format(format)),
            Place::Fields(format) => fields.push(in_format(format)),
            Place::Stored => stored.push(json!(column.name)),
            Place::Source(found) => {
                paths.extend(found.iter().map(String::as_str));
                vectors |= is_vector(&column.field_type) || matches!(column.field_type.as_str(), "nested" | "object");
            }
            Place::Metadata(Metadata::Score) => drop(body.insert("track_scores".to_owned(), json!(true))),
            Place::Metadata(Metadata::SeqNo) => drop(body.insert("seq_no_primary_term".to_owned(), json!(true))),
            Place::Metadata(Metadata::Version) => drop(body.insert("version".to_owned(), json!(true))),
            Place::Metadata(_) => {}
        }
    }
    let lists = [("docvalue_fields", doc_values), ("fields", fields), ("stored_fields", stored)];
    body.extend(
        lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name.to_owned(), list.into())),
    );
    if !options.runtime.is_empty() {
        body.insert("runtime_mappings".to_owned(), options.runtime.clone().into());
    }
    paths.sort_unstable();
    paths.dedup();
    let asks_for_vectors = vectors && options.version.is_some_and(|version| version >= LEAVES_VECTORS_OUT);
    let source = match (paths.is_empty(), is_whole(mapping, options, &paths), asks_for_vectors) {
        (true, ..) => json!(false),
        (_, true, false) => json!(true),
        (_, true, true) => json!({"exclude_vectors": false}),
        (_, false, false) => json!(paths),
        (_, false, true) => json!({"includes": paths, "exclude_vectors": false}),
    };
    body.insert("_source".to_owned(), source);
    body
}

/// True if documents are returned as they are: when all that is left of them beside the paths is
/// small. Cutting a document down makes the server parse it and write it anew. On one node, 10,000
/// flights of 19 fields took it 26 ms whole, from 250 ms (5 fields) to 330 ms (19) cut down, and
/// from 80 ms (5) to 140 ms (19) from doc values.
pub(super) fn is_whole(mapping: &Mapping, options: &DecodeOptions, paths: &[&str]) -> bool {
    let mut leaves = Vec::new();
    super::resolve::leaves("", &mapping.properties, &mut leaves);
    let leaves_vectors_out = options.version.is_some_and(|version| version >= LEAVES_VECTORS_OUT);
    let is_small = |leaf: &str| {
        let kind = mapping.field(leaf).map_or("", |field| field.field_type());
        is_small(kind) || (leaves_vectors_out && is_vector(kind) && kind != "semantic_text")
    };
    let is_read = |leaf: &str| {
        let is_in = |path: &&str| leaf.strip_prefix(*path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        paths.iter().any(is_in)
    };
    leaves.iter().all(|leaf| is_read(leaf) || is_small(leaf))
}

/// True if values of a type are short.
fn is_small(kind: &str) -> bool {
    matches!(
        kind,
        "boolean"
            | "byte"
            | "short"
            | "integer"
            | "long"
            | "unsigned_long"
            | "half_float"
            | "float"
            | "double"
            | "scaled_float"
            | "date"
            | "date_nanos"
            | "keyword"
            | "constant_keyword"
            | "counted_keyword"
            | "ip"
            | "version"
            | "geo_point"
            | "token_count"
            | "murmur3"
            | "rank_feature"
            | "join"
    ) || kind.ends_with("_range")
}
