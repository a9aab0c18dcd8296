//! Finding the script that fails, with its position and the reason.
//!
//! A failed search does not name the feature whose script failed, so each script runs in a search
//! of its own, all in one request.

use es_core::{Client, Method, Request, ServerError};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, ScriptError};
use crate::options::{FeatureSet, ValueSource};
use crate::request::script_probes;

#[derive(Deserialize)]
struct Searches {
    responses: Vec<Search>,
}

#[derive(Deserialize)]
struct Search {
    error: Option<Value>,
}

/// Runs every script of the features over the documents of a query. A query that matches
/// nothing finds those that do not compile.
pub(crate) async fn check(client: &Client, index: &str, set: &FeatureSet, query: &Value) -> Result<(), Error> {
    let scripts = scripts(set);
    if scripts.is_empty() {
        return Ok(());
    }
    let request = Request::new(Method::Post, "/_msearch").ndjson(script_probes(index, query, &scripts)).repeatable();
    let failed = |error| Error::request(&format!("checking the scripts of features over {index}"), error);
    let searches: Searches = client.send(&request).await.map_err(failed)?.json().map_err(failed)?;
    for ((feature, _), search) in scripts.iter().zip(&searches.responses) {
        if let Some(error) = &search.error {
            return Err(explain(feature, error));
        }
    }
    Ok(())
}

/// The scripts of the features, with the features' names.
fn scripts(set: &FeatureSet) -> Vec<(&str, &ValueSource)> {
    set.features
        .iter()
        .flat_map(|(name, feature)| feature.value_sources().into_iter().map(move |values| (name.as_str(), values)))
        .filter(|(_, values)| matches!(values, ValueSource::Script(_)))
        .collect()
}

/// The error of a search that ran only this script.
fn explain(feature: &str, error: &Value) -> Error {
    let cause = error.pointer("/failed_shards/0/reason").unwrap_or(error);
    let reason = match ServerError::from_value(cause) {
        Some(server) => server.summary(),
        None => error.to_string(),
    };
    let position = cause.pointer("/position/offset").and_then(Value::as_u64).and_then(|offset| offset.try_into().ok());
    // Frames of the server's own code may come before the line of the script and its pointer.
    let stack: Vec<&str> =
        cause.get("script_stack").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let pointer = stack.iter().position(|line| line.trim_start().starts_with("^---"));
    let excerpt = match pointer {
        Some(line) if line > 0 => stack[line - 1..=line].iter().map(|line| (*line).to_owned()).collect(),
        _ => Vec::new(),
    };
    ScriptError { feature: feature.to_owned(), reason, position, excerpt }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use serde_json::json;

    #[test]
    fn a_script_error_has_its_position_and_cause() {
        // As Elasticsearch 9.4 answers.
        let error = json!({
            "type": "search_phase_execution_exception", "reason": "all shards failed",
            "failed_shards": [{"shard": 0, "index": "flights", "reason": {
                "type": "script_exception", "reason": "compile error",
                "script_stack": [
                    "org.elasticsearch.painless.Compiler.compile(Compiler.java:1)",
                    "... e() == 0 ? null : 60.0 * dox['distance'].value",
                    "                             ^---- HERE",
                ],
                "script": "doc['air_time'].size() == 0 ? null : 60.0 * dox['distance'].value", "lang": "painless",
                "position": {"offset": 44, "start": 19, "end": 65},
                "caused_by": {"type": "illegal_argument_exception", "reason": "cannot resolve symbol [dox]"},
            }}],
        });
        let error = explain("speed", &error);
        assert_eq!(error.kind(), ErrorKind::Script);
        assert_eq!(
            error.to_string(),
            "the script of feature `speed` fails: compile error: cannot resolve symbol [dox], at character 44: \
             `... e() == 0 ? null : 60.0 * dox['distance'].value`"
        );
        assert_eq!(error.script().unwrap().excerpt[1], "                             ^---- HERE");
    }

    #[test]
    fn other_refusals_keep_the_words_of_the_server() {
        let error = json!({
            "type": "search_phase_execution_exception", "reason": "all shards failed",
            "failed_shards": [{"reason": {
                "type": "illegal_argument_exception", "reason": "script_lang not supported [painless]"
            }}],
        });
        let error = explain("speed", &error);
        assert_eq!(error.to_string(), "the script of feature `speed` fails: script_lang not supported [painless]");
        assert!(error.help().unwrap().contains("lang-painless"));
    }
}
