//! `source`: an index that others write. A run evaluates it: it looks at the age of the newest document
//! and at the fields, and hands what reads it the version of the documents, so that a change of them
//! makes readers stale. Nothing of it is ever written.
//!
//! The module `version` says which changes are seen: of few documents those of their sources, of many
//! every write, and none before the index is refreshed.

mod definition;
mod freshness;
mod schema;
mod version;

use std::sync::Arc;

use async_trait::async_trait;
use es_assets::{Fingerprint, Published};
use es_core::{Client, IndexDescription};
use es_values::nearest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::freshness::{Age, with_age};
use self::schema::{Changes, Fields, Types};
use super::{Built, Kind, Observation, Outcome, Part, Preparation, Prepared, Subject, Work, version_of};
use crate::doctor::needs::Needs;
use crate::error::{Error, ErrorKind, Result};
use crate::terminal::table::counted;

pub use definition::{Contract, Freshness, Source};

/// The name under which the version of the documents is an input of the source itself.
const DOCUMENTS: &str = "documents";

/// Fields that a report lists.
const MOST_LISTED: usize = 20;

/// An index that others write.
pub struct SourceKind;

/// The report of an evaluation.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    version: String,
    documents: u64,
    newest: Option<Timestamp>,
    fields: Fields,
}

/// The fields of the newest success, if the contract is about them.
struct Agreed(Option<Fields>);

#[async_trait]
impl Kind for SourceKind {
    type Definition = Source;
    const NAME: &'static str = "source";

    /// The index as it is named, which is not under the prefix of the pipeline.
    fn index(&self, asset: &Subject<'_, Source>) -> Option<String> {
        Some(asset.definition.index.clone())
    }

    /// The documents as they are now, if the source was ever evaluated.
    async fn observe(&self, asset: &Subject<'_, Source>, around: &Observation<'_>) -> Result<Vec<Part>> {
        let Some(success) = around.successes.iter().find(|record| record.partition.is_none()) else {
            return Ok(Vec::new());
        };
        let index = &asset.definition.index;
        let matched = around.client.indices().describe_searched(index).await?;
        if matched.is_empty() {
            return Ok(Vec::new());
        }
        let seen = version::seen(around.client, index, &matched).await?;
        let published = Published {
            fingerprint: success.fingerprint.clone(),
            inputs: success.inputs.clone(),
            version: seen.version,
            generation: None,
            rows: Some(seen.documents),
        };
        Ok(vec![(None, published)])
    }

    async fn prepare(&self, asset: &Subject<'_, Source>, around: &Preparation<'_>) -> Result<Prepared> {
        let matched = found(asset, around.client).await?;
        if let Some(time) = &asset.definition.time
            && let Some((message, help)) = types(&matched).time_problem(&asset.definition.index, time)
        {
            return Err(asset.error_at("time", &message, Some(&help)));
        }
        // The version that was observed, if it was: the documents are not read a second time.
        let observed = around.states.get(asset.name, None).and_then(|state| state.published.as_ref());
        let version = match observed {
            Some(published) => published.version.clone(),
            None => version::seen(around.client, &asset.definition.index, &matched).await?.version,
        };
        let success = around
            .successes
            .iter()
            .find(|record| record.partition.is_none() && contract(&record.fingerprint) == contract(around.fingerprint));
        let report = success.and_then(|record| record.report.clone());
        let agreed = report.and_then(|report| serde_json::from_value::<Report>(report).ok());
        Ok(Prepared {
            inputs: [(None, version_of(DOCUMENTS, &version))].into(),
            state: Some(Arc::new(Agreed(agreed.map(|report| report.fields)))),
            ..Prepared::default()
        })
    }

    /// Evaluates the source. What reads it is handed the version from before the checks, so that
    /// nothing that changes meanwhile goes unseen.
    async fn build(&self, asset: &Subject<'_, Source>, work: &Work<'_>) -> Result<Built> {
        let built = tokio::select! {
            built = evaluate(asset, work) => built?,
            () = work.cancel.cancelled() => {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted while the source was evaluated"));
            }
        };
        work.lease.check().await?;
        Ok(built)
    }

    fn needs(&self, asset: &Subject<'_, Source>, needs: &mut Needs) {
        let Source { index, time, .. } = asset.definition;
        needs.reads_source(index);
        needs.aggregates(asset.name, Ok(index.clone()), time.clone());
    }

    /// A line for the documents, and one for the fields.
    fn report(&self, report: &Value) -> Option<String> {
        let report: Report = serde_json::from_value(report.clone()).ok()?;
        let newest = report.newest.map(|newest| format!(", newest {newest}")).unwrap_or_default();
        let listed: Vec<String> =
            report.fields.iter().take(MOST_LISTED).map(|(field, of_type)| format!("{field} {of_type}")).collect();
        let fields = match report.fields.len() {
            0 => String::new(),
            all if all > MOST_LISTED => format!("  {} and {} more\n", listed.join(", "), all - MOST_LISTED),
            _ => format!("  {}\n", listed.join(", ")),
        };
        let (documents, count) = (counted(report.documents, "document"), counted(report.fields.len() as u64, "field"));
        Some(format!("{documents}{newest}, {count}\n{fields}"))
    }
}

async fn evaluate(asset: &Subject<'_, Source>, work: &Work<'_>) -> Result<Built> {
    let Source { index, time, freshness, schema } = asset.definition;
    let agreed = work.prepared.state_as::<Agreed>().ok_or_else(|| {
        Error::new(ErrorKind::Defect, format!("the source `{}` was not inspected before it was evaluated", asset.name))
    })?;
    let matched = found(asset, work.client).await?;
    let seen = version::seen(work.client, index, &matched).await?;
    let newest = match time {
        Some(time) => newest(work.client, index, time).await?,
        None => None,
    };
    let types = types(&matched);
    let fields = types.fields();
    let (mut warnings, mut failures) = (Vec::new(), Vec::new());
    if let (Some(time), Some(limits)) = (time, freshness) {
        match freshness::judge(index, time, limits, newest, work.now) {
            Age::Fresh => {}
            Age::Late(text) => warnings.push(text),
            Age::TooOld(text) => {
                let help = "wait for new documents, or raise `error_after`; what reads the source stays as it is";
                failures.push((text, help));
            }
        }
    }
    if let Some(contract) = schema {
        warnings.extend(types.conflicts());
        let changes = agreed.0.as_ref().map(|agreed| Changes::under(*contract, agreed, &fields)).unwrap_or_default();
        if let Some(breach) = changes.breach() {
            failures.push((format!("the fields of `{index}` have changed: {breach}"), accepting(*contract)));
        }
        warnings.extend(changes.warnings);
    }
    if !failures.is_empty() {
        let text = failures.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join("; ");
        let help = failures.iter().map(|(_, help)| *help).collect::<Vec<_>>().join("; ");
        return Err(Error::new(ErrorKind::CheckFailed, text).with_help(Some(help)));
    }
    let external = version_of(DOCUMENTS, &seen.version);
    let mut inputs = work.inputs();
    inputs.extend(external.clone());
    let age = newest.map(|newest| format!(", newest {}", with_age(newest, work.now))).unwrap_or_default();
    Ok(Built {
        detail: format!("{}{age}", counted(seen.documents, "document")),
        summary: json!({
            "index": index, "documents": seen.documents, "newest": newest, "fields": fields.len(),
            "warnings": warnings,
        }),
        warnings,
        outcome: Outcome::Published(Box::new(Published {
            fingerprint: work.fingerprint.clone(),
            inputs,
            version: seen.version.clone(),
            generation: None,
            rows: Some(seen.documents),
        })),
        external: Some(external),
        report: Some(json!(Report { version: seen.version, documents: seen.documents, newest, fields })),
        ..Built::default()
    })
}

/// The way to accept changes that break a contract.
fn accepting(contract: Contract) -> &'static str {
    match contract {
        Contract::Freeze => "to accept this, set `schema: evolve` or `schema: report` for one run",
        Contract::Evolve | Contract::Report => "to accept this, set `schema: report` for one run",
    }
}

/// The contract as a fingerprint has it.
fn contract(fingerprint: &Fingerprint) -> Option<&str> {
    fingerprint.parts().find(|(part, _)| *part == definition::CONTRACT).map(|(_, hash)| hash)
}

fn types(matched: &[IndexDescription]) -> Types {
    Types::of(matched.iter().map(|one| (one.name.as_str(), &one.mapping)))
}

/// The indices of a source, of which there must be some.
async fn found(asset: &Subject<'_, Source>, client: &Client) -> Result<Vec<IndexDescription>> {
    let index = &asset.definition.index;
    let matched = client.indices().describe_searched(index).await?;
    if !matched.is_empty() {
        return Ok(matched);
    }
    // Without the names, the error has no help.
    let described = client.indices().describe("*").await.unwrap_or_default();
    let is_hidden = |name: &str| name.starts_with('.');
    let shown = described.iter().filter(|one| one.settings.get("hidden").and_then(Value::as_str) != Some("true"));
    let names = shown.flat_map(|one| std::iter::once(&one.name).chain(&one.aliases)).map(String::as_str);
    let near = nearest(index, names.filter(|name| !is_hidden(name)));
    let help = near.map(|near| format!("did you mean `{near}`?"));
    Err(asset.error_at("index", &format!("no index matches `{index}`"), help.as_deref()))
}

#[derive(Deserialize)]
struct Answer {
    aggregations: Option<Aggregations>,
}

#[derive(Deserialize)]
struct Aggregations {
    newest: Newest,
}

#[derive(Deserialize)]
struct Newest {
    value: Option<f64>,
}

/// The newest value of a date field, to the millisecond.
async fn newest(client: &Client, index: &str, time: &str) -> Result<Option<Timestamp>> {
    let body = json!({"size": 0, "track_total_hits": false, "aggs": {"newest": {"max": {"field": time}}}});
    let answer: Answer = client.search(index, &body).await?.json()?;
    let Some(value) = answer.aggregations.and_then(|found| found.newest.value) else { return Ok(None) };
    // Elasticsearch gives whole milliseconds as a number with a point.
    let newest = Timestamp::from_millisecond(value as i64);
    newest.map(Some).map_err(|error| Error::failed(format!("the newest `{time}` of `{index}` is not a time: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_in_two_lines() {
        let report = |fields: Fields, newest: Option<&str>| {
            let newest = newest.map(|text| text.parse().unwrap());
            let report = Report { version: "v".to_owned(), documents: 1_200, newest, fields };
            SourceKind.report(&json!(report)).unwrap()
        };
        let fields: Fields = [("n", "long"), ("t", "date")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        assert_eq!(
            report(fields, Some("2013-12-31T23:00:00Z")),
            "1,200 documents, newest 2013-12-31T23:00:00Z, 2 fields\n  n long, t date\n"
        );
        assert_eq!(report(Fields::new(), None), "1,200 documents, 0 fields\n");
        let many: Fields = (0..22).map(|n| (format!("f{n:02}"), "long".to_owned())).collect();
        assert!(report(many, None).ends_with("f19 long and 2 more\n"));
        assert_eq!(SourceKind.report(&json!({"other": 1})), None);
    }

    #[test]
    fn a_change_of_the_key_schema_is_another_contract() {
        let fingerprint = |keys: &str| {
            let text = format!("version: 1\nname: p\nassets:\n  s: {{ kind: source, {keys} }}\n");
            let project = crate::project::Project::of_text(&text, "x-");
            Fingerprint::of(project.pipeline.asset("s").unwrap())
        };
        let frozen = fingerprint("index: a, schema: freeze");
        assert_eq!(contract(&frozen), contract(&fingerprint("index: b, schema: freeze")));
        assert_ne!(contract(&frozen), contract(&fingerprint("index: a, schema: evolve")));
        assert_eq!(contract(&fingerprint("index: a")), None);
    }

    #[test]
    fn readers_and_needs_are_about_the_index_as_it_is_named() {
        let text = "version: 1\nname: p\nassets:\n  s: { kind: source, index: 'logs-*', time: t }\n";
        let project = crate::project::Project::of_text(text, "x-");
        assert_eq!(project.index_of("s").unwrap(), "logs-*");
        let needs = Needs::of(Some(&project), Some("x-"), &[]);
        let on = crate::doctor::needs::On::Indices("logs-*".to_owned());
        let privileges: Vec<&str> =
            needs.privileges.iter().filter(|need| need.on == on).map(|need| need.privilege).collect();
        assert_eq!(privileges, ["read", "view_index_metadata"]);
        assert_eq!(needs.fields.len(), 1);
        assert_eq!((needs.fields[0].index.as_str(), needs.fields[0].field.as_str()), ("logs-*", "t"));
        let writes = needs.privileges.iter().any(|need| need.privilege == "delete_index");
        assert!(!writes, "a pipeline of sources makes no index");
    }
}
