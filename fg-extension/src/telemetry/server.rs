//! The telemetry server: accepts batches, and subscribes to telemetry.

use std::sync::Arc;

use fg_util::error::excerpt;
use fg_util::select::{run_alongside, select};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::TelemetryType;
use super::delivery::{Delivery, Unacknowledged};
use crate::config::{Config, PlatformAddress, TelemetryConfig};
use crate::http::body::{BodyError, ReadBody, RequestBody};
use crate::http::connection::ConnectionState;
use crate::http::listener::{Listener, bind, serve};
use crate::http::offload::{MAX_INLINE, offload};
use crate::http::request_log;
use crate::http::response::{HttpResponse, failure, json, only_post, unreadable};
use crate::lifecycle::{Lifecycle, Phase};
use crate::panics::supervise;
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
                    error!("continuing without telemetry: {error:?}");
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
        let (platform, timeout) = (self.platform, self.subscribe_timeout);
        let subscription = supervise(|| subscribe(&platform, self.port, self.types, timeout));
        match self.ingest {
            Ingest::SeparatePort(listener) => {
                lifecycle.reached(Phase::Registered).await;
                let respond = move |request, connection| {
                    respond(Arc::clone(&self.delivery), request, connection)
                };
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
    /// Adds the batch in a request body to the queue. The memory of the body is reserved until it has been read.
    fn receive_body(&self, body: ReadBody) -> Result<(), Unacknowledged> {
        let received = self.receive(body.bytes);
        drop(body.reservation);
        received
    }

    /// Responds to a request that contains a batch, with status 200 if the batch is in the buffer.
    pub(super) async fn accept(
        self: &Arc<Self>,
        body: Result<ReadBody, BodyError>,
    ) -> HttpResponse {
        let received = match body {
            Ok(body) if body.bytes.len() > MAX_INLINE => {
                let delivery = Arc::clone(self);
                let receive = Box::pin(offload(move || delivery.receive_body(body)));
                let Some(received) = receive.await else {
                    // A panic, which is not the fault of the batch.
                    let status = StatusCode::INTERNAL_SERVER_ERROR;
                    return failure(status, "InternalError", "the batch could not be read");
                };
                received
            }
            Ok(body) => self.receive_body(body),
            Err(BodyError::NotAdmitted) => Err(self.reject_unread()),
            Err(error) => {
                let (status, kind, message) = unreadable(&error, "InvalidTelemetry");
                self.record_rejected_request(&message);
                return failure(status, kind, &message);
            }
        };
        match received {
            Ok(()) => json(StatusCode::OK, b"{}".as_slice().into()),
            Err(Unacknowledged::Invalid(message)) => {
                failure(StatusCode::BAD_REQUEST, "InvalidTelemetry", &message)
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
        }
    }
}

/// Responds to a request on the separate telemetry port.
///
/// The path should be that of the URI in the subscription (D 2712). Since there is only one service on this port, every
/// path is accepted.
pub(crate) async fn respond(
    delivery: Arc<Delivery>,
    request: Request<Incoming>,
    connection: Arc<ConnectionState>,
) -> HttpResponse {
    let wrong_method = (request.method() != Method::POST).then(|| {
        let method = excerpt(request.method().as_str());
        format!("the telemetry port accepts only POST, not {method}")
    });
    let body = RequestBody::of(request, connection);
    let Some(message) = wrong_method else {
        let body = body.read(&|bytes| delivery.has_room(bytes)).await;
        return delivery.accept(body).await;
    };
    body.discard().await;
    let status = StatusCode::METHOD_NOT_ALLOWED;
    request_log::rejected(status, &message);
    only_post(failure(status, "MethodNotAllowed", &message))
}
