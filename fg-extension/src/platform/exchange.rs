//! One HTTP/1.1 request and its response, on a connection of their own.
//!
//! An extension sends one or two requests in its lifetime. hyper's client would add 90 KB to every extension.

use std::io;

use hyper::StatusCode;
use tokio::net::TcpStream;

use crate::Error;

/// The maximum size of the status line and the headers of a response.
const HEAD_LIMIT: usize = 64 * 1024;

/// The maximum number of headers of a response.
const MAX_HEADERS: usize = 100;

/// A connection on which one request is sent.
pub(super) struct Exchange {
    stream: TcpStream,
    /// The bytes of the response that were received. Once the head is complete, only the bytes after it.
    received: Vec<u8>,
}

/// The status of a response, and how its body is delimited.
#[derive(Debug, PartialEq)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    framing: Framing,
}

#[derive(Debug, PartialEq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClosed,
}

impl Exchange {
    /// Sends a request, and waits for the head of the response.
    pub(super) async fn start(stream: TcpStream, request: &[u8]) -> Result<(Self, Head), Error> {
        send(&stream, request).await?;
        let mut exchange = Self {
            stream,
            received: Vec::new(),
        };
        loop {
            while let Some((head, length)) = parse_head(&exchange.received)? {
                exchange.received.drain(..length);
                // Responses such as `100 Continue` precede the response.
                if !head.status.is_informational() {
                    return Ok((exchange, head));
                }
            }
            if exchange.received.len() > HEAD_LIMIT {
                return Err("the headers of the response are too large".into());
            }
            if exchange.receive().await? == 0 {
                return Err("the connection was closed before a response arrived".into());
            }
        }
    }

    /// Reads the body until it is complete, until the connection breaks, or until `is_enough` returns `true`. Stores
    /// at most `limit` bytes of it in `body`.
    pub(super) async fn read_body(
        &mut self,
        head: &Head,
        limit: usize,
        body: &mut Vec<u8>,
        is_enough: impl Fn(&[u8]) -> bool,
    ) {
        loop {
            body.clear();
            let is_complete = head.framing.decode(&self.received, body);
            body.truncate(limit);
            if is_complete || body.len() == limit || is_enough(body) {
                return;
            }
            if !matches!(self.receive().await, Ok(1..)) {
                return;
            }
        }
    }

    /// Waits for more bytes, and returns their number: 0 if the platform closed the connection.
    async fn receive(&mut self) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            let mut buffer = [0; 8 * 1024];
            match self.stream.try_read(&mut buffer) {
                Ok(length) => {
                    self.received.extend_from_slice(&buffer[..length]);
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Parses the head of a response, and returns it with its length, or `None` if it is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(bytes)
        .map_err(|error| format!("not an HTTP response: {error}"))?;
    let httparse::Status::Complete(length) = parsed else {
        return Ok(None);
    };
    let status = StatusCode::from_u16(response.code.unwrap_or_default())?;
    let value = |name: &str| {
        let mut matching = response.headers.iter();
        let header = matching.rfind(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(header.value.trim_ascii())
    };
    let has_no_body = status.is_informational()
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    let framing = if has_no_body {
        Framing::Length(0)
    } else if let Some(encoding) = value("transfer-encoding") {
        match encoding.to_ascii_lowercase().ends_with(b"chunked") {
            true => Framing::Chunked,
            false => Framing::UntilClosed,
        }
    } else if let Some(length) = value("content-length") {
        let length = str::from_utf8(length)
            .ok()
            .and_then(|text| text.parse().ok());
        Framing::Length(length.ok_or("the response has an invalid content-length")?)
    } else {
        Framing::UntilClosed
    };
    Ok(Some((Head { status, framing }, length)))
}

impl Framing {
    /// Decodes what was received of a body. Returns whether it is complete.
    fn decode(&self, received: &[u8], body: &mut Vec<u8>) -> bool {
        match *self {
            Self::Length(length) => {
                body.extend_from_slice(&received[..length.min(received.len())]);
                received.len() >= length
            }
            Self::Chunked => decode_chunks(received, body),
            Self::UntilClosed => {
                body.extend_from_slice(received);
                false
            }
        }
    }
}

/// Decodes chunks. Returns whether the last one was received, or one that is invalid.
fn decode_chunks(mut received: &[u8], body: &mut Vec<u8>) -> bool {
    loop {
        let (start, size) = match httparse::parse_chunk_size(received) {
            Ok(httparse::Status::Complete((_, 0))) | Err(_) => return true,
            Ok(httparse::Status::Complete(chunk)) => chunk,
            Ok(httparse::Status::Partial) => return false,
        };
        let chunk = &received[start..];
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        body.extend_from_slice(&chunk[..size.min(chunk.len())]);
        // Each chunk is followed by `\r\n`.
        match chunk.get(size.saturating_add(2)..) {
            Some(rest) => received = rest,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<(u16, Framing)>, String> {
        match parse_head(text.as_bytes()) {
            Ok(Some((head, length))) => {
                assert_eq!(length, text.len());
                Ok(Some((head.status.as_u16(), head.framing)))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn head_determines_how_the_body_is_delimited() {
        for (text, expected) in [
            ("200 OK\r\nContent-Length: 12\r\n", Framing::Length(12)),
            (
                "200 OK\r\ntransfer-encoding: gzip, Chunked\r\n",
                Framing::Chunked,
            ),
            (
                "200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n",
                Framing::Chunked,
            ),
            (
                "200 OK\r\nTransfer-Encoding: gzip\r\n",
                Framing::UntilClosed,
            ),
            ("200\r\n", Framing::UntilClosed),
            ("204 No Content\r\n", Framing::Length(0)),
        ] {
            let status = text[..3].parse().unwrap();
            let text = format!("HTTP/1.1 {text}\r\n");
            assert_eq!(head(&text), Ok(Some((status, expected))), "{text}");
            assert_eq!(head(&text[..text.len() - 1]), Ok(None), "{text}");
        }
        for (text, expected) in [
            (
                "SSH-2.0-OpenSSH\r\n",
                "not an HTTP response: invalid HTTP version",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                "the response has an invalid content-length",
            ),
        ] {
            assert_eq!(head(text), Err(expected.to_owned()));
        }
    }

    #[test]
    fn chunks_are_decoded_as_they_arrive() {
        let chunks = b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        for (received, expected, complete) in [
            (0, "", false),
            (13, "", false),
            (16, "ab", false),
            (19, "abc", false),
            (chunks.len() - 6, "abcde", false),
            (chunks.len(), "abcde", true),
        ] {
            let mut body = Vec::new();
            assert_eq!(
                decode_chunks(&chunks[..received], &mut body),
                complete,
                "{received}"
            );
            assert_eq!(body, expected.as_bytes(), "{received}");
        }
        assert!(decode_chunks(b"no chunk\r\n", &mut Vec::new()));
    }
}
