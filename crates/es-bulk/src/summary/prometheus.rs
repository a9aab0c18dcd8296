//! A summary as metrics, in the text format of Prometheus (exposition format 0.0.4).

use std::fmt::{Display, Write as _};

use super::Summary;

impl Summary {
    /// Writes the summary as metrics in the text format of Prometheus, each with these labels, such
    /// as `("index", "flights")`. The names of labels must be valid in Prometheus.
    pub fn to_prometheus(&self, labels: &[(&str, &str)]) -> String {
        let mut text = Text { out: String::new(), labels };
        text.family("es_bulk_documents_total", "counter", "Documents by outcome.");
        let outcomes = [
            ("created", self.created),
            ("updated", self.updated),
            ("unchanged", self.unchanged),
            ("dropped", self.dropped),
            ("deleted", self.deleted),
            ("rejected", self.rejections()),
            ("unknown", self.unknown),
        ];
        for (outcome, count) in outcomes {
            text.sample("es_bulk_documents_total", Some(("outcome", outcome)), count);
        }
        text.family("es_bulk_rejected_documents_total", "counter", "Rejected documents, by type of the error.");
        for (error_type, count) in &self.rejected {
            text.sample("es_bulk_rejected_documents_total", Some(("type", error_type)), count);
        }
        let counters = [
            ("es_bulk_read_documents_total", "Documents that were read.", self.read),
            ("es_bulk_requests_total", "Bulk requests that were sent.", self.requests),
            ("es_bulk_request_bytes_total", "Bytes of their bodies, uncompressed.", self.bytes),
            ("es_bulk_resent_documents_total", "Documents that were sent again.", self.sent_again),
            ("es_bulk_resent_bytes_total", "Bytes of documents that were sent again.", self.bytes_sent_again),
            ("es_bulk_refused_requests_total", "Requests that were answered with 429.", self.refused_requests),
            ("es_bulk_refused_items_total", "Items that were answered with 429 or 503.", self.refused_items),
        ];
        for (name, help, count) in counters {
            text.family(name, "counter", help);
            text.sample(name, None, count);
        }
        let gauges = [
            ("es_bulk_concurrency_highest", "The highest number of requests in flight.", self.concurrency_highest),
            ("es_bulk_concurrency_last", "The limit of requests in flight at the end.", self.concurrency_last),
            ("es_bulk_interrupted", "Whether the load was stopped before its input ended.", self.interrupted.into()),
        ];
        for (name, help, value) in gauges {
            text.family(name, "gauge", help);
            text.sample(name, None, value);
        }
        text.family("es_bulk_duration_seconds", "gauge", "Time that the load took.");
        text.sample("es_bulk_duration_seconds", None, self.took.as_secs_f64());
        text.out
    }
}

struct Text<'a> {
    out: String,
    labels: &'a [(&'a str, &'a str)],
}

impl Text<'_> {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, own: Option<(&str, &str)>, value: impl Display) {
        self.out.push_str(name);
        let mut before = '{';
        for (label, text) in self.labels.iter().copied().chain(own) {
            self.out.push(before);
            before = ',';
            let _ = write!(self.out, "{label}=\"{}\"", escaped(text));
        }
        if before == ',' {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_family_has_its_help_type_and_samples() {
        let summary = Summary {
            read: 6,
            created: 3,
            rejected: BTreeMap::from([("a\"b\\c\nd".to_owned(), 3)]),
            took: Duration::from_millis(1500),
            ..Summary::default()
        };
        let text = summary.to_prometheus(&[("index", "flights"), ("asset", "x")]);
        let lines: Vec<&str> = text.lines().collect();
        let expected = [
            r#"es_bulk_documents_total{index="flights",asset="x",outcome="created"} 3"#,
            r#"es_bulk_rejected_documents_total{index="flights",asset="x",type="a\"b\\c\nd"} 3"#,
            r#"es_bulk_read_documents_total{index="flights",asset="x"} 6"#,
            r#"es_bulk_duration_seconds{index="flights",asset="x"} 1.5"#,
            r#"es_bulk_interrupted{index="flights",asset="x"} 0"#,
        ];
        for line in expected {
            assert!(lines.contains(&line), "{line} in {text}");
        }
        assert!(text.ends_with('\n') && summary.to_prometheus(&[]).contains("\nes_bulk_requests_total 0\n"));
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("# TYPE ")) {
            let name = line.split(' ').nth(2).unwrap();
            assert!(lines[at - 1].starts_with(&format!("# HELP {name} ")));
            assert_eq!(lines.iter().filter(|other| other.starts_with(&format!("# TYPE {name} "))).count(), 1);
            let is_counter = line.ends_with(" counter");
            assert_eq!(is_counter, name.ends_with("_total"), "{name}");
        }
    }
}
