//! From the text of a pipeline file to a [`Pipeline`], or to everything that is wrong
//! with it.
//!
//! The stages are reading YAML, checking the tree against the schema, building the
//! types and validating what takes several values to decide. A stage works on what the
//! one before left sound, so that all problems of a file are reported at once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::check::{self, Checked};
use crate::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, Finding, Location};
use crate::graph::Graph;
use crate::key_path::KeyPath;
use crate::spec::{Asset, AssetKind, Settings, overlay, schema};
use crate::validate::{Draft, validate};
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

    /// What the pipeline is for.
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

    /// The settings that stand in the file, those of the chosen environment put over
    /// them. Defaults are not in it: it is one layer of several, to be put over
    /// [`Settings::default`] with [`overlay`].
    #[must_use]
    pub fn settings_json(&self) -> &Value {
        &self.settings
    }

    /// The settings of the file, those of the chosen environment put over them, with the
    /// defaults for the rest.
    ///
    /// # Errors
    /// Never for a file that [`parse()`] accepted; the error is that of the deserialization.
    pub fn settings(&self) -> Result<Settings, serde_json::Error> {
        serde_json::from_value(self.settings.clone())
    }

    /// The name of the file, as it was given to [`parse()`].
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text of the file.
    #[must_use]
    pub fn source_text(&self) -> &str {
        &self.source
    }

    /// Where the value at `key_path` stands, such as `assets.departures.time`, so that a
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
        let mut known = key_path;
        let location = loop {
            if let Some(location) = self.locate(known) {
                break location.clone();
            }
            match known.rfind(['.', '[']) {
                Some(end) => known = &known[..end],
                None => break Location::of(&self.source, 0..0),
            }
        };
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

/// The schema, generated once.
static SCHEMA: LazyLock<Value> = LazyLock::new(schema);

/// Reads the pipeline file called `file`, whose content is `text`, with the settings of
/// `environment` if one is chosen.
///
/// ```
/// let text = "
/// version: 1
/// name: weather
/// assets:
///   observations:
///     kind: ingest
///     from: { path: data/*.parquet }
/// ";
/// let pipeline = es_assets::parse("pipeline.yaml", text, None)?;
/// assert_eq!(pipeline.assets().len(), 1);
///
/// let errors = es_assets::parse("pipeline.yaml", &text.replace("path", "pth"), None).unwrap_err();
/// let first = errors.iter().next().unwrap();
/// assert_eq!(first.key_path, "assets.observations.from.pth");
/// assert_eq!(first.help.as_deref(), Some("did you mean `path`?"));
/// # Ok::<(), es_assets::Diagnostics>(())
/// ```
///
/// # Errors
/// Everything that is wrong with the file, each problem with its place and a help.
pub fn parse(file: &str, text: &str, environment: Option<&str>) -> Result<Pipeline, Diagnostics> {
    let (root, faults) = yaml::read(text);
    let mut findings: Vec<Finding> = faults.into_iter().map(finding).collect();
    let Some(root) = root else {
        return Err(Diagnostics::new(file, text, &[], findings));
    };
    if let Some(foreign) = foreign_version(&root, text) {
        return Err(Diagnostics::new(file, text, &[], vec![foreign]));
    }
    let Checked { findings: deviations, secrets } = check::check(&root, text, &SCHEMA);
    findings.extend(deviations);

    let (assets, kinds) = assets(&root, text, &mut findings);
    let settings = settings(&root, text, environment, &mut findings);
    let locations = Locations::new(&root, text, environment);
    let locate = |path: &KeyPath| locations.span(path);
    let draft = Draft { assets: &assets, kinds: &kinds, root: &root, settings: &settings };
    findings.extend(validate(&draft, &locate));

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
        environments: environments(&root).map(str::to_owned).collect(),
        settings,
        file: file.to_owned(),
        source: text.to_owned(),
        locations: locations.into_map(text),
    })
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

fn environments(root: &Node) -> impl Iterator<Item = &str> {
    let entries = root.get("environments").map_or(&[][..], Node::entries);
    entries.iter().map(|entry| entry.key.as_str())
}

/// The assets that are sound so far, and the kind of every asset whose kind is known.
fn assets(
    root: &Node,
    text: &str,
    findings: &mut Vec<Finding>,
) -> (IndexMap<String, Asset>, IndexMap<String, Option<AssetKind>>) {
    let mut assets = IndexMap::new();
    let mut kinds = IndexMap::new();
    let all = KeyPath::root().key("assets");
    for entry in root.get("assets").map_or(&[][..], Node::entries) {
        let kind = entry.value.get("kind").and_then(Node::as_str).and_then(AssetKind::named);
        kinds.insert(entry.key.clone(), kind);
        let path = all.key(&entry.key);
        if findings.iter().any(|finding| finding.path.is_within(&path)) {
            continue;
        }
        match serde_json::from_value::<Asset>(entry.value.to_json()) {
            Ok(asset) => {
                assets.insert(entry.key.clone(), asset);
            }
            Err(error) => {
                let span = entry.value.caret(text);
                findings.push(Finding::new(DiagnosticKind::InvalidValue, error.to_string(), &path, span));
            }
        }
    }
    (assets, kinds)
}

/// The settings of the file with those of `environment` over them.
fn settings(root: &Node, text: &str, environment: Option<&str>, findings: &mut Vec<Finding>) -> Value {
    let sections = |node: &Node| {
        let present = Settings::SECTIONS.iter().filter_map(|section| {
            let value = node.get(section)?.to_json();
            (!value.is_null()).then(|| ((*section).to_owned(), value))
        });
        Value::Object(present.collect::<Map<_, _>>())
    };
    let mut settings = sections(root);
    let Some(name) = environment else { return settings };
    match root.get("environments").and_then(|environments| environments.get(name)) {
        Some(chosen) => overlay(&mut settings, sections(chosen)),
        None => {
            let entry = root.entry("environments");
            let span = entry.map_or_else(|| root.caret(text), |entry| entry.key_span.clone());
            let names: Vec<&str> = environments(root).collect();
            let help = if names.is_empty() {
                format!("the file has no environments: add `environments: {{ {name}: {{ .. }} }}`")
            } else {
                suggestion(name, "environments", names.iter().copied())
            };
            findings.push(
                Finding::new(
                    DiagnosticKind::UnknownReference,
                    format!("unknown environment `{name}`"),
                    &KeyPath::root().key("environments"),
                    span,
                )
                .help(help),
            );
        }
    }
    settings
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
