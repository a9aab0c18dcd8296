//! Development commands of this workspace: a real Elasticsearch to work against, the checks that a
//! change must pass, the demo, the benchmarks, the consumers of exports, and the soak.
//!
//! Run as `cargo xtask COMMAND`. Depends on none of the workspace's crates, so
//! that it builds in seconds and works while they do not compile.

mod bench;
mod ci;
mod compile;
mod consumers;
mod demo;
mod es;
mod example;
mod fault_proxy;
mod generate;
mod http;
mod process;
mod soak;
mod terminal;
mod venv;
mod workspace;

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
    /// Write the generated files anew
    Generate,
    /// Run the flights pipeline on an Elasticsearch, and show what comes out
    Demo,
    /// Measure the program beside elasticsearch-py: documents per second, CPU, memory
    Bench(bench::BenchArgs),
    /// Let the packages that people use read what exports write
    Consumers(consumers::ConsumersArgs),
    /// Load and export while everything goes wrong, and compare every document
    Soak(soak::SoakArgs),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Es(command) => es::run(command).map(|()| ExitCode::SUCCESS),
        Command::Ci(args) => ci::run(&args),
        Command::Generate => generate::write().map(|()| ExitCode::SUCCESS),
        Command::Demo => demo::run(),
        Command::Bench(args) => bench::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Consumers(args) => consumers::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Soak(args) => soak::run(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
