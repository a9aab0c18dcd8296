//! Flags that take one of several names: the names and their help are those of the option type, so
//! that the command line says the same as the pipeline file.

use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

/// A parser of the names that the schema of an option type lists. Words are joined by hyphens.
pub(super) fn choice<T>() -> impl TypedValueParser<Value = T>
where
    T: JsonSchema + FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    PossibleValuesParser::new(names::<T>()).try_map(|name| name.parse::<T>())
}

fn names<T: JsonSchema>() -> Vec<PossibleValue> {
    let schema = schema_for!(T).to_value();
    let described = schema["oneOf"].as_array().into_iter().flatten();
    // Choices without a description stand in one list.
    let mut names: Vec<PossibleValue> = Vec::new();
    for choice in described {
        let plain = choice["enum"].as_array().into_iter().flatten();
        let help = choice["description"].as_str().unwrap_or_default().replace('\n', " ");
        for name in [&choice["const"]].into_iter().chain(plain).filter_map(Value::as_str) {
            let value = PossibleValue::new(name.replace('_', "-"));
            names.push(if help.is_empty() { value } else { value.help(help.trim_end_matches('.').to_owned()) });
        }
    }
    let plain = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.extend(plain.map(|name| PossibleValue::new(name.replace('_', "-"))));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_of_an_option_is_a_name_of_the_flag() {
        let found = |names: Vec<PossibleValue>| -> Vec<String> {
            names.iter().map(|name| name.get_name().to_owned()).collect()
        };
        assert_eq!(found(names::<es_frame::Operation>()), ["index", "create", "update", "upsert", "delete"]);
        assert_eq!(
            found(names::<es_bulk::files::FileFormat>()),
            ["parquet", "csv", "ndjson", "json", "bulk", "elasticdump", "ipc", "ipc-stream"]
        );
        assert!(names::<es_frame::NonFinite>().iter().all(|name| name.get_help().is_some()));
    }
}
