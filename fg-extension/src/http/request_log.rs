//! Limits the log lines about requests.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fg_util::error::{excerpt, one_line};
use hyper::StatusCode;

/// How many lines may be written at once. After that, one line may be written per [`PERIOD`].
const BURST: u32 = 32;
const PERIOD: Duration = Duration::from_secs(1);

process_static! {
    /// The lines about rejected requests, failed invocations and failed tasks of the process.
    fn log() -> Mutex<State> = Mutex::new(State {
        left: BURST,
        since: None,
        omitted: 0,
    });
}

struct State {
    /// How many lines may be written.
    left: u32,
    /// When `left` was last increased.
    since: Option<Instant>,
    omitted: u64,
}

/// Logs a rejected request.
pub(crate) fn rejected(status: StatusCode, message: &str) {
    if let Some(before) = admit() {
        let (status, message) = (status.as_u16(), one_line(&excerpt(message)));
        warn!("rejected a request with status {status}: {message}{before}");
    }
}

/// Returns what to add to a line that may be written now. Returns `None`, and counts the line, if it must be omitted.
pub(crate) fn admit() -> Option<String> {
    state().admit(Instant::now())
}

/// Reports the lines that were omitted since the last one. Call it before the process exits.
pub(crate) fn flush() {
    let omitted = std::mem::take(&mut state().omitted);
    if omitted > 0 {
        warn!("{omitted} lines about requests were omitted");
    }
}

fn state() -> MutexGuard<'static, State> {
    log().lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn admit(&mut self, now: Instant) -> Option<String> {
        let since = *self.since.get_or_insert(now);
        let periods = now.duration_since(since).as_secs() / PERIOD.as_secs();
        if periods > 0 {
            let left = u64::from(self.left) + periods;
            self.left = u32::try_from(left).unwrap_or(BURST).min(BURST);
            self.since = Some(now);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_limited_and_counted() {
        let start = Instant::now();
        let mut state = State {
            left: BURST,
            since: None,
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
