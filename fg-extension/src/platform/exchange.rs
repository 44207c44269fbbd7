//! One HTTP/1.1 request and its response, on a connection of their own.
//!
//! An extension sends one or two requests in its lifetime. hyper's client would add 90 KB to every extension.

use std::io;

use hyper::StatusCode;
use tokio::task::coop::consume_budget;

use crate::Error;
use crate::net::TcpStream;

/// The maximum size of the status line and the headers of a response, and of all responses with status 1xx before it.
const HEAD_LIMIT: usize = 64 * 1024;

/// The maximum number of headers of a response.
const MAX_HEADERS: usize = 100;

/// The length of the `\r\n` after each chunk.
const LINE_BREAK: usize = 2;

/// The maximum size of a body that may end before its connection does, without a declared length.
const UNDECLARED_LIMIT: usize = 64 * 1024;

/// A connection on which one request is sent.
pub(super) struct Exchange {
    stream: TcpStream,
    /// The bytes of the response that were received and not yet decoded.
    received: Vec<u8>,
}

/// The status of a response, and how its body is delimited.
#[derive(Debug, PartialEq)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) framing: Framing,
}

/// How a body is delimited, and how much of it is missing.
#[derive(Debug, PartialEq)]
pub(super) enum Framing {
    /// The number of bytes that are missing.
    Length(usize),
    /// The number of bytes that are missing of the current chunk, including the line break after it.
    Chunked(usize),
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
        let mut skipped = 0;
        loop {
            while let Some((head, length)) = parse_head(&exchange.received)? {
                exchange.received.drain(..length);
                // Responses such as `100 Continue` precede the response.
                if !head.status.is_informational() {
                    return Ok((exchange, head));
                }
                skipped += length;
            }
            if skipped + exchange.received.len() > HEAD_LIMIT {
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
        head: &mut Head,
        limit: usize,
        body: &mut Vec<u8>,
        is_enough: impl Fn(&[u8]) -> bool,
    ) {
        loop {
            let is_complete = head.framing.decode(&mut self.received, body);
            if is_complete || body.len() >= limit || self.received.len() > HEAD_LIMIT {
                break;
            }
            // Large bodies are not examined again and again while they arrive.
            if body.len() <= UNDECLARED_LIMIT && is_enough(body) {
                break;
            }
            if !matches!(self.receive().await, Ok(1..)) {
                break;
            }
        }
        body.truncate(limit);
    }

    /// Waits for more bytes, and returns their number: 0 if the platform closed the connection.
    async fn receive(&mut self) -> io::Result<usize> {
        // Without this, a platform that sends without a pause would keep the thread busy past every deadline.
        consume_budget().await;
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
pub(super) fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, Error> {
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
            true => Framing::Chunked(0),
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
    /// Moves what was received of a body to `body`. Returns whether the body is complete.
    pub(super) fn decode(&mut self, received: &mut Vec<u8>, body: &mut Vec<u8>) -> bool {
        match self {
            Self::Length(missing) => {
                received.truncate(*missing);
                *missing -= received.len();
                body.append(received);
                *missing == 0
            }
            Self::Chunked(missing) => {
                let (decoded, is_complete) = decode_chunks(received, missing, body);
                received.drain(..decoded);
                is_complete
            }
            Self::UntilClosed => {
                body.append(received);
                false
            }
        }
    }
}

/// Decodes chunks. Returns the number of bytes that were decoded, and whether the last chunk was received, or one that
/// is invalid.
fn decode_chunks(received: &[u8], missing: &mut usize, body: &mut Vec<u8>) -> (usize, bool) {
    let mut rest = received;
    loop {
        if *missing == 0 {
            match httparse::parse_chunk_size(rest) {
                Ok(httparse::Status::Complete((start, size @ 1..))) => {
                    rest = &rest[start..];
                    *missing = usize::try_from(size)
                        .unwrap_or(usize::MAX)
                        .saturating_add(LINE_BREAK);
                }
                Ok(httparse::Status::Partial) => return (received.len() - rest.len(), false),
                Ok(httparse::Status::Complete(_)) | Err(_) => {
                    return (received.len() - rest.len(), true);
                }
            }
        }
        let (part, after) = rest.split_at(rest.len().min(*missing));
        body.extend_from_slice(&part[..part.len().min(missing.saturating_sub(LINE_BREAK))]);
        *missing -= part.len();
        rest = after;
        if *missing > 0 {
            return (received.len(), false);
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
                Framing::Chunked(0),
            ),
            (
                "200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n",
                Framing::Chunked(0),
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

    /// Decodes a body that arrives in parts. Returns it with whether it is complete.
    fn decode<'a>(
        mut framing: Framing,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> (String, bool) {
        let (mut received, mut body) = (Vec::new(), Vec::new());
        let is_complete = parts.into_iter().any(|part| {
            received.extend_from_slice(part);
            framing.decode(&mut received, &mut body)
        });
        (String::from_utf8(body).unwrap(), is_complete)
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
            let received = &chunks[..received];
            let expected = (expected.to_owned(), complete);
            assert_eq!(decode(Framing::Chunked(0), [received]), expected);
            assert_eq!(decode(Framing::Chunked(0), received.chunks(1)), expected);
        }
        let (body, complete) = decode(Framing::Chunked(0), [b"no chunk\r\n".as_slice()]);
        assert_eq!((body.as_str(), complete), ("", true));
    }

    #[test]
    fn body_with_a_length_ends_there() {
        let parts = [b"ab".as_slice(), b"cdef"];
        assert_eq!(
            decode(Framing::Length(5), parts),
            ("abcde".to_owned(), true)
        );
        assert_eq!(
            decode(Framing::Length(7), parts),
            ("abcdef".to_owned(), false)
        );
    }
}
