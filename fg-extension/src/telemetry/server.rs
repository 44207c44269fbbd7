//! Where telemetry comes in.

use std::sync::Arc;

use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, StatusCode, header};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::delivery::{Delivery, Unacknowledged};
use super::{TelemetryCounters, TelemetryType};
use crate::config::Config;
use crate::http::body::{self, BodyError};
use crate::http::listener::{accept_until, connection, listen};
use crate::http::response::{HttpResponse, failure, json, only_post, unread};
use crate::lifecycle::drain::InFlight;
use crate::lifecycle::{Lifecycle, Phase};
use crate::platform::subscribe::subscribe;
use crate::{ExtensionName, Port};

/// Telemetry that can be subscribed to.
pub(crate) struct Telemetry {
    pub(crate) delivery: Arc<Delivery>,
    port: Port,
    types: &'static [TelemetryType],
    /// Nothing if the port is the extension's own.
    listener: Option<TcpListener>,
}

impl Telemetry {
    /// Listens on the port that telemetry is posted to. If that fails, the extension goes on without: telemetry must
    /// not break the function.
    pub(crate) fn listen(
        name: ExtensionName,
        config: &Config,
        counters: &TelemetryCounters,
    ) -> Option<Self> {
        let telemetry = config.telemetry.as_ref()?;
        let listener = match telemetry.port == config.port {
            true => None,
            false => match listen(name, telemetry.port, "FG_TELEMETRY_PORT") {
                Ok(listener) => Some(listener),
                Err(error) => {
                    tracing::error!("there will be no telemetry: {error:?}");
                    return None;
                }
            },
        };
        Some(Self {
            delivery: Arc::new(Delivery::new(
                telemetry.buffer,
                telemetry.overflow,
                telemetry.timeout,
                counters.clone(),
            )),
            port: telemetry.port,
            types: telemetry.types,
            listener,
        })
    }

    /// Takes telemetry in from now on, and subscribes, both beside `init`.
    ///
    /// On the extension's own port nothing is accepted before `init` is done. Then the subscription is returned, for
    /// when it is: a sender that waits for long sends again.
    pub(crate) fn subscribe(
        self,
        config: &Config,
        lifecycle: &Arc<Lifecycle>,
        in_flight: &InFlight,
        tasks: &mut JoinSet<()>,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let subscription = subscribe(
            config.platform.clone(),
            self.port,
            self.types,
            config.register_timeout,
        );
        let Some(listener) = self.listener else {
            return Some(subscription);
        };
        tasks.spawn(serve(
            listener,
            self.delivery,
            Arc::clone(lifecycle),
            in_flight.clone(),
        ));
        tasks.spawn(subscription);
        None
    }
}

impl Delivery {
    /// The answer to a request with telemetry: 200 once it is kept. What goes wrong is told within limits.
    pub(crate) fn answer(&self, body: Result<Bytes, BodyError>) -> HttpResponse {
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let (status, kind, message) = unread(&error, "InvalidTelemetry");
                self.report_refused(&message);
                return failure(status, kind, &message);
            }
        };
        let mut answer = match self.receive(&body) {
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
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        answer
    }
}

/// Serves the port that telemetry alone is posted to, until the end. The path should be that of the URI (D 2710), but
/// nothing else can be meant.
async fn serve(
    listener: TcpListener,
    delivery: Arc<Delivery>,
    lifecycle: Arc<Lifecycle>,
    in_flight: InFlight,
) {
    accept_until(listener, lifecycle.reached(Phase::Draining), |stream| {
        let (delivery, lifecycle) = (Arc::clone(&delivery), Arc::clone(&lifecycle));
        let in_flight = in_flight.clone();
        tokio::spawn(async move {
            let answer = |request| answer(&delivery, request);
            connection(stream, lifecycle, answer).await;
            drop(in_flight);
        });
    })
    .await;
}

async fn answer(delivery: &Delivery, request: Request<Incoming>) -> HttpResponse {
    if request.method() == Method::POST {
        return delivery.answer(body::read(request).await);
    }
    let message = format!("telemetry comes by POST, not {}", request.method());
    body::discard(request).await;
    delivery.report_refused(&message);
    only_post(failure(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        &message,
    ))
}
