//! A platform whose responses are scripted by the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::client::TEST_TIMEOUT;
use crate::golden;

/// The reaction of the platform to one connection.
#[derive(Clone, Debug)]
pub enum ScriptedResponse {
    /// Responds with these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Responds with these bytes and keeps the connection open.
    RawOpen(Vec<u8>),
    /// Closes the connection without a response.
    Close,
    /// Keeps the connection open and never responds.
    Silence,
}

/// A platform that reacts to the n-th connection with the n-th response, and then repeats the last one.
#[derive(Debug)]
pub struct ScriptedPlatform {
    /// The value for `EXTENSION_API_ADDR`.
    pub address: SocketAddr,
    requests: Receiver<String>,
}

impl ScriptedResponse {
    /// Creates a response with a status and a body.
    #[must_use]
    pub fn status(status: &str, body: impl AsRef<str>) -> Self {
        let body = body.as_ref();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self::Raw((head + body).into_bytes())
    }

    /// Creates the documented response to a registration.
    #[must_use]
    pub fn registered() -> Self {
        Self::status("200 OK", golden("register-response.json").to_string())
    }
}

impl ScriptedPlatform {
    /// Starts the platform on a free port.
    ///
    /// # Panics
    ///
    /// Panics if `responses` is empty or no port is free.
    #[must_use]
    pub fn start(responses: impl IntoIterator<Item = ScriptedResponse>) -> Self {
        let responses: Vec<_> = responses.into_iter().collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let address = listener.local_addr().expect("the listener has an address");
        let (sender, requests) = channel();
        // The thread runs until the process of the tests exits.
        thread::spawn(move || {
            let mut open = Vec::new();
            for (i, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { break };
                let response = responses
                    .get(i)
                    .or(responses.last())
                    .expect("there is a response");
                let Ok(request) = read_request(&mut stream) else {
                    continue;
                };
                // The receiver is gone if the test has finished.
                let _ = sender.send(request);
                match response {
                    ScriptedResponse::Raw(bytes) => drop(stream.write_all(bytes)),
                    ScriptedResponse::RawOpen(bytes) => {
                        drop(stream.write_all(bytes));
                        open.push(stream);
                    }
                    ScriptedResponse::Close => {}
                    ScriptedResponse::Silence => open.push(stream),
                }
            }
        });
        Self { address, requests }
    }

    /// Waits for the next request and returns its head and body.
    ///
    /// # Panics
    ///
    /// Panics if no request arrives in time.
    #[must_use]
    pub fn request(&self) -> String {
        self.requests
            .recv_timeout(TEST_TIMEOUT)
            .expect("a request arrives")
    }

    /// Returns an iterator over all further requests, which waits for each.
    pub fn requests(&self) -> impl Iterator<Item = String> {
        self.requests.iter()
    }

    /// Returns how many requests have arrived that [`request`](Self::request) has not returned, and discards them.
    #[must_use]
    pub fn count(&self) -> usize {
        self.requests.try_iter().count()
    }
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.set_read_timeout(Some(TEST_TIMEOUT))?;
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    let mut length = 0;
    loop {
        let start = text.len();
        reader.read_line(&mut text)?;
        let line = text[start..].trim_end().to_ascii_lowercase();
        match line.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
            None if line.is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(text + &String::from_utf8_lossy(&body))
}
