//! Variants of the search request: one parameter changes at a time, and the answers
//! are discarded.
//!
//! The result is the speed of the server with a client that does next to
//! nothing beside it on the same machine: rows and bytes a second, and the
//! processor time that each row takes on either side.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::candidate::fetch;
use super::load;
use crate::bench::dataset::{Dataset, Source};
use crate::bench::session::Session;

/// Documents of a generated index, unless the caller says otherwise: enough for seconds.
const DOCUMENTS: u64 = 400_000;

/// The values of the parameters that do not change.
const SLICES: u64 = 2;
const PAGE_ROWS: u64 = 5_000;

/// The maximum age of the server's count of its processor time.
const ACCOUNT_AGE: Duration = Duration::from_millis(1_050);

/// The parts of an answer that a reader needs if it knows its columns.
const NEEDED: &str = "pit_id,timed_out,_shards.failed,hits.hits._source,hits.hits.fields,hits.hits.sort";

/// The form in which values are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// All of `_source`.
    Source,
    /// `_source`, cut down to some fields by the server, also where they are all.
    SourceFields,
    Fields,
    DocValues,
    /// Doc values, and no stored field, not even `_id`.
    DocValuesAlone,
}

impl Way {
    const ALL: [Self; 5] = [Self::Source, Self::SourceFields, Self::Fields, Self::DocValues, Self::DocValuesAlone];

    fn name(self) -> &'static str {
        match self {
            Self::Source => "_source",
            Self::SourceFields => "_source, by field",
            Self::Fields => "fields",
            Self::DocValues => "doc values",
            Self::DocValuesAlone => "doc values, no _id",
        }
    }

    /// The search of a page with these columns, each with its type.
    fn body(self, columns: &[(String, String)]) -> Value {
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let with_formats: Vec<Value> = columns
            .iter()
            .map(|(name, field_type)| match field_type.as_str() {
                "date" => json!({ "field": name, "format": "epoch_millis" }),
                _ => json!({ "field": name }),
            })
            .collect();
        let mut body = json!({
            "size": PAGE_ROWS,
            "query": { "bool": { "filter": [{ "match_all": {} }] } },
            "sort": ["_doc"],
            "track_total_hits": false,
        });
        match self {
            Self::Source => {}
            Self::SourceFields => body["_source"] = json!(names),
            Self::Fields => {
                body["_source"] = json!(false);
                body["fields"] = json!(with_formats);
            }
            Self::DocValues | Self::DocValuesAlone => {
                body["_source"] = json!(false);
                body["docvalue_fields"] = json!(with_formats);
            }
        }
        if self == Self::DocValuesAlone {
            body["stored_fields"] = json!("_none_");
        }
        body
    }
}

/// One way of asking.
#[derive(Debug, Clone, PartialEq)]
struct Cell {
    label: String,
    ask: Ask,
}

impl Cell {
    fn new(label: String, way: Way, columns: &[(String, String)]) -> Self {
        let ask = Ask {
            body: way.body(columns),
            query: BTreeMap::from([("allow_partial_search_results".to_owned(), "false".to_owned())]),
            slices: SLICES,
            concurrency: SLICES,
            compression: false,
        };
        Self { label, ask }
    }

    fn slices(mut self, slices: u64, at_once: u64) -> Self {
        (self.ask.slices, self.ask.concurrency) = (slices, at_once);
        self
    }

    fn page_rows(mut self, rows: u64) -> Self {
        self.ask.body["size"] = json!(rows);
        self
    }

    fn compressed(mut self) -> Self {
        self.ask.compression = true;
        self
    }

    fn sorted_by(mut self, key: &str) -> Self {
        self.ask.body["sort"] = json!([key]);
        self
    }

    fn query(mut self, name: &str, value: &str) -> Self {
        self.ask.query.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// The figures of one variant.
#[derive(Debug, Clone, Serialize)]
struct Line {
    dataset: Dataset,
    part: &'static str,
    label: String,
    rows_per_second: f64,
    bytes_per_second: f64,
    bytes_per_row: f64,
    server_cpu_microseconds_per_row: f64,
    client_cpu_microseconds_per_row: f64,
    client_peak_rss_megabytes: f64,
}

pub(super) fn run(
    session: &Session,
    orchestrator: &Path,
    program: &Path,
    datasets: &[Dataset],
    documents: Option<u64>,
) -> Result<()> {
    let mut lines = Vec::new();
    for dataset in datasets {
        let source = Source::prepare(session, *dataset, documents.unwrap_or(DOCUMENTS))?;
        let index = load(session, orchestrator, &source)?;
        println!(
            "\n{}: {} documents ({}) in {} segments, Elasticsearch {}",
            dataset.as_str(),
            source.documents,
            dataset.description(),
            session.cluster.segments(&index)?,
            session.cluster.version()?
        );
        let columns = columns(&source.index_body);
        // Uncounted, so that files are in the cache and the server's code is compiled.
        for way in Way::ALL {
            measured(session, program, &index, &source, "warm-up", Cell::new(way.name().into(), way, &columns))?;
        }
        for (part, cells) in parts(&columns) {
            println!("\n{}", heading(part));
            for cell in cells {
                let line = measured(session, program, &index, &source, part, cell)?;
                println!("{}", line.render());
                lines.push(line);
            }
        }
        session.cluster.delete(&index)?;
        session.keep_figures("export-sweep.json", &serde_json::to_vec_pretty(&lines)?)?;
    }
    Ok(())
}

fn measured(
    session: &Session,
    program: &Path,
    index: &str,
    source: &Source,
    part: &'static str,
    cell: Cell,
) -> Result<Line> {
    // The server has idled since this was asked last.
    let before = session.cluster.cpu_seconds()?;
    let (measured, fetched) = fetch(session, program, index, &cell.ask, "sweep")?;
    std::thread::sleep(ACCOUNT_AGE);
    let server = session.cluster.cpu_seconds()? - before;
    if fetched.rows != source.documents {
        bail!("{part}, {}: {} of {} rows came", cell.label, fetched.rows, source.documents);
    }
    let rows = fetched.rows as f64;
    Ok(Line {
        dataset: source.dataset,
        part,
        label: cell.label,
        rows_per_second: rows / fetched.seconds,
        bytes_per_second: fetched.bytes as f64 / fetched.seconds,
        bytes_per_row: fetched.bytes as f64 / rows,
        server_cpu_microseconds_per_row: server * 1e6 / rows,
        client_cpu_microseconds_per_row: measured.cpu_seconds() * 1e6 / rows,
        client_peak_rss_megabytes: measured.peak_rss_megabytes(),
    })
}

/// The columns of an index with their types.
fn columns(index_body: &Value) -> Vec<(String, String)> {
    let properties = index_body["mappings"]["properties"].as_object();
    let columns = properties.into_iter().flat_map(Map::iter);
    columns.map(|(name, field)| (name.clone(), field["type"].as_str().unwrap_or_default().to_owned())).collect()
}

/// Everything that is tried, a part a question.
fn parts(columns: &[(String, String)]) -> Vec<(&'static str, Vec<Cell>)> {
    let cell = |label: String, way| Cell::new(label, way, columns);
    let both = [Way::Source, Way::DocValues];
    let ways = Way::ALL.into_iter().map(|way| cell(format!("{}, json", way.name()), way));
    let formats = both.into_iter().flat_map(|way| {
        ["cbor", "smile"].map(|format| cell(format!("{}, {format}", way.name()), way).query("format", format))
    });
    let slices = both.into_iter().flat_map(|way| {
        [(1, 1), (2, 2), (3, 3), (4, 4), (8, 8), (4, 2)].map(|(slices, at_once)| {
            cell(format!("{}, {slices} slices, {at_once} at once", way.name()), way).slices(slices, at_once)
        })
    });
    let pages = both.into_iter().flat_map(|way| {
        [500, 1_000, 2_000, 5_000, 10_000].map(|rows| cell(format!("{}, {rows} rows", way.name()), way).page_rows(rows))
    });
    let answers = both.into_iter().flat_map(|way| {
        [
            cell(format!("{}, gzip", way.name()), way).compressed(),
            cell(format!("{}, filter_path", way.name()), way).query("filter_path", NEEDED),
            cell(format!("{}, sorted by _shard_doc", way.name()), way).sorted_by("_shard_doc"),
        ]
    });
    let counts = [1, 2, 4, 8, 12, 16].into_iter().filter(|count| *count <= columns.len());
    let counts = counts.flat_map(|count| {
        let first = &columns[..count];
        [Way::SourceFields, Way::DocValues, Way::DocValuesAlone]
            .map(|way| Cell::new(format!("{}, {count} columns", way.name()), way, first))
    });
    vec![
        ("how values are asked for and written", ways.chain(formats).collect()),
        ("slices", slices.collect()),
        ("rows of a page", pages.collect()),
        ("what else can be asked", answers.collect()),
        ("columns", counts.collect()),
    ]
}

fn heading(part: &str) -> String {
    format!(
        "{part:<40} {:>9} {:>7} {:>10} {:>14} {:>14} {:>14}",
        "rows/s", "MB/s", "bytes/row", "server µs/row", "client µs/row", "client RSS MB"
    )
}

impl Line {
    fn render(&self) -> String {
        format!(
            "{:<40} {:>9.0} {:>7.1} {:>10.0} {:>14.2} {:>14.2} {:>14.0}",
            self.label,
            self.rows_per_second,
            self.bytes_per_second / 1e6,
            self.bytes_per_row,
            self.server_cpu_microseconds_per_row,
            self.client_cpu_microseconds_per_row,
            self.client_peak_rss_megabytes
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<(String, String)> {
        columns(&json!({ "mappings": { "properties": { "at": { "type": "date" }, "n": { "type": "long" } } } }))
    }

    #[test]
    fn each_way_asks_for_the_columns() {
        let asked = |way: Way| way.body(&two());
        assert_eq!(asked(Way::Source)["_source"], Value::Null);
        assert_eq!(asked(Way::SourceFields)["_source"], json!(["at", "n"]));
        assert_eq!(asked(Way::Fields)["fields"][0], json!({ "field": "at", "format": "epoch_millis" }));
        assert_eq!(asked(Way::DocValues)["docvalue_fields"][1], json!({ "field": "n" }));
        assert_eq!(asked(Way::DocValues)["_source"], json!(false));
        assert_eq!(asked(Way::DocValuesAlone)["stored_fields"], "_none_");
    }

    #[test]
    fn no_more_columns_are_asked_for_than_there_are() {
        let parts = parts(&two());
        let (_, counts) = &parts[4];
        assert_eq!(counts.len(), 6);
        let labels: std::collections::BTreeSet<&str> =
            parts.iter().flat_map(|(_, cells)| cells).map(|cell| cell.label.as_str()).collect();
        assert_eq!(labels.len(), parts.iter().map(|(_, cells)| cells.len()).sum::<usize>());
    }
}
