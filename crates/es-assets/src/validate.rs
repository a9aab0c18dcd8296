//! Validates what no single value decides: references between assets, ranges, and keys
//! that must agree.
//!
//! Works on the assets that the checker found sound; a reference to an asset that has
//! problems of its own is not reported as unknown.

mod exports;
mod kinds;
mod references;
mod settings;

use std::ops::Range;

use indexmap::IndexMap;
use serde_json::Value;

use crate::diagnostic::{DiagnosticKind, Finding};
use crate::key_path::KeyPath;
use crate::spec::{Asset, AssetKind, AssetSpec};
use crate::yaml::Node;

/// A pipeline file before it is known to be sound.
pub(crate) struct Draft<'a> {
    /// The assets that are sound by themselves.
    pub(crate) assets: &'a IndexMap<String, Asset>,
    /// Every asset of the file, and its kind where that is known.
    pub(crate) kinds: &'a IndexMap<String, Option<AssetKind>>,
    /// The tree of the file.
    pub(crate) root: &'a Node,
    /// The settings, those of the chosen environment put over those of the file.
    pub(crate) settings: &'a Value,
}

/// Finds the bytes of a value of the file.
pub(crate) type Locate<'a> = &'a dyn Fn(&KeyPath) -> Range<usize>;

/// Collects findings, each placed by its key path.
pub(crate) struct Report<'a> {
    locate: Locate<'a>,
    findings: Vec<Finding>,
}

impl Report<'_> {
    fn add(&mut self, kind: DiagnosticKind, path: &KeyPath, message: impl Into<String>, help: impl Into<String>) {
        let span = (self.locate)(path);
        self.findings.push(Finding::new(kind, message, path, span).help(help));
    }

    fn invalid(&mut self, path: &KeyPath, message: impl Into<String>, help: impl Into<String>) {
        self.add(DiagnosticKind::InvalidValue, path, message, help);
    }
}

/// Everything that is wrong with `draft` beyond its single values.
pub(crate) fn validate(draft: &Draft<'_>, locate: Locate<'_>) -> Vec<Finding> {
    let mut report = Report { locate, findings: Vec::new() };
    settings::validate(draft.root, draft.settings, &mut report);
    let all = KeyPath::root().key("assets");
    for (name, asset) in draft.assets {
        let path = all.key(name);
        if name == "orchestrator" {
            report.invalid(
                &path,
                "the name `orchestrator` is taken",
                "indices of that name hold the program's own state",
            );
        }
        match &asset.spec {
            AssetSpec::Ingest(ingest) => kinds::ingest(ingest, &path, &mut report),
            AssetSpec::Features(features) => kinds::features(features, &path, &mut report),
            AssetSpec::Export(export) => exports::export(export, &path, &mut report),
            AssetSpec::Monitor(monitor) => kinds::monitor(monitor, &path, &mut report),
        }
    }
    references::validate(draft, &all, &mut report);
    report.findings
}
