use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::concurrent::{Either, either};
use crate::config::{Config, TelemetryConfig};
use crate::service::Service;
use crate::signals::Signals;
use crate::telemetry::{Delivery, subscribe};
use crate::{Extension, RunError, TelemetryCounters, manifest, panics, register, server};

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
    manifest::keep::<T>();
    let config = Config::from_env(T::NAME, T::PORT, T::TELEMETRY)?;
    #[cfg(feature = "log")]
    crate::log::install(T::NAME, config.log);
    panics::install_hook();

    let mut signals =
        Signals::listen().map_err(|error| RunError::runtime("cannot listen for signals", error))?;
    // Whoever registers must already be listening: the platform may post at once (D 2707). What comes before
    // `init` is done waits in the listen backlog.
    let mut listeners = vec![server::listen(T::NAME, config.port, "FG_EXTENSION_PORT")?];
    let counters = TelemetryCounters::default();
    let telemetry = if const { T::TELEMETRY.is_some() } {
        listen_to_telemetry::<T>(&config, &mut listeners, &counters)
    } else {
        None
    };
    // Ends when it is dropped.
    let mut subscribing = JoinSet::new();
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
        if const { T::TELEMETRY.is_some() }
            && let (Some(_), Some(TelemetryConfig { port, types, .. })) =
                (&telemetry, &config.telemetry)
        {
            let platform = config.platform.clone();
            subscribing.spawn(subscribe(platform, *port, types, config.register_timeout));
        }
        let extension = T::init(&registration).await.map_err(RunError::init)?;
        Ok::<_, RunError>(Service::new(extension, registration, telemetry))
    };
    // `init` may panic, and, if the end comes first, so may what it leaves behind.
    let started = panics::catch(either(start, signals.recv())).await;
    let started = started.unwrap_or_else(|panic| Either::First(Err(RunError::init(panic.into()))));
    let service = match started {
        Either::First(service) => Arc::new(service?),
        Either::Second(signal) => {
            tracing::info!("{signal} before the extension was ready: ending");
            return Ok(());
        }
    };
    server::serve(listeners, service, signals, config.shutdown_timeout).await
}

/// Binds the address that telemetry is posted to, unless it is the extension's own. If that fails, the extension
/// goes on without: telemetry must not break the function.
fn listen_to_telemetry<T: Extension>(
    config: &Config,
    listeners: &mut Vec<TcpListener>,
    counters: &TelemetryCounters,
) -> Option<Arc<Delivery>> {
    let telemetry = config.telemetry.as_ref()?;
    if telemetry.port != config.port {
        match server::listen(T::NAME, telemetry.port, "FG_TELEMETRY_PORT") {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                tracing::error!("there will be no telemetry: {error:?}");
                return None;
            }
        }
    }
    let (buffer, overflow, timeout) = (telemetry.buffer, telemetry.overflow, telemetry.timeout);
    let delivery = Delivery::new(buffer, overflow, timeout, counters.clone());
    Some(Arc::new(delivery))
}
