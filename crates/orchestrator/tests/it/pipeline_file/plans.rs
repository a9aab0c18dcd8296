//! Plans for the reference pipeline, after one change each.

use std::collections::BTreeMap;

use es_assets::{
    Action, Error, Fingerprint, Inputs, PartitionFilter, PartitionKey, PartitionState, PerPartition, Pipeline, Plan,
    PlanRequest, Published, Reason, Unmet, inputs, is_stale, plan,
};
use jiff::Timestamp;

use super::{FLIGHTS, parse};

const NOW: &str = "2014-06-01T00:00:00Z";

/// A pipeline and what is known of it.
struct World {
    pipeline: Pipeline,
    observed: PerPartition<PartitionState>,
    external: PerPartition<Inputs>,
    now: Timestamp,
}

impl World {
    /// The reference pipeline, edited.
    fn new(edits: &[(&str, &str)]) -> Self {
        let mut text = FLIGHTS.to_owned();
        for (from, to) in edits {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let pipeline = parse("flights.yaml", &text, None).unwrap_or_else(|errors| panic!("{errors}"));
        let mut world =
            Self { pipeline, observed: PerPartition::new(), external: PerPartition::new(), now: NOW.parse().unwrap() };
        world.files("a");
        world
    }

    /// Gives every file this version.
    fn files(&mut self, version: &str) {
        for name in ["departures", "weather"] {
            for part in self.declared(name) {
                self.file(name, part.as_ref().map(PartitionKey::as_str), version);
            }
        }
    }

    fn file(&mut self, asset: &str, part: Option<&str>, version: &str) {
        let inputs = Inputs::from([("file".to_owned(), version.to_owned())]);
        self.external.insert(asset, part.map(PartitionKey::from_text), inputs);
    }

    fn declared(&self, asset: &str) -> Vec<Option<PartitionKey>> {
        match self.pipeline.asset(asset).unwrap().partitions() {
            None => vec![None],
            Some(partitions) => {
                partitions.declared(self.now).unwrap().into_iter().map(|partition| Some(partition.key)).collect()
            }
        }
    }

    fn plan_of(&self, selected: &[&str], partitions: &PartitionFilter, full_refresh: bool) -> Result<Plan, Error> {
        plan(&PlanRequest {
            pipeline: &self.pipeline,
            selected,
            partitions,
            full_refresh,
            observed: &self.observed,
            external: &self.external,
            now: self.now,
        })
    }

    fn plan(&self) -> Plan {
        self.plan_of(&self.pipeline.graph().order(), &PartitionFilter::All, false).unwrap()
    }

    /// Does what the plan says, as a run would: inputs are taken at the time of the step,
    /// and the content follows from the definition and the inputs.
    fn run(&mut self) {
        let plan = self.plan();
        for step in plan.pending() {
            let part = step.partition.as_ref();
            let definition = Fingerprint::of(self.pipeline.asset(&step.asset).unwrap());
            let inputs = inputs(&self.pipeline, &step.asset, part, &self.observed, &self.external, self.now);
            if step.action == Action::Retire {
                self.observed.remove(&step.asset, part);
                continue;
            }
            let version = format!("{} of {inputs:?}", definition.content_hash());
            let published = Published { fingerprint: definition, inputs, version, generation: None, rows: Some(1) };
            let state = PartitionState { published: Some(published), failure: None };
            self.observed.insert(&step.asset, step.partition.clone(), state);
        }
    }

    /// This world's pipeline replaced by the reference pipeline, edited.
    fn edited(mut self, edits: &[(&str, &str)]) -> Self {
        let other = Self::new(edits);
        self.pipeline = other.pipeline;
        self.external = other.external;
        self
    }
}

/// A world in which everything is up to date.
fn built() -> World {
    let mut world = World::new(&[]);
    world.run();
    world
}

/// The pending steps in words, partitions of one asset with the same action together.
fn summary(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for step in plan.pending() {
        let action = match &step.action {
            Action::Build { reasons } => format!("build: {}", words(reasons)),
            Action::Evaluate { reasons } => format!("evaluate: {}", words(reasons)),
            Action::UpdateInPlace { settings } => format!("update {}", settings.join(" ")),
            Action::Recheck => "recheck".to_owned(),
            Action::Retire => "retire".to_owned(),
            Action::Unchanged => "unchanged".to_owned(),
        };
        let key = format!("{} {action}", step.asset);
        let part = step.partition.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        match lines.last_mut() {
            Some((last, parts)) if *last == key => parts.push(part),
            _ => lines.push((key, vec![part])),
        }
    }
    let part = |parts: &[String]| match parts {
        [only] => only.clone(),
        several => format!("{}..{} ({})", several[0], several[several.len() - 1], several.len()),
    };
    lines.into_iter().map(|(key, parts)| format!("{key} [{}]", part(&parts))).collect()
}

fn words(reasons: &[Reason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn everything_is_new_at_first_and_unchanged_after_a_run() {
    let mut world = World::new(&[]);
    let first = world.plan();
    assert_eq!(
        summary(&first),
        [
            "departures build: never built [2013-01..2013-12 (12)]",
            "weather build: never built [-]",
            "route_delays build: never built; `departures` will change [-]",
            "training_set build: never built; `departures` will change [-]",
            "delay_drift evaluate: never built; `departures` will change [-]",
        ]
    );
    assert!(first.unmet.is_empty());
    world.run();
    let second = world.plan();
    assert!(second.is_empty(), "{:?}", summary(&second));
    assert_eq!(second.steps.len(), 16);
}

#[test]
fn a_change_makes_exactly_what_depends_on_it_stale() {
    let downstream = |because: &str| {
        vec![
            format!("route_delays build: {because} [-]"),
            format!("training_set build: {because} [-]"),
            format!("delay_drift evaluate: {because} [-]"),
        ]
    };
    let with_departures = |line: &str| {
        let mut lines = vec![line.to_owned()];
        lines.extend(downstream("`departures` will change"));
        lines
    };
    /// The change, the edits of the file, and the plan.
    type Case = (&'static str, &'static [(&'static str, &'static str)], Vec<String>);
    let cases: Vec<Case> = vec![
        (
            "a mapping",
            &[("dest: { type: keyword, fields: { text: { type: text } } }", "dest: { type: keyword }")],
            with_departures("departures build: changed `mappings` [2013-01..2013-12 (12)]"),
        ),
        (
            "a fixed setting",
            &[("number_of_shards: 1", "number_of_shards: 2")],
            with_departures("departures build: changed `settings` [2013-01..2013-12 (12)]"),
        ),
        ("the split", &[("seed: 7", "seed: 8")], vec!["training_set build: changed `split` [-]".to_owned()]),
        (
            "a feature",
            &[("percents: [50, 90]", "percents: [50, 99]")],
            vec!["route_delays build: changed `features.delay` [-]".to_owned()],
        ),
        (
            "a threshold",
            &[("{ method: psi, max: 0.1 }", "{ method: psi, max: 0.2 }")],
            vec!["delay_drift evaluate: changed `fields.distance` [-]".to_owned()],
        ),
        (
            "a dynamic setting",
            &[("number_of_replicas: 0", "number_of_replicas: 1")],
            vec!["departures update number_of_replicas [2013-01..2013-12 (12)]".to_owned()],
        ),
        (
            "a check",
            &[("min: 1, max: 6000", "min: 1, max: 5000")],
            vec!["departures recheck [2013-01..2013-12 (12)]".to_owned()],
        ),
        ("a description", &[("One document a scheduled flight.", "Flights.")], vec![]),
        ("automation", &[("0 2 * * *", "0 3 * * *")], vec![]),
        (
            "another order of keys",
            &[("from: departures\n    entity: [origin, carrier]", "entity: [origin, carrier]\n    from: departures")],
            vec![],
        ),
        (
            "a later end",
            &[("end: 2014-01-01", "end: 2014-03-01")],
            with_departures("departures build: never built [2014-01..2014-02 (2)]"),
        ),
        ("an earlier end", &[("end: 2014-01-01", "end: 2013-12-01")], with_departures("departures retire [2013-12]")),
    ];
    for (what, edits, expected) in cases {
        let plan = built().edited(edits).plan();
        assert_eq!(summary(&plan), expected, "{what}");
    }
}

#[test]
fn new_files_make_their_partition_and_what_depends_on_it_stale() {
    let mut world = built();
    world.file("departures", Some("2013-06"), "b");
    assert_eq!(
        summary(&world.plan()),
        [
            "departures build: changed input `file` [2013-06]",
            "route_delays build: `departures` will change [-]",
            "training_set build: `departures` will change [-]",
            "delay_drift evaluate: `departures` will change [-]",
        ]
    );
    // Only departures is run: the others then learn of it by the version of their input.
    let only = world.plan_of(&["departures"], &PartitionFilter::All, false).unwrap();
    assert_eq!(summary(&only), ["departures build: changed input `file` [2013-06]"]);
    let mut others = world.plan_of(&["route_delays"], &PartitionFilter::All, false).unwrap();
    assert!(others.is_empty());
    let key = PartitionKey::from_text("2013-06");
    let mut state = world.observed.get("departures", Some(&key)).unwrap().clone();
    if let Some(published) = &mut state.published {
        published.version = "other".to_owned();
    }
    world.observed.insert("departures", Some(key), state);
    others = world.plan_of(&["route_delays"], &PartitionFilter::All, false).unwrap();
    assert_eq!(summary(&others), ["route_delays build: changed input `departures/2013-06` [-]"]);

    let mut world = built();
    world.file("weather", None, "b");
    assert_eq!(summary(&world.plan()), ["weather build: changed input `file` [-]"]);
}

#[test]
fn an_upstream_that_turns_out_the_same_leaves_nothing_to_do() {
    let world = built();
    let state = world.observed.get("route_delays", None);
    let definition = Fingerprint::of(world.pipeline.asset("route_delays").unwrap());
    let now = inputs(&world.pipeline, "route_delays", None, &world.observed, &world.external, world.now);
    assert_eq!(now.len(), 12);
    assert_eq!(is_stale(state, &definition, &now), []);
    let mut other = now.clone();
    other.remove("departures/2013-01");
    let gone = Reason::InputChanged { name: "departures/2013-01".to_owned() };
    assert_eq!(is_stale(state, &definition, &other), [gone]);
    assert_eq!(is_stale(None, &definition, &now), [Reason::New]);
}

#[test]
fn a_failed_run_is_repeated() {
    let mut world = built();
    let key = PartitionKey::from_text("2013-03");
    let mut state = world.observed.get("departures", Some(&key)).unwrap().clone();
    state.failure = Some("disk full".to_owned());
    world.observed.insert("departures", Some(key), state);
    assert_eq!(summary(&world.plan())[0], "departures build: last run failed: disk full [2013-03]");

    let mut world = World::new(&[]);
    let never = PartitionState { published: None, failure: Some("no file".to_owned()) };
    world.observed.insert("weather", None, never);
    let plan = world.plan_of(&["weather"], &PartitionFilter::All, false).unwrap();
    assert_eq!(summary(&plan), ["weather build: last run failed: no file [-]"]);
}

#[test]
fn filters_limit_partitions_and_a_full_refresh_repeats_them() {
    let world = built();
    let may = PartitionFilter::range(Some("2013-05"), Some("2013-07")).unwrap();
    let everything = world.pipeline.graph().order();
    assert!(world.plan_of(&everything, &may, false).unwrap().is_empty());
    let plan = world.plan_of(&["departures"], &may, true).unwrap();
    assert_eq!(summary(&plan), ["departures build: requested [2013-05..2013-06 (2)]"]);
    // What the filter leaves out is not retired.
    let world = built().edited(&[("end: 2014-01-01", "end: 2013-12-01")]);
    assert!(world.plan_of(&["departures"], &may, false).unwrap().is_empty());
    let unknown = PartitionFilter::One(PartitionKey::from_text("2015-01"));
    assert!(world.plan_of(&everything, &unknown, false).is_err());
    assert!(world.plan_of(&["weather"], &unknown, false).unwrap().is_empty());
}

#[test]
fn what_is_missing_or_left_over_is_told() {
    let world = World::new(&[]);
    let plan = world.plan_of(&["route_delays"], &PartitionFilter::All, false).unwrap();
    assert_eq!(plan.unmet, [Unmet { asset: "route_delays".to_owned(), needs: "departures".to_owned() }]);
    assert_eq!(plan.changed_assets(), ["route_delays"]);

    let mut world = built();
    world.observed.insert("old_asset", None, PartitionState::default());
    assert_eq!(world.plan().removed, ["old_asset"]);
}

#[test]
fn a_change_of_the_partitioning_retires_the_old_parts() {
    let edits =
        [("every: month, start: 2013-01-01, end: 2014-01-01", "every: year, start: 2013-01-01, end: 2014-01-01")];
    let plan = built().edited(&edits).plan();
    assert_eq!(
        summary(&plan)[..2],
        ["departures build: never built [2013]", "departures retire [2013-01..2013-12 (12)]"]
    );
}

#[test]
fn a_window_that_ends_now_moves_with_its_unit() {
    let edit = [("current: { from: 2013-07-01, to: 2013-08-01 }", "current: { last: 30d }")];
    let mut world = World::new(&edit);
    world.run();
    assert!(world.plan().is_empty());
    world.now = "2014-06-01T03:59:00Z".parse().unwrap();
    assert!(world.plan().is_empty());
    world.now = "2014-06-01T04:00:00Z".parse().unwrap();
    assert_eq!(summary(&world.plan()), ["delay_drift evaluate: changed input `now` [-]"]);
}

#[test]
fn to_depend_on_a_monitor_is_only_to_come_after_it() {
    let edit = [("  training_set:\n    kind: export", "  training_set:\n    deps: [delay_drift]\n    kind: export")];
    let mut world = World::new(&edit);
    let order = world.pipeline.graph().order();
    let at = |name: &str| order.iter().position(|other| *other == name);
    assert!(at("delay_drift") < at("training_set"));
    world.run();
    let mut edits: Vec<(&str, &str)> = edit.to_vec();
    edits.push(("{ method: psi, max: 0.1 }", "{ method: psi, max: 0.2 }"));
    let plan = world.edited(&edits).plan();
    assert_eq!(plan.changed_assets(), ["delay_drift"]);
}

#[test]
fn reasons_are_told_in_words() {
    let reasons: BTreeMap<&str, Reason> = BTreeMap::from([
        ("changed `id`, `time`", Reason::DefinitionChanged { parts: vec!["id".to_owned(), "time".to_owned()] }),
        ("requested", Reason::Requested),
    ]);
    for (text, reason) in reasons {
        assert_eq!(reason.to_string(), text);
    }
}
