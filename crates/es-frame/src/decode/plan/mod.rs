//! The columns of an index, their types, and the place from which the server takes their values.
//!
//! `resolve` finds the field of a name in the mapping, `field_type` maps Elasticsearch types to
//! columns, `request` builds the search body, and this module decides where each column is read
//! from, and why.

mod field_type;
mod request;
mod resolve;

use indexmap::IndexMap;
use polars::prelude::DataType;

use super::cells::Cell;
use super::hit::{Hits, Metadata};
use super::options::{CellPolicy, ColumnRequest, DecodeOptions, FieldSource, Policy, StoredSource, Values};
use super::places::Places;
use super::shape::{Shape, listed};
use super::table::Table;
use crate::error::{Error, ErrorKind};
use es_core::Mapping;
use es_values::suggestion;
use field_type::is_listed;
use resolve::Candidate;

/// From this many columns on, `_source` is read even where doc values give every column as it
/// was written: each column of doc values costs the server about as much as the next, while
/// `_source` is read, and decompressed, once. `cargo xtask bench export --sweep` measures where the
/// two meet: on one node and over documents of 5 and of 19 fields, at three or four columns.
pub(crate) const MOST_DOC_VALUES: usize = 4;

/// The place from which the server takes the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retrieval {
    /// All from doc values: columnar on the server, nothing else is read.
    DocValues,
    /// Some from `_source`, for which the server reads whole documents; values that it does not
    /// contain come from doc values.
    Source {
        /// The reason: the first column that doc values cannot give as written, or the number of
        /// columns.
        because: String,
    },
}

/// The place of a column's values in a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Beside the document.
    Metadata(Metadata),
    /// In `fields`, from doc values, in a format.
    DocValues(Option<&'static str>),
    /// In `fields`, by the option of the same name, in a format.
    Fields(Option<&'static str>),
    /// In `fields`, from a field that is stored by itself.
    Stored,
    /// In `_source`, under these paths.
    Source(Vec<String>),
}

/// A column that will be read.
#[derive(Clone, Debug)]
pub(crate) struct PlannedColumn {
    pub(crate) name: String,
    /// True if the mapping keeps the field out of `_source`.
    pub(crate) is_left_out: bool,
    pub(crate) field_type: String,
    pub(crate) shape: Shape,
    pub(crate) policy: Policy,
    pub(crate) place: Place,
    /// The field whose ignored values the column lacks.
    pub(crate) watched: Option<String>,
}

impl PlannedColumn {
    pub(crate) fn dtype(&self) -> DataType {
        listed(&self.shape, self.policy, &self.field_type)
    }
}

/// The plan for reading an index.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) columns: Vec<PlannedColumn>,
    pub(crate) retrieval: Retrieval,
    /// The members of the search body.
    pub(crate) request: serde_json::Map<String, serde_json::Value>,
}

impl Plan {
    /// Plans the columns and where to take each from.
    pub(crate) fn new(mapping: &Mapping, options: &DecodeOptions) -> Result<Self, Error> {
        let candidates = match &options.columns {
            ColumnRequest::All => resolve::all(mapping, options)?,
            ColumnRequest::Named(names) => {
                names.iter().map(|name| resolve::named(mapping, name, options)).collect::<Result<_, _>>()?
            }
        };
        check_names(&candidates, &options.policies)?;
        let because = source_because(mapping, &candidates, options);
        let columns = candidates
            .into_iter()
            .map(|candidate| placed(candidate, because.is_some(), options))
            .collect::<Result<Vec<_>, _>>()?;
        let reads_source = columns.iter().any(|column| matches!(column.place, Place::Source(_)));
        let retrieval = match because {
            Some(because) if reads_source => Retrieval::Source { because },
            _ => Retrieval::DocValues,
        };
        let request = request::request(mapping, options, &columns);
        Ok(Self { columns, retrieval, request })
    }

    /// A reader of hits, with room for so many.
    pub(crate) fn hits<'b>(&self, rows: usize) -> Hits<'b> {
        let mut places = Places::new();
        let fields = places.add_root();
        let mut metadata = [None; 7];
        let mut watched = Vec::new();
        for (cell, column) in self.columns.iter().enumerate() {
            match &column.place {
                Place::Metadata(kind) => metadata[*kind as usize] = Some(cell),
                Place::DocValues(_) | Place::Fields(_) | Place::Stored => {
                    places.lead_flat(fields, &column.name, cell);
                }
                Place::Source(paths) => {
                    for path in paths {
                        places.lead(Places::ROOT, path, cell);
                    }
                }
            }
            if let Some(field) = &column.watched {
                watched.push((field.clone(), cell));
            }
        }
        let cell = |column: &PlannedColumn| {
            Cell::new(&column.name, &column.field_type, column.shape.clone(), column.policy, rows)
        };
        Hits::new(Table::new(places, self.columns.iter().map(cell).collect()), fields, metadata, watched)
    }
}

fn check_names(candidates: &[Candidate], policies: &IndexMap<String, CellPolicy>) -> Result<(), Error> {
    for (place, candidate) in candidates.iter().enumerate() {
        if candidates[..place].iter().any(|other| other.name == candidate.name) {
            return Err(Error::new(ErrorKind::UnknownColumn, format!("column {} is named twice", candidate.name))
                .with_help("name each column once"));
        }
    }
    for name in policies.keys() {
        let is_of = |candidate: &Candidate| {
            candidate.name == *name || name.strip_prefix(&candidate.name).is_some_and(|rest| rest.starts_with('.'))
        };
        if !candidates.iter().any(is_of) {
            let known = candidates.iter().map(|candidate| candidate.name.as_str());
            return Err(Error::new(
                ErrorKind::UnknownColumn,
                format!("a policy is set for {name}, which is not a column that is read"),
            )
            .with_help(suggestion(name, "columns", known)));
        }
    }
    Ok(())
}

/// Why documents are read from `_source`, if they are.
fn source_because(mapping: &Mapping, candidates: &[Candidate], options: &DecodeOptions) -> Option<String> {
    match options.retrieval {
        FieldSource::DocValues => return None,
        FieldSource::Source => return Some("it was asked for".to_owned()),
        FieldSource::Auto => {}
    }
    if options.stored_source == StoredSource::Disabled {
        return None;
    }
    let needs = |candidate: &Candidate| Some(format!("{} {}", candidate.name, candidate.source_because()?));
    if let Some(because) = candidates.iter().find_map(needs) {
        return Some(because);
    }
    let from_doc_values = candidates.iter().filter(|candidate| candidate.doc.is_ok()).count();
    let kept = candidates.iter().filter(|candidate| !candidate.is_left_out);
    let paths = kept.flat_map(|candidate| candidate.source.iter().flat_map(|(_, paths)| paths));
    let paths: Vec<&str> = paths.map(String::as_str).collect();
    // A synthetic source is put together from doc values, which is never quicker than they are,
    // nor is one that is cut down.
    let is_quick = options.stored_source == StoredSource::Kept && request::is_whole(mapping, options, &paths);
    (from_doc_values > MOST_DOC_VALUES && is_quick).then(|| {
        format!("there are {from_doc_values} columns, and above {MOST_DOC_VALUES} one document is read sooner")
    })
}

/// Decides where a column is read from.
fn placed(candidate: Candidate, by_source: bool, options: &DecodeOptions) -> Result<PlannedColumn, Error> {
    let name = candidate.name.clone();
    let refused = |why: &str, help: &str| {
        Err(Error::new(ErrorKind::UnsupportedType, format!("field {name} {why}")).with_help(help))
    };
    // A setting of the index, too, can keep values out of doc values; each document lists them.
    let watched = candidate.watched.clone();
    let column = |shape: Shape, place: Place, watched: Option<String>| PlannedColumn {
        name: candidate.name.clone(),
        is_left_out: candidate.is_left_out,
        field_type: candidate.field_type.clone(),
        shape,
        policy: candidate.policy,
        place,
        watched,
    };
    if let Some((place, shape)) = candidate.fixed {
        return Ok(column(shape, place, None));
    }
    let is_kept = options.stored_source != StoredSource::Disabled && !candidate.is_left_out;
    let not_kept = if candidate.is_left_out { "`_source` leaves it out" } else { "the index keeps no `_source`" };
    let is_strict = options.retrieval != FieldSource::DocValues;
    let doc_place = Place::DocValues(candidate.doc_format);
    match (&candidate.source, &candidate.doc) {
        (Ok((shape, paths)), doc) if by_source && is_kept => {
            // A constant is in the mapping, and a document need not have it.
            match doc {
                Ok(constant) if candidate.field_type == "constant_keyword" => {
                    Ok(column(constant.clone(), doc_place, None))
                }
                _ => Ok(column(shape.clone(), Place::Source(paths.clone()), None)),
            }
        }
        (_, Ok(shape)) => {
            // Where documents are kept, what doc values lose was a reason to read those.
            match candidate.lossy {
                Some(why) if is_strict && !candidate.is_list_only() && (is_kept || !is_listed(why)) => refused(
                    &match candidate.is_left_out {
                        true => format!("{why}, and {not_kept}"),
                        false => format!("{why}, and `_source` cannot be read for it"),
                    },
                    "read doc values as they are (`FieldSource::DocValues`), or leave the column out",
                ),
                _ => Ok(column(shape.clone(), doc_place, watched)),
            }
        }
        (Ok((shape, _)), Err(_)) if !is_kept && candidate.is_stored => Ok(column(shape.clone(), Place::Stored, None)),
        (Ok((_, _)), Err(why)) if !is_kept => {
            refused(&format!("{why}, and {not_kept}"), "name the columns to read, without this one")
        }
        (Ok((shape, paths)), Err(why)) => {
            if options.retrieval == FieldSource::DocValues {
                return refused(why, "leave the column out, or read it from `_source` (`FieldSource::Source`)");
            }
            Ok(column(shape.clone(), Place::Source(paths.clone()), None))
        }
        (Err(why), Err(doc)) => refused(&format!("{doc}, and {why}"), "name the columns to read, without this one"),
    }
}

impl Candidate {
    /// Why `_source` is to be read for the column, if it is.
    fn source_because(&self) -> Option<&str> {
        if self.fixed.is_some() || self.source.is_err() || self.is_left_out {
            return None;
        }
        match (&self.doc, self.lossy) {
            (Err(why), _) => Some(why),
            (Ok(_), lossy) => lossy,
        }
    }

    /// True if doc values lose only the order of several values.
    fn is_list_only(&self) -> bool {
        self.policy.values != Values::One && self.lossy == Some(resolve::ORDER)
    }
}

#[cfg(test)]
mod tests;
