//! What the extension's server answers.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode, header};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::body::{self, BodyError};
use crate::concurrent::{Either, either};
use crate::error::{chain, one_line};
use crate::panics::catch;
use crate::telemetry::{Delivery, Unacknowledged};
use crate::{Error, Extension, Invocation, Registration};

pub(crate) struct Service<T> {
    extension: T,
    registration: Registration,
    telemetry: Option<Arc<Delivery>>,
    phase: watch::Sender<Phase>,
    /// How many handlers run.
    invocations: AtomicUsize,
}

/// How far the extension's life has come.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Phase {
    Serving,
    /// The end was asked for; what is in flight goes on.
    Ending,
    /// No time is left for what is in flight.
    GivingUp,
}

/// The answer to an invocation: the prose of page 2707 and its example, in one (D).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<&'a str>,
    trace_id: &'a str,
    invoked_function_urn: &'a str,
}

/// Any other answer: `{"errorInfo": {"errorType", "errorMessage"}}`, as the platform itself writes it (D).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    error_info: ErrorInfo<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorInfo<'a> {
    error_type: &'a str,
    error_message: &'a str,
}

impl<T: Extension> Service<T> {
    pub(crate) fn new(
        extension: T,
        registration: Registration,
        telemetry: Option<Arc<Delivery>>,
    ) -> Self {
        Self {
            extension,
            registration,
            telemetry,
            phase: watch::Sender::new(Phase::Serving),
            invocations: AtomicUsize::new(0),
        }
    }

    pub(crate) fn request_stop(&self) {
        self.advance(Phase::Ending);
    }

    /// Drops the handlers that still run, and starts none; acknowledges no telemetry any more.
    pub(crate) fn give_up(&self) {
        if let Some(telemetry) = self.telemetry() {
            telemetry.close();
        }
        self.advance(Phase::GivingUp);
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let advances = *phase < to;
            if advances {
                *phase = to;
            }
            advances
        });
    }

    /// Waits until the end was asked for.
    pub(crate) async fn stop_requested(&self) {
        self.reached(Phase::Ending).await;
    }

    async fn reached(&self, awaited: Phase) {
        // It cannot fail: the sender is `self`'s.
        let _ = self
            .phase
            .subscribe()
            .wait_for(|phase| *phase >= awaited)
            .await;
    }

    pub(crate) fn invocations_in_flight(&self) -> usize {
        self.invocations.load(Ordering::Relaxed)
    }

    /// What is acknowledged of telemetry, if the extension has subscribed.
    pub(crate) fn telemetry(&self) -> Option<&Delivery> {
        // An extension without a subscription is not to carry the code either.
        const { T::TELEMETRY.is_some() }
            .then_some(self.telemetry.as_deref())
            .flatten()
    }

    /// Delivers telemetry, until no more of it will come.
    pub(crate) async fn deliver(&self) {
        if let Some(telemetry) = self.telemetry() {
            telemetry
                .run(|events| self.extension.telemetry(events))
                .await;
        }
    }

    /// The author's `shutdown`; nothing if it is not done by then.
    pub(crate) async fn shutdown(&self, deadline: Instant) -> Option<Result<(), Error>> {
        // What it leaves behind is dropped in here too.
        catch(async { timeout_at(deadline, self.extension.shutdown()).await.ok() })
            .await
            .unwrap_or_else(|panic| Some(Err(panic.into())))
    }

    /// The answer to one request. A handler that outlives it holds a clone of `in_flight` until it ends.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        in_flight: &mpsc::Sender<()>,
    ) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        // Telemetry comes to the path of the URI that was subscribed with (D 2710).
        let is_telemetry = path == "/" && self.telemetry().is_some();
        match path {
            // The page's *Path* line for the invocation says `/extension/register`, its URL says
            // `/extension/invoke` (D 2707, both): events are welcome on either.
            "/extension/invoke" | "/extension/register" | "/"
                if request.method() == Method::POST && (path != "/" || is_telemetry) =>
            {
                let body = body::read(request).await;
                match self.telemetry() {
                    Some(telemetry) if is_telemetry => acknowledge(telemetry, body),
                    _ => self.invoke(body, in_flight).await,
                }
            }
            // Path and body of the platform's shutdown event are unknown (?); this one is ours.
            "/extension/shutdown" if request.method() == Method::POST => {
                body::discard(request).await;
                self.request_stop();
                json(StatusCode::OK, b"{}".as_slice().into())
            }
            "/extension/invoke" | "/extension/register" | "/extension/shutdown" => {
                let message = format!("{path} takes POST, not {}", request.method());
                body::discard(request).await;
                let mut response =
                    refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", &message);
                response
                    .headers_mut()
                    .insert(header::ALLOW, header::HeaderValue::from_static("POST"));
                response
            }
            _ => {
                let message =
                    format!("no such path: {path}; invocations go to POST /extension/invoke");
                body::discard(request).await;
                refuse(StatusCode::NOT_FOUND, "NotFound", &message)
            }
        }
    }

    async fn invoke(
        self: &Arc<Self>,
        body: Result<Bytes, BodyError>,
        in_flight: &mpsc::Sender<()>,
    ) -> Response<Full<Bytes>> {
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let (status, kind, message) = unread(&error, "InvalidInvocation");
                return refuse(status, kind, &message);
            }
        };
        let invocation = match serde_json::from_slice::<Invocation>(&body) {
            Ok(invocation) => invocation,
            Err(error) => {
                let message = match body.trim_ascii() {
                    b"" => "the body is empty, where an invocation should be".to_owned(),
                    _ => format!("the body is no invocation: {error}"),
                };
                return refuse(StatusCode::BAD_REQUEST, "InvalidInvocation", &message);
            }
        };
        let answer = serialize(&Answer {
            function_name: self.registration.function_name.as_deref(),
            function_version: self.registration.function_version.as_deref(),
            handler: self.registration.handler.as_deref(),
            trace_id: &invocation.trace_id,
            invoked_function_urn: invocation.invoked_function_urn.as_str(),
        });

        // A handler that has to wait goes on in a task of its own, so that it runs to its end even if the
        // platform hangs up. Most do not wait, and cost no task.
        let mut handler = Box::pin(handle(Arc::clone(self), invocation));
        let first = poll_fn(|cx| Poll::Ready(handler.as_mut().poll(cx))).await;
        let outcome = match first {
            Poll::Ready(outcome) => Ok(outcome),
            Poll::Pending => {
                let (service, in_flight) = (Arc::clone(self), in_flight.clone());
                tokio::spawn(async move {
                    let outcome = unless_given_up(&service, handler).await;
                    drop(in_flight);
                    outcome
                })
                .await
            }
        };
        match outcome {
            Ok(Ok(())) => json(StatusCode::OK, answer),
            Ok(Err(HandlerFailure { kind, message })) => {
                failure(StatusCode::INTERNAL_SERVER_ERROR, kind, &message)
            }
            // Only when the runtime ends beneath us.
            Err(error) => failure(
                StatusCode::INTERNAL_SERVER_ERROR,
                "HandlerPanic",
                &error.to_string(),
            ),
        }
    }
}

/// The answer to a batch of telemetry: 200 once it is kept. What is told of a refusal here is the delivery's to
/// log, within limits.
fn acknowledge(telemetry: &Delivery, body: Result<Bytes, BodyError>) -> Response<Full<Bytes>> {
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            let (status, kind, message) = unread(&error, "InvalidTelemetry");
            telemetry.report_invalid(&message);
            return failure(status, kind, &message);
        }
    };
    let mut response = match telemetry.receive(&body) {
        Ok(()) => return json(StatusCode::OK, b"{}".as_slice().into()),
        Err(Unacknowledged::Invalid(message)) => {
            return failure(StatusCode::BAD_REQUEST, "InvalidTelemetry", &message);
        }
        Err(Unacknowledged::Full) => failure(
            StatusCode::SERVICE_UNAVAILABLE,
            "TelemetryBufferFull",
            "the buffer for telemetry is full: try again",
        ),
        Err(Unacknowledged::ShuttingDown) => failure(
            StatusCode::SERVICE_UNAVAILABLE,
            "ShuttingDown",
            "the extension ends",
        ),
    };
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    response
}

struct HandlerFailure {
    kind: &'static str,
    message: String,
}

/// Runs the handler; a failure has been logged when this returns.
async fn handle<T: Extension>(
    service: Arc<Service<T>>,
    invocation: Invocation,
) -> Result<(), HandlerFailure> {
    let _in_flight = InFlight::new(&service.invocations);
    // This one comes too late to begin.
    if *service.phase.borrow() == Phase::GivingUp {
        return Err(given_up());
    }
    let trace_id = invocation.trace_id.clone();
    // All that is the author's may panic: the handler, the end of one that is dropped, the words of an error.
    let handled = catch(async {
        let handler = service.extension.invoke(invocation);
        let outcome = match T::TIMEOUT {
            Some(timeout) => match tokio::time::timeout(timeout, handler).await {
                Ok(outcome) => outcome,
                Err(_elapsed) => {
                    let message = format!("it took longer than its timeout, {timeout:?}");
                    return Err(("HandlerTimeout", message));
                }
            },
            None => handler.await,
        };
        outcome.map_err(|error| ("HandlerError", chain(error.as_ref())))
    });
    let (kind, message) = match handled.await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failure)) => failure,
        Err(panic) => ("HandlerPanic", panic.to_string()),
    };
    tracing::error!(
        "invocation {} failed: {}",
        one_line(&trace_id),
        one_line(&message)
    );
    Err(HandlerFailure { kind, message })
}

/// The outcome of a handler that waits, unless no time is left for it. Then it is dropped, and no line is logged:
/// there is one for all of them.
async fn unless_given_up<T: Extension>(
    service: &Service<T>,
    mut handler: Pin<Box<impl Future<Output = Result<(), HandlerFailure>>>>,
) -> Result<(), HandlerFailure> {
    match either(handler.as_mut(), service.reached(Phase::GivingUp)).await {
        Either::First(outcome) => outcome,
        Either::Second(()) => match catch(async { drop(handler) }).await {
            Ok(()) => Err(given_up()),
            Err(panic) => {
                let message = panic.to_string();
                tracing::error!(
                    "an invocation that was given up failed: {}",
                    one_line(&message)
                );
                Err(HandlerFailure {
                    kind: "HandlerPanic",
                    message,
                })
            }
        },
    }
}

fn given_up() -> HandlerFailure {
    HandlerFailure {
        kind: "ShuttingDown",
        message: "the extension ended before its handler did".to_owned(),
    }
}

/// Counts a handler for as long as it is there.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The answer to a request that no handler sees, with a line in the log: what the platform sends, and we do
/// not take, is worth knowing.
fn refuse(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    tracing::warn!(
        "a request was answered with status {}: {message}",
        status.as_u16()
    );
    failure(status, kind, message)
}

/// The answer to a body that could not be read.
fn unread(error: &BodyError, invalid: &'static str) -> (StatusCode, &'static str, String) {
    match error {
        BodyError::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "PayloadTooLarge",
            format!("the body is larger than {} MB", body::LIMIT / (1024 * 1024)),
        ),
        BodyError::Broken(error) => (StatusCode::BAD_REQUEST, invalid, chain(error)),
    }
}

fn failure(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json(
        status,
        serialize(&Failure {
            error_info: ErrorInfo {
                error_type: kind,
                error_message: message,
            },
        }),
    )
}

fn serialize(value: &impl Serialize) -> Bytes {
    // Strings only, into memory: it cannot fail.
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}
