//! A plan as a person reads it: an asset a line, and its partitions apart only where they differ. Pure.

use super::screen::Screen;
use super::table::{Align, Table, count};

/// Partitions up to this number are named one by one, more of them by the first and the last.
const NAMED: usize = 2;

/// A step of a plan as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLine {
    /// The asset.
    pub asset: String,
    /// The partition, of an asset that has partitions.
    pub partition: Option<String>,
    /// The action.
    pub action: &'static str,
    /// The rows that the part will have, where that is known.
    pub rows: Option<u64>,
    /// Why.
    pub why: String,
}

/// The steps of a plan that do something. `all` is the number of parts that an asset has in the plan,
/// with those that are up to date.
pub fn table(steps: &[StepLine], all: impl Fn(&str) -> usize, each_alone: bool, screen: &Screen) -> String {
    let mut table = Table::new(&[
        ("asset", Align::Name),
        ("parts", Align::Left),
        ("action", Align::Left),
        ("rows", Align::Right),
        ("why", Align::Text),
    ]);
    let mut before = "";
    for of_asset in steps.chunk_by(|one, next| one.asset == next.asset) {
        for group in groups(of_asset, each_alone) {
            let first = group[0];
            let rows: Option<u64> = group.iter().map(|step| step.rows).sum();
            let name = if first.asset == before { "" } else { &first.asset };
            before = &first.asset;
            table.row([
                name.to_owned(),
                parts(&group, all(&first.asset), each_alone),
                first.action.replace('_', " "),
                rows.map(count).unwrap_or_default(),
                first.why.clone(),
            ]);
        }
    }
    table.fit(screen)
}

/// Reasons in one sentence: assets that will change are named together.
pub fn in_words(reasons: &[String]) -> String {
    let asset = |reason: &String| reason.strip_suffix(" will change").map(str::to_owned);
    let changing: Vec<String> = reasons.iter().filter_map(asset).collect();
    let mut words: Vec<String> = reasons.iter().filter(|reason| asset(reason).is_none()).cloned().collect();
    if !changing.is_empty() {
        words.push(format!("{} will change", changing.join(", ")));
    }
    words.join("; ")
}

/// The steps of an asset with the same work for the same reason, in the order of their first.
fn groups(steps: &[StepLine], each_alone: bool) -> Vec<Vec<&StepLine>> {
    let mut groups: Vec<Vec<&StepLine>> = Vec::new();
    for step in steps {
        let is_alike = |group: &&mut Vec<&StepLine>| group[0].action == step.action && group[0].why == step.why;
        match groups.iter_mut().find(is_alike).filter(|_| !each_alone) {
            Some(group) => group.push(step),
            None => groups.push(vec![step]),
        }
    }
    groups
}

/// The number of parts, or their names where they are not all of the asset.
fn parts(group: &[&StepLine], all: usize, each_alone: bool) -> String {
    let names: Vec<&str> = group.iter().filter_map(|step| step.partition.as_deref()).collect();
    match names[..] {
        [] => "1".to_owned(),
        _ if names.len() == all && !each_alone => all.to_string(),
        [first, .., last] if names.len() > NAMED => format!("{first} to {last} ({} of {all})", names.len()),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(asset: &str, partitions: std::ops::RangeInclusive<u32>, why: &str) -> Vec<StepLine> {
        let line = |number| StepLine {
            asset: asset.to_owned(),
            partition: Some(format!("2013-{number:02}")),
            action: "build",
            rows: Some(1_000),
            why: why.to_owned(),
        };
        partitions.map(line).collect()
    }

    fn whole(asset: &str) -> StepLine {
        StepLine {
            asset: asset.to_owned(),
            partition: None,
            action: "update_in_place",
            rows: None,
            why: "settings changed: refresh_interval".to_owned(),
        }
    }

    #[test]
    fn partitions_are_counted_where_they_are_alike() {
        let mut plan = steps("departures", 1..=12, "never built");
        plan.push(whole("weather"));
        let all = |name: &str| if name == "departures" { 12 } else { 1 };
        assert_eq!(
            table(&plan, all, false, &Screen::wide(80)),
            "\
asset       parts  action             rows  why
departures  12     build            12,000  never built
weather     1      update in place          settings changed: refresh_interval
"
        );
        let each = table(&plan, all, true, &Screen::wide(80));
        assert_eq!(each.lines().count(), 14);
        assert!(each.contains("\n            2013-02  build"), "{each}");
    }

    #[test]
    fn partitions_are_named_where_they_differ() {
        let mut plan = steps("departures", 1..=1, "changed input `files`");
        plan.extend(steps("departures", 2..=3, "never built"));
        plan.extend(steps("departures", 4..=8, "last run failed"));
        assert_eq!(
            table(&plan, |_| 12, false, &Screen::wide(80)),
            "\
asset       parts                         action   rows  why
departures  2013-01                       build   1,000  changed input `files`
            2013-02, 2013-03              build   2,000  never built
            2013-04 to 2013-08 (5 of 12)  build   5,000  last run failed
"
        );
    }

    #[test]
    fn assets_that_will_change_are_named_together() {
        let reasons = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let table = [
            (reasons(&["never built", "`a` will change", "`b` will change"]), "never built; `a`, `b` will change"),
            (reasons(&["`a` will change"]), "`a` will change"),
            (reasons(&["changed `sql`"]), "changed `sql`"),
            (reasons(&[]), ""),
        ];
        for (reasons, text) in table {
            assert_eq!(in_words(&reasons), text);
        }
    }
}
