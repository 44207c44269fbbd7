//! The start-up sequence: settings, listeners, registration, `init`, serving.

use std::sync::Arc;
use std::time::Duration;

use fg_util::select::{Either, run_alongside, select};
use tokio::task::{JoinSet, yield_now};

use crate::config::{Config, TelemetryConfig};
use crate::http::listener::{self, Listener};
use crate::http::router::Router;
use crate::http::{open_connections, request_log};
use crate::lifecycle::entry::EndProcess;
use crate::lifecycle::shutdown::shut_down;
use crate::lifecycle::signals::Signals;
use crate::lifecycle::watchdog;
use crate::lifecycle::{Lifecycle, Phase};
use crate::log::writer;
use crate::platform::register::register;
use crate::telemetry::{NoTelemetry, Telemetry, TelemetryServer};
use crate::{
    Extension, ExtensionName, Registration, RunError, TelemetryHandler, error, panics,
    script_name_marker,
};

/// Runs the extension `T` until the platform asks it to shut down.
///
/// The generated `main` of an [`#[extension]`](macro@crate::extension) calls this function. It binds the extension's
/// port on 127.0.0.1, registers with the platform, calls [`init`](Extension::init), and then serves invocations.
///
/// SIGTERM, SIGINT, SIGHUP or `POST /extension/shutdown` starts the shutdown, which takes at most `FG_SHUTDOWN_TIMEOUT`:
///
/// 1. The connections in the listen backlog are accepted, and no others after them.
/// 2. Requests in flight finish. They are aborted when only the time that is reserved for
///    [`shutdown`](Extension::shutdown) is left.
/// 3. [`shutdown`](Extension::shutdown) is called.
///
/// When `run` returns, `main` should return without waiting for blocking tasks, for example with
/// `tokio::runtime::Runtime::shutdown_background`.
///
/// `run` changes three things for the whole process. It raises the soft limit of file descriptors to the hard one, and
/// installs:
///
/// - A panic hook that suppresses the output of panics in handlers and in tasks of the tokio runtime, which are logged in
///   one line instead. All other panics are passed to the previous hook.
/// - With the feature `stderr-log`, the default `tracing` subscriber, unless there is a global one already. Its lines are
///   written by a thread of their own, and dropped if nobody reads stderr, so that logging never blocks.
///
/// While it runs, a second thread notices a handler that blocks its thread, and measures how long the process is frozen:
/// that time does not count towards `TIMEOUT` and `FG_SHUTDOWN_TIMEOUT`. If a handler is blocked when the shutdown should
/// have completed, the generated `main` ends the process with exit status 1. `run` itself never ends the process: it
/// returns an error for which [`RunError::is_shutdown_timeout`] is true, once the handler allows it.
///
/// # Errors
///
/// Returns an error if a setting is missing or invalid, if the port cannot be bound, if the platform rejects the
/// registration or does not accept it within `FG_REGISTER_TIMEOUT`, if [`init`](Extension::init) or
/// [`shutdown`](Extension::shutdown) fails, or if a handler blocks its thread until the shutdown should have completed.
/// [`RunError`] has a method to test for each case.
///
/// # Panics
///
/// Panics if it is called outside of a tokio runtime, or on one without I/O and time enabled (see
/// `tokio::runtime::Builder::enable_all`).
///
/// # Cancel safety
///
/// If the future is dropped, the extension accepts no further connections, but those that are open and the invocations
/// in flight continue until the tokio runtime shuts down. [`shutdown`](Extension::shutdown) is not called.
pub async fn run<T: Extension>() -> Result<(), RunError> {
    run_until::<T>(None).await
}

/// Runs the extension `T`, which subscribes to telemetry, until the platform asks it to shut down.
///
/// In addition to what [`run`] does, it accepts telemetry on the port of the
/// [subscription](TelemetryHandler::SUBSCRIPTION), subscribes, and delivers the events to
/// [`TelemetryHandler::telemetry`]. During the shutdown, it delivers the acknowledged telemetry before it calls
/// [`shutdown`](Extension::shutdown).
///
/// # Errors
///
/// Returns an error in the same cases as [`run`], and if acknowledged telemetry could not be delivered, during the
/// shutdown or before it.
///
/// # Panics
///
/// Panics in the same cases as [`run`].
///
/// # Cancel safety
///
/// The same as for [`run`]. In addition, acknowledged telemetry that has not been delivered is lost.
pub async fn run_with_telemetry<T: TelemetryHandler>() -> Result<(), RunError> {
    run_with_telemetry_until::<T>(None).await
}

/// Implements [`run`](fn@run). Ends the process with `end_process` if the shutdown does not complete in time.
pub(crate) async fn run_until<T: Extension>(
    end_process: Option<EndProcess>,
) -> Result<(), RunError> {
    let _flush = FlushLog;
    let startup = Startup::new::<T>(end_process)?;
    startup.run::<T, _>(Arc::new(NoTelemetry)).await
}

/// Implements [`run_with_telemetry`], as [`run_until`] does.
pub(crate) async fn run_with_telemetry_until<T: TelemetryHandler>(
    end_process: Option<EndProcess>,
) -> Result<(), RunError> {
    let _flush = FlushLog;
    let startup = Startup::new::<T>(end_process)?;
    let telemetry = TelemetryConfig::read(T::NAME, T::PORT, T::SUBSCRIPTION, &startup.config)?;
    startup.run_with_telemetry::<T>(&telemetry).await
}

/// Waits until the log is written when it is dropped, since the process may exit then.
struct FlushLog;

impl Drop for FlushLog {
    fn drop(&mut self) {
        request_log::flush();
        writer::flush();
    }
}

/// The state of an extension before it registers: its settings, signal handlers and bound port.
pub(crate) struct Startup {
    config: Config,
    signals: Signals,
    end_process: Option<EndProcess>,
    listener: Listener,
    lifecycle: Arc<Lifecycle>,
}

impl Startup {
    /// Reads the settings and binds the port.
    ///
    /// The port is bound before the extension registers, since the platform may post events as soon as it is registered
    /// (D 2707).
    fn new<T: Extension>(end_process: Option<EndProcess>) -> Result<Self, RunError> {
        const {
            assert!(
                !matches!(T::TIMEOUT, Some(Duration::ZERO)),
                "`TIMEOUT` must be longer than zero"
            );
        }
        script_name_marker::embed::<T>();
        let config = Config::read(T::NAME, T::PORT)?;
        #[cfg(feature = "stderr-log")]
        crate::log::subscriber::install(T::NAME, config.log);
        config.log_warnings();
        panics::install_hook();
        open_connections::raise_limit();
        Self::with_config::<T>(config, end_process)
    }

    /// Binds the port.
    pub(crate) fn with_config<T: Extension>(
        config: Config,
        end_process: Option<EndProcess>,
    ) -> Result<Self, RunError> {
        let lifecycle = Lifecycle::new();
        let signals = Signals::listen()
            .map_err(|error| RunError::runtime("cannot listen for signals", error))?;
        let listener = listener::bind(T::NAME, config.port, "FG_EXTENSION_PORT", &lifecycle)?;
        Ok(Self {
            config,
            signals,
            end_process,
            listener,
            lifecycle,
        })
    }

    /// Does what [`run`](Self::run) does, and serves telemetry.
    pub(crate) async fn run_with_telemetry<T: TelemetryHandler>(
        self,
        telemetry: &TelemetryConfig,
    ) -> Result<(), RunError> {
        let server = TelemetryServer::bind(T::NAME, &self.config, telemetry, &self.lifecycle);
        let delivery = server.delivery();
        // Owned by this future, so that the task is aborted when it returns.
        let mut background = JoinSet::new();
        background.spawn(server.run(Arc::clone(&self.lifecycle)));
        self.run::<T, _>(delivery).await
    }

    /// Registers, calls `init`, serves requests, and shuts down.
    ///
    /// Requests that arrive before `init` has completed are queued in the listen backlog.
    async fn run<T: Extension, D: Telemetry<T>>(
        mut self,
        telemetry: Arc<D>,
    ) -> Result<(), RunError> {
        let stopped = match self.register(T::NAME).await {
            Ok(Either::First(registration)) => {
                // `init` may panic, and so may its destructors if a signal arrives first and the future is dropped.
                let init = select(T::init(&registration), self.signals.recv());
                match panics::catch("`init`", init).await {
                    Ok(Either::First(Ok(extension))) => {
                        let lifecycle = Arc::clone(&self.lifecycle);
                        let router = Router::new(extension, &registration, telemetry, lifecycle);
                        return self.serve(Arc::new(router)).await;
                    }
                    Ok(Either::First(Err(error))) => Err(RunError::init(error)),
                    Ok(Either::Second(signal)) => Ok(signal),
                    Err(panic) => Err(RunError::init(panic.into())),
                }
            }
            Ok(Either::Second(signal)) => Ok(signal),
            Err(error) => Err(error),
        };
        let stopped = stopped.map(|signal| {
            info!("received {signal} before `init` completed; shutting down");
        });
        // Telemetry may have been acknowledged already, but there is no handler to deliver it to.
        let lost = telemetry.abandon();
        match stopped {
            Ok(()) if lost == 0 => Ok(()),
            Ok(()) => Err(RunError::undelivered_telemetry(format!(
                "the extension shut down before `init` completed: {}",
                error::undelivered(lost)
            ))),
            Err(error) => Err(error.and_undelivered(lost)),
        }
    }

    /// Registers with the platform, unless a signal arrives first, and starts the second thread.
    async fn register(
        &mut self,
        name: ExtensionName,
    ) -> Result<Either<Registration, &'static str>, RunError> {
        let registration = match select(register(name, &self.config), self.signals.recv()).await {
            Either::First(registration) => registration?,
            Either::Second(signal) => return Ok(Either::Second(signal)),
        };
        info!(
            "registered with {} as {name}, listening on {}",
            self.config.platform,
            self.config.port.authority()
        );
        self.lifecycle.advance(Phase::Registered);
        let timeout = self.config.shutdown_timeout;
        watchdog::start(&self.lifecycle, timeout, self.end_process);
        Ok(Either::First(registration))
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
            // The second thread may have seen the signal before this one has looked at its sockets: after a freeze, requests
            // that arrived earlier are still to be noticed.
            yield_now().await;
            self.lifecycle.begin_shutdown(signal);
        };
        let routes = Arc::clone(&router);
        let server = listener::serve(self.listener, move |request, connection| {
            Arc::clone(&routes).respond(request, connection)
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
