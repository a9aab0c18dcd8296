//! Reads an index page by page, throws the pages away, and does nothing else: the lower bound of
//! every export, which `cargo xtask bench export` compares ours with.
//!
//! usage: `fetch INDEX ASK`
//!
//! `ASK` is JSON: `body`, the search of a page without `pit`, `slice` and `search_after`;
//! `query`, its query parameters (`format` may be `cbor` or `smile`); `slices`, and how many of
//! them are read at once (`concurrency`); `compression`, whether answers come compressed. The
//! connection is the environment's. Prints one line of JSON: how many rows, pages and bytes came,
//! and the seconds from the opening of the point in time to the last answer.
//!
//! A page is looked at for no more than it takes to ask for the next one: the `sort` values of
//! its last hit, and how many hits there are.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use es_core::{Client, ClusterConfig, Method, Request, RetryPolicy};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The time limit of one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(300);

/// The time for which the server keeps the point in time between two requests.
const KEEP_ALIVE: &str = "5m";

#[derive(Clone, Deserialize)]
struct Ask {
    body: Value,
    #[serde(default)]
    query: BTreeMap<String, String>,
    slices: usize,
    concurrency: usize,
    #[serde(default)]
    compression: bool,
}

/// The received pages, of one slice or of all.
#[derive(Clone, Copy, Default)]
struct Came {
    rows: usize,
    pages: usize,
    bytes: usize,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [index, ask] = &arguments[..] else { return Err("usage: fetch INDEX ASK".into()) };
    let ask: Ask = serde_json::from_str(ask)?;
    let client = Client::connect(ClusterConfig { compression: ask.compression, ..ClusterConfig::from_env()? }).await?;

    let started = Instant::now();
    let open = Request::new(Method::Post, format!("/{index}/_pit")).query("keep_alive", KEEP_ALIVE);
    let opened: Value = client.send(&open).await?.json()?;
    let pit = opened["id"].as_str().ok_or("no point in time was opened")?.to_owned();
    let read = read_all(&client, &ask, &pit).await;
    let seconds = started.elapsed().as_secs_f64();
    client.send(&Request::new(Method::Delete, "/_pit").json(&json!({ "id": pit }))).await?;
    let Came { rows, pages, bytes } = read?;
    println!("{}", json!({ "rows": rows, "pages": pages, "bytes": bytes, "seconds": seconds }));
    Ok(())
}

async fn read_all(client: &Client, ask: &Ask, pit: &str) -> Result<Came, Failure> {
    let format = Format::of(ask)?;
    let slices = futures::stream::iter(0..ask.slices.max(1)).map(|slice| {
        let mut body = ask.body.clone();
        // Always the same id: nothing moves on a server that is measured.
        body["pit"] = json!({ "id": pit, "keep_alive": KEEP_ALIVE });
        if ask.slices > 1 {
            body["slice"] = json!({ "id": slice, "max": ask.slices });
        }
        // Tasks of their own, so that one thread does not read all bodies.
        let reading = tokio::spawn(read_slice(client.clone(), ask.query.clone(), body, format));
        async move { reading.await? }
    });
    let came: Vec<Came> = slices.buffer_unordered(ask.concurrency.max(1)).try_collect().await?;
    Ok(came.into_iter().fold(Came::default(), |sum, one| Came {
        rows: sum.rows + one.rows,
        pages: sum.pages + one.pages,
        bytes: sum.bytes + one.bytes,
    }))
}

/// Reads the pages of one slice, one after the other, until an empty one.
async fn read_slice(
    client: Client,
    query: BTreeMap<String, String>,
    mut body: Value,
    format: Format,
) -> Result<Came, Failure> {
    let mut came = Came::default();
    loop {
        // A retry would falsify the measurement, so a failure ends the program.
        let mut request =
            Request::new(Method::Post, "/_search").json(&body).timeout(REQUEST_LIMIT).retry(RetryPolicy::NEVER);
        for (name, value) in &query {
            request = request.query(name.clone(), value);
        }
        let page = client.send(&request).await?;
        came.pages += 1;
        came.bytes += page.body().len();
        let Some(sort) = format.last_sort(page.body())? else { return Ok(came) };
        came.rows += format.hits(page.body());
        body["search_after"] = sort;
    }
}

/// The format of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Cbor,
    Smile,
}

/// The key `sort` and the start of a list, in JSON.
const JSON_SORT: &[u8] = b"\"sort\":[";

/// The key `sort` in CBOR (RFC 8949): a text of four bytes.
const CBOR_SORT: &[u8] = b"\x64sort";

/// The end of an object and the start of the next one, in Smile. No text or number has these
/// bytes in it.
const SMILE_NEXT: &[u8] = b"\xfb\xfa";

impl Format {
    fn of(ask: &Ask) -> Result<Self, Failure> {
        match ask.query.get("format").map(String::as_str) {
            None | Some("json") => Ok(Self::Json),
            Some("cbor") => Ok(Self::Cbor),
            Some("smile") => Ok(Self::Smile),
            Some(other) => Err(format!("{other} is not json, cbor or smile").into()),
        }
    }

    /// The number of hits of a page that has some.
    fn hits(self, page: &[u8]) -> usize {
        match self {
            Self::Json => memchr::memmem::find_iter(page, JSON_SORT).count(),
            Self::Cbor => memchr::memmem::find_iter(page, CBOR_SORT).count(),
            Self::Smile => memchr::memmem::find_iter(page, SMILE_NEXT).count() + 1,
        }
    }

    /// The `sort` values of the last hit, if there are hits.
    fn last_sort(self, page: &[u8]) -> Result<Option<Value>, Failure> {
        match self {
            Self::Json => {
                let Some(at) = memchr::memmem::rfind(page, JSON_SORT) else { return Ok(None) };
                let values = &page[at + JSON_SORT.len() - 1..];
                let end = memchr::memchr(b']', values).ok_or("a page is cut off")?;
                Ok(Some(serde_json::from_slice(&values[..=end])?))
            }
            Self::Cbor => {
                let Some(at) = memchr::memmem::rfind(page, CBOR_SORT) else { return Ok(None) };
                Ok(Some(cbor_integers(&page[at + CBOR_SORT.len()..]).ok_or("a page has other sort values")?.into()))
            }
            Self::Smile => {
                // The last list of all: that of the sort values, or that of the hits if it is empty.
                let at = memchr::memrchr(0xf8, page).ok_or("a page has no hits")?;
                let values = smile_integers(&page[at + 1..]).ok_or("a page has other sort values")?;
                Ok(Some(values).filter(|values| !values.is_empty()).map(Value::from))
            }
        }
    }
}

/// A list of whole numbers in CBOR, of known or unknown length.
fn cbor_integers(bytes: &[u8]) -> Option<Vec<i64>> {
    let (&head, mut rest) = bytes.split_first()?;
    let length = match head {
        0x80..=0x97 => Some(usize::from(head - 0x80)),
        0x9f => None,
        _ => return None,
    };
    let mut values = Vec::new();
    while length != Some(values.len()) {
        let (&head, after) = rest.split_first()?;
        if head == 0xff && length.is_none() {
            break;
        }
        let width = match head & 0x1f {
            0..=23 => 0,
            more @ 24..=27 => 1 << (more - 24),
            _ => return None,
        };
        let (payload, after) = after.split_at_checked(width)?;
        let number = payload.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let number = i64::try_from(if width == 0 { u64::from(head & 0x1f) } else { number }).ok()?;
        values.push(match head >> 5 {
            0 => number,
            1 => -1 - number,
            _ => return None,
        });
        rest = after;
    }
    Some(values)
}

/// The whole numbers of a list in Smile, up to its end.
fn smile_integers(bytes: &[u8]) -> Option<Vec<i64>> {
    let mut rest = bytes.iter();
    let mut values = Vec::new();
    loop {
        let zigzag = match *rest.next()? {
            0xf9 => return Some(values),
            small @ 0xc0..=0xdf => u64::from(small - 0xc0),
            0x24 | 0x25 => {
                let mut number = 0_u64;
                loop {
                    let byte = *rest.next()?;
                    // Seven bits a byte, and six in the last one, which has the highest bit set.
                    if byte & 0x80 != 0 {
                        break number << 6 | u64::from(byte & 0x3f);
                    }
                    number = number << 7 | u64::from(byte);
                }
            }
            _ => return None,
        };
        values.push(i64::try_from(zigzag >> 1).ok()? ^ -i64::try_from(zigzag & 1).ok()?);
    }
}
