//! An HTTP client that sends exactly what a test says, and reads server-sent events.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest time to wait for a response or an event.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The address of a page.
#[derive(Clone, Copy)]
pub(super) struct Address(pub(super) u16);

pub(super) struct Response {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Address {
    /// Returns the address in a URL such as `http://127.0.0.1:8700/`.
    pub(super) fn of(url: &str) -> Self {
        let port = url.trim_start_matches("http://127.0.0.1:");
        Self(port.trim_end_matches('/').parse().unwrap())
    }

    fn host(self) -> String {
        format!("127.0.0.1:{}", self.0)
    }

    pub(super) fn connect(self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.0)).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream
    }

    pub(super) fn get(self, path: &str) -> Response {
        self.request("GET", path, &[("host", &self.host())], b"")
    }

    /// Sends a command of the page.
    pub(super) fn post(self, command: &str, body: &str) -> Response {
        let headers = [
            ("host", &*self.host()),
            ("content-type", "application/json"),
        ];
        let path = format!("/api/{command}");
        self.request("POST", &path, &headers, body.as_bytes())
    }

    /// Sends a command of the page, which must be executed.
    pub(super) fn execute(self, command: &str, body: &str) -> Value {
        let response = self.post(command, body);
        let text = response.text();
        assert!(matches!(response.status, 200 | 202), "{command}: {text}");
        response.json()
    }

    /// Sends a command of the page, which must be rejected, and returns the reason.
    pub(super) fn rejected(self, command: &str, body: &str, status: u16) -> String {
        let response = self.post(command, body);
        assert_eq!(response.status, status, "{}", response.text());
        let json = response.json();
        let error = json["error"].as_str().unwrap();
        assert!(!error.contains('\n') && !error.starts_with(char::is_uppercase));
        error.to_owned()
    }

    pub(super) fn request(
        self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("content-length: {}\r\n", body.len());
        }
        request += "\r\n";
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        // The server does not read a body that is too large.
        let _ = stream.write_all(body);
        Response::read(stream)
    }

    /// Connects to the events, with further headers.
    pub(super) fn events(self, path: &str, headers: &str) -> Events {
        let mut stream = self.connect();
        // With this version of HTTP, the body has no other framing than the end of the connection.
        let host = self.host();
        let request = format!("GET {path} HTTP/1.0\r\nhost: {host}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut events = Events {
            lines: BufReader::new(stream),
            entries: VecDeque::new(),
            states: VecDeque::new(),
            deadline: Instant::now() + TIMEOUT,
        };
        assert_eq!(events.line().as_deref(), Some("HTTP/1.0 200 OK"));
        while events.line().is_some_and(|line| !line.is_empty()) {}
        events
    }

    /// Connects to the events from the start.
    pub(super) fn all_events(self) -> Events {
        self.events("/api/events", "")
    }
}

impl Response {
    fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        // The connection is reset if the server has not read the whole body.
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no response: {bytes:?}"));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head,
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find_map(|(other, value)| (other == name).then_some(value))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }
}

/// A connection that receives events. Entries and states are independent of each other: a test that waits for one does not
/// miss the other.
pub(super) struct Events {
    lines: BufReader<TcpStream>,
    /// The entries that have been received, each with the ID of its event.
    entries: VecDeque<(Value, String)>,
    states: VecDeque<Value>,
    deadline: Instant,
}

impl Events {
    fn line(&mut self) -> Option<String> {
        assert!(
            Instant::now() < self.deadline,
            "what was expected does not arrive"
        );
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) => panic!("no event: {error}"),
        }
    }

    /// Waits for the next event. Returns whether there was one before the connection was closed.
    fn receive(&mut self) -> bool {
        let (mut name, mut id, mut data) = (String::new(), String::new(), Value::Null);
        loop {
            let Some(line) = self.line() else {
                return false;
            };
            match line.split_once(": ") {
                Some(("event", value)) => name = value.to_owned(),
                Some(("id", value)) => id = value.to_owned(),
                Some(("data", value)) => data = serde_json::from_str(value).unwrap(),
                _ if line.is_empty() && !name.is_empty() => break,
                _ => {}
            }
        }
        match (&*name, data) {
            ("entries", Value::Array(entries)) => {
                let entries = entries.into_iter().map(|entry| (entry, id.clone()));
                self.entries.extend(entries);
            }
            ("state", state) => self.states.push_back(state),
            (name, data) => panic!("unexpected event {name}: {data}"),
        }
        true
    }

    /// Waits for a state that matches.
    pub(super) fn state(&mut self, matches: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.states.pop_front() {
                Some(state) if matches(&state) => return state,
                Some(_) => {}
                None => assert!(self.receive(), "the connection is closed"),
            }
        }
    }

    /// Waits for an entry that matches, and returns it with the ID of its event.
    pub(super) fn entry(&mut self, matches: impl Fn(&Value) -> bool) -> (Value, String) {
        loop {
            match self.entries.pop_front() {
                Some((entry, id)) if matches(&entry) => return (entry, id),
                Some(_) => {}
                None => assert!(self.receive(), "the connection is closed"),
            }
        }
    }

    /// Waits for an entry of this kind.
    pub(super) fn kind(&mut self, kind: &str) -> Value {
        self.entry(|entry| entry["kind"] == kind).0
    }

    /// Returns all further entries until the connection is closed.
    pub(super) fn rest(mut self) -> Vec<Value> {
        while self.receive() {}
        self.entries.into_iter().map(|(entry, _)| entry).collect()
    }
}
