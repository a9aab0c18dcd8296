//! Checks of the documents of one index.

mod definition;
mod recall;

use es_core::{Client, Method, Request, paths};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::warn;

use crate::error::{Error, ErrorKind, Result};
use crate::terminal::table::counted;

pub use definition::{Check, FieldRange, Recall, RowCount, Rule, Severity, aggregated_fields, validate};

/// Combinations of values that one page of a uniqueness check returns.
const PAGE: usize = 10_000;

/// Runs checks, tells of those that failed, and fails when one of severity `error` did.
/// Returns the failed ones of severity `warn`, in words.
///
/// # Errors
/// [`ErrorKind::CheckFailed`] names the first failed check; else where Elasticsearch cannot be asked.
pub async fn enforce(client: &Client, index: &str, id: &[String], checks: &[Check]) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    let mut failures = Vec::new();
    for check in checks {
        let Some(breach) = breach(client, index, id, &check.rule).await? else { continue };
        let text = format!("check `{}` failed: {breach}", check.rule.describe());
        warn!(index, "{text}");
        match check.severity {
            Severity::Warn => warnings.push(text),
            Severity::Error => failures.push(text),
        }
    }
    let more = match failures.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more failed)", count - 1),
    };
    match failures.first() {
        None => Ok(warnings),
        Some(first) => Err(Error::new(ErrorKind::CheckFailed, format!("{first}{more}"))
            .with_help(Some("readers still see what was published before; fix the data or the check, and run again"))),
    }
}

/// The way in which the documents break a rule; `None` when they keep it.
async fn breach(client: &Client, index: &str, id: &[String], rule: &Rule) -> Result<Option<String>> {
    match rule {
        Rule::Rows(rows) => {
            let count = client.indices().count(index).await?;
            Ok(outside(rows, count).then(|| format!("there are {count}")))
        }
        Rule::NotNull(fields) => {
            for field in fields {
                let query = json!({"bool": {"must_not": [{"exists": {"field": field}}]}});
                let count = client.indices().count_matching(index, &query).await?;
                if count > 0 {
                    return Ok(Some(format!("`{field}` is missing in {}", counted(count, "document"))));
                }
            }
            Ok(None)
        }
        Rule::Range(range) => {
            let count = client.indices().count_matching(index, &out_of_range(range)).await?;
            Ok((count > 0).then(|| format!("`{}` is outside in {}", range.field, counted(count, "document"))))
        }
        Rule::Recall(recall) => {
            let measured = recall::measure(client, index, recall).await?;
            let breach = measured.filter(|(share, _)| *share < recall.min);
            Ok(breach.map(|(share, queries)| format!("it is {share:.4}, over {}", counted(queries as u64, "document"))))
        }
        // Two documents with the same id would be one document.
        Rule::Unique(fields) if is_same_set(fields, id) => Ok(None),
        Rule::Unique(fields) => repeated(client, index, fields).await,
    }
}

fn outside(rows: &RowCount, count: u64) -> bool {
    rows.min.is_some_and(|min| count < min) || rows.max.is_some_and(|max| count > max)
}

fn out_of_range(range: &FieldRange) -> Value {
    let field = &range.field;
    let below = range.min.map(|min| json!({"range": {field: {"lt": min}}}));
    let above = range.max.map(|max| json!({"range": {field: {"gt": max}}}));
    let sides: Vec<Value> = below.into_iter().chain(above).collect();
    json!({"bool": {"should": sides, "minimum_should_match": 1}})
}

fn is_same_set(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}

#[derive(Deserialize)]
struct Answer {
    aggregations: Aggregations,
}

#[derive(Deserialize)]
struct Aggregations {
    groups: Groups,
}

#[derive(Deserialize)]
struct Groups {
    after_key: Option<Value>,
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    key: Map<String, Value>,
    doc_count: u64,
}

/// The first combination of values that several documents share.
async fn repeated(client: &Client, index: &str, fields: &[String]) -> Result<Option<String>> {
    let sources: Vec<Value> =
        fields.iter().map(|field| json!({field: {"terms": {"field": field, "missing_bucket": true}}})).collect();
    let mut after: Option<Value> = None;
    loop {
        let mut composite = json!({"size": PAGE, "sources": sources});
        if let Some(after) = &after {
            composite["after"] = after.clone();
        }
        let body = json!({"size": 0, "track_total_hits": false, "aggs": {"groups": {"composite": composite}}});
        let request = Request::new(Method::Post, paths::search(index))
            .query("allow_partial_search_results", false)
            .json(&body)
            .repeatable();
        let answer: Answer = client.send(&request).await?.json()?;
        let groups = answer.aggregations.groups;
        if let Some(bucket) = groups.buckets.iter().find(|bucket| bucket.doc_count > 1) {
            let values: Vec<String> = bucket.key.iter().map(|(field, value)| format!("{field}={value}")).collect();
            return Ok(Some(format!("{} have {}", counted(bucket.doc_count, "document"), values.join(", "))));
        }
        match groups.after_key {
            Some(key) => after = Some(key),
            None => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inside() {
        let rows = RowCount { min: Some(1), max: Some(3) };
        assert_eq!([0, 1, 3, 4].map(|count| outside(&rows, count)), [true, false, false, true]);
        let range = FieldRange { field: "d".into(), min: Some(1.0), max: None };
        assert_eq!(
            out_of_range(&range),
            json!({"bool": {"should": [{"range": {"d": {"lt": 1.0}}}], "minimum_should_match": 1}})
        );
    }

    #[test]
    fn the_order_of_unique_fields_does_not_matter() {
        let names = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        assert!(is_same_set(&names(&["a", "b"]), &names(&["b", "a"])));
        assert!(!is_same_set(&names(&["a"]), &names(&["b", "a"])));
    }
}
