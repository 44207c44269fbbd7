//! The service: checks a request, reads its body, and passes its data on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fg_util::error::{excerpt, one_line};
use fg_util::throttle::Throttle;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use tokio::sync::Semaphore;

use super::decode::{DecodeError, Encoding, decode, decode_large};
use super::pipe::Pipe;
use super::response::{Format, HttpResponse, Rejection, accepted, rejected};
use crate::diagnostic::Diagnostic;
use crate::export::TimeLimit;
use crate::signal::Signal;

/// How long a request waits for the collector, and for other requests, before it is rejected with status 503. The SDK
/// retries it.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// How long a body may take to arrive. A freeze does not count.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of bodies that are in memory at the same time.
const MAX_BODIES: usize = 3;

/// The largest body that is accepted, even if the buffer is large. Decoding it takes some time, and some memory.
const MAX_BODY_BYTES: usize = 16 << 20;

/// How much of a body that is rejected is read.
const MAX_DISCARDED_BYTES: usize = 64 << 20;

/// Serves the requests of all connections.
pub(super) struct Service {
    pipe: Pipe,
    max_body: usize,
    bodies: Semaphore,
    /// Requests are decoded one at a time, because what is decoded takes more memory than what is queued.
    decoding: Semaphore,
    /// Whether the function has sent anything.
    has_received: AtomicBool,
    log_throttle: Mutex<Throttle>,
}

impl Service {
    pub(super) fn new(pipe: Pipe) -> Self {
        Self {
            // A request is accepted if half of the buffer is free.
            max_body: (pipe.buffer / 2).min(MAX_BODY_BYTES),
            pipe,
            bodies: Semaphore::new(MAX_BODIES),
            decoding: Semaphore::new(1),
            has_received: AtomicBool::new(false),
            log_throttle: Mutex::new(Throttle::one_per_second()),
        }
    }

    /// Returns whether the function has sent anything.
    pub(super) fn has_received(&self) -> bool {
        self.has_received.load(Ordering::Relaxed)
    }

    /// Responds to a request.
    pub(super) async fn respond(&self, request: Request<Incoming>) -> HttpResponse {
        let (head, mut body) = request.into_parts();
        let format = Format::of(&head.headers);
        let result = self.receive(&head, format, &mut body).await;
        // A client that uses another format is likely to be a person.
        let format = format.unwrap_or(Format::Json);
        match result {
            Ok(()) => {
                self.has_received.store(true, Ordering::Relaxed);
                accepted(format)
            }
            Err(rejection) => {
                self.log(&head, &rejection);
                discard(&mut body).await;
                rejected(format, rejection)
            }
        }
    }

    async fn receive(
        &self,
        head: &Parts,
        format: Option<Format>,
        body: &mut Incoming,
    ) -> Result<(), Rejection> {
        let signal = signal(head)?;
        let unsupported = |message| Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
        let format = format.ok_or_else(|| {
            unsupported(
                "the header Content-Type is neither application/x-protobuf nor application/json",
            )
        })?;
        let encoding = Encoding::of(&head.headers).ok_or_else(|| {
            unsupported("the header Content-Encoding is neither gzip nor identity")
        })?;
        if body.size_hint().lower() > self.max_body as u64 {
            return Err(self.too_large());
        }
        let mut limit = TimeLimit::new(MAX_WAIT);
        let busy = |what: &str| Rejection::new(StatusCode::SERVICE_UNAVAILABLE, what);
        let full = || busy("more than half of the export buffer is in use; retry later");
        let wait = limit.wait(self.pipe.wait_for_capacity()).await;
        wait.ok_or_else(full)?;
        // Never closed.
        let Some(Ok(_body)) = limit.wait(self.bodies.acquire()).await else {
            return Err(busy("other requests are being received; retry later"));
        };
        let body = self.read(body).await?;
        if !self.pipe.is_on(signal) {
            return Ok(());
        }
        let Ok(_decoding) = self.decoding.acquire().await else {
            return Err(busy("the receiver is shutting down"));
        };
        // Requests that arrived at the same time may have filled the buffer since. The next one is let in only after this
        // one is queued, so what was accepted is not dropped.
        let wait = limit.wait(self.pipe.wait_for_capacity()).await;
        wait.ok_or_else(full)?;
        let max = self.max_body;
        let decoded = if body.len() > encoding.max_inline() {
            decode_large(move || decode(signal, format, encoding, &body, max)).await
        } else {
            decode(signal, format, encoding, &body, max)
        };
        let decoded = decoded.map_err(|error| match error {
            DecodeError::TooLarge => self.too_large(),
            DecodeError::Invalid(message) => Rejection::new(StatusCode::BAD_REQUEST, message),
        })?;
        self.pipe.pass_on(decoded).await;
        Ok(())
    }

    async fn read(&self, body: &mut Incoming) -> Result<Bytes, Rejection> {
        let body = Limited::new(body, self.max_body).collect();
        match TimeLimit::new(BODY_TIMEOUT).wait(body).await {
            Some(Ok(body)) => Ok(body.to_bytes()),
            Some(Err(error)) if error.is::<LengthLimitError>() => Err(self.too_large()),
            Some(Err(error)) => Err(Rejection::new(
                StatusCode::BAD_REQUEST,
                one_line(&format!("cannot read the body: {error}")),
            )),
            None => Err(Rejection::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not arrive within {BODY_TIMEOUT:?}"),
            )),
        }
    }

    fn too_large(&self) -> Rejection {
        let max = self.max_body;
        let why = match max {
            MAX_BODY_BYTES => "the maximum",
            _ => "half of FG_OTLP_BUFFER",
        };
        Rejection::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the request is larger than {max} bytes, which is {why}, or takes too much memory when it is decoded; \
                 send smaller batches"
            ),
        )
    }

    /// Logs why a request was rejected, unless the client is asked to retry it.
    fn log(&self, head: &Parts, rejection: &Rejection) {
        let Rejection { status, message } = rejection;
        if *status == StatusCode::SERVICE_UNAVAILABLE {
            return;
        }
        let admitted = {
            let throttle = self.log_throttle.lock();
            let mut throttle = throttle.unwrap_or_else(PoisonError::into_inner);
            throttle.admit(Instant::now())
        };
        if admitted {
            let path = excerpt(head.uri.path());
            Diagnostic::Warning(format!(
                "the OTLP receiver rejected a request to {path} with status {}: {message}",
                status.as_u16()
            ))
            .log();
        }
    }
}

/// Returns the signal that the path names.
fn signal(head: &Parts) -> Result<Signal, Rejection> {
    let path = head.uri.path();
    let Some(signal) = Signal::ALL.into_iter().find(|it| it.path() == path) else {
        let message = "the path is not /v1/traces, /v1/metrics, or /v1/logs";
        return Err(Rejection::new(StatusCode::NOT_FOUND, message));
    };
    if head.method != Method::POST {
        let message = "the method is not POST";
        return Err(Rejection::new(StatusCode::METHOD_NOT_ALLOWED, message));
    }
    Ok(signal)
}

/// Reads the rest of a body. If the connection were closed before, a client that is still sending might not see the
/// response.
async fn discard(body: &mut Incoming) {
    let mut left = MAX_DISCARDED_BYTES;
    let discard = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    TimeLimit::new(BODY_TIMEOUT).wait(discard).await;
}
