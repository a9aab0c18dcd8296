//! A proxy that forwards everything and records the requests of the client, which the
//! server baseline repeats.
//!
//! It is for plain HTTP and a client that ends, as it keeps whatever the client
//! says.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use url::Url;

/// The most headers that a request may have.
const MOST_HEADERS: usize = 64;

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heard {
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// Null where it is not JSON.
    pub(super) body: Value,
    /// True if the client accepts a compressed answer.
    pub(super) is_compressed: bool,
}

/// Everything that clients said, a connection each.
type Said = Arc<Mutex<Vec<Vec<u8>>>>;

/// A running proxy; it listens until the process ends.
pub(super) struct Tap {
    url: String,
    said: Said,
}

impl Tap {
    /// Starts it before a node at an `http` address.
    pub(super) fn start(upstream: &str) -> Result<Self> {
        let upstream = Url::parse(upstream).with_context(|| format!("{upstream} is not an address"))?;
        if upstream.scheme() != "http" {
            bail!("requests can be listened to in plain HTTP alone, and {upstream} is something else");
        }
        let address = upstream.socket_addrs(|| None)?.into_iter().next().context("the node has no address")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen")?;
        let url = format!("http://{}", listener.local_addr()?);
        let said = Said::default();
        let kept = said.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(address) else { continue };
                // Where it cannot be passed on, the connection breaks, and the client says so.
                let _ = pass_on(client, server, kept.clone());
            }
        });
        Ok(Self { url, said })
    }

    /// The address to give to the client.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The requests so far, by connection.
    pub(super) fn heard(&self) -> Result<Vec<Vec<Heard>>> {
        lock(&self.said).iter().map(|bytes| requests(bytes)).collect()
    }
}

/// Passes both directions on, in threads of their own.
fn pass_on(client: TcpStream, server: TcpStream, said: Said) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_end, server_end) = (client.try_clone()?, server.try_clone()?);
    let number = {
        let mut said = lock(&said);
        said.push(Vec::new());
        said.len() - 1
    };
    std::thread::spawn(move || {
        copy(&client, &server, |bytes| {
            if let Some(kept) = lock(&said).get_mut(number) {
                kept.extend_from_slice(bytes);
            }
        });
    });
    std::thread::spawn(move || copy(&server_end, &client_end, |_| ()));
    Ok(())
}

/// Copies until either side ends, and then ends both.
fn copy(mut from: &TcpStream, mut to: &TcpStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        see(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

fn lock(said: &Said) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The whole requests of a connection.
fn requests(mut bytes: &[u8]) -> Result<Vec<Heard>> {
    let mut found = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(start) =
            request.parse(bytes).context("expected HTTP requests, found something else")?
        else {
            return Ok(found);
        };
        let header = |name: &str| {
            let header = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            header.and_then(|header| std::str::from_utf8(header.value).ok())
        };
        if header("transfer-encoding").is_some() || header("content-encoding").is_some() {
            bail!("cannot parse a recorded request: it is chunked or compressed");
        }
        let length = header("content-length").map_or(Ok(0), str::parse).context("a request without a length")?;
        let Some(body) = bytes.get(start..start + length) else { return Ok(found) };
        let target = Url::parse("http://node")?.join(request.path.unwrap_or("/"))?;
        found.push(Heard {
            path: target.path().to_owned(),
            query: target.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
            is_compressed: header("accept-encoding").is_some_and(|accepted| accepted.contains("gzip")),
        });
        bytes = &bytes[start + length..];
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SAID: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n\
        POST /_search?filter_path=a%2Cb HTTP/1.1\r\nContent-Length: 10\r\nAccept-Encoding: gzip\r\n\r\n{\"size\":5}\
        POST /_search HTTP/1.1\r\ncontent-length: 10\r\n\r\n{\"si";

    #[test]
    fn whole_requests_are_heard() {
        let found = requests(SAID).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].path.as_str(), &found[0].body), ("/", &Value::Null));
        assert_eq!(found[1].query, [("filter_path".to_owned(), "a,b".to_owned())]);
        assert_eq!(found[1].body, json!({ "size": 5 }));
        assert_eq!((found[0].is_compressed, found[1].is_compressed), (false, true));
        for cut in 0..SAID.len() {
            assert!(requests(&SAID[..cut]).unwrap().len() <= 2);
        }
        requests(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n").unwrap_err();
    }

    #[test]
    fn everything_is_passed_on() {
        let node = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let tap = Tap::start(&format!("http://{}", node.local_addr().unwrap())).unwrap();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = node.accept().unwrap();
            let mut said = vec![0; SAID.len()];
            stream.read_exact(&mut said).unwrap();
            stream.write_all(b"answer").unwrap();
            said
        });
        let mut client = TcpStream::connect(tap.url().strip_prefix("http://").unwrap()).unwrap();
        client.write_all(SAID).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
        assert_eq!(answering.join().unwrap(), SAID);
        assert_eq!(tap.heard().unwrap(), [requests(SAID).unwrap()]);
        assert!(Tap::start("https://localhost:9200").is_err());
    }
}
