use std::sync::Arc;
use std::time::Duration;

use crate::concurrent::{Either, either};
use crate::config::Config;
use crate::service::Service;
use crate::signals::Signals;
use crate::{Extension, RunError, manifest, panics, register, server};

/// Runs the extension `T` until the platform asks it to end: the engine beneath the generated `main`.
///
/// In order: listen on 127.0.0.1, register, [`init`](Extension::init), serve. It ends on SIGTERM, SIGINT or
/// `POST /extension/shutdown`: it accepts nothing more, lets what is in flight finish, and then
/// [`shutdown`](Extension::shutdown), all within `FG_SHUTDOWN_TIMEOUT`. Who calls it in a `main` of their own
/// should then leave without waiting for blocking tasks, as by `tokio::runtime::Runtime::shutdown_background`.
///
/// It installs, once and for the process: a panic hook that is silent about a handler's panic, since that
/// becomes one log line, and leaves every other to the hook before it; and with feature `log` the default
/// subscriber, unless there is a global one.
///
/// # Errors
///
/// [`RunError`], if a setting cannot be read, the port is taken, the platform refuses or does not answer, or
/// `init` or `shutdown` fails.
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
    let config = Config::from_env(T::NAME, T::PORT)?;
    #[cfg(feature = "log")]
    crate::log::install(T::NAME, config.log);
    panics::install_hook();

    if T::TELEMETRY.is_some() {
        tracing::warn!("this version of fg-extension does not subscribe to telemetry yet");
    }
    let mut signals =
        Signals::listen().map_err(|error| RunError::runtime("cannot listen for signals", error))?;
    // Whoever registers must already be listening: the platform may post at once (D 2707). What comes before
    // `init` is done waits in the listen backlog.
    let listener = server::listen(T::NAME, config.port).await?;
    let start = async {
        let registration = register::register(T::NAME, &config).await?;
        tracing::info!(
            "registered with {} as {}, listening on {}",
            config.platform,
            T::NAME,
            config.port.address()
        );
        let extension = T::init(&registration).await.map_err(RunError::init)?;
        Ok::<_, RunError>(Service::new(extension, registration))
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
    server::serve(listener, service, signals, config.shutdown_timeout).await
}
