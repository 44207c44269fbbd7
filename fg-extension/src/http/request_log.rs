//! Limits the log lines about requests.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many lines may be written at once. After that, one line may be written per [`PERIOD`].
const BURST: u32 = 32;
const PERIOD: Duration = Duration::from_secs(1);

/// Limits the lines about rejected requests and failed invocations, and counts those that are omitted.
pub(super) struct RequestLog(Mutex<State>);

struct State {
    /// How many lines may be written.
    left: u32,
    /// When `left` was last increased.
    since: Instant,
    omitted: u64,
}

impl RequestLog {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            left: BURST,
            since: Instant::now(),
            omitted: 0,
        }))
    }

    /// Returns what to add to a line that may be written now. Returns `None`, and counts the line, if it must be
    /// omitted.
    pub(super) fn admit(&self) -> Option<String> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.admit(Instant::now())
    }
}

impl State {
    fn admit(&mut self, now: Instant) -> Option<String> {
        let periods = now.duration_since(self.since).as_secs() / PERIOD.as_secs();
        if periods > 0 {
            let left = u64::from(self.left) + periods;
            self.left = u32::try_from(left).unwrap_or(BURST).min(BURST);
            self.since = now;
        }
        if self.left == 0 {
            self.omitted += 1;
            return None;
        }
        self.left -= 1;
        Some(match std::mem::take(&mut self.omitted) {
            0 => String::new(),
            omitted => format!(" ({omitted} similar lines were omitted)"),
        })
    }
}

/// Reports what was omitted since the last line.
impl Drop for State {
    fn drop(&mut self) {
        if self.omitted > 0 {
            tracing::warn!("{} lines about requests were omitted", self.omitted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_limited_and_counted() {
        let start = Instant::now();
        let mut state = State {
            left: BURST,
            since: start,
            omitted: 0,
        };
        let mut admit = |seconds| state.admit(start + Duration::from_secs(seconds));
        for _ in 0..BURST {
            assert_eq!(admit(0).as_deref(), Some(""));
        }
        assert_eq!((admit(0), admit(0)), (None, None));
        assert_eq!(admit(1).as_deref(), Some(" (2 similar lines were omitted)"));
        assert_eq!(admit(1), None);
        for _ in 0..BURST {
            assert!(admit(1000).is_some());
        }
        assert_eq!(admit(1000), None);
        assert!(admit(1001).is_some());
    }
}
