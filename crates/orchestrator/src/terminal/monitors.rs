//! The verdicts of monitors: a line each, with the columns that drift. Pure.

use es_monitor::{FieldReport, Report, Verdict};
use serde_json::Value;

use super::moments::{Clock, zone_line};
use super::screen::Screen;
use super::table::{Align, Cell, Table, counted};
use super::text::{Tone, paragraph};

/// The verdict of a monitor, measured now or standing from an earlier run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorLine {
    /// The monitor.
    pub name: String,
    /// The verdict.
    pub verdict: String,
    /// The meaning of the verdict.
    pub tone: Tone,
    /// The columns that it is about, and the windows.
    pub about: String,
    /// The numbers of the columns that need a look.
    pub details: Vec<String>,
}

impl MonitorLine {
    /// The line of a report, as `--json` has it. A report of another form has none.
    pub fn of(name: &str, report: &Value, clock: &Clock, is_verbose: bool) -> Option<Self> {
        let report: Report = serde_json::from_value(report.clone()).ok()?;
        let needs_a_look = |field: &&FieldReport| is_verbose || field.verdict != Verdict::NoDrift;
        let window = |from, to| format!("{} to {}", clock.day(from), clock.day(to));
        let (current, reference) = (report.current.interval, report.reference.interval);
        let windows = format!("{} against {}", window(current.from, current.to), window(reference.from, reference.to));
        let columns = columns(&report);
        Some(Self {
            name: name.to_owned(),
            verdict: report.verdict.to_string(),
            tone: match report.verdict {
                Verdict::NoDrift => Tone::Good,
                Verdict::Drift => Tone::Bad,
                Verdict::NotMeasured => Tone::Warning,
            },
            about: format!("{columns}; {windows}"),
            details: report.fields.iter().filter(needs_a_look).map(|field| detail(field, is_verbose)).collect(),
        })
    }

    /// Says when the verdict was measured, of one that stands from an earlier run.
    #[must_use]
    pub fn measured(mut self, moment: &str) -> Self {
        self.about = format!("{}; measured {moment}", self.about);
        self
    }
}

/// The columns that the verdict of a report is about.
fn columns(report: &Report) -> String {
    let all = counted(report.fields.len() as u64, "column");
    let names: Vec<&str> = report.fields_with(report.verdict).map(|field| field.field.as_str()).collect();
    match report.verdict {
        Verdict::NoDrift => all,
        _ if names.len() == report.fields.len() => names.join(", "),
        _ => format!("{}, of {all}", names.join(", ")),
    }
}

fn detail(field: &FieldReport, with_verdict: bool) -> String {
    let verdict = if with_verdict { format!("{}: ", field.verdict) } else { String::new() };
    format!("{}: {verdict}{}; {}", field.field, field.values, field.missing)
}

/// The lines of monitors, and the time zone that their windows are in.
pub fn text(lines: &[MonitorLine], clock: &Clock, screen: &Screen) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    let mut table = Table::new(&[("monitor", Align::Name), ("verdict", Align::Left), ("", Align::Text)]);
    for line in lines {
        table.row([line.name.as_str().into(), Cell::toned(&*line.verdict, line.tone), line.about.as_str().into()]);
    }
    text.push_str(&table.fit(screen));
    for line in lines {
        for detail in &line.details {
            text.push_str(&paragraph(&format!("  {}.{detail}", line.name), 4, screen));
        }
    }
    text + &zone_line(clock, screen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(verdicts: &[(&str, &str)], verdict: &str) -> Value {
        let fields: Vec<Value> = verdicts
            .iter()
            .map(|(field, verdict)| {
                let reason = if *verdict == "not_measured" { json!({"code": "too_few_groups"}) } else { Value::Null };
                let mut values = json!({
                    "verdict": verdict, "method": {"name": "psi", "max": 0.1},
                    "measurement": {"value": 0.25, "definition": "d"},
                    "n_reference": 28231, "n_current": 29428, "bins": [],
                });
                if !reason.is_null() {
                    values["reason"] = reason;
                }
                json!({
                    "field": field, "field_type": "double", "verdict": verdict, "values": values,
                    "missing": {"verdict": "no_drift", "rule": "report", "reference": 0, "current": 0,
                                "share_reference": 0.0, "share_current": 0.0},
                })
            })
            .collect();
        json!({
            "verdict": verdict, "severity": "warn", "index": "i", "time_field": "t",
            "reference": {"from": "2013-06-01T04:00:00Z", "to": "2013-07-01T04:00:00Z", "documents": 28231},
            "current": {"from": "2013-07-01T04:00:00Z", "to": "2013-08-01T04:00:00Z", "documents": 29428},
            "windows_overlap": false, "fields": fields, "evaluated_at": "2013-08-02T00:00:00Z",
            "computed_by": "es-monitor 0.1.0", "searches": 3,
        })
    }

    fn clock() -> Clock {
        Clock::in_zone("America/New_York")
    }

    #[test]
    fn a_line_names_the_columns_that_drift() {
        let drifted = report(&[("dep_delay", "drift"), ("distance", "no_drift"), ("carrier", "drift")], "drift");
        let well = report(&[("dep_delay", "no_drift"), ("distance", "no_drift")], "no_drift");
        let lines = [("delay_drift", drifted), ("weather_drift", well)]
            .map(|(name, report)| MonitorLine::of(name, &report, &clock(), false).unwrap());
        assert_eq!(
            text(&lines, &clock(), &Screen::wide(80)),
            "\
monitor        verdict
delay_drift    drift     dep_delay, carrier, of 3 columns; 2013-07-01 to
                         2013-08-01 against 2013-06-01 to 2013-07-01
weather_drift  no drift  2 columns; 2013-07-01 to 2013-08-01 against 2013-06-01
                         to 2013-07-01
  delay_drift.dep_delay: psi 0.25 (limit 0.1), 29428 against 28231 values; none
    missing
  delay_drift.carrier: psi 0.25 (limit 0.1), 29428 against 28231 values; none
    missing
times in America/New_York
"
        );
    }

    #[test]
    fn the_verbose_form_has_every_column() {
        let report = report(&[("a", "no_drift"), ("b", "not_measured")], "not_measured");
        let line = MonitorLine::of("m", &report, &clock(), true).unwrap();
        assert_eq!(line.details.len(), 2);
        assert!(line.details[0].starts_with("a: no drift: psi"), "{:?}", line.details);
        assert!(line.about.starts_with("b, of 2 columns; "), "{}", line.about);
        assert_eq!(MonitorLine::of("m", &report, &clock(), false).unwrap().details.len(), 1);
        assert!(line.measured("2013-08-02 10:00").about.ends_with("; measured 2013-08-02 10:00"));
    }

    #[test]
    fn a_report_of_another_kind_has_no_line() {
        assert_eq!(MonitorLine::of("m", &json!({"verdict": "fine"}), &clock(), false), None);
    }
}
