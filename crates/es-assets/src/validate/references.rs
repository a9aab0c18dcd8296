//! References between assets: to assets that exist, of a kind that can be read, and in
//! no circle.

use std::collections::HashMap;

use super::{Draft, Report};
use crate::diagnostic::DiagnosticKind;
use crate::graph::Graph;
use crate::key_path::KeyPath;
use crate::spec::{Asset, AssetKind, AssetSpec};
use es_values::{nearest, quoted_list};

pub(super) fn validate(draft: &Draft<'_>, all: &KeyPath, report: &mut Report<'_>) {
    for (name, asset) in draft.assets {
        for (path, target, is_read) in references(asset, &all.key(name)) {
            reference(draft, name, &path, target, is_read, report);
        }
        for (index, join) in asset.joins().iter().enumerate() {
            has_feature_rows(draft, &join.from, &all.key(name).key("features").index(index).key("from"), report);
        }
    }
    same_output(draft, all, report);
    let graph = Graph::new(draft.assets);
    for cycle in graph.cycles() {
        let Some((first, second)) = cycle.first().zip(cycle.get(1).or_else(|| cycle.first())) else { continue };
        // An asset that names itself is reported where it does so.
        if first == second {
            continue;
        }
        let path = draft
            .assets
            .get(*first)
            .and_then(|asset| {
                let uses = references(asset, &all.key(first));
                uses.into_iter().find(|(_, target, _)| target == second).map(|(path, _, _)| path)
            })
            .unwrap_or_else(|| all.key(first));
        let mut round = cycle.clone();
        round.push(first);
        report.add(
            DiagnosticKind::Cycle,
            &path,
            format!("assets need one another: {}", round.join(" -> ")),
            "remove one of these references",
        );
    }
}

/// The references of an asset: where each stands, to whom, and whether the documents of
/// the other asset are read.
fn references<'a>(asset: &'a Asset, path: &KeyPath) -> Vec<(KeyPath, &'a str, bool)> {
    let key = match asset.spec {
        AssetSpec::Monitor(_) => "of",
        AssetSpec::Ingest(_) | AssetSpec::Features(_) | AssetSpec::Export(_) => "from",
    };
    let mut references: Vec<_> = asset.reads().map(|target| (path.key(key), target, true)).into_iter().collect();
    let joins = path.key("features");
    let joined = asset.joins().iter().enumerate();
    references.extend(joined.map(|(index, join)| (joins.index(index).key("from"), join.from.as_str(), true)));
    let deps = path.key("deps");
    references.extend(asset.deps.iter().enumerate().map(|(index, target)| (deps.index(index), target.as_str(), false)));
    references
}

fn reference(draft: &Draft<'_>, name: &str, path: &KeyPath, target: &str, is_read: bool, report: &mut Report<'_>) {
    let readable = |except: &str| -> Vec<&str> {
        let kinds = draft.kinds.iter();
        let usable = kinds
            .filter(|(other, kind)| other.as_str() != except && (!is_read || kind.is_some_and(|kind| kind.is_index())));
        usable.map(|(other, _)| other.as_str()).collect()
    };
    if target == name {
        report.add(
            DiagnosticKind::Cycle,
            path,
            format!("`{name}` refers to itself"),
            if is_read { "name the asset whose documents it reads" } else { "remove the reference" },
        );
        return;
    }
    match draft.kinds.get(target) {
        None => {
            let names = readable(name);
            let help = match nearest(target, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "the file has no other asset to refer to".to_owned(),
                None => format!("the assets to refer to are {}", quoted_list(names)),
            };
            report.add(DiagnosticKind::UnknownReference, path, format!("unknown asset `{target}`"), help);
        }
        Some(Some(kind)) if is_read && !kind.is_index() => {
            let names = readable(name);
            let help = match names.is_empty() {
                true => "refer to an asset of kind `ingest` or `features`".to_owned(),
                false => format!("refer to one of {}", quoted_list(names)),
            };
            report.add(
                DiagnosticKind::WrongKind,
                path,
                format!("`{target}` is of kind `{kind}`, and has no documents to read"),
                help,
            );
        }
        Some(_) => {}
    }
}

/// Only rows of entities and times can be joined as of a time.
fn has_feature_rows(draft: &Draft<'_>, target: &str, path: &KeyPath, report: &mut Report<'_>) {
    let Some(Some(kind)) = draft.kinds.get(target) else { return };
    if !kind.is_index() || *kind == AssetKind::Features {
        return;
    }
    let names = draft.kinds.iter().filter(|(_, kind)| **kind == Some(AssetKind::Features));
    let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
    let help = match names.is_empty() {
        true => "add an asset of kind `features`".to_owned(),
        false => format!("refer to one of {}", quoted_list(names)),
    };
    report.add(
        DiagnosticKind::WrongKind,
        path,
        format!("`{target}` is of kind `{kind}`, and has no rows of entities and times to join"),
        help,
    );
}

fn same_output(draft: &Draft<'_>, all: &KeyPath, report: &mut Report<'_>) {
    let mut writers: HashMap<&str, &str> = HashMap::new();
    for (name, asset) in draft.assets {
        let AssetSpec::Export(export) = &asset.spec else { continue };
        if let Some(other) = writers.insert(export.to.path.trim_end_matches('/'), name) {
            report.invalid(
                &all.key(name).key("to").key("path"),
                format!("`{other}` writes to `{}` too", export.to.path),
                "give each export a folder of its own",
            );
        }
    }
}
