//! The requests of a reader: the search of a page, and the number of slices in parallel.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::Value;

use super::tap::Heard;

/// The input of the example `fetch` of es-core.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Ask {
    /// The search of a page, without its point in time, slice and place.
    pub(super) body: Value,
    /// The query parameters of the search.
    pub(super) query: BTreeMap<String, String>,
    pub(super) slices: u64,
    /// Slices that are read at once.
    pub(super) concurrency: u64,
    /// True if answers are compressed.
    pub(super) compression: bool,
}

impl Ask {
    /// Derives the requests of a program from the recorded traffic of its connections.
    ///
    /// A program can ask otherwise now and then: what it asked for most often counts. Its pages
    /// can differ in their rows, as it learns how large a row is: half of them have as many or
    /// more.
    pub(super) fn heard(connections: &[Vec<Heard>]) -> Result<Self> {
        let mut asked: HashMap<String, (Vec<u64>, &Heard)> = HashMap::new();
        let (mut slices, mut concurrency) = (1, 0);
        for connection in connections {
            let pages: Vec<&Heard> = connection.iter().filter(|heard| is_page(heard)).collect();
            // A connection is opened when all others are in use.
            concurrency += u64::from(!pages.is_empty());
            for page in pages {
                slices = slices.max(page.body["slice"]["max"].as_u64().unwrap_or(1));
                let key = format!("{:?} {}", page.query, template(&page.body));
                let rows = page.body["size"].as_u64().unwrap_or_default();
                asked.entry(key).or_insert((Vec::new(), page)).0.push(rows);
            }
        }
        let most_often = asked.into_values().max_by_key(|(rows, _)| rows.len());
        let (mut rows, page) = most_often.context("the program sent no search for a page")?;
        rows.sort_unstable();
        if page.is_compressed {
            bail!("the program asks for compressed answers, which the server baseline is not compared with");
        }
        let query = page.query.iter().cloned().collect();
        let mut body = template(&page.body);
        body["size"] = rows[rows.len() / 2].into();
        Ok(Self { body, query, slices, concurrency, compression: false })
    }

    /// In short, for the reader of the figures.
    pub(super) fn describe(&self) -> String {
        let list = |name: &str| self.body[name].as_array().map_or(0, Vec::len);
        let source = match &self.body["_source"] {
            Value::Bool(false) => None,
            Value::Array(fields) => Some(format!("{} fields of _source", fields.len())),
            _ => Some("_source".to_owned()),
        };
        let fields = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
        let parts = [source, fields(list("docvalue_fields"), "doc values"), fields(list("fields"), "fields")];
        let what: Vec<String> = parts.into_iter().flatten().collect();
        format!(
            "{} in {} slices, {} at once, {} rows a page",
            if what.is_empty() { "no fields".to_owned() } else { what.join(", ") },
            self.slices,
            self.concurrency,
            self.body["size"]
        )
    }
}

/// Returns true if the request reads rows, not only a count.
fn is_page(heard: &Heard) -> bool {
    heard.path.ends_with("/_search") && heard.body["pit"].is_object() && heard.body["size"] != 0
}

/// A search without what differs from page to page.
fn template(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(body) = body.as_object_mut() {
        body.retain(|name, _| !matches!(name.as_str(), "pit" | "slice" | "search_after" | "size"));
    }
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn heard(path: &str, body: Value) -> Heard {
        Heard { path: path.into(), query: vec![("q".into(), "1".into())], body, is_compressed: false }
    }

    #[test]
    fn what_is_asked_most_often_counts() {
        let page = |size: u64, slice: u64| {
            let slice = json!({ "id": slice, "max": 4 });
            heard(
                "/_search",
                json!({ "size": size, "pit": {}, "slice": slice, "search_after": [slice], "sort": ["_doc"] }),
            )
        };
        let count = heard("/_search", json!({ "size": 0, "pit": {} }));
        let connections = [
            vec![heard("/", Value::Null), count.clone(), page(5000, 0), page(10, 0)],
            vec![page(4900, 1), page(5000, 2), page(5100, 1)],
            vec![count],
        ];
        let ask = Ask::heard(&connections).unwrap();
        assert_eq!((ask.slices, ask.concurrency), (4, 2));
        assert_eq!(ask.body, json!({ "size": 5000, "sort": ["_doc"] }));
        assert_eq!(ask.query["q"], "1");
        assert_eq!(ask.describe(), "_source in 4 slices, 2 at once, 5000 rows a page");
        assert!(Ask::heard(&connections[2..]).is_err());
    }

    #[test]
    fn what_is_read_is_told() {
        for (body, description) in [
            (json!({ "_source": false, "docvalue_fields": [1, 2] }), "2 doc values"),
            (
                json!({ "_source": ["a"], "docvalue_fields": [1, 2], "fields": [3] }),
                "1 fields of _source, 2 doc values, 1 fields",
            ),
            (json!({ "_source": { "exclude_vectors": false } }), "_source"),
            (json!({ "_source": false }), "no fields"),
        ] {
            let ask = Ask { body, query: BTreeMap::new(), slices: 1, concurrency: 1, compression: false };
            assert!(ask.describe().starts_with(&format!("{description} in 1 slices")), "{}", ask.describe());
        }
    }
}
