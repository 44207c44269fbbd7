//! A throttle for log lines.

use std::time::{Duration, Instant};

/// The minimum time between two lines.
const PERIOD: Duration = Duration::from_secs(1);

/// A throttle that admits at most one log line per second.
///
/// It does not read the clock: the caller passes the current time.
///
/// ```
/// use std::time::{Duration, Instant};
/// use fg_util::throttle::Throttle;
///
/// let mut throttle = Throttle::one_per_second();
/// let now = Instant::now();
/// assert!(throttle.admit(now));
/// assert!(!throttle.admit(now + Duration::from_millis(999)));
/// assert!(throttle.admit(now + Duration::from_secs(1)));
/// ```
#[derive(Clone, Debug)]
pub struct Throttle {
    last: Option<Instant>,
}

impl Throttle {
    /// Creates a throttle that admits the first line immediately, and each further line at least a second after the
    /// line before.
    ///
    /// An extension that subscribes to its own log receives a telemetry event for each line that it logs. The throttle
    /// prevents that such events cause more and more log lines.
    #[must_use]
    pub const fn one_per_second() -> Self {
        Self { last: None }
    }

    /// Returns `true` if a line may be written now, and then admits the next one a second later.
    pub fn admit(&mut self, now: Instant) -> bool {
        let due = self.next_due().is_none_or(|due| due <= now);
        if due {
            self.last = Some(now);
        }
        due
    }

    /// Returns the time at which the next line may be written, or `None` if no line was admitted yet.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.last.map(|last| last + PERIOD)
    }
}
