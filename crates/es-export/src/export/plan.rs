//! The decisions before a row is read: the columns, the groups of slices, and the fingerprint by
//! which the state of a killed export is recognized.

use std::ops::Range;

use es_frame::ColumnRequest;
use polars::prelude::{DataType, PlSmallStr, Schema};
use serde_json::json;

use super::{AddedColumn, Export};
use crate::commit::Destination;
use crate::error::{Error, ErrorKind};
use crate::read::{self, ReadRequest};
use crate::split::Split;

/// Checks what can be checked without the server.
pub(super) fn check(export: &Export) -> Result<(), Error> {
    let refused = |what: &str| {
        Err(Error::new(ErrorKind::Destination, format!("{what} cannot be a single file"))
            .with_help("choose a folder as the destination"))
    };
    if let Destination::File(_) = export.destination {
        if export.split.is_some() {
            return refused("the parts of a split");
        }
        if !export.partition_by.is_empty() {
            return refused("the folders of partition columns");
        }
    }
    if let Some(part) = &export.training_part {
        let is_there = match &export.split {
            Some(split) => split.parts().contains(part),
            None => part == DATA,
        };
        if !is_there {
            return Err(Error::new(ErrorKind::Split, format!("there is no part {part} to train on")));
        }
    }
    Ok(())
}

/// The part of an export without a split.
const DATA: &str = "data";

/// The names of the parts.
pub(super) fn parts(export: &Export) -> Vec<String> {
    export.split.as_ref().map_or_else(|| vec![DATA.to_owned()], |split| split.parts().to_vec())
}

/// The name of the only file, where there is only one.
pub(super) fn single(export: &Export) -> Option<String> {
    match &export.destination {
        Destination::File(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
        Destination::Folder(_) => None,
    }
}

/// The place of the part whose rows the statistics of encodings come from.
pub(super) fn training_part(export: &Export) -> usize {
    let named = export.training_part.as_deref().unwrap_or("train");
    parts(export).iter().position(|part| part == named).unwrap_or(0)
}

/// The request with the columns that split and partitions need.
pub(super) fn read_request(export: &Export) -> ReadRequest {
    let mut request = export.request.clone();
    if let Some(ColumnRequest::Named(names)) = request.search_mut().map(|search| &mut search.columns) {
        let of_split = export.split.iter().flat_map(|split| split.columns());
        let of_transform = export.transform.iter().flat_map(|transform| transform.needs());
        let added: Vec<String> = added(export).into_iter().map(|column| column.name).collect();
        for name in export.partition_by.iter().cloned().chain(of_split).chain(of_transform) {
            if !names.contains(&name) && !added.contains(&name) {
                names.push(name);
            }
        }
    }
    request
}

/// The columns that decide and are no fields, such as `_id`: a request for all columns does not
/// have them.
pub(super) fn metadata(export: &Export) -> Vec<String> {
    let of_split = export.split.iter().flat_map(Split::columns);
    let deciding = export.partition_by.iter().cloned().chain(of_split);
    match export.request.search().map(|search| &search.columns) {
        Some(ColumnRequest::All) => deciding.filter(|name| name.starts_with('_')).collect(),
        _ => Vec::new(),
    }
}

/// The columns of the rows that are written, partition columns included, in their order.
pub(super) fn written_columns(export: &Export, read: &Schema) -> Result<Schema, Error> {
    let mut read = read.clone();
    let added = added(export);
    for column in &added {
        if read.insert(column.name.as_str().into(), column.dtype.clone()).is_some() {
            return Err(Error::new(ErrorKind::Column, format!("column {} is read and added as well", column.name)));
        }
    }
    let read = &read;
    let of_split = export.split.as_ref().map(|split| split.columns()).unwrap_or_default();
    for name in export.partition_by.iter().chain(&of_split) {
        if read.get(name).is_none() {
            let purpose = if of_split.contains(name) { "to split by" } else { "to partition by" };
            return Err(Error::no_column(name, purpose, read.iter_names()));
        }
    }
    let Some(ColumnRequest::Named(names)) = export.request.search().map(|search| &search.columns) else {
        let added = metadata(export);
        let is_written = |name: &str| !added.iter().any(|added| added == name) || is_partition(export, name);
        return Ok(read.iter().filter(|(name, _)| is_written(name)).map(owned).collect());
    };
    let is_added = |name: &str| added.iter().any(|column| column.name == name);
    let is_written =
        |name: &str| names.iter().any(|named| named == name) || is_partition(export, name) || is_added(name);
    Ok(read.iter().filter(|(name, _)| is_written(name)).map(owned).collect())
}

fn owned((name, dtype): (&PlSmallStr, &DataType)) -> (PlSmallStr, DataType) {
    (name.clone(), dtype.clone())
}

/// The columns that are added to those that are read.
pub(super) fn added(export: &Export) -> Vec<AddedColumn> {
    export.transform.as_ref().map(|transform| transform.adds()).unwrap_or_default()
}

fn is_partition(export: &Export, name: &str) -> bool {
    export.partition_by.iter().any(|column| column == name)
}

/// The columns of the files: without those that are folders.
pub(super) fn file_columns(export: &Export, written: &Schema) -> Result<Schema, Error> {
    let columns: Schema = written.iter().filter(|(name, _)| !is_partition(export, name)).map(owned).collect();
    if columns.is_empty() {
        return Err(Error::new(
            ErrorKind::Partition,
            "all columns are partition columns, and the files would have none",
        ));
    }
    Ok(columns)
}

/// The number of groups of slices, so that each has about the rows of a file; one where the rows
/// are not counted beforehand.
pub(super) fn wanted_groups(export: &Export, rows: Option<u64>) -> usize {
    match export.destination {
        Destination::File(_) => 1,
        Destination::Folder(_) => {
            let groups = rows.unwrap_or(0).div_ceil(u64::from(export.options.rows_per_file).max(1));
            usize::try_from(groups).unwrap_or(usize::MAX).max(1)
        }
    }
}

/// The slices of each group: so many groups of adjacent slices, as equal as can be, fewer
/// where the slices are.
pub(super) fn groups(slices: usize, wanted: usize) -> Vec<Range<usize>> {
    let slices = slices.max(1);
    let groups = wanted.clamp(1, slices);
    (0..groups).map(|group| group * slices / groups..(group + 1) * slices / groups).collect()
}

/// After how many rows the files of a group are finished although the group goes on. Groups
/// of several are about of the right size; where there is only one, its size is not known.
pub(super) fn cut_after(export: &Export, groups: usize) -> Option<u64> {
    match export.destination {
        Destination::File(_) => None,
        Destination::Folder(_) if groups == 1 => Some(u64::from(export.options.rows_per_file).max(1)),
        Destination::Folder(_) => Some(u64::from(export.options.rows_per_file).max(1).saturating_mul(2)),
    }
}

/// The fingerprint of all that decides on the files, and of the program that writes them. It
/// changes at most with the version of the program, and then an export starts from scratch.
pub(super) fn fingerprint(export: &Export, cluster: &str) -> String {
    let Export { request, destination, files, transform, split, partition_by, encodings, options, .. } = export;
    let destination = match destination {
        Destination::Folder(path) => json!({"folder": path.to_string_lossy()}),
        Destination::File(path) => json!({"file": path.to_string_lossy()}),
    };
    read::fingerprint_of(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "cluster": cluster,
        "request": read::request_value(request),
        "destination": destination,
        "files": files,
        "transform": transform.as_ref().map(|transform| transform.describe()),
        "split": split,
        "partition_by": partition_by,
        "encodings": encodings,
        "rows_per_file": options.rows_per_file,
        "training_part": export.training_part,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn slices_are_divided_evenly() {
        let table = [
            (9, 3, vec![(0, 3), (3, 6), (6, 9)]),
            (3, 1, vec![(0, 3)]),
            (2, 7, vec![(0, 1), (1, 2)]),
            (7, 2, vec![(0, 3), (3, 7)]),
            (0, 0, vec![(0, 1)]),
        ];
        for (slices, wanted, expected) in table {
            let found: Vec<_> = groups(slices, wanted).iter().map(|group| (group.start, group.end)).collect();
            assert_eq!(found, expected, "{slices} in {wanted}");
        }
    }

    proptest! {
        #[test]
        fn every_slice_is_in_one_group(slices in 1..1100_usize, wanted in 0..2000_usize) {
            let groups = groups(slices, wanted);
            let all: Vec<usize> = groups.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..slices).collect::<Vec<_>>());
            let sizes: Vec<usize> = groups.iter().map(ExactSizeIterator::len).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }
}
