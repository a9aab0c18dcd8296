//! The fault proxy as a process of its own, for programs that cannot link to it.
//!
//! usage: `fault_proxy UPSTREAM`
//!
//! Prints a line of JSON with its address, and then answers each command, a line on standard
//! input, with one line of JSON on standard output; it ends when standard input does. All
//! commands are about bulk requests; others pass.
//!
//! | command | what it does from now on |
//! |---|---|
//! | `pass` | nothing: documents are counted, and all go to the node |
//! | `refuse-items PERCENT SEED` | answers this share of the documents of each request with 429 |
//! | `lose-replies COUNT EACH` | loses so many replies after the node has applied the request, and of one body at most `EACH` in a row |
//! | `record FILE` | appends each body to a new file, its length in 8 bytes (little-endian) before it |
//! | `stop-recording` | ends the file, and reports its size and the query that the requests had |
//! | `counts` | nothing: reports the counts so far |

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::{self, BufRead as _, BufWriter, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use es_testing::{Fault, FaultProxy, SeenRequest};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> io::Result<()> {
    let upstream = std::env::args().nth(1).ok_or_else(|| io::Error::other("usage: fault_proxy UPSTREAM"))?;
    let proxy = FaultProxy::before(&upstream).await;
    proxy.forget_bodies();
    let plan = Arc::new(Mutex::new(Plan::default()));
    let deciding = plan.clone();
    proxy.decide_with(move |request| deciding.lock().unwrap_or_else(PoisonError::into_inner).decide(request));
    say(&json!({ "url": proxy.url() }))?;
    // The proxy works on other threads while this one waits for a line.
    for line in io::stdin().lock().lines() {
        let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = plan.obey(&line?, &proxy).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        drop(plan);
        say(&answer)?;
    }
    Ok(())
}

fn say(answer: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{answer}")?;
    stdout.flush()
}

/// The current fault of bulk requests, and the counts.
#[derive(Default)]
struct Plan {
    mode: Mode,
    recording: Option<Recording>,
    requests: u64,
    bytes: u64,
    lost: u64,
}

#[derive(Default)]
enum Mode {
    #[default]
    Pass,
    RefuseItems {
        percent: u8,
        seed: u64,
    },
    LoseReplies {
        left: u64,
        each: u32,
        /// The number of lost replies to a body, by its hash.
        lost: HashMap<u64, u32>,
    },
}

struct Recording {
    file: BufWriter<File>,
    bodies: u64,
    bytes: u64,
    lines: u64,
    query: String,
    failure: Option<String>,
}

impl Plan {
    fn decide(&mut self, request: &SeenRequest) -> Fault {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        if !path.ends_with("/_bulk") {
            return Fault::Pass;
        }
        self.requests += 1;
        self.bytes += request.body.len() as u64;
        if let Some(recording) = &mut self.recording {
            recording.add(request, query);
            return Fault::Pass;
        }
        match &mut self.mode {
            Mode::Pass => Fault::RefuseItems { percent: 0, seed: 0 },
            Mode::RefuseItems { percent, seed } => {
                *seed = seed.wrapping_add(1);
                Fault::RefuseItems { percent: *percent, seed: *seed }
            }
            Mode::LoseReplies { left, each, lost } => {
                let body = BuildHasherDefault::<DefaultHasher>::default().hash_one(&request.body);
                let of_body = lost.entry(body).or_default();
                if *left == 0 || of_body == each {
                    // Should the same body come for another index, it is lost again.
                    *of_body = 0;
                    return Fault::Pass;
                }
                *of_body += 1;
                *left -= 1;
                self.lost += 1;
                Fault::DropReply
            }
        }
    }

    fn obey(&mut self, line: &str, proxy: &FaultProxy) -> io::Result<Value> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["pass"] => self.mode = Mode::Pass,
            ["refuse-items", percent, seed] => {
                self.mode = Mode::RefuseItems { percent: number(percent)?, seed: number(seed)? };
            }
            ["lose-replies", count, each] => {
                self.mode = Mode::LoseReplies { left: number(count)?, each: number(each)?, lost: HashMap::new() };
            }
            ["record", ..] => {
                // The rest of the line, as a path may have spaces.
                let path = line.trim().trim_start_matches("record").trim();
                let file = BufWriter::new(File::create(path)?);
                self.recording =
                    Some(Recording { file, bodies: 0, bytes: 0, lines: 0, query: String::new(), failure: None });
            }
            ["stop-recording"] => {
                let recording = self.recording.take().ok_or_else(|| io::Error::other("nothing is recorded"))?;
                return recording.finish();
            }
            ["counts"] => {
                let items = proxy.items();
                return Ok(json!({
                    "requests": self.requests,
                    "bytes": self.bytes,
                    "lost": self.lost,
                    "items_forwarded": items.forwarded,
                    "items_refused": items.refused,
                }));
            }
            _ => return Err(io::Error::other(format!("unknown command: {line}"))),
        }
        Ok(json!({ "ok": true }))
    }
}

fn number<T: std::str::FromStr>(word: &str) -> io::Result<T> {
    word.parse().map_err(|_| io::Error::other(format!("{word} is not a number in range")))
}

impl Recording {
    fn add(&mut self, request: &SeenRequest, query: &str) {
        if request.headers.iter().any(|(name, _)| name == "content-encoding") {
            self.failure = Some("the body of a request is compressed".to_owned());
            return;
        }
        let length = request.body.len() as u64;
        let written = self.file.write_all(&length.to_le_bytes()).and_then(|()| self.file.write_all(&request.body));
        if let Err(error) = written {
            self.failure = Some(error.to_string());
        }
        query.clone_into(&mut self.query);
        self.bodies += 1;
        self.bytes += length;
        self.lines += request.body.iter().filter(|byte| **byte == b'\n').count() as u64;
    }

    fn finish(mut self) -> io::Result<Value> {
        self.file.flush()?;
        match self.failure {
            Some(failure) => Err(io::Error::other(failure)),
            None => Ok(json!({
                "bodies": self.bodies,
                "bytes": self.bytes,
                "lines": self.lines,
                "query": pairs(&self.query)?,
            })),
        }
    }
}

/// The decoded parameters of a query.
fn pairs(query: &str) -> io::Result<HashMap<String, String>> {
    let url = reqwest::Url::parse(&format!("http://node/?{query}")).map_err(io::Error::other)?;
    Ok(url.query_pairs().into_owned().collect())
}
