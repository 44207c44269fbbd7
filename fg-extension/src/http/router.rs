//! The router: dispatches requests by path and method.

use std::sync::Arc;

use fg_util::error::{excerpt, one_line};
use fg_util::select::{Either, select};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use tokio::time::sleep;

use super::body::RequestBody;
use super::connection::ConnectionState;
use super::invoked::InvokedBody;
use super::open_connections::max_invocations;
use super::request_log;
use super::response::{HttpResponse, failure, json, only_post};
use crate::lifecycle::{Lifecycle, Phase};
use crate::panics::{RESTART_PAUSE, catch};
use crate::telemetry::Telemetry;
use crate::{Extension, Registration};

/// The extension and everything else that its HTTP server needs to respond to requests.
pub(crate) struct Router<T, D> {
    pub(super) extension: T,
    pub(super) invoked: InvokedBody,
    telemetry: Arc<D>,
    pub(super) lifecycle: Arc<Lifecycle>,
}

/// What a request is for.
enum Route {
    Telemetry,
    Invocation,
    Shutdown,
    Rejected(StatusCode, &'static str, String),
}

impl<T: Extension, D: Telemetry<T>> Router<T, D> {
    pub(crate) fn new(
        extension: T,
        registration: &Registration,
        telemetry: Arc<D>,
        lifecycle: Arc<Lifecycle>,
    ) -> Self {
        Self {
            extension,
            invoked: InvokedBody::new(registration),
            telemetry,
            lifecycle,
        }
    }

    pub(crate) fn extension(&self) -> &T {
        &self.extension
    }

    pub(crate) fn telemetry(&self) -> &D {
        &self.telemetry
    }

    /// Responds to one request.
    pub(crate) fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: Arc<ConnectionState>,
    ) -> impl Future<Output = HttpResponse> + Send {
        let route = Route::of(&request, D::SUBSCRIBED);
        let body = RequestBody::of(request, connection);
        async move {
            match route {
                Route::Telemetry => {
                    let body = body.read(&|bytes| self.telemetry.admits(bytes)).await;
                    self.telemetry.respond(body).await
                }
                Route::Invocation => {
                    let admit = |_| self.lifecycle.invocations_in_flight() < max_invocations();
                    let body = body.read(&admit).await;
                    self.invoke(body).await
                }
                // Requests of all other kinds are rare, so their future is not a part of every connection.
                Route::Shutdown => {
                    Box::pin(body.discard()).await;
                    self.lifecycle.begin_shutdown("POST /extension/shutdown");
                    json(StatusCode::OK, b"{}".as_slice().into())
                }
                Route::Rejected(status, kind, message) => {
                    Box::pin(body.discard()).await;
                    let response = self.reject(status, kind, &message);
                    match status {
                        StatusCode::METHOD_NOT_ALLOWED => only_post(response),
                        _ => response,
                    }
                }
            }
        }
    }

    /// Delivers telemetry to the author's handler until the queue is closed and empty, or the lifecycle aborts.
    pub(crate) async fn deliver_telemetry(&self) {
        loop {
            // An aborted handler is dropped inside `catch`, since its destructors may panic.
            let delivered = catch("`telemetry`", async {
                let deliver = self.telemetry.deliver(&self.extension, &self.lifecycle);
                select(deliver, self.lifecycle.reached(Phase::Aborting)).await;
            });
            match delivered.await {
                Ok(()) => return,
                Err(panic) => error!("telemetry: {}", one_line(&panic.to_string())),
            }
            // The events that were in flight are in the queue again.
            let pause = sleep(RESTART_PAUSE);
            let aborting = self.lifecycle.reached(Phase::Aborting);
            if let Either::First(()) = select(aborting, pause).await {
                return;
            }
        }
    }

    /// Logs a rejected request, and returns the response to it.
    pub(super) fn reject(&self, status: StatusCode, kind: &str, message: &str) -> HttpResponse {
        request_log::rejected(status, message);
        failure(status, kind, message)
    }
}

impl Route {
    fn of(request: &Request<Incoming>, has_telemetry: bool) -> Self {
        let is_post = request.method() == Method::POST;
        match request.uri().path() {
            // Telemetry is posted to the path of the URI in the subscription (D 2712).
            "/" if has_telemetry && is_post => Self::Telemetry,
            // Invocations are accepted on both paths: the page has `/extension/invoke` in the URL, but
            // `/extension/register` in the *Path* line (D 2707).
            "/extension/invoke" | "/extension/register" if is_post => Self::Invocation,
            // The path and body of the platform's shutdown event are unknown (?). This path is our own choice.
            "/extension/shutdown" if is_post && !is_from_browser(request) => Self::Shutdown,
            "/extension/shutdown" if is_post => {
                let message = "POST /extension/shutdown does not accept requests of web pages";
                Self::Rejected(StatusCode::FORBIDDEN, "Forbidden", message.to_owned())
            }
            path @ ("/extension/invoke" | "/extension/register" | "/extension/shutdown") => {
                let method = excerpt(request.method().as_str());
                let message = format!("{path} accepts only POST, not {method}");
                Self::Rejected(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
            }
            path => {
                let message = format!(
                    "unknown path {}; invocations are accepted at POST /extension/invoke",
                    excerpt(path)
                );
                Self::Rejected(StatusCode::NOT_FOUND, "NotFound", message)
            }
        }
    }
}

/// Returns whether a request comes from a web page.
///
/// Any page that is open in a browser on the machine of a developer can post to a local port. Only the path of our own
/// choice is protected: it is unknown which headers the platform sends (?).
fn is_from_browser(request: &Request<Incoming>) -> bool {
    let mut names = request.headers().keys();
    names.any(|name| matches!(name.as_str(), "origin" | "sec-fetch-site"))
}
