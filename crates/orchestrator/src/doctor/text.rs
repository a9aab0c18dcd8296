//! Findings as a person reads them: a line each by group, with what to do below those that need
//! it, and the counts at the end. Pure.

use super::finding::{Counts, Finding, Group, Status};

/// Lines of one check and status beyond this are only counted: a large cluster has many nodes
/// and indices, of which the first few tell as much.
const MOST_ALIKE: usize = 4;

/// A name is not padded beyond this, so that one long name does not push all values away.
const WIDEST_NAME: usize = 30;

/// Everything, ready to be printed.
pub fn render(findings: &[Finding], colour: bool) -> String {
    let names: Vec<String> = findings.iter().map(name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(WIDEST_NAME);
    let mut text = String::new();
    let mut groups: Vec<Group> = findings.iter().map(|finding| finding.group).collect();
    groups.sort();
    groups.dedup();
    for group in groups {
        let of_group: Vec<&Finding> = findings.iter().filter(|finding| finding.group == group).collect();
        text.push_str(&painted(&format!("{group}\n"), Paint::Bold, colour));
        match skipped_whole(&of_group) {
            Some(why) => text.push_str(&format!("  {}  {why}\n", status(Status::Skip, colour))),
            None => add_group(&mut text, &of_group, width, colour),
        }
    }
    text.push_str(&format!("\n{}\n", Counts::of(findings)));
    text
}

/// Why nothing of a group was measured, where it is the same for all of it.
fn skipped_whole<'a>(findings: &[&'a Finding]) -> Option<&'a str> {
    let first = findings.first()?;
    let alike = |finding: &&Finding| finding.status == Status::Skip && finding.measured == first.measured;
    findings.iter().all(alike).then_some(first.measured.as_str())
}

fn add_group(text: &mut String, findings: &[&Finding], width: usize, colour: bool) {
    let mut place = 0;
    while place < findings.len() {
        let first = findings[place];
        let is_alike = |finding: &&&Finding| finding.check == first.check && finding.status == first.status;
        let alike: Vec<&Finding> = findings[place..].iter().take_while(is_alike).copied().collect();
        place += alike.len();
        // One more than fits is as long as the line that would stand for it.
        let shown = if alike.len() > MOST_ALIKE + 1 { MOST_ALIKE } else { alike.len() };
        for (number, finding) in alike[..shown].iter().enumerate() {
            let mut line =
                format!("  {}  {:<width$}  {}", status(finding.status, colour), name(finding), finding.measured);
            if let Some(threshold) = &finding.threshold {
                line.push_str(&painted(&format!(" ({threshold})"), Paint::Dim, colour));
            }
            text.push_str(line.trim_end());
            text.push('\n');
            // The same advice for several lines is given once, after the last of them.
            let is_last = number + 1 == shown;
            let is_same = |next: &&Finding| next.help == finding.help;
            if let Some(help) = &finding.help
                && (is_last || !alike.get(number + 1).is_some_and(is_same))
            {
                text.push_str(&format!("        {}: {help}\n", painted("help", Paint::Cyan, colour)));
            }
        }
        if shown < alike.len() {
            text.push_str(&format!("        and {} more like these\n", alike.len() - shown));
        }
    }
}

fn name(finding: &Finding) -> String {
    match &finding.subject {
        Some(subject) => format!("{}: {subject}", finding.check),
        None => finding.check.to_owned(),
    }
}

fn status(status: Status, colour: bool) -> String {
    let paint = match status {
        Status::Pass => Paint::Green,
        Status::Skip => Paint::Dim,
        Status::Warn => Paint::Yellow,
        Status::Fail => Paint::Red,
    };
    painted(&status.to_string(), paint, colour)
}

#[derive(Clone, Copy)]
enum Paint {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

fn painted(text: &str, paint: Paint, colour: bool) -> String {
    if !colour {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Bold => "1",
        Paint::Dim => "2",
        Paint::Red => "31;1",
        Paint::Green => "32",
        Paint::Yellow => "33",
        Paint::Cyan => "36",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(group: Group, check: &'static str, status: Status, measured: &str) -> Finding {
        Finding::new(group, check, status, measured)
    }

    #[test]
    fn lines_are_aligned_and_advice_is_given_once() {
        let findings = [
            finding(Group::Nodes, "disk", Status::Warn, "1 GB free").about("n1").against("2 GB").help("add disks"),
            finding(Group::Nodes, "disk", Status::Warn, "2 GB free").about("n2").help("add disks"),
            finding(Group::Connection, "port", Status::Pass, "3 ms"),
            finding(Group::Shards, "count", Status::Skip, "the connection failed"),
            finding(Group::Shards, "size", Status::Skip, "the connection failed"),
        ];
        let expected = "\
connection
  pass  port      3 ms
nodes
  warn  disk: n1  1 GB free (2 GB)
  warn  disk: n2  2 GB free
        help: add disks
shards
  skip  the connection failed

1 passed, 2 warned, 0 failed, 2 skipped
";
        assert_eq!(render(&findings, false), expected);
        assert!(render(&findings, true).contains("\x1b[33mwarn\x1b[0m"));
        assert!(!render(&findings, false).contains('\x1b'));
    }

    #[test]
    fn many_lines_alike_are_counted() {
        let of = |count: usize| -> Vec<Finding> {
            (0..count).map(|n| finding(Group::Nodes, "heap", Status::Pass, "10 %").about(format!("n{n}"))).collect()
        };
        assert_eq!(render(&of(5), false).lines().filter(|line| line.contains("heap")).count(), 5);
        let many = render(&of(40), false);
        assert!(many.contains("and 36 more like these") && many.contains("40 passed"), "{many}");
    }
}
