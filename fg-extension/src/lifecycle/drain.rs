//! From the first event to the last: serving, and the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::http::listener::{accept_until, connection};
use crate::http::router::Service;
use crate::lifecycle::Phase;
use crate::lifecycle::signals::Signals;
use crate::telemetry::Delivery;
use crate::{Extension, RunError, error};
use fg_util::select::{Either, select};

/// What is in flight: every connection holds a sender, and so does every handler, so that the receiver sees the
/// last one end.
pub(crate) type InFlight = mpsc::Sender<()>;

/// Serves until asked to end, then lets what is in flight finish, delivers the telemetry that is acknowledged, and
/// then `shutdown`, within `shutdown_timeout`.
pub(crate) async fn serve<T: Extension>(
    listener: TcpListener,
    service: Arc<Service<T>>,
    mut signals: Signals,
    (in_flight, drained): (InFlight, mpsc::Receiver<()>),
    shutdown_timeout: Duration,
) -> Result<(), RunError> {
    let mut delivery = JoinSet::new();
    if service.telemetry().is_some() {
        let service = Arc::clone(&service);
        delivery.spawn(async move { service.deliver().await });
    }
    let stop = async {
        let reason =
            match select(signals.recv(), service.lifecycle().reached(Phase::Draining)).await {
                Either::First(signal) => signal,
                Either::Second(()) => "POST /extension/shutdown",
            };
        tracing::info!("{reason}: ending");
        service.lifecycle().advance(Phase::Draining);
    };
    accept_until(listener, stop, |stream: TcpStream| {
        let (service, in_flight) = (Arc::clone(&service), in_flight.clone());
        let lifecycle = Arc::clone(service.lifecycle());
        tokio::spawn(connection(stream, lifecycle, move |request| {
            let (service, in_flight) = (Arc::clone(&service), in_flight.clone());
            async move { service.answer(request, &in_flight).await }
        }));
    })
    .await;
    drop(in_flight);
    end(&service, drained, delivery, shutdown_timeout).await
}

/// Lets what is in flight finish, delivers what is acknowledged, then `shutdown`.
async fn end<T: Extension>(
    service: &Service<T>,
    mut drained: mpsc::Receiver<()>,
    mut delivery: JoinSet<()>,
    shutdown_timeout: Duration,
) -> Result<(), RunError> {
    let began = Instant::now();
    let lost_before = service.telemetry().map_or(0, Delivery::lost);
    // Whatever hangs, `shutdown` has some time: it may be all that stands between the author's data and its
    // loss. In any case there is a moment for those who are given up to be told.
    let moment = Duration::from_millis(50);
    let (reserve, moment) = if T::SHUTS_DOWN {
        let reserve = (shutdown_timeout / 4).min(Duration::from_millis(500));
        (reserve, moment.min(reserve / 4))
    } else {
        let moment = moment.min(shutdown_timeout / 16);
        (moment, moment)
    };
    let patience = shutdown_timeout - reserve;
    if timeout_at(began + patience, drained.recv()).await.is_err() {
        tracing::warn!(
            "gave up what was still in flight {} after the end began, invocations: {}; \
             FG_SHUTDOWN_TIMEOUT, {}, sets how long the end may take",
            text(patience),
            service.invocations_in_flight(),
            text(shutdown_timeout),
        );
        service.lifecycle().advance(Phase::Aborting);
        // The handlers are dropped as soon as their tasks run. A client that does not listen is not waited for.
        tokio::task::yield_now().await;
        let _ = timeout_at(began + patience + moment, drained.recv()).await;
    }
    if let Some(telemetry) = service.telemetry() {
        telemetry.close();
    }
    if timeout_at(began + patience, delivery.join_next())
        .await
        .is_err()
    {
        // The handler is not to run beside `shutdown`: it is dropped as soon as its task runs. One that blocks
        // its thread cannot be stopped.
        service.lifecycle().advance(Phase::Aborting);
        tokio::task::yield_now().await;
        let _ = timeout_at(began + patience + moment, delivery.join_next()).await;
    }
    let undelivered = service.telemetry().map_or(0, |telemetry| {
        telemetry.abandon();
        telemetry.lost() - lost_before
    });
    let shutdown = service.shutdown(began + shutdown_timeout).await;

    let how_long = format!(
        "FG_SHUTDOWN_TIMEOUT, {}, sets how long the end may take",
        text(shutdown_timeout)
    );
    match shutdown {
        Some(Ok(())) if undelivered == 0 => Ok(()),
        Some(Ok(())) => Err(RunError::telemetry(format!(
            "{}; {how_long}",
            error::undelivered(undelivered)
        ))),
        Some(Err(error)) => {
            let message = "the extension failed to shut down".to_owned();
            Err(RunError::shutdown(message, Some(error)).and_undelivered(undelivered))
        }
        None => {
            let message = format!("the extension did not shut down in time; {how_long}");
            Err(RunError::shutdown(message, None).and_undelivered(undelivered))
        }
    }
}

/// As the setting is written: zero is `0ns` otherwise.
fn text(duration: Duration) -> String {
    if duration.is_zero() {
        "0s".to_owned()
    } else {
        format!("{duration:?}")
    }
}
