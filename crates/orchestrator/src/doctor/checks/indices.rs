//! Mappings and settings that hurt: of the indices under the prefix, and of the sources.

use es_core::{IndexDescription, Mapping, Property};
use es_frame::{ColumnRequest, DecodeOptions, HitDecoder, StoredSource};
use serde_json::{Value, json};

use super::super::finding::{Finding, Group, Status};
use super::super::needs::{ExportNeed, FieldNeed};
use super::{Asked, named, skipped};
use crate::terminal::table::{count, size};

/// Of the fields that an index may have, so many per cent may be in use.
pub const FIELDS_PERCENT: u64 = 80;
/// The default of `index.mapping.total_fields.limit`.
const DEFAULT_FIELDS: u64 = 1000;
/// An index that is not replaced by a next generation, and larger than this, grows.
pub const GROWN: u64 = 10_000_000_000;
/// Refreshing as often as this, asked for by hand, goes on while nobody searches.
pub const REFRESH_SECONDS: f64 = 1.0;

const GROUP: Group = Group::Indices;

/// An index, with what is known of it beside its mapping and settings.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Mapping, settings, aliases.
    pub index: IndexDescription,
    /// It is a generation of a pipeline, which the next one replaces.
    pub is_generation: bool,
    /// The bytes of its primary shards, where they are known.
    pub bytes: Option<u64>,
}

/// Every check of indices.
pub fn all(
    examined: &Asked<Vec<Examined>>,
    fields: &[FieldNeed],
    exports: &[ExportNeed],
    has_lifecycles: Option<bool>,
) -> Vec<Finding> {
    let examined = match examined {
        Ok(examined) => examined,
        Err(why) => return vec![skipped(GROUP, "mappings", why)],
    };
    if examined.is_empty() {
        return vec![skipped(GROUP, "mappings", "there is no index yet")];
    }
    let mut findings = aggregated(examined, fields);
    findings.extend(sources(examined, exports));
    findings.push(dynamic(examined));
    findings.extend(field_counts(examined));
    findings.extend(refreshes(examined));
    findings.extend(blocks(examined));
    findings.extend(lifecycles(examined, has_lifecycles));
    findings
}

/// The indices behind an alias or a name.
fn behind<'a>(examined: &'a [Examined], name: &str) -> impl Iterator<Item = &'a Examined> {
    let name = name.to_owned();
    examined.iter().filter(move |one| one.index.name == name || one.index.aliases.contains(&name))
}

/// Fields that are grouped or computed with, and cannot be.
fn aggregated(examined: &[Examined], fields: &[FieldNeed]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut checked = 0;
    for need in fields {
        // The partitions of an asset have one mapping: the first that differs is told.
        let problem = behind(examined, &need.index).find_map(|one| {
            checked += 1;
            problem_of(&one.index.mapping, &need.field).map(|problem| (one, problem))
        });
        if let Some((one, (measured, help))) = problem {
            findings.push(
                Finding::new(GROUP, "aggregated field", Status::Fail, format!("in {}, {measured}", one.index.name))
                    .about(need.field.clone())
                    .against(format!("aggregated by {}", need.asset))
                    .help(help),
            );
        }
    }
    if findings.is_empty() && !fields.is_empty() {
        let finding = match checked {
            0 => skipped(GROUP, "aggregated field", "nothing is published yet"),
            _ => Finding::new(GROUP, "aggregated field", Status::Pass, "all that assets aggregate have doc values"),
        };
        findings.push(finding);
    }
    findings
}

fn problem_of(mapping: &Mapping, field: &str) -> Option<(String, String)> {
    let Some(found) = resolved(mapping, field) else {
        // Fields made at search time, and those below a flattened one, are not in the mapping.
        return None;
    };
    match found.field_type() {
        kind @ ("text" | "match_only_text" | "search_as_you_type" | "annotated_text") => {
            if is_on(found.parameter("fielddata"), false) {
                return None;
            }
            let keyword = found.parameter("fields").and_then(Value::as_object).and_then(|fields| {
                let is_keyword = |(_, sub): &(&String, &Value)| {
                    matches!(sub.get("type").and_then(Value::as_str), Some("keyword" | "wildcard"))
                };
                fields.iter().find(is_keyword).map(|(name, _)| format!("{field}.{name}"))
            });
            Some(match keyword {
                Some(keyword) => (format!("it is {kind}"), format!("use its sub-field {keyword} in the asset")),
                None => (
                    format!("it is {kind} without a keyword"),
                    "map it as keyword, or give it a sub-field of that type, and write the documents again".to_owned(),
                ),
            })
        }
        kind if !is_on(found.parameter("doc_values"), true) => Some((
            format!("it is {kind} without doc values"),
            "map it with doc_values, and write the documents again".to_owned(),
        )),
        _ => None,
    }
}

/// A field; an alias stands for the field that it points to.
fn resolved<'a>(mapping: &'a Mapping, field: &str) -> Option<Property<'a>> {
    let found = mapping.field(field)?;
    match (found.field_type(), found.parameter("path").and_then(Value::as_str)) {
        ("alias", Some(path)) => mapping.field(path),
        _ => Some(found),
    }
}

fn is_on(parameter: Option<&Value>, default: bool) -> bool {
    match parameter {
        Some(Value::Bool(on)) => *on,
        Some(Value::String(text)) => text == "true",
        _ => default,
    }
}

/// Exports that need `_source` of indices that keep none.
fn sources(examined: &[Examined], exports: &[ExportNeed]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_there = |export: &ExportNeed| behind(examined, &export.index).next().is_some();
    for export in exports {
        let columns = export.columns.clone().map_or(ColumnRequest::All, ColumnRequest::Named);
        for one in behind(examined, &export.index) {
            let source = one.index.mapping.parameters.get("_source");
            if is_on(source.and_then(|source| source.get("enabled")), true) {
                continue;
            }
            let options = DecodeOptions {
                columns: columns.clone(),
                stored_source: StoredSource::Disabled,
                ..DecodeOptions::default()
            };
            if let Err(error) = HitDecoder::with_options(&one.index.mapping, &options) {
                findings.push(
                    Finding::new(GROUP, "_source", Status::Fail, format!("off, and needed: {error}"))
                        .about(one.index.name.clone())
                        .against(format!("read by {}", export.asset))
                        .help("keep _source, leave that column out, or map it so that doc values hold it"),
                );
            }
        }
    }
    if !exports.is_empty() && !exports.iter().any(is_there) {
        findings.push(skipped(GROUP, "_source", "nothing is published yet"));
    } else if findings.is_empty() && !exports.is_empty() {
        findings.push(Finding::new(GROUP, "_source", Status::Pass, "kept wherever an export needs it"));
    }
    findings
}

/// Indices to which any document can add fields.
fn dynamic(examined: &[Examined]) -> Finding {
    let open: Vec<&str> = examined
        .iter()
        .filter(|one| {
            let dynamic = one.index.mapping.parameters.get("dynamic");
            is_on(dynamic, true) && dynamic.is_none_or(|value| value != "strict" && value != "runtime")
        })
        .map(|one| one.index.name.as_str())
        .collect();
    if open.is_empty() {
        return Finding::new(GROUP, "dynamic mapping", Status::Pass, "off everywhere");
    }
    Finding::new(GROUP, "dynamic mapping", Status::Warn, format!("on in {}", named(&open)))
        .against("strict, false or runtime")
        .help("set `dynamic: strict` in the mappings: a wrong document can otherwise add fields of a wrong type")
        .values(json!({"indices": open.len()}))
}

/// Indices that come near the most fields that they may have.
fn field_counts(examined: &[Examined]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut most: Option<(u64, u64)> = None;
    for one in examined {
        let fields = number_of_fields(&one.index.mapping);
        let limit = one.index.settings.get("mapping").and_then(|mapping| mapping.pointer("/total_fields/limit"));
        let limit: u64 = limit.and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_FIELDS);
        if most.is_none_or(|(most, _)| fields > most) {
            most = Some((fields, limit));
        }
        if fields.saturating_mul(100) > limit.saturating_mul(FIELDS_PERCENT) {
            findings.push(
                Finding::new(GROUP, "fields", Status::Warn, format!("{} of {}", count(fields), count(limit)))
                    .about(one.index.name.clone())
                    .against(format!("{FIELDS_PERCENT} % of index.mapping.total_fields.limit"))
                    .help(
                        "map what is not searched as flattened, or with `dynamic: false`, rather than raise the limit",
                    )
                    .values(json!({"fields": fields, "limit": limit})),
            );
        }
    }
    if let (true, Some((most, limit))) = (findings.is_empty(), most) {
        let measured = format!("{} of {} in the largest mapping", count(most), count(limit));
        findings.push(
            Finding::new(GROUP, "fields", Status::Pass, measured)
                .against(format!("{FIELDS_PERCENT} % of index.mapping.total_fields.limit")),
        );
    }
    findings
}

/// Everything that counts towards the limit: fields, objects, sub-fields, aliases, runtime
/// fields. See <https://www.elastic.co/docs/reference/elasticsearch/index-settings/mapping-limit>.
fn number_of_fields(mapping: &Mapping) -> u64 {
    let objects = |value: Option<&Value>| value.and_then(Value::as_object).map_or(0, |map| map.len() as u64);
    let fields = mapping.fields();
    let own = fields.len() as u64;
    let below: u64 = fields.iter().map(|(_, property)| objects(property.parameter("fields"))).sum();
    own + below + objects(mapping.parameters.get("runtime"))
}

/// Indices that are refreshed all the time, or never.
fn refreshes(examined: &[Examined]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in examined {
        let Some(interval) = one.index.settings.get("refresh_interval").and_then(Value::as_str) else { continue };
        let finding = |measured: String| {
            Finding::new(GROUP, "refresh interval", Status::Warn, measured).about(one.index.name.clone())
        };
        match seconds(interval) {
            // A generation that is being loaded is not refreshed, and nobody searches it.
            None if interval.starts_with('-') && (!one.is_generation || !one.index.aliases.is_empty()) => {
                findings.push(
                    finding("off: what is written now is not found".to_owned())
                        .against("on when it is searched")
                        .help("set index.refresh_interval to null; a load that was killed may have left it so"),
                );
            }
            Some(every) if every <= REFRESH_SECONDS => {
                findings.push(finding(format!("{interval}, also while nobody searches")).against("the default, or more than 1s").help(
                    "leave index.refresh_interval out, so that only what is searched is refreshed, or set 30s for loads",
                ));
            }
            _ => {}
        }
    }
    if findings.is_empty() {
        findings.push(Finding::new(GROUP, "refresh interval", Status::Pass, "slows no load"));
    }
    findings
}

/// A time as Elasticsearch writes it: `500ms`, `1s`, `5m`.
fn seconds(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let of_unit = match unit {
        "nanos" => 1e-9,
        "micros" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Some(number * of_unit)
}

/// Indices that refuse writes.
fn blocks(examined: &[Examined]) -> Vec<Finding> {
    let blocked = |name: &str| -> Vec<&str> {
        let is_blocked = |one: &&Examined| {
            let blocks = one.index.settings.get("blocks").and_then(|blocks| blocks.get(name));
            is_on(blocks, false)
        };
        examined.iter().filter(is_blocked).map(|one| one.index.name.as_str()).collect()
    };
    let mut findings = Vec::new();
    let flooded = blocked("read_only_allow_delete");
    if !flooded.is_empty() {
        findings.push(
            Finding::new(GROUP, "blocks", Status::Fail, format!("a full disk made read-only: {}", named(&flooded)))
                .help("free disk space; Elasticsearch then lifts index.blocks.read_only_allow_delete by itself"),
        );
    }
    let mut by_hand = [blocked("read_only"), blocked("write")].concat();
    by_hand.dedup();
    if !by_hand.is_empty() {
        findings.push(
            Finding::new(GROUP, "blocks", Status::Warn, format!("set to refuse writes: {}", named(&by_hand)))
                .help("set index.blocks.read_only and index.blocks.write to null, unless it is meant so"),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::new(GROUP, "blocks", Status::Pass, "none"));
    }
    findings
}

/// Indices that grow without a policy, where the cluster has policies.
fn lifecycles(examined: &[Examined], has_lifecycles: Option<bool>) -> Vec<Finding> {
    match has_lifecycles {
        Some(true) => {}
        Some(false) => return vec![skipped(GROUP, "lifecycle", "the cluster has no index lifecycle management")],
        None => return vec![skipped(GROUP, "lifecycle", "it is not known whether the cluster manages lifecycles")],
    }
    let mut findings = Vec::new();
    for one in examined {
        let has_policy = one.index.settings.get("lifecycle").is_some_and(|lifecycle| lifecycle.get("name").is_some());
        // The lifecycle of a data stream's index is the stream's.
        let is_backing = one.index.name.starts_with(".ds-");
        let bytes = one.bytes.unwrap_or(0);
        if !one.is_generation && !has_policy && !is_backing && bytes > GROWN {
            findings.push(
                Finding::new(GROUP, "lifecycle", Status::Warn, format!("{}, without a policy", size(bytes)))
                    .about(one.index.name.clone())
                    .against(format!("from {} on", size(GROWN)))
                    .help("give it an index lifecycle policy with a rollover, or make it a data stream"),
            );
        }
    }
    if findings.is_empty() {
        findings.push(Finding::new(GROUP, "lifecycle", Status::Pass, "nothing large grows without a policy"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(mapping: Value, settings: Value) -> Examined {
        let Value::Object(settings) = settings else { panic!("settings are an object") };
        Examined {
            index: IndexDescription {
                name: "x-a-000001".into(),
                aliases: vec!["x-a".into()],
                mapping: serde_json::from_value(mapping).unwrap(),
                settings,
            },
            is_generation: true,
            bytes: Some(1),
        }
    }

    fn need(field: &str) -> FieldNeed {
        FieldNeed { asset: "f".into(), index: "x-a".into(), field: field.into() }
    }

    #[test]
    fn text_is_not_aggregated() {
        let one = examined(
            json!({"properties": {
                "plain": {"type": "text"},
                "with": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
                "loaded": {"type": "text", "fielddata": true},
                "key": {"type": "keyword"},
                "bare": {"type": "long", "doc_values": false},
                "same": {"type": "alias", "path": "plain"},
            }}),
            json!({}),
        );
        let of = |field: &str| {
            let found = aggregated(std::slice::from_ref(&one), &[need(field)]).remove(0);
            (found.status, found.measured, found.help.unwrap_or_default())
        };
        let (status, measured, help) = of("plain");
        assert_eq!((status, measured.as_str()), (Status::Fail, "in x-a-000001, it is text without a keyword"));
        assert!(help.contains("map it as keyword"));
        assert!(of("with").2.contains("with.raw"));
        assert_eq!(of("bare").1, "in x-a-000001, it is long without doc values");
        assert_eq!(of("same").0, Status::Fail);
        for fine in ["loaded", "key", "with.raw", "made.at.search"] {
            assert_eq!(of(fine).0, Status::Pass, "{fine}");
        }
        assert_eq!(aggregated(&[], &[need("a")])[0].status, Status::Skip);
        assert_eq!(aggregated(&[one], &[]), []);
    }

    #[test]
    fn an_export_needs_source_only_for_what_doc_values_do_not_hold() {
        let mapping = |enabled: Value| json!({"_source": {"enabled": enabled}, "properties": {"t": {"type": "text"}, "k": {"type": "long"}}});
        let of = |enabled: Value, columns: &[&str]| {
            let export = ExportNeed {
                asset: "e".into(),
                index: "x-a".into(),
                columns: Some(columns.iter().map(|name| (*name).to_owned()).collect()),
            };
            sources(&[examined(mapping(enabled), json!({}))], &[export]).remove(0).status
        };
        assert_eq!(of(json!(false), &["t"]), Status::Fail);
        assert_eq!(of(json!("false"), &["t", "k"]), Status::Fail);
        assert_eq!(of(json!(false), &["k"]), Status::Pass);
        assert_eq!(of(json!(true), &["t"]), Status::Pass);
        let elsewhere = ExportNeed { asset: "e".into(), index: "x-b".into(), columns: None };
        assert_eq!(sources(&[examined(mapping(json!(true)), json!({}))], &[elsewhere])[0].status, Status::Skip);
    }

    #[test]
    fn dynamic_mapping_is_told() {
        let table = [
            (json!({}), Status::Warn),
            (json!({"dynamic": true}), Status::Warn),
            (json!({"dynamic": "true"}), Status::Warn),
            (json!({"dynamic": "strict"}), Status::Pass),
            (json!({"dynamic": "false"}), Status::Pass),
            (json!({"dynamic": false}), Status::Pass),
            (json!({"dynamic": "runtime"}), Status::Pass),
        ];
        for (mapping, expected) in table {
            let told = mapping.to_string();
            assert_eq!(dynamic(&[examined(mapping, json!({}))]).status, expected, "{told}");
        }
    }

    #[test]
    fn everything_counts_towards_the_limit_of_fields() {
        let mapping = json!({
            "runtime": {"r": {"type": "long"}},
            "properties": {
                "o": {"properties": {"a": {"type": "long"}, "b": {"type": "alias", "path": "o.a"}}},
                "t": {"type": "text", "fields": {"raw": {"type": "keyword"}, "words": {"type": "text"}}},
            },
        });
        assert_eq!(number_of_fields(&serde_json::from_value(mapping.clone()).unwrap()), 7);
        let of = |limit: u64| {
            let settings = json!({"mapping": {"total_fields": {"limit": limit.to_string()}}});
            field_counts(&[examined(mapping.clone(), settings)])[0].status
        };
        assert_eq!([of(7), of(8), of(9)], [Status::Warn, Status::Warn, Status::Pass]);
        assert_eq!(field_counts(&[examined(mapping, json!({}))])[0].status, Status::Pass);
    }

    #[test]
    fn refreshing_all_the_time_or_never_is_told() {
        let of = |interval: Option<&str>, is_generation, aliases: &[&str]| {
            let settings = interval.map_or(json!({}), |interval| json!({"refresh_interval": interval}));
            let mut one = examined(json!({}), settings);
            one.is_generation = is_generation;
            one.index.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
            refreshes(&[one])[0].status
        };
        use Status::{Pass, Warn};
        let table =
            [(None, Pass), (Some("1s"), Warn), (Some("500ms"), Warn), (Some("1001ms"), Pass), (Some("5m"), Pass)];
        for (interval, expected) in table {
            assert_eq!(of(interval, true, &["a"]), expected, "{interval:?}");
        }
        assert_eq!(of(Some("-1"), true, &["a"]), Warn);
        assert_eq!(of(Some("-1"), false, &[]), Warn);
        assert_eq!(of(Some("-1"), true, &[]), Pass);
    }

    #[test]
    fn blocks_and_lifecycles() {
        let block = |name: &str| blocks(&[examined(json!({}), json!({"blocks": {name: "true"}}))])[0].status;
        assert_eq!(block("read_only_allow_delete"), Status::Fail);
        assert_eq!([block("write"), block("read_only")], [Status::Warn, Status::Warn]);
        assert_eq!(block("metadata"), Status::Pass);

        let grown = |bytes, is_generation, settings: Value| {
            let one = Examined { bytes: Some(bytes), is_generation, ..examined(json!({}), settings) };
            lifecycles(&[one], Some(true))[0].status
        };
        let policy = json!({"lifecycle": {"name": "p"}});
        assert_eq!(grown(GROWN + 1, false, json!({})), Status::Warn);
        assert_eq!(grown(GROWN, false, json!({})), Status::Pass);
        assert_eq!(grown(GROWN + 1, true, json!({})), Status::Pass);
        assert_eq!(grown(GROWN + 1, false, policy), Status::Pass);
        assert_eq!(lifecycles(&[], Some(false))[0].status, Status::Skip);
        assert_eq!(lifecycles(&[], None)[0].status, Status::Skip);
        let everything = all(&Ok(vec![examined(json!({"dynamic": "strict"}), json!({}))]), &[], &[], Some(true));
        assert!(everything.iter().all(|finding| finding.status == Status::Pass), "{everything:?}");
        assert_eq!(all(&Ok(vec![]), &[], &[], None).len(), 1);
    }
}
