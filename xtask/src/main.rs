//! The program that `cargo xtask` runs; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::run()
}
