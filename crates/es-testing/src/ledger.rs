//! The report on live tests: the number that got a node, and the skipped ones.

use std::io::Write;

/// Adds a line to the file that `ES_TESTING_LEDGER` names, if it names one.
pub(crate) fn record(kind: &str, url: &str) {
    let Some(path) = std::env::var_os("ES_TESTING_LEDGER") else {
        return;
    };
    let test = std::thread::current().name().unwrap_or("unnamed").to_owned();
    // One short write in append mode: lines of parallel tests do not mix.
    let line = format!("{kind}\t{url}\t{test}\n");
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("cannot write the ledger {}: {error}", path.display());
    }
}

/// A line that is seen even where the test harness captures output.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
