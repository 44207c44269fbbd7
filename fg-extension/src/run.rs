use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::http::listener;
use crate::http::router::Service;
use crate::lifecycle::Lifecycle;
use crate::lifecycle::drain::serve;
use crate::lifecycle::signals::Signals;
use crate::platform::register;
use crate::telemetry::Telemetry;
use crate::{Extension, RunError, TelemetryCounters, error, panics, script_name_marker};
use fg_util::select::{Either, select};

/// Runs the extension `T` until the platform asks it to end: the engine beneath the generated `main`.
///
/// In order: listen on 127.0.0.1, register, subscribe to telemetry and [`init`](Extension::init), serve. It ends on
/// SIGTERM, SIGINT or `POST /extension/shutdown`: it accepts nothing more, lets what is in flight finish, delivers
/// the telemetry that it has acknowledged, and then [`shutdown`](Extension::shutdown), all within
/// `FG_SHUTDOWN_TIMEOUT`. Who calls it in a `main` of their own
/// should then leave without waiting for blocking tasks, as by `tokio::runtime::Runtime::shutdown_background`.
///
/// It installs, once and for the process: a panic hook that is silent about a handler's panic, since that
/// becomes one log line, and leaves every other to the hook before it; and with feature `log` the default
/// subscriber, unless there is a global one.
///
/// # Errors
///
/// [`RunError`], if a setting cannot be read, the port is taken, the platform refuses or does not answer, or
/// `init` or `shutdown` fails, or acknowledged telemetry could not be delivered by the end.
///
/// # Panics
///
/// On a tokio runtime without I/O and time (`enable_all`).
///
/// # Cancel safety
///
/// Once the future is dropped, no connection is accepted any more; those that are open, and what is in flight,
/// go on until the tokio runtime ends. [`shutdown`](Extension::shutdown) is not called.
pub async fn run<T: Extension>() -> Result<(), RunError> {
    const {
        assert!(
            !matches!(T::TIMEOUT, Some(Duration::ZERO)),
            "`TIMEOUT` is zero, so that no invocation could be handled"
        );
    }
    script_name_marker::keep::<T>();
    let config = Config::from_env(T::NAME, T::PORT, T::TELEMETRY)?;
    #[cfg(feature = "log")]
    crate::log::subscriber::install(T::NAME, config.log);
    panics::install_hook();

    let mut signals =
        Signals::listen().map_err(|error| RunError::runtime("cannot listen for signals", error))?;
    // Whoever registers must already be listening: the platform may post at once (D 2707). Invocations that come
    // before `init` is done wait in the listen backlog.
    let listener = listener::listen(T::NAME, config.port, "FG_EXTENSION_PORT")?;
    let counters = TelemetryCounters::default();
    let telemetry = if const { T::TELEMETRY.is_some() } {
        Telemetry::listen(T::NAME, &config, &counters)
    } else {
        None
    };
    let delivery = telemetry
        .as_ref()
        .map(|telemetry| Arc::clone(&telemetry.delivery));
    let lifecycle = Arc::new(Lifecycle::new());
    let (in_flight, drained) = mpsc::channel(1);
    // What goes on beside the rest, until it is dropped.
    let mut tasks = JoinSet::new();
    let start = async {
        let mut registration = register::register(T::NAME, &config).await?;
        registration.telemetry = counters;
        tracing::info!(
            "registered with {} as {}, listening on {}",
            config.platform,
            T::NAME,
            config.port.address()
        );
        // The subscription must not hold up the function: neither `init` nor invocations wait for it.
        let subscription = if const { T::TELEMETRY.is_some() }
            && let Some(telemetry) = telemetry
        {
            telemetry.subscribe(&config, &lifecycle, &in_flight, &mut tasks)
        } else {
            None
        };
        let extension = T::init(&registration).await.map_err(RunError::init)?;
        if const { T::TELEMETRY.is_some() }
            && let Some(subscription) = subscription
        {
            tasks.spawn(subscription);
        }
        Ok::<_, RunError>(Service::new(
            extension,
            registration,
            delivery.clone(),
            Arc::clone(&lifecycle),
        ))
    };
    // `init` may panic, and, if the end comes first, so may what it leaves behind.
    let started = panics::catch(select(start, signals.recv())).await;
    let started = started.unwrap_or_else(|panic| Either::First(Err(RunError::init(panic.into()))));
    let ended = match started {
        Either::First(Ok(service)) => {
            let (service, in_flight) = (Arc::new(service), (in_flight, drained));
            return serve(
                listener,
                service,
                signals,
                in_flight,
                config.shutdown_timeout,
            )
            .await;
        }
        Either::First(Err(error)) => Err(error),
        Either::Second(signal) => {
            tracing::info!("{signal} before the extension was ready: ending");
            Ok(())
        }
    };
    // Telemetry may have come all the same, and nobody is there to take it.
    let lost = match delivery {
        Some(delivery) if const { T::TELEMETRY.is_some() } => delivery.abandon(),
        _ => 0,
    };
    match ended {
        Ok(()) if lost == 0 => Ok(()),
        Ok(()) => Err(RunError::telemetry(format!(
            "the extension ended before it was ready: {}",
            error::undelivered(lost)
        ))),
        Err(error) => Err(error.and_undelivered(lost)),
    }
}
