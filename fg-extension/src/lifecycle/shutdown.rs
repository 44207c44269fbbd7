//! The order of a shutdown, and how its time is shared out.

use std::time::Duration;

use fg_util::duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::Lifecycle;
use crate::panics::catch;
use crate::telemetry::Telemetry;
use crate::{Error, Extension, RunError, error};

/// How long those whose invocation is aborted may take to be answered.
const RESPONSE_TIME: Duration = Duration::from_millis(50);

/// Shuts the extension down within `timeout`: waits for what is in flight, then for the acknowledged telemetry, then for
/// the author's `shutdown`.
///
/// The lifecycle is draining already. `delivery` has the task that delivers telemetry. Part of the time is reserved for
/// `shutdown`, even if a handler hangs: it may be all that keeps the author's data from being lost.
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
        tracing::warn!(
            "aborted what was still in flight {} after the shutdown began, invocations: {}; {}",
            duration::format(deadlines.patience),
            lifecycle.invocations_in_flight(),
            setting(timeout),
        );
        // Nobody would deliver what is acknowledged from now on.
        telemetry.close();
        lifecycle.abort().await;
        // A client that does not read its response is not waited for.
        lifecycle.drain(deadlines.respond).await;
    }

    telemetry.close();
    if timeout_at(deadlines.abort, delivery.join_next())
        .await
        .is_err()
    {
        // The handler must not run beside `shutdown`: it is dropped as soon as its task runs. A handler that blocks its
        // thread cannot be stopped.
        lifecycle.abort().await;
        let _ = timeout_at(deadlines.respond, delivery.join_next()).await;
    }
    telemetry.abandon();
    let undelivered = telemetry.lost() - lost_before;

    let error = match call_shutdown(extension, deadlines.end).await {
        Some(Ok(())) if undelivered == 0 => return Ok(()),
        Some(Ok(())) => {
            return Err(RunError::undelivered_telemetry(format!(
                "{}; {}",
                error::undelivered(undelivered),
                setting(timeout)
            )));
        }
        Some(Err(error)) => RunError::shutdown(error),
        None => RunError::shutdown_timeout(format!(
            "the extension did not shut down in time; {}",
            setting(timeout)
        )),
    };
    Err(error.and_undelivered(undelivered))
}

/// When each step of a shutdown has to be over.
struct Deadlines {
    /// How long what is in flight may take.
    patience: Duration,
    /// What is in flight, telemetry included, is aborted.
    abort: Instant,
    /// Those that were aborted are answered.
    respond: Instant,
    /// The author's `shutdown` is dropped.
    end: Instant,
}

impl Deadlines {
    fn new(start: Instant, timeout: Duration) -> Self {
        let reserve = (timeout / 4).min(Duration::from_millis(500));
        let patience = timeout - reserve;
        Self {
            patience,
            abort: start + patience,
            respond: start + patience + RESPONSE_TIME.min(reserve / 4),
            end: start + timeout,
        }
    }
}

/// Calls the author's `shutdown`; `None` if it did not finish in time. A panic is an error.
async fn call_shutdown<T: Extension>(
    extension: &T,
    deadline: Instant,
) -> Option<Result<(), Error>> {
    // What it leaves behind is dropped in here too, and may panic.
    catch(async { timeout_at(deadline, extension.shutdown()).await.ok() })
        .await
        .unwrap_or_else(|panic| Some(Err(panic.into())))
}

fn setting(timeout: Duration) -> String {
    format!(
        "FG_SHUTDOWN_TIMEOUT, {}, sets how long the shutdown may take",
        duration::format(timeout)
    )
}

#[cfg(test)]
mod tests;
