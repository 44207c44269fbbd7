//! A small HTTP/1.1 server and client. They keep what a library hides: the order of headers, the framing of bodies, connections.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The largest body that is read. The platform's limit is 6 MB (D user guide).
const MAX_BODY: usize = 8 << 20;
const MAX_HEAD: usize = 64 << 10;

/// How a body is delimited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    /// In a request: no body. In a response: until the connection is closed.
    Absent,
}

/// A request as it came.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// The minor version of HTTP/1.
    pub(crate) version: u8,
    pub(crate) headers: Headers,
    pub(crate) framing: Framing,
    pub(crate) body: Vec<u8>,
    /// The position of the request on its connection, from 1.
    pub(crate) position: usize,
    /// When its first byte was read.
    pub(crate) arrived: Instant,
    pub(crate) arrived_at: SystemTime,
    /// How long it took from the first byte to the last.
    pub(crate) transfer: Duration,
}

/// Headers in their order.
#[derive(Default)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self
            .0
            .iter()
            .filter(|(it, _)| it.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim())
    }

    fn from_raw(headers: &[httparse::Header<'_>]) -> Self {
        let text = |it: &httparse::Header<'_>| {
            let value = String::from_utf8_lossy(it.value).into_owned();
            (it.name.to_owned(), value)
        };
        Self(headers.iter().map(text).collect())
    }

    fn framing(&self) -> io::Result<Framing> {
        if let Some(encoding) = self.get("transfer-encoding") {
            return if encoding.eq_ignore_ascii_case("chunked") {
                Ok(Framing::Chunked)
            } else {
                Err(invalid("an unknown transfer encoding"))
            };
        }
        match self.get("content-length") {
            None => Ok(Framing::Absent),
            Some(length) => match length.parse() {
                Ok(length) if length <= MAX_BODY => Ok(Framing::Length(length)),
                _ => Err(invalid("a content-length that is too large")),
            },
        }
    }
}

/// What to send back. The body is JSON, or plain text if it does not begin with `{`.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// What happens on the connections of a listener.
pub(crate) trait Observer: Clone + Send + 'static {
    fn request(&self, request: Request) -> impl Future<Output = Response> + Send;

    /// The connection had this number of requests, and the client closed it after this time without one. `None` if
    /// it broke in the middle of a request.
    fn closed(&self, requests: usize, idle: Option<Duration>);
}

/// Accepts connections forever.
pub(crate) async fn serve(listener: TcpListener, observer: impl Observer) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let observer = observer.clone();
                tokio::spawn(async move { connection(stream, observer).await });
            }
            // For example too many open files: connections that close make room.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(mut stream: TcpStream, observer: impl Observer) {
    let mut buffer = Vec::new();
    let mut idle_since = Instant::now();
    for position in 1.. {
        match read_request(&mut stream, &mut buffer, position).await {
            Ok(Some(request)) => {
                let keep_alive = keeps_alive(&request);
                let response = observer.request(request).await;
                if write_response(&mut stream, &response, keep_alive)
                    .await
                    .is_err()
                {
                    return observer.closed(position, None);
                }
                idle_since = Instant::now();
                if !keep_alive {
                    return;
                }
            }
            Ok(None) => return observer.closed(position - 1, Some(idle_since.elapsed())),
            Err(error) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    let body = r#"{"error": "the probe cannot read this request"}"#.to_owned();
                    let response = Response { status: 400, body };
                    // The client may be gone, which `closed` records.
                    let _ = write_response(&mut stream, &response, false).await;
                }
                return observer.closed(position - 1, None);
            }
        }
    }
}

fn keeps_alive(request: &Request) -> bool {
    let connection = request.headers.get("connection").unwrap_or_default();
    let has = |word| {
        connection
            .split(',')
            .any(|it| it.trim().eq_ignore_ascii_case(word))
    };
    !has("close") && (request.version == 1 || has("keep-alive"))
}

/// Returns the next request, or `None` if the client has closed the connection between two requests.
async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    position: usize,
) -> io::Result<Option<Request>> {
    if buffer.is_empty() && !fill(stream, buffer).await? {
        return Ok(None);
    }
    let (arrived, arrived_at) = (Instant::now(), SystemTime::now());
    let (length, mut request) = loop {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut head = httparse::Request::new(&mut headers);
        match head.parse(buffer) {
            Ok(httparse::Status::Complete(length)) => {
                let headers = Headers::from_raw(head.headers);
                break (
                    length,
                    Request {
                        method: head.method.unwrap_or_default().to_owned(),
                        target: head.path.unwrap_or_default().to_owned(),
                        version: head.version.unwrap_or_default(),
                        framing: headers.framing()?,
                        headers,
                        body: Vec::new(),
                        position,
                        arrived,
                        arrived_at,
                        transfer: Duration::ZERO,
                    },
                );
            }
            Ok(httparse::Status::Partial) if buffer.len() < MAX_HEAD => {
                if !fill(stream, buffer).await? {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            _ => return Err(invalid("the head of a request")),
        }
    };
    buffer.drain(..length);
    let expect = request.headers.get("expect").unwrap_or_default();
    if expect.eq_ignore_ascii_case("100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    request.body = match request.framing {
        Framing::Absent => Vec::new(),
        framing => read_body(stream, buffer, framing).await?,
    };
    request.transfer = request.arrived.elapsed();
    Ok(Some(request))
}

async fn write_response(
    stream: &mut TcpStream,
    response: &Response,
    keep_alive: bool,
) -> io::Result<()> {
    let reason = match response.status {
        200 => "OK",
        400 => "Bad Request",
        _ => "Internal Server Error",
    };
    let content_type = if response.body.starts_with('{') {
        "application/json"
    } else {
        "text/markdown; charset=utf-8"
    };
    let text = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{}\r\n{}",
        response.status,
        response.body.len(),
        if keep_alive {
            ""
        } else {
            "Connection: close\r\n"
        },
        response.body
    );
    stream.write_all(text.as_bytes()).await
}

/// Reads more into the buffer. `false` at the end of the stream.
async fn fill(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<bool> {
    buffer.reserve(4096);
    Ok(stream.read_buf(buffer).await? > 0)
}

/// Takes a body out of the buffer and the stream.
async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    framing: Framing,
) -> io::Result<Vec<u8>> {
    match framing {
        Framing::Length(length) => take(stream, buffer, length).await,
        Framing::Absent => {
            while buffer.len() <= MAX_BODY && fill(stream, buffer).await? {}
            Ok(std::mem::take(buffer))
        }
        Framing::Chunked => {
            let mut body = Vec::new();
            loop {
                let line = take_line(stream, buffer).await?;
                let size = line.split(|it| *it == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(size).ok().map(str::trim);
                let size = size.and_then(|it| usize::from_str_radix(it, 16).ok());
                match size {
                    Some(0) => break,
                    Some(size) if size <= MAX_BODY - body.len() => {
                        body.extend(take(stream, buffer, size).await?);
                        take_line(stream, buffer).await?;
                    }
                    _ => return Err(invalid("the size of a chunk")),
                }
            }
            // Trailers, up to an empty line.
            while !take_line(stream, buffer).await?.is_empty() {}
            Ok(body)
        }
    }
}

async fn take(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    length: usize,
) -> io::Result<Vec<u8>> {
    while buffer.len() < length {
        if !fill(stream, buffer).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let rest = buffer.split_off(length);
    Ok(std::mem::replace(buffer, rest))
}

async fn take_line(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> io::Result<Vec<u8>> {
    loop {
        if let Some(end) = buffer.windows(2).position(|it| it == b"\r\n") {
            let mut line = take(stream, buffer, end + 2).await?;
            line.truncate(end);
            return Ok(line);
        }
        if buffer.len() > MAX_HEAD || !fill(stream, buffer).await? {
            return Err(invalid("a line of a chunked body"));
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A response to a request of the probe.
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) version: u8,
    pub(crate) headers: Headers,
    pub(crate) framing: Framing,
    pub(crate) body: Vec<u8>,
    pub(crate) round_trip: Duration,
}

/// Posts a body over a connection of its own.
pub(crate) async fn post(
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Received> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    let mut text = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(text.as_bytes()).await?;
    let mut buffer = Vec::new();
    loop {
        if !fill(&mut stream, &mut buffer).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut head = httparse::Response::new(&mut headers);
        match head.parse(&buffer) {
            Ok(httparse::Status::Complete(length)) => {
                let headers = Headers::from_raw(head.headers);
                let status = head.code.unwrap_or_default();
                let version = head.version.unwrap_or_default();
                let framing = headers.framing()?;
                buffer.drain(..length);
                let body = match framing {
                    Framing::Absent if [204, 304].contains(&status) => Vec::new(),
                    Framing::Absent => {
                        // The body ends with the connection, but a server may keep it open.
                        let end = read_body(&mut stream, &mut buffer, framing);
                        match tokio::time::timeout(Duration::from_secs(1), end).await {
                            Ok(body) => body?,
                            Err(_) => std::mem::take(&mut buffer),
                        }
                    }
                    framing => read_body(&mut stream, &mut buffer, framing).await?,
                };
                let round_trip = started.elapsed();
                return Ok(Received {
                    status,
                    version,
                    headers,
                    framing,
                    body,
                    round_trip,
                });
            }
            Ok(httparse::Status::Partial) if buffer.len() < MAX_HEAD => {}
            _ => return Err(invalid("the head of a response")),
        }
    }
}

/// Listens on this port of 127.0.0.1.
pub(crate) async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn response_may_have_no_body() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let platform = async {
            let (mut stream, _) = listener.accept().await?;
            fill(&mut stream, &mut Vec::new()).await?;
            let response = b"HTTP/1.1 204 No Content\r\n\r\n";
            stream.write_all(response).await?;
            // The connection stays open.
            io::Result::Ok(stream)
        };
        let (received, _stream) = tokio::try_join!(post(&address, "/", &[], ""), platform)?;
        assert_eq!((received.status, &received.body[..]), (204, &b""[..]));
        Ok(())
    }

    #[tokio::test]
    async fn chunks_are_joined_and_the_rest_stays() -> io::Result<()> {
        let mut stream: &[u8] = b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\nnext";
        let mut buffer = Vec::new();
        let body = read_body(&mut stream, &mut buffer, Framing::Chunked).await?;
        assert_eq!(body, b"abcde");
        assert_eq!([&buffer, stream].concat(), b"next");
        Ok(())
    }

    #[tokio::test]
    async fn bodies_that_are_cut_off_or_too_large_are_errors() {
        for text in [&b"5\r\nab"[..], b"zz\r\n", b"ffffffffffffffff\r\n", b""] {
            let mut stream = text;
            let result = read_body(&mut stream, &mut Vec::new(), Framing::Chunked).await;
            assert!(result.is_err(), "{text:?}");
        }
        let mut stream = &b"abc"[..];
        let result = read_body(&mut stream, &mut Vec::new(), Framing::Length(4)).await;
        assert!(result.is_err());
    }
}
