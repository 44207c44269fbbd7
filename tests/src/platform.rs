//! A platform that responds to each connection as a test scripts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::client::PATIENCE;
use crate::golden;

/// What the platform does with one connection.
#[derive(Clone, Debug)]
pub enum ScriptedResponse {
    /// Responds with these bytes, and closes.
    Raw(Vec<u8>),
    /// Responds with these bytes, and keeps the connection open.
    RawOpen(Vec<u8>),
    /// Closes without a response.
    Close,
    /// Never responds.
    Silence,
}

/// A platform that responds to each connection as scripted, repeating the last response.
#[derive(Debug)]
pub struct ScriptedPlatform {
    /// For `EXTENSION_API_ADDR`.
    pub address: SocketAddr,
    requests: Receiver<String>,
}

impl ScriptedResponse {
    /// A response with a status and a body.
    #[must_use]
    pub fn status(status: &str, body: impl AsRef<str>) -> Self {
        let body = body.as_ref();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self::Raw((head + body).into_bytes())
    }

    /// The documented answer.
    #[must_use]
    pub fn registered() -> Self {
        Self::status("200 OK", golden("register-response.json").to_string())
    }
}

impl ScriptedPlatform {
    /// Listens on a free port.
    ///
    /// # Panics
    ///
    /// If there are no answers, or no port.
    #[must_use]
    pub fn start(responses: impl IntoIterator<Item = ScriptedResponse>) -> Self {
        let responses: Vec<_> = responses.into_iter().collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let address = listener.local_addr().expect("the listener has an address");
        let (sender, requests) = channel();
        // It ends with the test's process.
        thread::spawn(move || {
            let mut open = Vec::new();
            for (i, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { break };
                let response = responses
                    .get(i)
                    .or(responses.last())
                    .expect("there are answers");
                let Ok(request) = read_request(&mut stream) else {
                    continue;
                };
                // A test that has ended no longer listens.
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

    /// The next request, head and body; waits for it.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[must_use]
    pub fn request(&self) -> String {
        self.requests
            .recv_timeout(PATIENCE)
            .expect("a request comes")
    }

    /// All further requests, as they come.
    pub fn requests(&self) -> impl Iterator<Item = String> {
        self.requests.iter()
    }

    /// How many requests came that [`request`](Self::request) has not returned.
    #[must_use]
    pub fn count(&self) -> usize {
        self.requests.try_iter().count()
    }
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
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
