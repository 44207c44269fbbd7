//! The steps of a shutdown, and how they share its timeout.

use std::time::Duration;

use fg_util::duration;
use tokio::task::JoinSet;

use super::Lifecycle;
use super::witness::Moment;
use crate::panics::catch;
use crate::telemetry::Telemetry;
use crate::{Error, Extension, RunError, error};

/// How much longer than its timeout a shutdown may take before the process is ended.
pub(super) const GRACE: Duration = Duration::from_millis(200);

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
    let start = lifecycle.shutdown_start();
    let limits = Limits::new(timeout);
    if !lifecycle.drain(start, limits.abort).await {
        let aborted = match lifecycle.invocations_in_flight() {
            0 => "stopped waiting for open connections".to_owned(),
            1 => "aborted 1 invocation still in flight".to_owned(),
            invocations => format!("aborted {invocations} invocations still in flight"),
        };
        warn!(
            "{aborted} {} after the shutdown started; FG_SHUTDOWN_TIMEOUT is {}",
            duration::format(limits.abort),
            duration::format(timeout),
        );
        // Telemetry that arrives from now on would not be delivered, so it must not be acknowledged.
        telemetry.close();
        lifecycle.abort().await;
        // Does not wait longer for clients that do not read their responses.
        lifecycle.drain(start, limits.respond).await;
    }

    telemetry.close();
    let delivered = start.timeout(limits.abort, delivery.join_next()).await;
    if delivered.is_none() {
        // The telemetry handler must not run concurrently with `shutdown`, so it is dropped. A handler that blocks its
        // thread cannot be stopped.
        lifecycle.abort().await;
        start.timeout(limits.respond, delivery.join_next()).await;
    }
    let undelivered = telemetry.abandon();
    // Those that were lost because FG_TELEMETRY_TIMEOUT had elapsed, whether before the shutdown or during it.
    let lost = telemetry.lost() - undelivered;

    let on_time = "within FG_SHUTDOWN_TIMEOUT";
    let error = match call_shutdown(extension, start, timeout).await {
        Some(Ok(())) if is_blocked(lifecycle, timeout + GRACE).await => RunError::blocked(timeout),
        Some(Ok(())) if undelivered > 0 => {
            return Err(RunError::undelivered_telemetry(format!(
                "{} {on_time} ({})",
                error::undelivered(undelivered),
                duration::format(timeout)
            ))
            .and_lost(lost));
        }
        Some(Ok(())) if lost > 0 => {
            return Err(RunError::undelivered_telemetry(error::lost(lost)));
        }
        Some(Ok(())) => return Ok(()),
        Some(Err(error)) => RunError::shutdown(error),
        None => RunError::shutdown_timeout(format!(
            "the extension did not shut down {on_time} ({})",
            duration::format(timeout)
        )),
    };
    Err(error.and_undelivered(undelivered).and_lost(lost))
}

/// Returns whether a handler has blocked its thread since the shutdown was requested, for longer than `limit`.
///
/// On a runtime with several threads, a handler on another one may still block it.
async fn is_blocked(lifecycle: &Lifecycle, limit: Duration) -> bool {
    if lifecycle.invocations_in_flight() > 0 {
        lifecycle.drain(lifecycle.shutdown_start(), limit).await;
    }
    lifecycle.invocations_in_flight() > 0 || lifecycle.shutdown_request().elapsed() > limit
}

/// How long the steps of a shutdown may take, from its start.
struct Limits {
    /// When invocations and the delivery of telemetry are aborted.
    abort: Duration,
    /// When the responses to aborted invocations must have been sent.
    respond: Duration,
}

impl Limits {
    fn new(timeout: Duration) -> Self {
        let reserve = (timeout / 4).min(Duration::from_millis(500));
        let abort = timeout - reserve;
        Self {
            abort,
            respond: abort + RESPONSE_TIME.min(reserve / 4),
        }
    }
}

/// Calls the author's `shutdown`. Returns `None` if it does not complete in time; a panic is returned as an error.
async fn call_shutdown<T: Extension>(
    extension: &T,
    start: Moment,
    timeout: Duration,
) -> Option<Result<(), Error>> {
    // If it times out, the future is dropped inside `catch`, since its destructors may panic.
    // It may block its thread, for example to sync a file: nothing else needs the thread anymore.
    catch("", start.timeout(timeout, extension.shutdown()))
        .await
        .unwrap_or_else(|panic| Some(Err(panic.into())))
}

#[cfg(test)]
mod tests;
