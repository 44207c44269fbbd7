//! The order of a start: settings, listeners, registration, `init`, serving.

use std::sync::Arc;
use std::time::Duration;

use fg_util::select::{Either, run_alongside, select};
use tokio::task::JoinSet;

use crate::config::{Config, TelemetryConfig};
use crate::http::listener::{self, Listener};
use crate::http::router::Router;
use crate::lifecycle::shutdown::shut_down;
use crate::lifecycle::signals::Signals;
use crate::lifecycle::{Lifecycle, Phase};
use crate::platform::register::register;
use crate::telemetry::{NoTelemetry, Telemetry, TelemetryServer};
use crate::{Extension, RunError, TelemetryHandler, error, panics, script_name_marker};

/// Runs the extension `T` until the platform asks it to shut down: the engine beneath the generated `main`.
///
/// In order: listen on 127.0.0.1, register, [`init`](Extension::init), serve. SIGTERM, SIGINT and `POST
/// /extension/shutdown` begin the shutdown: connections in the listen backlog are served, no more are accepted, what is in
/// flight finishes, and then [`shutdown`](Extension::shutdown) runs, all within `FG_SHUTDOWN_TIMEOUT`. A `main` that
/// calls this should then return without waiting for blocking tasks, for example by
/// `tokio::runtime::Runtime::shutdown_background`.
///
/// It installs, once for the process: a panic hook that is silent about a handler's panic, since that becomes one log
/// line, and leaves every other panic to the hook before it; and with feature `stderr-log` the default subscriber, unless there
/// is a global one.
///
/// # Errors
///
/// [`RunError`], if a setting cannot be read, the port is taken, the platform rejects the registration or does not
/// respond, or `init` or `shutdown` fails.
///
/// # Panics
///
/// On a tokio runtime without I/O and time (`enable_all`).
///
/// # Cancel safety
///
/// Once the future is dropped, no connection is accepted any more; those that are open, and what is in flight, go on
/// until the tokio runtime ends. [`shutdown`](Extension::shutdown) is not called.
pub async fn run<T: Extension>() -> Result<(), RunError> {
    let startup = Startup::new::<T>()?;
    startup.run::<T, _>(Arc::new(NoTelemetry)).await
}

/// Runs an extension that subscribes to telemetry: [`run`], and in addition the telemetry server, the subscription and
/// the delivery to [`TelemetryHandler::telemetry`].
///
/// The telemetry port is listened on before the extension registers. The subscription is made beside
/// [`init`](Extension::init), or after it where telemetry comes to the extension's own port. In a shutdown, the telemetry
/// that was acknowledged is delivered before [`shutdown`](Extension::shutdown) runs.
///
/// # Errors
///
/// As [`run`]; and [`RunError`], if acknowledged telemetry could not be delivered before the process exits.
///
/// # Panics
///
/// As [`run`].
///
/// # Cancel safety
///
/// As [`run`]. Telemetry that was acknowledged and not delivered is lost.
pub async fn run_with_telemetry<T: TelemetryHandler>() -> Result<(), RunError> {
    let startup = Startup::new::<T>()?;
    let telemetry = TelemetryConfig::from_env(T::NAME, T::PORT, T::SUBSCRIPTION, &startup.config)?;
    let server = TelemetryServer::bind(T::NAME, &startup.config, &telemetry, &startup.lifecycle);
    let delivery = server.delivery();
    // Owned here, so that it is gone when this returns.
    let mut background = JoinSet::new();
    background.spawn(server.run(Arc::clone(&startup.lifecycle)));
    startup.run::<T, _>(delivery).await
}

/// What an extension has before it registers: settings, signals, a bound port.
struct Startup {
    config: Config,
    signals: Signals,
    listener: Listener,
    lifecycle: Arc<Lifecycle>,
}

impl Startup {
    /// Reads the settings, and listens: whoever registers must already be listening, since the platform may post at once
    /// (D 2707).
    fn new<T: Extension>() -> Result<Self, RunError> {
        const {
            assert!(
                !matches!(T::TIMEOUT, Some(Duration::ZERO)),
                "`TIMEOUT` is zero, so that no invocation could be handled"
            );
        }
        script_name_marker::keep::<T>();
        let config = Config::from_env(T::NAME, T::PORT)?;
        #[cfg(feature = "stderr-log")]
        crate::log::subscriber::install(T::NAME, config.log);
        config.log_warnings();
        panics::install_hook();
        let signals = Signals::listen()
            .map_err(|error| RunError::runtime("cannot listen for signals", error))?;
        let lifecycle = Lifecycle::new();
        let listener = listener::bind(T::NAME, config.port, "FG_EXTENSION_PORT", &lifecycle)?;
        Ok(Self {
            config,
            signals,
            listener,
            lifecycle,
        })
    }

    /// Registers, makes the extension, serves it, and shuts it down.
    ///
    /// Invocations that arrive before `init` is done wait in the listen backlog.
    async fn run<T: Extension, D: Telemetry<T>>(
        mut self,
        telemetry: Arc<D>,
    ) -> Result<(), RunError> {
        let start = async {
            let registration = register(T::NAME, &self.config).await?;
            tracing::info!(
                "registered with {} as {}, listening on {}",
                self.config.platform,
                T::NAME,
                self.config.port.address()
            );
            self.lifecycle.advance(Phase::Registered);
            let extension = T::init(&registration).await.map_err(RunError::init)?;
            Ok::<_, RunError>((extension, registration))
        };
        // `init` may panic, and so may what it leaves behind if a signal comes first.
        let started = panics::catch(select(start, self.signals.recv())).await;
        let stopped = match started
            .unwrap_or_else(|panic| Either::First(Err(RunError::init(panic.into()))))
        {
            Either::First(Ok((extension, registration))) => {
                let lifecycle = Arc::clone(&self.lifecycle);
                let router = Router::new(extension, registration, telemetry, lifecycle);
                return self.serve(Arc::new(router)).await;
            }
            Either::First(Err(error)) => Err(error),
            Either::Second(signal) => {
                tracing::info!("{signal} before the extension was ready: shutting down");
                Ok(())
            }
        };
        // Telemetry may have been acknowledged already; there is no handler to deliver it to.
        let lost = telemetry.abandon();
        match stopped {
            Ok(()) if lost == 0 => Ok(()),
            Ok(()) => Err(RunError::undelivered_telemetry(format!(
                "the extension ended before it was ready: {}",
                error::undelivered(lost)
            ))),
            Err(error) => Err(error.and_undelivered(lost)),
        }
    }

    async fn serve<T: Extension, D: Telemetry<T>>(
        mut self,
        router: Arc<Router<T, D>>,
    ) -> Result<(), RunError> {
        self.lifecycle.advance(Phase::Running);
        let mut delivery = JoinSet::new();
        if D::SUBSCRIBED {
            let router = Arc::clone(&router);
            delivery.spawn(async move { router.deliver_telemetry().await });
        }
        let signals = async {
            let signal = self.signals.recv().await;
            self.lifecycle.begin_shutdown(signal);
        };
        let routes = Arc::clone(&router);
        let server = listener::serve(self.listener, move |request| {
            let router = Arc::clone(&routes);
            async move { router.respond(request).await }
        });
        run_alongside(signals, server).await;
        shut_down(
            &self.lifecycle,
            router.extension(),
            router.telemetry(),
            delivery,
            self.config.shutdown_timeout,
        )
        .await
    }
}
