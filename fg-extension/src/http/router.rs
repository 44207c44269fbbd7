//! What the extension's server answers.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::http::body::{self, BodyError};
use crate::http::response::{HttpResponse, failure, json, only_post, serialize, unread};
use crate::lifecycle::{Lifecycle, Phase};
use crate::panics::catch;
use crate::telemetry::Delivery;
use crate::{Error, Extension, Invocation, Registration};
use fg_util::error::{chain, one_line};
use fg_util::select::{Either, select};

pub(crate) struct Service<T> {
    extension: T,
    registration: Registration,
    telemetry: Option<Arc<Delivery>>,
    lifecycle: Arc<Lifecycle>,
    /// How many handlers run.
    invocations: AtomicUsize,
}

/// The answer to an invocation: the prose of page 2707 and its example, in one (D).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invoked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<&'a str>,
    trace_id: &'a str,
    invoked_function_urn: &'a str,
}

impl<T: Extension> Service<T> {
    pub(crate) fn new(
        extension: T,
        registration: Registration,
        telemetry: Option<Arc<Delivery>>,
        lifecycle: Arc<Lifecycle>,
    ) -> Self {
        Self {
            extension,
            registration,
            telemetry,
            lifecycle,
            invocations: AtomicUsize::new(0),
        }
    }

    pub(crate) fn lifecycle(&self) -> &Arc<Lifecycle> {
        &self.lifecycle
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

    /// Delivers telemetry, until no more of it will come, or no time is left for it.
    pub(crate) async fn deliver(&self) {
        let Some(telemetry) = self.telemetry() else {
            return;
        };
        // What is given up is dropped in here, and may panic.
        let delivered = catch(async {
            let deliver = telemetry.run(&self.lifecycle, |events| self.extension.telemetry(events));
            select(deliver, self.lifecycle.reached(Phase::Aborting)).await;
        });
        if let Err(panic) = delivered.await {
            tracing::error!("telemetry: {}", one_line(&panic.to_string()));
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
    ) -> HttpResponse {
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
                    Some(telemetry) if is_telemetry => telemetry.answer(body),
                    _ => self.invoke(body, in_flight).await,
                }
            }
            // Path and body of the platform's shutdown event are unknown (?); this one is ours.
            "/extension/shutdown" if request.method() == Method::POST => {
                body::discard(request).await;
                self.lifecycle.advance(Phase::Draining);
                json(StatusCode::OK, b"{}".as_slice().into())
            }
            "/extension/invoke" | "/extension/register" | "/extension/shutdown" => {
                let message = format!("{path} takes POST, not {}", request.method());
                body::discard(request).await;
                only_post(self.refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", &message))
            }
            _ => {
                let message =
                    format!("no such path: {path}; invocations go to POST /extension/invoke");
                body::discard(request).await;
                self.refuse(StatusCode::NOT_FOUND, "NotFound", &message)
            }
        }
    }

    /// The answer to a request that no handler sees, with a line in the log: what the platform sends, and we do
    /// not take, is worth knowing.
    fn refuse(&self, status: StatusCode, kind: &str, message: &str) -> HttpResponse {
        match self.telemetry() {
            // It may be its own lines that an extension is told of.
            Some(telemetry) => telemetry.report_refused(message),
            None => tracing::warn!(
                "a request was answered with status {}: {message}",
                status.as_u16()
            ),
        }
        failure(status, kind, message)
    }

    async fn invoke(
        self: &Arc<Self>,
        body: Result<Bytes, BodyError>,
        in_flight: &mpsc::Sender<()>,
    ) -> HttpResponse {
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let (status, kind, message) = unread(&error, "InvalidInvocation");
                return self.refuse(status, kind, &message);
            }
        };
        let invocation = match serde_json::from_slice::<Invocation>(&body) {
            Ok(invocation) => invocation,
            Err(error) => {
                let message = match body.trim_ascii() {
                    b"" => "the body is empty, where an invocation should be".to_owned(),
                    _ => format!("the body is no invocation: {error}"),
                };
                return self.refuse(StatusCode::BAD_REQUEST, "InvalidInvocation", &message);
            }
        };
        let answer = serialize(&Invoked {
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
    if service.lifecycle.has_reached(Phase::Aborting) {
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
    match select(handler.as_mut(), service.lifecycle.reached(Phase::Aborting)).await {
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
