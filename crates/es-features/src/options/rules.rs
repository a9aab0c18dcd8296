//! The rules for a set of features that its types do not express. Pure.

use std::collections::HashMap;

use es_values::{TimePoint, nearest, quoted_list};

use super::{Feature, FeatureSet, Percentiles};
use crate::error::Error;
use es_values::{PathSegment, Problem, ProblemKind};

impl FeatureSet {
    /// Every rule that the set breaks, in the order of its keys, without asking Elasticsearch.
    /// Empty for a set that can be computed where the source has its fields.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_lists(&mut problems);
        self.check_grid(&mut problems);
        self.check_windows(&mut problems);
        self.check_features(&mut problems);
        self.check_names(&mut problems);
        problems
    }

    /// Checks every rule that can be checked without Elasticsearch.
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] for the first of [`FeatureSet::problems`].
    ///
    /// [`ErrorKind::Definition`]: crate::ErrorKind::Definition
    pub fn validate(&self) -> Result<(), Error> {
        self.problems().into_iter().next().map_or(Ok(()), |problem| Err(problem.into()))
    }

    fn check_lists(&self, problems: &mut Vec<Problem>) {
        for (key, noun, is_empty) in [
            ("entity", "entity field", self.entity.is_empty()),
            ("windows", "window", self.windows.is_empty()),
            ("features", "feature", self.features.is_empty()),
        ] {
            if is_empty {
                problems.push(Problem::invalid(
                    path([key]),
                    format!("expected at least one {noun}, found none"),
                    format!("add {} {noun}", if noun.starts_with('e') { "an" } else { "a" }),
                ));
            }
        }
        for (index, field) in self.entity.iter().enumerate() {
            let place = || vec![PathSegment::from("entity"), index.into()];
            if *field == self.time {
                problems.push(Problem::invalid(
                    place(),
                    format!("`{field}` is the time, and cannot name an entity too"),
                    "remove it from `entity`",
                ));
            } else if self.entity[..index].contains(field) {
                problems.push(Problem::invalid(place(), format!("`{field}` is listed twice"), "remove one of them"));
            }
        }
    }

    fn check_grid(&self, problems: &mut Vec<Problem>) {
        let zone = self.timezone.time_zone();
        let instant = |key: &str, point: Option<TimePoint>, problems: &mut Vec<Problem>| {
            let point = point?;
            point.to_timestamp(zone).map_err(|_| problems.push(out_of_range(key, point))).ok().map(|at| (point, at))
        };
        let (start, end) = (instant("start", self.start, problems), instant("end", self.end, problems));
        if let (Some((start, first)), Some((end, last))) = (start, end)
            && first >= last
        {
            problems.push(Problem::invalid(
                path(["end"]),
                format!("`end` {end} is not after `start` {start}"),
                "the range includes its start but not its end, so this one is empty",
            ));
        }
    }

    fn check_windows(&self, problems: &mut Vec<Problem>) {
        for (index, window) in self.windows.iter().enumerate() {
            let earlier = &self.windows[..index];
            if let Some(same) = earlier.iter().find(|other| other.milliseconds() == window.milliseconds()) {
                let message = match same == window {
                    true => format!("window `{window}` is listed twice"),
                    false => format!("window `{window}` is as long as `{same}`"),
                };
                let place = vec![PathSegment::from("windows"), index.into()];
                problems.push(Problem::invalid(place, message, "remove one of them"));
            }
        }
    }

    fn check_features(&self, problems: &mut Vec<Problem>) {
        for (name, feature) in &self.features {
            if !is_name(name) {
                problems.push(Problem::invalid(
                    path(["features", name]),
                    format!("`{name}` cannot be the name of a feature"),
                    "use letters, digits, `_` and `-`, and do not begin with `_`",
                ));
            }
            match feature {
                Feature::Percentiles(percentiles) => check_percents(name, percentiles, problems),
                Feature::Derivative(derivative) => self.check_derivative(name, &derivative.of, problems),
                _ => {}
            }
        }
    }

    fn check_derivative(&self, name: &str, of: &str, problems: &mut Vec<Problem>) {
        let has_one_value = |feature: &Feature| !matches!(feature, Feature::Percentiles(_) | Feature::Derivative(_));
        let usable: Vec<&str> =
            self.features.iter().filter(|(_, feature)| has_one_value(feature)).map(|(name, _)| name.as_str()).collect();
        let help = match nearest(of, usable.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if usable.is_empty() => "add a feature with one value, such as an `avg`".to_owned(),
            None => format!("the features with one value are {}", quoted_list(usable.iter().copied())),
        };
        let mut kind = ProblemKind::InvalidValue;
        let message = match self.features.get(of) {
            None => {
                kind = ProblemKind::UnknownReference;
                format!("unknown feature `{of}`")
            }
            Some(_) if of == name => format!("`{name}` is derived from itself"),
            Some(Feature::Percentiles(_)) => {
                format!("`{of}` has one value for each percentile, and a derivative needs a single value")
            }
            Some(Feature::Derivative(_)) => format!("`{of}` is a derivative itself"),
            Some(_) => return,
        };
        problems.push(Problem { path: path(["features", name, "derivative", "of"]), kind, message, help });
    }

    /// No two fields of a row may share a name, and none may be an object that holds another.
    fn check_names(&self, problems: &mut Vec<Problem>) {
        let fixed = self.entity.iter().map(|field| (field.clone(), "the entity".to_owned()));
        let mut owners: HashMap<String, String> = fixed.collect();
        owners.insert(self.time.clone(), "the time".to_owned());
        for (name, feature) in &self.features {
            // Windows and percentiles that are listed twice are reported as such, and would repeat
            // fields here.
            let mut mine: Vec<String> = Vec::new();
            for field in self.windows.iter().flat_map(|window| feature.fields(name, *window)) {
                if !mine.contains(&field.field) {
                    mine.push(field.field);
                }
            }
            let taken = mine.iter().find_map(|field| Some((field, owners.get(field)?)));
            if let Some((field, owner)) = taken {
                let message = format!("field `{field}` of `{name}` is also a field of {owner}");
                problems.push(Problem::invalid(path(["features", name]), message, "rename the feature"));
            }
            owners.extend(mine.into_iter().map(|field| (field, format!("`{name}`"))));
        }
        let time = (vec![PathSegment::from("time")], &self.time);
        let entity = self.entity.iter().enumerate();
        for (place, field) in
            entity.map(|(index, field)| (vec![PathSegment::from("entity"), index.into()], field)).chain([time])
        {
            let object = field
                .match_indices('.')
                .map(|(dot, _)| &field[..dot])
                .find_map(|prefix| owners.get(prefix).map(|owner| (prefix, owner)));
            if let Some((object, owner)) = object {
                problems.push(Problem::invalid(
                    place,
                    format!("`{field}` lies inside `{object}`, which is a field of {owner}"),
                    "a field of a row cannot be an object as well: rename one of them",
                ));
            }
        }
    }
}

fn check_percents(name: &str, percentiles: &Percentiles, problems: &mut Vec<Problem>) {
    let list = || path(["features", name, "percentiles", "percents"]);
    if percentiles.percents.is_empty() {
        problems.push(Problem::invalid(list(), "expected at least one percentile, found none", "add one, such as 50"));
    }
    for (index, percent) in percentiles.percents.iter().enumerate() {
        let item = || -> Vec<PathSegment> { list().into_iter().chain([index.into()]).collect() };
        if !(0.0..=100.0).contains(percent) {
            let message = format!("{percent} is not a percentile");
            problems.push(Problem::invalid(item(), message, "write a number from 0 to 100"));
        } else if percentiles.percents[..index].contains(percent) {
            let message = format!("percentile {percent} is listed twice");
            problems.push(Problem::invalid(item(), message, "remove one of them"));
        }
    }
}

fn out_of_range(key: &str, point: TimePoint) -> Problem {
    Problem::invalid(path([key]), format!("`{point}` is out of range"), "write a time between the years -9999 and 9999")
}

fn path<const N: usize>(keys: [&str; N]) -> Vec<PathSegment> {
    keys.map(PathSegment::from).to_vec()
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::route_delays;

    /// The problems of the reference set with one thing changed: each in a line, and its help.
    fn changed(change: impl FnOnce(&mut FeatureSet)) -> Vec<(String, String)> {
        let mut set = route_delays();
        change(&mut set);
        set.problems().into_iter().map(|problem| (problem.to_string(), problem.help)).collect()
    }

    fn add(name: &str, feature: Feature) -> Vec<(String, String)> {
        changed(|set| drop(set.features.insert(name.to_owned(), feature)))
    }

    #[test]
    fn every_broken_rule_is_named_with_its_place_and_its_remedy() {
        let point = |text: &str| Some(text.parse::<TimePoint>().unwrap());
        let with_window = |window: &str| {
            let window = window.parse().unwrap();
            changed(|set| set.windows.push(window))
        };
        let table = [
            (
                changed(|set| set.entity.clear()),
                "entity: expected at least one entity field, found none",
                "add an entity field",
            ),
            (changed(|set| set.windows.clear()), "windows: expected at least one window, found none", "add a window"),
            (
                changed(|set| set.features.clear()),
                "features: expected at least one feature, found none",
                "add a feature",
            ),
            (
                changed(|set| set.entity.push("time_hour".to_owned())),
                "entity[2]: `time_hour` is the time, and cannot name an entity too",
                "remove it from `entity`",
            ),
            (
                changed(|set| set.entity.push("origin".to_owned())),
                "entity[2]: `origin` is listed twice",
                "remove one of them",
            ),
            (
                changed(|set| (set.start, set.end) = (point("2013-01-02"), point("2013-01-02T00:00:00Z"))),
                "end: `end` 2013-01-02T00:00:00Z is not after `start` 2013-01-02",
                "the range includes its start but not its end, so this one is empty",
            ),
            (with_window("7d"), "windows[2]: window `7d` is listed twice", "remove one of them"),
            (with_window("168h"), "windows[2]: window `168h` is as long as `7d`", "remove one of them"),
            (
                add("Über", Feature::count()),
                "features.Über: `Über` cannot be the name of a feature",
                "use letters, digits, `_` and `-`, and do not begin with `_`",
            ),
            (
                add("_a", Feature::count()),
                "features._a: `_a` cannot be the name of a feature",
                "use letters, digits, `_` and `-`, and do not begin with `_`",
            ),
            (
                add("delay_p50", Feature::count()),
                "features.delay_p50: field `delay_p50_7d` of `delay_p50` is also a field of `delay`",
                "rename the feature",
            ),
            (
                changed(|set| set.time = "flights_7d".to_owned()),
                "features.flights: field `flights_7d` of `flights` is also a field of the time",
                "rename the feature",
            ),
            (
                changed(|set| set.entity[0] = "flights_28d".to_owned()),
                "features.flights: field `flights_28d` of `flights` is also a field of the entity",
                "rename the feature",
            ),
            (
                changed(|set| set.entity.push("flights_7d.x".to_owned())),
                "entity[2]: `flights_7d.x` lies inside `flights_7d`, which is a field of `flights`",
                "a field of a row cannot be an object as well: rename one of them",
            ),
            (
                add("p", Feature::percentiles("x", [])),
                "features.p.percentiles.percents: expected at least one percentile, found none",
                "add one, such as 50",
            ),
            (
                add("p", Feature::percentiles("x", [50.0, 100.1])),
                "features.p.percentiles.percents[1]: 100.1 is not a percentile",
                "write a number from 0 to 100",
            ),
            (
                add("p", Feature::percentiles("x", [f64::NAN])),
                "features.p.percentiles.percents[0]: NaN is not a percentile",
                "write a number from 0 to 100",
            ),
            (
                add("p", Feature::percentiles("x", [50.0, 50.0])),
                "features.p.percentiles.percents[1]: percentile 50 is listed twice",
                "remove one of them",
            ),
            (
                add("d", Feature::derivative("delay_maen")),
                "features.d.derivative.of: unknown feature `delay_maen`",
                "did you mean `delay_mean`?",
            ),
            (
                add("d", Feature::derivative("delay")),
                "features.d.derivative.of: `delay` has one value for each percentile, and a derivative needs a single value",
                "the features with one value are `flights`, `delay_mean`, `destinations`, `cancelled`, `speed`",
            ),
            (
                add("d", Feature::derivative("delay_change")),
                "features.d.derivative.of: `delay_change` is a derivative itself",
                "did you mean `delay_mean`?",
            ),
            (
                add("d", Feature::derivative("d")),
                "features.d.derivative.of: `d` is derived from itself",
                "the features with one value are `flights`, `delay_mean`, `destinations`, `cancelled`, `speed`",
            ),
        ];
        for (problems, line, help) in table {
            assert_eq!(problems, [(line.to_owned(), help.to_owned())]);
        }
        assert_eq!(route_delays().problems(), []);
    }

    #[test]
    fn an_unknown_feature_is_an_unknown_reference_and_all_problems_are_listed() {
        let mut set = route_delays();
        set.features.insert("d".to_owned(), Feature::derivative("nothing_like_it"));
        set.windows.push(set.windows[0]);
        let kinds: Vec<ProblemKind> = set.problems().into_iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, [ProblemKind::InvalidValue, ProblemKind::UnknownReference]);
    }
}
