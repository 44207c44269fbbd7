//! The HTTP client that a test calls an extension with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything that is tested: a test that hangs fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One connection to an extension.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// What it answered.
#[derive(Debug)]
pub struct Response {
    /// As in 200.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As long as `content-length` says.
    pub body: Vec<u8>,
}

impl Client {
    /// Connects to a port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If nobody listens there.
    #[must_use]
    pub fn connect(port: u16) -> Self {
        let stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the port is listened on");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time-out can be set");
        stream.set_nodelay(true).expect("no delay can be set");
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    ///
    /// If the connection is broken.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the extension reads");
        self
    }

    /// Closes our side; theirs stays open.
    ///
    /// # Panics
    ///
    /// If the connection is broken.
    pub fn close_write(&mut self) -> &mut Self {
        self.stream
            .get_mut()
            .shutdown(std::net::Shutdown::Write)
            .expect("the connection is up");
        self
    }

    /// Reads one response.
    ///
    /// # Panics
    ///
    /// If there is none, or it is no HTTP.
    pub fn receive(&mut self) -> Response {
        let mut line = || {
            let mut line = String::new();
            self.stream
                .read_line(&mut line)
                .expect("the extension answers");
            line.trim_end().to_owned()
        };
        let status_line = line();
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: `{status_line}`"));
        let mut headers = Vec::new();
        while let Some((name, value)) = line().split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        let length = response
            .header("content-length")
            .map_or(0, |length| length.parse().expect("a length"));
        response.body = vec![0; length];
        self.stream
            .read_exact(&mut response.body)
            .expect("the whole body comes");
        response
    }

    /// Whether the other side has closed the connection; waits until it has, or sends.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

impl Response {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("no JSON: {error}: {}", String::from_utf8_lossy(&self.body))
        })
    }
}

/// The bytes of a request.
#[must_use]
pub fn request(method: &str, path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// One POST, over a connection of its own.
#[must_use]
pub fn post(port: u16, path: &str, body: impl AsRef<[u8]>) -> Response {
    Client::connect(port)
        .send(request("POST", path, body))
        .receive()
}
