//! The answer to a search, around its hits.

use polars::prelude::{DataFrame, PlSmallStr, Series};

use super::HitPage;
use super::hit::Hits;
use super::plan::Plan;
use super::scan::Scanner;
use super::stop::Stop;
use super::text::unescape;
use crate::error::{Error, ErrorKind};

/// The members of an answer besides its hits.
#[derive(Default)]
struct Envelope {
    /// Shards that failed, if it says so.
    failed_shards: Option<u64>,
    timed_out: Option<bool>,
    pit_id: Option<String>,
    scroll_id: Option<String>,
    has_hits: bool,
}

/// Reads an answer. `rows` is how many are expected.
pub(crate) fn decode(plan: &Plan, body: &[u8], rows: usize) -> Result<HitPage, Error> {
    let text = simdutf8::basic::from_utf8(body)
        .map_err(|_| Error::new(ErrorKind::Malformed, "the answer to a search cannot be read: it is not UTF-8"))?;
    let mut scanner = Scanner::new(text);
    let mut hits = plan.hits(rows);
    let envelope = read_answer(&mut scanner, &mut hits)?;
    let lacking = |what: &str| Error::new(ErrorKind::Malformed, format!("the answer to a search {what}"));
    match (envelope.failed_shards, envelope.timed_out) {
        (Some(0), Some(false)) => {}
        (_, Some(true)) => return Err(partial("the search timed out")),
        (Some(1..), _) => return Err(partial("some shards failed")),
        (None, _) => return Err(lacking("does not say whether shards failed")),
        (_, None) => return Err(lacking("does not say whether it timed out")),
    }
    if !envelope.has_hits {
        return Err(lacking("has no hits in it"));
    }
    let last_sort = hits.last_sort.map(str::to_owned);
    let rows = hits.table.rows();
    let arrays = hits.table.finish()?;
    let series = arrays.into_iter().zip(&plan.columns).map(|(array, column)| {
        let series = Series::try_from((PlSmallStr::from_str(&column.name), array))?;
        debug_assert_eq!(series.dtype(), &column.dtype());
        Ok(series.into())
    });
    let frame = DataFrame::new(rows, series.collect::<Result<_, Error>>()?)?;
    Ok(HitPage { frame, last_sort, pit_id: envelope.pit_id, scroll_id: envelope.scroll_id })
}

fn partial(why: &str) -> Error {
    Error::new(ErrorKind::Partial, format!("{why}, so rows would be missing"))
        .with_help("see the server's log, and the health of the index")
}

fn read_answer<'b>(scanner: &mut Scanner<'b>, hits: &mut Hits<'b>) -> Result<Envelope, Stop> {
    let mut envelope = Envelope::default();
    let mut more = scanner.enter(b'{', b'}', "it is no object")?;
    while more {
        match scanner.key()? {
            "pit_id" => envelope.pit_id = Some(read_text(scanner)?),
            "_scroll_id" => envelope.scroll_id = Some(read_text(scanner)?),
            "timed_out" => {
                envelope.timed_out = Some(match scanner.plain()? {
                    "true" => true,
                    "false" => false,
                    _ => return Err(scanner.broken("`timed_out` is neither true nor false")),
                });
            }
            "_shards" => envelope.failed_shards = read_shards(scanner)?,
            "hits" => {
                read_hits(scanner, hits)?;
                envelope.has_hits = true;
            }
            _ => scanner.skip()?,
        }
        more = scanner.goes_on(b'}')?;
    }
    if scanner.peek().is_some() {
        return Err(scanner.broken("something follows its end"));
    }
    Ok(envelope)
}

fn read_text(scanner: &mut Scanner<'_>) -> Result<String, Stop> {
    if scanner.peek() != Some(b'"') {
        return Err(scanner.broken("an id is no text"));
    }
    let raw = scanner.quoted()?;
    Ok(unescape(raw).ok_or_else(|| scanner.broken("an id is no text"))?.into_owned())
}

fn read_shards(scanner: &mut Scanner<'_>) -> Result<Option<u64>, Stop> {
    let mut failed = None;
    let mut more = scanner.enter(b'{', b'}', "`_shards` is no object")?;
    while more {
        match scanner.key()? {
            "failed" => {
                let number = scanner.plain()?.parse();
                failed = Some(number.map_err(|_| scanner.broken("the number of failed shards is none"))?);
            }
            _ => scanner.skip()?,
        }
        more = scanner.goes_on(b'}')?;
    }
    Ok(failed)
}

/// The outer `hits`, and the list in it.
fn read_hits<'b>(scanner: &mut Scanner<'b>, hits: &mut Hits<'b>) -> Result<(), Stop> {
    let mut has_list = false;
    let mut more = scanner.enter(b'{', b'}', "`hits` is no object")?;
    while more {
        match scanner.key()? {
            "hits" if has_list => return Err(scanner.broken("there are two lists of hits")),
            "hits" => {
                hits.read(scanner)?;
                has_list = true;
            }
            _ => scanner.skip()?,
        }
        more = scanner.goes_on(b'}')?;
    }
    if !has_list {
        return Err(scanner.broken("`hits` has no list of hits in it"));
    }
    Ok(())
}
