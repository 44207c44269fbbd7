//! A platform whose responses are scripted by the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
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
    /// Keeps the connection open and does not respond, until the test calls [`ScriptedPlatform::respond`].
    Silence,
    /// Responds with the first bytes, and then with the second bytes over and over, until the client closes the
    /// connection.
    Flood(Vec<u8>, Vec<u8>),
}

/// A platform that reacts to the n-th connection with the n-th response, and then repeats the last one.
#[derive(Debug)]
pub struct ScriptedPlatform {
    /// The value for `EXTENSION_API_ADDR`.
    pub address: SocketAddr,
    requests: Receiver<String>,
    /// The connections that were kept open, in order.
    open: Arc<Mutex<Vec<TcpStream>>>,
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
        let open = Arc::new(Mutex::new(Vec::new()));
        let kept_open = Arc::clone(&open);
        let keep_open = move |stream| kept_open.lock().expect("no panic").push(stream);
        // The thread runs until the process of the tests exits.
        thread::spawn(move || {
            for (i, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { break };
                let response = responses
                    .get(i)
                    .or(responses.last())
                    .expect("there is a response");
                let Ok(request) = read_request(&mut stream) else {
                    continue;
                };
                if matches!(response, ScriptedResponse::Silence) {
                    // The test may respond as soon as it knows of the request.
                    keep_open(stream.try_clone().expect("a descriptor is free"));
                }
                // The receiver is gone if the test has finished.
                let _ = sender.send(request);
                match response {
                    ScriptedResponse::Raw(bytes) => drop(stream.write_all(bytes)),
                    ScriptedResponse::RawOpen(bytes) => {
                        drop(stream.write_all(bytes));
                        keep_open(stream);
                    }
                    ScriptedResponse::Close | ScriptedResponse::Silence => {}
                    ScriptedResponse::Flood(first, repeated) => {
                        let mut sent = stream.write_all(first);
                        while sent.is_ok() {
                            sent = stream.write_all(repeated);
                        }
                    }
                }
            }
        });
        Self {
            address,
            requests,
            open,
        }
    }

    /// Sends a response to the oldest request that was met with silence, and closes its connection.
    ///
    /// # Panics
    ///
    /// Panics if there is no such request, or if the response does not close the connection.
    pub fn respond(&self, response: &ScriptedResponse) {
        let mut stream = self.open.lock().expect("no panic").remove(0);
        match response {
            ScriptedResponse::Raw(bytes) => stream.write_all(bytes).expect("the client waits"),
            ScriptedResponse::Close => {}
            other => panic!("not a response that ends a connection: {other:?}"),
        }
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

    /// Returns the next request if one has arrived already.
    #[must_use]
    pub fn try_request(&self) -> Option<String> {
        self.requests.try_recv().ok()
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
