//! Benchmarks and soak tests of the program, as whole processes on a real Elasticsearch.
//!
//! Run as `cargo xtask bench` and `cargo xtask soak`, which build this crate. Processes, HTTP, nodes
//! and virtual environments come from the library of `xtask`.

mod bench;
mod fault_proxy;
mod python;
mod soak;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask-bench", bin_name = "cargo xtask", about, version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure documents per second, CPU and memory beside elasticsearch-py and the server's limit
    Bench(bench::BenchArgs),
    /// Load and export under injected faults, and compare every document
    Soak(soak::SoakArgs),
}

fn main() -> ExitCode {
    xtask::report(match Cli::parse().command {
        Command::Bench(args) => bench::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Soak(args) => soak::run(&args),
    })
}
