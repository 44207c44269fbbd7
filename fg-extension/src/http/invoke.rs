//! Invocations: parses the request body, calls the handler, and creates the response.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use fg_util::duration;
use fg_util::error::{chain, excerpt, one_line};
use fg_util::select::{Either, select};
use hyper::StatusCode;
use hyper::body::Bytes;

use super::body::{BodyError, ReadBody};
use super::offload::{MAX_INLINE, offload};
use super::reading::Reservation;
use super::request_log;
use super::response::{HttpResponse, failure, json, unreadable};
use super::router::Router;
use crate::lifecycle::witness::Moment;
use crate::lifecycle::{Activity, Phase};
use crate::panics::catch;
use crate::telemetry::Telemetry;
use crate::{Extension, Invocation};

type ReadInvocation = Result<(Invocation, Bytes), (StatusCode, &'static str, String)>;

impl<T: Extension, D: Telemetry<T>> Router<T, D> {
    /// Calls the author's handler with the invocation in the request body.
    pub(super) async fn invoke(self: Arc<Self>, body: Result<ReadBody, BodyError>) -> HttpResponse {
        let (read, reservation) = match body {
            Ok(body) if body.bytes.len() > MAX_INLINE => Box::pin(self.read_large(body)).await,
            Ok(ReadBody { bytes, reservation }) => (self.read_invocation(bytes), reservation),
            Err(error) => {
                let rejection = unreadable(&error, "InvalidInvocation");
                (Err(rejection), Reservation::default())
            }
        };
        let (invocation, response) = match read {
            Ok(both) => both,
            Err((status, kind, message)) => return self.reject(status, kind, &message),
        };
        match self.run_handler(invocation, reservation).await {
            Ok(()) => json(StatusCode::OK, response),
            Err(HandlerFailure { kind, message }) => {
                failure(StatusCode::INTERNAL_SERVER_ERROR, kind, &message)
            }
        }
    }

    /// Returns an invocation, and the body of the response to it; or the status, kind and message of a rejection.
    fn read_invocation(&self, body: Bytes) -> ReadInvocation {
        let invocation = Invocation::read(body)
            .map_err(|message| (StatusCode::BAD_REQUEST, "InvalidInvocation", message))?;
        let response = self.invoked.of(&invocation);
        Ok((invocation, response))
    }

    /// Does the same as [`Self::read_invocation`], without holding up other requests. Returns the reservation, too.
    async fn read_large(self: &Arc<Self>, body: ReadBody) -> (ReadInvocation, Reservation) {
        let router = Arc::clone(self);
        let read = offload(move || (router.read_invocation(body.bytes), body.reservation));
        read.await.unwrap_or_else(|| {
            let message = "the invocation could not be read".to_owned();
            let rejection = (StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message);
            (Err(rejection), Reservation::default())
        })
    }

    /// Runs the handler to completion, even if the platform closes the connection.
    ///
    /// A handler that is pending after its first poll is moved to a task of its own. Most handlers complete in the
    /// first poll and need no task.
    async fn run_handler(
        self: Arc<Self>,
        invocation: Invocation,
        reservation: Reservation,
    ) -> Result<(), HandlerFailure> {
        let mut handler = Box::pin(handle(Arc::clone(&self), invocation, reservation));
        match poll_fn(|cx| Poll::Ready(handler.as_mut().poll(cx))).await {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => tokio::spawn(unless_aborted(self, handler))
                .await
                // The task is only canceled when the tokio runtime shuts down.
                .unwrap_or_else(|error| {
                    Err(HandlerFailure {
                        kind: "HandlerPanic",
                        message: error.to_string(),
                    })
                }),
        }
    }
}

/// The name of the author's code in log lines.
const HANDLER: &str = "the handler";

struct HandlerFailure {
    kind: &'static str,
    message: String,
}

/// Calls the handler, and logs its failure. The memory of the invocation is reserved until the handler completes.
async fn handle<T: Extension, D: Telemetry<T>>(
    router: Arc<Router<T, D>>,
    invocation: Invocation,
    _reservation: Reservation,
) -> Result<(), HandlerFailure> {
    let _tracked = router.lifecycle.track(Activity::Invocation);
    // It is too late to start a handler.
    if router.lifecycle.has_reached(Phase::Aborting) {
        return Err(aborted());
    }
    let trace_id = excerpt(&invocation.trace_id);
    // All of the author's code may panic: the handler, its destructors if it is dropped, and the `Display` of its
    // error.
    let handled = catch(HANDLER, async {
        let handler = router.extension.invoke(invocation);
        let outcome = match T::TIMEOUT {
            Some(timeout) => {
                let start = Moment::now();
                // Boxed, so that the future of an invocation is small if there is no timeout.
                match Box::pin(start.timeout(timeout, handler)).await {
                    // A handler that blocks its thread may complete too late, without being interrupted.
                    Some(outcome) if start.elapsed() <= timeout => outcome,
                    _ => {
                        let message = format!(
                            "the handler exceeded its timeout of {}",
                            duration::format(timeout)
                        );
                        return Err(("HandlerTimeout", message));
                    }
                }
            }
            None => handler.await,
        };
        outcome.map_err(|error| ("HandlerError", chain(error.as_ref())))
    });
    let (kind, message) = match handled.await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failure)) => failure,
        Err(panic) => ("HandlerPanic", panic.to_string()),
    };
    if let Some(before) = request_log::admit() {
        error!(
            "invocation {} failed: {}{before}",
            one_line(&trace_id),
            one_line(&excerpt(&message))
        );
    }
    Err(HandlerFailure { kind, message })
}

/// Waits for a handler, but drops it if the lifecycle reaches [`Phase::Aborting`].
///
/// Aborted handlers are not logged one by one: the shutdown logs one line for all of them.
async fn unless_aborted<T: Extension, D: Telemetry<T>>(
    router: Arc<Router<T, D>>,
    mut handler: Pin<Box<impl Future<Output = Result<(), HandlerFailure>>>>,
) -> Result<(), HandlerFailure> {
    let aborting = router.lifecycle.reached(Phase::Aborting);
    match select(handler.as_mut(), aborting).await {
        Either::First(outcome) => outcome,
        Either::Second(()) => match catch(HANDLER, async { drop(handler) }).await {
            Ok(()) => Err(aborted()),
            Err(panic) => {
                let message = panic.to_string();
                error!(
                    "an aborted invocation failed: {}",
                    one_line(&excerpt(&message))
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
        message: "the extension shut down before the handler completed".to_owned(),
    }
}
