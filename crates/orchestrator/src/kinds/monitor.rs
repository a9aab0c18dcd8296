//! `monitor`: drift of fields between a reference and a current window.

use async_trait::async_trait;
use es_assets::{Definition, Inputs, KeyPath, Output, Parts, Reference, Report, Siblings};
use es_monitor::{Report as DriftReport, Verdict as Drift, Window};
use es_values::{TimePoint, TimeUnit};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::checks::Severity;
use super::spec::{CurrentWindow, FieldMonitor, MissingRule, MissingTest, Monitor, Until};
use super::{Built, Kind, Observation, Part, Subject, Verdict, Work};
use crate::doctor::needs::Needs;
use crate::error::{Error, ErrorKind, Result};

/// Drift between two windows.
pub struct MonitorKind;

impl Definition for Monitor {
    fn reads(&self) -> Vec<Reference> {
        vec![Reference::documents("of", &self.of)]
    }

    fn output(&self) -> Output {
        Output::Verdict
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        let zone = self.timezone.time_zone();
        let (reference, keys) = (&self.reference, ("from", "to"));
        report.interval(Some(reference.from), Some(reference.to), zone, &path.key("reference"), keys);
        if let CurrentWindow::Between { from, to } = self.current {
            report.interval(Some(from), Some(to), zone, &path.key("current"), keys);
        }
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("of", &self.of);
        parts.add("time", &self.time);
        parts.add("reference", json!({ "window": self.reference, "timezone": self.timezone }));
        parts.add("current", json!({ "window": self.current, "timezone": self.timezone }));
        parts.add("where", &self.filter);
        for (name, field) in &self.fields {
            parts.add(format!("fields.{name}"), field);
        }
        parts.add("severity", self.severity);
    }

    /// A window that ends now moves once a unit of its length.
    fn inputs_at(&self, now: Timestamp) -> Inputs {
        match self.current {
            CurrentWindow::Last { last, until: Until::Now } => {
                let moment = whole_units(now, last.unit(), self.timezone.time_zone());
                Inputs::from([("now".to_owned(), moment)])
            }
            _ => Inputs::new(),
        }
    }
}

#[async_trait]
impl Kind for MonitorKind {
    type Definition = Monitor;
    const NAME: &'static str = "monitor";

    async fn observe(&self, _: &Subject<'_, Monitor>, around: &Observation<'_>) -> Result<Vec<Part>> {
        Ok(around.newest_evaluation())
    }

    /// Compares the windows. Drift is a verdict, not an error.
    async fn build(&self, asset: &Subject<'_, Monitor>, work: &Work<'_>) -> Result<Built> {
        let definition = definition(work.index_of(&asset.definition.of)?, asset.definition)?;
        let report = tokio::select! {
            report = es_monitor::evaluate(work.client, &definition, work.now) => report?,
            () = work.cancel.cancelled() => {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted before it was evaluated"));
            }
        };
        let verdict = match (report.severity, report.verdict) {
            (es_monitor::Severity::Warn, _) | (_, Drift::NoDrift) => Verdict::Passed,
            (es_monitor::Severity::Error, Drift::Drift) => Verdict::Failed,
            (es_monitor::Severity::Error, Drift::NotMeasured) => Verdict::NotMeasured,
        };
        Ok(Built {
            detail: report.to_string(),
            summary: json!({"verdict": report.verdict}),
            verdict,
            report: Some(json!(report)),
            ..Built::default()
        })
    }

    fn needs(&self, asset: &Subject<'_, Monitor>, needs: &mut Needs) {
        let monitor = asset.definition;
        let mut fields = vec![monitor.time.clone()];
        fields.extend(monitor.fields.keys().cloned());
        needs.aggregates(asset.name, asset.project.index_of(&monitor.of), fields);
    }

    /// A line for the monitor, and one for each field.
    fn report(&self, report: &Value) -> Option<String> {
        let report: DriftReport = serde_json::from_value(report.clone()).ok()?;
        let fields = report.fields.iter().map(|field| format!("  {field}\n"));
        Some(format!("{report}\n{}", fields.collect::<String>()))
    }
}

/// `now` without what is smaller than `unit`.
fn whole_units(now: Timestamp, unit: TimeUnit, zone: &TimeZone) -> String {
    let reading = zone.to_datetime(now);
    let format = match unit {
        TimeUnit::Millisecond | TimeUnit::Second => "%Y-%m-%dT%H:%M:%S",
        TimeUnit::Minute => "%Y-%m-%dT%H:%M",
        TimeUnit::Hour => "%Y-%m-%dT%H",
        TimeUnit::Day => "%Y-%m-%d",
        TimeUnit::Week => "%G-W%V",
    };
    reading.strftime(format).to_string()
}

/// The definition in the terms of the crate that measures.
fn definition(index: String, monitor: &Monitor) -> Result<es_monitor::Monitor> {
    let zone = monitor.timezone.time_zone();
    let instant = |point: TimePoint| {
        point.to_timestamp(zone).map_err(|error| Error::config(format!("a window is out of range: {error}")))
    };
    let reference = Window::Between { from: instant(monitor.reference.from)?, to: instant(monitor.reference.to)? };
    let current = match &monitor.current {
        CurrentWindow::Between { from, to } => Window::Between { from: instant(*from)?, to: instant(*to)? },
        CurrentWindow::Last { last, until } => Window::Last {
            duration: SignedDuration::try_from(last.to_duration())
                .map_err(|error| Error::config(format!("a window is too long: {error}")))?,
            until: match until {
                Until::Now => es_monitor::Until::Now,
                Until::Latest => es_monitor::Until::Latest,
            },
        },
    };
    let mut definition = es_monitor::Monitor::new(index, monitor.time.as_str(), reference, current);
    definition.query = monitor.filter.as_ref().map(es_values::Query::to_value);
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
