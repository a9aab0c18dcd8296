//! The allowed dependencies between the crates of the workspace, checked against `cargo metadata`.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{process, workspace};

/// Every crate of the workspace, with the crates of the workspace that it may depend on.
///
/// ARCHITECTURE.md draws the same graph.
const ARROWS: [(&str, &[&str]); 13] = [
    ("es-values", &[]),
    ("es-core", &["es-values"]),
    ("es-assets", &["es-values"]),
    ("es-frame", &["es-core", "es-values"]),
    ("es-bulk", &["es-core", "es-frame", "es-values"]),
    ("es-features", &["es-core", "es-frame", "es-values"]),
    ("es-export", &["es-core", "es-frame", "es-values"]),
    ("es-monitor", &["es-core", "es-frame", "es-values"]),
    ("es-serving", &["es-core", "es-frame", "es-values"]),
    (
        "orchestrator",
        &[
            "es-core",
            "es-assets",
            "es-frame",
            "es-bulk",
            "es-features",
            "es-export",
            "es-monitor",
            "es-serving",
            "es-values",
        ],
    ),
    (TEST_CRATE, &[]),
    ("xtask", &[]),
    ("xtask-bench", &["xtask"]),
];

/// The crates of development commands, which run the program and link to none of its crates.
const COMMANDS: [&str; 2] = ["xtask", "xtask-bench"];

/// The crate for tests: a development dependency of any crate except [`COMMANDS`].
const TEST_CRATE: &str = "es-testing";

/// External crates that only one crate of the workspace may depend on: the external crate, and that one.
const OWNED: [(&str, &str); 1] = [("elasticsearch", "es-core")];

/// The part of `cargo metadata` that the rules need.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

pub(crate) fn check() -> Result<()> {
    let json = process::output_of(
        workspace::cargo().current_dir(workspace::root()).args(["metadata", "--format-version", "1", "--no-deps"]),
        Duration::from_secs(120),
    )
    .context("cargo metadata failed")?;
    let metadata: Metadata = serde_json::from_str(&json).context("cannot read cargo metadata")?;
    let violations = violations(&metadata);
    if violations.is_empty() {
        println!("{} crates have only allowed dependencies", metadata.packages.len());
        return Ok(());
    }
    violations.iter().for_each(|violation| println!("{violation}"));
    bail!("{} forbidden dependencies", violations.len())
}

fn violations(metadata: &Metadata) -> Vec<String> {
    let members: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let missing = ARROWS
        .iter()
        .filter(|(name, _)| !members.contains(name))
        .map(|(name, _)| format!("{name} is in the table of layers but not in the workspace"));
    let forbidden = metadata.packages.iter().flat_map(|package| {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
            return vec![format!("{} is in no layer: add it to the table", package.name)];
        };
        package
            .dependencies
            .iter()
            .filter(|dependency| !may(&package.name, allowed, dependency, &members))
            .map(|dependency| {
                let kind = dependency.kind.as_deref().unwrap_or("normal");
                format!("{} may not depend on {} ({kind})", package.name, dependency.name)
            })
            .collect()
    });
    missing.chain(forbidden).collect()
}

fn may(package: &str, allowed: &[&str], dependency: &Dependency, members: &BTreeSet<&str>) -> bool {
    let name = dependency.name.as_str();
    if let Some((_, owner)) = OWNED.iter().find(|(owned, _)| *owned == name) {
        return package == *owner;
    }
    if name == TEST_CRATE {
        return dependency.kind.as_deref() == Some("dev") && !COMMANDS.contains(&package);
    }
    !members.contains(name) || allowed.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The workspace of the table, with `extra` dependencies of one crate.
    fn workspace_with(crate_name: &str, extra: &[(&str, Option<&str>)]) -> Metadata {
        let packages = ARROWS
            .iter()
            .map(|(name, allowed)| {
                let own = allowed.iter().map(|name| (*name, None));
                let extra = extra.iter().copied().filter(|_| *name == crate_name);
                Package {
                    name: (*name).to_owned(),
                    dependencies: own
                        .chain(extra)
                        .map(|(name, kind)| Dependency { name: name.to_owned(), kind: kind.map(str::to_owned) })
                        .collect(),
                }
            })
            .collect();
        Metadata { packages }
    }

    #[test]
    fn dependencies_of_the_table_are_allowed() {
        let extra = [("serde", None), (TEST_CRATE, Some("dev"))];
        assert_eq!(violations(&workspace_with("es-bulk", &extra)), Vec::<String>::new());
        let own = [("elasticsearch", None)];
        assert_eq!(violations(&workspace_with("es-core", &own)), Vec::<String>::new());
    }

    #[test]
    fn other_dependencies_are_refused() {
        for (package, dependency, kind) in [
            ("es-bulk", "es-export", None),
            ("es-bulk", "es-export", Some("dev")),
            ("es-core", "es-frame", None),
            ("es-assets", "es-core", None),
            ("es-bulk", "elasticsearch", None),
            ("es-bulk", "elasticsearch", Some("dev")),
            ("es-bulk", TEST_CRATE, None),
            ("xtask", TEST_CRATE, Some("dev")),
            ("xtask", "es-core", None),
            ("xtask", "xtask-bench", None),
            ("xtask-bench", TEST_CRATE, Some("dev")),
            ("xtask-bench", "orchestrator", None),
            ("orchestrator", "xtask", Some("dev")),
        ] {
            let found = violations(&workspace_with(package, &[(dependency, kind)]));
            let shown = kind.unwrap_or("normal");
            assert_eq!(found, [format!("{package} may not depend on {dependency} ({shown})")]);
        }
    }

    #[test]
    fn the_table_and_the_workspace_agree() {
        let mut metadata = workspace_with("es-core", &[]);
        metadata.packages.retain(|package| package.name != "es-serving");
        metadata.packages.push(Package { name: "es-new".into(), dependencies: vec![] });
        assert_eq!(
            violations(&metadata),
            [
                "es-serving is in the table of layers but not in the workspace",
                "es-new is in no layer: add it to the table"
            ]
        );
    }
}
