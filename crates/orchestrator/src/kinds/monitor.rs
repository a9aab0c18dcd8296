//! `monitor`: drift of fields between a reference and a current window.

use async_trait::async_trait;
use es_assets::{Definition, Inputs, KeyPath, Output, Parts, Reference, Report, Siblings};
use es_monitor::{CurrentWindow, Evaluation, Report as DriftReport, Severity, Until, Verdict as Drift};
use es_values::TimeUnit;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Built, Kind, Observation, Part, Subject, Verdict, Work, problems};
use crate::doctor::needs::Needs;
use crate::error::Result;

/// Drift between two windows.
pub struct MonitorKind;

/// A comparison of the fields of an asset between two windows of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Monitor {
    /// The asset whose documents are compared.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub of: String,
    /// The comparison.
    #[serde(flatten)]
    pub monitor: es_monitor::Monitor,
}

impl Definition for Monitor {
    fn reads(&self) -> Vec<Reference> {
        vec![Reference::documents("of", &self.of)]
    }

    fn output(&self) -> Output {
        Output::Verdict
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        problems::report_all(self.monitor.problems(), path, report);
    }

    fn fingerprint(&self, parts: &mut Parts) {
        let monitor = &self.monitor;
        parts.add("of", &self.of);
        parts.add("time", &monitor.time);
        parts.add("reference", json!({ "window": monitor.reference, "timezone": monitor.timezone }));
        parts.add("current", json!({ "window": monitor.current, "timezone": monitor.timezone }));
        parts.add("where", &monitor.filter);
        for (name, field) in &monitor.fields {
            parts.add(format!("fields.{name}"), field);
        }
        parts.add("severity", monitor.severity);
    }

    /// A window that ends now moves once a unit of its length.
    fn inputs_at(&self, now: Timestamp) -> Inputs {
        match self.monitor.current {
            CurrentWindow::Last { last, until: Until::Now } => {
                let moment = whole_units(now, last.unit(), self.monitor.timezone.time_zone());
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
        let index = work.index_of(&asset.definition.of)?;
        let report = Evaluation::new(work.client, &index, &asset.definition.monitor)
            .at(work.now)
            .with_cancellation(work.cancel.clone())
            .run()
            .await?;
        let verdict = match (report.severity, report.verdict) {
            (Severity::Warn, _) | (_, Drift::NoDrift) => Verdict::Passed,
            (Severity::Error, Drift::Drift) => Verdict::Failed,
            (Severity::Error, Drift::NotMeasured) => Verdict::NotMeasured,
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
        let monitor = &asset.definition.monitor;
        let mut fields = vec![monitor.time.clone()];
        fields.extend(monitor.fields.keys().cloned());
        needs.aggregates(asset.name, asset.project.index_of(&asset.definition.of), fields);
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
