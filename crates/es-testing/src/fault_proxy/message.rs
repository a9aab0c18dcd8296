//! The boundaries of HTTP/1.1 messages.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A whole request or reply, byte for byte.
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// The offset of the body.
    pub(super) head_length: usize,
    /// True for the last message of a connection.
    pub(super) is_last: bool,
}

impl Message {
    pub(super) fn head(&self) -> io::Result<&str> {
        std::str::from_utf8(&self.bytes[..self.head_length]).map_err(io::Error::other)
    }

    pub(super) fn status(&self) -> io::Result<u16> {
        let words = self.head()?.split(' ').nth(1).and_then(|status| status.parse().ok());
        words.ok_or_else(|| io::Error::other("a reply without a status"))
    }

    /// The body without its framing.
    pub(super) fn body(&self) -> io::Result<Vec<u8>> {
        let framed = &self.bytes[self.head_length..];
        let chunked = self.head()?.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
            name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked")
        });
        if chunked { join_chunks(framed) } else { Ok(framed.to_vec()) }
    }

    /// The same request with another body, whose answer is to come as it is, uncompressed.
    pub(super) fn with_body(&self, body: &[u8]) -> io::Result<Self> {
        const REPLACED: [&str; 3] = ["content-length", "transfer-encoding", "accept-encoding"];
        let mut head = String::new();
        for line in self.head()?.lines().filter(|line| !line.is_empty()) {
            let name = line.split_once(':').map_or("", |(name, _)| name);
            if !REPLACED.iter().any(|replaced| name.eq_ignore_ascii_case(replaced)) {
                head.push_str(line);
                head.push_str("\r\n");
            }
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        Ok(Self { head_length: head.len(), bytes: [head.as_bytes(), body].concat(), is_last: self.is_last })
    }

    /// The same with another status.
    pub(super) fn with_status(&self, status: u16) -> Vec<u8> {
        let line = self.bytes.windows(2).position(|pair| pair == b"\r\n").unwrap_or(0);
        [format!("HTTP/1.1 {status} Rewritten").as_bytes(), &self.bytes[line..]].concat()
    }
}

/// Which side a message comes from.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Request,
    Reply { to_head: bool },
}

/// The delimiter of a body: RFC 9112, section 6.3.
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// Reads one message. What was received of the next one stays in `received`. `None` when the
/// other side ended the connection between messages.
pub(super) async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
    received: &mut Vec<u8>,
    kind: Kind,
) -> io::Result<Option<Message>> {
    let Head { length: head_length, framing, is_last } = loop {
        if let Some(found) = read_head(received, kind)? {
            break found;
        }
        if stream.read_buf(received).await? == 0 {
            return if received.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    };
    let length = loop {
        let body = &received[head_length..];
        let end = match framing {
            Framing::Length(length) => (body.len() >= length).then_some(length),
            Framing::Chunked => chunked_length(body)?,
            Framing::UntilClose => None,
        };
        if let Some(end) = end {
            break head_length + end;
        }
        if stream.read_buf(received).await? == 0 {
            match framing {
                Framing::UntilClose => break received.len(),
                _ => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    };
    let rest = received.split_off(length);
    Ok(Some(Message { bytes: std::mem::replace(received, rest), head_length, is_last }))
}

/// The properties of a message by its head.
struct Head {
    length: usize,
    framing: Framing,
    is_last: bool,
}

/// Reads the head once it is whole.
fn read_head(received: &[u8], kind: Kind) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let (parsed, status) = match kind {
        Kind::Request => {
            let mut request = httparse::Request::new(&mut headers);
            (request.parse(received).map_err(io::Error::other)?, None)
        }
        Kind::Reply { .. } => {
            let mut reply = httparse::Response::new(&mut headers);
            let parsed = reply.parse(received).map_err(io::Error::other)?;
            (parsed, reply.code)
        }
    };
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let header = |name: &str| {
        let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let without_body = match kind {
        Kind::Request => false,
        Kind::Reply { to_head } => to_head || matches!(status, Some(204 | 304)),
    };
    let framing = if without_body {
        Framing::Length(0)
    } else if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        Framing::Chunked
    } else {
        match (header("content-length").map(|length| length.trim().parse()), kind) {
            (Some(Ok(length)), _) => Framing::Length(length),
            (Some(Err(error)), _) => return Err(io::Error::other(error)),
            (None, Kind::Request) => Framing::Length(0),
            (None, Kind::Reply { .. }) => Framing::UntilClose,
        }
    };
    let closes = header("connection").is_some_and(|options| options.to_ascii_lowercase().contains("close"));
    let is_last = closes || matches!(framing, Framing::UntilClose);
    Ok(Some(Head { length, framing, is_last }))
}

/// The length of a complete chunked body with its sizes and its end. No side uses
/// trailers.
fn chunked_length(body: &[u8]) -> io::Result<Option<usize>> {
    let mut place = 0;
    loop {
        match httparse::parse_chunk_size(&body[place..]) {
            Ok(httparse::Status::Complete((line, size))) => {
                let size = usize::try_from(size).map_err(io::Error::other)?;
                place = place.saturating_add(line).saturating_add(size).saturating_add(2);
                if place > body.len() {
                    return Ok(None);
                }
                if size == 0 {
                    return Ok(Some(place));
                }
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(io::Error::other("a chunk without a size")),
        }
    }
}

/// The content of a chunked body that is whole.
fn join_chunks(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(rest) {
        let size = usize::try_from(size).map_err(io::Error::other)?;
        if size == 0 {
            return Ok(content);
        }
        let end = line.saturating_add(size).saturating_add(2);
        content.extend_from_slice(rest.get(line..line + size).ok_or(io::ErrorKind::UnexpectedEof)?);
        rest = rest.get(end..).ok_or(io::ErrorKind::UnexpectedEof)?;
    }
    Err(io::Error::other("a chunk without a size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(head: &str, body: &str) -> Message {
        Message { bytes: format!("{head}{body}").into_bytes(), head_length: head.len(), is_last: false }
    }

    #[test]
    fn a_body_is_read_whatever_its_framing() {
        let plain = message("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "abc");
        let chunked =
            message("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
        for message in [plain, chunked] {
            assert_eq!(message.body().unwrap(), b"abc");
        }
        let cut = message("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nab");
        assert!(cut.body().is_err());
    }

    #[test]
    fn another_body_has_another_length() {
        let head = "POST /_bulk HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nAccept-Encoding: gzip\r\n\r\n";
        let request = message(head, "abc").with_body(b"other").unwrap();
        assert_eq!(request.bytes, b"POST /_bulk HTTP/1.1\r\nHost: h\r\ncontent-length: 5\r\n\r\nother");
        assert_eq!(request.body().unwrap(), b"other");
    }
}
