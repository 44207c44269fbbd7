//! Which path is answered how.

use std::sync::Arc;

use fg_util::error::one_line;
use fg_util::select::select;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::body;
use super::response::{HttpResponse, failure, json, only_post};
use crate::lifecycle::{Lifecycle, Phase};
use crate::panics::catch;
use crate::telemetry::Telemetry;
use crate::{Extension, Registration};

/// The extension, as its HTTP server reaches it.
pub(crate) struct Router<T, D> {
    pub(super) extension: T,
    pub(super) registration: Registration,
    telemetry: Arc<D>,
    pub(super) lifecycle: Arc<Lifecycle>,
}

impl<T: Extension, D: Telemetry<T>> Router<T, D> {
    pub(crate) fn new(
        extension: T,
        registration: Registration,
        telemetry: Arc<D>,
        lifecycle: Arc<Lifecycle>,
    ) -> Self {
        Self {
            extension,
            registration,
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
    pub(crate) async fn respond(self: Arc<Self>, request: Request<Incoming>) -> HttpResponse {
        let is_post = request.method() == Method::POST;
        match request.uri().path() {
            // Telemetry comes to the path of the URI that was subscribed with (D 2710).
            "/" if D::SUBSCRIBED && is_post => {
                let body = body::read(request).await;
                self.telemetry.respond(body)
            }
            // The page's *Path* line for the invocation says `/extension/register`, its URL says `/extension/invoke` (D
            // 2707, both): invocations are accepted on either.
            "/extension/invoke" | "/extension/register" if is_post => {
                let body = body::read(request).await;
                self.invoke(body).await
            }
            // Path and body of the platform's shutdown event are unknown (?); this one is ours.
            "/extension/shutdown" if is_post => {
                body::discard(request).await;
                self.lifecycle.begin_shutdown("POST /extension/shutdown");
                json(StatusCode::OK, b"{}".as_slice().into())
            }
            path @ ("/extension/invoke" | "/extension/register" | "/extension/shutdown") => {
                let message = format!("{path} takes POST, not {}", request.method());
                body::discard(request).await;
                only_post(self.reject(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", &message))
            }
            path => {
                let message =
                    format!("no such path: {path}; invocations go to POST /extension/invoke");
                body::discard(request).await;
                self.reject(StatusCode::NOT_FOUND, "NotFound", &message)
            }
        }
    }

    /// Delivers telemetry to the author's handler, until no more can arrive or the lifecycle aborts.
    pub(crate) async fn deliver_telemetry(&self) {
        // A handler that is aborted is dropped in here, and may panic.
        let delivered = catch(async {
            let deliver = self.telemetry.deliver(&self.extension, &self.lifecycle);
            select(deliver, self.lifecycle.reached(Phase::Aborting)).await;
        });
        if let Err(panic) = delivered.await {
            tracing::error!("telemetry: {}", one_line(&panic.to_string()));
        }
    }

    /// The response to a request that no handler sees, and a log line about it: what the platform sends and we do not
    /// accept is worth knowing.
    pub(super) fn reject(&self, status: StatusCode, kind: &str, message: &str) -> HttpResponse {
        self.telemetry.report_rejected_request(status, message);
        failure(status, kind, message)
    }
}
