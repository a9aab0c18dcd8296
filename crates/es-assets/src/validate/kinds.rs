//! The rules of each kind that its types do not express.

use std::collections::HashMap;

use jiff::tz::TimeZone;

use super::Report;
use crate::diagnostic::DiagnosticKind;
use crate::key_path::KeyPath;
use crate::partition::{self, MAX_PARTITIONS};
use crate::spec::{Check, CurrentWindow, Feature, Features, FileFormat, Ingest, Monitor, Partitions, Rule};
use es_values::TimePoint;
use es_values::{nearest, quoted_list};

pub(super) fn ingest(ingest: &Ingest, path: &KeyPath, report: &mut Report<'_>) {
    let from = path.key("from").key("path");
    if ingest.from.format.is_none() && FileFormat::of_path(&ingest.from.path).is_none() {
        report.invalid(
            &from,
            format!("the format of `{}` is not known by its name", ingest.from.path),
            "add `format: parquet`, `csv`, `ndjson`, `ipc` or `ipc_stream`",
        );
    }
    if let Some(partitions) = &ingest.partitions {
        let path = path.key("partitions");
        if ingest.time.is_none() {
            report.add(
                DiagnosticKind::MissingKey,
                &path,
                "`partitions` needs `time`",
                "name the column whose time decides which partition a row belongs to: `time: ..`",
            );
        }
        self::partitions(partitions, &path, report);
    }
    for (index, check) in ingest.checks.iter().enumerate() {
        self::check(check, &path.key("checks").index(index), report);
    }
}

fn partitions(partitions: &Partitions, path: &KeyPath, report: &mut Report<'_>) {
    let zone = partitions.timezone.time_zone();
    let ends_before_it_starts = interval(Some(partitions.start), partitions.end, zone, path, ("start", "end"), report);
    let mut aligned = true;
    for (key, point) in [("start", Some(partitions.start)), ("end", partitions.end)] {
        let Some(point) = point else { continue };
        if let Some(boundary) = partition::boundary_before(partitions, point) {
            aligned = false;
            report.invalid(
                &path.key(key),
                format!("`{point}` is inside {}", partitions.every.noun()),
                format!("partitions begin and end with one: write `{boundary}` or the one after"),
            );
        }
    }
    if let Some(end) = partitions.end.filter(|_| aligned && !ends_before_it_starts)
        && partition::count_exceeds(partitions, end, MAX_PARTITIONS)
    {
        report.invalid(
            &path.key("every"),
            format!("these are more than {MAX_PARTITIONS} partitions"),
            "each is an index of its own: choose longer partitions or a shorter range",
        );
    }
}

/// Reports, and says, whether a range ends before it starts.
fn interval(
    start: Option<TimePoint>,
    end: Option<TimePoint>,
    zone: &TimeZone,
    path: &KeyPath,
    (start_key, end_key): (&str, &str),
    report: &mut Report<'_>,
) -> bool {
    let (Some(start), Some(end)) = (start, end) else { return false };
    let is_backward = match (start.to_timestamp(zone), end.to_timestamp(zone)) {
        (Ok(start), Ok(end)) => start >= end,
        _ => false,
    };
    if is_backward {
        report.invalid(
            &path.key(end_key),
            format!("`{end_key}` {end} is not after `{start_key}` {start}"),
            "the range holds its start and not its end, so this one is empty",
        );
    }
    is_backward
}

fn check(check: &Check, path: &KeyPath, report: &mut Report<'_>) {
    let (key, is_backward) = match &check.rule {
        Rule::Rows(rows) => ("rows", rows.min.zip(rows.max).is_some_and(|(min, max)| min > max)),
        Rule::Range(range) => ("range", range.min.zip(range.max).is_some_and(|(min, max)| min > max)),
        Rule::NotNull(_) | Rule::Unique(_) => return,
    };
    if is_backward {
        report.invalid(&path.key(key), "`min` is larger than `max`", "no value passes this check");
    }
}

pub(super) fn features(features: &Features, path: &KeyPath, report: &mut Report<'_>) {
    let zone = features.timezone.time_zone();
    interval(features.start, features.end, zone, path, ("start", "end"), report);
    if let Some(index) = features.entity.iter().position(|field| *field == features.time) {
        report.invalid(
            &path.key("entity").index(index),
            format!("`{}` is the time, and cannot name an entity too", features.time),
            "remove it from `entity`",
        );
    }
    for (index, window) in features.windows.iter().enumerate() {
        let earlier = &features.windows[..index];
        if let Some(same) = earlier.iter().find(|other| other.milliseconds() == window.milliseconds()) {
            let message = match same == window {
                true => format!("window `{window}` stands twice"),
                false => format!("window `{window}` is as long as `{same}`"),
            };
            report.invalid(&path.key("windows").index(index), message, "remove one of them");
        }
    }
    let path = path.key("features");
    for (name, feature) in &features.features {
        if let Feature::Derivative(derivative) = feature {
            let path = path.key(name).key("derivative").key("of");
            derivative_of(features, name, &derivative.of, &path, report);
        }
    }
    field_names(features, &path, report);
}

fn derivative_of(features: &Features, name: &str, of: &str, path: &KeyPath, report: &mut Report<'_>) {
    let usable: Vec<&str> = features
        .features
        .iter()
        .filter(|(_, feature)| !matches!(feature, Feature::Percentiles(_) | Feature::Derivative(_)))
        .map(|(name, _)| name.as_str())
        .collect();
    let help = || match nearest(of, usable.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if usable.is_empty() => "add a feature with one value, such as an `avg`".to_owned(),
        None => format!("the features with one value are {}", quoted_list(usable.iter().copied())),
    };
    match features.features.get(of) {
        None => {
            report.add(DiagnosticKind::UnknownReference, path, format!("unknown feature `{of}`"), help());
        }
        Some(_) if of == name => report.invalid(path, format!("`{name}` is derived from itself"), help()),
        Some(Feature::Percentiles(_)) => {
            report.invalid(path, format!("`{of}` has a value a percentile, and a derivative needs one"), help());
        }
        Some(Feature::Derivative(_)) => {
            report.invalid(path, format!("`{of}` is a derivative itself"), help());
        }
        Some(_) => {}
    }
}

/// Every field of a row has a name of its own.
fn field_names(features: &Features, path: &KeyPath, report: &mut Report<'_>) {
    let mut owners: HashMap<String, String> = features
        .entity
        .iter()
        .map(|field| (field.clone(), "the entity".to_owned()))
        .chain([(features.time.clone(), "the time".to_owned())])
        .collect();
    for (name, feature) in &features.features {
        let fields = features.windows.iter().flat_map(|window| feature.fields(name, *window));
        // Equal windows are reported as such, and would repeat every field here.
        let mut mine: Vec<String> = fields.map(|field| field.field).collect();
        mine.sort();
        mine.dedup();
        let taken = mine.iter().find_map(|field| Some((field, owners.get(field)?)));
        if let Some((field, owner)) = taken {
            let message = format!("field `{field}` of `{name}` is also a field of {owner}");
            report.invalid(&path.key(name), message, "rename the feature");
        }
        owners.extend(mine.into_iter().map(|field| (field, format!("`{name}`"))));
    }
}

pub(super) fn monitor(monitor: &Monitor, path: &KeyPath, report: &mut Report<'_>) {
    let zone = monitor.timezone.time_zone();
    let reference = &monitor.reference;
    let keys = ("from", "to");
    interval(Some(reference.from), Some(reference.to), zone, &path.key("reference"), keys, report);
    if let CurrentWindow::Between { from, to } = monitor.current {
        interval(Some(from), Some(to), zone, &path.key("current"), keys, report);
    }
}
