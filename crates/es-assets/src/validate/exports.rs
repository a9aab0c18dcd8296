//! The rules of exports that their types do not express.

use indexmap::IndexMap;
use jiff::tz::TimeZone;

use super::Report;
use crate::key_path::KeyPath;
use crate::spec::{Export, Split, TimePart};
use es_values::{nearest, quoted_list};

pub(super) fn export(export: &Export, path: &KeyPath, report: &mut Report<'_>) {
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

#[cfg(test)]
mod tests {
    use crate::parse;

    /// What is wrong with an export that has these lines.
    fn complaints(lines: &[&str]) -> Vec<String> {
        let mut text = "version: 1\nname: p\nassets:\n  a: { kind: ingest, from: { path: a.csv } }\n  \
                        e:\n    kind: export\n    from: a\n"
            .to_owned();
        for line in lines {
            text.push_str(&format!("    {line}\n"));
        }
        match parse("p.yaml", &text, None) {
            Ok(_) => Vec::new(),
            Err(error) => error.iter().map(|diagnostic| diagnostic.message.clone()).collect(),
        }
    }

    #[test]
    fn parts_of_time_are_in_order_and_the_last_has_no_end() {
        let split = |parts: &str| {
            complaints(&["to: { path: o }", &format!("split: {{ by: time, field: t, parts: {{ {parts} }} }}")])
        };
        let none: [&str; 0] = [];
        assert_eq!(split("a: { until: 2013-01-01 }, b: { until: 2013-02-01T06:00 }, c: {}"), none);
        assert_eq!(split("a: {}, b: {}"), ["part `a` has no end, and is not the last one"]);
        assert_eq!(
            split("a: { until: 2013-01-01 }, b: { until: 2014-01-01 }"),
            ["part `b` is the last one, and ends at 2014-01-01"]
        );
        assert_eq!(
            split("a: { until: 2013-01-01 }, b: { until: 2012-01-01 }, c: {}"),
            ["part `b` ends at 2012-01-01, before it begins"]
        );
    }

    #[test]
    fn shares_add_up_and_fields_are_columns() {
        let none: [&str; 0] = [];
        let shares = |by: &str| {
            complaints(&["to: { path: o }", &format!("split: {{ by: {by}, key: [k], parts: {{ a: 0.7, b: 0.2 }} }}")])
        };
        for by in ["hash", "group", "stratified, strata: [s]"] {
            assert_eq!(shares(by), ["the shares of the parts sum to 0.9, not to 1"], "{by}");
        }
        let fields = [
            "columns: [x, y]",
            "fields: { x: { encode: codes }, z: { values: list } }",
            "to: { path: o, partition_by: [w] }",
        ];
        assert_eq!(
            complaints(&fields),
            ["`z` is not among the columns `x`, `y`", "`w` is not among the columns `x`, `y`"]
        );
        assert_eq!(complaints(&["fields: { z: { values: list } }", "to: { path: o, partition_by: [w] }"]), none);
        assert_eq!(
            complaints(&["to: { path: o, format: npz, partition_by: [w] }"]),
            ["readers of tensors know nothing of folders with values in their names"]
        );
    }
}
