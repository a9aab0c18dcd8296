//! Development commands of this workspace: an Elasticsearch to work against, the checks that a
//! change must pass, the demo, the packages that read exports, and the servers that models are scored by.
//!
//! Run as `cargo xtask COMMAND`. The crate depends on no other crate of the workspace, so it builds
//! in under a minute and works while the others do not compile. The benchmarks and the soak are a
//! crate of their own, `xtask-bench`: `cargo xtask bench` and `cargo xtask soak` build and run it.
//! The public modules are what the two crates share.

mod ci;
pub mod compile;
mod consumers;
mod demo;
pub mod es;
pub mod example;
mod forward;
mod generate;
pub mod http;
pub mod onnxruntime;
pub mod process;
pub mod scope;
mod servers;
pub mod terminal;
pub mod text_model;
pub mod venv;
pub mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about, version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start, stop and inspect an Elasticsearch for development
    #[command(subcommand)]
    Es(es::Command),
    /// Run every check that a change must pass
    Ci(ci::CiArgs),
    /// Fetch the library of ONNX Runtime, which models are scored with
    Onnxruntime,
    /// Fetch the model of texts that tests of embeddings run
    TextModel,
    /// Rewrite the generated files
    Generate,
    /// Run the flights pipeline on an Elasticsearch and show the results
    Demo,
    /// Measure documents per second, CPU and memory beside elasticsearch-py and the server's limit
    #[command(disable_help_flag = true)]
    Bench(forward::ForwardedArgs),
    /// Read exported files with the packages that people use
    Consumers(consumers::ConsumersArgs),
    /// Start real model servers, and run the conformance suite of es-serving against each
    Servers(servers::ServersArgs),
    /// Load and export under injected faults, and compare every document
    #[command(disable_help_flag = true)]
    Soak(forward::ForwardedArgs),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    report(match Cli::parse().command {
        Command::Es(command) => es::run(command).map(|()| ExitCode::SUCCESS),
        Command::Ci(args) => ci::run(&args),
        Command::Onnxruntime => onnxruntime::run().map(|()| ExitCode::SUCCESS),
        Command::TextModel => text_model::run().map(|()| ExitCode::SUCCESS),
        Command::Generate => generate::write().map(|()| ExitCode::SUCCESS),
        Command::Demo => demo::run(),
        Command::Bench(args) => forward::run("bench", &args),
        Command::Consumers(args) => consumers::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Servers(args) => servers::run(&args),
        Command::Soak(args) => forward::run("soak", &args),
    })
}

/// Prints the error of a command, and returns the exit code of the process.
#[must_use]
pub fn report(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
