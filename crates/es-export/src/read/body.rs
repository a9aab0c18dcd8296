//! The body of the searches of one read. Pure.

use es_frame::ColumnRequest;
use serde_json::{Value, json};

use super::request::{Sample, Search};
use crate::error::{Error, ErrorKind};

/// Refuses invalid requests before anything is sent.
pub(crate) fn check(search: &Search) -> Result<(), Error> {
    if let Some(Sample { share, .. }) = search.sample
        && !(share > 0.0 && share <= 1.0)
    {
        return Err(Error::new(ErrorKind::Request, format!("a sample of {share} is not a share"))
            .with_help("give a share above 0 and up to 1"));
    }
    Ok(())
}

/// The query as it is sent: without scores unless they are asked for, and with the sample drawn.
pub(crate) fn query(search: &Search) -> Value {
    let is_scored = needs_scores(search);
    // In filter context no scores are computed.
    let matching = json!({"bool": {"filter": [search.query]}});
    match search.sample {
        Some(sample) if is_scored => {
            json!({"bool": {"must": [search.query], "filter": [drawn(matching, sample)]}})
        }
        Some(sample) => json!({"bool": {"filter": [drawn(matching, sample)]}}),
        None if is_scored => search.query.clone(),
        None => matching,
    }
}

/// Those of the matching documents whose number, drawn evenly from [0, 1), is high enough.
fn drawn(matching: Value, sample: Sample) -> Value {
    json!({"function_score": {
        "query": matching,
        // The server takes a signed number.
        "random_score": {"seed": sample.seed.cast_signed(), "field": "_seq_no"},
        "boost_mode": "replace",
        "min_score": 1.0 - sample.share,
    }})
}

/// The common part of all searches of the read, counting included.
pub(crate) fn matching(search: &Search) -> Value {
    let mut body = json!({"query": query(search)});
    if !search.runtime.is_empty() {
        body["runtime_mappings"] = Value::Object(search.runtime.clone());
    }
    body
}

/// The body of pages, without what differs from page to page: `size`, `slice`, `search_after`.
/// The decoder adds the part that makes the server return the columns.
pub(crate) fn pages(search: &Search) -> Value {
    let mut body = matching(search);
    // Index order is the cheapest. In a point in time the server adds a tie-breaker of its own
    // to any sort; sorting by that alone would make servers before 9.4 walk over all matches
    // for each page.
    body["sort"] = if search.sort.is_empty() { json!(["_doc"]) } else { json!(search.sort) };
    body["track_total_hits"] = json!(false);
    if needs_scores(search) {
        body["track_scores"] = json!(true);
    }
    body
}

/// Returns `true` if rows must be read one after the other.
pub(crate) fn is_in_order(search: &Search) -> bool {
    search.limit.is_some() || !search.sort.is_empty()
}

fn needs_scores(search: &Search) -> bool {
    let by_score = |sort: &Value| match sort {
        Value::String(field) => field == "_score",
        Value::Object(fields) => fields.contains_key("_score"),
        _ => false,
    };
    let is_column = match &search.columns {
        ColumnRequest::Named(names) => names.iter().any(|name| name == "_score"),
        ColumnRequest::All => false,
    };
    is_column || search.sort.iter().any(by_score)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search() -> Search {
        Search { query: json!({"term": {"a": 1}}), ..Search::new("i") }
    }

    #[test]
    fn scores_are_computed_only_where_they_are_used() {
        let filtered = json!({"bool": {"filter": [{"term": {"a": 1}}]}});
        assert_eq!(query(&search()), filtered);
        let scored = [
            Search { sort: vec![json!("_score")], ..search() },
            Search { sort: vec![json!("a"), json!({"_score": "asc"})], ..search() },
            Search { columns: ColumnRequest::Named(vec!["_score".into()]), ..search() },
        ];
        for search in scored {
            assert_eq!(query(&search), json!({"term": {"a": 1}}));
            assert_eq!(pages(&search)["track_scores"], true);
        }
        assert_eq!(pages(&search()).get("track_scores"), None);
    }

    #[test]
    fn the_body_holds_what_is_asked_for() {
        let runtime = json!({"r": {"type": "long"}}).as_object().unwrap().clone();
        let sort = vec![json!({"a": "desc"})];
        let body = pages(&Search { runtime, sort, ..search() });
        assert_eq!(body["runtime_mappings"], json!({"r": {"type": "long"}}));
        assert_eq!(body["sort"], json!([{"a": "desc"}]));
        assert_eq!(pages(&search())["sort"], json!(["_doc"]));
        let sampled = query(&Search { sample: Some(Sample { share: 0.25, seed: u64::MAX }), ..search() });
        let drawn = &sampled["bool"]["filter"][0]["function_score"];
        assert_eq!((&drawn["min_score"], &drawn["random_score"]["seed"]), (&json!(0.75), &json!(-1)));
    }

    #[test]
    fn a_sample_is_a_part() {
        for (share, is_one) in [(1.0, true), (1e-9, true), (0.0, false), (-0.1, false), (1.1, false), (f64::NAN, false)]
        {
            let sampled = Search { sample: Some(Sample { share, seed: 0 }), ..search() };
            assert_eq!(check(&sampled).is_ok(), is_one, "{share}");
        }
    }
}
