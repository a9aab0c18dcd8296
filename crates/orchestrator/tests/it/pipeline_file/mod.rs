//! The pipeline file with the kinds and settings of this program: what is read, what is refused and
//! in which words, and what a change of it makes stale.

mod agreement;
mod diagnostics;
mod exports;
mod fingerprints;
mod plans;
mod reference_pipeline;
mod schema;

use es_assets::{Diagnostics, Pipeline, PipelineFormat};
use orchestrator::kinds::Kinds;
use serde_json::Value;

/// The reference pipeline.
const FLIGHTS: &str = include_str!("../../fixtures/pipelines/flights.yaml");

/// The reference pipeline as JSON, which is YAML too.
fn flights_as_json() -> Value {
    serde_json::from_str(include_str!("../../fixtures/pipelines/flights.json")).unwrap()
}

/// The text of a file under `tests/fixtures/pipelines`.
fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/pipelines/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn format() -> PipelineFormat {
    Kinds::builtin().format()
}

fn parse(file: &str, text: &str, environment: Option<&str>) -> Result<Pipeline, Diagnostics> {
    format().parse(file, text, environment)
}

/// The reference pipeline in an environment.
fn flights(environment: Option<&str>) -> Pipeline {
    parse("flights.yaml", FLIGHTS, environment).unwrap_or_else(|errors| panic!("{errors}"))
}
