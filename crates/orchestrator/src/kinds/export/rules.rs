//! The rules of exports that their types do not express.

use es_assets::{KeyPath, Report};
use es_values::{nearest, quoted_list};
use indexmap::IndexMap;
use jiff::tz::TimeZone;

use crate::kinds::spec::{Export, Split, TimePart};

/// Reports parts of a split that do not divide the rows, and fields that are not columns.
pub(super) fn validate(export: &Export, path: &KeyPath, report: &mut Report<'_>) {
    if let Some(split) = &export.split {
        let path = path.key("split").key("parts");
        if let Some(shares) = split.shares() {
            sum_to_one(shares, &path, report);
        }
        if let Split::Time { parts, .. } = split {
            in_order(parts, &path, report);
        }
    }
    for field in export.fields.keys() {
        known(export, field, &path.key("fields").key(field), "remove it, or add it to `columns`", report);
    }
    let by = path.key("to").key("partition_by");
    for (index, field) in export.to.partition_by.iter().enumerate() {
        known(export, field, &by.index(index), "add it to `columns`, or divide the files by another one", report);
    }
    if export.to.format.holds_tensors() && !export.to.partition_by.is_empty() {
        report.invalid(
            &by,
            "readers of tensors know nothing of folders with values in their names",
            "remove it, or choose another format",
        );
    }
}

fn sum_to_one(shares: &IndexMap<String, f64>, path: &KeyPath, report: &mut Report<'_>) {
    let sum: f64 = shares.values().sum();
    // Shares such as 0.7, 0.2 and 0.1 do not sum to 1 exactly in binary.
    if (sum - 1.0).abs() > 1e-9 {
        let rounded = (sum * 1e6).round() / 1e6;
        report.invalid(
            path,
            format!("the shares of the parts sum to {rounded}, not to 1"),
            "every row belongs to one part: adjust the shares",
        );
    }
}

/// Each part ends where the next one begins, and only the last one has no end.
fn in_order(parts: &IndexMap<String, TimePart>, path: &KeyPath, report: &mut Report<'_>) {
    let last = parts.len().saturating_sub(1);
    let mut earlier = None;
    for (place, (name, part)) in parts.iter().enumerate() {
        let path = path.key(name);
        match part.until {
            None if place < last => {
                report.invalid(
                    &path,
                    format!("part `{name}` has no end, and is not the last one"),
                    "say where it ends with `until`",
                );
            }
            Some(until) if place == last => report.invalid(
                &path.key("until"),
                format!("part `{name}` is the last one, and ends at {until}"),
                "every row belongs to one part: leave `until` out, and the rows with `where`",
            ),
            Some(until) => {
                // A time that no clock shows is reported by its own type.
                let Ok(instant) = until.to_timestamp(&TimeZone::UTC) else { continue };
                if earlier.is_some_and(|earlier| earlier >= instant) {
                    report.invalid(
                        &path.key("until"),
                        format!("part `{name}` ends at {until}, before it begins"),
                        "write the parts from the earliest to the latest",
                    );
                }
                earlier = Some(instant);
            }
            None => {}
        }
    }
}

/// Reports a field that is not among the columns, where these are said.
fn known(export: &Export, field: &str, path: &KeyPath, otherwise: &str, report: &mut Report<'_>) {
    let Some(columns) = export.columns.as_ref().filter(|columns| !columns.iter().any(|column| column == field)) else {
        return;
    };
    let help = match nearest(field, columns.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => otherwise.to_owned(),
    };
    let columns = quoted_list(columns.iter().map(String::as_str));
    report.invalid(path, format!("`{field}` is not among the columns {columns}"), help);
}

