//! The reference pipeline is read as it is meant.

use es_assets::{Definition, Pipeline, SecretRef, partition_of};
use es_export::SplitOptions;
use es_features::{Feature, RatioTerm};
use es_monitor::{CurrentWindow, FieldMonitor};
use orchestrator::kinds::checks::Rule;
use orchestrator::kinds::export::Export;
use orchestrator::kinds::features::Features;
use orchestrator::kinds::ingest::Ingest;
use orchestrator::kinds::monitor::Monitor;
use orchestrator::settings::{Settings, overlay};
use serde_json::{Value, json};

use super::{FLIGHTS, flights, flights_as_json, parse};

/// The definition of an asset, which must be one of `D`.
fn definition<'a, D: Definition>(pipeline: &'a Pipeline, name: &str) -> &'a D {
    let asset = pipeline.asset(name).unwrap();
    asset.definition_as().unwrap_or_else(|| panic!("{name} is a {}", asset.kind()))
}

#[test]
fn assets_are_read_with_their_kinds_and_needs() {
    let pipeline = flights(None);
    let kinds: Vec<(&str, &str)> =
        pipeline.assets().iter().map(|(name, asset)| (name.as_str(), asset.kind())).collect();
    assert_eq!(
        kinds,
        [
            ("departures", "ingest"),
            ("weather", "ingest"),
            ("route_delays", "features"),
            ("training_set", "export"),
            ("delay_drift", "monitor"),
        ]
    );
    assert_eq!(
        pipeline.graph().to_text(),
        "\
departures (ingest)
├── route_delays (features)
├── training_set (export)
└── delay_drift (monitor)
weather (ingest)
"
    );
}

#[test]
fn each_kind_holds_what_is_written() {
    let pipeline = flights(None);
    let departures: &Ingest = definition(&pipeline, "departures");
    assert_eq!(departures.id.as_deref().unwrap(), ["carrier", "flight", "time_hour"]);
    assert_eq!(departures.checks.len(), 4);
    assert!(matches!(&departures.checks[1].rule, Rule::NotNull(fields) if fields.len() == 4));
    assert_eq!(Value::Object(departures.index.dynamic_settings()), json!({ "number_of_replicas": 0 }));

    let delays = &definition::<Features>(&pipeline, "route_delays").set;
    let fields: Vec<String> = delays.fields().into_iter().map(|field| field.field).collect();
    assert_eq!(
        fields[..8],
        [
            "flights_7d",
            "flights_28d",
            "delay_mean_7d",
            "delay_mean_28d",
            "delay_p50_7d",
            "delay_p90_7d",
            "delay_p50_28d",
            "delay_p90_28d",
        ]
    );
    assert_eq!(delays.longest_window().unwrap().to_string(), "28d");
    let Feature::Ratio(cancelled) = &delays.features["cancelled"] else { panic!() };
    assert!(matches!(cancelled.of, RatioTerm::Missing(_)));

    let set: &Export = definition(&pipeline, "training_set");
    assert_eq!(set.columns.as_ref().unwrap().len(), 7);
    let Some(SplitOptions::Hash { parts, seed: 7, .. }) = &set.split else { panic!("{:?}", set.split) };
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["train", "validation", "test"]);
    assert_eq!(set.filter.as_ref().unwrap().to_value(), json!({ "range": { "time_hour": { "lt": "2013-10-01" } } }));

    let drift = &definition::<Monitor>(&pipeline, "delay_drift").monitor;
    assert!(matches!(drift.current, CurrentWindow::Between { .. }));
    assert!(matches!(drift.fields["dep_delay"], FieldMonitor::Wasserstein { max, .. } if max == 0.1));
}

#[test]
fn every_row_of_the_year_is_in_a_partition() {
    let pipeline = flights(None);
    let departures = pipeline.asset("departures").unwrap();
    let partitions = departures.partitions().unwrap().declared("2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(partitions.len(), 12);
    let key = |time: &str| partition_of(&partitions, time.parse().unwrap()).map(|partition| partition.key.as_str());
    // The first and the last hour of the data.
    assert_eq!(key("2013-01-01T10:00:00Z"), Some("2013-01"));
    assert_eq!(key("2014-01-01T04:00:00Z"), Some("2013-12"));
    assert_eq!(key("2014-01-01T05:00:00Z"), None);
    assert_eq!(key("2013-07-01T03:59:59Z"), Some("2013-06"));
}

#[test]
fn settings_are_layered_by_environment() {
    let written = flights(None);
    assert_eq!(
        *written.settings_json(),
        json!({
            "cluster": { "hosts": ["http://localhost:9200"], "index_prefix": "flights-" },
            "defaults": { "retries": { "max": 3, "backoff": "exponential" } },
        })
    );
    let dev = flights(Some("dev"));
    assert_eq!(dev.settings_json()["cluster"]["index_prefix"], "dev-flights-");
    assert_eq!((dev.environment(), dev.environments()), (Some("dev"), &["dev".to_owned()][..]));

    let mut layers = serde_json::to_value(Settings::default()).unwrap();
    overlay(&mut layers, dev.settings_json().clone());
    overlay(&mut layers, json!({ "cluster": { "cloud_id": "x:y", "api_key": { "env": "KEY" } } }));
    let settings: Settings = serde_json::from_value(layers).unwrap();
    assert_eq!(settings.cluster.hosts, None);
    assert_eq!(settings.cluster.api_key, Some(SecretRef::Env("KEY".to_owned())));
    assert_eq!(settings.run, Settings::default().run);
}

#[test]
fn places_are_known_after_parsing() {
    let pipeline = flights(None);
    let underlined = |path: &str| {
        let location = pipeline.locate(path)?;
        Some((location.line, &pipeline.source_text()[location.range.clone()]))
    };
    assert_eq!(underlined("assets.departures.time"), Some((19, "time_hour")));
    assert_eq!(underlined("assets.departures.id[1]"), Some((18, "flight")));
    assert_eq!(underlined("assets.departures"), Some((14, "departures")));
    assert_eq!(underlined("cluster.index_prefix"), Some((7, "flights-")));
    assert_eq!(underlined("assets.nobody"), None);
    let dev = flights(Some("dev"));
    assert_eq!(dev.locate("cluster.index_prefix").unwrap().line, 78);

    let late = pipeline.diagnose("assets.weather.id[7]", "there is no column `orign`", Some("did you mean `origin`?"));
    assert_eq!(
        late.to_string(),
        "flights.yaml:36:5: there is no column `orign` (at assets.weather.id[7]); did you mean `origin`?"
    );
}

/// Everything that is read from a file, without where it stands.
fn content(pipeline: &Pipeline) -> String {
    format!("{:#?}\n{:#}", pipeline.assets(), pipeline.settings_json())
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    let plain = flights(None);
    for text in [FLIGHTS.replace('\n', "\r\n"), format!("\u{feff}{FLIGHTS}")] {
        let other = parse("flights.yaml", &text, None).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(content(&other), content(&plain));
        let location = other.locate("assets.departures.id[1]").unwrap();
        assert_eq!((location.line, &text[location.range.clone()]), (18, "flight"));
    }
}

#[test]
fn the_form_in_json_says_the_same() {
    let text = flights_as_json().to_string();
    let json = parse("flights.json", &text, None).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(content(&json), content(&flights(None)));
    assert_eq!(json.environments(), flights(None).environments());
}
