//! A fake of the platform's API, of the API of AWS Lambda, and of an OTLP collector. It accepts everything.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::http::{self, Message};
use crate::load::{Outcome, Stop};

/// The invocation that `next` responds with, of the same length as an invoke event of FunctionGraph.
const LAMBDA_EVENT: &str = r#"{"eventType":"INVOKE","deadlineMs":1790000000000,"requestId":"3da1f2dc-3222-475e-9205-e2e6c6318895","invokedFunctionArn":"arn:aws:lambda:eu:123456789012:function:hello:latest"}"#;
const LAMBDA_REGISTRATION: &str =
    r#"{"functionName":"hello","functionVersion":"$LATEST","handler":"hello.main"}"#;
const REGISTRATION: &str = r#"{"functionName":"hello","functionVersion":"$LATEST","errorInfo":{"errorType":"","errorMessage":""}}"#;

/// How long `registration` waits, before its caller looks whether the process is still running.
const POLL: Duration = Duration::from_millis(200);

/// How long an extension may take for anything else.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A platform for one process. It listens until it is dropped.
pub(crate) struct Platform {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    registered: Option<Instant>,
    extension: Option<SocketAddr>,
    /// The addresses of all extensions, by script name.
    extensions: HashMap<String, SocketAddr>,
    subscriber: Option<SocketAddr>,
    /// Bytes of the bodies of OTLP requests.
    exported: u64,
    is_closed: bool,
    lambda: Lambda,
}

/// The events of a Lambda extension, which asks for each.
#[derive(Default)]
struct Lambda {
    is_waiting: bool,
    stop: Option<(Instant, Stop)>,
    sent: u64,
    sent_at: Option<Instant>,
    latencies: Vec<f64>,
}

impl Lambda {
    fn may_send(&self) -> bool {
        match self.stop {
            None => false,
            Some((start, Stop::After(duration))) => start.elapsed() < duration,
            Some((_, Stop::Requests(requests))) => self.sent < requests,
        }
    }
}

impl Platform {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot start the platform")?;
        let platform = Self {
            address: listener.local_addr()?,
            shared: Arc::default(),
        };
        let shared = Arc::clone(&platform.shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.lock().is_closed {
                    break;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Ok(platform)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns when the registration arrived and the address of the extension, or `None` if it does not arrive soon.
    pub(crate) fn registration(&self) -> Option<(Instant, Option<SocketAddr>)> {
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), POLL, |it| it.registered.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        state.registered.map(|it| (it, state.extension))
    }

    /// Returns the address of the extension with this script name, or `None` if it does not register soon.
    pub(crate) fn address_of(&self, script: &str) -> Option<SocketAddr> {
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), POLL, |it| {
                !it.extensions.contains_key(script)
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.extensions.get(script).copied()
    }

    /// Waits for the subscription to telemetry, and returns the address that telemetry is posted to.
    pub(crate) fn wait_for_subscription(&self) -> anyhow::Result<SocketAddr> {
        let state = self.wait(|it| it.subscriber.is_some())?;
        state.subscriber.context("not subscribed")
    }

    /// Lets a Lambda extension have events, and waits until it has handled them.
    pub(crate) fn serve_events(&self, stop: Stop) -> anyhow::Result<Outcome> {
        let mut state = self.wait(|it| it.lambda.is_waiting)?;
        let start = Instant::now();
        state.lambda = Lambda {
            stop: Some((start, stop)),
            ..Lambda::default()
        };
        drop(state);
        self.shared.changed.notify_all();
        let mut state = self.wait(|it| it.lambda.is_waiting && !it.lambda.may_send())?;
        let elapsed = start.elapsed();
        let lambda = std::mem::take(&mut state.lambda);
        state.lambda.is_waiting = true;
        Ok(Outcome {
            requests: lambda.sent,
            retries: 0,
            start,
            elapsed,
            latencies: lambda.latencies,
        })
    }

    /// Returns a function that returns how many bytes of OTLP have arrived, also after the process has exited.
    pub(crate) fn exported_bytes(&self) -> impl Fn() -> u64 + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.lock().exported
    }

    fn wait(&self, condition: fn(&State) -> bool) -> anyhow::Result<MutexGuard<'_, State>> {
        let (state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), TIMEOUT, |it| !condition(it))
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            bail!("the extension did not do what is expected within {TIMEOUT:?}");
        }
        Ok(state)
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
        // Wakes the thread that accepts connections.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the status, the headers and the body of the response.
    fn respond(
        &self,
        message: &Message<'_>,
        body: &[u8],
    ) -> (&'static str, &'static str, &'static str) {
        let mut state = self.lock();
        let mut status = "200 OK";
        let path = message.first_line.split(' ').nth(1).unwrap_or_default();
        let (headers, body) = match path {
            "/extension/register" => {
                state.registered = Some(Instant::now());
                let address = message.header("functiongraph-extension-address");
                state.extension = address.and_then(|it| it.parse().ok());
                let name = message.header("functiongraph-extension-name");
                if let (Some(name), Some(address)) = (name, state.extension) {
                    state.extensions.insert(name.to_owned(), address);
                }
                ("", REGISTRATION)
            }
            "/telemetry" => {
                let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
                let uri = body["subscriber"]["uri"].as_str().unwrap_or_default();
                let address = uri.trim_start_matches("http://").trim_end_matches('/');
                // A function has one subscriber (D 2711).
                if state.subscriber.is_some() {
                    status = "400 Bad Request";
                } else {
                    state.subscriber = address.parse().ok();
                }
                ("", "{}")
            }
            "/2020-01-01/extension/register" => {
                state.registered = Some(Instant::now());
                ("lambda-extension-identifier: 1\r\n", LAMBDA_REGISTRATION)
            }
            "/2022-07-01/telemetry" => {
                state.subscriber = Some(SocketAddr::from(([127, 0, 0, 1], 8081)));
                ("", "OK")
            }
            "/2020-01-01/extension/event/next" => {
                if let Some(sent) = state.lambda.sent_at.take() {
                    state.lambda.latencies.push(sent.elapsed().as_secs_f64());
                }
                while !state.is_closed && !state.lambda.may_send() {
                    state.lambda.is_waiting = true;
                    self.changed.notify_all();
                    let woken = self.changed.wait(state);
                    state = woken.unwrap_or_else(PoisonError::into_inner);
                }
                state.lambda.is_waiting = false;
                state.lambda.sent += 1;
                state.lambda.sent_at = Some(Instant::now());
                ("lambda-extension-event-identifier: 1\r\n", LAMBDA_EVENT)
            }
            _ => {
                state.exported += body.len() as u64;
                ("", "")
            }
        };
        self.changed.notify_all();
        (status, headers, body)
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        let end = loop {
            if let Some(message) = http::parse(&buffer) {
                let (status, headers, body) =
                    shared.respond(&message, &buffer[message.body.clone()]);
                let length = body.len();
                let response =
                    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}");
                stream.write_all(response.as_bytes())?;
                if message.header("connection") == Some("close") {
                    return Ok(());
                }
                break message.body.end;
            }
            match stream.read(&mut part)? {
                0 => return Ok(()),
                read => buffer.extend_from_slice(&part[..read]),
            }
        };
        buffer.drain(..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(platform: &Platform, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(platform.address()).unwrap();
        stream.write_all(request).unwrap();
        let mut buffer = [0; 1000];
        let read = stream.read(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    }

    #[test]
    fn the_addresses_of_the_extension_are_known_after_its_requests() {
        let platform = Platform::start().unwrap();
        let request = b"POST /extension/register HTTP/1.1\r\nFunctionGraph-Extension-Address: 127.0.0.1:8083\r\n\r\n";
        assert!(send(&platform, request).contains("functionName"));
        let (_, extension) = platform.registration().unwrap();
        assert_eq!(extension, "127.0.0.1:8083".parse().ok());
        let body = br#"{"subscriber":{"protocol":"POST","uri":"http://127.0.0.1:8084/"}}"#;
        send(&platform, &http::post("/telemetry", body));
        // There can be only one.
        let second = br#"{"subscriber":{"protocol":"POST","uri":"http://127.0.0.1:8086/"}}"#;
        assert!(send(&platform, &http::post("/telemetry", second)).starts_with("HTTP/1.1 400 "));
        let subscriber = platform.wait_for_subscription().unwrap();
        assert_eq!(subscriber, "127.0.0.1:8084".parse().unwrap());
    }

    #[test]
    fn a_lambda_extension_gets_as_many_events_as_it_should() {
        let platform = Platform::start().unwrap();
        let address = platform.address();
        thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let mut buffer = [0; 1000];
            loop {
                let request = b"GET /2020-01-01/extension/event/next HTTP/1.1\r\n\r\n";
                if stream.write_all(request).is_err() || stream.read(&mut buffer).is_err() {
                    break;
                }
            }
        });
        for requests in [3, 2] {
            let outcome = platform.serve_events(Stop::Requests(requests)).unwrap();
            assert_eq!(outcome.requests, requests);
            assert_eq!(outcome.latencies.len() as u64, requests);
        }
    }
}
