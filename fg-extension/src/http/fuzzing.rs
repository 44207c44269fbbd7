//! The bytes that a client sends to the extension's server, or to the telemetry server.

// A panic is how a target reports a problem.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::slice::Chunks;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::{ConnectionState, MAX_BUFFER};
use super::response::HttpResponse;
use super::router::Router;
use crate::config::TelemetryConfig;
use crate::lifecycle::{Lifecycle, Phase};
use crate::telemetry::Telemetry;
use crate::telemetry::fuzzing::{Delivery, events_in, respond};
use crate::{
    Error, Extension, ExtensionName, Invocation, Port, Registration, Subscription,
    TelemetryCounters, TelemetryEvent, TelemetryHandler, TelemetryType,
};

/// The two servers of an extension.
#[derive(Clone, Copy, PartialEq)]
enum Server {
    Extension,
    Telemetry,
}

/// Sends bytes to both servers, in one piece and in several. Tests that each complete request gets the expected response,
/// and that the handlers receive what was acknowledged.
pub fn request_bytes(data: &[u8]) {
    for server in [Server::Extension, Server::Telemetry] {
        let expected = Expectation::of(server, data);
        // Not smaller for large inputs, since an incomplete header is parsed again for each part.
        let sum = data.iter().fold(0, |sum, byte| sum + usize::from(*byte));
        let part = sum % 40 + data.len() / 200 + 1;
        for part in [data.len().max(1), part] {
            let outcome = serve(server, data.chunks(part));
            expected.check(&outcome);
        }
    }
}

/// What a server has done.
struct Outcome {
    /// The bytes of the responses.
    sent: Vec<u8>,
    trace_ids: Vec<String>,
    /// The JSON of the telemetry events.
    events: Vec<String>,
}

fn serve(server: Server, parts: Chunks<u8>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    runtime.block_on(async {
        let lifecycle = Lifecycle::new();
        lifecycle.advance(Phase::Running);
        let delivery = Arc::new(Delivery::new(&TelemetryConfig {
            port: Recorder::PORT,
            types: Recorder::SUBSCRIPTION.types(),
            buffer: 16 << 20,
            timeout: Duration::from_secs(30),
        }));
        let router = Arc::new(Router::new(
            Recorder::default(),
            &Registration::default(),
            Arc::clone(&delivery),
            lifecycle,
        ));
        let to_router = Arc::clone(&router);
        let sent = match server {
            Server::Extension => {
                serve_connection(parts, move |request, state| {
                    Arc::clone(&to_router).respond(request, state)
                })
                .await
            }
            Server::Telemetry => {
                serve_connection(parts, move |request, state| {
                    respond(Arc::clone(&delivery), request, state)
                })
                .await
            }
        };
        Telemetry::<Recorder>::close(router.telemetry());
        router.deliver_telemetry().await;
        let recorder = router.extension();
        Outcome {
            sent,
            trace_ids: std::mem::take(&mut recorder.trace_ids.lock().unwrap()),
            events: std::mem::take(&mut recorder.events.lock().unwrap()),
        }
    })
}

/// Serves a connection in memory until its client has sent everything. Returns what was sent to the client.
///
/// It does what the runtime does on a socket, except for time limits, which depend on the clock.
async fn serve_connection<F: Future<Output = HttpResponse>>(
    parts: Chunks<'_, u8>,
    respond: impl Fn(Request<Incoming>, Arc<ConnectionState>) -> F,
) -> Vec<u8> {
    let mut sent = Vec::new();
    let client = Client {
        parts: parts.map(<[u8]>::to_vec).collect::<Vec<_>>().into_iter(),
        sent: &mut sent,
    };
    let service = service_fn(|request| {
        let response = respond(request, ConnectionState::new());
        async { Ok::<_, Infallible>(response.await) }
    });
    let mut builder = Builder::new();
    let builder = builder.half_close(true).max_buf_size(MAX_BUFFER);
    let _broken = builder
        .serve_connection(TokioIo::new(client), service)
        .await;
    sent
}

/// A client that sends parts of a stream one by one, and then ends the stream.
struct Client<'a> {
    parts: std::vec::IntoIter<Vec<u8>>,
    sent: &'a mut Vec<u8>,
}

impl AsyncRead for Client<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut part = self.parts.next().unwrap_or_default();
        let rest = part.split_off(part.len().min(buffer.remaining()));
        buffer.put_slice(&part);
        if !rest.is_empty() {
            let after = std::mem::take(&mut self.parts);
            self.parts = [rest]
                .into_iter()
                .chain(after)
                .collect::<Vec<_>>()
                .into_iter();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.sent.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// An extension that records what its handlers receive.
#[derive(Default)]
struct Recorder {
    trace_ids: Mutex<Vec<String>>,
    events: Mutex<Vec<String>>,
}

impl Extension for Recorder {
    const NAME: ExtensionName = ExtensionName::new("extensionFuzz.sh");
    const PORT: Port = Port::new(8081);

    async fn init(_: &Registration) -> Result<Self, Error> {
        Ok(Self::default())
    }

    async fn invoke(&self, invocation: Invocation) -> Result<(), Error> {
        self.trace_ids.lock().unwrap().push(invocation.trace_id);
        Ok(())
    }
}

impl TelemetryHandler for Recorder {
    const SUBSCRIPTION: Subscription = Subscription::new(Self::PORT, &[TelemetryType::Platform]);

    async fn telemetry(
        &self,
        events: Vec<TelemetryEvent>,
        _: &TelemetryCounters,
    ) -> Result<(), Error> {
        let events = events.iter().map(|event| event.json().to_owned());
        self.events.lock().unwrap().extend(events);
        Ok(())
    }
}

/// What a server should do with the requests at the beginning of a stream, up to the first that is unusual or incomplete.
#[derive(Default)]
struct Expectation {
    statuses: Vec<u16>,
    trace_ids: Vec<String>,
    events: Vec<String>,
    /// Whether that is the whole stream.
    is_all: bool,
}

impl Expectation {
    fn of(server: Server, mut stream: &[u8]) -> Self {
        let mut expected = Self::default();
        while !stream.is_empty() {
            let mut headers = [httparse::EMPTY_HEADER; 100];
            let mut request = httparse::Request::new(&mut headers);
            let Ok(httparse::Status::Complete(length)) = request.parse(stream) else {
                return expected;
            };
            let Some((body, length_of_body)) = body(&request, &stream[length..]) else {
                return expected;
            };
            let status = expected.status(server, &request, &body);
            expected.statuses.push(status);
            stream = &stream[length + length_of_body..];
        }
        expected.is_all = true;
        expected
    }

    /// Returns the expected status for a request, and records what a handler should receive.
    fn status(&mut self, server: Server, request: &httparse::Request, body: &[u8]) -> u16 {
        let is_post = request.method == Some("POST");
        let path = request.path.unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let is_from_browser = request.headers.iter().any(|header| {
            let name = header.name.to_ascii_lowercase();
            name == "origin" || name == "sec-fetch-site"
        });
        match (server, path, is_post) {
            (Server::Telemetry, _, true) | (Server::Extension, "/", true) => {
                match events_in(body) {
                    Some(events) => {
                        self.events.extend(events);
                        200
                    }
                    None => 400,
                }
            }
            (Server::Telemetry, _, false) => 405,
            (_, "/extension/invoke" | "/extension/register", true) => {
                match Invocation::read(body.to_vec().into()) {
                    Ok(invocation) => {
                        self.trace_ids.push(invocation.trace_id);
                        200
                    }
                    Err(_) => 400,
                }
            }
            (_, "/extension/shutdown", true) => match is_from_browser {
                true => 403,
                false => 200,
            },
            (_, "/extension/invoke" | "/extension/register" | "/extension/shutdown", false) => 405,
            _ => 404,
        }
    }

    fn check(&self, outcome: &Outcome) {
        let responses = responses(&outcome.sent);
        let statuses: Vec<_> = responses.iter().map(|(status, _)| *status).collect();
        assert!(
            statuses.starts_with(&self.statuses),
            "{statuses:?}, not {:?}",
            self.statuses
        );
        assert!(
            outcome.trace_ids.starts_with(&self.trace_ids),
            "{:?}",
            outcome.trace_ids
        );
        assert!(
            outcome.events.starts_with(&self.events),
            "{:?}",
            outcome.events
        );
        if self.is_all {
            assert_eq!(statuses.len(), self.statuses.len());
            assert_eq!(outcome.trace_ids.len(), self.trace_ids.len());
            assert_eq!(outcome.events.len(), self.events.len());
        }
        let mut trace_ids = outcome.trace_ids.iter();
        for (status, body) in &responses {
            if body.is_empty() {
                // The parser of requests rejected it, or it is the response to a HEAD request.
                continue;
            }
            let body: Value = serde_json::from_slice(body).expect("a JSON body");
            if let Some(trace_id) = body.get("traceId") {
                assert_eq!(*status, 200);
                assert_eq!(trace_id.as_str(), trace_ids.next().map(String::as_str));
            }
            let kind = body.pointer("/errorInfo/errorType").and_then(Value::as_str);
            assert_eq!(kind.is_some_and(|kind| !kind.is_empty()), *status != 200);
        }
    }
}

/// Returns the body of a request, and how much of the stream it takes. Returns `None` if the request is incomplete, or if
/// it is not obvious how it is read.
fn body(request: &httparse::Request, rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let is_usual_path = |path: &str| {
        path.starts_with('/')
            && path
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/._-?=".contains(&byte))
    };
    if request.version != Some(1)
        || !matches!(
            request.method,
            Some("GET" | "POST" | "PUT" | "DELETE" | "OPTIONS")
        )
        || !request.path.is_some_and(is_usual_path)
    {
        return None;
    }
    let mut framing = None;
    for header in &*request.headers {
        match &*header.name.to_ascii_lowercase() {
            "content-length" | "transfer-encoding" if framing.is_some() => return None,
            "content-length" | "transfer-encoding" => framing = Some(header.value),
            "connection" | "expect" | "upgrade" | "trailer" => return None,
            _ => {}
        }
    }
    match framing {
        None => Some((Vec::new(), 0)),
        Some(b"chunked") => decode_chunks(rest),
        Some(length) => {
            let is_digits = length.len() < 9 && length.iter().all(u8::is_ascii_digit);
            let length = str::from_utf8(length).ok().filter(|_| is_digits)?;
            let length = length.parse().ok()?;
            Some((rest.get(..length)?.to_vec(), length))
        }
    }
}

/// Decodes a chunked body without extensions and trailers.
fn decode_chunks(stream: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut body = Vec::new();
    let mut rest = stream;
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = str::from_utf8(&rest[..end]).ok()?;
        let is_plain = size.len() < 8 && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(size, 16).ok().filter(|_| is_plain)?;
        rest = &rest[end + 2..];
        body.extend_from_slice(rest.get(..size)?);
        rest = rest[size..].strip_prefix(b"\r\n")?;
        if size == 0 {
            return Some((body, stream.len() - rest.len()));
        }
    }
}

/// Parses responses, without those with status 1xx.
fn responses(mut sent: &[u8]) -> Vec<(u16, &[u8])> {
    let mut responses = Vec::new();
    while !sent.is_empty() {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(sent).expect("a valid response");
        let httparse::Status::Complete(head) = parsed else {
            panic!("the connection was closed in the middle of a response");
        };
        let status = response.code.unwrap();
        sent = &sent[head..];
        if status < 200 {
            continue;
        }
        let mut headers = response.headers.iter();
        let length = headers.find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let length: usize = length.map_or(0, |length| {
            str::from_utf8(length.value).unwrap().parse().unwrap()
        });
        // The response to a HEAD request has no body, and ours are objects.
        let length = if sent.starts_with(b"{") { length } else { 0 };
        let body = sent.get(..length).expect("a complete body");
        responses.push((status, body));
        sent = &sent[length..];
    }
    responses
}
