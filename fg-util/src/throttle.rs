//! One log line a second at most.

use std::time::{Duration, Instant};

/// From one line to the next.
const PERIOD: Duration = Duration::from_secs(1);

/// Lets one line through a second, without I/O: the caller passes the time.
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
    /// Returns a throttle that admits its first line at once, and each later one at least a second after the line before:
    /// an extension that subscribes to its own log must not feed itself.
    #[must_use]
    pub const fn one_per_second() -> Self {
        Self { last: None }
    }

    /// Returns whether a line may be written now; if so, the next one may be written a second later.
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
        self.last.map(|last| last + PERIOD)
    }
}
