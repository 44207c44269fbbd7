//! An HTTP client that sends requests to an extension.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The timeout after which a test that hangs fails. Everything that is tested takes less time.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection to an extension.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// A response of an extension.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, of the length in `content-length`.
    pub body: Vec<u8>,
}

impl Client {
    /// Connects to a port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// Panics if nothing listens on the port.
    #[must_use]
    pub fn connect(port: u16) -> Self {
        Self::try_connect(port).expect("something listens on the port")
    }

    /// Connects to a port of 127.0.0.1. Returns an error if nothing listens on it.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    ///
    /// # Panics
    ///
    /// Panics if the options of the socket cannot be set.
    pub fn try_connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream
            .set_read_timeout(Some(TEST_TIMEOUT))
            .expect("the timeout can be set");
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends the bytes unchanged.
    ///
    /// # Panics
    ///
    /// Panics if the connection is broken.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the extension reads");
        self
    }

    /// Sends the bytes unless the extension has closed the connection.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
    }

    /// Closes the write half of the connection.
    ///
    /// # Panics
    ///
    /// Panics if the connection is broken.
    pub fn close_write(&mut self) -> &mut Self {
        self.stream
            .get_mut()
            .shutdown(std::net::Shutdown::Write)
            .expect("the connection is open");
        self
    }

    /// Reads one response.
    ///
    /// # Panics
    ///
    /// Panics if the connection closes or the response is not valid HTTP.
    pub fn receive(&mut self) -> Response {
        self.read_response().expect("the extension responds")
    }

    /// Reads one response. Returns `None` if the extension closes the connection instead.
    ///
    /// # Panics
    ///
    /// Panics if the response is not valid HTTP, or if the extension neither responds nor closes the connection.
    pub fn try_receive(&mut self) -> Option<Response> {
        match self.read_response() {
            Ok(response) => Some(response),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("the extension does not respond")
            }
            Err(_) => None,
        }
    }

    fn read_response(&mut self) -> std::io::Result<Response> {
        let mut line = || {
            let mut line = String::new();
            match self.stream.read_line(&mut line)? {
                0 => Err(ErrorKind::UnexpectedEof.into()),
                _ => Ok::<_, std::io::Error>(line.trim_end().to_owned()),
            }
        };
        let status_line = line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: `{status_line}`"));
        let mut headers = Vec::new();
        while let Some((name, value)) = line()?.split_once(':') {
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
        self.stream.read_exact(&mut response.body)?;
        Ok(response)
    }

    /// Waits until the extension closes the connection or sends data, and returns whether it closed it.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

impl Response {
    /// Returns the value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the body as JSON.
    ///
    /// # Panics
    ///
    /// Panics if the body is not valid JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("not JSON: {error}: {}", String::from_utf8_lossy(&self.body))
        })
    }
}

/// Returns the bytes of a request.
#[must_use]
pub fn request(method: &str, path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends a POST request over a new connection and returns the response.
#[must_use]
pub fn post(port: u16, path: &str, body: impl AsRef<[u8]>) -> Response {
    Client::connect(port)
        .send(request("POST", path, body))
        .receive()
}
