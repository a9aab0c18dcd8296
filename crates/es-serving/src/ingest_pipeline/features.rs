//! The processors and script languages that a cluster has, and those that a pipeline needs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use es_core::{Method, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use super::IngestPipelines;
use super::definition::{IngestPipeline, Processor};
use super::simulate::is_refusal;
use super::steps::{self, Step};
use crate::error::{Error, ErrorKind};

/// Pipelines that are read because others run them.
const MOST_NAMED: usize = 100;

/// The options that are templates, by the type of the processor.
const TEMPLATES: [(&str, &[&str]); 9] = [
    ("append", &["field", "value"]),
    ("date", &["timezone", "locale"]),
    ("date_index_name", &["index_name_prefix", "date_rounding", "index_name_format"]),
    ("enrich", &["field", "target_field"]),
    ("fail", &["message"]),
    ("pipeline", &["name"]),
    ("remove", &["field", "keep"]),
    ("rename", &["field", "target_field"]),
    ("set", &["field", "value"]),
];

/// The parts of a cluster that ingest pipelines are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestFeatures {
    /// The processors of each node. `None` without the cluster privilege `monitor`, which it takes.
    pub nodes: Option<Vec<NodeProcessors>>,
    /// The script language Painless, which the processor `script` and the option `if` are written in.
    pub painless: bool,
    /// Templates (`{{field}}`) in options. A cluster without them takes such a text as it is.
    pub templates: bool,
}

/// The processors of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProcessors {
    /// The name of the node.
    pub node: String,
    /// The types of its processors.
    pub processors: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Nodes {
    #[serde(default)]
    nodes: BTreeMap<String, NodeBody>,
}

#[derive(Deserialize)]
struct NodeBody {
    #[serde(default)]
    name: String,
    #[serde(default)]
    ingest: IngestBody,
}

#[derive(Default, Deserialize)]
struct IngestBody {
    #[serde(default)]
    processors: Vec<ProcessorBody>,
}

#[derive(Deserialize)]
struct ProcessorBody {
    #[serde(rename = "type")]
    kind: String,
}

impl IngestFeatures {
    /// The parts that a pipeline needs and the cluster lacks, each with its position. Pipelines that it
    /// runs by their names are left to [`IngestPipelines::check`].
    #[must_use]
    pub fn lacking(&self, pipeline: &IngestPipeline) -> Vec<String> {
        let lists = [("processors", &pipeline.processors), ("on_failure", &pipeline.on_failure)];
        lists.into_iter().flat_map(|(name, list)| self.lacking_in(name, list)).collect()
    }

    fn lacking_in(&self, name: &str, processors: &[Processor]) -> Vec<String> {
        let mut lacking = Vec::new();
        // Those of another program may have a form that is not known here; the cluster took them.
        let _ = steps::visit(name, processors, &mut |step| {
            self.lacking_for(step, &mut lacking);
            ControlFlow::<()>::Continue(())
        });
        lacking
    }

    fn lacking_for(&self, step: Step<'_>, lacking: &mut Vec<String>) {
        let Step { position, kind, .. } = step;
        if let Some(nodes) = &self.nodes {
            let without: Vec<&str> =
                nodes.iter().filter(|node| !node.processors.contains(kind)).map(|node| node.node.as_str()).collect();
            let who = match without.as_slice() {
                [] => None,
                all if all.len() == nodes.len() => Some("the cluster lacks".to_owned()),
                [one] => Some(format!("the node {one} lacks")),
                some => Some(format!("the nodes {} lack", some.join(", "))),
            };
            lacking.extend(who.map(|who| format!("{position} is `{kind}`, which {who}")));
        }
        if !self.painless && is_painless(step) {
            lacking.push(format!("{position} (`{kind}`) has a script in Painless, which the cluster lacks"));
        }
        if !self.templates
            && let Some(option) = template(step)
        {
            lacking.push(format!("{position}.{kind}.{option} is a template, which the cluster would take as it is"));
        }
    }
}

/// True for the processor `script` in its default language, and for a condition.
fn is_painless(step: Step<'_>) -> bool {
    let language = step.options.get("lang").and_then(Value::as_str).unwrap_or("painless");
    let is_inline = step.options.contains_key("source");
    (step.kind == "script" && is_inline && language == "painless") || step.options.contains_key("if")
}

/// The first option that is a template.
fn template(step: Step<'_>) -> Option<&'static str> {
    let (_, options) = TEMPLATES.iter().find(|(kind, _)| *kind == step.kind)?;
    options.iter().copied().find(|option| step.options.get(*option).is_some_and(has_braces))
}

fn has_braces(value: &Value) -> bool {
    match value {
        Value::String(text) => text.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}")),
        Value::Array(items) => items.iter().any(has_braces),
        Value::Object(members) => members.iter().any(|(_, value)| has_braces(value)),
        _ => false,
    }
}

/// The pipelines that a list runs by their names, each with its position.
fn named(name: &str, processors: &[Processor]) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    let _ = steps::visit(name, processors, &mut |step| {
        if step.kind == "pipeline"
            && let Some(Value::String(other)) = step.options.get("name").filter(|name| !has_braces(name))
        {
            let may_be_missing = step.options.get("ignore_missing_pipeline") == Some(&Value::Bool(true));
            found.push((step.position.to_owned(), other.clone(), may_be_missing));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// The next step for a person.
fn help(lacking: &[String]) -> String {
    let mut help = Vec::new();
    if lacking.iter().any(|lack| lack.contains(" is `inference`")) {
        help.push(
            "the processor `inference` is part of machine learning, which needs a distribution of Elasticsearch with \
             it and a licence for it; without it, score the documents by `OnnxModel` or `ModelServer`",
        );
    }
    if lacking.iter().any(|lack| lack.contains(" is `") && !lack.contains(" is `inference`")) {
        help.push("install the module or plugin with the processor on every node, or do without the processor");
    }
    if lacking.iter().any(|lack| lack.contains("in Painless")) {
        help.push(
            "Painless is the module lang-painless of every node; without it, use processors without `script` and `if`",
        );
    }
    if lacking.iter().any(|lack| lack.contains("is a template")) {
        help.push(
            "templates are the module lang-mustache of every node; without it, use `copy_from` of `set`, or a script",
        );
    }
    help.join("; ")
}

impl IngestPipelines {
    /// The processors and script languages that the cluster has.
    ///
    /// # Errors
    /// As [`es_core::Client::send`].
    pub async fn features(&self) -> Result<IngestFeatures, Error> {
        let script = json!({ "processors": [{ "script": { "source": "ctx.b = 1" } }] });
        let set = json!({ "processors": [{ "set": { "field": "b", "value": "{{a}}" } }] });
        let (nodes, painless, templates) =
            futures::future::try_join3(self.nodes(), self.writes_one(&script), self.writes_one(&set)).await?;
        Ok(IngestFeatures { nodes, painless, templates })
    }

    async fn nodes(&self) -> Result<Option<Vec<NodeProcessors>>, Error> {
        let filter = "nodes.*.name,nodes.*.ingest.processors.type";
        let request = Request::new(Method::Get, "/_nodes/ingest").query("filter_path", filter);
        let found: Nodes = match self.client.send(&request).await {
            Ok(answer) => answer.json()?,
            Err(error) if error.kind() == es_core::ErrorKind::Forbidden => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let nodes = found.nodes.into_values().map(|node| NodeProcessors {
            node: node.name,
            processors: node.ingest.processors.into_iter().map(|processor| processor.kind).collect(),
        });
        Ok(Some(nodes.collect()))
    }

    /// Returns true when a pipeline writes 1 into the field b of a document whose field a is 1. It is
    /// tried, since the list of languages takes the privilege `manage`.
    async fn writes_one(&self, pipeline: &Value) -> Result<bool, Error> {
        let document = json!({ "_index": "none", "_id": "none", "_source": { "a": 1 } });
        match self.simulated::<Value>(pipeline, &[document], false).await {
            Ok(outcomes) => {
                let written = outcomes.first().map_or(&Value::Null, |outcome| &outcome["doc"]["_source"]["b"]);
                Ok(*written == 1 || *written == "1")
            }
            Err(error) if is_refusal(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Checks that the cluster has what a pipeline needs, and the pipelines that it runs by their names.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when a processor, Painless or templates are missing, each with its
    /// position and, where only some nodes lack it, their names; [`ErrorKind::NotFound`] when another
    /// pipeline is; [`ErrorKind::Invalid`] as [`IngestPipeline::check`].
    pub async fn check(&self, pipeline: &IngestPipeline) -> Result<(), Error> {
        pipeline.check()?;
        let features = self.features().await?;
        let mut lacking = features.lacking(pipeline);
        let mut waiting = named("processors", &pipeline.processors);
        waiting.extend(named("on_failure", &pipeline.on_failure));
        let mut seen = BTreeSet::new();
        while let Some((position, other, may_be_missing)) = waiting.pop() {
            if !seen.insert(other.clone()) {
                continue;
            }
            if seen.len() > MOST_NAMED {
                let message = format!("the ingest pipeline runs more than {MOST_NAMED} others");
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            match self.read(&other).await? {
                Some(found) => {
                    for (list, processors) in found.lists() {
                        let name = format!("{position} runs {other}, whose {list}");
                        lacking.extend(features.lacking_in(&name, &processors));
                        waiting.extend(named(&name, &processors));
                    }
                }
                None if may_be_missing => {}
                None => {
                    let message = format!("{position} runs the pipeline {other}, which the cluster does not have");
                    return Err(Error::new(ErrorKind::NotFound, message)
                        .with_help("create it, or set `ignore_missing_pipeline: true`"));
                }
            }
        }
        if lacking.is_empty() {
            return Ok(());
        }
        let help = help(&lacking);
        Err(Error::new(ErrorKind::Unavailable, lacking.join("; ")).with_help(help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(nodes: &[(&str, &[&str])], painless: bool, templates: bool) -> IngestFeatures {
        let node = |(node, processors): &(&str, &[&str])| NodeProcessors {
            node: (*node).to_owned(),
            processors: processors.iter().map(|kind| (*kind).to_owned()).collect(),
        };
        IngestFeatures { nodes: Some(nodes.iter().map(node).collect()), painless, templates }
    }

    #[test]
    fn what_is_lacking_is_named_with_its_position_and_its_nodes() {
        let all: &[&str] = &["set", "foreach", "script", "inference", "pipeline"];
        let few: &[&str] = &["set", "foreach", "script", "pipeline"];
        let inference =
            json!([{"set": {"field": "a", "value": 1}}, {"foreach": {"field": "l", "processor": {"inference": {}}}}]);
        let script = json!([{"set": {"field": "a", "value": 1, "if": "ctx.b == 1"}}, {"script": {"source": "x"}}]);
        let text = json!([{"set": {"field": "a", "value": ["x", {"y": "{{b}}"}]}}, {"script": {"lang": "expression", "source": "{{}}"}}]);
        let within = "processors[1].foreach.processor is `inference`, which";
        let table = [
            (features(&[("a", all), ("b", all)], true, true), &inference, vec![]),
            (features(&[("a", all), ("b", few)], true, true), &inference, vec![format!("{within} the node b lacks")]),
            (features(&[("a", few), ("b", few)], true, true), &inference, vec![format!("{within} the cluster lacks")]),
            (
                features(&[("a", few), ("b", all), ("c", few)], true, true),
                &inference,
                vec![format!("{within} the nodes a, c lack")],
            ),
            (IngestFeatures { nodes: None, painless: true, templates: true }, &inference, vec![]),
            (
                features(&[("a", all)], false, true),
                &script,
                vec![
                    "processors[0] (`set`) has a script in Painless, which the cluster lacks".to_owned(),
                    "processors[1] (`script`) has a script in Painless, which the cluster lacks".to_owned(),
                ],
            ),
            (
                features(&[("a", all)], false, false),
                &text,
                vec!["processors[0].set.value is a template, which the cluster would take as it is".to_owned()],
            ),
        ];
        for (features, processors, lacking) in table {
            let pipeline: IngestPipeline = serde_json::from_value(json!({ "processors": processors })).unwrap();
            assert_eq!(features.lacking(&pipeline), lacking);
            assert_eq!(help(&lacking).is_empty(), lacking.is_empty());
        }
    }

    #[test]
    fn pipelines_that_are_run_by_name_are_found() {
        let processors = json!({"processors": [
            {"pipeline": {"name": "a"}},
            {"pipeline": {"name": "{{b}}"}},
            {"foreach": {"field": "l", "processor": {"pipeline": {"name": "c", "ignore_missing_pipeline": true}}}},
        ]});
        let pipeline: IngestPipeline = serde_json::from_value(processors).unwrap();
        let found = named("processors", &pipeline.processors);
        let expected = [("processors[0]", "a", false), ("processors[2].foreach.processor", "c", true)];
        assert_eq!(found, expected.map(|(position, name, optional)| (position.to_owned(), name.to_owned(), optional)));
    }
}
