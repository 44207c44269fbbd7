//! An invocation: from the body of its request to the handler, and to the response.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use fg_util::error::{chain, one_line};
use fg_util::select::{Either, select};
use hyper::StatusCode;
use hyper::body::Bytes;
use serde::Serialize;

use super::body::BodyError;
use super::response::{HttpResponse, failure, json, serialize, unreadable};
use super::router::Router;
use crate::lifecycle::{Activity, Phase};
use crate::panics::catch;
use crate::telemetry::Telemetry;
use crate::{Extension, Invocation};

/// The response to an invocation: the prose of page 2707 and its example, in one (D).
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

impl<T: Extension, D: Telemetry<T>> Router<T, D> {
    /// Calls the author's handler with the invocation in the body.
    pub(super) async fn invoke(self: Arc<Self>, body: Result<Bytes, BodyError>) -> HttpResponse {
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let (status, kind, message) = unreadable(&error, "InvalidInvocation");
                return self.reject(status, kind, &message);
            }
        };
        let invocation = match serde_json::from_slice::<Invocation>(&body) {
            Ok(invocation) => invocation,
            Err(error) => {
                let message = match body.trim_ascii() {
                    b"" => "the body is empty, where an invocation should be".to_owned(),
                    _ => format!("the body is no invocation: {error}"),
                };
                return self.reject(StatusCode::BAD_REQUEST, "InvalidInvocation", &message);
            }
        };
        let response = serialize(&Invoked {
            function_name: self.registration.function_name.as_deref(),
            function_version: self.registration.function_version.as_deref(),
            handler: self.registration.handler.as_deref(),
            trace_id: &invocation.trace_id,
            invoked_function_urn: invocation.invoked_function_urn.as_str(),
        });
        match self.run_handler(invocation).await {
            Ok(()) => json(StatusCode::OK, response),
            Err(HandlerFailure { kind, message }) => {
                failure(StatusCode::INTERNAL_SERVER_ERROR, kind, &message)
            }
        }
    }

    /// Runs the handler to its end, even if the platform hangs up: a handler that has to wait goes on in a task of its
    /// own. Most do not wait, and cost no task.
    async fn run_handler(self: Arc<Self>, invocation: Invocation) -> Result<(), HandlerFailure> {
        let mut handler = Box::pin(handle(Arc::clone(&self), invocation));
        match poll_fn(|cx| Poll::Ready(handler.as_mut().poll(cx))).await {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => tokio::spawn(unless_aborted(self, handler))
                .await
                // Only when the runtime ends beneath us.
                .unwrap_or_else(|error| {
                    Err(HandlerFailure {
                        kind: "HandlerPanic",
                        message: error.to_string(),
                    })
                }),
        }
    }
}

struct HandlerFailure {
    kind: &'static str,
    message: String,
}

/// Calls the handler; a failure has been logged when this returns.
async fn handle<T: Extension, D: Telemetry<T>>(
    router: Arc<Router<T, D>>,
    invocation: Invocation,
) -> Result<(), HandlerFailure> {
    let _tracked = router.lifecycle.track(Activity::Invocation);
    // This one comes too late to begin.
    if router.lifecycle.has_reached(Phase::Aborting) {
        return Err(aborted());
    }
    let trace_id = invocation.trace_id.clone();
    // All that is the author's may panic: the handler, the destructor of one that is dropped, the message of an error.
    let handled = catch(async {
        let handler = router.extension.invoke(invocation);
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

/// Waits for a handler, unless the lifecycle aborts. Then it is dropped without a log line of its own: one line stands
/// for all of them.
async fn unless_aborted<T: Extension, D: Telemetry<T>>(
    router: Arc<Router<T, D>>,
    mut handler: Pin<Box<impl Future<Output = Result<(), HandlerFailure>>>>,
) -> Result<(), HandlerFailure> {
    let aborting = router.lifecycle.reached(Phase::Aborting);
    match select(handler.as_mut(), aborting).await {
        Either::First(outcome) => outcome,
        Either::Second(()) => match catch(async { drop(handler) }).await {
            Ok(()) => Err(aborted()),
            Err(panic) => {
                let message = panic.to_string();
                tracing::error!(
                    "an invocation that was aborted failed: {}",
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

fn aborted() -> HandlerFailure {
    HandlerFailure {
        kind: "ShuttingDown",
        message: "the extension ended before its handler did".to_owned(),
    }
}
