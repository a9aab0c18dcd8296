//! `cargo xtask ci`: every check that a change must pass, on a laptop as in CI.
//!
//! All chosen steps run even when one fails, so that one run shows all there
//! is to mend. Live tests get nodes of their own, which go when the run ends.

mod layers;
mod nodes;
mod report;
mod steps;
mod tests_output;
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
    /// Rules that the compiler does not know
    Tidy,
    /// Which crate may depend on which
    Layers,
    /// Lints
    Clippy,
    /// Documentation builds without a warning
    Doc,
    /// Tests compile
    Build,
    /// Generated files are up to date
    Generated,
    /// Tests, against a real Elasticsearch
    Test,
    /// The libraries' live tests once more, against the major version before
    Compatibility,
    /// The packages that people use read a file of each format of exports
    Consumers,
    /// Examples in the documentation
    Doctest,
}

impl Step {
    /// In the order in which they run: what is quick or fails often comes first.
    const ALL: [Self; 11] = [
        Self::Fmt,
        Self::Tidy,
        Self::Layers,
        Self::Clippy,
        Self::Doc,
        Self::Build,
        Self::Generated,
        Self::Test,
        Self::Compatibility,
        Self::Consumers,
        Self::Doctest,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Layers => "layers",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Build => "build",
            Self::Generated => "generated",
            Self::Test => "test",
            Self::Compatibility => "compatibility",
            Self::Consumers => "consumers",
            Self::Doctest => "doctest",
        }
    }

    fn needs_nodes(self) -> bool {
        matches!(self, Self::Test | Self::Compatibility)
    }
}

#[derive(Args)]
pub(crate) struct CiArgs {
    /// Run these steps alone, separated by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Step>,
    /// Where the nodes for live tests come from
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    provider: Choice,
    /// Elasticsearch version for live tests
    #[arg(long, default_value = es::DEFAULT_VERSION)]
    es_version: String,
}

pub(crate) fn run(args: &CiArgs) -> Result<ExitCode> {
    let steps: Vec<Step> =
        Step::ALL.into_iter().filter(|step| args.only.is_empty() || args.only.contains(step)).collect();
    let mut report = Report::default();
    let mut nodes: Option<TestNodes> = None;
    for (position, step) in steps.iter().enumerate() {
        // The node boots while the tests compile.
        let soon = steps[position..].iter().take(3).any(|step| step.needs_nodes());
        if nodes.is_none() && soon && !matches!(step, Step::Clippy | Step::Doc) {
            let first = if *step == Step::Compatibility { es::PREVIOUS_VERSION } else { &args.es_version };
            nodes = Some(TestNodes::begin(args.provider, first)?);
        }
        println!("\n── {} ──", step.name());
        let started = Instant::now();
        let outcome = match step {
            Step::Fmt => steps::fmt(),
            Step::Tidy => tidy::check(),
            Step::Layers => layers::check(),
            Step::Clippy => steps::clippy(),
            Step::Doc => steps::doc(),
            Step::Build => steps::build(),
            Step::Generated => crate::generate::check(),
            Step::Test => {
                let (outcome, live) = steps::test(nodes.as_mut(), &mut report.counts);
                report.live.extend(live);
                outcome
            }
            Step::Compatibility => {
                if let Some(nodes) = nodes.as_mut().filter(|_| steps.contains(&Step::Test)) {
                    nodes.change_version(es::PREVIOUS_VERSION);
                }
                let (outcome, live) = steps::compatibility(nodes.as_mut(), &mut report.counts);
                report.live.extend(live);
                outcome
            }
            Step::Consumers => steps::consumers(&mut report.counts),
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

/// Whether this runs in CI, where a missing Elasticsearch or Python is a failure.
fn in_ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}
