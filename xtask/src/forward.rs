//! Commands of `xtask-bench`, which is built only when one of them runs.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace;

/// Arguments that the other program parses.
#[derive(Args)]
pub(crate) struct ForwardedArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

/// Replaces this process by the command of `xtask-bench`, so that signals and exit codes are its own.
pub(crate) fn run(command: &str, args: &ForwardedArgs) -> Result<ExitCode> {
    let mut cargo = workspace::cargo();
    cargo.args(["run", "--quiet", "--manifest-path"]).arg(workspace::root().join("Cargo.toml"));
    cargo.args(["--package", "xtask-bench", "--", command]).args(&args.arguments);
    Err(cargo.exec()).context("cannot start cargo")
}
