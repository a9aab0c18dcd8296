//! The difference of two versions. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::checksum::Checksum;
use super::version::{Location, ModelFormat, TrainingSet, Version};
use crate::signature::{InputColumn, TensorSpec};

/// Something with a name that is not the same in both versions, or in one of them alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change<T> {
    /// The name.
    pub name: String,
    /// The old one.
    pub from: Option<T>,
    /// The new one.
    pub to: Option<T>,
}

/// A metric of either version, also one that did not change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricChange {
    /// The metric.
    pub metric: String,
    /// The part of the data that it was measured on.
    pub part: String,
    /// The old value.
    pub from: Option<f64>,
    /// The new value.
    pub to: Option<f64>,
    /// The new value less the old one, where there are both.
    pub delta: Option<f64>,
}

/// The model itself: a file or a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelFile {
    /// The format.
    pub format: ModelFormat,
    /// The place.
    pub location: Location,
    /// The checksum, where there is one.
    pub sha256: Option<Checksum>,
    /// The size, where it is known.
    pub bytes: Option<u64>,
}

/// The difference of two versions of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The model's name.
    pub model: String,
    /// The old version.
    pub from: u32,
    /// The new version.
    pub to: u32,
    /// The file or the place, if it is another.
    pub file: Option<Change<ModelFile>>,
    /// Columns of a row.
    pub columns: Vec<Change<InputColumn>>,
    /// The columns in their order, old and new, where both have them in another order.
    pub order: Option<(Vec<String>, Vec<String>)>,
    /// Tensors that the model takes.
    pub inputs: Vec<Change<TensorSpec>>,
    /// Tensors that the model gives.
    pub outputs: Vec<Change<TensorSpec>>,
    /// Values of the encoders, by JSON Pointer (RFC 6901).
    pub encoders: Vec<Change<Value>>,
    /// Values of the text encoders, by JSON Pointer.
    pub text: Vec<Change<Value>>,
    /// All metrics of both.
    pub metrics: Vec<MetricChange>,
    /// The training set, if it is another.
    pub training: Option<Change<TrainingSet>>,
    /// Tags.
    pub tags: Vec<Change<String>>,
}

impl Difference {
    /// The difference from an old version to a new one.
    #[must_use]
    pub fn between(old: &Version, new: &Version) -> Self {
        let (from, to) = (&old.signature, &new.signature);
        let mut encoders = Vec::new();
        json_changes("", old.encoders.as_ref(), new.encoders.as_ref(), &mut encoders);
        let mut text = Vec::new();
        let of = |version: &Version| version.text.as_ref().map(|encoder| json!(encoder));
        json_changes("", of(old).as_ref(), of(new).as_ref(), &mut text);
        Self {
            model: new.model.clone(),
            from: old.number,
            to: new.number,
            file: changed("file", Some(&file_of(old)), Some(&file_of(new))),
            columns: by_name(&from.columns, &to.columns, |column| &column.name),
            order: other_order(&from.columns, &to.columns),
            inputs: by_name(&from.inputs, &to.inputs, |tensor| &tensor.name),
            outputs: by_name(&from.outputs, &to.outputs, |tensor| &tensor.name),
            encoders,
            text,
            metrics: metric_changes(old, new),
            training: changed("training", old.training.as_ref(), new.training.as_ref()),
            tags: tag_changes(&old.tags, &new.tags),
        }
    }

    /// Returns whether rows for the old version are rows for the new one, and their answers mean the
    /// same: columns, tensors and encoders, also of texts, are equal.
    pub fn has_same_interface(&self) -> bool {
        self.columns.is_empty()
            && self.order.is_none()
            && self.inputs.is_empty()
            && self.outputs.is_empty()
            && self.encoders.is_empty()
            && self.text.is_empty()
    }
}

fn file_of(version: &Version) -> ModelFile {
    ModelFile {
        format: version.format,
        location: version.location.clone(),
        sha256: version.sha256,
        bytes: version.bytes,
    }
}

fn changed<T: Clone + PartialEq>(name: &str, from: Option<&T>, to: Option<&T>) -> Option<Change<T>> {
    (from != to).then(|| Change { name: name.to_owned(), from: from.cloned(), to: to.cloned() })
}

/// Changes in the order of the new list, with those that are gone at the end.
fn by_name<T: Clone + PartialEq>(old: &[T], new: &[T], name: impl Fn(&T) -> &String) -> Vec<Change<T>> {
    let find = |list: &[T], wanted: &str| list.iter().find(|item| name(item) == wanted).cloned();
    let names: Vec<&String> = new.iter().map(&name).collect();
    let gone = old.iter().map(&name).filter(|name| !names.contains(name));
    let all: Vec<&String> = names.iter().copied().chain(gone).collect();
    all.into_iter().filter_map(|name| changed(name, find(old, name).as_ref(), find(new, name).as_ref())).collect()
}

/// The order of the columns, if those that both have come in another one.
fn other_order(old: &[InputColumn], new: &[InputColumn]) -> Option<(Vec<String>, Vec<String>)> {
    let names = |columns: &[InputColumn]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let (old, new) = (names(old), names(new));
    let in_both = |names: &[String], other: &[String]| {
        names.iter().filter(|name| other.contains(name)).cloned().collect::<Vec<_>>()
    };
    (in_both(&old, &new) != in_both(&new, &old)).then_some((old, new))
}

fn metric_changes(old: &Version, new: &Version) -> Vec<MetricChange> {
    let places = |version: &Version| {
        let pairs = version.metrics.iter().flat_map(|(metric, parts)| parts.keys().map(move |part| (metric, part)));
        pairs.map(|(metric, part)| (metric.clone(), part.clone())).collect::<BTreeSet<_>>()
    };
    let value = |version: &Version, metric: &str, part: &str| version.metrics.get(metric)?.get(part).copied();
    places(old)
        .union(&places(new))
        .map(|(metric, part)| {
            let (from, to) = (value(old, metric, part), value(new, metric, part));
            let delta = from.zip(to).map(|(from, to)| to - from);
            MetricChange { metric: metric.clone(), part: part.clone(), from, to, delta }
        })
        .collect()
}

fn tag_changes(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Change<String>> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names.into_iter().filter_map(|name| changed(name, old.get(name), new.get(name))).collect()
}

/// Adds the places at which two values differ. Arrays of another length differ as a whole.
fn json_changes(at: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change<Value>>) {
    match (old, new) {
        (Some(Value::Object(from)), Some(Value::Object(to))) => {
            let added = to.keys().filter(|key| !from.contains_key(*key));
            for key in from.keys().chain(added) {
                let key_at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                json_changes(&key_at, from.get(key), to.get(key), changes);
            }
        }
        (Some(Value::Array(from)), Some(Value::Array(to))) if from.len() == to.len() => {
            for (index, (from, to)) in from.iter().zip(to).enumerate() {
                json_changes(&format!("{at}/{index}"), Some(from), Some(to), changes);
            }
        }
        (old, new) => changes.extend(changed(at, old, new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open_inference::Datatype;
    use crate::registry::NewVersion;
    use crate::signature::Signature;
    use jiff::Timestamp;

    fn columns(names: &[(&str, Datatype)]) -> Signature {
        let column = |(name, datatype): &(&str, Datatype)| InputColumn {
            name: (*name).into(),
            datatype: *datatype,
            nullable: false,
        };
        Signature { columns: names.iter().map(column).collect(), ..Signature::default() }
    }

    fn version(number: u32, signature: Signature) -> Version {
        NewVersion::served("late", "http://models/late", signature).into_version(number, Timestamp::UNIX_EPOCH)
    }

    fn names<T>(changes: &[Change<T>]) -> Vec<(&str, bool, bool)> {
        changes.iter().map(|change| (change.name.as_str(), change.from.is_some(), change.to.is_some())).collect()
    }

    #[test]
    fn equal_versions_do_not_differ() {
        let old = version(1, columns(&[("a", Datatype::Fp32)]));
        let difference = Difference::between(&old, &Version { number: 2, ..old.clone() });
        assert!(difference.has_same_interface());
        assert_eq!((difference.file, difference.training), (None, None));
        assert!(difference.metrics.is_empty() && difference.tags.is_empty());
    }

    #[test]
    fn columns_are_compared_by_name_and_their_order_by_itself() {
        use Datatype::{Fp32, Int64};
        let old = version(1, columns(&[("a", Fp32), ("b", Fp32), ("c", Fp32)]));
        let new = version(2, columns(&[("d", Fp32), ("a", Int64), ("c", Fp32)]));
        let difference = Difference::between(&old, &new);
        assert_eq!(names(&difference.columns), [("d", false, true), ("a", true, true), ("b", true, false)]);
        assert_eq!(difference.order, None);
        assert!(!difference.has_same_interface());
        let turned = version(2, columns(&[("c", Fp32), ("b", Fp32), ("a", Fp32)]));
        let difference = Difference::between(&old, &turned);
        assert!(difference.columns.is_empty() && !difference.has_same_interface());
        let order = difference.order.unwrap();
        assert_eq!((order.0.concat(), order.1.concat()), ("abc".to_owned(), "cba".to_owned()));
    }

    #[test]
    fn tensors_metrics_tags_and_training_set_are_compared() {
        let tensor = |width| TensorSpec { name: "X".into(), datatype: Datatype::Fp32, shape: vec![-1, width] };
        let with = |number, width, auc: f64| {
            let signature = Signature { inputs: vec![tensor(width)], outputs: vec![tensor(1)], ..Signature::default() };
            let new = NewVersion::served("late", "http://models/late", signature)
                .with_metric("auc", "test", auc)
                .with_tag("by", format!("run {number}"))
                .with_training("out/_manifest.json", Checksum::of(&[u8::try_from(width).unwrap()]));
            let new = if number == 1 { new.with_metric("loss", "val", 1.0) } else { new.with_tag("new", "yes") };
            new.into_version(number, Timestamp::UNIX_EPOCH)
        };
        let difference = Difference::between(&with(1, 7, 0.5), &with(2, 8, 0.75));
        assert_eq!(names(&difference.inputs), [("X", true, true)]);
        assert!(difference.outputs.is_empty());
        let metrics: Vec<_> = difference
            .metrics
            .iter()
            .map(|change| (change.metric.as_str(), change.part.as_str(), change.from, change.to, change.delta))
            .collect();
        assert_eq!(
            metrics,
            [("auc", "test", Some(0.5), Some(0.75), Some(0.25)), ("loss", "val", Some(1.0), None, None)]
        );
        assert_eq!(names(&difference.tags), [("by", true, true), ("new", false, true)]);
        assert!(difference.training.is_some());
    }

    #[test]
    fn encoders_differ_at_a_pointer() {
        let with = |encoders: Value| Version { encoders: Some(encoders), ..version(1, Signature::default()) };
        let table = [
            (json!({"a": 1}), json!({"a": 1}), vec![]),
            (
                json!({"columns": [{"mean": 1}, {"mean": 2}]}),
                json!({"columns": [{"mean": 1}, {"mean": 3}]}),
                vec!["/columns/1/mean"],
            ),
            (json!({"v": ["a"]}), json!({"v": ["a", "b"]}), vec!["/v"]),
            (json!({"a/b": {"c~d": 1}}), json!({"a/b": {"c~d": 2, "e": 1}}), vec!["/a~1b/c~0d", "/a~1b/e"]),
            (json!({"a": 1}), json!([1]), vec![""]),
        ];
        for (old, new, places) in table {
            let difference = Difference::between(&with(old), &with(new));
            let found: Vec<&str> = difference.encoders.iter().map(|change| change.name.as_str()).collect();
            assert_eq!(found, places);
        }
        let gone = Difference::between(&with(json!({"a": 1})), &version(2, Signature::default()));
        assert_eq!(names(&gone.encoders), [("", true, false)]);
    }
}
