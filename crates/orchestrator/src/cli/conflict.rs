//! Why options exclude each other, where that is not plain from their names.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _};

use super::Cli;

/// The help for options that a query in ES|QL or SQL leaves no room for.
const OF_A_QUERY: &str = "a query in ES|QL or SQL says itself what is read: columns, order, number of rows, and what \
                          becomes of several values or none";

impl Cli {
    /// Reads the command line of the process.
    ///
    /// # Errors
    /// When it is wrong, and when it asks for the help or the version, which are then to be printed.
    pub fn of_process() -> Result<Self, clap::Error> {
        let read = Self::command().try_get_matches().and_then(|matches| Self::from_arg_matches(&matches));
        read.map_err(explained)
    }
}

/// Adds to an error about a query that excludes options why it does.
fn explained(mut error: clap::Error) -> clap::Error {
    let names = |kind| match error.get(kind) {
        Some(ContextValue::String(name)) => vec![name.clone()],
        Some(ContextValue::Strings(names)) => names.clone(),
        _ => Vec::new(),
    };
    let named = [names(ContextKind::InvalidArg), names(ContextKind::PriorArg)].concat();
    let is_query = |name: &String| name.starts_with("--esql") || name.starts_with("--sql");
    if error.kind() == ErrorKind::ArgumentConflict && named.iter().any(is_query) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![OF_A_QUERY.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_query_excludes_is_told_with_the_reason() {
        let table: [(&[&str], bool); 12] = [
            (&["--columns", "a"], true),
            (&["--runtime", "{}"], true),
            (&["--sort", "a"], true),
            (&["--limit", "1"], true),
            (&["--sample", "0.5"], true),
            (&["--slices", "2"], true),
            (&["--read-from", "source"], true),
            (&["--values", "list"], true),
            (&["--malformed", "a=null"], true),
            (&["--missing", "error"], true),
            (&["--page-rows", "10"], false),
            (&["--query", "{}"], false),
        ];
        for (option, is_excluded) in table {
            for language in ["--esql", "--sql"] {
                let given = [&["orchestrator", "export", language, "query", "--to", "out"][..], option].concat();
                let told = Cli::command().try_get_matches_from(given).map_err(|error| explained(error).to_string());
                assert_eq!(told.is_err(), is_excluded, "{language} {option:?}");
                if let Err(told) = told {
                    assert!(told.contains(option[0]) && told.contains(OF_A_QUERY), "{told}");
                }
            }
        }
        let other = ["orchestrator", "run", "--partition", "a", "--from", "b"];
        let told = explained(Cli::command().try_get_matches_from(other).unwrap_err()).to_string();
        assert!(told.contains("cannot be used with") && !told.contains("ES|QL"), "{told}");
    }
}
