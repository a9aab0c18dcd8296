//! Problems that several kinds share: those that the crates of capabilities find in their options, and those
//! of partitions, placed in the pipeline file.

use es_assets::{Definition, DiagnosticKind, KeyPath, Report};
use es_values::{PathSegment, Problem, ProblemKind};

/// Reports problems of options that stand at `path`.
pub(super) fn report_all(problems: Vec<Problem>, path: &KeyPath, report: &mut Report<'_>) {
    for problem in problems {
        let place = problem.path.iter().fold(path.clone(), |path, segment| match segment {
            PathSegment::Key(key) => path.key(key),
            PathSegment::Index(index) => path.index(*index),
        });
        let kind = match problem.kind {
            ProblemKind::UnknownReference => DiagnosticKind::UnknownReference,
            _ => DiagnosticKind::InvalidValue,
        };
        report.add(kind, &place, problem.message, problem.help);
    }
}

/// Reports partitions without a time to divide by, or that are wrong themselves, of an asset at `path`.
pub(super) fn report_partitions(definition: &impl Definition, path: &KeyPath, report: &mut Report<'_>) {
    let Some(partitions) = definition.partitions() else { return };
    let path = path.key("partitions");
    if definition.time().is_none() {
        report.add(
            DiagnosticKind::MissingKey,
            &path,
            "`partitions` needs `time`",
            "name the column whose time decides which partition a row belongs to: `time: ..`",
        );
    }
    partitions.validate(&path, report);
}
