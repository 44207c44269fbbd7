//! Finds an extension that logs a line for each telemetry event, including those about its own lines.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fg_emulator::{Event, Platform, TelemetryType};
use tokio::sync::Notify;

/// How many times in a row an extension must print after a delivery before it is suspected.
const MIN_CYCLES: u32 = 10;

/// The longest time from a delivery to the line that it may have caused. A line that comes later is not counted.
const MAX_GAP: Duration = Duration::from_secs(1);

/// The shortest time that an extension must stay silent while no telemetry is delivered.
const MIN_SILENCE: Duration = Duration::from_millis(150);

/// How many times in a row a suspicion must be confirmed. An extension that prints irregularly may be silent by chance.
const CONFIRMATIONS: u32 = 3;

/// Looks for an extension whose lines cause each other by way of telemetry.
///
/// Lines that follow deliveries are only a suspicion, because a busy extension prints all the time. So the delivery is
/// delayed: an extension in a loop stays silent until it continues.
#[derive(Default)]
pub(crate) struct LoopDetector {
    state: Mutex<State>,
    suspected: Notify,
    printed: Notify,
}

#[derive(Default)]
struct State {
    receives_lines: bool,
    last_delivery: Option<Instant>,
    /// How many invocations are in flight; they cause lines and telemetry too.
    in_flight: usize,
    /// How many invocations have been sent.
    invocations: u64,
    extensions: BTreeMap<String, Activity>,
    is_reported: bool,
}

/// What an extension has printed since the last invocation.
#[derive(Default)]
struct Activity {
    lines: u64,
    /// How many deliveries in a row were followed by a line.
    cycles: u32,
    /// The longest time from a delivery to the line that followed.
    gap: Duration,
    /// How many cycles there must be before it is suspected; at least [`MIN_CYCLES`].
    threshold: u32,
    confirmations: u32,
}

impl LoopDetector {
    /// Looks at an event of the platform.
    pub(crate) fn observe(&self, event: &Event) {
        let mut state = self.state();
        match event {
            Event::Subscribed(subscription) => {
                state.receives_lines = subscription.types.contains(&TelemetryType::Extension);
            }
            Event::TelemetryDelivered { .. } => state.last_delivery = Some(Instant::now()),
            Event::Output(line) if state.receives_lines => {
                let gap = state.last_delivery.take().map(|at| at.elapsed());
                let activity = state.extensions.entry(line.script.clone()).or_default();
                activity.printed(gap);
                let is_suspected = activity.is_suspected();
                drop(state);
                self.printed.notify_one();
                if is_suspected {
                    self.suspected.notify_one();
                }
            }
            _ => {}
        }
    }

    /// Must be called before an invocation is sent, and followed by a call of
    /// [`invocation_finished`](Self::invocation_finished).
    pub(crate) fn invocation_starts(&self) {
        let mut state = self.state();
        state.in_flight += 1;
        state.invocations += 1;
        state.restart();
    }

    pub(crate) fn invocation_finished(&self) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.restart();
    }

    /// Waits until an extension is found in a loop, and returns its script name, once.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the next call looks again.
    pub(crate) async fn find(&self, platform: &Platform) -> String {
        loop {
            let Some((script, gap, invocations)) = self.suspect() else {
                self.suspected.notified().await;
                continue;
            };
            let is_confirmed = self.is_confirmed(&script, gap, platform).await;
            let mut state = self.state();
            if state.invocations != invocations {
                continue;
            }
            let Some(activity) = state.extensions.get_mut(&script) else {
                continue;
            };
            if !is_confirmed {
                activity.acquit();
                continue;
            }
            activity.confirmations += 1;
            if activity.confirmations == CONFIRMATIONS {
                state.is_reported = true;
                return script;
            }
        }
    }

    /// Returns whether the extension is silent while no telemetry is delivered, and prints when it continues.
    async fn is_confirmed(&self, script: &str, gap: Duration, platform: &Platform) -> bool {
        let silence = MIN_SILENCE.max(gap * 3);
        let watch = async {
            // The extension may still be handling the last delivery when the delay starts.
            tokio::time::sleep(silence / 2).await;
            let before = self.lines(script);
            tokio::time::sleep(silence).await;
            (before, self.lines(script))
        };
        let (before, after) = tokio::select! {
            counts = watch => counts,
            // The delay is longer.
            () = platform.delay_telemetry(silence * 2) => return false,
        };
        if before != after {
            return false;
        }
        let prints = async {
            while self.lines(script) == after {
                self.printed.notified().await;
            }
        };
        tokio::time::timeout(silence, prints).await.is_ok()
    }

    /// Returns the extension that is suspected, the longest gap between a delivery and its line, and the number of
    /// invocations so far.
    fn suspect(&self) -> Option<(String, Duration, u64)> {
        let state = self.state();
        if state.is_reported || state.in_flight > 0 {
            return None;
        }
        let mut extensions = state.extensions.iter();
        let (script, activity) = extensions.find(|(_, activity)| activity.is_suspected())?;
        Some((script.clone(), activity.gap, state.invocations))
    }

    fn lines(&self, script: &str) -> u64 {
        let state = self.state();
        let activity = state.extensions.get(script);
        activity.map_or(0, |activity| activity.lines)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn restart(&mut self) {
        for activity in self.extensions.values_mut() {
            activity.cycles = 0;
        }
    }
}

impl Activity {
    /// Counts a line; `gap` is the time since the last delivery if this is the first line after it.
    fn printed(&mut self, gap: Option<Duration>) {
        self.lines += 1;
        match gap {
            Some(gap) if gap <= MAX_GAP => {
                self.gap = if self.cycles == 0 {
                    gap
                } else {
                    self.gap.max(gap)
                };
                self.cycles += 1;
            }
            Some(_) => self.cycles = 0,
            None => {}
        }
    }

    /// Requires more cycles for the next suspicion.
    fn acquit(&mut self) {
        self.cycles = 0;
        self.confirmations = 0;
        self.threshold = self.threshold.max(MIN_CYCLES).saturating_mul(2);
    }

    fn is_suspected(&self) -> bool {
        self.cycles >= self.threshold.max(MIN_CYCLES)
    }
}
