//! `monitor`: drift of fields between a reference and a current window.

use es_assets::{CurrentWindow, FieldMonitor, MissingRule, MissingTest, Monitor, Severity, TimePoint, Until};
use es_monitor::{Report, Verdict, Window};
use jiff::SignedDuration;
use serde_json::json;

use super::Done;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Compares the windows and reports.
///
/// # Errors
/// When the definition does not fit the index, or Elasticsearch fails. Drift is no error.
pub async fn evaluate(context: &Context, monitor: &Monitor) -> Result<Done, Failure> {
    let definition = definition(context.project.alias(&monitor.of), monitor)?;
    let report = es_monitor::evaluate(&context.client, &definition, context.now).await?;
    let detail = report.to_string();
    Ok(Done {
        rows: None,
        detail,
        summary: json!({"verdict": report.verdict}),
        report: Some(Box::new(report)),
        warnings: Vec::new(),
    })
}

/// The exit code that a report means.
pub fn exit(report: &Report) -> Exit {
    match (report.severity, report.verdict) {
        (es_monitor::Severity::Warn, _) | (_, Verdict::NoDrift) => Exit::Done,
        (es_monitor::Severity::Error, Verdict::Drift) => Exit::CheckFailed,
        (es_monitor::Severity::Error, Verdict::NotMeasured) => Exit::NotMeasured,
    }
}

/// The definition in the terms of the crate that measures.
fn definition(index: String, monitor: &Monitor) -> Result<es_monitor::Monitor, Failure> {
    let zone = monitor.timezone.time_zone();
    let instant = |point: TimePoint| {
        point.to_timestamp(zone).map_err(|error| Failure::usage(format!("a window is out of range: {error}")))
    };
    let reference = Window::Between { from: instant(monitor.reference.from)?, to: instant(monitor.reference.to)? };
    let current = match &monitor.current {
        CurrentWindow::Between { from, to } => Window::Between { from: instant(*from)?, to: instant(*to)? },
        CurrentWindow::Last { last, until } => Window::Last {
            duration: SignedDuration::try_from(last.to_duration())
                .map_err(|error| Failure::usage(format!("a window is too long: {error}")))?,
            until: match until {
                Until::Now => es_monitor::Until::Now,
                Until::Latest => es_monitor::Until::Latest,
            },
        },
    };
    let mut definition = es_monitor::Monitor::new(index, monitor.time.as_str(), reference, current);
    definition.query = monitor.filter.as_ref().map(es_assets::Query::to_value);
    definition.severity = match monitor.severity {
        Severity::Warn => es_monitor::Severity::Warn,
        Severity::Error => es_monitor::Severity::Error,
    };
    for (name, field) in &monitor.fields {
        definition = definition.field(name, field_monitor(field));
    }
    Ok(definition)
}

fn field_monitor(field: &FieldMonitor) -> es_monitor::FieldMonitor {
    use es_monitor::Method as To;
    let (method, bins) = match *field {
        FieldMonitor::Wasserstein { max, bins, .. } => (To::Wasserstein { max }, bins),
        FieldMonitor::Js { max, bins, .. } => (To::JensenShannon { max }, bins),
        FieldMonitor::Ks { p, bins, .. } => (To::KolmogorovSmirnov { p }, bins),
        FieldMonitor::Psi { max, bins, .. } => (To::Psi { max }, bins),
        FieldMonitor::Chi2 { p, .. } => (To::ChiSquared { p }, None),
        FieldMonitor::Linf { max, .. } => (To::LInfinity { max }, None),
    };
    let missing = match field.missing() {
        MissingRule::Ignore => es_monitor::MissingRule::Report,
        MissingRule::Test(MissingTest { p, min_change }) => es_monitor::MissingRule::Test { p, min_change },
    };
    es_monitor::FieldMonitor { method, bins, missing }
}
