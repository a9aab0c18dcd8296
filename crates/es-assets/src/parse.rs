//! From the text of a pipeline file to a [`Pipeline`], or to everything that is wrong
//! with it.
//!
//! The stages are reading YAML, checking the tree against the schema, building the
//! types and validating what takes several values to decide. A stage works on what the
//! one before left sound, so that all problems of a file are reported at once.

use std::collections::BTreeMap;
use std::ops::Range;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::asset::Asset;
use crate::check::{self, Checked};
use crate::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, Finding, Location};
use crate::format::PipelineFormat;
use crate::graph::Graph;
use crate::key_path::KeyPath;
use crate::kind::Output;
use crate::validate::{Draft, Report, validate, word_span};
use crate::yaml::{self, Content, Node};
use es_values::suggestion;

/// A pipeline file that has been read and found sound.
#[derive(Debug, Clone)]
pub struct Pipeline {
    name: String,
    description: Option<String>,
    assets: IndexMap<String, Asset>,
    graph: Graph,
    environment: Option<String>,
    environments: Vec<String>,
    kinds: Vec<&'static str>,
    settings: Value,
    file: String,
    source: String,
    locations: BTreeMap<String, Location>,
}

impl Pipeline {
    /// The name of the pipeline.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The purpose of the pipeline.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The assets by name, in the order of the file.
    #[must_use]
    pub fn assets(&self) -> &IndexMap<String, Asset> {
        &self.assets
    }

    /// The asset called `name`.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.get(name)
    }

    /// Which asset needs which.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The environment that was chosen.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// The environments that the file has.
    #[must_use]
    pub fn environments(&self) -> &[String] {
        &self.environments
    }

    /// The sections of settings of the file, with those of the chosen environment over them.
    /// Defaults are not in it: it is one layer of several.
    #[must_use]
    pub fn settings_json(&self) -> &Value {
        &self.settings
    }

    /// The names of the kinds that the format has.
    #[must_use]
    pub fn kinds(&self) -> &[&'static str] {
        &self.kinds
    }

    /// The name of the file, as it was given to [`PipelineFormat::parse`](crate::PipelineFormat::parse).
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text of the file.
    #[must_use]
    pub fn source_text(&self) -> &str {
        &self.source
    }

    /// The place of the value at `key_path`, such as `assets.departures.time`, so that a
    /// problem found later can point into the file. Settings are found where the chosen
    /// environment sets them, if it does.
    #[must_use]
    pub fn locate(&self, key_path: &str) -> Option<&Location> {
        self.locations.get(key_path)
    }

    /// A problem found after parsing, placed at `key_path` or, where that is not in the
    /// file, at the nearest part of it that is.
    #[must_use]
    pub fn diagnose(&self, key_path: &str, message: &str, help: Option<&str>) -> Diagnostics {
        self.diagnostics(key_path, self.nearest_location(key_path), message, help)
    }

    /// A problem found after parsing, placed at a word within the value at `key_path`, such as a name
    /// in a query. `number` counts the occurrences of the word from 0. Without such a word, the whole
    /// value is the place.
    #[must_use]
    pub fn diagnose_word(
        &self,
        key_path: &str,
        word: &str,
        number: usize,
        message: &str,
        help: Option<&str>,
    ) -> Diagnostics {
        let whole = self.nearest_location(key_path);
        let span = word_span(whole.range, &self.source, word, number);
        self.diagnostics(key_path, Location::of(&self.source, span), message, help)
    }

    /// The place of a key, or of the nearest part of its path that is in the file.
    fn nearest_location(&self, key_path: &str) -> Location {
        let mut known = key_path;
        loop {
            if let Some(location) = self.locate(known) {
                return location.clone();
            }
            match known.rfind(['.', '[']) {
                Some(end) => known = &known[..end],
                None => return Location::of(&self.source, 0..0),
            }
        }
    }

    fn diagnostics(&self, key_path: &str, location: Location, message: &str, help: Option<&str>) -> Diagnostics {
        let diagnostic = Diagnostic {
            kind: DiagnosticKind::InvalidValue,
            message: message.to_owned(),
            key_path: key_path.to_owned(),
            location,
            label: None,
            help: help.map(str::to_owned),
        };
        Diagnostics::of(&self.file, &self.source, diagnostic)
    }
}

impl PipelineFormat {
    /// Reads the pipeline file called `file`, whose content is `text`, with the settings of
    /// `environment` if one is chosen.
    ///
    /// # Errors
    /// Everything that is wrong with the file, each problem with its place and a help.
    pub fn parse(&self, file: &str, text: &str, environment: Option<&str>) -> Result<Pipeline, Diagnostics> {
        let (root, faults) = yaml::read(text);
        let mut findings: Vec<Finding> = faults.into_iter().map(finding).collect();
        let Some(root) = root else {
            return Err(Diagnostics::new(file, text, &[], findings));
        };
        if let Some(foreign) = foreign_version(&root, text) {
            return Err(Diagnostics::new(file, text, &[], vec![foreign]));
        }
        let Checked { findings: deviations, secrets } = check::check(&root, text, self);
        findings.extend(deviations);

        let assets = self.assets(&root, text, &mut findings);
        let names: Vec<String> = entries(&root, "assets").map(str::to_owned).collect();
        let locations = Locations::new(&root, text, environment);
        let locate = |path: &KeyPath| locations.span(path);
        let settings = self.settings(&root, text, environment, &mut findings);
        let mut report = Report::new(&locate, text);
        self.validate_settings(&root, &settings, &mut report);
        let readable_kinds = self.readable_kinds(&assets);
        let draft = Draft { assets: &assets, names: &names, readable_kinds: &readable_kinds };
        validate(&draft, &mut report);
        findings.extend(report.into_findings());

        if !findings.is_empty() {
            return Err(Diagnostics::new(file, text, &secrets, findings));
        }
        let text_of = |key: &str| root.get(key).and_then(Node::as_str).map(str::to_owned);
        Ok(Pipeline {
            name: text_of("name").unwrap_or_default(),
            description: text_of("description"),
            graph: Graph::new(&assets),
            assets,
            environment: environment.map(str::to_owned),
            environments: entries(&root, "environments").map(str::to_owned).collect(),
            kinds: self.kinds(),
            settings,
            file: file.to_owned(),
            source: text.to_owned(),
            locations: locations.into_map(text),
        })
    }

    /// The assets that are sound so far.
    fn assets(&self, root: &Node, text: &str, findings: &mut Vec<Finding>) -> IndexMap<String, Asset> {
        let mut assets = IndexMap::new();
        let all = KeyPath::root().key("assets");
        for entry in root.get("assets").map_or(&[][..], Node::entries) {
            let path = all.key(&entry.key);
            let kind = entry.value.get("kind").and_then(Node::as_str).and_then(|name| self.kind(name));
            let (Some(kind), Value::Object(mut keys)) = (kind, entry.value.to_json()) else { continue };
            if findings.iter().any(|finding| finding.path.is_within(&path)) {
                continue;
            }
            keys.shift_remove("kind");
            match Asset::read(kind, keys) {
                Ok(asset) => {
                    assets.insert(entry.key.clone(), asset);
                }
                Err(error) => {
                    let place = entry.value.at(&error.path).unwrap_or(&entry.value);
                    let (path, span) = (path.join(&error.path), place.caret(text));
                    findings.push(Finding::new(DiagnosticKind::InvalidValue, error.message, &path, span));
                }
            }
        }
        assets
    }

    /// The settings of the file with those of `environment` over them.
    fn settings(&self, root: &Node, text: &str, environment: Option<&str>, findings: &mut Vec<Finding>) -> Value {
        let mut settings = self.sections(root);
        let Some(name) = environment else { return settings };
        match root.get("environments").and_then(|environments| environments.get(name)) {
            Some(chosen) => (self.settings.overlay)(&mut settings, self.sections(chosen)),
            None => findings.push(unknown_environment(root, text, name)),
        }
        settings
    }

    /// The sections that stand at one place.
    fn sections(&self, node: &Node) -> Value {
        let present = self.settings.sections.iter().filter_map(|section| {
            let value = node.get(section.name())?.to_json();
            (!value.is_null()).then(|| (section.name().to_owned(), value))
        });
        Value::Object(present.collect::<Map<_, _>>())
    }

    fn validate_settings(&self, root: &Node, settings: &Value, report: &mut Report<'_>) {
        let validate = self.settings.validate_layer;
        validate(&self.sections(root), &KeyPath::root(), report);
        let environments = KeyPath::root().key("environments");
        for entry in root.get("environments").map_or(&[][..], Node::entries) {
            validate(&self.sections(&entry.value), &environments.key(&entry.key), report);
        }
        (self.settings.validate)(settings, report);
    }

    /// The kinds of the assets of the file that others can read, or where there is none, all kinds.
    fn readable_kinds(&self, assets: &IndexMap<String, Asset>) -> Vec<&'static str> {
        let is_read = |kind: &&str| {
            let mut of_kind = assets.values().filter(|asset| asset.kind() == *kind).peekable();
            of_kind.peek().is_none() || of_kind.any(|asset| asset.output() == Output::Documents)
        };
        self.kinds().into_iter().filter(is_read).collect()
    }
}

fn entries<'a>(root: &'a Node, key: &str) -> impl Iterator<Item = &'a str> {
    root.get(key).map_or(&[][..], Node::entries).iter().map(|entry| entry.key.as_str())
}

fn unknown_environment(root: &Node, text: &str, name: &str) -> Finding {
    let entry = root.entry("environments");
    let span = entry.map_or_else(|| root.caret(text), |entry| entry.key_span.clone());
    let names: Vec<&str> = entries(root, "environments").collect();
    let help = if names.is_empty() {
        format!("the file has no environments: add `environments: {{ {name}: {{ .. }} }}`")
    } else {
        suggestion(name, "environments", names)
    };
    let path = KeyPath::root().key("environments");
    Finding::new(DiagnosticKind::UnknownReference, format!("unknown environment `{name}`"), &path, span).help(help)
}

fn finding(fault: yaml::Fault) -> Finding {
    let kind = if fault.duplicate { DiagnosticKind::DuplicateKey } else { DiagnosticKind::Syntax };
    let mut finding = Finding::new(kind, fault.message, &fault.path, fault.span);
    if let Some(label) = fault.label {
        finding = finding.label(label);
    }
    match fault.help {
        Some(help) => finding.help(help),
        None => finding,
    }
}

/// A file of another version of the format is not judged by the rules of this one.
fn foreign_version(root: &Node, text: &str) -> Option<Finding> {
    let node = root.get("version")?;
    let Content::Number(version) = &node.content else { return None };
    (version.as_u64() != Some(1)).then(|| {
        let message = format!("version {version} of the format is not supported");
        Finding::new(DiagnosticKind::Unsupported, message, &KeyPath::root().key("version"), node.caret(text))
            .help("this program reads version 1")
    })
}

/// The bytes of every value of the file, by key path.
struct Locations(BTreeMap<String, Range<usize>>);

impl Locations {
    fn new(root: &Node, text: &str, environment: Option<&str>) -> Self {
        let mut locations = Self(BTreeMap::new());
        locations.add(root, &KeyPath::root(), None, text);
        let chosen = environment.and_then(|name| root.get("environments")?.get(name));
        if let Some(chosen) = chosen {
            locations.add(chosen, &KeyPath::root(), None, text);
        }
        locations
    }

    fn add(&mut self, node: &Node, path: &KeyPath, key: Option<&Range<usize>>, text: &str) {
        let span = match (&node.content, key) {
            (Content::Mapping(_) | Content::Sequence(_) | Content::Null, Some(key)) => key.clone(),
            _ => node.caret(text),
        };
        self.0.insert(path.to_string(), span);
        match &node.content {
            Content::Mapping(entries) => {
                for entry in entries {
                    self.add(&entry.value, &path.key(&entry.key), Some(&entry.key_span), text);
                }
            }
            Content::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.add(item, &path.index(index), None, text);
                }
            }
            _ => {}
        }
    }

    /// The bytes of the value at `path`; where it is not in the file, its beginning.
    fn span(&self, path: &KeyPath) -> Range<usize> {
        self.0.get(&path.to_string()).cloned().unwrap_or(0..0)
    }

    fn into_map(self, text: &str) -> BTreeMap<String, Location> {
        self.0.into_iter().map(|(path, span)| (path, Location::of(text, span))).collect()
    }
}
