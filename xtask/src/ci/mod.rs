//! `cargo xtask ci`: every check that a change must pass, on a laptop as in CI.
//!
//! All selected steps run even when one fails, so that one run shows every problem. Live tests get
//! nodes of their own, which are removed when the run ends.

mod deny;
mod layers;
mod nodes;
mod report;
mod steps;
pub(crate) mod tests_output;
mod tidy;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::es::{self, provider::Choice};
use nodes::TestNodes;
use report::Report;

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Formatting
    Fmt,
    /// Rules that the compiler does not check
    Tidy,
    /// Allowed dependencies between the crates
    Layers,
    /// Licences, sources and advisories of the dependencies
    Deny,
    /// Lints
    Clippy,
    /// Unit tests, which need no Elasticsearch
    Unit,
    /// Documentation builds without a warning
    Doc,
    /// Tests compile
    Build,
    /// Generated files are up to date
    Generated,
    /// Tests, against a real Elasticsearch
    Test,
    /// The example of a kind of its own, against a real Elasticsearch
    OwnKind,
    /// The libraries' live tests again, against the previous major version
    Compatibility,
    /// Common packages read a file of each format of exports
    Consumers,
    /// The conformance suite against real model servers
    Servers,
    /// Examples in the documentation
    Doctest,
}

impl Step {
    /// Every check, in the order in which they run: fast ones and those that fail often come first.
    ///
    /// [`Self::Unit`] is not among them, as [`Self::Test`] runs the unit tests too.
    const FULL: [Self; 14] = [
        Self::Fmt,
        Self::Tidy,
        Self::Layers,
        Self::Deny,
        Self::Clippy,
        Self::Doc,
        Self::Build,
        Self::Generated,
        Self::Test,
        Self::OwnKind,
        Self::Compatibility,
        Self::Consumers,
        Self::Servers,
        Self::Doctest,
    ];

    /// The checks between two edits.
    const QUICK: [Self; 5] = [Self::Fmt, Self::Tidy, Self::Layers, Self::Clippy, Self::Unit];

    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Layers => "layers",
            Self::Deny => "deny",
            Self::Clippy => "clippy",
            Self::Unit => "unit",
            Self::Doc => "doc",
            Self::Build => "build",
            Self::Generated => "generated",
            Self::Test => "test",
            Self::OwnKind => "own kind",
            Self::Compatibility => "compatibility",
            Self::Consumers => "consumers",
            Self::Servers => "servers",
            Self::Doctest => "doctest",
        }
    }

    fn needs_nodes(self) -> bool {
        matches!(self, Self::Test | Self::OwnKind | Self::Compatibility)
    }
}

#[derive(Args)]
pub(crate) struct CiArgs {
    /// Run only these steps, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "quick")]
    only: Vec<Step>,
    /// Run the checks for the inner loop: format, tidy, layers, clippy and unit tests
    #[arg(long)]
    quick: bool,
    /// The provider of the nodes for live tests
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    provider: Choice,
    /// The Elasticsearch version for live tests
    #[arg(long, default_value = es::DEFAULT_VERSION)]
    es_version: String,
}

impl CiArgs {
    /// The selected steps, in the order in which they run.
    fn steps(&self) -> Vec<Step> {
        if self.quick {
            Step::QUICK.to_vec()
        } else if self.only.is_empty() {
            Step::FULL.to_vec()
        } else {
            Step::value_variants().iter().copied().filter(|step| self.only.contains(step)).collect()
        }
    }
}

pub(crate) fn run(args: &CiArgs) -> Result<ExitCode> {
    let steps = args.steps();
    let mut report = Report::default();
    let mut nodes: Option<TestNodes> = None;
    for (position, step) in steps.iter().enumerate() {
        // The node boots while the tests compile.
        let soon = steps[position..].iter().take(3).any(|step| step.needs_nodes());
        if nodes.is_none() && soon && !matches!(step, Step::Clippy | Step::Doc | Step::Unit) {
            let first = if *step == Step::Compatibility { es::PREVIOUS_VERSION } else { &args.es_version };
            nodes = Some(TestNodes::begin(args.provider, first)?);
        }
        println!("\n── {} ──", step.name());
        let started = Instant::now();
        let outcome = match step {
            Step::Fmt => steps::fmt(),
            Step::Tidy => tidy::check(),
            Step::Layers => layers::check(),
            Step::Deny => deny::check().map(|skipped| report.skip(skipped)),
            Step::Clippy => steps::clippy(),
            Step::Unit => steps::unit(&mut report.counts),
            Step::Doc => steps::doc(),
            Step::Build => steps::build(),
            Step::Generated => crate::generate::check(),
            Step::Test => {
                let (outcome, live) = steps::test(nodes.as_mut(), &mut report.counts);
                report.live.extend(live);
                outcome
            }
            Step::OwnKind => steps::own_kind(nodes.as_mut()).map(|skipped| report.skip(skipped)),
            Step::Compatibility => {
                if let Some(nodes) =
                    nodes.as_mut().filter(|_| steps.contains(&Step::Test) || steps.contains(&Step::OwnKind))
                {
                    nodes.change_version(es::PREVIOUS_VERSION);
                }
                let (outcome, live) = steps::compatibility(nodes.as_mut(), &mut report.counts);
                report.live.extend(live);
                outcome
            }
            Step::Consumers => steps::consumers(&mut report.counts),
            Step::Servers => steps::servers(&mut report.counts).map(|skipped| report.skip(skipped)),
            Step::Doctest => steps::doctest(&mut report.counts),
        };
        let failure = outcome.err().map(|error| format!("{error:#}"));
        if let Some(failure) = &failure {
            println!("{} failed: {failure}", step.name());
        }
        report.add(step.name(), started.elapsed(), failure);
    }
    drop(nodes);
    println!("\n{}", report.render());
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns true in CI, where a missing Elasticsearch or Python is a failure.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(only: &[Step], quick: bool) -> Vec<Step> {
        CiArgs { only: only.to_vec(), quick, provider: Choice::Auto, es_version: String::new() }.steps()
    }

    #[test]
    fn the_quick_steps_need_no_node() {
        assert_eq!(steps(&[], true), Step::QUICK);
        assert!(Step::QUICK.iter().all(|step| !step.needs_nodes()));
    }

    #[test]
    fn a_full_run_has_every_check_once() {
        let full = steps(&[], false);
        let missing: Vec<&Step> = Step::value_variants().iter().filter(|step| !full.contains(step)).collect();
        assert_eq!(missing, [&Step::Unit]);
        assert_eq!(full.len() + 1, Step::value_variants().len());
    }

    #[test]
    fn selected_steps_keep_their_order() {
        assert_eq!(steps(&[Step::Test, Step::Fmt, Step::Unit], false), [Step::Fmt, Step::Unit, Step::Test]);
        // The variants are declared in the order in which the steps run.
        assert!(Step::FULL.is_sorted_by_key(|step| *step as u8));
    }
}
