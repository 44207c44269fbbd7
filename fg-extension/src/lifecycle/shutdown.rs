//! The steps of a shutdown, and how they share its timeout.

use std::time::Duration;

use fg_util::duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::Lifecycle;
use crate::panics::catch;
use crate::telemetry::Telemetry;
use crate::{Error, Extension, RunError, error};

/// The time to send the responses to aborted invocations.
const RESPONSE_TIME: Duration = Duration::from_millis(50);

/// Shuts the extension down within `timeout`: waits for the activities in flight, delivers the acknowledged telemetry,
/// and calls the author's `shutdown`.
///
/// The lifecycle must be draining already. `delivery` contains the task that delivers telemetry. Part of the timeout is
/// reserved for `shutdown`, even if a handler hangs, since it may save data that would be lost otherwise.
pub(crate) async fn shut_down<T: Extension, D: Telemetry<T>>(
    lifecycle: &Lifecycle,
    extension: &T,
    telemetry: &D,
    mut delivery: JoinSet<()>,
    timeout: Duration,
) -> Result<(), RunError> {
    let deadlines = Deadlines::new(lifecycle.shutdown_start(), timeout);
    let lost_before = telemetry.lost();
    if !lifecycle.drain(deadlines.abort).await {
        let aborted = match lifecycle.invocations_in_flight() {
            0 => "stopped waiting for open connections".to_owned(),
            1 => "aborted 1 invocation still in flight".to_owned(),
            invocations => format!("aborted {invocations} invocations still in flight"),
        };
        tracing::warn!(
            "{aborted} {} after the shutdown started; FG_SHUTDOWN_TIMEOUT is {}",
            duration::format(deadlines.drain_timeout),
            duration::format(timeout),
        );
        // Telemetry that arrives from now on would not be delivered, so it must not be acknowledged.
        telemetry.close();
        lifecycle.abort().await;
        // Does not wait longer for clients that do not read their responses.
        lifecycle.drain(deadlines.respond).await;
    }

    telemetry.close();
    if timeout_at(deadlines.abort, delivery.join_next())
        .await
        .is_err()
    {
        // The telemetry handler must not run concurrently with `shutdown`, so it is dropped. A handler that blocks its
        // thread cannot be stopped.
        lifecycle.abort().await;
        let _ = timeout_at(deadlines.respond, delivery.join_next()).await;
    }
    telemetry.abandon();
    let undelivered = telemetry.lost() - lost_before;

    let error = match call_shutdown(extension, deadlines.shutdown).await {
        Some(Ok(())) if undelivered == 0 => return Ok(()),
        Some(Ok(())) => {
            return Err(RunError::undelivered_telemetry(format!(
                "{} within FG_SHUTDOWN_TIMEOUT ({})",
                error::undelivered(undelivered),
                duration::format(timeout)
            )));
        }
        Some(Err(error)) => RunError::shutdown(error),
        None => RunError::shutdown_timeout(format!(
            "the extension did not shut down within FG_SHUTDOWN_TIMEOUT ({})",
            duration::format(timeout)
        )),
    };
    Err(error.and_undelivered(undelivered))
}

/// The deadlines of the steps of a shutdown.
struct Deadlines {
    /// How long activities in flight may take, from the start of the shutdown.
    drain_timeout: Duration,
    /// When invocations and the delivery of telemetry are aborted.
    abort: Instant,
    /// When the responses to aborted invocations must have been sent.
    respond: Instant,
    /// When the author's `shutdown` is dropped.
    shutdown: Instant,
}

impl Deadlines {
    fn new(start: Instant, timeout: Duration) -> Self {
        let reserve = (timeout / 4).min(Duration::from_millis(500));
        let drain_timeout = timeout - reserve;
        Self {
            drain_timeout,
            abort: start + drain_timeout,
            respond: start + drain_timeout + RESPONSE_TIME.min(reserve / 4),
            shutdown: start + timeout,
        }
    }
}

/// Calls the author's `shutdown`. Returns `None` if it does not complete before `deadline`; a panic is returned as an
/// error.
async fn call_shutdown<T: Extension>(
    extension: &T,
    deadline: Instant,
) -> Option<Result<(), Error>> {
    // If it times out, the future is dropped inside `catch`, since its destructors may panic.
    catch(async { timeout_at(deadline, extension.shutdown()).await.ok() })
        .await
        .unwrap_or_else(|panic| Some(Err(panic.into())))
}

#[cfg(test)]
mod tests;
