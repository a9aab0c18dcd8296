//! References between assets: to assets that exist, that have what is taken from them, and in no
//! circle.

use std::collections::HashMap;

use es_values::{nearest, quoted_list, suggestion};

use super::{Draft, Report};
use crate::diagnostic::DiagnosticKind;
use crate::graph::Graph;
use crate::key_path::KeyPath;
use crate::kind::{Output, Reference, Takes};

pub(super) fn validate(draft: &Draft<'_>, all: &KeyPath, report: &mut Report<'_>) {
    for (name, asset) in draft.assets {
        for reference in asset.references() {
            self::reference(draft, name, &reference, &all.key(name).join(&reference.path), report);
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
        let uses = draft.assets.get(*first).map(crate::asset::Asset::references).unwrap_or_default();
        let place = uses.into_iter().find(|reference| reference.asset == **second).map(|reference| reference.path);
        let path = all.key(first).join(&place.unwrap_or_default());
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

fn reference(draft: &Draft<'_>, name: &str, reference: &Reference, path: &KeyPath, report: &mut Report<'_>) {
    let (target, takes) = (reference.asset.as_str(), reference.takes);
    if target == name {
        report.add(
            DiagnosticKind::Cycle,
            path,
            format!("`{name}` refers to itself"),
            if takes == Takes::Order { "remove the reference" } else { "name the asset whose documents it reads" },
        );
        return;
    }
    let usable = || -> Vec<&str> {
        let fits = |other: &str| draft.assets.get(other).is_some_and(|asset| takes.is_given_by(asset.output()));
        draft.names.iter().map(String::as_str).filter(|other| *other != name && fits(other)).collect()
    };
    if !draft.names.iter().any(|other| other == target) {
        let names = usable();
        let help = match nearest(target, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "the file has no other asset to refer to".to_owned(),
            None => suggestion(target, "assets to refer to", names),
        };
        report.add_at_word(
            DiagnosticKind::UnknownReference,
            path,
            (target, 0),
            format!("unknown asset `{target}`"),
            help,
        );
        return;
    }
    // An asset with problems of its own is not compared.
    let Some(other) = draft.assets.get(target).filter(|other| !takes.is_given_by(other.output())) else { return };
    let names = usable();
    let help = match names.is_empty() {
        true => format!("refer to an asset of kind {}", es_values::one_of(draft.readable_kinds.iter().copied())),
        false => format!("refer to one of {}", quoted_list(names)),
    };
    let lacks = match other.output() {
        Output::Files if takes != Takes::Rows => "which writes files and has no documents to read",
        _ => "which has no documents to read",
    };
    report.add(DiagnosticKind::WrongKind, path, format!("`{target}` is of kind `{}`, {lacks}", other.kind()), help);
}

fn same_output(draft: &Draft<'_>, all: &KeyPath, report: &mut Report<'_>) {
    let mut writers: HashMap<&str, &str> = HashMap::new();
    for (name, asset) in draft.assets {
        let Some((place, path)) = asset.definition().writes() else { continue };
        if let Some(other) = writers.insert(path.trim_end_matches('/'), name) {
            report.invalid(
                &all.key(name).join(&place),
                format!("`{other}` writes to `{path}` too"),
                "give each asset a folder of its own",
            );
        }
    }
}
