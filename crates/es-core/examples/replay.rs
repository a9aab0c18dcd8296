//! Sends bulk bodies that were recorded before, and does nothing else: the floor under every
//! loader, which `cargo xtask bench bulk` compares ours with.
//!
//! usage: `replay BODIES INDEX CONCURRENCY FILTER_PATH [FIRST]`
//!
//! `BODIES` is a file of bodies, each with its length in 8 bytes (little-endian) before it, as
//! the fault proxy of `es-testing` records them; with `FIRST` only so many of them are sent.
//! `FILTER_PATH` is what the answers are reduced to. The connection is the environment's. Prints
//! one line of JSON: how many bodies and bytes were sent, and the seconds from the first request
//! to the last answer.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use es_core::{Client, ClusterConfig, Method, Request, RetryPolicy};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The time limit of one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(300);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (bodies, index, concurrency, filter_path, first) = match &arguments[..] {
        [bodies, index, concurrency, filter_path] => (bodies, index, concurrency, filter_path, u64::MAX),
        [bodies, index, concurrency, filter_path, first] => (bodies, index, concurrency, filter_path, first.parse()?),
        _ => return Err("usage: replay BODIES INDEX CONCURRENCY FILTER_PATH [FIRST]".into()),
    };
    let concurrency = concurrency.parse::<usize>()?.max(1);
    let client = Client::connect(ClusterConfig::from_env()?).await?;
    let path = es_core::paths::bulk(index);

    // A few bodies wait, so that no request waits for the disk.
    let (sender, receiver) = mpsc::channel(2 * concurrency);
    let file = BufReader::with_capacity(1 << 20, File::open(bodies)?);
    let reading = tokio::task::spawn_blocking(move || read(file, first, &sender));
    let receiver = Arc::new(Mutex::new(receiver));
    let started = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..concurrency {
        workers.spawn(send_all(client.clone(), path.clone(), filter_path.clone(), receiver.clone()));
    }
    let (mut sent, mut bytes) = (0, 0);
    while let Some(worker) = workers.join_next().await {
        let (own_sent, own_bytes) = worker??;
        sent += own_sent;
        bytes += own_bytes;
    }
    let seconds = started.elapsed().as_secs_f64();
    reading.await??;
    println!("{}", serde_json::json!({ "bodies": sent, "bytes": bytes, "seconds": seconds }));
    Ok(())
}

/// Hands out bodies until the file or the need for them ends.
fn read(mut file: impl io::Read, first: u64, bodies: &mpsc::Sender<Bytes>) -> io::Result<()> {
    for _ in 0..first {
        let mut length = [0; 8];
        match file.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let length = u64::from_le_bytes(length);
        let mut body = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
        if file.by_ref().take(length).read_to_end(&mut body)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bodies.blocking_send(body.into()).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends one body after the other; returns how many they were, and their bytes.
async fn send_all(
    client: Client,
    path: String,
    filter_path: String,
    bodies: Arc<Mutex<mpsc::Receiver<Bytes>>>,
) -> Result<(u64, u64), Failure> {
    let (mut sent, mut bytes) = (0, 0);
    loop {
        let Some(body) = bodies.lock().await.recv().await else { return Ok((sent, bytes)) };
        let length = body.len() as u64;
        let mut request = Request::new(Method::Post, path.as_str()).ndjson(body).timeout(REQUEST_LIMIT);
        // What has to be sent again is no floor: it ends the program.
        request = request.retry(RetryPolicy::NEVER);
        if !filter_path.is_empty() {
            request = request.query("filter_path", &filter_path);
        }
        let answer = client.send(&request).await?;
        if answer.body().windows(8).any(|part| part == b"\"error\":") {
            return Err("the server refused documents".into());
        }
        sent += 1;
        bytes += length;
    }
}
