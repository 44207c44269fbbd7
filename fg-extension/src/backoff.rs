use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Pauses that double from 50 ms to a second, each between half of that and all of it: several extensions
/// that start at once do not knock at once.
pub(crate) struct Backoff {
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self {
            longest: Duration::from_millis(50),
        }
    }

    pub(crate) fn next(&mut self) -> Duration {
        // The standard library's hasher keys are the randomness at hand.
        let random = RandomState::new().hash_one(()) as f64 / u64::MAX as f64;
        let pause = self.longest.mul_f64(0.5 + random / 2.0);
        self.longest = (self.longest * 2).min(Duration::from_secs(1));
        pause
    }
}
