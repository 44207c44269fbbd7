//! One log line a period at most.

use std::time::{Duration, Instant};

/// Lets one line through in each period, without I/O: the caller passes the time.
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
    period: Duration,
    last: Option<Instant>,
}

impl Throttle {
    /// A throttle that admits its first line at once, and each later one at least `period` after the line before.
    #[must_use]
    pub const fn new(period: Duration) -> Self {
        Self { period, last: None }
    }

    /// The throttle of all our log lines: an extension that subscribes to its own log must not feed itself.
    #[must_use]
    pub const fn one_per_second() -> Self {
        Self::new(Duration::from_secs(1))
    }

    /// Returns whether a line may be written now; if so, the next period begins.
    pub fn admit(&mut self, now: Instant) -> bool {
        let due = self.next_due().is_none_or(|due| due <= now);
        if due {
            self.last = Some(now);
        }
        due
    }

    /// Returns when the next line may be written; `None` if none was written yet.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.last.map(|last| last + self.period)
    }
}
