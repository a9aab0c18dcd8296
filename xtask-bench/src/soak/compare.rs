//! Reads every document of an index and compares it with its source, by id and by content.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::source::{Kind, Source};
use xtask::http::Client;

/// The number of documents of a page.
const PAGE: u64 = 5_000;

/// The differences between an index and its source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Good documents that are missing.
    pub(super) lost: u64,
    /// Documents that are there more than once, or that are not from the source.
    pub(super) doubled: u64,
    /// Documents with an unexpected id or content.
    pub(super) changed: u64,
}

/// The count of documents that were read.
pub(super) struct Tally<'a> {
    source: &'a Source,
    seen: Vec<bool>,
    difference: Difference,
}

impl<'a> Tally<'a> {
    pub(super) fn new(source: &'a Source) -> Result<Self> {
        Ok(Self { source, seen: vec![false; usize::try_from(source.documents)?], difference: Difference::default() })
    }

    pub(super) fn see(&mut self, id: &str, content: &str) {
        // The content identifies a document, because the server could have generated the id.
        let own: Option<Value> = serde_json::from_str(content).ok();
        let key = own.as_ref().and_then(|own| own["id"].as_str());
        let Some(number) = key.and_then(|key| self.source.number(key)) else {
            self.difference.doubled += 1;
            return;
        };
        let Some(seen) = usize::try_from(number).ok().and_then(|place| self.seen.get_mut(place)) else { return };
        if std::mem::replace(seen, true) || self.source.kind(number) != Kind::Good {
            self.difference.doubled += 1;
        } else if Source::id(number) != id || own != serde_json::from_str(&self.source.line(number)).ok() {
            self.difference.changed += 1;
        }
    }

    pub(super) fn finish(self) -> Difference {
        let lost =
            self.seen.iter().zip(0..).filter(|(seen, number)| !**seen && self.source.kind(*number) == Kind::Good);
        Difference { lost: lost.count() as u64, ..self.difference }
    }
}

#[derive(Deserialize)]
struct Page {
    pit_id: String,
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_source")]
    source: Option<Box<RawValue>>,
    sort: Value,
}

/// Compares a whole index, as of a refresh made for it.
pub(super) fn compare(client: &Client, index: &str, source: &Source) -> Result<Difference> {
    let mut tally = Tally::new(source)?;
    read_all(client, index, true, |hit| {
        tally.see(&hit.id, hit.source.as_deref().map_or("", RawValue::get));
    })?;
    Ok(tally.finish())
}

/// Reads the ids of all documents of an index or alias, as of a refresh made for it.
pub(super) fn ids(client: &Client, index: &str) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    read_all(client, index, false, |hit| ids.push(hit.id.clone()))?;
    Ok(ids)
}

/// Refreshes an index, and reads all of its documents at one point in time.
fn read_all(client: &Client, index: &str, with_source: bool, see: impl FnMut(&Hit)) -> Result<()> {
    client.post_ok(&format!("/{index}/_refresh"), None)?;
    let opened = client.post_ok(&format!("/{index}/_pit?keep_alive=2m"), None)?;
    let mut pit = opened["id"].as_str().context("the server opened no point in time")?.to_owned();
    let read = read_pages(client, &mut pit, with_source, see);
    client.delete_with("/_pit", &json!({ "id": pit }))?;
    read
}

fn read_pages(client: &Client, pit: &mut String, with_source: bool, mut see: impl FnMut(&Hit)) -> Result<()> {
    let mut after = None;
    loop {
        let mut body = json!({
            "size": PAGE,
            "pit": { "id": pit, "keep_alive": "2m" },
            "sort": ["_shard_doc"],
            "_source": with_source,
            "track_total_hits": false
        });
        if let Some(after) = after {
            body["search_after"] = after;
        }
        let path = "/_search?allow_partial_search_results=false&filter_path=pit_id,hits.hits";
        let page: Page = match client.post_text(path, Some(&body))? {
            // `filter_path` omits an empty list.
            (200, text) if !text.contains("\"hits\"") => return Ok(()),
            (200, text) => serde_json::from_str(&text).context("cannot parse a page")?,
            (status, text) => bail!("cannot read the index back: {status}: {text}"),
        };
        page.hits.hits.iter().for_each(&mut see);
        *pit = page.pit_id;
        match page.hits.hits.into_iter().last() {
            Some(last) => after = Some(last.sort),
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(source: &Source, seen: &[(&str, String)]) -> Difference {
        let mut tally = Tally::new(source).unwrap();
        seen.iter().for_each(|(id, content)| tally.see(id, content));
        tally.finish()
    }

    #[test]
    fn a_complete_index_has_no_differences() {
        let source = Source::new(1, 300).poisoned();
        let good = (0..300).filter(|number| source.kind(*number) == Kind::Good);
        let seen: Vec<(String, String)> = good.map(|number| (Source::id(number), source.line(number))).collect();
        let seen: Vec<(&str, String)> = seen.iter().map(|(id, line)| (id.as_str(), line.clone())).collect();
        assert_eq!(tally(&source, &seen), Difference::default());
    }

    #[test]
    fn each_difference_is_counted_separately() {
        let source = Source::new(1, 3);
        let line = |number| source.line(number);
        let changed = line(1).replace("place-", "elsewhere-");
        let seen = [
            ("d000000000", line(0)),
            ("generated-by-the-server", line(0)),
            ("d000000001", changed),
            ("d000000099", "{}".to_owned()),
        ];
        assert_eq!(tally(&source, &seen), Difference { lost: 1, doubled: 2, changed: 1 });
        let renamed = [("a", line(0)), ("d000000001", line(1)), ("d000000002", line(2))];
        assert_eq!(tally(&source, &renamed), Difference { lost: 0, doubled: 0, changed: 1 });
    }

    #[test]
    fn the_order_of_fields_does_not_matter() {
        let source = Source::new(1, 1);
        let mut fields: Vec<(String, Value)> =
            serde_json::from_str::<serde_json::Map<String, Value>>(&source.line(0)).unwrap().into_iter().collect();
        fields.reverse();
        let reversed = Value::Object(fields.into_iter().collect()).to_string();
        assert_ne!(reversed, source.line(0));
        assert_eq!(tally(&source, &[("d000000000", reversed)]), Difference::default());
    }
}
