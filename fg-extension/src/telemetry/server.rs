//! The telemetry server: accepts batches, and subscribes to telemetry.

use std::sync::Arc;

use fg_util::select::{run_alongside, select};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, StatusCode, header};

use super::TelemetryType;
use super::delivery::{Delivery, Unacknowledged};
use crate::config::{Config, PlatformAddress, TelemetryConfig};
use crate::http::body::{BodyError, RequestBody};
use crate::http::listener::{Listener, bind, serve};
use crate::http::response::{HttpResponse, failure, json, only_post, unreadable};
use crate::lifecycle::{Lifecycle, Phase};
use crate::platform::subscribe::subscribe;
use crate::{ExtensionName, Port};

/// The server that telemetry is posted to, and the details of the subscription.
pub(crate) struct TelemetryServer {
    delivery: Arc<Delivery>,
    ingest: Ingest,
    platform: PlatformAddress,
    port: Port,
    types: &'static [TelemetryType],
    subscribe_timeout: std::time::Duration,
}

/// How telemetry reaches the extension.
enum Ingest {
    /// On a separate port.
    SeparatePort(Listener),
    /// On the extension's own port, where the router passes batches on.
    ExtensionPort,
    /// Not at all, since the port could not be bound.
    Unavailable,
}

impl TelemetryServer {
    /// Binds the port that telemetry is posted to.
    ///
    /// If that fails, it logs the error and the extension runs without telemetry: problems with telemetry must not
    /// break the function.
    pub(crate) fn bind(
        name: ExtensionName,
        config: &Config,
        telemetry: &TelemetryConfig,
        lifecycle: &Arc<Lifecycle>,
    ) -> Self {
        let ingest = if telemetry.port == config.port {
            Ingest::ExtensionPort
        } else {
            match bind(name, telemetry.port, "FG_TELEMETRY_PORT", lifecycle) {
                Ok(listener) => Ingest::SeparatePort(listener),
                Err(error) => {
                    tracing::error!("continuing without telemetry: {error:?}");
                    Ingest::Unavailable
                }
            }
        };
        Self {
            delivery: Arc::new(Delivery::new(telemetry)),
            ingest,
            platform: config.platform.clone(),
            port: telemetry.port,
            types: telemetry.types,
            subscribe_timeout: config.register_timeout,
        }
    }

    pub(crate) fn delivery(&self) -> Arc<Delivery> {
        Arc::clone(&self.delivery)
    }

    /// Accepts telemetry, and subscribes to it once the extension is registered.
    ///
    /// This runs concurrently with `init`, so that neither `init` nor invocations are delayed by the subscription. The
    /// extension's own port, however, accepts no connections before `init` has completed. If telemetry uses that port,
    /// the subscription waits for `init`: otherwise the platform might time out and post the same batches again.
    pub(crate) async fn run(self, lifecycle: Arc<Lifecycle>) {
        let subscription = subscribe(self.platform, self.port, self.types, self.subscribe_timeout);
        match self.ingest {
            Ingest::SeparatePort(listener) => {
                lifecycle.reached(Phase::Registered).await;
                let respond = move |request| respond(Arc::clone(&self.delivery), request);
                run_alongside(subscription, serve(listener, respond)).await;
            }
            Ingest::ExtensionPort => {
                lifecycle.reached(Phase::Running).await;
                // An extension that is shutting down does not need the subscription anymore.
                select(subscription, lifecycle.reached(Phase::Draining)).await;
            }
            Ingest::Unavailable => {}
        }
    }
}

impl Delivery {
    /// Responds to a request that contains a batch, with status 200 if the batch is in the buffer.
    pub(super) fn accept(&self, body: Result<Bytes, BodyError>) -> HttpResponse {
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let (status, kind, message) = unreadable(&error, "InvalidTelemetry");
                self.record_rejected_request(&message);
                return failure(status, kind, &message);
            }
        };
        let mut response = match self.receive(&body) {
            Ok(()) => return json(StatusCode::OK, b"{}".as_slice().into()),
            Err(Unacknowledged::Invalid(message)) => {
                return failure(StatusCode::BAD_REQUEST, "InvalidTelemetry", &message);
            }
            Err(Unacknowledged::Full) => failure(
                StatusCode::SERVICE_UNAVAILABLE,
                "TelemetryBufferFull",
                "the telemetry buffer is full; retry later",
            ),
            Err(Unacknowledged::ShuttingDown) => failure(
                StatusCode::SERVICE_UNAVAILABLE,
                "ShuttingDown",
                "the extension is shutting down",
            ),
        };
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        response
    }
}

/// Responds to a request on the separate telemetry port.
///
/// The path should be that of the URI in the subscription (D 2710). Since there is only one service on this port, every
/// path is accepted.
async fn respond(delivery: Arc<Delivery>, request: Request<Incoming>) -> HttpResponse {
    let wrong_method = (request.method() != Method::POST).then(|| {
        let method = request.method();
        format!("the telemetry port accepts only POST, not {method}")
    });
    let body = RequestBody::of(request);
    let Some(message) = wrong_method else {
        return delivery.accept(body.read().await);
    };
    body.discard().await;
    delivery.record_rejected_request(&message);
    only_post(failure(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        &message,
    ))
}
