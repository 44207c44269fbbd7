//! Exponential back-off with jitter.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A sequence of pauses between attempts. Each pause is twice as long as the one before, up to a maximum.
///
/// Jitter shortens each pause by up to half, so that clients that failed at the same time do not retry at the same
/// time.
///
/// ```
/// use std::time::Duration;
/// use fg_util::backoff::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
/// assert!(backoff.next_pause() <= Duration::from_millis(50));
/// assert!(backoff.next_pause() >= Duration::from_millis(50));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempts: u32,
}

impl Backoff {
    /// Creates a back-off whose first pause is at most `first`, and whose pauses never exceed `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            attempts: 0,
        }
    }

    /// Returns the pause to make after another failed attempt.
    #[must_use]
    pub fn next_pause(&mut self) -> Duration {
        let doublings = 2_u32.saturating_pow(self.attempts);
        self.attempts = self.attempts.saturating_add(1);
        let full = self.first.saturating_mul(doublings).min(self.longest);
        full.mul_f64(0.5 + random() / 2.0)
    }
}

/// Returns a random number from 0 to 1, based on the random seeds of the standard library's hashers.
fn random() -> f64 {
    #[cfg(feature = "simulation")]
    if let Some(random) = simulation::RANDOM.get() {
        return random();
    }
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}

/// Random numbers that a simulation chooses, so that it can be replayed.
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation {
    use std::cell::Cell;

    thread_local! {
        pub(super) static RANDOM: Cell<Option<fn() -> f64>> = const { Cell::new(None) };
    }

    /// Makes this thread use a source of random numbers from 0 to 1.
    pub fn set_random(random: fn() -> f64) {
        RANDOM.set(Some(random));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        for full in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let (full, pause) = (Duration::from_millis(full), backoff.next_pause());
            assert!(pause >= full / 2 && pause <= full, "{full:?}: {pause:?}");
        }

        backoff.attempts = u32::MAX;
        assert!(backoff.next_pause() <= Duration::from_secs(5));
    }

    #[test]
    fn pauses_have_jitter() {
        let pauses: HashSet<_> = (0..100)
            .map(|_| Backoff::new(Duration::from_secs(5), Duration::from_secs(5)).next_pause())
            .collect();
        assert!(pauses.len() > 50);
    }
}
