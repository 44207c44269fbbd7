//! What must be true when an extension has ended, whatever happened.

use std::time::Duration;

use super::world::{self, World};
use super::{ABORTED_AFTER, REGISTER_TIMEOUT, SHUTDOWN_TIMEOUT, TOLERANCE};
use crate::http::reading;
use crate::{RunError, TelemetryCounters};

/// How long a shutdown waits for half requests, and the longest pause before telemetry is delivered again.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Checks the promises. The process had run for `stopped` when the extension ended.
pub(super) fn check(result: &Result<(), RunError>, stopped: Duration) {
    let problems = world::with(|world| {
        let mut problems = Vec::new();
        problems.extend(registration(world, result, stopped));
        problems.extend(subscription(world));
        problems.append(&mut invocations(world));
        problems.append(&mut telemetry(world, result, stopped));
        problems.append(&mut shutdown(world, result, stopped));
        if !reading::is_unused() {
            problems.push("the memory of a body is still reserved".to_owned());
        }
        problems
    });
    problems.into_iter().for_each(world::problem);
}

fn registration(world: &World, result: &Result<(), RunError>, stopped: Duration) -> Option<String> {
    let has_given_up = result.as_ref().is_err_and(RunError::is_register_timeout);
    if has_given_up && stopped + 2 * TOLERANCE < REGISTER_TIMEOUT {
        return Some(format!("it stopped trying to register after {stopped:?}"));
    }
    let is_registered = !result
        .as_ref()
        .is_err_and(|error| error.is_rejected() || error.is_register_timeout());
    let accepted = world.accepted_after?;
    // What the runtime measures is less exact: each freeze may count a little.
    (!is_registered && accepted + 2 * TOLERANCE < REGISTER_TIMEOUT)
        .then(|| format!("the registration was accepted after {accepted:?}, but: {result:?}"))
}

/// Checks that the subscription was retried for most of its time, which is that of the registration.
fn subscription(world: &World) -> Option<String> {
    let (first, last) = world.subscriptions?;
    let had_time = world
        .shutdown_after
        .is_none_or(|after| after > first + REGISTER_TIMEOUT);
    let tried_for = last - first;
    // The last attempt is made when three quarters of the time are used up, and earlier if a response is late.
    (!world.is_subscription_final && had_time && tried_for < REGISTER_TIMEOUT / 2)
        .then(|| format!("it stopped trying to subscribe after {tried_for:?}"))
}

fn invocations(world: &mut World) -> Vec<String> {
    let mut problems = Vec::new();
    if world.is_initialized {
        problems.append(&mut world.unanswered);
    }
    let repeated = world.started.iter().filter(|(_, count)| **count > 1);
    problems
        .extend(repeated.map(|(id, count)| format!("invocation {id} was started {count} times")));
    problems
}

fn telemetry(world: &World, result: &Result<(), RunError>, stopped: Duration) -> Vec<String> {
    let mut problems = Vec::new();
    let missing = world.acknowledged.difference(&world.delivered);
    let lost = world.counters.as_ref().map(TelemetryCounters::lost);
    let count = missing.clone().count() as u64;
    // Without a call of the handler there are no counters, but there is an error.
    if count > 0 && (result.is_ok() || lost.is_some_and(|lost| lost < count)) {
        problems.push(format!(
            "{count} acknowledged events were not delivered, but {lost:?} counted as lost, and the result is {result:?}"
        ));
    }
    // It takes several attempts, or a shutdown that has no time left, to lose an event.
    let is_aborted = world
        .shutdown_after
        .is_some_and(|after| stopped.saturating_sub(after) + TOLERANCE >= ABORTED_AFTER);
    if world.is_initialized && !is_aborted {
        let attempts = |id| world.failed_attempts.get(id).copied().unwrap_or_default();
        let early = missing.filter(|id| attempts(id) < 2).count();
        if early > 0 {
            problems.push(format!("{early} events were lost too early"));
        }
    }
    let Some(counters) = &world.counters else {
        return problems;
    };
    let (received, settled) = (counters.received(), counters.delivered() + counters.lost());
    if received != settled {
        problems.push(format!(
            "{received} events were received, and {settled} settled"
        ));
    }
    if counters.delivered() != world.delivered.len() as u64 {
        problems.push(format!(
            "{} events were delivered, but {} counted",
            world.delivered.len(),
            counters.delivered()
        ));
    }
    if counters.lost() > 0 && result.is_ok() {
        problems.push("the exit status hides lost events".to_owned());
    }
    if counters.bytes_queued() != 0 {
        problems.push(format!(
            "{} bytes are still queued",
            counters.bytes_queued()
        ));
    }
    problems
}

fn shutdown(world: &World, result: &Result<(), RunError>, stopped: Duration) -> Vec<String> {
    let mut problems = Vec::new();
    if world.calls_in_flight > 0 {
        problems.push(format!("{} calls are in flight", world.calls_in_flight));
    }
    if world.shutdown_calls != u32::from(world.is_initialized) {
        problems.push(format!(
            "`shutdown` was called {} times; initialized: {}",
            world.shutdown_calls, world.is_initialized
        ));
    }
    if world.shutdown_completed != world.shutdown_calls {
        problems.push("the author's `shutdown` was dropped".to_owned());
    }
    if world.shutdown_completed > 0 && world.shutdown_fails && result.is_ok() {
        problems.push("the result hides that `shutdown` failed".to_owned());
    }
    let Some(after) = world.shutdown_after else {
        if world.is_initialized || result.is_ok() {
            problems.push(format!("it ended without a request: {result:?}"));
        }
        return problems;
    };
    let took = stopped.saturating_sub(after);
    if took > SHUTDOWN_TIMEOUT + TOLERANCE {
        problems.push(format!("the shutdown took {took:?}"));
    }
    // Nothing but handlers may hold it up.
    let idle = stopped.saturating_sub(after.max(world.last_call_ended));
    if idle > LONGEST_PAUSE + world.shutdown_takes + TOLERANCE {
        problems.push(format!("the shutdown took {idle:?} after the last handler"));
    }
    problems
}
