//! Examples of the library crates that benchmarks and soak tests run as programs.

use std::path::PathBuf;

use anyhow::Result;
use xtask::compile::{Executable, build, executable_in};

/// The paths of the examples.
pub(crate) struct Tools {
    /// The example of `es-testing` that injects faults between a client and a node.
    pub(crate) fault_proxy: PathBuf,
    /// The example of `es-core` that reads pages and discards them.
    pub(crate) fetch: PathBuf,
    /// The example of `es-core` that sends recorded bodies.
    pub(crate) replay: PathBuf,
}

impl Tools {
    /// Builds the examples with a profile.
    ///
    /// They are built apart from the program: their additional dependencies would change the features
    /// of the program's own, which would then be compiled twice.
    pub(crate) fn build(profile: &str) -> Result<Self> {
        let packages = ["--package", "es-testing", "--package", "es-core"];
        let examples = ["--example", "fault_proxy", "--example", "fetch", "--example", "replay"];
        let messages = build(&[&packages[..], &examples, &["--profile", profile]].concat())?;
        let path = |name| executable_in(&messages, Executable::example(name));
        Ok(Self { fault_proxy: path("fault_proxy")?, fetch: path("fetch")?, replay: path("replay")? })
    }
}
