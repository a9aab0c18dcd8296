//! The environment: what the process was started with, over the `.env` file beside the
//! pipeline.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Error;

/// Variables by name.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

/// The meaning of a variable, for `.env.example` and the documentation.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The text that says what it sets.
    pub description: &'static str,
    /// A value that shows its form.
    pub example: &'static str,
}

/// The variables beside those of the connection, which [`es_core::VARIABLES`] lists.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "ELASTICSEARCH_INDEX_PREFIX",
        description: "The prefix of the names of all indices and aliases.",
        example: "dev-flights-",
    },
    Variable {
        name: "ORCHESTRATOR_SECTION__KEY",
        description: "Any setting of the pipeline file, such as ORCHESTRATOR_BULK__CONCURRENCY.",
        example: "8",
    },
    Variable {
        name: "MLFLOW_TRACKING_URI",
        description: "The MLflow server of `models push` and `models pull`.",
        example: "http://localhost:5000",
    },
    Variable {
        name: "MLFLOW_TRACKING_USERNAME",
        description: "The user for that server, with a password.",
        example: "ana",
    },
    Variable { name: "MLFLOW_TRACKING_PASSWORD", description: "The password of that user.", example: "secret" },
    Variable { name: "MLFLOW_TRACKING_TOKEN", description: "A token for that server instead.", example: "secret" },
    Variable { name: "RUST_LOG", description: "Which log lines are written.", example: "info,es_core=debug" },
    Variable { name: "NO_COLOR", description: "Set to anything: no colours.", example: "1" },
];

impl Environment {
    /// The variables of the process, over those of `.env` in a folder if there is one.
    ///
    /// # Errors
    /// When the `.env` file cannot be read.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(".env");
        let mut variables = BTreeMap::new();
        if path.is_file() {
            let wrong = |error: dotenvy::Error| match error {
                // The line itself may hold a secret.
                dotenvy::Error::LineParse(_, at) => {
                    Error::config(format!("{} has a line that is no NAME=value, near its column {at}", path.display()))
                }
                other => Error::config(format!("{} cannot be read: {other}", path.display())),
            };
            for entry in dotenvy::from_path_iter(&path).map_err(wrong)? {
                let (name, value) = entry.map_err(wrong)?;
                variables.insert(name, value);
            }
        }
        variables.extend(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        Ok(Self { variables })
    }

    /// An environment of the given variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect() }
    }

    /// A variable that is set to something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// The variables whose names start with a prefix, without it.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.variables.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }
}

/// The user and the host of this process, for a person.
pub fn person() -> String {
    let named = |variable: &str| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let user = named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(|| "unknown".to_owned());
    let host = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{user}@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_wins_over_the_file_and_a_broken_line_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, "# comment\nPATH=/nowhere\nFROM_DOT_ENV='a b'\n").unwrap();
        let environment = Environment::load(folder.path()).unwrap();
        assert_eq!(environment.get("FROM_DOT_ENV"), Some("a b"));
        assert_ne!(environment.get("PATH"), Some("/nowhere"));
        std::fs::write(&file, "ELASTICSEARCH_PASSWORD 'canary\n").unwrap();
        let failure = Environment::load(folder.path()).unwrap_err();
        assert!(!failure.to_string().contains("canary"), "{failure}");
    }
}
