//! Problems that the crates of capabilities find in their options, placed in the pipeline file.

use es_assets::{DiagnosticKind, KeyPath, Report};
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
