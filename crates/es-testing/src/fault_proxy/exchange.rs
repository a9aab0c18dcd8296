//! One connection: requests are read, go to the node or do not, and are answered
//! as the script wants it.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::message::{Kind, Message, read_message};
use super::script::{ConnectionFault, Fault, SeenRequest};
use super::{Shared, items};

/// Serves a connection to its end.
pub(super) async fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let fault = {
        let mut state = shared.lock();
        state.connections += 1;
        state.connection_script.pop_front().unwrap_or(ConnectionFault::Pass)
    };
    match fault {
        ConnectionFault::Pass => {}
        ConnectionFault::Reset => return reset(client),
        ConnectionFault::Stall => {
            // Not even what arrives is taken off the socket: nobody is there.
            let () = std::future::pending().await;
        }
    }
    client.set_nodelay(true)?;
    let mut upstream = Upstream { address: &shared.upstream, stream: None, received: Vec::new() };
    let mut received = Vec::new();
    while let Some(request) = read_message(&mut client, &mut received, Kind::Request).await? {
        let (place, fault) = note(shared, &request)?;
        let reply = match fault {
            Fault::Reset => return reset(client),
            Fault::Stall => return hold(client).await,
            Fault::Answer(status) => refusal(status),
            Fault::Delay(pause) => {
                tokio::time::sleep(pause).await;
                upstream.ask(&request).await?
            }
            Fault::RefuseItems { percent, seed } => {
                refuse_items(shared, &mut upstream, &request, percent, seed).await?
            }
            _ => upstream.ask(&request).await?,
        };
        if !matches!(fault, Fault::Answer(_)) {
            shared.lock().requests[place].status = Some(reply.status()?);
        }
        match fault {
            Fault::DropReply => return client.shutdown().await,
            Fault::Truncate(length) => {
                client.write_all(&reply.bytes[..length.min(reply.bytes.len())]).await?;
                return client.shutdown().await;
            }
            Fault::StallAfter(length) => {
                client.write_all(&reply.bytes[..length.min(reply.bytes.len())]).await?;
                return hold(client).await;
            }
            Fault::Drip(pause) => {
                for byte in &reply.bytes {
                    tokio::time::sleep(pause).await;
                    client.write_all(std::slice::from_ref(byte)).await?;
                }
            }
            Fault::Rewrite(status) => client.write_all(&reply.with_status(status)).await?,
            _ => client.write_all(&reply.bytes).await?,
        }
        if reply.is_last {
            return client.shutdown().await;
        }
    }
    Ok(())
}

/// Notes a request, and decides what is done to it.
fn note(shared: &Shared, request: &Message) -> io::Result<(usize, Fault)> {
    let head = request.head()?;
    let mut words = head.lines().next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let body = request.bytes[request.head_length..].to_vec();
    let mut seen = SeenRequest { method, path, headers, body, fault: Fault::Pass, status: None };
    let mut state = shared.lock();
    let fault = state.next_fault(&seen);
    seen.fault = fault;
    if state.forgets_bodies {
        seen.body = Vec::new();
    }
    state.requests.push(seen);
    Ok((state.requests.len() - 1, fault))
}

/// Sends a bulk request on without some of its documents, which are answered 429.
async fn refuse_items(
    shared: &Shared,
    upstream: &mut Upstream<'_>,
    request: &Message,
    percent: u8,
    seed: u64,
) -> io::Result<Message> {
    let split = items::split(&request.body()?, percent, seed)?;
    let (forwarded, refused) = (split.forwarded_items(), split.refused_items());
    let reply = if split.forwarded.is_empty() {
        json_reply(200, "OK", split.without_node()?)
    } else {
        let reply = upstream.ask(&request.with_body(&split.forwarded)?).await?;
        match reply.status()? {
            200 => json_reply(200, "OK", split.merge(&reply.body()?)?),
            // Nothing of it was applied, or nobody knows: the client gets an error.
            _ => return Ok(reply),
        }
    };
    let mut state = shared.lock();
    state.items.forwarded += forwarded;
    state.items.refused += refused;
    Ok(reply)
}

/// An error in the form in which Elasticsearch answers.
fn refusal(status: u16) -> Message {
    let body = format!(
        r#"{{"error":{{"type":"fault_proxy_exception","reason":"the fault proxy answers {status}"}},"status":{status}}}"#
    );
    json_reply(status, "Fault", body.into_bytes())
}

/// A reply with a body of JSON, as Elasticsearch makes it.
fn json_reply(status: u16, phrase: &str, body: Vec<u8>) -> Message {
    let head = format!(
        "HTTP/1.1 {status} {phrase}\r\nX-elastic-product: Elasticsearch\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    Message { head_length: head.len(), bytes: [head.into_bytes(), body].concat(), is_last: false }
}

/// Cuts a connection so that the other side sees a reset rather than an orderly end.
fn reset(client: TcpStream) -> io::Result<()> {
    client.set_zero_linger()
}

/// Keeps a connection open until the other side gives up, reading so that it can send.
async fn hold(mut client: TcpStream) -> io::Result<()> {
    let mut ignored = [0; 4096];
    while client.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// The connection to the node that belongs to one connection of the client.
struct Upstream<'a> {
    address: &'a str,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

impl Upstream<'_> {
    async fn ask(&mut self, request: &Message) -> io::Result<Message> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.address).await?,
        };
        stream.write_all(&request.bytes).await?;
        let to_head = request.bytes.starts_with(b"HEAD ");
        let reply = read_message(&mut stream, &mut self.received, Kind::Reply { to_head }).await?;
        self.stream = reply.as_ref().filter(|reply| !reply.is_last).map(|_| stream);
        reply.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}
